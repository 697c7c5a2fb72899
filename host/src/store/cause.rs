//! Dead letters gathered by what they died of.

use jiff::Timestamp;

use super::dead_letter::DeadLetterFilter;
use super::query::{RunRow, run_row};
use super::row::Row;
use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, timestamp};

/// Dead letters that died of the same.
#[derive(Debug, Clone)]
pub struct CauseRow {
    /// What they share; see [`crate::run::Death::cause`].
    pub cause: String,
    /// How many.
    pub count: u64,
    /// The first death.
    pub first_at: Timestamp,
    /// The last.
    pub last_at: Timestamp,
    /// One of them, the last that was accepted.
    pub sample: DeadRun,
}

/// A dead run with what its cause is made of.
#[derive(Debug, Clone)]
pub struct DeadRun {
    /// The run.
    pub run: RunRow,
    /// Kind of failure.
    pub failure: Option<String>,
    /// Plugin of the step that failed.
    pub plugin: Option<String>,
    /// Its event, structured JSON.
    pub body: String,
}

/// What is to be known of a dead run from now on.
#[derive(Debug, Clone)]
pub struct NewCause {
    /// The run.
    pub run: String,
    /// Step that failed.
    pub step: Option<String>,
    /// Its action.
    pub action: Option<String>,
    /// See [`crate::run::Death::cause`].
    pub cause: String,
}

impl Store {
    /// Dead letters whose cause nobody has written down: of an earlier version, dead before their first step, or changed by an erasure.
    pub async fn without_cause(&self, most: u32) -> Result<Vec<DeadRun>, StoreError> {
        let rows = sql("select run.*, event.body as event_body from run join event on event.eid = run.eid \
             where run.status = 'dead' and run.superseded = 0 and run.cause is null limit ?")
        .bind(most)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("look for dead letters without a cause"))?;
        rows.iter().map(dead_run).collect()
    }

    /// Writes causes down. A run that has one by now keeps it.
    pub async fn keep_causes(&self, causes: Vec<NewCause>) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let causes = causes.clone();
                Box::pin(async move {
                    for new in causes {
                        sql(
                            "update run set cause = ?, failed_step = coalesce(failed_step, ?), failed_action = coalesce(failed_action, ?) \
                             where id = ? and cause is null",
                        )
                        .bind(new.cause)
                        .bind(new.step)
                        .bind(new.action)
                        .bind(new.run)
                        .execute(&mut *connection)
                        .await
                        .map_err(StoreError::doing("keep the cause of a dead letter"))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Causes of the dead letters that a filter finds, the most frequent first and at most `filter.limit`; and how many letters and causes there are
    /// in all. Without a filter that is one walk through an index of dead letters, and of nothing else.
    pub async fn causes(&self, filter: &DeadLetterFilter) -> Result<(Vec<CauseRow>, u64, u64), StoreError> {
        let doing = || StoreError::doing("gather dead letters by cause");
        let mut query = sql(
            "select run.cause as cause, count(*) as letters, min(run.ended_at) as first_at, max(run.ended_at) as last_at, max(run.seq) as sample from run",
        );
        if filter.asks_events() {
            query.push(" join event on event.eid = run.eid");
        }
        query.push(" where run.status = 'dead' and run.superseded = 0");
        filter.push(&mut query, self.dialect());
        query.push(" group by run.cause order by letters desc, last_at desc");
        let rows = query.fetch_all(&self.readers).await.map_err(doing())?;
        let count = |row: &Row| u64::try_from(row.get::<i64>("letters")).unwrap_or(0);
        let (letters, causes) = (rows.iter().map(count).sum(), rows.len() as u64);
        let rows = &rows[..rows.len().min(filter.limit as usize)];
        let mut samples = sql("select run.*, event.body as event_body from run join event on event.eid = run.eid where run.seq in ");
        samples.push_list(rows.iter().map(|row| row.get::<i64>("sample")));
        let samples = if rows.is_empty() { Vec::new() } else { samples.fetch_all(&self.readers).await.map_err(doing())? };
        let mut gathered = Vec::with_capacity(rows.len());
        for row in rows {
            // Replayed or pruned meanwhile: it is gone from the list, too.
            let Some(sample) = samples.iter().find(|sample| sample.get::<i64>("seq") == row.get::<i64>("sample")) else { continue };
            gathered.push(CauseRow {
                cause: row.get::<Option<String>>("cause").unwrap_or_default(),
                count: count(row),
                first_at: timestamp(row.get("first_at"))?,
                last_at: timestamp(row.get("last_at"))?,
                sample: dead_run(sample)?,
            });
        }
        Ok((gathered, letters, causes))
    }
}

fn dead_run(row: &Row) -> Result<DeadRun, StoreError> {
    Ok(DeadRun { run: run_row(row)?, failure: row.get("failure"), plugin: row.get("failed_plugin"), body: row.get("event_body") })
}
