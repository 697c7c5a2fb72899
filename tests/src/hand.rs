//! A hand in the store of a folder, past the host: what somebody with the database can read and write.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _, SqliteConnection};

use crate::HostFolder;

/// A connection of its own, beside whatever host runs.
#[derive(Debug)]
pub enum Hand {
    /// To the file.
    Sqlite(SqliteConnection),
    /// To the database.
    Postgres(PgConnection),
}

impl Hand {
    /// Into the store of a folder that hosts have used.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn into(folder: &HostFolder) -> anyhow::Result<Hand> {
        Ok(match folder.database() {
            Some(database) => Hand::Postgres(PgConnectOptions::from_str(&database.url())?.connect().await?),
            None => {
                let file = SqliteConnectOptions::new().filename(folder.path().join("data/sangam.db"));
                Hand::Sqlite(file.busy_timeout(std::time::Duration::from_secs(20)).connect().await?)
            }
        })
    }

    /// Runs statements.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, statements: &str) -> anyhow::Result<()> {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self {
            Hand::Sqlite(connection) => statements.execute(connection).await.map(drop)?,
            Hand::Postgres(connection) => statements.execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// The first column, a text, of all rows.
    ///
    /// # Errors
    /// What the database says.
    pub async fn texts(&mut self, query: &str) -> anyhow::Result<Vec<String>> {
        let query = sqlx::raw_sql(AssertSqlSafe(query.to_owned()));
        Ok(match self {
            Hand::Sqlite(connection) => query.fetch_all(connection).await?.iter().map(|row| row.get(0)).collect(),
            Hand::Postgres(connection) => query.fetch_all(connection).await?.iter().map(|row| row.get(0)).collect(),
        })
    }

    /// Takes away what keeps the audit log from being changed by accident, as somebody with the right to change the schema can.
    ///
    /// # Errors
    /// What the database says.
    pub async fn disarm(&mut self) -> anyhow::Result<()> {
        match self {
            Hand::Sqlite(_) => self.run("drop trigger audit_stays; drop trigger audit_is_kept").await,
            Hand::Postgres(_) => self.run("drop trigger audit_stays on audit").await,
        }
    }

    /// All rows of all tables as text, by table. Bytes of PostgreSQL are hexadecimal digits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dump(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        let tables = match self {
            Hand::Sqlite(_) => self.texts("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").await?,
            Hand::Postgres(_) => self.texts("select table_name::text from information_schema.tables where table_schema = 'public'").await?,
        };
        let mut dump = Vec::new();
        for table in tables {
            let rows = match self {
                Hand::Postgres(_) => self.texts(&format!("select t::text from \"{table}\" t")).await?,
                Hand::Sqlite(_) => {
                    let columns = self.texts(&format!("select name from pragma_table_info('{table}')")).await?;
                    // Text as it is, bytes as hexadecimal digits.
                    let shown: Vec<String> = columns
                        .iter()
                        .map(|column| {
                            format!("coalesce(case when typeof(\"{column}\") = 'blob' then hex(\"{column}\") else \"{column}\" end, '')")
                        })
                        .collect();
                    self.texts(&format!("select cast({} as text) from \"{table}\"", shown.join(" || ' ' || "))).await?
                }
            };
            dump.push((table, rows.join("\n")));
        }
        Ok(dump)
    }
}
