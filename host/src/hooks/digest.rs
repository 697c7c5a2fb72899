//! Bytes as they are written in headers, and what they are compared with.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Refused;
use crate::config::{HmacAlgorithm, SecretEncoding, SignatureEncoding};
use crate::credentials::Secret;

/// Senders differ in whether they pad.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Reads base64, padded or not.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Reads hexadecimal digits of either case.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256, hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Reads a signature.
pub(super) fn signature(text: &str, encoding: SignatureEncoding) -> Option<Vec<u8>> {
    match encoding {
        SignatureEncoding::Hex => unhex(text),
        SignatureEncoding::Base64 => base64(text),
        SignatureEncoding::Base64Url => BASE64_URL.decode(text).ok(),
    }
}

/// The bytes of a key.
pub(super) fn key(secret: &Secret, encoding: SecretEncoding) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let text = secret.expose();
    let bytes = match encoding {
        SecretEncoding::Text => Some(text.as_bytes().to_vec()),
        SecretEncoding::Hex => unhex(text.trim()),
        SecretEncoding::Base64 => BASE64.decode(text.trim()).or_else(|_| BASE64_URL.decode(text.trim())).ok(),
    };
    // With an empty key everybody could sign.
    bytes.filter(|bytes| !bytes.is_empty()).map(Zeroizing::new).ok_or(Refused::OwnSecret)
}

/// Signs.
pub(super) fn mac(key: &[u8], algorithm: HmacAlgorithm, message: &[u8]) -> hmac::Tag {
    let algorithm = match algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha384 => hmac::HMAC_SHA384,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), message)
}

/// In time that depends on the lengths only.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
