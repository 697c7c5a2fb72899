//! How this program opens TLS: one configuration for everyone, *ring* underneath, trust from the operating system.

mod watched;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

pub use watched::Watched;

/// Why TLS can't be opened from this machine. Trying again can't help until the machine is changed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The operating system has no usable certificate store.
    #[error(
        "no trusted root certificates on this machine: install its `ca-certificates` package, or name a PEM file \
         in SSL_CERT_FILE"
    )]
    Roots(#[source] rustls::Error),
    /// The provider lacks the protocol versions that rustls calls safe.
    #[error("TLS 1.2 and 1.3 are not available in this build")]
    Versions(#[source] rustls::Error),
}

/// The client side of TLS 1.2 and 1.3, certificates judged by the operating system's trust store.
///
/// Reads the store each time it is called (some milliseconds): make one and clone it.
pub fn client_config() -> Result<ClientConfig, TlsError> {
    client_config_trusting(&[])
}

/// The same, for systems whose certificates may also have been issued by one of these authorities.
pub fn client_config_trusting(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, TlsError> {
    with_verifier(authorities, |verifier| verifier)
}

/// The same, for who wants to know which certificate was shown: of one connection at a time, also where it is refused. A server that shows exactly
/// `known` is trusted whoever issued that and whatever names are in it.
pub fn client_config_watching(
    authorities: &[CertificateDer<'static>],
    known: Option<CertificateDer<'static>>,
) -> Result<(ClientConfig, Watched), TlsError> {
    let watched = Watched::default();
    let config = with_verifier(authorities, |verifier| Arc::new(watched.verifier(verifier, known)))?;
    Ok((config, watched))
}

fn with_verifier(
    authorities: &[CertificateDer<'static>],
    wrapped: impl FnOnce(Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsError> {
    // The provider is named here, since a process-wide default would be a static that tests and libraries fight over.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match authorities {
        [] => Verifier::new(provider.clone()),
        authorities => Verifier::new_with_extra_roots(authorities.iter().cloned(), provider.clone()),
    };
    let verifier = wrapped(Arc::new(verifier.map_err(TlsError::Roots)?));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        // "Dangerous" is what rustls calls any verifier that is not its own; this one is the operating system's.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}
