//! What hosts on one store share of a plugin's limits: breakers and turns of its rate. Whatever the store can't say now, each host decides by
//! itself meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::breaker::Change;
use crate::clock::later;
use crate::config::RateLimit;
use crate::store::{BreakerRow, Store, StoreError};
use crate::telemetry;

/// Turns are taken ahead for at most this time, and one that is not used within it is lost. So in any span of time at most the turns of
/// this much more than it can be used.
const AHEAD: Duration = Duration::from_millis(100);

/// A plugin's place in the shared store.
#[derive(Debug)]
pub(super) struct Shared {
    plugin: String,
    store: Store,
    turns: tokio::sync::Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// Taken and not used yet, in order.
    taken: VecDeque<Instant>,
    /// How many were taken last, and when.
    last: Option<(u32, Instant)>,
}

impl Shared {
    /// `None` on a store of one host.
    pub(super) fn new(plugin: &str, store: &Store) -> Option<Shared> {
        store.is_shared().then(|| Shared { plugin: plugin.to_owned(), store: store.clone(), turns: tokio::sync::Mutex::default() })
    }

    /// Whether this host's probe is the one of all hosts; if not, how the breaker is.
    pub(super) async fn probe(&self, host: &str, now: Timestamp, longest: Duration) -> Result<(), Option<BreakerRow>> {
        let asked = async {
            if self.store.take_probe(&self.plugin, host, now, later(now, longest)).await? {
                return Ok::<_, StoreError>(Ok(()));
            }
            let rows = self.store.breakers().await?;
            Ok(Err(rows.into_iter().find(|row| row.plugin == self.plugin && row.host == host)))
        };
        asked.await.unwrap_or_else(|error| {
            self.unheard(&error);
            Ok(())
        })
    }

    /// Tells the other hosts what became of a breaker.
    pub(super) async fn tell(&self, host: &str, change: Change) {
        let told = match change {
            Change::None => Ok(()),
            Change::Opened { failures, until } => self.store.open_breaker(&self.plugin, host, failures, until).await,
            Change::Closed => self.store.close_breaker(&self.plugin, host).await,
            Change::Released => self.store.release_probe(&self.plugin, host).await,
        };
        if let Err(error) = told {
            self.unheard(&error);
        }
    }

    /// The next turn of the rate, or after how long it would come if that is too late. `Err`: the store can't be asked.
    pub(super) async fn turn(&self, limit: RateLimit, at_most: Duration) -> Result<Result<Instant, Duration>, StoreError> {
        let each = limit.per / limit.requests.max(1);
        let mut turns = self.turns.lock().await;
        let now = Instant::now();
        while turns.taken.front().is_some_and(|turn| *turn + AHEAD < now) {
            turns.taken.pop_front();
        }
        if turns.taken.is_empty() {
            let most = u32::try_from(AHEAD.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX).clamp(1, limit.requests);
            // Twice as many each time they were used up quickly: a host that asks seldom takes one at a time.
            let wanted = match turns.last {
                Some((last, at)) if now.duration_since(at) < AHEAD => last.saturating_mul(2).min(most),
                _ => 1,
            };
            let Some(full) = self.store.take_turns(&self.plugin, wanted, each, limit.per, at_most).await? else {
                return Ok(Err(at_most));
            };
            let now = Instant::now();
            turns.last = Some((wanted, now));
            turns.taken.extend((0..wanted).rev().map(|later| now + full.saturating_sub(limit.per).saturating_sub(each * later)));
        }
        Ok(Ok(turns.taken.pop_front().unwrap_or(now)))
    }

    fn unheard(&self, error: &StoreError) {
        tracing::warn!(
            plugin = self.plugin,
            error = telemetry::chain(error),
            "the other hosts can't be asked about limits; this one decides by itself"
        );
    }
}
