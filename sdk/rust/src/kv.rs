//! A small durable store, one space for each plugin, shared by all its runs.
//!
//! Writes take effect together with the success of the step (or with the events of a poll), and not at all otherwise.
//! Reading, computing and writing back is safe: if another run changes a key in between, the attempt is made again.
//! **Read first:** once the step has sent a write, reading a key it had not read before is refused.
//!
//! Keys have up to 512 bytes, values 256 KiB. All failures are rejected, but `retry` where the store can't be reached.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, bindings::key_value, imports, input};

pub use key_value::Keys;

/// The value of a key; `None` if there is none.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Failure> {
    imports::kv_get(key).map_err(failed(key))
}

/// The value of a key, as JSON of a type of yours.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Failure> {
    let Some(value) = get(key)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&value).map_err(|error| Failure::rejected(format!("key `{key}`: {error}")))?;
    input::parse(text, &format!("key `{key}`")).map(Some)
}

/// Sets a value. Without reading the key before, the last one counts.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Failure> {
    imports::kv_set(key, value.as_ref()).map_err(failed(key))
}

/// Sets a value as JSON.
pub fn set_json(key: &str, value: &impl Serialize) -> Result<(), Failure> {
    set(key, serde_json::to_vec(value)?)
}

/// Reads a value as JSON, has it changed, and writes it back; gives what was written. Safe against other runs: if one of them changes the key in between,
/// the attempt is made again with the present value.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # fn f(minutes: u32) -> Result<(), Failure> {
/// let total = kv::update("minutes/2026-W48", |total: Option<u32>| Ok(total.unwrap_or(0) + minutes))?;
/// # let _ = total; Ok(()) }
/// ```
pub fn update<T: Serialize + DeserializeOwned>(key: &str, change: impl FnOnce(Option<T>) -> Result<T, Failure>) -> Result<T, Failure> {
    let value = change(get_json(key)?)?;
    set_json(key, &value)?;
    Ok(value)
}

/// Removes a key; nothing happens if there is none.
pub fn delete(key: &str) -> Result<(), Failure> {
    imports::kv_delete(key).map_err(failed(key))
}

/// Adds to a decimal integer kept as text (an absent key counts as 0) and gives the sum. Counts as reading.
pub fn increment(key: &str, delta: i64) -> Result<i64, Failure> {
    imports::kv_increment(key, delta).map_err(failed(key))
}

/// Sets the value if the present one is `expected` (`None`: absent); says whether it did. Counts as reading.
pub fn compare_and_swap(key: &str, expected: Option<&[u8]>, value: impl AsRef<[u8]>) -> Result<bool, Failure> {
    imports::kv_compare_and_swap(key, expected, value.as_ref()).map_err(failed(key))
}

/// Keys with a prefix, at most `limit` (1 to 1000) at a time; `cursor` is the last page's `next_cursor`. Counts as reading the whole prefix.
pub fn list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Keys, Failure> {
    imports::kv_list(prefix, cursor, limit).map_err(failed(prefix))
}

/// All keys with a prefix, in byte order, read a page at a time. Counts as reading the whole prefix.
pub fn keys(prefix: &str) -> impl Iterator<Item = Result<String, Failure>> {
    const PAGE: u32 = 1000;
    let mut here = Vec::new().into_iter();
    let mut cursor: Option<Option<String>> = Some(None);
    std::iter::from_fn(move || {
        loop {
            if let Some(key) = here.next() {
                return Some(Ok(key));
            }
            let from = cursor.take()?;
            match list(prefix, from.as_deref(), PAGE) {
                Ok(page) => {
                    here = page.keys.into_iter();
                    cursor = page.next_cursor.map(Some);
                }
                Err(failure) => return Some(Err(failure)),
            }
        }
    })
}

fn failed(key: &str) -> impl FnOnce(key_value::Error) -> Failure {
    use key_value::Error::*;
    move |error| match error {
        NotClaimed(_) => Failure::rejected(format!("key `{key}` was first read after a write: read all keys before")),
        TooLarge(why) => Failure::rejected(format!("key `{key}` or its value is too large: {why}")),
        Full(why) => Failure::rejected(format!("key `{key}`: the plugin's space is full (`key-value-size`): {why}")),
        Invalid(why) => Failure::rejected(format!("key `{key}`: {why}")),
        Unavailable(why) | Other(why) => Failure::retry(format!("key `{key}`: {why}")),
    }
}
