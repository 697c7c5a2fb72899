//! How quick a component's calls are, as far as that is known: whoever proved quick is not handed to other threads.
//!
//! To hand a call to the guests' threads and to take its answer back costs more than a short call itself. But what runs on the host's own threads
//! holds up the host until it waits, ends, or is looked at. So a component has to earn its place there by short calls, and loses it by the first long
//! one: then it has to stay away before it can earn it again, all the longer the longer that call held a thread. On a busy machine a call is
//! measured as a long one now and then, mostly by a little, and its component is soon back. One that means ill and computes until it is looked at has a
//! thousandth of a thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Processor time between two waits of a call up to which it counts as short.
pub(super) const SHORT: Duration = Duration::from_micros(500);
/// Short calls, one after another, that earn a component its place.
const FIRST: u32 = 32;
/// A call that held a thread for a time keeps its component away for the square of that time over this one: of 1 ms for 100 ms, of 10 ms for 10 s.
const SCALE: Duration = Duration::from_micros(10);
/// Longest that a component is kept away.
const MOST: Duration = Duration::from_secs(60);

/// What is known of a component's calls. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Short calls since the last long one, as far as they count.
    short: AtomicU32,
    /// Until when none counts: microseconds since it began.
    away: AtomicU64,
    since: Instant,
}

impl Pace {
    /// Nothing is known.
    pub(super) fn unknown() -> Pace {
        Pace(Arc::new(Inner { short: AtomicU32::new(0), away: AtomicU64::new(0), since: Instant::now() }))
    }

    /// Its calls have been short for long enough.
    pub(super) fn is_quick(&self) -> bool {
        self.0.short.load(Ordering::Relaxed) >= FIRST
    }

    /// A call on the guests' threads has ended now, and used so much processor time.
    pub(super) fn ended(&self, used: Duration, now: Instant) {
        if used > SHORT {
            self.0.short.store(0, Ordering::Relaxed);
        } else if !self.is_quick() && self.at(now) >= self.0.away.load(Ordering::Relaxed) {
            self.0.short.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call on one of the host's threads did not prove short: it has held that thread for so long, until now.
    pub(super) fn strayed(&self, used: Duration, now: Instant) {
        let away = used.as_micros().saturating_mul(used.as_micros()) / SCALE.as_micros();
        let away = u64::try_from(away.min(MOST.as_micros())).unwrap_or(u64::MAX);
        self.0.away.fetch_max(self.at(now).saturating_add(away), Ordering::Relaxed);
        self.0.short.store(0, Ordering::Relaxed);
    }

    fn at(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.0.since).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(pace: &Pace, calls: u32, now: Instant) {
        (0..calls).for_each(|_| pace.ended(SHORT, now));
    }

    #[test]
    fn a_place_is_earned_by_short_calls_and_lost_by_one_that_is_not() {
        let (pace, now) = (Pace::unknown(), Instant::now());
        short(&pace, FIRST - 1, now);
        assert!(!pace.is_quick());
        pace.ended(SHORT * 2, now);
        short(&pace, FIRST - 1, now);
        assert!(!pace.is_quick(), "they are counted from the last long one on");
        short(&pace, 1, now);
        assert!(pace.is_quick());
        pace.strayed(SHORT * 2, now);
        short(&pace, FIRST, now + Duration::from_millis(99));
        assert!(!pace.is_quick(), "it has to stay away first");
        short(&pace, FIRST, now + Duration::from_millis(101));
        assert!(pace.is_quick());
    }

    /// How much of a thread a component has whose every call on it holds it for so long.
    fn share(held: Duration) -> f64 {
        const STEP: Duration = Duration::from_micros(100);
        let (pace, began) = (Pace::unknown(), Instant::now());
        let (mut now, mut had) = (began, Duration::ZERO);
        while now < began + Duration::from_secs(120) {
            now += STEP;
            match pace.is_quick() {
                true => {
                    (now, had) = (now + held, had + held);
                    pace.strayed(held, now);
                }
                false => pace.ended(Duration::ZERO, now),
            }
        }
        had.as_secs_f64() / (now - began).as_secs_f64()
    }

    #[test]
    fn whoever_strays_again_and_again_has_a_small_part_of_a_thread_and_a_smaller_one_the_longer_it_holds_it() {
        let [little, tick, long] = [1, 10, 100].map(|millis| share(Duration::from_millis(millis)));
        assert!((0.001..=0.01).contains(&little), "{little}");
        assert!((0.000_1..=0.001_1).contains(&tick), "{tick}");
        assert!((0.000_1..=0.003).contains(&long), "{long}: there is a way back");
    }
}
