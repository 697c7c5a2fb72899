//! The key that signs components: Ed25519, kept as PKCS#8 in PEM (RFC 8410), as other tools make and read it too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _, Signature};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::config::PublicKey;

/// PKCS#8 version 1 of an Ed25519 key up to its 32 bytes (RFC 8410 section 7). OpenSSL does not read version 2, which ring writes.
const PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.public().to_string()).finish()
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// No PKCS#8 in PEM.
    #[error("it holds no private key in PEM: it begins with `-----BEGIN PRIVATE KEY-----`; `sangam plugin keygen` makes one")]
    NotPem,
    /// A key of another kind.
    #[error("it is not an Ed25519 key; `sangam plugin keygen` makes one")]
    OtherKind,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl SigningKey {
    /// Makes a key, and its PEM.
    ///
    /// # Errors
    /// [`SigningKeyError::NoRandomness`].
    pub fn generate() -> Result<(SigningKey, Zeroizing<String>), SigningKeyError> {
        let mut document = Zeroizing::new([0; 48]);
        document[..PKCS8.len()].copy_from_slice(PKCS8);
        SystemRandom::new().fill(&mut document[PKCS8.len()..]).map_err(|_| SigningKeyError::NoRandomness)?;
        let key = SigningKey::from_pkcs8(document.as_slice())?;
        let body = Zeroizing::new(STANDARD.encode(document.as_slice()));
        Ok((key, Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", body.as_str()))))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`SigningKeyError`]; the text is not in it.
    pub fn from_pem(pem: &[u8]) -> Result<SigningKey, SigningKeyError> {
        let document = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| SigningKeyError::NotPem)?;
        SigningKey::from_pkcs8(document.secret_pkcs8_der())
    }

    // With or without the public key in the document: OpenSSL leaves it out.
    fn from_pkcs8(document: &[u8]) -> Result<SigningKey, SigningKeyError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map(SigningKey).map_err(|_| SigningKeyError::OtherKind)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().try_into().expect("a public key of Ed25519 has 32 bytes"))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }
}
