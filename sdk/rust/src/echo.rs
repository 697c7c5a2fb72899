//! Recognises changes that the plugin's own actions caused, so that two systems that are kept alike don't answer each other for ever.
//!
//! A contact changes in the CRM; a route writes it to accounting; accounting tells that its customer has changed; a route writes that to the CRM, and so
//! on. Who wrote a record last is no sure sign: not every system says so, and where one does, a change by a person just before ours would be lost. So it is
//! the values that are compared:
//!
//! - An action calls [`wrote`] with the fields that it has just written.
//! - A stream calls [`look`] with the fields of a record that its event tells. What it saw last is remembered, so that it knows which ones changed.
//!
//! A change is ours ([`Change::Ours`]) where each field that changed now has the value that an action wrote; a person's change in the same record still comes
//! in. A record that comes again as it was ([`Change::Same`]) is told apart too: streams that look back a little, and webhooks that come twice, cost nothing.
//!
//! What is kept, in key-value, are digests of single fields, not their values: some sixty bytes for each field of each record. It takes effect with the step,
//! or with the events. Between a write and its step's success our change would look like somebody's: so what a stream brings while steps of its plugin are
//! writing is looked at again by the host once they are settled, webhooks for 3 s at most and polls for 10 s, and 64 of both at once. A step that takes
//! longer, that writes without a journal, that fails after its write and is tried again later, or that uses another component than the present one and its
//! canary (runs that began before an update, replays with their own plugins) leaves an echo that comes in once more and then ends, since writing what is
//! there already changes nothing. Two plugins of one component wait for each other's steps. Where the vendor says who wrote last, `by_us` helps.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Failure, encode, kv};

/// What a look at a record shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was never seen before.
    New,
    /// These fields have changed, and not all of them by us.
    Fields(Vec<String>),
    /// Nothing has changed since it was seen last.
    Same,
    /// All that has changed is what our actions wrote.
    Ours,
}

/// Remembers what an action has just written to a record: fields under the names that [`look`] is given. Call it after the write; it reads nothing, so that
/// steps don't wait for each other.
///
/// # Errors
/// Those of key-value.
pub fn wrote<'a>(object: &str, id: &str, fields: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<(), Failure> {
    for (field, value) in fields {
        kv::set(&mark(object, id, field), digest(value))?;
    }
    Ok(())
}

/// Compares a record with what was seen last, and remembers it. Give the fields that the event tells, without those that every change touches, such as its
/// time. `by_us`: the system says that our user wrote it last; it decides where the record was never seen before.
///
/// # Errors
/// Those of key-value.
pub fn look<'a>(object: &str, id: &str, fields: impl IntoIterator<Item = (&'a str, &'a Value)>, by_us: bool) -> Result<Change, Failure> {
    let present: BTreeMap<String, String> = fields.into_iter().map(|(field, value)| (field.to_owned(), digest(value))).collect();
    let seen: Option<BTreeMap<String, String>> = kv::get_json(&snapshot(object, id))?;
    let mut written = BTreeMap::new();
    let prefix = mark(object, id, "");
    for key in kv::keys(&prefix) {
        let key = key?;
        let value = kv::get(&key)?.unwrap_or_default();
        written.insert(key[prefix.len()..].to_owned(), String::from_utf8_lossy(&value).into_owned());
    }
    let ours = |field: &str, digest: &str| written.get(&encode(field).to_string()).is_some_and(|written| written == digest);

    let change = match &seen {
        None => {
            let empty = digest(&Value::Null);
            let all = present.iter().filter(|(_, digest)| **digest != empty).all(|(field, digest)| ours(field, digest));
            if by_us || (all && !written.is_empty()) { Change::Ours } else { Change::New }
        }
        Some(seen) => {
            // A field that is told since a while only, because the configuration asks for it, has not changed by that.
            let differs = |(field, digest): &(&String, &String)| seen.get(*field).is_some_and(|seen| seen != *digest);
            let changed: Vec<_> = present.iter().filter(differs).collect();
            if changed.is_empty() {
                Change::Same
            } else if changed.iter().all(|(field, digest)| ours(field, digest)) {
                Change::Ours
            } else {
                Change::Fields(changed.into_iter().map(|(field, _)| field.clone()).collect())
            }
        }
    };

    for (field, written) in &written {
        let of = present.iter().find(|(name, _)| encode(name).to_string() == *field);
        let awaited = match (of, &seen) {
            // What we wrote is not to be seen yet: some systems show it late.
            (Some((name, digest)), Some(seen)) => seen.get(name) == Some(digest) && digest != written,
            _ => false,
        };
        if !awaited {
            kv::delete(&format!("{prefix}{field}"))?;
        }
    }
    if seen.as_ref() != Some(&present) {
        kv::set_json(&snapshot(object, id), &present)?;
    }
    Ok(change)
}

/// Forgets a record that is gone.
///
/// # Errors
/// Those of key-value.
pub fn forget(object: &str, id: &str) -> Result<(), Failure> {
    let marks: Vec<_> = kv::keys(&mark(object, id, "")).collect::<Result<_, _>>()?;
    for key in marks {
        kv::delete(&key)?;
    }
    kv::delete(&snapshot(object, id))
}

fn snapshot(object: &str, id: &str) -> String {
    format!("seen/{object}/{}", encode(id))
}

fn mark(object: &str, id: &str, field: &str) -> String {
    format!("wrote/{object}/{}/{}", encode(id), encode(field))
}

/// A value in a few characters: FNV-1a. Absent, null and empty are the same, spaces at the ends don't count, and a number is its digits.
fn digest(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
