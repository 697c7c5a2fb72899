//! Signatures within a component: custom sections at its end, each over everything that stands before it.
//!
//! As a part of the file they travel with it through any path, bundle or registry, and the component's digest covers them. A signature is
//! Ed25519 (RFC 8032) over [`DOMAIN`] and the SHA-256 of all bytes before its section, so that one made for this purpose can't be taken
//! for another. The section has one form, to the byte: nothing in it is left to choose, so nothing can be changed unseen.

use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use wasmparser::BinaryReader;

use super::signing_key::SigningKey;
use crate::config::PublicKey;

/// What is signed begins with this.
const DOMAIN: &[u8] = b"sangam component signature 1\n";
const SECTION: &str = "sangam:signature";
/// Id of a custom section, its length, the length of its name, the name, and the version of what follows: key and signature.
const HEADER: &[u8] = b"\x00\x72\x10sangam:signature\x01";
const KEY: usize = 32;
const SIGNATURE: usize = 64;
/// More names under one component help nobody.
const MAX_SIGNATURES: usize = 8;
/// Magic number, version and layer of a component.
const PREAMBLE: usize = 8;

/// What is wrong with a component's signatures. Each is a reason not to touch it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The section does not have its one form.
    #[error("its signature section is cut, or of a form that this host does not know")]
    Form,
    /// A signature covers what is before it alone.
    #[error("something was added after its signature, which does not cover it; have it signed as it is now")]
    NotLast,
    /// The bytes are not those that were signed.
    #[error("its signature by {0} does not fit: it was changed after it was signed, or the signature is that of another component")]
    Forged(PublicKey),
    /// The same key twice.
    #[error("it is signed twice by {0}")]
    Twice(PublicKey),
    /// Too many.
    #[error("it has more than {MAX_SIGNATURES} signatures")]
    TooMany,
}

/// The keys that signed a component, in the order in which they did; every signature fits. `bytes` are those of a valid component.
pub(super) fn signers(bytes: &[u8]) -> Result<Vec<PublicKey>, SignatureError> {
    let mut signers = Vec::new();
    let mut hasher = Sha256::new();
    let mut hashed = 0;
    let mut rest = BinaryReader::new(bytes, 0);
    let form = |_| SignatureError::Form;
    rest.read_bytes(PREAMBLE).map_err(form)?;
    while !rest.eof() {
        let start = rest.original_position();
        let id = rest.read_u8().map_err(form)?;
        let size = rest.read_var_u32().map_err(form)?;
        let content = rest.read_bytes(size as usize).map_err(form)?;
        let is_signature = id == 0 && BinaryReader::new(content, 0).read_string().is_ok_and(|name| name == SECTION);
        if !is_signature {
            if signers.is_empty() {
                continue;
            }
            return Err(SignatureError::NotLast);
        }
        if signers.len() == MAX_SIGNATURES {
            return Err(SignatureError::TooMany);
        }
        let section = &bytes[start..rest.original_position()];
        let data = section.strip_prefix(HEADER).filter(|data| data.len() == KEY + SIGNATURE).ok_or(SignatureError::Form)?;
        let (key, signature) = data.split_at(KEY);
        let key = PublicKey(key.try_into().map_err(|_| SignatureError::Form)?);
        if signers.contains(&key) {
            return Err(SignatureError::Twice(key));
        }
        hasher.update(&bytes[hashed..start]);
        hashed = start;
        let message = message(hasher.clone());
        UnparsedPublicKey::new(&ED25519, key.0).verify(&message, signature).map_err(|_| SignatureError::Forged(key))?;
        signers.push(key);
    }
    Ok(signers)
}

/// The component with one more signature.
///
/// # Errors
/// [`SignatureError`] where its signatures don't fit, or it has one by this key or too many already.
pub fn sign(component: &[u8], key: &SigningKey) -> Result<Vec<u8>, SignatureError> {
    let public = key.public();
    let before = signers(component)?;
    if before.contains(&public) {
        return Err(SignatureError::Twice(public));
    }
    if before.len() == MAX_SIGNATURES {
        return Err(SignatureError::TooMany);
    }
    let signature = key.sign(&message(Sha256::new().chain_update(component)));
    Ok([component, HEADER, &public.0, signature.as_ref()].concat())
}

fn message(before: Sha256) -> Vec<u8> {
    [DOMAIN, &before.finalize()[..]].concat()
}
