//! Processor time of a call: what the operating system counts for the thread while it works on the call. Host functions and page faults count
//! too, so that a plugin can't have others work for it unseen; waiting does not, and neither does the time in which another thread has the
//! processor.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One call's meter. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Nanoseconds that the call may use.
    most: u64,
    /// Nanoseconds of the times before this one.
    before: AtomicU64,
    /// What the thread's clock showed when it took the call up.
    since: AtomicU64,
}

/// The call has used up its processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the processor time is used up")]
pub(super) struct Spent;

impl Meter {
    pub(super) fn new(most: Duration) -> Meter {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Meter(Arc::new(Inner { most, before: AtomicU64::new(0), since: AtomicU64::new(0) }))
    }

    /// Does work that counts, until it is done or the time is used up.
    pub(super) async fn around<F: Future>(&self, work: F) -> Result<F::Output, Spent> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            self.0.since.store(thread_time(), Ordering::Relaxed);
            let poll = work.as_mut().poll(context);
            self.0.before.store(self.now(), Ordering::Relaxed);
            match poll {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                // It did not come by a place where the guest itself looks: a loop of calls that end at once.
                Poll::Pending if self.0.before.load(Ordering::Relaxed) > self.0.most => Poll::Ready(Err(Spent)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Asked from within the work.
    pub(super) fn is_spent(&self) -> bool {
        self.now() > self.0.most
    }

    /// Asked from within the work.
    fn now(&self) -> u64 {
        let this_time = thread_time().saturating_sub(self.0.since.load(Ordering::Relaxed));
        self.0.before.load(Ordering::Relaxed).saturating_add(this_time)
    }

    /// Asked when nobody works on the call.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.0.before.load(Ordering::Relaxed))
    }
}

/// Nanoseconds that this thread has had a processor for.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let started = thread_time();
        while thread_time() - started < u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let meter = Meter::new(Duration::from_millis(20));
        let done = meter
            .around(async {
                burn(Duration::from_millis(5));
                tokio::time::sleep(Duration::from_millis(50)).await;
                meter.is_spent()
            })
            .await;
        assert_eq!(done, Ok(false));
        assert!(meter.used() >= Duration::from_millis(5) && meter.used() < Duration::from_millis(20), "{:?}", meter.used());
    }

    #[tokio::test]
    async fn work_that_only_yields_ends_when_the_time_is_used_up() {
        let meter = Meter::new(Duration::from_millis(5));
        let yields = async {
            loop {
                tokio::task::yield_now().await;
            }
        };
        let done: Result<(), Spent> = meter.around(yields).await;
        assert_eq!(done, Err(Spent));
    }
}
