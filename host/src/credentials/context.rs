//! What every credential of a broker works with.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use super::endpoint::TokenClient;
use super::redact::Redactor;
use super::vault::Vault;

/// Shared by all credentials of one broker.
pub(super) struct Context {
    pub(super) vault: Vault,
    pub(super) client: TokenClient,
    /// Refreshes under way: they outlive the request that asked for them.
    pub(super) tasks: TaskTracker,
    pub(super) redactor: Redactor,
    changes: watch::Sender<u64>,
    breaks: Notify,
}

impl Context {
    pub(super) fn new(vault: Vault, client: TokenClient) -> Self {
        Self {
            vault,
            client,
            tasks: TaskTracker::new(),
            redactor: Redactor::default(),
            changes: watch::Sender::new(0),
            breaks: Notify::new(),
        }
    }

    /// Gives a credential that is another one now, or works again, the next epoch, and tells those who wait.
    ///
    /// Not to be called with a credential's lock held: who waits may be looking at one.
    pub(super) fn changed(&self, epoch: &AtomicU64) {
        self.changes.send_modify(|count| {
            *count += 1;
            epoch.store(*count, Ordering::Release);
        });
    }

    /// Somebody should hear soon that a credential broke.
    pub(super) fn broke(&self) {
        self.breaks.notify_one();
    }

    pub(super) async fn until_broken(&self) {
        self.breaks.notified().await;
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
