//! The vault: named secrets, sealed in the store, and the values that the configuration's references stand for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::key::{OpenError, Purpose, SealingKey};
use super::key_source::{self, KeyError, Missing};
use super::secret::Secret;
use crate::clock::Clock;
use crate::config::{Reference, ReferencePart, Secrets};
use crate::store::{SecretInfo, Store, StoreError};

/// Largest secret, in bytes: many times the longest private key.
pub const MOST_SECRET: usize = 64 * 1024;
/// Longest name of a secret, in characters.
const MOST_NAME: usize = 128;
/// Where the store keeps the fingerprint of the key that sealed what is in it.
const FINGERPRINT: &str = "sealing-key-fingerprint";

/// Why the vault can't be opened. Trying again helps only with [`VaultError::Store`].
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store was sealed with another key.
    #[error(
        "this host's sealing key is not the one that sealed the secrets in the store: hosts on one store share the \
         key; check `[secrets]`, or restore the right key"
    )]
    OtherKey,
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
    key: Arc<SealingKey>,
    clock: Clock,
}

impl Vault {
    /// Reads the key, made at first use, and makes sure that it is the one that this store was sealed with.
    pub async fn open(store: Store, secrets: &Secrets, clock: Clock) -> Result<Self, VaultError> {
        let known = store.meta_get(FINGERPRINT).await?;
        let missing = if known.is_none() { Missing::Create } else { Missing::Refuse };
        let key = key_source::load(secrets, missing).await?;
        // Another host may have started at the same time with another key.
        match store.meta_once(FINGERPRINT, &key.fingerprint()).await? {
            kept if kept == key.fingerprint() => Ok(Self { store, key: Arc::new(key), clock }),
            _ => Err(VaultError::OtherKey),
        }
    }

    /// Keeps a secret under a name, in place of what it held. One line end at the end of `value` is not part of it.
    pub async fn put(&self, name: &str, value: &Secret) -> Result<(), SecretError> {
        check_name(name)?;
        let origin = || format!("the secret `{name}`");
        let text = without_line_end(value.expose());
        match text.len() {
            0 => return Err(SecretError::Empty(origin())),
            1..=MOST_SECRET => {}
            _ => return Err(SecretError::TooLarge(origin())),
        }
        let sealed = self.key.seal(Purpose::Secret, name, text.as_bytes());
        Ok(self.store.secret_put(name, &sealed, self.clock.now()).await?)
    }

    /// The secret of that name.
    pub async fn get(&self, name: &str) -> Result<Secret, SecretError> {
        let sealed = self.store.secret_get(name).await?.ok_or_else(|| SecretError::Absent(name.to_owned()))?;
        let bytes =
            self.key.open(Purpose::Secret, name, &sealed).map_err(|source| SecretError::Sealed { name: name.to_owned(), source })?;
        text(&bytes).ok_or_else(|| SecretError::NotText(format!("the secret `{name}`")))
    }

    /// Names of all secrets and when they were set; never a value.
    pub async fn list(&self) -> Result<Vec<SecretInfo>, SecretError> {
        Ok(self.store.secret_names().await?)
    }

    /// Forgets a secret; `false` if there was none.
    pub async fn remove(&self, name: &str) -> Result<bool, SecretError> {
        Ok(self.store.secret_remove(name).await?)
    }

    /// The value a reference stands for at this moment.
    pub async fn resolve(&self, reference: &Reference) -> Result<Secret, SecretError> {
        resolve(reference, Some(self)).await
    }

    /// Seals what an erasure has to look for.
    pub fn seal_erasure(&self, id: &str, wanted: &[u8]) -> Vec<u8> {
        self.key.seal(Purpose::Erasure, id, wanted)
    }

    /// Opens it.
    pub fn open_erasure(&self, id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key.open(Purpose::Erasure, id, sealed)
    }

    /// Stands for a person in records that stay: the same for the same text and key.
    pub fn digest(&self, text: &str) -> String {
        self.key.digest(text)
    }

    /// Seals what a browser keeps of a login under way: any host of the store opens it, and nobody else.
    pub fn seal_login(&self, plaintext: &[u8]) -> Vec<u8> {
        self.key.seal(Purpose::Login, "", plaintext)
    }

    /// Opens what [`Vault::seal_login`] made.
    pub fn open_login(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key.open(Purpose::Login, "", sealed)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn key(&self) -> &SealingKey {
        &self.key
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
