//! What other hosts on the store have done: for speed. A timer sees to it for certainty.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::sql::Pool;
use super::terms::{CHANNEL, Signal};
use super::writer::Writer;
use super::{Store, StoreError};

/// Pause before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Hears the other hosts. A connection that is lost comes back by itself.
#[derive(Debug)]
pub struct Listener {
    pool: Pool,
    writer: Writer,
    connection: Option<PgListener>,
    /// Signals that may have been missed.
    missed: Vec<Signal>,
}

impl Store {
    /// Hears the other hosts; on a store of one host there is nothing to hear, ever.
    pub fn listen(&self) -> Listener {
        Listener { pool: self.readers.clone(), writer: self.writer.clone(), connection: None, missed: Vec::new() }
    }
}

impl Listener {
    /// The next signal of another host. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        let Pool::Postgres(pool) = self.pool.clone() else { return std::future::pending().await };
        loop {
            if let Some(signal) = self.missed.pop() {
                return signal;
            }
            let Some(connection) = &mut self.connection else {
                match connect(&pool).await {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        self.missed.extend(Signal::ALL);
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = crate::telemetry::chain(&error),
                            "the other hosts can't be heard; looking from time to time instead"
                        );
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                continue;
            };
            match connection.try_recv().await {
                Ok(Some(notification)) if notification.process_id() == self.writer.backend() => {}
                Ok(Some(notification)) => {
                    if let Some(signal) = Signal::parse(notification.payload()) {
                        return signal;
                    }
                }
                Ok(None) | Err(_) => self.connection = None,
            }
        }
    }
}

async fn connect(pool: &sqlx::PgPool) -> Result<PgListener, StoreError> {
    let doing = || StoreError::doing("listen to the other hosts");
    let mut listener = PgListener::connect_with(pool).await.map_err(doing())?;
    listener.listen(CHANNEL).await.map_err(doing())?;
    Ok(listener)
}
