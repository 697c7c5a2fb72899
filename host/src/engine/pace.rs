//! How quick a component's calls are, as far as that is known: whoever proved quick is not handed to other threads.
//!
//! To hand a call to the guests' threads and to take its answer back costs more than a short call itself. But what runs on the host's own threads
//! holds up the host until it waits, ends, or is looked at. So a component has to earn its place there by short calls, and loses it by the first long
//! one: then it has to earn it by twice as many. One that means ill gets a tick of a thread for ever more calls that are short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Processor time between two waits of a call up to which it counts as short.
pub(super) const SHORT: Duration = Duration::from_micros(500);
/// Short calls, one after another, that earn a component its place.
const FIRST: u32 = 32;
/// Most that are asked for, however often it was lost.
const MOST: u32 = 1 << 16;

/// What is known of a component's calls. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Short calls since the last long one, as far as they count.
    short: AtomicU32,
    /// How many are wanted.
    wanted: AtomicU32,
}

impl Pace {
    /// Nothing is known.
    pub(super) fn unknown() -> Pace {
        Pace(Arc::new(Inner { short: AtomicU32::new(0), wanted: AtomicU32::new(FIRST) }))
    }

    /// Its calls have been short for long enough.
    pub(super) fn is_quick(&self) -> bool {
        self.0.short.load(Ordering::Relaxed) >= self.0.wanted.load(Ordering::Relaxed)
    }

    /// A call on the guests' threads has ended, and used so much processor time.
    pub(super) fn ended(&self, used: Duration) {
        if used > SHORT {
            self.0.short.store(0, Ordering::Relaxed);
        } else if !self.is_quick() {
            self.0.short.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call on one of the host's threads did not prove short.
    pub(super) fn strayed(&self) {
        self.0.short.store(0, Ordering::Relaxed);
        // Calls that stray side by side count as one each: that only makes it harder.
        let wanted = self.0.wanted.load(Ordering::Relaxed);
        self.0.wanted.store(wanted.saturating_mul(2).min(MOST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(pace: &Pace, calls: u32) {
        (0..calls).for_each(|_| pace.ended(SHORT));
    }

    #[test]
    fn a_place_is_earned_by_short_calls_and_lost_by_one_that_is_not() {
        let pace = Pace::unknown();
        short(&pace, FIRST - 1);
        assert!(!pace.is_quick());
        pace.ended(SHORT * 2);
        short(&pace, FIRST - 1);
        assert!(!pace.is_quick(), "they are counted from the last long one on");
        short(&pace, 1);
        assert!(pace.is_quick());
        pace.strayed();
        assert!(!pace.is_quick());
    }

    #[test]
    fn whoever_strays_again_and_again_has_to_be_short_for_ever_longer() {
        let pace = Pace::unknown();
        for wanted in [FIRST, 2 * FIRST, 4 * FIRST] {
            short(&pace, wanted - 1);
            assert!(!pace.is_quick());
            short(&pace, 1);
            assert!(pace.is_quick());
            pace.strayed();
        }
        (0..40).for_each(|_| pace.strayed());
        short(&pace, MOST);
        assert!(pace.is_quick(), "there is a way back");
    }
}
