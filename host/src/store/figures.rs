//! What the store holds now, counted in indexes.

use jiff::Timestamp;

use super::sql::{Dialect, sql};
use super::{Store, StoreError, millis, timestamp};

/// Actions that are told apart.
const MOST: u32 = 100;

/// Dead letters that one action of a plugin left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadOfAction {
    /// The plugin.
    pub plugin: String,
    /// Its action.
    pub action: String,
    /// How many.
    pub count: u64,
    /// The latest one's event.
    pub eid: String,
    /// Its run.
    pub run: String,
    /// Its route.
    pub route: String,
    /// The step that failed.
    pub step: String,
    /// How.
    pub kind: String,
    /// When it died.
    pub died_at: Timestamp,
}

impl Store {
    /// Runs that have not ended: route, status, number. The work grows with their number.
    pub async fn open_runs(&self) -> Result<Vec<(String, String, u64)>, StoreError> {
        let rows = sql("select route, status, count(*) from run where ended_at is null group by route, status")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("count the runs that have not ended"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), u64::try_from(row.get::<i64>(2)).unwrap_or(0))).collect())
    }

    /// Runs that have not ended, and the steps at which some of them wait, of one moment: route, status, step, number. Where the undo of a step waits,
    /// it is that step; the whole number of a status has no step. The work grows with their number.
    pub async fn open_runs_and_steps(&self) -> Result<Vec<(String, String, Option<String>, u64)>, StoreError> {
        // One statement sees one state of the store.
        let query = match self.dialect() {
            Dialect::Sqlite => {
                "select route, status, null, count(*) from run where ended_at is null group by route, status union all \
                 select run.route, run.status, json_extract(step.value, '$.name'), count(*) from run, json_each(run.state, '$.steps') step \
                 where run.ended_at is null and run.status = 'waiting' and run.state is not null \
                 and 'waiting' in (json_extract(step.value, '$.status'), json_extract(step.value, '$.undo.status')) group by 1, 2, 3"
            }
            Dialect::Postgres => {
                "select route, status, cast(null as text), count(*) from run where ended_at is null group by route, status union all \
                 select run.route, run.status, step.value ->> 'name', count(*) \
                 from run, json_array_elements(cast(run.state as json) -> 'steps') step (value) \
                 where run.ended_at is null and run.status = 'waiting' and run.state is not null \
                 and 'waiting' in (step.value ->> 'status', step.value -> 'undo' ->> 'status') group by 1, 2, 3"
            }
        };
        let rows = sql(query).fetch_all(&self.readers).await.map_err(StoreError::doing("count the runs and the steps that wait"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), u64::try_from(row.get::<i64>(3)).unwrap_or(0))).collect())
    }

    /// Dead letters since a time by the action that failed, the most first, with the latest of each.
    pub async fn dead_by_action(&self, since: Timestamp) -> Result<Vec<DeadOfAction>, StoreError> {
        let rows = sql("with dead as (select failed_plugin, failed_action, count(*) as letters, max(seq) as latest from run \
             where status = 'dead' and superseded = 0 and ended_at >= ? and failed_plugin is not null and failed_action is not null \
             group by failed_plugin, failed_action order by letters desc limit ?) \
             select dead.failed_plugin, dead.failed_action, dead.letters, run.eid, run.id, run.route, coalesce(run.failed_step, ''), \
             coalesce(run.failure, ''), run.ended_at from dead join run on run.seq = dead.latest order by dead.letters desc")
        .bind(millis(since))
        .bind(MOST)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("count dead letters by action"))?;
        rows.iter()
            .map(|row| {
                Ok(DeadOfAction {
                    plugin: row.get(0),
                    action: row.get(1),
                    count: u64::try_from(row.get::<i64>(2)).unwrap_or(0),
                    eid: row.get(3),
                    run: row.get(4),
                    route: row.get(5),
                    step: row.get(6),
                    kind: row.get(7),
                    died_at: timestamp(row.get(8))?,
                })
            })
            .collect()
    }
}
