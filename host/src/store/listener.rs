//! What other hosts on the store have done: for speed. A timer sees to it for certainty.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::sql::Pool;
use super::terms::{CHANNEL, Signal};
use super::voice::NEWS;
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
    /// It was connected before: then something was missed meanwhile. What others told before the first time shows by its number.
    was_connected: bool,
    /// What may have been missed.
    missed: Vec<Heard>,
}

/// What another host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Look at something.
    Signal(Signal),
    /// What happened, as [`Store::tell_hosts`] was given it. Also this host's own.
    News(String),
    /// What happened meanwhile was not heard.
    Missed,
}

impl Store {
    /// Hears the other hosts; on a store of one host there is nothing to hear, ever.
    pub fn listen(&self) -> Listener {
        Listener { pool: self.readers.clone(), writer: self.writer.clone(), connection: None, was_connected: false, missed: Vec::new() }
    }
}

impl Listener {
    /// The next thing that another host says. Cancel safe.
    pub async fn next(&mut self) -> Heard {
        let Pool::Postgres(pool) = self.pool.clone() else { return std::future::pending().await };
        loop {
            if let Some(missed) = self.missed.pop() {
                return missed;
            }
            let Some(connection) = &mut self.connection else {
                match connect(&pool).await {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        if std::mem::replace(&mut self.was_connected, true) {
                            self.missed.push(Heard::Missed);
                        }
                        self.missed.extend(Signal::ALL.map(Heard::Signal));
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
                Ok(Some(notification)) if notification.channel() == NEWS => return Heard::News(notification.payload().to_owned()),
                Ok(Some(notification)) => {
                    if let Some(signal) = Signal::parse(notification.payload()) {
                        return Heard::Signal(signal);
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
    listener.listen_all([CHANNEL, NEWS]).await.map_err(doing())?;
    Ok(listener)
}
