//! What is in a store, read from its file once whoever wrote it is gone.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// A database, opened to be read.
#[derive(Debug)]
pub(crate) struct Stored(SqliteConnection);

impl Stored {
    /// The database that a host in this folder has by default.
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Stored> {
        Stored::file(&folder.join("data/sangam.db")).await
    }

    /// Any, whose table `event` has the events' ids.
    pub(crate) async fn file(file: &Path) -> anyhow::Result<Stored> {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(false);
        let mut connection = SqliteConnection::connect_with(&options).await.with_context(|| format!("opening {}", file.display()))?;
        let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut connection).await?;
        anyhow::ensure!(mode == "wal", "the store's journal is {mode:?} and not a write-ahead log: the durability is another than stated");
        Ok(Stored(connection))
    }

    /// Serial numbers of all events.
    pub(crate) async fn serials(&mut self) -> anyhow::Result<HashSet<u64>> {
        let ids: Vec<String> = sqlx::query_scalar("select id from event").fetch_all(&mut self.0).await?;
        let count = ids.len();
        let serials: HashSet<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        anyhow::ensure!(serials.len() == count, "{count} events are stored under {} ids", serials.len());
        Ok(serials)
    }

    /// How many events there are.
    pub(crate) async fn events(&mut self) -> anyhow::Result<u64> {
        let count: i64 = sqlx::query_scalar("select count(*) from event").fetch_one(&mut self.0).await?;
        Ok(u64::try_from(count)?)
    }

    /// How many runs have that status, and how many there are.
    pub(crate) async fn runs(&mut self, status: &str) -> anyhow::Result<(u64, u64)> {
        let row: (i64, i64) =
            sqlx::query_as("select count(*) filter (where status = ?), count(*) from run").bind(status).fetch_one(&mut self.0).await?;
        Ok((u64::try_from(row.0)?, u64::try_from(row.1)?))
    }

    /// What the peer `floor` has: intents, outcomes, and runs that ended.
    pub(crate) async fn floor(&mut self) -> anyhow::Result<[u64; 3]> {
        let count = "select (select count(*) from intent), (select count(*) from outcome), (select count(*) from ended)";
        let (intents, outcomes, ended): (i64, i64, i64) = sqlx::query_as(count).fetch_one(&mut self.0).await?;
        Ok([intents.try_into()?, outcomes.try_into()?, ended.try_into()?])
    }
}
