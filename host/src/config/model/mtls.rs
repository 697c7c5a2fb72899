//! `verify = { scheme = "mtls" }`: a sender that shows a certificate.

/// Which certificates are the sender's, among those that `server.tls.client-ca` vouches for. Whatever is named has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mtls {
    /// `san`: subject alternative names, one of which it has.
    pub names: Vec<AltName>,
    /// `common-name`: of its subject, one of these.
    pub common_names: Vec<String>,
    /// `fingerprint`: SHA-256 of the certificate, one of these.
    pub fingerprints: Vec<[u8; 32]>,
}

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AltName {
    /// `dns:…`, in lower case.
    Dns(String),
    /// `uri:…`
    Uri(String),
}
