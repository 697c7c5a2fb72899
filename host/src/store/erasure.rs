//! Erasures that were asked for: durable, so that one that was begun is brought to its end whatever happens to the host, by one host at a time.

use jiff::Timestamp;

use super::personal::ScanPlace;
use super::row::Row;
use super::sql::{Dialect, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis, optional_timestamp, timestamp};

/// Finished ones that are listed.
const LISTED: u32 = 200;

/// An erasure.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Its id.
    pub id: String,
    /// A keyed digest of whose data is meant.
    pub subject: String,
    /// What is asked for, sealed; `None`: it is done.
    pub sealed: Option<Vec<u8>>,
    /// `looking`, `waiting` (for runs to end), `done`.
    pub state: String,
    /// When it was asked for: later events are not meant.
    pub requested_at: Timestamp,
    /// The event looked at last.
    pub place: Option<ScanPlace>,
    /// What has come of it so far.
    pub figures: ErasureFigures,
    /// What people should know of its end, or of what it waits for.
    pub note: Option<String>,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
    /// Events that it waits for.
    pub waits: u64,
}

/// What has come of an erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureFigures {
    /// Events looked at.
    pub scanned: u64,
    /// Events of which something was erased.
    pub events: u64,
    /// Places in them.
    pub places: u64,
    /// Keys whose value was erased, or that were removed.
    pub key_values: u64,
    /// Identities that stay until they are forgotten.
    pub identities: u64,
    /// What was set aside and named the person, and is gone.
    pub set_aside: u64,
}

impl Store {
    /// Asks for an erasure.
    pub async fn erasure_add(
        &self,
        id: &str,
        subject: &str,
        sealed: Vec<u8>,
        waits: Vec<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, subject) = (id.to_owned(), subject.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (id, subject, sealed, waits) = (id.clone(), subject.clone(), sealed.clone(), waits.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("ask for an erasure");
                    sql("insert into erasure (id, subject, sealed, state, requested_at, received_at, eid) values (?, ?, ?, ?, ?, -1, '')")
                        .bind(&id)
                        .bind(subject)
                        .bind(sealed)
                        .bind("looking")
                        .bind(millis(now))
                        .execute(&mut *connection)
                        .await
                        .map_err(doing())?;
                    for eid in waits {
                        let insert = sql("insert into erasure_wait (erasure, eid) values (?, ?)").bind(&id).bind(eid);
                        insert.execute(&mut *connection).await.map_err(doing())?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Takes an erasure that is not done and that no other host is at: one that is looking, or one of which an event that it waits for is over.
    pub async fn erasure_claim(&self, owner: &str, now: Timestamp, until: Timestamp) -> Result<Option<Erasure>, StoreError> {
        let owner = owner.to_owned();
        let ready = "select id from erasure where finished_at is null and (lease_until is null or lease_until < ?1) \
             and (state = 'looking' or not exists (select 1 from erasure_wait where erasure_wait.erasure = erasure.id) \
             or exists (select 1 from erasure_wait where erasure_wait.erasure = erasure.id and not exists (select 1 from run \
             where run.eid = erasure_wait.eid and (run.ended_at is null or (run.status = 'dead' and run.order_hold = 1 \
             and run.superseded = 0 and run.order_key is not null))))) order by requested_at limit 1";
        let look: Option<String> =
            sql(ready).bind(millis(now)).scalar_optional(&self.readers).await.map_err(StoreError::doing("look for erasures"))?;
        let Some(id) = look else { return Ok(None) };
        let chosen = id.clone();
        let claimed: bool = self
            .writer
            .write(Terms::none(), move |connection| {
                let (owner, id) = (owner.clone(), id.clone());
                Box::pin(async move {
                    let claim = sql("update erasure set lease_owner = ?1, lease_until = ?2 where id = ?3 and finished_at is null \
                         and (lease_until is null or lease_until < ?4) returning id")
                    .bind(owner)
                    .bind(millis(until))
                    .bind(id)
                    .bind(millis(now));
                    let claimed: Option<String> =
                        claim.scalar_optional(connection).await.map_err(StoreError::doing("take up an erasure"))?;
                    Ok(claimed)
                })
            })
            .await
            .map(|claimed: Option<String>| claimed.is_some())?;
        if !claimed {
            return Ok(None);
        }
        let row = sql(ERASURE).bind(&chosen).fetch_optional(&self.readers).await.map_err(StoreError::doing("read an erasure"))?;
        row.as_ref().map(erasure_row).transpose()
    }

    /// Keeps how far an erasure has come, which events it waits for, and which no more; keeps the lease.
    pub async fn erasure_progress(
        &self,
        erasure: &Erasure,
        waits: Vec<String>,
        over: Vec<String>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let erasure = erasure.clone();
        self.writer
            .write(Terms::none(), move |connection| {
                let (erasure, waits, over) = (erasure.clone(), waits.clone(), over.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("keep how far an erasure has come");
                    let (received_at, eid) = erasure.place.map_or((-1, String::new()), |(time, eid)| (millis(time), eid));
                    let figures = erasure.figures;
                    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                    let finished = erasure.finished_at.map(millis);
                    sql("update erasure set state = ?, received_at = ?, eid = ?, scanned = ?, events = ?, places = ?, key_values = ?, identities = ?, \
                         set_aside = ?, note = ?, lease_until = ?, finished_at = ?, sealed = case when ? is null then sealed end where id = ?")
                    .bind(&erasure.state)
                    .bind(received_at)
                    .bind(eid)
                    .bind(count(figures.scanned))
                    .bind(count(figures.events))
                    .bind(count(figures.places))
                    .bind(count(figures.key_values))
                    .bind(count(figures.identities))
                    .bind(count(figures.set_aside))
                    .bind(&erasure.note)
                    .bind(millis(until))
                    .bind(finished)
                    .bind(finished)
                    .bind(&erasure.id)
                    .execute(&mut *connection)
                    .await
                    .map_err(doing())?;
                    for eid in waits {
                        let insert = sql("insert into erasure_wait (erasure, eid) values (?, ?) on conflict do nothing");
                        insert.bind(&erasure.id).bind(eid).execute(&mut *connection).await.map_err(doing())?;
                    }
                    for eid in over {
                        let delete = sql("delete from erasure_wait where erasure = ? and eid = ?").bind(&erasure.id).bind(eid);
                        delete.execute(&mut *connection).await.map_err(doing())?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The events that an erasure waits for.
    pub async fn erasure_waits(&self, id: &str) -> Result<Vec<String>, StoreError> {
        sql("select eid from erasure_wait where erasure = ? order by eid")
            .bind(id)
            .scalars(&self.readers)
            .await
            .map_err(StoreError::doing("read what an erasure waits for"))
    }

    /// An erasure.
    pub async fn erasure(&self, id: &str) -> Result<Option<Erasure>, StoreError> {
        let row = sql(ERASURE).bind(id).fetch_optional(&self.readers).await.map_err(StoreError::doing("read an erasure"))?;
        row.as_ref().map(erasure_row).transpose()
    }

    /// Erasures, the latest first.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        let mut list =
            sql("select erasure.*, (select count(*) from erasure_wait where erasure_wait.erasure = erasure.id) as waits from erasure ");
        list.push("order by requested_at desc, id limit ").push_bind(LISTED);
        let rows = list.fetch_all(&self.readers).await.map_err(StoreError::doing("list erasures"))?;
        rows.iter().map(erasure_row).collect()
    }

    /// Lets go of what the database still keeps of rows that were rewritten: on SQLite free pages and the log. `false`: not all of it yet, since
    /// somebody is reading; ask again. PostgreSQL marks it as free and writes over it in time.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let doing = || StoreError::doing("let go of what was erased");
        if self.dialect() == Dialect::Postgres {
            let vacuums = [
                "vacuum event",
                "vacuum run",
                "vacuum step",
                "vacuum attempt",
                "vacuum effect",
                "vacuum recorded_read",
                "vacuum key_value",
                "vacuum set_aside",
                "vacuum batch",
            ];
            for vacuum in vacuums {
                sql(vacuum).execute(&self.readers).await.map_err(doing())?;
            }
            return Ok(true);
        }
        loop {
            let free: i64 = sql("pragma freelist_count").scalar(&self.readers).await.map_err(doing())?;
            let left: i64 = self
                .writer
                .write(Terms::none(), move |connection| {
                    Box::pin(async move {
                        sql("pragma incremental_vacuum(1024)").fetch_all(&mut *connection).await.map_err(doing())?;
                        sql("pragma freelist_count").scalar(connection).await.map_err(doing())
                    })
                })
                .await?;
            if left == 0 || left >= free {
                break;
            }
        }
        self.checkpoint().await
    }

    /// Writes a SQLite file anew, so that nothing is in it but what is stored; others can't write meanwhile.
    pub async fn rebuild(&self) -> Result<bool, StoreError> {
        if self.dialect() == Dialect::Postgres {
            return Ok(true);
        }
        sql("vacuum").execute(&self.readers).await.map_err(StoreError::doing("write its file anew"))?;
        self.checkpoint().await
    }

    /// How large a SQLite file is, in bytes.
    pub async fn file_size(&self) -> Result<u64, StoreError> {
        let doing = || StoreError::doing("measure its file");
        let page: i64 = sql("pragma page_size").scalar(&self.readers).await.map_err(doing())?;
        let pages: i64 = sql("pragma page_count").scalar(&self.readers).await.map_err(doing())?;
        Ok(u64::try_from(page * pages).unwrap_or(0))
    }

    /// Brings the log back into the file and empties it.
    async fn checkpoint(&self) -> Result<bool, StoreError> {
        let row = sql("pragma wal_checkpoint(truncate)").fetch_one(&self.readers).await;
        Ok(row.map_err(StoreError::doing("empty its log"))?.get::<i64>(0) == 0)
    }
}

const ERASURE: &str =
    "select erasure.*, (select count(*) from erasure_wait where erasure_wait.erasure = erasure.id) as waits from erasure where id = ?";

fn erasure_row(row: &Row) -> Result<Erasure, StoreError> {
    let count = |name: &'static str| u64::try_from(row.get::<i64>(name)).unwrap_or(0);
    let received_at: i64 = row.get("received_at");
    let place = (received_at >= 0).then(|| Ok::<_, StoreError>((timestamp(received_at)?, row.get("eid")))).transpose()?;
    Ok(Erasure {
        id: row.get("id"),
        subject: row.get("subject"),
        sealed: row.get("sealed"),
        state: row.get("state"),
        requested_at: timestamp(row.get("requested_at"))?,
        place,
        figures: ErasureFigures {
            scanned: count("scanned"),
            events: count("events"),
            places: count("places"),
            key_values: count("key_values"),
            identities: count("identities"),
            set_aside: count("set_aside"),
        },
        note: row.get("note"),
        finished_at: optional_timestamp(row.get("finished_at"))?,
        waits: count("waits"),
    })
}
