//! A plugin's key-value space as one attempt sees it: its own writes over the store's values, every read remembered so that it can be
//! claimed or compared.

use std::collections::{BTreeMap, HashMap};

use super::AttemptId;
use crate::store::{Claim, JournalSnapshot, KeySettlement, SeenValue, Store, StoreError, key_size};

/// Longest key: the contract says it.
const MAX_KEY: usize = 512;
/// Largest value: the contract says it.
const MAX_VALUE: usize = 256 << 10;
/// Most keys of a page.
const MAX_PAGE: u32 = 1000;
/// Most keys under a prefix that is listed: all of them are read, and claimed as one.
const MAX_LISTED: u32 = 100_000;
/// What an operation counts beside its key and value.
const OPERATION: usize = 16;

/// How much of key-value one call may use.
#[derive(Debug, Clone, Copy)]
pub struct KeyLimits {
    /// Operations.
    pub calls: u32,
    /// Bytes read and written.
    pub transfer: usize,
    /// Bytes of the plugin's whole space.
    pub space: u64,
}

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
    #[error("the plugin's key-value space is full: with {key:?} it would take {would} bytes of {most} (limits.key-value-size)")]
    Full {
        /// What was to be set.
        key: String,
        /// With it.
        would: u64,
        /// The limit.
        most: u64,
    },
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
    limits: KeyLimits,
    calls: u32,
    transferred: usize,
    seen: HashMap<Claim, SeenValue>,
    /// Reads that are claimed; the rest is claimed with the first write intent or compared at the end.
    claimed: bool,
    writes: BTreeMap<String, Option<Vec<u8>>>,
    /// The step's writes took effect before: they are not applied again.
    applied: bool,
    /// Bytes of the plugin's space before this attempt; known once it writes.
    space: Option<u64>,
    /// Bytes that its writes take.
    written: u64,
    /// Bytes that the keys it writes take in the store, as far as that was asked for.
    replaced: HashMap<String, u64>,
}

impl KeyValue {
    pub(super) fn new(plugin: String, limits: KeyLimits, snapshot: &JournalSnapshot) -> KeyValue {
        KeyValue {
            plugin,
            limits,
            calls: 0,
            transferred: 0,
            seen: snapshot.claims.iter().flatten().cloned().collect(),
            claimed: snapshot.claims.is_some(),
            writes: BTreeMap::new(),
            applied: snapshot.applied,
            space: None,
            written: 0,
            replaced: HashMap::new(),
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
            space: self.limits.space,
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

    /// One more operation, on that key.
    fn count(&mut self, key: &str) -> Result<(), KeyError> {
        if self.calls >= self.limits.calls {
            let most = self.limits.calls;
            return Err(KeyError::TooLarge(format!("the call has made its {most} key-value operations (limits.key-value-calls)")));
        }
        self.calls += 1;
        self.transfer(OPERATION + key.len())
    }

    /// Bytes that go through this process's memory, and stay in it until the attempt ends.
    fn transfer(&mut self, bytes: usize) -> Result<(), KeyError> {
        let most = self.limits.transfer;
        let sum = self.transferred.saturating_add(bytes);
        if sum > most {
            let why = format!("the call has read and written its {most} bytes of keys and values (limits.key-value-transfer)");
            return Err(KeyError::TooLarge(why));
        }
        self.transferred = sum;
        Ok(())
    }

    pub(super) async fn get(&mut self, store: &Store, key: &str) -> Result<Option<Vec<u8>>, KeyError> {
        check_key(key)?;
        self.count(key)?;
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
                if let SeenValue::Value(value, _) = &seen {
                    self.transfer(value.len())?;
                }
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
        self.count(key)?;
        self.put(store, key, value).await
    }

    async fn put(&mut self, store: &Store, key: &str, value: Option<Vec<u8>>) -> Result<(), KeyError> {
        let size = value.as_ref().map_or(0, Vec::len);
        if size > MAX_VALUE {
            return Err(KeyError::TooLarge(format!("the value of {key:?} has {size} bytes; at most {MAX_VALUE}")));
        }
        self.transfer(size)?;
        let takes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| key_size(key.len(), value.len()));
        let before = self.writes.get(key).map_or(0, takes);
        let written = self.written - before + takes(&value);
        if value.is_some() {
            self.has_room(store, key, written).await?;
        }
        self.written = written;
        self.writes.insert(key.to_owned(), value);
        Ok(())
    }

    /// Whether the space has room for what the attempt writes, `written` bytes with this key. What others add meanwhile is seen when the step
    /// is settled.
    async fn has_room(&mut self, store: &Store, key: &str, written: u64) -> Result<(), KeyError> {
        let most = self.limits.space;
        let space = match self.space {
            Some(space) => space,
            None => *self.space.insert(store.key_space(&self.plugin).await?),
        };
        if space + written <= most {
            return Ok(());
        }
        // It is close: what is overwritten or removed counts too.
        let keys = self.writes.keys().map(String::as_str).chain([key]);
        let unknown: Vec<String> = keys.filter(|key| !self.replaced.contains_key(*key)).map(str::to_owned).collect();
        for key in unknown {
            let size = store.key_size(&self.plugin, &key).await?;
            self.replaced.insert(key, size);
        }
        let replaced: u64 = self.replaced.values().sum();
        let would = (space + written).saturating_sub(replaced);
        if would > most { Err(KeyError::Full { key: key.to_owned(), would, most }) } else { Ok(()) }
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
        self.put(store, key, Some(sum.to_string().into_bytes())).await?;
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
        self.put(store, key, Some(value)).await?;
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
        self.count(prefix)?;
        let claim = Claim { key: prefix.to_owned(), prefix: true };
        let seen = match self.seen.get(&claim) {
            Some(SeenValue::Keys(keys)) => keys.clone(),
            Some(_) | None if self.claimed => return Err(KeyError::NotClaimed(format!("{prefix}*"))),
            Some(_) | None => {
                let keys = store.key_list(&self.plugin, prefix, MAX_LISTED + 1).await?;
                if keys.len() > MAX_LISTED as usize {
                    return Err(KeyError::TooLarge(format!("more than {MAX_LISTED} keys begin with {prefix:?}; list a longer prefix")));
                }
                self.transfer(keys.iter().map(|(key, _)| OPERATION + key.len()).sum())?;
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
