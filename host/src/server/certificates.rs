//! The host's certificate while it runs: replaced when its files change, whole or not at all. Connections that are open keep theirs.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::pair::{Pair, PairError};
use crate::config::{Reference, Tls};
use crate::credentials::{Secret, SecretError, Vault};

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A text can't be had. Passing only where it is the store that does not answer.
    #[error("[server.tls] {0} can't be read")]
    Unreadable(&'static str, #[source] SecretError),
    /// It is of no use.
    #[error("[server.tls]")]
    Pair(#[from] PairError),
}

/// What the host shows. One for each listener.
#[derive(Debug)]
pub struct Certificates {
    vault: Vault,
    /// Where it comes from, and a digest of what was last looked at there.
    source: Mutex<(Tls, [u8; 32])>,
    current: watch::Sender<Pair>,
}

/// A certificate that was judged and may be shown from now on.
#[derive(Debug)]
pub struct Prepared {
    source: Tls,
    digest: [u8; 32],
    pair: Pair,
}

/// The texts that a pair is made of.
struct Texts {
    certificate: Secret,
    key: Secret,
    client_ca: Option<Secret>,
}

impl Certificates {
    /// Reads the pair that a host starts with.
    pub async fn load(vault: Vault, source: &Tls, now: Timestamp) -> Result<Certificates, CertificatesError> {
        let Prepared { source, digest, pair } = prepare(&vault, source, now).await?;
        Ok(Certificates { vault, source: Mutex::new((source, digest)), current: watch::Sender::new(pair) })
    }

    /// What new connections are shown.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.borrow().config.clone()
    }

    /// When it ends.
    pub fn ends_at(&self) -> Timestamp {
        self.current.borrow().ends_at
    }

    /// Reads another pair without showing it yet.
    pub async fn prepare(&self, source: &Tls, now: Timestamp) -> Result<Prepared, CertificatesError> {
        prepare(&self.vault, source, now).await
    }

    /// Shows what was prepared, to new connections.
    pub fn install(&self, prepared: Prepared) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = (prepared.source, prepared.digest);
        self.current.send_replace(prepared.pair);
    }

    /// Looks whether the files have changed, as they do when a certificate is renewed. Says whether another pair is shown now. What can't be
    /// used changes nothing: a renewal writes one file after the other.
    ///
    /// # Errors
    /// What is wrong with the present files, once for each state they are in.
    pub async fn recheck(&self, now: Timestamp) -> Result<bool, CertificatesError> {
        let (source, seen) = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let texts = texts(&self.vault, &source).await?;
        let digest = texts.digest();
        if digest == seen {
            return Ok(false);
        }
        self.source.lock().unwrap_or_else(PoisonError::into_inner).1 = digest;
        let pair = texts.pair(&source, now)?;
        self.current.send_replace(pair);
        Ok(true)
    }
}

async fn prepare(vault: &Vault, source: &Tls, now: Timestamp) -> Result<Prepared, CertificatesError> {
    let texts = texts(vault, source).await?;
    Ok(Prepared { digest: texts.digest(), pair: texts.pair(source, now)?, source: source.clone() })
}

async fn texts(vault: &Vault, source: &Tls) -> Result<Texts, CertificatesError> {
    let read = async |what: &'static str, reference: &Reference| {
        vault.resolve(reference).await.map_err(|error| CertificatesError::Unreadable(what, error))
    };
    Ok(Texts {
        certificate: read("certificate", &source.certificate).await?,
        key: read("key", &source.key).await?,
        client_ca: match &source.client_ca {
            Some(reference) => Some(read("client-ca", reference).await?),
            None => None,
        },
    })
}

impl Texts {
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for text in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            hash.update(text.expose().len().to_be_bytes());
            hash.update(text.expose());
        }
        hash.finalize().into()
    }

    fn pair(&self, source: &Tls, now: Timestamp) -> Result<Pair, PairError> {
        let ca = self.client_ca.as_ref().map(Secret::expose);
        Pair::parse(self.certificate.expose(), self.key.expose(), ca, source.client_auth, now)
    }
}
