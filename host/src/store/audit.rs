//! The audit log's table. An entry is appended in the transaction of the act that it tells of.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::row::Row;
use super::sealed::check_key;
use super::sql::{Connection, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis};
use crate::audit::{Act, Action, Anchor, AuditKey, Broken, Head, PublicKey, Record, Rotation, Verified, Verifier, canonical};

/// Where the store keeps the signed end of the log.
const HEAD: &str = "audit-head";
/// Entries read at once.
const PAGE: u32 = 500;

/// The key that signs entries, once there is one. Shared by the clones of a store.
#[derive(Debug, Clone, Default)]
pub(super) struct Signer(Arc<RwLock<Option<Arc<AuditKey>>>>);

/// An entry on its way: travels with the write of its act.
#[derive(Debug, Clone)]
pub(super) struct Note {
    act: Act,
    at: Timestamp,
    key: Arc<AuditKey>,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Id or name of the actor.
    pub actor: Option<String>,
    /// Exact.
    pub action: Option<String>,
    /// Exact.
    pub object: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only entries before that number: the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Note {
    pub(super) fn new(act: Act, at: Timestamp, key: AuditKey) -> Note {
        Note { act, at, key: Arc::new(key) }
    }

    /// With what the transaction has found out.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Note {
        self.act = self.act.with(name, value);
        self
    }

    /// Appends the entry, as the last thing its transaction does. On a shared store that transaction needs [`Terms::audit`].
    pub(super) async fn append(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let doing = || StoreError::doing("write to the audit log");
        check_key(connection, self.key.fingerprint()).await?;
        let last = sql("select seq, hash from audit order by seq desc limit 1").fetch_optional(&mut *connection).await.map_err(doing())?;
        let record = Record::after(last.map(|row| (row.get("seq"), row.get("hash"))), &self.act, self.at, &self.key);
        sql("insert into audit (seq, at, actor_kind, actor_id, actor_name, origin, action, object, details, previous, hash, signature) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(record.seq)
        .bind(millis(record.at))
        .bind(&record.actor_kind)
        .bind(&record.actor_id)
        .bind(&record.actor_name)
        .bind(&record.from)
        .bind(&record.action)
        .bind(&record.object)
        .bind(canonical(&Value::Object(record.details.clone())))
        .bind(&record.previous)
        .bind(&record.hash)
        .bind(&record.signature)
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
        sql("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
            .bind(HEAD)
            .bind(Head::of(&record, &self.key).text().into_bytes())
            .execute(connection)
            .await
            .map_err(doing())?;
        Ok(())
    }
}

impl Store {
    /// From now on entries are signed with that key.
    pub fn sign_audit_with(&self, key: AuditKey) {
        *self.signer.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key));
    }

    /// What others verify this log with.
    pub fn audit_key(&self) -> Result<PublicKey, StoreError> {
        self.signing_key().map(|key| key.public())
    }

    fn signing_key(&self) -> Result<Arc<AuditKey>, StoreError> {
        self.signer.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::NoKey)
    }

    /// The entry of an act, for the transaction that does it.
    pub(super) fn note(&self, act: Act, at: Timestamp) -> Result<Note, StoreError> {
        Ok(Note { act, at, key: self.signing_key()? })
    }

    /// Writes an entry of its own: for an act that changes nothing in the store, or whose change is there already.
    pub async fn audit(&self, act: Act, at: Timestamp) -> Result<(), StoreError> {
        let note = self.note(act, at)?;
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let note = note.clone();
                Box::pin(async move { note.append(connection).await })
            })
            .await
    }

    /// A page of entries, newest first; and whether there are more.
    pub async fn audit_page(&self, filter: &AuditFilter) -> Result<(Vec<Record>, bool), StoreError> {
        let mut query = sql("select * from audit where 1 = 1");
        if let Some(actor) = &filter.actor {
            query.push(" and (actor_id = ").push_bind(actor).push(" or actor_name = ").push_bind(actor).push(")");
        }
        if let Some(action) = &filter.action {
            query.push(" and action = ").push_bind(action);
        }
        if let Some(object) = &filter.object {
            query.push(" and object = ").push_bind(object);
        }
        if let Some(since) = filter.since {
            query.push(" and at >= ").push_bind(millis(since));
        }
        if let Some(until) = filter.until {
            query.push(" and at < ").push_bind(millis(until));
        }
        if let Some(before) = filter.before {
            query.push(" and seq < ").push_bind(before);
        }
        query.push(" order by seq desc limit ").push_bind(i64::from(filter.limit) + 1);
        let rows = query.fetch_all(&self.readers).await.map_err(StoreError::doing("read the audit log"))?;
        let more = rows.len() > filter.limit as usize;
        Ok((rows.iter().take(filter.limit as usize).map(record).collect(), more))
    }

    /// Entries after a number, oldest first: the next bite of the whole log.
    pub async fn audit_after(&self, seq: i64) -> Result<Vec<Record>, StoreError> {
        let rows = sql("select * from audit where seq > ? order by seq limit ?")
            .bind(seq)
            .bind(PAGE)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read the audit log"))?;
        Ok(rows.iter().map(record).collect())
    }

    /// Goes through the whole log and names the first bad entry.
    pub async fn audit_verify(&self, anchor: Option<Anchor>) -> Result<Result<Verified, Broken>, StoreError> {
        let changes = sql("select * from audit where action = ? order by seq")
            .bind(Action::KeyRotated.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read the audit log"))?;
        let changes = changes.iter().map(record).filter_map(|record| Rotation::of(&record)).collect();
        let mut verifier = Verifier::new(self.audit_key()?, changes, anchor);
        let mut last = i64::MIN;
        loop {
            let page = self.audit_after(last).await?;
            if let Some(end) = page.last() {
                // Also where a number was made smaller by hand: the verifier has seen it then, and this ends.
                last = last.max(end.seq);
                if let Some(broken) = page.iter().find_map(|record| verifier.take(record).err()) {
                    return Ok(Err(broken));
                }
                continue;
            }
            // Read after the entries, with which it is committed: it can only be ahead of them, by what was appended meanwhile.
            let head = self.meta_get(HEAD).await?.and_then(|head| Head::parse(&head));
            if head.as_ref().is_some_and(|head| head.seq > last) && !self.audit_after(last).await?.is_empty() {
                continue;
            }
            return Ok(verifier.finish(Some(head)));
        }
    }
}

/// A row as it is: what somebody made unreadable by hand reads as something else, and does not fit its hash then.
fn record(row: &Row) -> Record {
    let text = |column| row.readable::<String>(column).unwrap_or_default();
    let details = row.readable::<String>("details").unwrap_or_default();
    let at = row.readable("at").and_then(|at: i64| Timestamp::from_millisecond(at).ok());
    Record {
        seq: row.readable("seq").unwrap_or_default(),
        at: at.unwrap_or(Timestamp::MIN),
        actor_kind: text("actor_kind"),
        actor_id: text("actor_id"),
        actor_name: text("actor_name"),
        from: text("origin"),
        action: text("action"),
        object: text("object"),
        details: serde_json::from_str(&details).unwrap_or_else(|_| Map::from_iter([("unreadable".to_owned(), Value::String(details))])),
        previous: text("previous"),
        hash: text("hash"),
        signature: text("signature"),
    }
}
