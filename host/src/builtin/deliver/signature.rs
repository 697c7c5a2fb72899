//! How a delivery is signed: Standard Webhooks, `v1` (HMAC-SHA-256) with each secret and `v1a` (Ed25519). Pure.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

/// How a secret begins, …
const SECRET: &str = "whsec_";
/// … and a private key.
const KEY: &str = "whsk_";
/// Bytes of an Ed25519 seed.
pub(in crate::builtin) const SEED: usize = 32;
/// Bytes of a secret, by the specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// A secret's bytes.
///
/// # Errors
/// What is wrong with it. No part of it.
pub(in crate::builtin) fn secret(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = || {
        format!(
            "a webhook's secret is a text {SECRET}… with {} to {} bytes in base64; `sangam webhooks rotate` makes one",
            SECRET_BYTES.start(),
            SECRET_BYTES.end()
        )
    };
    let text = text.trim();
    let bytes = STANDARD.decode(text.strip_prefix(SECRET).unwrap_or(text)).map(Zeroizing::new).map_err(|_| wrong())?;
    if SECRET_BYTES.contains(&bytes.len()) { Ok(bytes) } else { Err(wrong()) }
}

/// A private key, and the bytes that it is written as: its seed, or the seed with the public key behind it.
///
/// # Errors
/// What is wrong with it. No part of it.
pub(in crate::builtin) fn key(text: &str) -> Result<(Ed25519KeyPair, Zeroizing<Vec<u8>>), String> {
    let wrong = || {
        format!("a webhook's signing-key is a text {KEY}… with the 32 bytes of an Ed25519 seed in base64, or those and the public key's")
    };
    let text = text.trim();
    let bytes = STANDARD.decode(text.strip_prefix(KEY).unwrap_or(text)).map(Zeroizing::new).map_err(|_| wrong())?;
    let pair = match bytes.split_at_checked(SEED) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        None => return Err(wrong()),
    };
    Ok((pair.map_err(|_| wrong())?, bytes))
}

/// The header `webhook-signature`: one signature for each secret, and one of the key.
pub(in crate::builtin) fn signatures(
    secrets: &[Zeroizing<Vec<u8>>],
    key: Option<&Ed25519KeyPair>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let symmetric = secrets.iter().map(|secret| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &signed);
        format!("v1,{}", STANDARD.encode(tag))
    });
    let asymmetric = key.map(|key| format!("v1a,{}", STANDARD.encode(key.sign(&signed))));
    symmetric.chain(asymmetric).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, KeyPair as _, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_specification_shows() {
        // The example of the specification and of all its libraries.
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let body = br#"{"test": 2432232314}"#;
        let signed = signatures(&[secret], None, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_secret_signs_and_the_key_too() {
        let secrets = [vec![1; 24], vec![2; 32]].map(Zeroizing::new);
        let seed = STANDARD.encode([7; 32]);
        let (key, _) = key(&format!("whsk_{seed}")).expect("a key");
        let signed = signatures(&secrets, Some(&key), "m", 5, b"x");
        let parts: Vec<&str> = signed.split(' ').collect();
        assert_eq!(parts.iter().map(|part| part.split(',').next().unwrap_or_default()).collect::<Vec<_>>(), ["v1", "v1", "v1a"]);
        let signature = STANDARD.decode(&parts[2][4..]).expect("base64");
        assert!(UnparsedPublicKey::new(&ED25519, key.public_key()).verify(b"m.5.x", &signature).is_ok());
        assert!(UnparsedPublicKey::new(&ED25519, key.public_key()).verify(b"m.6.x", &signature).is_err());
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        for wrong in ["whsec_not base64", "whsec_c2hvcnQ=", ""] {
            assert!(!secret(wrong).expect_err("no secret").contains("c2hvcnQ"));
        }
        assert!(key("whsk_c2hvcnQ=").is_err() && key("whsk_§").is_err());
    }
}
