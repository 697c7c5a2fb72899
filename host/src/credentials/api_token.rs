//! API tokens: who may ask this host for what.
//!
//! A token is `sgm_` and 32 random bytes in base64url. The store keeps its SHA-256 only; with 256 random bits a slow
//! hash would add nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::random;
use super::secret::Secret;
use crate::router::Pattern;
use crate::store::{ApiTokenRow, Store, StoreError};

/// What every token begins with, so that scanners find leaked ones.
const PREFIX: &str = "sgm_";
const RANDOM_BYTES: usize = 32;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a token is good for unless something else is said. A sender's lasts longer: when it ends, a business stands still.
const SENDERS: Duration = DAY.saturating_mul(365);
const OTHERS: Duration = DAY.saturating_mul(90);
/// 32 bytes in base64url without padding.
const ENCODED: usize = 43;

/// What the bearer of a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do everything.
    Admin,
    /// Looks at and handles events.
    Operator,
    /// Only brings events in.
    Sender,
    /// Only looks.
    Viewer,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Bring events in, and read those of its own request (`?wait`).
    Send,
    /// Look at events, routes, plugins, credentials' states, metrics and the stream.
    Read,
    /// Replay, cancel and decide.
    Operate,
    /// Reload the configuration, connect credentials, erase data.
    Administer,
    /// See fields that are marked as personal data. A token may have it beyond its role.
    Personal,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 5] = [Self::Send, Self::Read, Self::Operate, Self::Administer, Self::Personal];

    /// The name that people and programs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Administer => "administer",
            Self::Personal => "personal",
        }
    }
}

/// Whether `role` includes `permission`.
pub fn allows(role: Role, permission: Permission) -> bool {
    match role {
        Role::Admin => true,
        Role::Operator => !matches!(permission, Permission::Administer | Permission::Personal),
        Role::Sender => permission == Permission::Send,
        Role::Viewer => permission == Permission::Read,
    }
}

impl Role {
    /// All roles, from most to least.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Sender, Self::Viewer];

    /// The name that people and the store use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Sender => "sender",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: use admin, operator, sender or viewer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.escape_debug().to_string()))
    }
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Malformed, revoked or never issued; which of them is nobody's business.
    #[error("the API token is not known here: make one with `sangam token create`")]
    Unknown,
    /// Its time is over.
    #[error("the API token `{name}` expired at {at}: make a new one with `sangam token create`")]
    Expired {
        /// The name it was given.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// The store did not answer: try again.
    #[error("looking up an API token in the store")]
    Store(#[from] StoreError),
}

/// Sources that a token is bound to. Who may do more than send would not be bound by them.
///
/// # Errors
/// A sentence.
pub fn sources(role: Role, texts: &[String]) -> Result<Vec<Pattern>, String> {
    if !texts.is_empty() && role != Role::Sender {
        return Err("sources go with the role sender: who may do more than send would not be bound by them".to_owned());
    }
    texts.iter().map(|text| Pattern::parse(text).map_err(|error| error.to_string())).collect()
}

/// When a token ends: after a time such as `30d`, `never`, or, where nothing is said, after a year for senders and 90 days for others: a token that was
/// forgotten does not open the host for ever.
///
/// # Errors
/// A sentence.
pub fn expiry(role: Role, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let length = match text {
        Some("never") => return Ok(None),
        Some(text) => crate::config::parse_duration(text).map_err(|error| format!("{error}; or write never"))?,
        None if role == Role::Sender => SENDERS,
        None => OTHERS,
    };
    let too_long = || "that is further away than times go; write never".to_owned();
    let length = SignedDuration::try_from(length).map_err(|_| too_long())?;
    now.checked_add(length).map(Some).map_err(|_| too_long())
}

/// Makes a token: the text to show once, and what the store keeps.
pub fn issue(name: &str, role: Role, sources: Vec<Pattern>, created_at: Timestamp, expires_at: Option<Timestamp>) -> (Secret, ApiTokenRow) {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    random(&mut *bytes);
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + ENCODED));
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
    let id = Uuid::new_v4().to_string();
    let row = ApiTokenRow {
        id,
        digest: digest(&text),
        name: name.to_owned(),
        role,
        personal: false,
        created_at,
        expires_at,
        sources,
        used_at: None,
        revoked_at: None,
    };
    (Secret::from(text), row)
}

/// The token's row, if it is known and has not expired.
///
/// Looked up by its SHA-256: how long the look-up takes tells a guesser about the digest, from which no token follows.
/// What was found is compared in constant time nevertheless.
pub async fn verify(store: &Store, presented: &str, now: Timestamp) -> Result<ApiTokenRow, TokenError> {
    if !well_formed(presented) {
        return Err(TokenError::Unknown);
    }
    let digest = digest(presented);
    let row = store.token_by_digest(&digest).await?.ok_or(TokenError::Unknown)?;
    if !bool::from(row.digest.ct_eq(&digest)) {
        return Err(TokenError::Unknown);
    }
    match row.expires_at {
        Some(at) if at <= now => Err(TokenError::Expired { name: row.name, at }),
        _ => Ok(row),
    }
}

/// Keeps megabytes of header from being hashed.
fn well_formed(presented: &str) -> bool {
    presented.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == ENCODED)
}

/// What the store knows a token by.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
