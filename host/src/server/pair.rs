//! A certificate and its key, judged before anything relies on them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::config::ClientCertificates;

/// The last second that a certificate can name.
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);
/// What the host speaks.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate with its key, ready to be shown.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What the listener needs.
    pub config: Arc<ServerConfig>,
    /// When the certificate ends.
    pub ends_at: Timestamp,
}

/// Which of the texts is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `certificate`
    Certificate,
    /// `key`
    Key,
    /// `client-ca`
    ClientCa,
}

/// Why a pair can't be used. Trying again can't help until a file has changed.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// No PEM, no certificate in it, or one that can't be read.
    #[error("the certificate can't be used: {0}")]
    Certificate(String),
    /// No PEM, no private key in it, or of a kind that is not known.
    #[error("the key can't be used: {0}")]
    Key(String),
    /// The same of the clients' authority.
    #[error("the client CA can't be used: {0}")]
    ClientCa(String),
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate")]
    NotTogether,
    /// Its time is over.
    #[error("the certificate ended at {0}")]
    Expired(Timestamp),
}

impl PairError {
    /// Which of the texts is wrong.
    pub fn part(&self) -> Part {
        match self {
            PairError::Certificate(_) | PairError::Expired(_) => Part::Certificate,
            PairError::Key(_) | PairError::NotTogether => Part::Key,
            PairError::ClientCa(_) => Part::ClientCa,
        }
    }
}

impl Pair {
    /// Reads PEM texts and makes sure that a listener can use them: they are what they should be, belong together, and have not ended.
    pub fn parse(chain: &str, key: &str, client_ca: Option<&str>, auth: ClientCertificates, now: Timestamp) -> Result<Pair, PairError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(chain).map_err(PairError::Certificate)?;
        let ends_at = certificate_end(&chain[0]).map_err(PairError::Certificate)?;
        if ends_at <= now {
            return Err(PairError::Expired(ends_at));
        }
        // The parser's own words could quote the text, which is a secret.
        let unreadable = |_| PairError::Key("there is no private key in PEM in it".to_owned());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
        let certified = CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PairError::NotTogether,
            rustls::Error::InvalidCertificate(error) => PairError::Certificate(error.to_string()),
            error => PairError::Key(error.to_string()),
        })?;
        drop(certified);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| PairError::Certificate(error.to_string()))?;
        let builder = match client_ca {
            Some(ca) => builder.with_client_cert_verifier(verifier(ca, auth, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| PairError::Certificate(error.to_string()))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Pair { config: Arc::new(config), ends_at })
    }
}

fn verifier(
    ca: &str,
    auth: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, PairError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca).map_err(PairError::ClientCa)? {
        roots.add(certificate).map_err(|error| PairError::ClientCa(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match auth {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| PairError::ClientCa(error.to_string()))
}

/// The certificates of a PEM text, at least one.
///
/// # Errors
/// There is none.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("there is no certificate in PEM in it".to_owned()),
    }
}

/// When a certificate ends. webpki has no way to ask, but says it of one that has ended: so it is asked about the end of time. It looks at the
/// certificate's own time before it looks for an issuer.
///
/// # Errors
/// It can't be read.
pub fn certificate_end(certificate: &CertificateDer<'_>) -> Result<Timestamp, String> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|error| error.to_string())?;
    let usage = webpki::KeyUsage::server_auth();
    let judged = parsed.verify_for_usage(&[], &[], &[], UnixTime::since_unix_epoch(END_OF_TIME), usage, None, None);
    match judged.err() {
        Some(webpki::Error::CertExpired { not_after, .. }) => {
            let second = i64::try_from(not_after.as_secs()).map_err(|error| error.to_string())?;
            Timestamp::from_second(second).map_err(|error| error.to_string())
        }
        // RFC 5280 section 4.1.2.5: 99991231235959Z says that it has no end.
        Some(webpki::Error::UnknownIssuer) | None => Ok(Timestamp::MAX),
        Some(error) => Err(error.to_string()),
    }
}
