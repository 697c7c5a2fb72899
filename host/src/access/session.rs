//! People who are logged in. A session is 32 random bytes in a cookie; the store keeps its SHA-256 only.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::oidc::Person;
use crate::clock::later;
use crate::config::Oidc;
use crate::credentials::{Secret, random};
use crate::store::{SessionRow, Store, StoreError};

const RANDOM_BYTES: usize = 32;
/// 32 bytes in base64url without padding.
const ENCODED: usize = 43;

/// Begins a session: the text for the cookie, and what the store keeps.
pub fn begin(person: &Person, oidc: &Oidc, now: Timestamp) -> (Secret, SessionRow) {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    random(&mut *bytes);
    let mut text = Zeroizing::new(String::with_capacity(ENCODED));
    URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
    let row = SessionRow {
        id: Uuid::new_v4().to_string(),
        digest: digest(&text),
        issuer: oidc.issuer.clone(),
        subject: person.subject.clone(),
        name: person.name.clone(),
        role: person.role,
        created_at: now,
        seen_at: now,
        expires_at: later(now, oidc.session_lifetime),
    };
    (Secret::from(text), row)
}

/// The session of a cookie, if it is known, not over, not idle for too long, and of the present provider.
pub async fn verify(store: &Store, presented: &str, oidc: &Oidc, now: Timestamp) -> Result<Option<SessionRow>, StoreError> {
    if presented.len() != ENCODED {
        return Ok(None);
    }
    let digest = digest(presented);
    let Some(row) = store.session_by_digest(&digest).await? else { return Ok(None) };
    let is_good = bool::from(row.digest.ct_eq(&digest)) && row.issuer == oidc.issuer && !is_over(&row, oidc.session_idle, now);
    Ok(is_good.then_some(row))
}

/// Whether a session has ended by itself.
pub fn is_over(row: &SessionRow, idle: Duration, now: Timestamp) -> bool {
    row.expires_at <= now || later(row.seen_at, idle) <= now
}

/// What the store knows a session by.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
