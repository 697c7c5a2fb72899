//! The HTTP client of these tests.

/// A client for plain HTTP. It isn't built without a TLS provider, so the process gets one.
pub fn client() -> reqwest::Client {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
