//! The vault: named secrets, sealed in the store, and the values that the configuration's references stand for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::key::{OpenError, Purpose, SealingKey, key_id};
use super::key_source::{self, KeyError, Missing};
use super::ledger::Ledger;
use super::secret::Secret;
use crate::audit::{Action, By};
use crate::clock::Clock;
use crate::config::{Reference, ReferencePart, Secrets};
use crate::crash::Point;
use crate::store::{FINGERPRINT, Sealed, SecretInfo, Store, StoreError};
use crate::telemetry;

/// Largest secret, in bytes: many times the longest private key.
pub const MOST_SECRET: usize = 64 * 1024;
/// So many changes of the ledger may overtake a look at it.
const EDITIONS: u64 = 64;
/// Longest name of a secret, in characters.
const MOST_NAME: usize = 128;

/// Why the vault can't be opened. Trying again helps only with [`VaultError::Store`].
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store was sealed with another key.
    #[error(
        "this host's sealing key {own} is not the one that sealed the secrets in the store, {store}: hosts on one store share the \
         key; check `[secrets]`, or restore the right key"
    )]
    OtherKey {
        /// Id of this host's.
        own: String,
        /// Id of the store's.
        store: String,
    },
    /// The store did not answer.
    #[error("comparing the sealing key with the store's")]
    Store(#[from] StoreError),
}

/// Why a secret can't be kept, or a reference has no value. Only [`SecretError::Store`] can pass by itself.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such environment variable, or its value is no text.
    #[error("the environment variable {0} is not set, or is not UTF-8")]
    Variable(String),
    /// The file can't be read.
    #[error("reading the secret file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Larger than [`MOST_SECRET`].
    #[error("{0} is larger than a secret may be (64 KiB)")]
    TooLarge(String),
    /// Not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// Nothing to keep.
    #[error("{0} is empty")]
    Empty(String),
    /// A name that could not be written in a reference.
    #[error("`{0}` can't name a secret: use 1 to 128 of the characters a to z, A to Z, 0 to 9, `.`, `_` and `-`")]
    Name(String),
    /// Nobody has set it.
    #[error("there is no secret `{0}`: set it with `sangam secret set {0}`")]
    Absent(String),
    /// It is there but does not open.
    #[error("the secret `{name}` does not open")]
    Sealed {
        /// Its name.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// The store did not answer.
    #[error("reading or writing secrets in the store")]
    Store(#[from] StoreError),
}

/// Secrets at rest. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    /// Where the key comes from: read again when it was changed.
    secrets: Arc<Secrets>,
    key: Arc<RwLock<Arc<SealingKey>>>,
    /// The highest edition of the ledger that was seen: a lower one was put back.
    edition: Arc<AtomicU64>,
    clock: Clock,
    /// It only looks: the key stays as it was found.
    looks: bool,
}

/// A vault that was looked into.
#[derive(Debug)]
pub struct Look {
    /// Opens what is sealed. What would write through it fails.
    pub vault: Vault,
    /// The store was sealed with the key that is to take the place of the present one, and has not yet.
    pub is_next: bool,
    /// The store knows no key yet: nothing was ever sealed in it.
    pub is_new: bool,
}

impl Vault {
    /// Reads the key, made at first use, and makes sure that it is the one that this store was sealed with. A change of keys that was broken off
    /// before the new one was in its place is completed.
    pub async fn open(store: Store, secrets: &Secrets, clock: Clock) -> Result<Self, VaultError> {
        let key = match store.meta_get(FINGERPRINT).await? {
            Some(known) => known_key(secrets, &known).await?,
            None => {
                let key = key_source::load(secrets, Missing::Create).await?;
                // Another host may have started at the same time with another key.
                let kept = store.meta_once(FINGERPRINT, &key.fingerprint()).await?;
                if kept == key.fingerprint() { key } else { known_key(secrets, &kept).await? }
            }
        };
        store.sign_audit_with(key.audit_key());
        let key = Arc::new(RwLock::new(Arc::new(key)));
        Ok(Self { store, secrets: Arc::new(secrets.clone()), key, edition: Arc::default(), clock, looks: false })
    }

    /// The same without making, replacing or remembering anything: for who only looks. `None`: there is no key file, and nothing was sealed yet.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn look(store: Store, secrets: &Secrets, clock: Clock) -> Result<Option<Look>, VaultError> {
        let known = store.meta_get(FINGERPRINT).await?;
        let is_new = known.is_none();
        let (key, former) = match known {
            Some(known) => match key_source::found(secrets, &known).await? {
                Some(found) => found,
                None => {
                    let own = key_source::load(secrets, Missing::Refuse).await?.id();
                    return Err(VaultError::OtherKey { own, store: key_id(&known) });
                }
            },
            None => match key_source::load(secrets, Missing::Refuse).await {
                Ok(key) => (key, None),
                Err(KeyError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let key = Arc::new(RwLock::new(Arc::new(key)));
        let vault = Self { store, secrets: Arc::new(secrets.clone()), key, edition: Arc::default(), clock, looks: true };
        Ok(Some(Look { vault, is_next: former.is_some(), is_new }))
    }

    /// Reads the key anew if the store's was changed; says whether it was. To be called every few seconds.
    ///
    /// # Errors
    /// [`VaultError::OtherKey`] when this host has not got the new one: until it has, nothing sealed opens for it.
    pub async fn follow(&self) -> Result<bool, VaultError> {
        let Some(known) = self.store.meta_get(FINGERPRINT).await? else { return Ok(false) };
        if self.looks || known == self.key().fingerprint() {
            return Ok(false);
        }
        let key = known_key(&self.secrets, &known).await?;
        tracing::info!(key = key.id(), "the sealing key of the store was changed; this host uses the new one");
        self.take(key);
        Ok(true)
    }

    fn take(&self, key: SealingKey) {
        self.store.sign_audit_with(key.audit_key());
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// Seals everything in the store anew with the key that is found there, which counts from then on. Gives the number of values.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names a value that does not open: nothing was changed then.
    pub async fn rotate(&self, present: SealingKey, by: &By) -> Result<usize, StoreError> {
        let act = by.did(Action::KeyRotated, "sealing key");
        let sealed_anew = self.store.reseal(self.key(), Arc::new(present), act, self.clock.now()).await?;
        self.store.crash().at(Point::Rekeyed);
        Ok(sealed_anew)
    }

    /// Whether a sealed value is the one that was kept last.
    pub(super) fn present(&self, purpose: Purpose, name: &str, sealed: &Sealed) -> Result<(), OpenError> {
        let ledger = Ledger::open(&self.key(), sealed.ledger.as_deref())?;
        let seen = self.edition.fetch_max(ledger.edition(), Ordering::Relaxed);
        // Reads may overtake each other by a moment; by more than the ledger can have moved meanwhile they don't.
        if ledger.edition() + EDITIONS < seen || !ledger.has(purpose, name, &sealed.value) {
            return Err(OpenError::Stale);
        }
        Ok(())
    }

    /// A random value of the hosts' own, made once for each store.
    pub async fn host_secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        let key = self.key();
        let fresh = key.seal(Purpose::Host, name, &*SealingKey::generate());
        let kept = self.store.meta_once(name, &fresh).await?;
        let opened = key.open(Purpose::Host, name, &kept).ok().and_then(|value| value.as_slice().try_into().ok());
        match opened {
            Some(value) => Ok(value),
            None => {
                // Whatever is there was not written by a host with this key: nothing may be derived from it.
                tracing::warn!(name, "a value of the hosts' own in the store does not open; it is made anew");
                self.store.meta_put(name, &fresh).await?;
                let value = key.open(Purpose::Host, name, &fresh).expect("what was just sealed opens");
                Ok(value.as_slice().try_into().expect("it has 32 bytes"))
            }
        }
    }

    /// Keeps a secret under a name, in place of what it held. One line end at the end of `value` is not part of it.
    pub async fn put(&self, name: &str, value: &Secret, by: &By) -> Result<(), SecretError> {
        check_name(name)?;
        let origin = || format!("the secret `{name}`");
        let text = without_line_end(value.expose());
        match text.len() {
            0 => return Err(SecretError::Empty(origin())),
            1..=MOST_SECRET => {}
            _ => return Err(SecretError::TooLarge(origin())),
        }
        let key = self.key();
        let sealed = key.seal(Purpose::Secret, name, text.as_bytes());
        Ok(self.store.secret_put(name, &sealed, key, by.did(Action::SecretSet, name), self.clock.now()).await?)
    }

    /// The secret of that name.
    pub async fn get(&self, name: &str) -> Result<Secret, SecretError> {
        let refused = |source| SecretError::Sealed { name: name.to_owned(), source };
        loop {
            let sealed = self.store.secret_get(name).await?.ok_or_else(|| SecretError::Absent(name.to_owned()))?;
            let opened = self.key().open(Purpose::Secret, name, &sealed.value);
            match opened.and_then(|bytes| self.present(Purpose::Secret, name, &sealed).map(|()| bytes)) {
                Ok(bytes) => return text(&bytes).ok_or_else(|| SecretError::NotText(format!("the secret `{name}`"))),
                // The key may have been changed between two looks.
                Err(error) => match self.follow().await {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Err(refused(error)),
                },
            }
        }
    }

    /// What in the store does not open with this key, or is not what was kept last, by name.
    pub async fn closed(&self) -> Result<Vec<String>, SecretError> {
        let mut closed = Vec::new();
        for secret in self.list().await? {
            if let Err(error) = self.get(&secret.name).await {
                closed.push(telemetry::chain(&error));
            }
        }
        for name in self.store.credential_names().await? {
            let Some(row) = self.store.credential_state(&name).await?.filter(|row| !row.sealed.value.is_empty()) else { continue };
            let opened = self.key().open(Purpose::Credential, &name, &row.sealed.value);
            if let Err(error) = opened.and_then(|_| self.present(Purpose::Credential, &name, &row.sealed)) {
                closed.push(format!("the state of the credential `{name}` does not open: {error}"));
            }
        }
        Ok(closed)
    }

    /// Names of all secrets and when they were set; never a value.
    pub async fn list(&self) -> Result<Vec<SecretInfo>, SecretError> {
        Ok(self.store.secret_names().await?)
    }

    /// Forgets a secret; `false` if there was none.
    pub async fn remove(&self, name: &str, by: &By) -> Result<bool, SecretError> {
        Ok(self.store.secret_remove(name, self.key(), by.did(Action::SecretRemoved, name), self.clock.now()).await?)
    }

    /// The value a reference stands for at this moment.
    pub async fn resolve(&self, reference: &Reference) -> Result<Secret, SecretError> {
        resolve(reference, Some(self)).await
    }

    /// Seals what an erasure has to look for.
    pub fn seal_erasure(&self, id: &str, wanted: &[u8]) -> Vec<u8> {
        self.key().seal(Purpose::Erasure, id, wanted)
    }

    /// Opens it.
    pub fn open_erasure(&self, id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key().open(Purpose::Erasure, id, sealed)
    }

    /// Stands for a person in records that stay: the same for the same text and key.
    pub fn digest(&self, text: &str) -> String {
        self.key().digest(text)
    }

    /// Seals what a browser keeps of a login under way: any host of the store opens it, and nobody else.
    pub fn seal_login(&self, plaintext: &[u8]) -> Vec<u8> {
        self.key().seal(Purpose::Login, "", plaintext)
    }

    /// Opens what [`Vault::seal_login`] made.
    pub fn open_login(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key().open(Purpose::Login, "", sealed)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn key(&self) -> Arc<SealingKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Id of the present key.
    pub fn key_id(&self) -> String {
        self.key().id()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// The key with that fingerprint, from where this host's comes from.
async fn known_key(secrets: &Secrets, fingerprint: &[u8]) -> Result<SealingKey, VaultError> {
    match key_source::matching(secrets, fingerprint).await? {
        Some(key) => Ok(key),
        None => {
            let own = key_source::load(secrets, Missing::Refuse).await?.id();
            Err(VaultError::OtherKey { own, store: key_id(fingerprint) })
        }
    }
}

/// The value a reference stands for at this moment; without a vault every secret of the store is absent.
pub async fn resolve(reference: &Reference, vault: Option<&Vault>) -> Result<Secret, SecretError> {
    let mut parts = Vec::with_capacity(reference.parts.len());
    for part in &reference.parts {
        parts.push(match part {
            ReferencePart::Text(text) => Secret::new(text.clone()),
            ReferencePart::Env(name) => std::env::var(name).map(Secret::new).map_err(|_| SecretError::Variable(name.clone()))?,
            ReferencePart::File(path) => read_file(path).await?,
            ReferencePart::Secret(name) => match vault {
                Some(vault) => vault.get(name).await?,
                None => return Err(SecretError::Absent(name.clone())),
            },
        });
    }
    // Sized beforehand, so that no half-filled buffer is left behind by growth.
    let length = parts.iter().map(|part| part.expose().len()).sum();
    let mut whole = Zeroizing::new(String::with_capacity(length));
    parts.iter().for_each(|part| whole.push_str(part.expose()));
    Ok(Secret::from(whole))
}

fn check_name(name: &str) -> Result<(), SecretError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=MOST_NAME).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(SecretError::Name(name.escape_debug().to_string()))
    }
}

async fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let failed = |source| SecretError::File { path: path.to_path_buf(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_SECRET + 1));
    file.take(MOST_SECRET as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    let origin = || format!("the secret file {}", path.display());
    if bytes.len() > MOST_SECRET {
        return Err(SecretError::TooLarge(origin()));
    }
    let read = text(&bytes).ok_or_else(|| SecretError::NotText(origin()))?;
    match without_line_end(read.expose()) {
        "" => Err(SecretError::Empty(origin())),
        kept => Ok(Secret::new(kept.to_owned())),
    }
}

fn text(bytes: &[u8]) -> Option<Secret> {
    std::str::from_utf8(bytes).ok().map(|text| Secret::new(text.to_owned()))
}

/// Editors and `echo` end a file with a line end that nobody means.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
