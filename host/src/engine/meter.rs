//! Processor time of a call: what the operating system counts for the thread while it works on the call. Host functions and page faults count
//! too, so that a plugin can't have others work for it unseen; waiting does not, and neither does the time in which another thread has the
//! processor.
//!
//! Asking the operating system takes half a microsecond or more, which is much beside a short call. So the beginning of a call is measured by the
//! ordinary clock, with a bound, and only what turns out longer is measured exactly.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::TICK;
use crate::clock::processor_time;

/// From here on a call is measured exactly.
const SHORT: Duration = Duration::from_millis(1);
/// Most that counts of what was not measured exactly: by then a guest that runs has been looked at, unless the machine was busy with others.
const INEXACT: Duration = Duration::from_millis(2 * TICK.as_millis() as u64);

/// One call's meter. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Nanoseconds that the call may use.
    most: u64,
    /// When the call began, on the ordinary clock.
    began: Instant,
    /// Nanoseconds of the times before this one.
    before: AtomicU64,
    /// What the clock in use showed when the thread took the call up: nanoseconds since `began`, or of the thread.
    since: AtomicU64,
    /// The thread's clock is in use.
    exact: AtomicBool,
}

/// The call has used up its processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the processor time is used up")]
pub(super) struct Spent;

impl Meter {
    pub(super) fn new(most: Duration) -> Meter {
        Meter(Arc::new(Inner {
            most: nanos(most),
            began: Instant::now(),
            before: AtomicU64::new(0),
            since: AtomicU64::new(0),
            exact: AtomicBool::new(false),
        }))
    }

    /// Does work that counts, until it is done or the time is used up.
    pub(super) async fn around<F: Future>(&self, work: F) -> Result<F::Output, Spent> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            self.0.since.store(self.clock(), Ordering::Relaxed);
            let poll = work.as_mut().poll(context);
            self.count();
            match poll {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                // It did not come by a place where the guest itself is looked at: a loop of calls that end at once.
                Poll::Pending if self.0.before.load(Ordering::Relaxed) > self.0.most => Poll::Ready(Err(Spent)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Asked from within the work.
    pub(super) fn is_spent(&self) -> bool {
        self.count();
        self.0.before.load(Ordering::Relaxed) > self.0.most
    }

    /// Asked when nobody works on the call.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.0.before.load(Ordering::Relaxed))
    }

    /// Counts what was used since the last time. A call is worked on by one thread at a time.
    fn count(&self) {
        let exact = self.0.exact.load(Ordering::Relaxed);
        let now = self.clock();
        let mut used = now.saturating_sub(self.0.since.load(Ordering::Relaxed));
        let mut since = now;
        if !exact && used > nanos(SHORT) {
            used = used.min(nanos(INEXACT));
            self.0.exact.store(true, Ordering::Relaxed);
            since = thread_time();
        }
        self.0.since.store(since, Ordering::Relaxed);
        self.0.before.fetch_add(used, Ordering::Relaxed);
    }

    fn clock(&self) -> u64 {
        if self.0.exact.load(Ordering::Relaxed) { thread_time() } else { nanos(self.0.began.elapsed()) }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds that this thread has had a processor for.
fn thread_time() -> u64 {
    nanos(processor_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let started = thread_time();
        while thread_time() - started < nanos(time) {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let meter = Meter::new(Duration::from_millis(60));
        let done = meter
            .around(async {
                burn(Duration::from_millis(5));
                tokio::time::sleep(Duration::from_millis(100)).await;
                burn(Duration::from_millis(5));
                meter.is_spent()
            })
            .await;
        assert_eq!(done, Ok(false));
        assert!(meter.used() >= Duration::from_millis(10) && meter.used() < Duration::from_millis(60), "{:?}", meter.used());
    }

    #[tokio::test]
    async fn time_of_others_does_not_count_once_a_call_is_long() {
        let meter = Meter::new(Duration::from_millis(60));
        let done = meter
            .around(async {
                burn(Duration::from_millis(5));
                assert!(!meter.is_spent());
                // The thread has no processor, and the call is not waiting: as if another thread had it.
                std::thread::sleep(Duration::from_millis(200));
                meter.is_spent()
            })
            .await;
        assert_eq!(done, Ok(false));
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
