//! The certificate that a plugin's connections show to systems that ask who is calling.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::request::HttpError;
use crate::config::ClientCertificate;
use crate::credentials::{Broker, Remedy, Secret};

/// A certificate with its key as it is now.
pub(super) struct Identity {
    /// Another one means that somebody changed the key.
    pub(super) fingerprint: [u8; 32],
    pub(super) resolver: Arc<dyn ResolvesClientCert>,
}

/// The key is looked up with each request: another one counts at once, as other secrets do. `known` is the fingerprint of the one in use;
/// `None`: it still is.
pub(super) async fn look_up(
    configured: &ClientCertificate,
    broker: &Broker,
    known: Option<[u8; 32]>,
) -> Result<Option<Identity>, HttpError> {
    let unusable = |why: String| HttpError::Credential(format!("client-certificate can't be shown: {why}"), Remedy::Later);
    let key = broker.resolve(&configured.key).await.map_err(|error| unusable(crate::telemetry::chain(&error)))?;
    let fingerprint: [u8; 32] = Sha256::digest(key.expose().as_bytes()).into();
    if known == Some(fingerprint) {
        return Ok(None);
    }
    let resolver = certified(configured, &key).map_err(unusable)?;
    Ok(Some(Identity { fingerprint, resolver }))
}

/// Errors name no part of the key.
fn certified(configured: &ClientCertificate, key: &Secret) -> Result<Arc<dyn ResolvesClientCert>, String> {
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| "its key is not a private key as PEM, which begins with -----BEGIN PRIVATE KEY-----".to_owned())?;
    let certified = CertifiedKey::from_der(configured.chain.clone(), key, &default_provider())
        .map_err(|_| "its key does not belong to the first certificate of the file, or is of an unknown kind".to_owned())?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

/// The certificate for a connection that is not HTTP.
///
/// # Errors
/// Why it can't be shown. Names no part of the key.
pub async fn client_certificate(configured: &ClientCertificate, broker: &Broker) -> Result<Arc<dyn ResolvesClientCert>, String> {
    let key = broker.resolve(&configured.key).await.map_err(|error| crate::telemetry::chain(&error))?;
    certified(configured, &key)
}
