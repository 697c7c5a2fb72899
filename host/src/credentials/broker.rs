//! The token broker: puts credentials onto requests, and keeps them alive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::header;
use tokio::sync::watch;

use super::context::Context;
use super::endpoint::TokenClient;
use super::error::CredentialError;
use super::fixed::{Fixed, Put};
use super::hidden::Hidden;
use super::origin;
use super::outgoing::Outgoing;
use super::patterns::Patterns;
use super::redact::Owner;
use super::renewable::Renewable;
use super::secret::Secret;
use super::sources::Fingerprint;
use super::status::Status;
use super::vault::{SecretError, Vault};
use crate::config::{Credential, CredentialKind, Reference};

/// Holds all credentials of a configuration. Share it in an [`Arc`].
pub struct Broker {
    pub(super) cx: Arc<Context>,
    host: String,
    slots: RwLock<BTreeMap<String, Slot>>,
    /// Credentials of configurations before, until their last token is saved.
    retired: Mutex<Vec<Arc<Renewable>>>,
}

/// Which credentials a request carries, and which editions of them. Shows no secret.
#[derive(Debug, Clone)]
pub struct Attached {
    carried: Vec<Carried>,
    /// What counts for this request alone, such as its signature.
    own: Option<Arc<Patterns>>,
}

/// The same credentials in the same editions.
impl PartialEq for Attached {
    fn eq(&self, other: &Self) -> bool {
        self.carried == other.carried
    }
}

/// One credential of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carried {
    credential: String,
    edition: Edition,
}

impl Attached {
    /// Names of the credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &str> {
        self.carried.iter().map(|carried| carried.credential.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Edition {
    Value(Fingerprint),
    Version(i64),
}

#[derive(Clone)]
pub(super) struct Slot {
    pub(super) credential: Arc<Credential>,
    pub(super) state: Means,
}

#[derive(Clone)]
pub(super) enum Means {
    Fixed(Arc<Fixed>),
    Renewable(Arc<Renewable>),
}

impl Slot {
    fn new(credential: Arc<Credential>, host: &str) -> Self {
        let state = match &credential.kind {
            CredentialKind::Bearer { .. }
            | CredentialKind::Basic { .. }
            | CredentialKind::Header { .. }
            | CredentialKind::Query { .. }
            | CredentialKind::Hmac(_)
            | CredentialKind::Placeholder { .. } => Means::Fixed(Arc::new(Fixed::new(credential.clone()))),
            CredentialKind::OAuth2ClientCredentials(_)
            | CredentialKind::OAuth2RefreshToken { .. }
            | CredentialKind::OAuth2AuthorizationCode { .. }
            | CredentialKind::OAuth2JwtBearer { .. } => Means::Renewable(Arc::new(Renewable::new(credential.clone(), host))),
        };
        Self { credential, state }
    }
}

impl Broker {
    /// A broker for these credentials. Does nothing until a request needs one of them. `host`: under which name the hosts on the store know
    /// this one.
    pub fn new(vault: Vault, credentials: BTreeMap<String, Arc<Credential>>, client: TokenClient, host: &str) -> Self {
        let slots = RwLock::new(slots(credentials, host));
        Self { cx: Arc::new(Context::new(vault, client)), host: host.to_owned(), slots, retired: Mutex::default() }
    }

    /// Puts the granted credentials that belong to the URL's exact origin onto the request, in place of what the plugin wrote there. Where
    /// two fill the same place (`check` refuses that), the first does. `None` where none belongs there. Fetches tokens first where that is
    /// needed.
    ///
    /// # Errors
    /// What is in the way, and what would help. The request is not to be sent then.
    pub async fn attach(&self, granted: &[String], request: &mut Outgoing) -> Result<Option<Attached>, CredentialError> {
        if granted.is_empty() {
            return Ok(None);
        }
        let Some(origin) = origin::origin(&request.url) else {
            return Ok(None);
        };
        let mut slots: Vec<Slot> =
            granted.iter().filter_map(|name| self.slot(name)).filter(|slot| slot.credential.hosts.contains(&origin)).collect();
        let Some(first) = slots.first() else {
            return Ok(None);
        };
        if !origin::is_protected(&request.url) {
            return Err(CredentialError::Exposed { credential: first.credential.name.clone(), origin });
        }
        // The last to write stays: hence backwards. Placeholders first of all, so that they are looked for in the plugin's text alone; signatures
        // last, since they cover what the others wrote.
        slots.reverse();
        slots.sort_by_key(|slot| match slot.credential.kind {
            CredentialKind::Placeholder { .. } => 0,
            CredentialKind::Hmac(_) => 2,
            _ => 1,
        });
        let mut carried = Vec::with_capacity(slots.len());
        let mut own = Hidden::default();
        for slot in &slots {
            if let Some(edition) = self.put(slot, request, &mut own).await? {
                carried.push(Carried { credential: slot.credential.name.clone(), edition });
            }
        }
        if carried.is_empty() {
            return Ok(None);
        }
        carried.reverse();
        let own = (!own.is_empty()).then(|| Arc::new(Patterns::new([&own])));
        Ok(Some(Attached { carried, own }))
    }

    /// Puts one credential onto the request; `None` where that has no place for it.
    async fn put(&self, slot: &Slot, request: &mut Outgoing, own: &mut Hidden) -> Result<Option<Edition>, CredentialError> {
        let name = &slot.credential.name;
        match &slot.state {
            Means::Fixed(fixed) => {
                let material = fixed.material(&self.cx).await?;
                match material.put(name, request, self.cx.vault.clock().now())? {
                    Put::Nowhere => return Ok(None),
                    Put::There => {}
                    Put::With(hidden) => own.append(hidden),
                }
                Ok(Some(Edition::Value(material.fingerprint)))
            }
            Means::Renewable(renewable) => {
                let token = renewable.token(&self.cx).await?;
                let value = token.header().ok_or_else(|| CredentialError::Unwritable {
                    credential: name.clone(),
                    reason: "the vendor's token has characters that no header carries",
                })?;
                request.headers.insert(header::AUTHORIZATION, value);
                Ok(Some(Edition::Version(token.version)))
            }
        }
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
    ///
    /// # Errors
    /// Why no newer one could be had.
    pub async fn refused(&self, attached: &Attached) -> Result<bool, CredentialError> {
        let mut newer = false;
        for Carried { credential, edition } in &attached.carried {
            let Some(slot) = self.slot(credential) else { continue };
            newer |= match (&slot.state, edition) {
                (Means::Fixed(fixed), Edition::Value(fingerprint)) => fixed.refused(&self.cx, fingerprint).await?,
                (Means::Renewable(renewable), Edition::Version(version)) => renewable.refused(&self.cx, *version).await?,
                // The configuration has given the name to another kind of credential meanwhile.
                _ => true,
            };
        }
        Ok(newer)
    }

    /// To be told how a request that carried credentials was answered: whether they still work shows in that.
    pub fn answered(&self, attached: &Attached, status: u16) {
        for carried in &attached.carried {
            if let (Edition::Value(fingerprint), Some(Slot { state: Means::Fixed(fixed), .. })) =
                (&carried.edition, self.slot(&carried.credential))
            {
                fixed.answered(&self.cx, fingerprint, status);
            }
        }
    }

    /// Takes the credentials of a new configuration. Each starts afresh, with the tokens that are in the store: what
    /// was broken is tried again.
    pub fn replace(&self, credentials: BTreeMap<String, Arc<Credential>>) {
        let new = slots(credentials, &self.host);
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

    /// Takes over what other hosts got, and renews ahead of time what is in use or would end for want of use. To be called every few seconds.
    pub async fn tend(&self) {
        let tended = self.all().into_iter().map(|slot| async move {
            if let Means::Renewable(renewable) = slot.state {
                renewable.tend(&self.cx).await;
            }
        });
        futures::future::join_all(tended).await;
    }

    /// Until a credential breaks.
    pub async fn until_broken(&self) {
        self.cx.until_broken().await;
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

    /// Has these masked as well from now on, in place of all that were given before: what others than credentials hold. `None`: what was given
    /// for that one last, which can't be had now.
    pub fn hide(&self, others: Vec<(Owner, Option<Hidden>)>) {
        self.cx.redactor.set_others(others);
    }

    /// `bytes` with the present and last values of all credentials masked, and what [others](Broker::hide) hold, in every usual spelling.
    pub fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.cx.redactor.redact(bytes)
    }

    /// [`Broker::redact`] for the start of something longer, which may end within a value.
    pub fn redact_start<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.cx.redactor.redact_start(bytes)
    }

    /// [`Broker::redact`] for text.
    pub fn redact_text(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.redact(text.as_bytes()) {
            // What is masked ends where text of a secret ends, which is never within a character; base64 and such are ASCII.
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    /// What came back to a request, with also that masked which counted for it alone.
    pub fn redact_answer<'a>(&self, attached: Option<&Attached>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let masked = self.redact(bytes);
        let Some(own) = attached.and_then(|attached| attached.own.as_ref()) else { return masked };
        match own.redact(&masked) {
            Cow::Borrowed(_) => masked,
            Cow::Owned(twice) => Cow::Owned(twice),
        }
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

    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn all(&self) -> Vec<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

fn slots(credentials: BTreeMap<String, Arc<Credential>>, host: &str) -> BTreeMap<String, Slot> {
    credentials.into_iter().map(|(name, credential)| (name, Slot::new(credential, host))).collect()
}
