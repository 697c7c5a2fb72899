//! An entry with its place in the log.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::act::Act;
use super::canonical::canonical;
use super::key::{AuditKey, Signed, hex};

/// What the first entry names as the hash of the one before.
pub const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry as kept and exported.
///
/// Its hash is SHA-256 of the canonical JSON (RFC 8785) of [`Record::content`], its signature Ed25519 over the text `sangam audit entry v1 ` and
/// that hash in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, without gaps.
    pub seq: i64,
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Kind of the actor.
    pub actor_kind: String,
    /// What identifies it.
    pub actor_id: String,
    /// What people call it.
    pub actor_name: String,
    /// From where.
    pub from: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// More about it.
    pub details: Map<String, Value>,
    /// Hash of the entry before.
    pub previous: String,
    /// Its own.
    pub hash: String,
    /// Of its hash.
    pub signature: String,
}

impl Record {
    /// The entry of an act, after the one with that number and hash.
    pub fn after(previous: Option<(i64, String)>, act: &Act, at: Timestamp, key: &AuditKey) -> Record {
        let (seq, previous) = previous.unwrap_or((0, NOTHING_BEFORE.to_owned()));
        let mut record = Record {
            seq: seq + 1,
            // As the store keeps it.
            at: Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at),
            actor_kind: act.by.actor.kind().to_owned(),
            actor_id: act.by.actor.id().replace('\0', "\u{2400}"),
            actor_name: act.by.actor.name().replace('\0', "\u{2400}"),
            from: act.by.from.replace('\0', "\u{2400}"),
            action: act.action.as_str().to_owned(),
            object: act.object.clone(),
            details: act.details.clone(),
            previous,
            hash: String::new(),
            signature: String::new(),
        };
        record.hash = record.computed_hash();
        record.signature = key.sign(Signed::Entry, &record.hash);
        record
    }

    /// What the hash is computed over.
    pub fn content(&self) -> Value {
        json!({
            "seq": self.seq,
            "at": self.at.to_string(),
            "actor": { "kind": self.actor_kind, "id": self.actor_id, "name": self.actor_name },
            "from": self.from,
            "action": self.action,
            "object": self.object,
            "details": self.details,
            "previous": self.previous,
        })
    }

    /// The hash that fits the content.
    pub fn computed_hash(&self) -> String {
        hex(&Sha256::digest(canonical(&self.content())))
    }

    /// As exported: the content with hash and signature.
    pub fn document(&self) -> Value {
        let mut document = self.content();
        document["hash"] = json!(self.hash);
        document["signature"] = json!(self.signature);
        document
    }

    /// Reads what [`Record::document`] wrote. Only what it writes is taken: another member, or another spelling of a time, would escape the hash.
    pub fn parse(line: &str) -> Result<Record, Unreadable> {
        let document: Value = serde_json::from_str(line).map_err(|_| Unreadable)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(Unreadable);
        let record = Record {
            seq: document["seq"].as_i64().ok_or(Unreadable)?,
            at: document["at"].as_str().and_then(|at| at.parse().ok()).ok_or(Unreadable)?,
            actor_kind: text(&document["actor"]["kind"])?,
            actor_id: text(&document["actor"]["id"])?,
            actor_name: text(&document["actor"]["name"])?,
            from: text(&document["from"])?,
            action: text(&document["action"])?,
            object: text(&document["object"])?,
            details: document["details"].as_object().cloned().ok_or(Unreadable)?,
            previous: text(&document["previous"])?,
            hash: text(&document["hash"])?,
            signature: text(&document["signature"])?,
        };
        if record.document() == document { Ok(record) } else { Err(Unreadable) }
    }
}

/// A line that is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an entry of an audit log")]
pub struct Unreadable;

/// Where the log ends, signed: without the key nobody can make it end earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Of the last entry.
    pub seq: i64,
    /// Of the last entry.
    pub hash: String,
    /// Ed25519 over the text `sangam audit head v1 ` and that hash.
    pub signature: String,
}

impl Head {
    /// After that entry.
    pub fn of(record: &Record, key: &AuditKey) -> Head {
        Head { seq: record.seq, hash: record.hash.clone(), signature: key.sign(Signed::Head, &record.hash) }
    }

    /// As kept.
    pub fn text(&self) -> String {
        json!({ "seq": self.seq, "hash": self.hash, "signature": self.signature }).to_string()
    }

    /// Reads what [`Head::text`] wrote.
    pub fn parse(text: &[u8]) -> Option<Head> {
        let head: Value = serde_json::from_slice(text).ok()?;
        let text = |name: &str| head[name].as_str().map(str::to_owned);
        Some(Head { seq: head["seq"].as_i64()?, hash: text("hash")?, signature: text("signature")? })
    }
}
