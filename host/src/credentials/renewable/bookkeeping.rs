//! What a refresh asks its credential, and tells it.

use std::sync::Arc;

use jiff::Timestamp;

use super::Renewable;
use crate::clock;
use crate::config::{Credential, CredentialKind};
use crate::credentials::context::Context;
use crate::credentials::error::{CredentialError, Remedy};
use crate::credentials::sources::{Fingerprint, Sources};
use crate::credentials::token::Token;
use crate::credentials::trouble::Trouble;

impl Renewable {
    pub(in crate::credentials) fn name(&self) -> &str {
        &self.credential.name
    }

    pub(in crate::credentials) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(in crate::credentials) fn holder(&self) -> &str {
        &self.holder
    }

    /// Notes what the credential is made of at this moment. If that is something new, nothing from before counts.
    pub(in crate::credentials) fn made_of(&self, cx: &Context, source: Fingerprint) {
        let changed = {
            let mut inner = self.lock();
            let changed = inner.source.is_some_and(|before| before != source);
            if changed {
                inner.token = inner.token.take().filter(|token| token.source == source);
                inner.trouble = None;
                inner.refusals.clear();
            }
            inner.source = Some(source);
            changed
        };
        if changed {
            cx.changed(&self.epoch);
        }
    }

    /// The present token, if requests can still carry it.
    pub(in crate::credentials) fn usable(&self, now: Timestamp) -> Option<Arc<Token>> {
        self.lock().usable(now)
    }

    /// Whether the store's token saves a refresh.
    pub(in crate::credentials) fn accepts(&self, stored: &Token, source: &Fingerprint, now: Timestamp) -> bool {
        stored.source == *source && !self.due_ahead(stored, now) && !stored.expired(now) && stored.version > self.lock().refused
    }

    /// Whether the next token is to be fetched before anybody waits for it.
    pub(in crate::credentials) fn due_ahead(&self, token: &Token, now: Timestamp) -> bool {
        token.due_ahead(now, self.spread) || self.overdue(token.obtained_at, now)
    }

    /// Whether the refresh token has not been used for too long.
    pub(super) fn overdue(&self, obtained_at: Timestamp, now: Timestamp) -> bool {
        let client = match &self.credential.kind {
            CredentialKind::OAuth2RefreshToken { client, .. } | CredentialKind::OAuth2AuthorizationCode { client, .. } => client,
            _ => return false,
        };
        client.keep_alive.is_some_and(|every| clock::later(obtained_at, every) <= now)
    }

    /// Whether the store's token is another than the one in use.
    pub(in crate::credentials) fn is_news(&self, version: i64) -> bool {
        self.lock().token.as_ref().is_none_or(|token| token.version < version)
    }

    /// Notes when the stored token was fetched, be it of use now or not.
    pub(in crate::credentials) fn seen(&self, stored: &Token) {
        self.lock().obtained_at = Some(stored.obtained_at);
    }

    /// The reason not to ask the vendor now, if there is one.
    pub(in crate::credentials) fn held_back(&self, source: &Fingerprint, version: i64, now: Timestamp) -> Option<CredentialError> {
        let inner = self.lock();
        inner.trouble.as_ref().filter(|trouble| trouble.holds(source, version, now)).map(|trouble| trouble.error.clone())
    }

    /// Failures in a row so far with the same credential.
    pub(in crate::credentials) fn failures_in_a_row(&self, source: &Fingerprint) -> u32 {
        let inner = self.lock();
        inner.trouble.as_ref().filter(|trouble| trouble.source == *source).map_or(0, |trouble| trouble.failures)
    }

    /// The vendor gave no token.
    pub(in crate::credentials) fn failed(&self, trouble: Trouble) {
        let mut inner = self.lock();
        inner.failures += 1;
        inner.trouble = Some(trouble);
    }

    /// Whether a token waits to be saved over `version`; one over another version has been overtaken and is forgotten.
    pub(in crate::credentials) fn has_unsaved(&self, version: i64) -> bool {
        let mut inner = self.lock();
        inner.unsaved = inner.unsaved.take().filter(|token| token.version == version + 1);
        inner.unsaved.is_some()
    }

    pub(in crate::credentials) fn take_unsaved(&self) -> Option<Token> {
        self.lock().unsaved.take()
    }

    pub(in crate::credentials) fn keep_unsaved(&self, token: Token) {
        self.lock().unsaved = Some(token);
    }

    /// A new token came from the vendor.
    pub(in crate::credentials) fn fetched(&self) {
        self.lock().refreshes += 1;
    }

    /// From now on requests carry `token`, which is in the store.
    pub(in crate::credentials) fn adopt(&self, cx: &Context, token: Token, sources: &Sources) -> Arc<Token> {
        let token = Arc::new(token);
        let mended = {
            let mut inner = self.lock();
            let before = inner.token.replace(token.clone());
            inner.obtained_at = Some(token.obtained_at);
            inner.used = false;
            // Answers to requests with the token before may still be on their way.
            let tokens = [Some(&token), before.as_ref()].into_iter().flatten();
            let secrets = tokens.flat_map(|token| [Some(&token.access), token.refresh.as_ref()]).flatten();
            cx.redactor.set(self.name(), secrets.chain(sources.secrets()).collect());
            inner.trouble = None;
            inner.broken_at = None;
            inner.error.take().is_some_and(|error| error.remedy() == Remedy::Change)
        };
        if mended {
            cx.changed(&self.epoch);
        }
        token
    }
}
