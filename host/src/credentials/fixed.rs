//! Credentials that are the same for every request until somebody changes them: bearer, basic, header.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::context::Context;
use super::error::{CredentialError, Remedy};
use super::redact::SHORTEST;
use super::secret::Secret;
use super::sources::Fingerprint;
use super::status::{State, Status};
use super::token::bearer;
use super::vault::{SecretError, Vault};
use crate::clock;
use crate::config::{Credential, CredentialKind};

/// How long resolved references are used before they are read again: a secret set in another process counts from then
/// on.
const FRESH: Duration = Duration::from_secs(5);
/// Shortest word of a header's value that is masked on its own, so that `Bearer` and `Token` are not.
const SHORTEST_WORD: usize = 8;

/// A fixed credential and what it last resolved to.
pub(super) struct Fixed {
    credential: Arc<Credential>,
    epoch: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    line: Option<Arc<Line>>,
    read_at: Option<Timestamp>,
    error: Option<CredentialError>,
}

/// The header line that requests carry.
pub(super) struct Line {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) fingerprint: Fingerprint,
    secrets: Vec<Secret>,
}

impl Fixed {
    pub(super) fn new(credential: Arc<Credential>) -> Self {
        Self { credential, epoch: AtomicU64::new(0), inner: Mutex::default() }
    }

    /// The header line, read again where it is not fresh.
    pub(super) async fn line(&self, cx: &Context) -> Result<Arc<Line>, CredentialError> {
        let now = cx.vault.clock().now();
        {
            let inner = self.lock();
            let fresh = inner.read_at.is_some_and(|at| now < clock::later(at, FRESH));
            if let (true, Some(line)) = (fresh, &inner.line) {
                return Ok(line.clone());
            }
        }
        self.read(cx).await
    }

    /// After a 401: whether there is another value by now than the refused one.
    pub(super) async fn refused(&self, cx: &Context, refused: &Fingerprint) -> Result<bool, CredentialError> {
        Ok(self.read(cx).await?.fingerprint != *refused)
    }

    /// Looks whether somebody changed the value, if it has been used.
    pub(super) async fn recheck(&self, cx: &Context) {
        let used = {
            let inner = self.lock();
            inner.line.is_some() || inner.error.is_some()
        };
        if used {
            // A failure is kept as this credential's last error.
            let _ = self.read(cx).await;
        }
    }

    /// Counts as a change: it comes from a new configuration.
    pub(super) fn configured(&self, cx: &Context) {
        cx.changed(&self.epoch);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.lock();
        let state = match (&inner.error, &inner.line) {
            (Some(error), _) if error.remedy() == Remedy::Change => State::Broken,
            (Some(_), None) | (None, None) => State::Unused,
            (_, Some(_)) => State::Ok,
        };
        Status {
            name: self.credential.name.clone(),
            kind: super::status::kind(&self.credential.kind),
            state,
            expires_at: None,
            retry_at: None,
            last_error: inner.error.as_ref().map(CredentialError::in_full),
            refreshes: 0,
            failures: 0,
        }
    }

    async fn read(&self, cx: &Context) -> Result<Arc<Line>, CredentialError> {
        let read = self.resolve(&cx.vault).await;
        let now = cx.vault.clock().now();
        let name = &self.credential.name;
        let (result, changed) = {
            let mut inner = self.lock();
            match read {
                Ok(line) => {
                    let line = Arc::new(line);
                    let mended = inner.error.take().is_some_and(|error| error.remedy() == Remedy::Change);
                    let before = inner.line.as_ref().filter(|old| old.fingerprint != line.fingerprint);
                    let changed = mended || before.is_some();
                    // Answers to requests with the value before may still be on their way.
                    let before = before.map(|old| old.secrets.clone()).unwrap_or_default();
                    if inner.line.is_none() || changed {
                        cx.redactor.set(name, [line.secrets.clone(), before].concat());
                    }
                    inner.read_at = Some(now);
                    inner.line = Some(line.clone());
                    (Ok(line), changed)
                }
                Err(error) => {
                    inner.read_at = None;
                    inner.error = Some(error.clone());
                    (Err(error), false)
                }
            }
        };
        if changed {
            cx.changed(&self.epoch);
        }
        result
    }

    async fn resolve(&self, vault: &Vault) -> Result<Line, CredentialError> {
        let name = &self.credential.name;
        let unresolved = |source: SecretError| CredentialError::Unresolved { credential: name.clone(), source: Arc::new(source) };
        let unwritable = |reason| CredentialError::Unwritable { credential: name.clone(), reason };
        const CHARACTERS: &str = "its value has line ends or other characters that no header carries";
        let (header_name, value, secrets) = match &self.credential.kind {
            CredentialKind::Bearer { token } => {
                let token = vault.resolve(token).await.map_err(unresolved)?;
                let value = bearer(&token).ok_or_else(|| unwritable(CHARACTERS))?;
                (header::AUTHORIZATION, value, vec![token])
            }
            CredentialKind::Basic { username, password } => {
                let username = vault.resolve(username).await.map_err(unresolved)?;
                let password = vault.resolve(password).await.map_err(unresolved)?;
                if username.expose().contains(':') {
                    return Err(unwritable("a user name with a colon (RFC 7617)"));
                }
                let pair = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
                let encoded = Secret::new(STANDARD.encode(pair.as_bytes()));
                let text = Zeroizing::new(format!("Basic {}", encoded.expose()));
                let value = HeaderValue::from_str(&text).map_err(|_| unwritable(CHARACTERS))?;
                // Some vendors want their API key as the user name and nothing much as the password.
                let key = if password.expose().len() < SHORTEST { username } else { password };
                (header::AUTHORIZATION, value, vec![key, encoded])
            }
            CredentialKind::Header { name: header_name, value } => {
                let header_name = HeaderName::from_bytes(header_name.as_bytes()).map_err(|_| unwritable("its `name` is no header name"))?;
                let secret = vault.resolve(value).await.map_err(unresolved)?;
                let value = HeaderValue::from_str(secret.expose()).map_err(|_| unwritable(CHARACTERS))?;
                let words = secret.expose().split_ascii_whitespace().filter(|word| word.len() >= SHORTEST_WORD);
                let words = words.map(|word| Secret::new(word.to_owned())).collect::<Vec<_>>();
                (header_name, value, [vec![secret], words].concat())
            }
            CredentialKind::OAuth2ClientCredentials(_)
            | CredentialKind::OAuth2RefreshToken { .. }
            | CredentialKind::OAuth2JwtBearer { .. } => {
                unreachable!("OAuth2 credentials are not fixed")
            }
        };
        let mut value = value;
        value.set_sensitive(true);
        let fingerprint = Sha256::new()
            .chain_update(header_name.as_str())
            .chain_update([0]) // in no header name
            .chain_update(value.as_bytes())
            .finalize()
            .into();
        Ok(Line { name: header_name, value, fingerprint, secrets })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
