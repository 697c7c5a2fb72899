//! Counts by name (route, step, action, source, far end), for as long as people look back: by the minute for an hour, by the hour for a day.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Histogram;

/// Names of one minute or hour. Beyond it new ones are not counted: some of them are a sender's text.
const MOST: usize = 4096;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// The present one, and those before it.
const MINUTES: usize = 61;
const HOURS: usize = 25;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A route: `count` events, `succeeded`, `dead` runs.
    Route(String),
    /// A step of a route: `count` attempts, `failed`, `dead`.
    Step {
        /// The route.
        route: String,
        /// The step.
        step: String,
    },
    /// An action of a plugin: `count` attempts, `failed`, `dead` runs.
    Action {
        /// The plugin.
        plugin: String,
        /// The action.
        action: String,
    },
    /// Events of a CloudEvents source: `count`.
    Source(String),
    /// Requests to a configured source: `count`, `failed` those refused, `dead` those set aside.
    Delivery(String),
    /// Requests of a plugin to a host: `count`, `failed`.
    FarEnd {
        /// The plugin.
        plugin: String,
        /// The host.
        host: String,
    },
}

/// Counts under one name.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many runs succeeded.
    pub succeeded: u64,
    /// How many runs died of it.
    pub dead: u64,
    /// How long they took, where that is kept.
    pub took: Option<Box<Histogram>>,
}

impl Tally {
    fn merge(&mut self, other: &Tally) {
        self.count += other.count;
        self.failed += other.failed;
        self.succeeded += other.succeeded;
        self.dead += other.dead;
        if let Some(took) = &other.took {
            self.took.get_or_insert_default().merge(took);
        }
    }
}

/// All counts by name.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    minutes: VecDeque<(i64, HashMap<Key, Tally>)>,
    hours: VecDeque<(i64, HashMap<Key, Tally>)>,
}

impl Tallies {
    /// Counts something that happened at a second.
    pub(super) fn count(&mut self, second: i64, key: &Key, mut add: impl FnMut(&mut Tally)) {
        for (periods, length, most) in [(&mut self.minutes, MINUTE, MINUTES), (&mut self.hours, HOUR, HOURS)] {
            let period = second.div_euclid(length);
            // A clock that was set back counts into the newest.
            if periods.back().is_none_or(|(newest, _)| *newest < period) {
                periods.push_back((period, HashMap::new()));
                while periods.len() > most {
                    periods.pop_front();
                }
            }
            let Some((_, tallies)) = periods.back_mut() else { continue };
            if let Some(tally) = tallies.get_mut(key) {
                add(tally);
            } else if tallies.len() < MOST {
                add(tallies.entry(key.clone()).or_default());
            }
        }
    }

    /// Sums over a window (seconds) that ends now; its first minute (of windows beyond an hour: its first hour) whole.
    pub(super) fn sums(&self, now: i64, window: i64) -> BTreeMap<Key, Tally> {
        let (periods, length) = if window <= HOUR { (&self.minutes, MINUTE) } else { (&self.hours, HOUR) };
        let first = (now - window).div_euclid(length);
        let mut sums: BTreeMap<Key, Tally> = BTreeMap::new();
        for (_, tallies) in periods.iter().filter(|(period, _)| *period >= first) {
            for (key, tally) in tallies {
                sums.entry(key.clone()).or_default().merge(tally);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_what_is_in_it() {
        let mut tallies = Tallies::default();
        let key = Key::Route("r".to_owned());
        for second in [0, 60, 3_000, 7_200] {
            tallies.count(second, &key, |tally| tally.count += 1);
        }
        let count = |now, window| tallies.sums(now, window).get(&key).map_or(0, |tally| tally.count);
        assert_eq!(count(7_210, 60), 1);
        assert_eq!(count(7_210, 7_200), 4);
        assert_eq!(count(20_000, 60), 0);
    }

    #[test]
    fn names_are_bounded() {
        let mut tallies = Tallies::default();
        for number in 0..MOST + 10 {
            tallies.count(0, &Key::Source(number.to_string()), |tally| tally.count += 1);
        }
        assert_eq!(tallies.sums(0, 60).len(), MOST);
    }
}
