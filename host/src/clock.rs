//! The time, as a value that is handed around: the system's, or one that a test moves.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// Longest single wait on the system clock before it is read again, so that a clock that was set (or a machine that
/// slept) is noticed within this time.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// The environment variable that a tester sets to see what a host does later: a duration such as `40d`.
pub const AHEAD: &str = "SANGAM_CLOCK_AHEAD";

/// How long this thread has had a processor.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Tells the time and waits for it. Cheap to clone; clones of a manual clock move together.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    /// That of this machine, and so much more.
    System(SignedDuration),
    Manual(watch::Sender<Timestamp>),
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self(Source::System(SignedDuration::ZERO))
    }

    /// The clock of this machine, ahead by a while: for testers.
    pub fn ahead(by: Duration) -> Self {
        Self(Source::System(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)))
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(start)))
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(ahead) => Timestamp::now().checked_add(*ahead).unwrap_or(Timestamp::MAX),
            Source::Manual(time) => *time.borrow(),
        }
    }

    /// Moves a manual clock forward and wakes everyone whose time has come.
    ///
    /// # Panics
    ///
    /// On the system clock, which nobody can move.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System(_) => panic!("only a manual clock can be moved"),
            Source::Manual(time) => time.send_modify(|now| *now = later(*now, by)),
        }
    }

    /// Puts a manual clock to a time, perhaps an earlier one.
    ///
    /// # Panics
    ///
    /// On the system clock, which nobody can move.
    pub fn set(&self, to: Timestamp) {
        match &self.0 {
            Source::System(_) => panic!("only a manual clock can be moved"),
            Source::Manual(time) => drop(time.send_replace(to)),
        }
    }

    /// Waits until this clock shows `at` or later. Cancel safe.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Source::System(_) => {
                while let Some(left) = remaining(self.now(), at) {
                    tokio::time::sleep(left.min(LONGEST_NAP)).await;
                }
            }
            Source::Manual(time) => {
                time.subscribe().wait_for(|now| *now >= at).await.expect("`self` holds a sender, so the channel is open");
            }
        }
    }

    /// Waits for `duration` on this clock. Cancel safe.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(later(self.now(), duration)).await;
    }
}

/// `from` plus `by`, or the end of time.
pub fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The time from `now` to `at`; `None` once it has passed.
pub fn remaining(now: Timestamp, at: Timestamp) -> Option<Duration> {
    Duration::try_from(at.duration_since(now)).ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_a_sleeper_only_when_its_time_has_passed() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(10)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(2));
        let woken = sleeper.await.expect("the sleeper does not panic");
        assert_eq!(woken.as_second(), 11);
    }

    #[tokio::test]
    async fn a_time_that_has_passed_needs_no_waiting() {
        let clock = Clock::system();
        clock.sleep_until(Timestamp::UNIX_EPOCH).await;
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn time_ends_instead_of_overflowing() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(remaining(Timestamp::MAX, Timestamp::UNIX_EPOCH), None);
    }
}
