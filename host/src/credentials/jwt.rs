//! JWT assertions (RFC 7523) signed with a private key (RFC 7515): what a client shows instead of a password.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use zeroize::Zeroize;

use super::secret::Secret;
use crate::config::JwtAlgorithm;

/// How long an assertion is good for: it is used at once, the rest is for clocks that differ. Salesforce takes at most
/// a few minutes.
const LIFETIME: Duration = Duration::from_secs(180);

/// Why an assertion can't be signed. Trying again can't help until the key is replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// No PEM, or none with a private key in it.
    #[error("`private-key` holds no private key in PEM: it begins with `-----BEGIN PRIVATE KEY-----`")]
    NotPem,
    /// `-----BEGIN EC PRIVATE KEY-----`, or an RSA key in that form for ES256.
    #[error("`private-key` has the wrong form: convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    WrongForm,
    /// The key does not fit the algorithm.
    #[error("`private-key` can't sign {algorithm}: {reason}")]
    Unfit {
        /// `RS256` or `ES256`.
        algorithm: &'static str,
        /// *ring*'s word for it, for example `TooSmall`.
        reason: String,
    },
}

/// Who asserts what to whom.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) audience: &'a str,
    /// Written as the claim `scope` where there are any: Google reads them there.
    pub(super) scopes: &'a [String],
    pub(super) issued_at: Timestamp,
}

/// A signed assertion in compact form.
pub(super) fn assertion(claims: &Claims<'_>, algorithm: JwtAlgorithm, pem: &Secret) -> Result<Secret, JwtError> {
    let header = json!({ "alg": name(algorithm), "typ": "JWT" }).to_string();
    let issued_at = claims.issued_at.as_second();
    let mut payload = json!({
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "iat": issued_at,
        "exp": issued_at + LIFETIME.as_secs() as i64,
    });
    if !claims.scopes.is_empty() {
        payload["scope"] = claims.scopes.join(" ").into();
    }
    sign(&header, &payload.to_string(), algorithm, pem)
}

/// JWS compact serialization (RFC 7515 section 7.1).
fn sign(header: &str, payload: &str, algorithm: JwtAlgorithm, pem: &Secret) -> Result<Secret, JwtError> {
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signature(text.as_bytes(), algorithm, pem)?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(Secret::new(text))
}

fn signature(message: &[u8], algorithm: JwtAlgorithm, pem: &Secret) -> Result<Vec<u8>, JwtError> {
    // The key is decoded for each assertion, which are minutes apart at the least, so that it does not stay in memory.
    let key = Wiped(PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| JwtError::NotPem)?);
    let unfit = |reason: String| JwtError::Unfit { algorithm: name(algorithm), reason };
    let random = SystemRandom::new();
    match algorithm {
        JwtAlgorithm::Rs256 => {
            let pair = match &key.0 {
                PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
                PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
                _ => return Err(JwtError::WrongForm),
            }
            .map_err(|error| unfit(error.to_string()))?;
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|error| unfit(error.to_string()))?;
            Ok(signature)
        }
        JwtAlgorithm::Es256 => {
            let PrivateKeyDer::Pkcs8(der) = &key.0 else {
                return Err(JwtError::WrongForm);
            };
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random)
                .map_err(|error| unfit(error.to_string()))?;
            let signature = pair.sign(&random, message).map_err(|error| unfit(error.to_string()))?;
            Ok(signature.as_ref().to_vec())
        }
    }
}

/// A decoded key, wiped when dropped.
struct Wiped(PrivateKeyDer<'static>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn name(algorithm: JwtAlgorithm) -> &'static str {
    match algorithm {
        JwtAlgorithm::Rs256 => "RS256",
        JwtAlgorithm::Es256 => "ES256",
    }
}

#[cfg(test)]
mod tests;
