//! A plugin's key-value space as one attempt sees it: its own writes over the store's values, every read remembered so that it can be
//! claimed or compared.

use std::collections::{BTreeMap, HashMap};

use super::AttemptId;
use crate::store::{Claim, JournalSnapshot, KeySettlement, SeenValue, Store, StoreError};

/// Longest key.
const MAX_KEY: usize = 512;
/// Largest value.
const MAX_VALUE: usize = 256 << 10;
/// Bytes of a plugin's space.
const MAX_SPACE: u64 = 64 << 20;
/// Most keys of a page.
const MAX_PAGE: u32 = 1000;

/// Why an operation failed; each is a case of the contract's `key-value.error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Read after the claim was complete.
    #[error("key {0:?} was not read before the first HTTP write; read all keys first")]
    NotClaimed(String),
    /// Key or value too large.
    #[error("{0}")]
    TooLarge(String),
    /// The space is full.
    #[error("the plugin's key-value space of {MAX_SPACE} bytes is full")]
    Full,
    /// Not what the operation needs.
    #[error("{0}")]
    Invalid(String),
    /// The store can't be reached.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> KeyError {
        KeyError::Unavailable(crate::telemetry::chain(&error))
    }
}

#[derive(Debug)]
pub(super) struct KeyValue {
    plugin: String,
    seen: HashMap<Claim, SeenValue>,
    /// Reads that are claimed; the rest is claimed with the first write intent or compared at the end.
    claimed: bool,
    writes: BTreeMap<String, Option<Vec<u8>>>,
    /// The step's writes took effect before: they are not applied again.
    applied: bool,
    space: Option<u64>,
}

impl KeyValue {
    pub(super) fn new(plugin: String, snapshot: &JournalSnapshot) -> KeyValue {
        KeyValue {
            plugin,
            seen: snapshot.claims.iter().flatten().cloned().collect(),
            claimed: snapshot.claims.is_some(),
            writes: BTreeMap::new(),
            applied: snapshot.applied,
            space: None,
        }
    }

    pub(super) fn claimed(&mut self) {
        self.claimed = true;
    }

    /// What is to be claimed or compared.
    pub(super) fn unclaimed(&self) -> Vec<(Claim, SeenValue)> {
        if self.claimed { Vec::new() } else { self.seen.iter().map(|(claim, seen)| (claim.clone(), seen.clone())).collect() }
    }

    pub(super) fn settlement(&self, id: &AttemptId) -> KeySettlement {
        // A version no other write has: 63 random bits.
        let version = i64::try_from(uuid::Uuid::new_v4().as_u128() & 0x7fff_ffff_ffff_ffff).unwrap_or(1);
        KeySettlement {
            plugin: self.plugin.clone(),
            root: id.root.clone(),
            step: id.step.clone(),
            unclaimed: if self.applied { Vec::new() } else { self.unclaimed() },
            writes: if self.applied { Vec::new() } else { self.writes.clone().into_iter().collect() },
            version,
        }
    }

    /// The step has succeeded before: what it writes now is let go.
    pub(super) fn took_effect_before(&self) -> bool {
        self.applied
    }

    /// Keys that the attempt has written, and whether it removed them.
    pub(super) fn written(&mut self) -> Vec<(String, bool)> {
        self.writes.iter().map(|(key, value)| (key.clone(), value.is_none())).collect()
    }

    pub(super) async fn get(&mut self, store: &Store, key: &str) -> Result<Option<Vec<u8>>, KeyError> {
        check_key(key)?;
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        let claim = Claim { key: key.to_owned(), prefix: false };
        let seen = match self.seen.get(&claim) {
            Some(seen) => seen.clone(),
            None if self.claimed => return Err(KeyError::NotClaimed(key.to_owned())),
            None => {
                let seen =
                    store.key_get(&self.plugin, key).await?.map_or(SeenValue::Absent, |(value, version)| SeenValue::Value(value, version));
                self.seen.insert(claim, seen.clone());
                seen
            }
        };
        Ok(match seen {
            SeenValue::Value(value, _) => Some(value),
            SeenValue::Absent | SeenValue::Keys(_) => None,
        })
    }

    pub(super) async fn set(&mut self, store: &Store, key: &str, value: Option<Vec<u8>>) -> Result<(), KeyError> {
        check_key(key)?;
        let size = value.as_ref().map_or(0, Vec::len);
        if size > MAX_VALUE {
            return Err(KeyError::TooLarge(format!("the value of {key:?} has {size} bytes; at most {MAX_VALUE}")));
        }
        let space = match self.space {
            Some(space) => space,
            None => store.key_space(&self.plugin).await?,
        } + (key.len() + size) as u64;
        if value.is_some() && space > MAX_SPACE {
            return Err(KeyError::Full);
        }
        self.space = Some(space);
        self.writes.insert(key.to_owned(), value);
        Ok(())
    }

    pub(super) async fn increment(&mut self, store: &Store, key: &str, delta: i64) -> Result<i64, KeyError> {
        let present = match self.get(store, key).await? {
            None => 0,
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| KeyError::Invalid(format!("the value of {key:?} is not a decimal integer")))?,
        };
        let sum = present.checked_add(delta).ok_or_else(|| KeyError::Invalid(format!("the sum in {key:?} does not fit 64 bits")))?;
        self.set(store, key, Some(sum.to_string().into_bytes())).await?;
        Ok(sum)
    }

    pub(super) async fn compare_and_swap(
        &mut self,
        store: &Store,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<bool, KeyError> {
        if self.get(store, key).await? != expected {
            return Ok(false);
        }
        self.set(store, key, Some(value)).await?;
        Ok(true)
    }

    pub(super) async fn list(
        &mut self,
        store: &Store,
        prefix: &str,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<(Vec<String>, Option<String>), KeyError> {
        if prefix.len() > MAX_KEY {
            return Err(KeyError::TooLarge(format!("a prefix has at most {MAX_KEY} bytes")));
        }
        let claim = Claim { key: prefix.to_owned(), prefix: true };
        let seen = match self.seen.get(&claim) {
            Some(SeenValue::Keys(keys)) => keys.clone(),
            Some(_) | None if self.claimed => return Err(KeyError::NotClaimed(format!("{prefix}*"))),
            Some(_) | None => {
                let keys = store.key_list(&self.plugin, prefix).await?;
                self.seen.insert(claim, SeenValue::Keys(keys.clone()));
                keys
            }
        };
        let mut keys: std::collections::BTreeSet<String> = seen.into_iter().map(|(key, _)| key).collect();
        for (key, value) in self.writes.iter().filter(|(key, _)| key.starts_with(prefix)) {
            if value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        let mut page: Vec<String> =
            keys.into_iter().filter(|key| cursor.as_ref().is_none_or(|cursor| key > cursor)).take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let next = more.then(|| page.last().cloned()).flatten();
        Ok((page, next))
    }
}

fn check_key(key: &str) -> Result<(), KeyError> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(KeyError::TooLarge(format!("a key has 1 to {MAX_KEY} bytes")));
    }
    if key.contains('\0') {
        return Err(KeyError::Invalid("a key has no NUL character".to_owned()));
    }
    Ok(())
}
