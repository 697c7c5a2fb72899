//! A round of looks: side by side, each with its time limit.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::LocalBoxFuture;

use super::finding::{Check, Finding};

/// Told how many looks have ended, and how many there are so far.
pub type Progress<'p> = &'p dyn Fn(usize, usize);

/// A look that is under way or to come.
pub(super) type Look<'l> = LocalBoxFuture<'l, Vec<Finding>>;

/// What the looks of a round share.
pub(super) struct Round<'p> {
    /// How long each may take.
    pub(super) timeout: Duration,
    begun: AtomicUsize,
    ended: AtomicUsize,
    tell: Progress<'p>,
}

impl<'p> Round<'p> {
    pub(super) fn new(timeout: Duration, tell: Progress<'p>) -> Round<'p> {
        Round { timeout, begun: AtomicUsize::default(), ended: AtomicUsize::default(), tell }
    }

    /// A look with the round's limit. One that does not end in time says so.
    pub(super) fn look<'l>(&'l self, check: Check, subject: &str, look: impl Future<Output = Vec<Finding>> + 'l) -> Look<'l> {
        let subject = subject.to_owned();
        self.begun.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let found = tokio::time::timeout(self.timeout, look).await;
            let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
            (self.tell)(ended, self.begun.load(Ordering::Relaxed));
            found.unwrap_or_else(|_| {
                let message = format!("this could not be told within {:?}", self.timeout);
                vec![check.warning(
                    &subject,
                    message,
                    "give it more time (`--timeout 60s`); if that does not help, what is asked here hangs",
                )]
            })
        })
    }
}

/// All of them, side by side.
pub(super) async fn all(looks: Vec<Look<'_>>) -> Vec<Finding> {
    futures::future::join_all(looks).await.into_iter().flatten().collect()
}
