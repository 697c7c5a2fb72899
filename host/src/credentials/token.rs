//! An access token with what is needed to get the next one, and its form in the store.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::Unreadable;
use super::key::{Purpose, SealingKey};
use super::secret::Secret;
use super::sources::Fingerprint;

/// A new token is fetched when less than this share of the old one's life is left (one in so many) …
const EARLY_SHARE: i32 = 5;
/// … or less than this time …
const EARLY_TIME: SignedDuration = SignedDuration::from_secs(60);
/// … but never in the first half (one in so many) of its life: a token for a minute would be fetched for each
/// request.
const NEVER_BEFORE: i32 = 2;

/// One version of a credential's token. Versions count up in the store, so every host means the same token by one.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) version: i64,
    pub(super) access: Secret,
    /// What gets the next one, where the credential is a refresh token.
    pub(super) refresh: Option<Secret>,
    /// What `refresh` goes back to (`Sources::lineage`): where the configuration has another one, that wins.
    pub(super) first_refresh: Option<Fingerprint>,
    /// What the credential was made of at the time.
    pub(super) source: Fingerprint,
    pub(super) obtained_at: Timestamp,
    /// `None` where the vendor does not say: good until it is refused.
    pub(super) expires_at: Option<Timestamp>,
}

impl Token {
    /// Whether requests can no longer carry it.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether it is time to fetch the next one.
    pub(super) fn due(&self, now: Timestamp) -> bool {
        self.due_by(now, 0.0)
    }

    /// Whether it is time to fetch the next one so that no request waits for it: up to half as early again, by `spread` from 0 to 1, so that
    /// hosts and credentials that got their tokens together don't ask together.
    pub(super) fn due_ahead(&self, now: Timestamp, spread: f64) -> bool {
        self.due_by(now, 0.25 + spread / 4.0)
    }

    fn due_by(&self, now: Timestamp, more: f64) -> bool {
        self.expires_at.is_some_and(|end| {
            let life = end.duration_since(self.obtained_at);
            let early = (life / EARLY_SHARE).max(EARLY_TIME.min(life / NEVER_BEFORE));
            end.duration_since(now).as_secs_f64() < early.as_secs_f64() * (1.0 + more)
        })
    }

    /// `Bearer TOKEN` (RFC 6750 section 2.1), marked sensitive.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        bearer(&self.access)
    }

    /// Seals it for the store. The version is the row's and not part of it.
    pub(super) fn seal(&self, key: &SealingKey, credential: &str) -> Vec<u8> {
        let stored = Stored {
            format: FORMAT,
            access_token: self.access.expose().into(),
            refresh_token: self.refresh.as_ref().map(|token| token.expose().into()),
            first_refresh: self.first_refresh,
            source: self.source,
            obtained_at: self.obtained_at.as_millisecond(),
            expires_at: self.expires_at.map(Timestamp::as_millisecond),
        };
        let json = Zeroizing::new(serde_json::to_vec(&stored).expect("strings, numbers and times are JSON"));
        key.seal(Purpose::Credential, credential, &json)
    }

    /// Opens what [`Token::seal`] made.
    pub(super) fn open(key: &SealingKey, credential: &str, version: i64, sealed: &[u8]) -> Result<Self, Unreadable> {
        let json = key.open(Purpose::Credential, credential, sealed)?;
        let stored: Stored<'static> = serde_json::from_slice(&json).map_err(|_| Unreadable::Format)?;
        if stored.format != FORMAT {
            return Err(Unreadable::Format);
        }
        let time = |millisecond| Timestamp::from_millisecond(millisecond).map_err(|_| Unreadable::Format);
        Ok(Self {
            version,
            access: Secret::new(stored.access_token.into_owned()),
            refresh: stored.refresh_token.map(|token| Secret::new(token.into_owned())),
            first_refresh: stored.first_refresh,
            source: stored.source,
            obtained_at: time(stored.obtained_at)?,
            expires_at: stored.expires_at.map(time).transpose()?,
        })
    }
}

/// `Bearer TOKEN`, marked sensitive; `None` if the token has characters that no header carries.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// When a token of `lifetime` seconds ends.
pub(super) fn end(obtained_at: Timestamp, lifetime: i64) -> Timestamp {
    crate::clock::later(obtained_at, Duration::from_secs(lifetime.unsigned_abs()))
}

const FORMAT: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    format: u8,
    access_token: Cow<'a, str>,
    refresh_token: Option<Cow<'a, str>>,
    first_refresh: Option<Fingerprint>,
    source: Fingerprint,
    /// Milliseconds since 1970.
    obtained_at: i64,
    expires_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(lifetime: Option<i64>) -> Token {
        Token {
            version: 3,
            access: Secret::new("at-1".into()),
            refresh: Some(Secret::new("rt-1".into())),
            first_refresh: Some([1; 32]),
            source: [2; 32],
            obtained_at: Timestamp::UNIX_EPOCH,
            expires_at: lifetime.map(|seconds| end(Timestamp::UNIX_EPOCH, seconds)),
        }
    }

    #[test]
    fn the_next_token_is_fetched_early_but_not_at_once() {
        for (lifetime, good_until, due_from) in [(3600, 2880, 2881), (120, 60, 61), (200, 140, 141), (30, 15, 16), (1, 0, 1)] {
            let token = token(Some(lifetime));
            let at = |second| Timestamp::from_second(second).expect("a time");
            assert!(!token.due(at(good_until)), "{lifetime} s: not yet at {good_until}");
            assert!(token.due(at(due_from)), "{lifetime} s: due at {due_from}");
            assert!(!token.expired(at(lifetime - 1)) && token.expired(at(lifetime)));
        }
        assert!(!token(None).due(Timestamp::MAX) && !token(None).expired(Timestamp::MAX));
        for (spread, due_from) in [(0.0, 2700), (1.0, 2520)] {
            let at = |second| Timestamp::from_second(second).expect("a time");
            assert!(!token(Some(3600)).due_ahead(at(due_from), spread) && token(Some(3600)).due_ahead(at(due_from + 1), spread));
        }
    }

    #[test]
    fn comes_back_from_the_store_as_it_went_in() {
        let key = SealingKey::new(&[1; 32]);
        let sealed = token(Some(10)).seal(&key, "crm");
        let back = Token::open(&key, "crm", 7, &sealed).expect("opens");
        assert_eq!(back.version, 7);
        assert_eq!((back.access.expose(), back.refresh.as_ref().map(Secret::expose)), ("at-1", Some("rt-1")));
        assert_eq!((back.first_refresh, back.source), (Some([1; 32]), [2; 32]));
        assert_eq!(back.expires_at, token(Some(10)).expires_at);
        assert!(matches!(Token::open(&key, "books", 7, &sealed), Err(Unreadable::Sealed(_))));
    }
}
