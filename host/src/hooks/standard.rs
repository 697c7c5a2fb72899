//! Standard Webhooks 1.0, and Svix, which it came from: `v1` (HMAC-SHA256) and `v1a` (Ed25519) signatures over id, time and body.

use std::time::Duration;

use ring::signature::{ED25519, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::digest::{self, same};
use super::{Delivery, Refused, Verified, time};
use crate::config::{HmacAlgorithm, HookTime};
use crate::credentials::Secret;

/// What headers begin with: the specification's, and those of services that use the older name.
const NAMES: [&str; 2] = ["webhook", "svix"];
/// Headers of signatures.
pub(super) const SIGNATURES: [&str; 2] = ["webhook-signature", "svix-signature"];
/// Signatures that a header may hold.
const MOST: usize = 16;

/// Verifies one.
pub(super) fn verify(
    secrets: &[Secret],
    public_keys: &[[u8; 32]],
    tolerance: Duration,
    delivery: &Delivery<'_>,
) -> Result<Verified, Refused> {
    let name = NAMES.into_iter().find(|name| delivery.headers.contains_key(format!("{name}-signature"))).unwrap_or(NAMES[0]);
    let id = delivery.required(&format!("{name}-id"))?;
    let written = delivery.required(&format!("{name}-timestamp"))?;
    let signatures = delivery.required(&format!("{name}-signature"))?;
    if id.is_empty() {
        return Err(Refused::Malformed(format!("{name}-id")));
    }
    let signed_at = time::read(written, HookTime::Seconds).ok_or_else(|| Refused::Malformed(format!("{name}-timestamp")))?;
    let message = [id.as_bytes(), b".", written.as_bytes(), b".", delivery.body].concat();
    let keys: Vec<Zeroizing<Vec<u8>>> = secrets.iter().map(key).collect::<Result<_, _>>()?;
    let expected: Vec<_> = keys.iter().map(|key| digest::mac(key, HmacAlgorithm::Sha256, &message)).collect();
    let mut fits = false;
    for signature in signatures.split_ascii_whitespace().take(MOST) {
        // Versions that are not known are passed over (section "Signature scheme").
        match signature.split_once(',') {
            Some(("v1", text)) => {
                let Some(signature) = digest::base64(text) else { continue };
                for expected in &expected {
                    fits |= same(expected.as_ref(), &signature);
                }
            }
            Some(("v1a", text)) => {
                let Some(signature) = digest::base64(text) else { continue };
                fits |= public_keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok());
            }
            _ => {}
        }
    }
    if !fits {
        return Err(Refused::Signature);
    }
    time::near(signed_at, delivery.now, tolerance)?;
    Ok(Verified { delivery_id: Some(id.to_owned()), sent_at: Some(signed_at) })
}

/// `whsec_` and base64; what has no `whsec_` is base64 too.
pub(super) fn key(secret: &Secret) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let text = secret.expose().trim();
    let bytes = digest::base64(text.strip_prefix("whsec_").unwrap_or(text)).filter(|bytes| !bytes.is_empty());
    bytes.map(Zeroizing::new).ok_or(Refused::OwnSecret)
}
