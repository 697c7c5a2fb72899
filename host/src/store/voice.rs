//! What this host tells the others of what happened on it. Beside the commits and for nobody's waiting: what is lost with the host leaves a hole that
//! the others see.

use sqlx::postgres::PgConnectOptions;

use super::sql::{Connection, sql};
use super::{Store, StoreError};

/// Channel of what happened.
pub(super) const NEWS: &str = "sangam_news";
/// Notifications given with one statement.
const AT_ONCE: usize = 32;

/// The connection on which it is told.
#[derive(Debug)]
pub(super) struct Voice {
    options: PgConnectOptions,
    connection: tokio::sync::Mutex<Option<Connection>>,
}

impl Voice {
    pub(super) fn new(options: PgConnectOptions) -> Voice {
        // Nothing of it needs to outlast a crash of the server.
        Voice { options: options.options([("synchronous_commit", "off")]), connection: tokio::sync::Mutex::default() }
    }

    async fn tell(&self, batches: &[String]) -> Result<(), sqlx::Error> {
        let mut place = self.connection.lock().await;
        // Taken out: a statement that is broken off leaves none behind.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => Connection::to_server(&self.options).await?,
        };
        for batches in batches.chunks(AT_ONCE) {
            let mut query = sql("select ");
            for (index, batch) in batches.iter().enumerate() {
                query.push(if index == 0 { "pg_notify(" } else { ", pg_notify(" });
                query.push_bind(NEWS).push(", ").push_bind(batch.as_str()).push(")");
            }
            query.fetch_optional(&mut connection).await?;
        }
        *place = Some(connection);
        Ok(())
    }
}

impl Store {
    /// Tells the other hosts. On a store of one host there is nobody.
    pub async fn tell_hosts(&self, batches: &[String]) -> Result<(), StoreError> {
        match &self.voice {
            Some(voice) if !batches.is_empty() => voice.tell(batches).await.map_err(StoreError::doing("tell the other hosts")),
            _ => Ok(()),
        }
    }
}
