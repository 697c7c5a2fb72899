//! Credentials that are the same for every request until somebody changes them: all but OAuth2.

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
use super::escape;
use super::hidden::Hidden;
use super::outgoing::Outgoing;
use super::patterns::SHORTEST;
use super::placeholder;
use super::secret::Secret;
use super::signature::Signer;
use super::sources::Fingerprint;
use super::status::{State, Status};
use super::token::bearer;
use super::vault::{SecretError, Vault};
use crate::clock;
use crate::config::{Credential, CredentialKind, Place, Reference};

/// How long resolved references are used before they are read again: a secret set in another process counts from then
/// on.
const FRESH: Duration = Duration::from_secs(5);

/// A fixed credential and what it last resolved to.
pub(super) struct Fixed {
    credential: Arc<Credential>,
    epoch: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    material: Option<Arc<Material>>,
    read_at: Option<Timestamp>,
    error: Option<CredentialError>,
    broken_at: Option<Timestamp>,
    /// What a system answered 401 to.
    denied: Option<Fingerprint>,
    /// …and a plugin, too, took for a refusal, and when.
    refused: Option<(Fingerprint, Timestamp)>,
    works_at: Option<Timestamp>,
}

impl Inner {
    /// Since when the value in use is one that was refused.
    fn refused_since(&self) -> Option<Timestamp> {
        let present = self.material.as_ref()?.fingerprint;
        self.refused.filter(|(refused, _)| *refused == present).map(|(_, at)| at)
    }
}

/// What requests carry, and how.
pub(super) struct Material {
    form: Form,
    pub(super) fingerprint: Fingerprint,
    hidden: Hidden,
}

enum Form {
    Header { name: HeaderName, value: HeaderValue },
    Parameter { name: String, value: Secret },
    Signature(Box<Signer>),
    Placeholder { value: Secret, places: Vec<Place> },
}

/// What became of a request that a credential was put onto.
pub(super) enum Put {
    /// It carries the credential.
    There,
    /// …and this, which counts for it alone.
    With(Hidden),
    /// It has no place for it.
    Nowhere,
}

impl Material {
    /// Puts it onto the request.
    pub(super) fn put(&self, credential: &str, request: &mut Outgoing, now: Timestamp) -> Result<Put, CredentialError> {
        match &self.form {
            Form::Header { name, value } => {
                request.headers.insert(name.clone(), value.clone());
                Ok(Put::There)
            }
            Form::Parameter { name, value } => {
                request.set_parameter(name, value);
                Ok(Put::There)
            }
            Form::Signature(signer) => {
                let signed = signer.sign(request, now, &uuid::Uuid::new_v4().to_string());
                signed.map(Put::With).map_err(|reason| CredentialError::Unwritable { credential: credential.to_owned(), reason })
            }
            Form::Placeholder { value, places } => match placeholder::fill(request, credential, value, places) {
                Ok(true) => Ok(Put::There),
                Ok(false) => Ok(Put::Nowhere),
                Err(reason) => Err(CredentialError::Placeholder { credential: credential.to_owned(), reason }),
            },
        }
    }
}

impl Fixed {
    pub(super) fn new(credential: Arc<Credential>) -> Self {
        Self { credential, epoch: AtomicU64::new(0), inner: Mutex::default() }
    }

    /// What requests carry, read again where it is not fresh.
    pub(super) async fn material(&self, cx: &Context) -> Result<Arc<Material>, CredentialError> {
        let now = cx.vault.clock().now();
        {
            let inner = self.lock();
            let fresh = inner.read_at.is_some_and(|at| now < clock::later(at, FRESH));
            if let (true, Some(material)) = (fresh, &inner.material) {
                return Ok(material.clone());
            }
        }
        self.read(cx).await
    }

    /// After a 401: whether there is another value by now than the refused one.
    pub(super) async fn refused(&self, cx: &Context, refused: &Fingerprint) -> Result<bool, CredentialError> {
        let newer = self.read(cx).await?.fingerprint != *refused;
        let mut inner = self.lock();
        // A plugin's word alone breaks nothing that others use, too.
        if !newer && inner.denied == Some(*refused) && inner.refused_since().is_none() {
            inner.refused = Some((*refused, cx.vault.clock().now()));
            drop(inner);
            cx.broke();
        }
        Ok(newer)
    }

    /// A request that carried it was answered.
    pub(super) fn answered(&self, cx: &Context, fingerprint: &Fingerprint, status: u16) {
        let mended = {
            let mut inner = self.lock();
            match status {
                401 => {
                    inner.denied = Some(*fingerprint);
                    false
                }
                status if status < 400 => {
                    inner.works_at = Some(cx.vault.clock().now());
                    inner.denied = None;
                    inner.refused.take_if(|(refused, _)| refused == fingerprint).is_some()
                }
                _ => false,
            }
        };
        if mended {
            cx.changed(&self.epoch);
        }
    }

    /// Looks whether somebody changed the value, if it has been used.
    pub(super) async fn recheck(&self, cx: &Context) {
        let used = {
            let inner = self.lock();
            inner.material.is_some() || inner.error.is_some()
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
        let refused_since = inner.refused_since();
        let state = match (&inner.error, &inner.material) {
            _ if refused_since.is_some() => State::Broken,
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
            broken_at: inner.broken_at.or(refused_since),
            works_at: inner.works_at,
            last_error: inner.error.as_ref().map(CredentialError::in_full).or_else(|| {
                refused_since.map(|_| format!("credential `{0}` was refused (401): set the right value in its place", self.credential.name))
            }),
            refreshes: 0,
            failures: 0,
        }
    }

    async fn read(&self, cx: &Context) -> Result<Arc<Material>, CredentialError> {
        let read = self.resolve(&cx.vault).await;
        let now = cx.vault.clock().now();
        let name = &self.credential.name;
        let (result, changed) = {
            let mut inner = self.lock();
            match read {
                Ok(material) => {
                    let material = Arc::new(material);
                    let mended = inner.error.take().is_some_and(|error| error.remedy() == Remedy::Change);
                    let before = inner.material.as_ref().filter(|old| old.fingerprint != material.fingerprint);
                    let changed = mended || before.is_some();
                    // Answers to requests with the value before may still be on their way.
                    let before = before.map(|old| old.hidden.clone()).unwrap_or_default();
                    inner.broken_at = None;
                    if changed {
                        inner.works_at = Some(now);
                    }
                    if inner.material.is_none() || changed {
                        let mut hidden = material.hidden.clone();
                        hidden.append(before);
                        cx.redactor.set(name, hidden);
                    }
                    inner.read_at = Some(now);
                    inner.material = Some(material.clone());
                    (Ok(material), changed)
                }
                Err(error) => {
                    inner.read_at = None;
                    let is_broken = error.remedy() == Remedy::Change;
                    inner.broken_at = is_broken.then(|| inner.broken_at.unwrap_or(now));
                    inner.error = Some(error.clone());
                    if is_broken {
                        cx.broke();
                    }
                    (Err(error), false)
                }
            }
        };
        if changed {
            cx.changed(&self.epoch);
        }
        result
    }

    async fn resolve(&self, vault: &Vault) -> Result<Material, CredentialError> {
        let name = &self.credential.name;
        let unresolved = |source: SecretError| CredentialError::Unresolved { credential: name.clone(), source: Arc::new(source) };
        let unwritable = |reason| CredentialError::Unwritable { credential: name.clone(), reason };
        const CHARACTERS: &str = "its value has line ends or other characters that no header carries";
        let resolve = async |reference: &Reference| vault.resolve(reference).await.map_err(unresolved);
        // What another value of makes another credential, though it is no secret.
        let mut open = None;
        // What else of it nobody is to see.
        let mut hidden = Hidden::default();
        let (mut form, secrets) = match &self.credential.kind {
            CredentialKind::Bearer { token } => {
                let token = resolve(token).await?;
                let value = bearer(&token).ok_or_else(|| unwritable(CHARACTERS))?;
                (Form::Header { name: header::AUTHORIZATION, value }, vec![token])
            }
            CredentialKind::Basic { username, password } => {
                let (username, password) = (resolve(username).await?, resolve(password).await?);
                if username.expose().contains(':') {
                    return Err(unwritable("a user name with a colon (RFC 7617)"));
                }
                let pair = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
                let encoded = Secret::new(STANDARD.encode(pair.as_bytes()));
                let text = Zeroizing::new(format!("Basic {}", encoded.expose()));
                let value = HeaderValue::from_str(&text).map_err(|_| unwritable(CHARACTERS))?;
                // Some vendors want their API key as the user name and nothing much as the password.
                let key = if password.expose().len() < SHORTEST { username } else { password };
                (Form::Header { name: header::AUTHORIZATION, value }, vec![key, encoded])
            }
            CredentialKind::Header { name: header_name, value } => {
                let name = HeaderName::from_bytes(header_name.as_bytes()).map_err(|_| unwritable("its `name` is no header name"))?;
                let secret = resolve(value).await?;
                let value = HeaderValue::from_str(secret.expose()).map_err(|_| unwritable(CHARACTERS))?;
                hidden.header(&secret);
                (Form::Header { name, value }, vec![secret])
            }
            CredentialKind::Query { name, value } => {
                let value = resolve(value).await?;
                (Form::Parameter { name: name.clone(), value: value.clone() }, in_url(value))
            }
            CredentialKind::Hmac(recipe) => {
                let key = resolve(&recipe.key).await?;
                let key_id = match &recipe.key_id {
                    Some(key_id) => Some(resolve(key_id).await?),
                    None => None,
                };
                open.clone_from(&key_id);
                let signer = Signer::new(recipe, &key, key_id).map_err(unwritable)?;
                hidden.key(&key, signer.key());
                (Form::Signature(Box::new(signer)), vec![key])
            }
            CredentialKind::Placeholder { value, places } => {
                let value = resolve(value).await?;
                (Form::Placeholder { value: value.clone(), places: places.clone() }, in_url(value))
            }
            CredentialKind::OAuth2ClientCredentials(_)
            | CredentialKind::OAuth2RefreshToken { .. }
            | CredentialKind::OAuth2AuthorizationCode { .. }
            | CredentialKind::OAuth2JwtBearer { .. } => {
                unreachable!("OAuth2 credentials are not fixed")
            }
        };
        if let Form::Header { value, .. } = &mut form {
            value.set_sensitive(true);
        }
        // Lengths go in front, so that no two lists give the same bytes. Names and recipes are the configuration's: another one makes
        // another credential.
        let mut hash = Sha256::new();
        for secret in secrets.iter().chain(&open) {
            hash.update(secret.expose().len().to_be_bytes());
            hash.update(secret.expose());
        }
        hidden.append(secrets.iter().collect());
        Ok(Material { form, fingerprint: hash.finalize().into(), hidden })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to look for of a value that travels in a URL: systems wrap the URL in further spellings.
fn in_url(value: Secret) -> Vec<Secret> {
    let encoded = Secret::from(escape::percent(value.expose()));
    if encoded == value { vec![value] } else { vec![value, encoded] }
}
