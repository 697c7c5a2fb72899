//! What a refresh asks its credential, and tells it.

use std::sync::Arc;

use jiff::Timestamp;

use super::Renewable;
use crate::config::Credential;
use crate::credentials::context::Context;
use crate::credentials::error::{CredentialError, Remedy};
use crate::credentials::secret::Secret;
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
        stored.source == *source && !stored.due(now) && !stored.expired(now) && stored.version > self.lock().refused
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
            // Answers to requests with the token before may still be on their way.
            let tokens = [Some(&token), before.as_ref()].into_iter().flatten();
            let secrets = tokens.flat_map(|token| [Some(&token.access), token.refresh.as_ref()]).flatten();
            cx.redactor.set(self.name(), secrets.chain(sources.secrets()).cloned().collect::<Vec<Secret>>());
            inner.trouble = None;
            inner.error.take().is_some_and(|error| error.remedy() == Remedy::Change)
        };
        if mended {
            cx.changed(&self.epoch);
        }
        token
    }
}
