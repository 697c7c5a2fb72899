//! Whether what is stored keeps its own rules.

use sha2::{Digest as _, Sha256};

use super::sql::{Dialect, sql};
use super::{Store, StoreError};

/// Examples shown of each kind of damage.
const EXAMPLES: usize = 5;
/// Rows read at once.
const PAGE: u32 = 500;

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong.
    pub what: &'static str,
    /// With how many.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// Rules, each with a statement that finds what breaks it.
const RULES: &[(&str, &str)] = &[
    (
        "runs that have not ended, are not due, and wait for nothing: they would never go on",
        "select id from run where ended_at is null and due_at is null and status <> 'waiting' and not exists (select 1 from run before \
         where before.route = run.route and before.order_key = run.order_key \
         and (before.ended_at is null or (before.status = 'dead' and before.order_hold = 1 and before.superseded = 0)) \
         and before.order_away = 0 and before.id <> run.id \
         and (run.order_away = 2 or coalesce(before.order_place, before.seq) < coalesce(run.order_place, run.seq)))",
    ),
    (
        "runs whose status and end contradict each other",
        "select id from run where (ended_at is null) <> (status not in ('succeeded', 'dead', 'cancelled'))",
    ),
    ("runs that have ended and are due", "select id from run where ended_at is not null and due_at is not null"),
    ("lines with more than one unfinished run", "select root from run where ended_at is null group by root having count(*) > 1"),
    (
        "runs that count although they were replayed",
        "select id from run where superseded = 0 and exists (select 1 from run later where later.replay_of = run.id)",
    ),
    (
        "runs of a configuration that is not stored",
        "select id from run where not exists (select 1 from revision where revision.number = run.revision)",
    ),
    (
        "journalled writes of lines that are not there",
        "select distinct root from effect where not exists (select 1 from run where run.root = effect.root) \
         and not exists (select 1 from batch where batch.id = effect.root)",
    ),
    (
        "keys claimed by runs that have ended",
        "select key_claim.key from key_claim where not exists (select 1 from run where run.id = key_claim.run and run.ended_at is null)",
    ),
    (
        "waits for events of runs that have ended",
        "select wait.run from wait where not exists (select 1 from run where run.id = wait.run and run.ended_at is null)",
    ),
    (
        "events whose identity is not remembered: their senders' repetitions would be taken for new events",
        "select eid from event where digest is null and not exists (select 1 from seen where seen.source = event.source and seen.id = event.id)",
    ),
];

impl Store {
    /// Looks for damage: of the file, and of the rules between rows. Reads all of it.
    pub async fn verify(&self) -> Result<Vec<Damage>, StoreError> {
        let mut found = Vec::new();
        if self.dialect() == Dialect::Sqlite {
            let said: Vec<String> =
                sql("pragma integrity_check").scalars(&self.readers).await.map_err(StoreError::doing("check its file"))?;
            note(&mut found, "the file is damaged", said.into_iter().filter(|line| line != "ok").collect());
            let orphans: Vec<String> = sql("select \"table\" || ' ' || coalesce(rowid, '') from pragma_foreign_key_check")
                .scalars(&self.readers)
                .await
                .map_err(StoreError::doing("check its references"))?;
            note(&mut found, "rows that belong to something that is not there", orphans);
        }
        for (what, rule) in RULES {
            let broken: Vec<String> = sql(rule).scalars(&self.readers).await.map_err(StoreError::doing("check its rules"))?;
            note(&mut found, what, broken);
        }
        note(
            &mut found,
            "events that are not JSON",
            self.not_json("select eid, body from event where eid > ? order by eid limit ?").await?,
        );
        note(
            &mut found,
            "runs whose state is not JSON",
            self.not_json("select id, coalesce(state, 'null') from run where id > ? order by id limit ?").await?,
        );
        let digests: Vec<String> =
            sql("select digest from component").scalars(&self.readers).await.map_err(StoreError::doing("list components"))?;
        let mut other = Vec::new();
        for digest in digests {
            let bytes = self.component(&digest).await?.unwrap_or_default();
            let is: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            if digest.trim_start_matches("sha256:") != is {
                other.push(digest);
            }
        }
        note(&mut found, "components that are not what their digest says", other);
        Ok(found)
    }

    async fn not_json(&self, statement: &'static str) -> Result<Vec<String>, StoreError> {
        let mut broken = Vec::new();
        let mut after = String::new();
        loop {
            let rows = sql(statement).bind(&after).bind(PAGE).fetch_all(&self.readers).await.map_err(StoreError::doing("read itself"))?;
            for row in &rows {
                let id: String = row.get(0);
                if serde_json::from_str::<serde::de::IgnoredAny>(&row.get::<String>(1)).is_err() {
                    broken.push(id.clone());
                }
                after = id;
            }
            if rows.len() < PAGE as usize {
                return Ok(broken);
            }
        }
    }
}

fn note(found: &mut Vec<Damage>, what: &'static str, mut broken: Vec<String>) {
    if !broken.is_empty() {
        let count = broken.len() as u64;
        broken.truncate(EXAMPLES);
        found.push(Damage { what, count, examples: broken });
    }
}
