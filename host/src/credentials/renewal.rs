//! One refresh of one credential, from its references to a token in the store.
//!
//! Many vendors rotate refresh tokens: each is good for one request, whose answer holds the next. Hence the order
//! here. A lease in the store, taken over the version that was read, lets one host ask; the answer is committed over
//! that same version; only then is its access token used.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};
use url::Url;

use super::context::Context;
use super::endpoint::REQUEST_TIME;
use super::error::{CredentialError, Held, Unreadable};
use super::key::Purpose;
use super::oauth2::{self, Granted};
use super::origin;
use super::renewable::{Outcome, Renewable};
use super::secret::Secret;
use super::sources::{Fingerprint, Grant, Sources};
use super::token::{self, Token};
use super::trouble::{Trouble, pause};
use crate::clock::later;
use crate::store::StoreError;

/// For how long one host may refresh: a request, and time to save its answer.
const LEASE: Duration = REQUEST_TIME.saturating_add(Duration::from_secs(15));
/// How often a host looks whether another one has finished.
const LOOK: Duration = Duration::from_millis(250);
/// How long it looks: the other's lease may begin anew once.
const PATIENCE: Duration = LEASE.saturating_mul(2);

/// Gets a token that is good now: the store's, where another host or an earlier start left one, or a new one.
pub(super) async fn run(slot: &Renewable, cx: &Context) -> Outcome {
    let name = slot.name();
    let (vault, clock) = (&cx.vault, cx.vault.clock());
    let store = |source: StoreError| CredentialError::Store { credential: name.to_owned(), source: Arc::new(source) };
    let sources = Sources::resolve(vault, &slot.credential().kind)
        .await
        .map_err(|source| CredentialError::Unresolved { credential: name.to_owned(), source: Arc::new(source) })?
        .expect("only OAuth2 credentials are renewed");
    let source = sources.fingerprint;
    slot.made_of(cx, source);

    let give_up = later(clock.now(), PATIENCE);
    loop {
        let now = clock.now();
        let row = vault.store().credential_state(name).await.map_err(store)?;
        let version = row.as_ref().map_or(0, |row| row.version);
        let lease_until = row.as_ref().and_then(|row| row.lease_until);
        // A row without content has been leased but never saved.
        let opened = row.filter(|row| !row.sealed.value.is_empty()).map(|row| {
            let token = Token::open(&vault.key(), name, version, &row.sealed.value)?;
            vault.present(Purpose::Credential, name, &row.sealed)?;
            Ok(token)
        });
        let opened: Result<Option<Token>, Unreadable> = opened.transpose();
        // The key may have been changed between two looks.
        if opened.is_err() && matches!(vault.follow().await, Ok(true)) {
            continue;
        }
        let stored = match (opened, &sources.grant) {
            (Ok(stored), _) => stored,
            // It may hold the only valid refresh token: not to be written over.
            (Err(reason), Grant::RefreshToken { .. } | Grant::AuthorizationCode) => {
                return Err(CredentialError::Unreadable { credential: name.to_owned(), reason });
            }
            (Err(_), Grant::ClientCredentials | Grant::JwtBearer { .. }) => None,
        };

        let unsaved = slot.has_unsaved(version);
        let mut refresh_with = None;
        if let Some(stored) = stored {
            if !unsaved && slot.accepts(&stored, &source, now) {
                return Ok(slot.adopt(cx, stored, &sources));
            }
            refresh_with = Some(stored);
        }
        if !unsaved && matches!(sources.grant, Grant::AuthorizationCode) && consent(refresh_with.as_ref(), &sources).is_none() {
            return Err(CredentialError::NotConnected { credential: name.to_owned() });
        }
        if !unsaved && let Some(error) = slot.held_back(&source, version, now) {
            return Err(error);
        }

        let leased = vault.store().credential_lease(name, version, slot.holder(), later(now, LEASE), now).await;
        if !leased.map_err(store)? {
            if let Some(token) = slot.usable(now) {
                return Ok(token); // another host fetches the next one; this one is good until then
            }
            if give_up <= now {
                return Err(CredentialError::Busy { credential: name.to_owned() });
            }
            let look = later(now, LOOK);
            clock.sleep_until(lease_until.filter(|&end| now < end).map_or(look, |end| end.min(look))).await;
            continue;
        }

        let token = match slot.take_unsaved() {
            Some(token) => token,
            None => match fetch(slot, cx, &sources, version, refresh_with.as_ref()).await {
                Ok(token) => token,
                Err(error) => {
                    // Ends the lease. Where that fails it ends by itself.
                    let _ = vault.store().credential_lease(name, version, slot.holder(), now, now).await;
                    return Err(error);
                }
            },
        };
        let key = vault.key();
        let sealed = token.seal(&key, name);
        match vault.store().credential_save(name, version, slot.holder(), &sealed, key, now).await {
            Ok(true) => return Ok(slot.adopt(cx, token, &sources)),
            Ok(false) => {
                // The lease was over and another host took it. If that one fails, this token is still the newest.
                slot.keep_unsaved(token);
                clock.sleep(LOOK).await;
            }
            Err(error) => {
                slot.keep_unsaved(token);
                return Err(store(error));
            }
        }
    }
}

/// Asks the vendor for the token that comes after `version`. Under the lease only.
async fn fetch(slot: &Renewable, cx: &Context, sources: &Sources, version: i64, stored: Option<&Token>) -> Result<Token, CredentialError> {
    let (name, clock) = (slot.name().to_owned(), cx.vault.clock());
    let url = token_url(&sources.client.token_url).ok_or_else(|| CredentialError::TokenUrl { credential: name.clone() })?;
    let host = origin::authority(&url);
    let lineage = sources.lineage();
    let (refresh, held) = match &sources.grant {
        // What the vendor rotated it to, unless somebody has configured another one since.
        Grant::RefreshToken { first } => (consent(stored, sources).or(Some(first)), Held::RefreshToken),
        Grant::AuthorizationCode => (consent(stored, sources), Held::Consent),
        Grant::ClientCredentials | Grant::JwtBearer { .. } => (None, Held::Nothing),
    };
    let asked_at = clock.now();
    let request = oauth2::request(sources, refresh, &url.origin().ascii_serialization(), asked_at)
        .map_err(|source| CredentialError::Signing { credential: name.clone(), source })?;
    let reply = cx.client.post(&url, &request, asked_at).await;

    let failures = slot.failures_in_a_row(&sources.fingerprint) + 1;
    let cooled = |retry_after: Option<Timestamp>| {
        let rested = later(clock.now(), pause(failures));
        retry_after.map_or(rested, |at| at.max(rested))
    };
    let error = match reply {
        Ok(reply) => match oauth2::read(reply.status, &reply.body, &request, sources, refresh) {
            Ok(granted) => {
                slot.fetched();
                info!(credential = name, host, lifetime_s = granted.lifetime, "token fetched");
                let refresh = granted.refresh_token.filter(|_| refresh.is_some()).or_else(|| refresh.cloned());
                return Ok(made(version + 1, granted.access_token, refresh, granted.lifetime, sources, lineage, asked_at));
            }
            Err(refusal) if refusal.is_final => {
                CredentialError::Refused { credential: name, host, answer: cx.redactor.words(refusal.answer), held }
            }
            Err(refusal) => CredentialError::NoToken {
                credential: name,
                host,
                answer: cx.redactor.words(refusal.answer),
                retry_at: cooled(reply.retry_after),
            },
        },
        Err(error) => CredentialError::NoAnswer { credential: name, host, source: Arc::new(error), retry_at: cooled(None) },
    };
    warn!(credential = slot.name(), failures, error = error.in_full(), "no token");
    slot.failed(Trouble { failures, source: sources.fingerprint, version, error: error.clone() });
    Err(error)
}

/// The stored refresh token, if it goes back to what is configured.
fn consent<'a>(stored: Option<&'a Token>, sources: &Sources) -> Option<&'a Secret> {
    stored.filter(|stored| stored.first_refresh == sources.lineage()).and_then(|stored| stored.refresh.as_ref())
}

fn made(
    version: i64,
    access: Secret,
    refresh: Option<Secret>,
    lifetime: Option<i64>,
    sources: &Sources,
    lineage: Option<Fingerprint>,
    asked_at: Timestamp,
) -> Token {
    Token {
        version,
        access,
        refresh,
        first_refresh: lineage,
        source: sources.fingerprint,
        obtained_at: asked_at,
        // Counted from the question: never later than the vendor counts.
        expires_at: lifetime.map(|seconds| token::end(asked_at, seconds)),
    }
}

/// Takes over what is in the store, where another host or an earlier life got it. Asks no vendor.
pub(super) async fn look(slot: &Renewable, cx: &Context, sources: &Sources) {
    let (name, now) = (slot.name(), cx.vault.clock().now());
    // Whoever needs the token meets the store's error, too, and then it counts.
    let Ok(Some(row)) = cx.vault.store().credential_state(name).await else { return };
    if row.sealed.value.is_empty() || !slot.is_news(row.version) {
        return;
    }
    let Ok(stored) = Token::open(&cx.vault.key(), name, row.version, &row.sealed.value) else { return };
    if cx.vault.present(Purpose::Credential, name, &row.sealed).is_err() {
        return;
    }
    slot.seen(&stored);
    if slot.accepts(&stored, &sources.fingerprint, now) {
        slot.adopt(cx, stored, sources);
    }
}

/// Puts what a person agreed to in the place of whatever the store holds.
pub(super) async fn keep(slot: &Renewable, cx: &Context, sources: &Sources, granted: Granted, asked_at: Timestamp) -> Outcome {
    let (name, clock) = (slot.name(), cx.vault.clock());
    let store = |source: StoreError| CredentialError::Store { credential: name.to_owned(), source: Arc::new(source) };
    // Not the holder of this host's refreshes: one that is under way has to end first.
    let holder = format!("{}/consent", slot.holder());
    let give_up = later(clock.now(), PATIENCE);
    slot.made_of(cx, sources.fingerprint);
    loop {
        let now = clock.now();
        let version = cx.vault.store().credential_state(name).await.map_err(store)?.map_or(0, |row| row.version);
        if cx.vault.store().credential_lease(name, version, &holder, later(now, LEASE), now).await.map_err(store)? {
            let refresh = granted.refresh_token.clone();
            let token = made(version + 1, granted.access_token.clone(), refresh, granted.lifetime, sources, sources.lineage(), asked_at);
            let key = cx.vault.key();
            let sealed = token.seal(&key, name);
            if cx.vault.store().credential_save(name, version, &holder, &sealed, key, now).await.map_err(store)? {
                return Ok(slot.adopt(cx, token, sources));
            }
        }
        if give_up <= now {
            return Err(CredentialError::Busy { credential: name.to_owned() });
        }
        clock.sleep(LOOK).await;
    }
}

/// An address that secrets may be sent to.
pub(super) fn token_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| origin::is_protected(url) && url.username().is_empty() && url.password().is_none())
}
