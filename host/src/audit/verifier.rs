//! Goes through a log from its first entry and stops at the first that is bad.

use super::act::Action;
use super::key::{PublicKey, Signed};
use super::record::{Head, NOTHING_BEFORE, Record};

/// A hash that somebody kept elsewhere: the log must hold the entry it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor(String);

impl Anchor {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Anchor> {
        let text = text.trim().to_ascii_lowercase();
        (text.len() == NOTHING_BEFORE.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(Anchor(text))
    }
}

/// Where the key changed: entries before that one are signed with the former key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    seq: i64,
    former: PublicKey,
}

impl Rotation {
    /// What an entry says of it, if it does.
    pub fn of(record: &Record) -> Option<Rotation> {
        let former = record.details.get("former_audit_key").and_then(|key| key.as_str());
        let former = former.filter(|_| record.action == Action::KeyRotated.as_str()).and_then(PublicKey::parse)?;
        Some(Rotation { seq: record.seq, former })
    }
}

/// What is wrong, and with which entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A line of an export that is no entry.
    #[error("line {0} is not an entry of an audit log")]
    Unreadable(i64),
    /// One or more are gone, or were moved.
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Missing {
        /// What should follow.
        expected: i64,
        /// What does.
        found: i64,
    },
    /// Its content is not what was hashed.
    #[error("entry {0} was changed: its hash does not fit what it says")]
    Changed(i64),
    /// It follows another entry than the one before.
    #[error("entry {0} does not follow the one before: that one was changed, or this one was put in")]
    Unlinked(i64),
    /// The signature is not the host's.
    #[error("entry {0} is not signed with the key of this log: it was written by somebody without the key")]
    Forged(i64),
    /// The log ends before its signed end.
    #[error("the end was cut off: the log ends with entry {last}, its signed head is entry {head}")]
    Cut {
        /// The last there is.
        last: i64,
        /// The last there was.
        head: i64,
    },
    /// There is no signed end, or it is somebody else's.
    #[error("the signed head of the log is missing or forged: entries after {0} may have been cut off")]
    Head(i64),
    /// The anchor is not there.
    #[error("no entry has the hash that was kept as anchor: the log was cut off before it, or replaced by another one")]
    Anchor,
}

/// A log in which everything fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries.
    pub entries: i64,
    /// Hash of the last: to be kept elsewhere as anchor.
    pub head: String,
}

/// Takes the entries of a log one after another.
#[derive(Debug)]
pub struct Verifier {
    key: PublicKey,
    /// By number.
    rotations: Vec<Rotation>,
    anchor: Option<Anchor>,
    last: Option<(i64, String)>,
}

impl Verifier {
    /// For a log that is signed with `key` now and whose key changed at these entries before.
    pub fn new(key: PublicKey, mut rotations: Vec<Rotation>, anchor: Option<Anchor>) -> Verifier {
        rotations.sort_by_key(|rotation| rotation.seq);
        Verifier { key, rotations, anchor, last: None }
    }

    /// The next entry.
    ///
    /// # Errors
    /// What is wrong with it, or missing before it.
    pub fn take(&mut self, record: &Record) -> Result<(), Broken> {
        let (seq, hash) = self.last.as_ref().map_or((0, NOTHING_BEFORE), |(seq, hash)| (*seq, hash.as_str()));
        if record.seq != seq + 1 {
            return Err(Broken::Missing { expected: seq + 1, found: record.seq });
        }
        if record.hash != record.computed_hash() {
            return Err(Broken::Changed(record.seq));
        }
        if record.previous != hash {
            return Err(Broken::Unlinked(record.seq));
        }
        // The entry of a change is signed with the new key already, which binds all before it once more.
        let key = self.rotations.iter().find(|rotation| record.seq < rotation.seq).map_or(self.key, |rotation| rotation.former);
        if !key.verifies(Signed::Entry, &record.hash, &record.signature) {
            return Err(Broken::Forged(record.seq));
        }
        if self.anchor.as_ref().is_some_and(|anchor| anchor.0 == record.hash) {
            self.anchor = None;
        }
        self.last = Some((record.seq, record.hash.clone()));
        Ok(())
    }

    /// There are no more entries. `head`: the signed end, where there is one; an export has none, and its end is known by an anchor only.
    ///
    /// # Errors
    /// The log ends too early.
    pub fn finish(self, head: Option<Option<Head>>) -> Result<Verified, Broken> {
        let (last, hash) = self.last.unwrap_or((0, NOTHING_BEFORE.to_owned()));
        match head {
            None => {}
            Some(None) if last == 0 => {}
            Some(None) => return Err(Broken::Head(last)),
            Some(Some(head)) if !self.key.verifies(Signed::Head, &head.hash, &head.signature) => return Err(Broken::Head(last)),
            Some(Some(head)) if head.hash == hash => {}
            Some(Some(head)) => return Err(Broken::Cut { last, head: head.seq }),
        }
        if self.anchor.is_some() {
            return Err(Broken::Anchor);
        }
        Ok(Verified { entries: last, head: hash })
    }
}
