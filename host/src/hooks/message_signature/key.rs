//! What a message signature is verified with (RFC 9421 section 3.3).

use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{RawPublicKeyEntity, ring};

use crate::config::{HmacAlgorithm, MessageKey, MessageKeyKind, PublicAlgorithm};
use crate::credentials::Secret;
use crate::hooks::Refused;
use crate::hooks::digest::{self, same};

/// The name of its algorithm in the registry of section 6.2.2.
pub(super) fn algorithm(key: &MessageKey) -> &'static str {
    match &key.kind {
        MessageKeyKind::HmacSha256 { .. } => "hmac-sha256",
        MessageKeyKind::Public { algorithm, .. } => algorithm.name(),
    }
}

/// Whether it made the signature.
pub(super) fn verify(key: &MessageKey, secret: Option<&Secret>, base: &[u8], signature: &[u8]) -> Result<bool, Refused> {
    match &key.kind {
        MessageKeyKind::HmacSha256 { encoding, .. } => {
            let key = digest::key(secret.ok_or(Refused::Key)?, *encoding)?;
            Ok(same(digest::mac(&key, HmacAlgorithm::Sha256, base).as_ref(), signature))
        }
        MessageKeyKind::Public { algorithm, key } => Ok(public(*algorithm, key, base, signature)),
    }
}

fn public(algorithm: PublicAlgorithm, key: &[u8], base: &[u8], signature: &[u8]) -> bool {
    let key = SubjectPublicKeyInfoDer::from(key);
    let Ok(entity) = RawPublicKeyEntity::try_from(&key) else { return false };
    let fits =
        |algorithm: &dyn SignatureVerificationAlgorithm, signature: &[u8]| entity.verify_signature(algorithm, base, signature).is_ok();
    match algorithm {
        PublicAlgorithm::Ed25519 => fits(ring::ED25519, signature),
        // Sections 3.3.4 and 3.3.5 write the two numbers one after the other.
        PublicAlgorithm::EcdsaP256 => der(signature, 32).is_some_and(|signature| fits(ring::ECDSA_P256_SHA256, &signature)),
        PublicAlgorithm::EcdsaP384 => der(signature, 48).is_some_and(|signature| fits(ring::ECDSA_P384_SHA384, &signature)),
        PublicAlgorithm::RsaPss => fits(ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, signature),
        PublicAlgorithm::RsaPkcs1 => fits(ring::RSA_PKCS1_2048_8192_SHA256, signature),
    }
}

/// Two numbers of `size` bytes as the ASN.1 sequence of two integers (RFC 3279 section 2.2.3).
fn der(signature: &[u8], size: usize) -> Option<Vec<u8>> {
    if signature.len() != 2 * size {
        return None;
    }
    let (r, s) = signature.split_at(size);
    let content = [integer(r), integer(s)].concat();
    // Two numbers of 48 bytes: less than 128 in all.
    Some([&[0x30, u8::try_from(content.len()).ok()?][..], &content].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len() - 1);
    let number = &number[zeros..];
    // The first bit would be its sign.
    let pad: &[u8] = if number[0] & 0x80 == 0 { &[] } else { &[0] };
    let length = u8::try_from(pad.len() + number.len()).unwrap_or(u8::MAX);
    [&[0x02, length][..], pad, number].concat()
}
