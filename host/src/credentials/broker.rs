//! The token broker: puts credentials onto requests, and keeps them alive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::watch;
use url::Url;

use super::context::Context;
use super::endpoint::TokenClient;
use super::error::CredentialError;
use super::fixed::Fixed;
use super::origin;
use super::renewable::Renewable;
use super::secret::Secret;
use super::sources::Fingerprint;
use super::status::Status;
use super::vault::{SecretError, Vault};
use crate::config::{Credential, CredentialKind, Reference};

/// Holds all credentials of a configuration. Share it in an [`Arc`].
pub struct Broker {
    cx: Arc<Context>,
    slots: RwLock<BTreeMap<String, Slot>>,
    /// Credentials of configurations before, until their last token is saved.
    retired: Mutex<Vec<Arc<Renewable>>>,
}

/// Which credential a request carries, and which edition of it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    credential: String,
    header: HeaderName,
    edition: Edition,
}

impl Attached {
    /// Name of the credential.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// The header that carries it, not to be recorded.
    pub fn header(&self) -> &HeaderName {
        &self.header
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Edition {
    Value(Fingerprint),
    Version(i64),
}

#[derive(Clone)]
struct Slot {
    credential: Arc<Credential>,
    state: Means,
}

#[derive(Clone)]
enum Means {
    Fixed(Arc<Fixed>),
    Renewable(Arc<Renewable>),
}

impl Slot {
    fn new(credential: Arc<Credential>) -> Self {
        let state = match &credential.kind {
            CredentialKind::Bearer { .. } | CredentialKind::Basic { .. } | CredentialKind::Header { .. } => {
                Means::Fixed(Arc::new(Fixed::new(credential.clone())))
            }
            CredentialKind::OAuth2ClientCredentials(_)
            | CredentialKind::OAuth2RefreshToken { .. }
            | CredentialKind::OAuth2JwtBearer { .. } => Means::Renewable(Arc::new(Renewable::new(credential.clone()))),
        };
        Self { credential, state }
    }
}

impl Broker {
    /// A broker for these credentials. Does nothing until a request needs one of them.
    pub fn new(vault: Vault, credentials: BTreeMap<String, Arc<Credential>>, client: TokenClient) -> Self {
        Self { cx: Arc::new(Context::new(vault, client)), slots: RwLock::new(slots(credentials)), retired: Mutex::default() }
    }

    /// Puts the first of the granted credentials that belongs to the URL's exact origin onto the request, in place of
    /// what the header held. `None` where none belongs there. Fetches a token first where that is needed.
    pub async fn attach(&self, granted: &[String], url: &Url, headers: &mut HeaderMap) -> Result<Option<Attached>, CredentialError> {
        let Some(origin) = origin::origin(url) else {
            return Ok(None);
        };
        let Some(slot) = granted.iter().filter_map(|name| self.slot(name)).find(|s| s.credential.hosts.contains(&origin)) else {
            return Ok(None);
        };
        let credential = slot.credential.name.clone();
        if !origin::is_protected(url) {
            return Err(CredentialError::Exposed { credential, origin });
        }
        let (name, value, edition) = match &slot.state {
            Means::Fixed(fixed) => {
                let line = fixed.line(&self.cx).await?;
                (line.name.clone(), line.value.clone(), Edition::Value(line.fingerprint))
            }
            Means::Renewable(renewable) => {
                let token = renewable.token(&self.cx).await?;
                let value: HeaderValue = token.header().ok_or_else(|| CredentialError::Unwritable {
                    credential: credential.clone(),
                    reason: "the vendor's token has characters that no header carries",
                })?;
                (header::AUTHORIZATION, value, Edition::Version(token.version))
            }
        };
        headers.insert(name.clone(), value);
        Ok(Some(Attached { credential, header: name, edition }))
    }

    /// What a reference that is no credential stands for now: the key of a plugin's client certificate, which never travels.
    pub async fn resolve(&self, reference: &Reference) -> Result<Secret, SecretError> {
        self.cx.vault.resolve(reference).await
    }

    /// To be told after a 401. `true`: attach again and try once more. `false`: nothing newer can be had; wait for a
    /// [change](Broker::changes).
    ///
    /// A token that is still the present one is replaced, once for all who report it. Where tokens have been refused
    /// again and again (three in five minutes), it is kept and `true` only means one more try.
    pub async fn refused(&self, attached: &Attached) -> Result<bool, CredentialError> {
        let Some(slot) = self.slot(&attached.credential) else {
            return Ok(false);
        };
        match (&slot.state, &attached.edition) {
            (Means::Fixed(fixed), Edition::Value(fingerprint)) => fixed.refused(&self.cx, fingerprint).await,
            (Means::Renewable(renewable), Edition::Version(version)) => renewable.refused(&self.cx, *version).await,
            // The configuration has given the name to another kind of credential meanwhile.
            _ => Ok(true),
        }
    }

    /// Takes the credentials of a new configuration. Each starts afresh, with the tokens that are in the store: what
    /// was broken is tried again.
    pub fn replace(&self, credentials: BTreeMap<String, Arc<Credential>>) {
        let new = slots(credentials);
        self.cx.redactor.retain(|name| new.contains_key(name));
        let epochs = new.values().map(|slot| slot.state.clone()).collect::<Vec<_>>();
        let old = {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *slots, new)
        };
        let renewable = old.into_values().filter_map(|slot| match slot.state {
            Means::Renewable(renewable) => Some(renewable),
            Means::Fixed(_) => None,
        });
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).extend(renewable);
        for state in epochs {
            match state {
                Means::Fixed(fixed) => fixed.configured(&self.cx),
                Means::Renewable(renewable) => renewable.configured(&self.cx),
            }
        }
    }

    /// Looks whether secrets behind the credentials have changed, also by another process. To be called every few
    /// seconds: what waits for a change is woken by it. Never asks a vendor unless something has changed.
    pub async fn recheck(&self) {
        // Side by side: one vendor's slowness is not another's.
        let rechecks = self.all().into_iter().map(|slot| async move {
            match slot.state {
                Means::Fixed(fixed) => fixed.recheck(&self.cx).await,
                Means::Renewable(renewable) => renewable.recheck(&self.cx).await,
            }
        });
        futures::future::join_all(rechecks).await;
        self.flush_retired().await;
    }

    /// Ends the refreshes under way and saves what they brought. To be awaited at shutdown; takes as long as a refresh
    /// may.
    pub async fn close(&self) {
        self.cx.tasks.close();
        self.cx.tasks.wait().await;
        for slot in self.all() {
            if let Means::Renewable(renewable) = slot.state {
                renewable.flush(&self.cx).await;
            }
        }
        self.flush_retired().await;
    }

    /// How each credential is doing, by name.
    pub fn status(&self) -> Vec<Status> {
        let now = self.cx.vault.clock().now();
        let status = |slot: Slot| match slot.state {
            Means::Fixed(fixed) => fixed.status(),
            Means::Renewable(renewable) => renewable.status(now),
        };
        self.all().into_iter().map(status).collect()
    }

    /// `bytes` with the present and last values of all credentials masked, in every usual spelling.
    pub fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.cx.redactor.redact(bytes)
    }

    /// Counts changes: a credential is made of something else, or works again after being broken. Not the everyday
    /// refresh, after which a refused request would only be refused again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.cx.changes()
    }

    /// The value of [`Broker::changes`] at the last change of one credential; `None` if there is none of that name.
    pub fn epoch(&self, credential: &str) -> Option<u64> {
        self.slot(credential).map(|slot| match slot.state {
            Means::Fixed(fixed) => fixed.epoch(),
            Means::Renewable(renewable) => renewable.epoch(),
        })
    }

    async fn flush_retired(&self) {
        let retired = std::mem::take(&mut *self.retired.lock().unwrap_or_else(PoisonError::into_inner));
        for renewable in retired {
            if !renewable.flush(&self.cx).await {
                self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(renewable);
            }
        }
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn all(&self) -> Vec<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

fn slots(credentials: BTreeMap<String, Arc<Credential>>) -> BTreeMap<String, Slot> {
    credentials.into_iter().map(|(name, credential)| (name, Slot::new(credential))).collect()
}
