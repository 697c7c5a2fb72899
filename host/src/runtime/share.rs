//! How many runs of which route may be under way: fair sharing, pure.
//!
//! Room goes to the route that has least under way (max-min fairness), so a backlog of one route holds back no other. Every route with due runs
//! may have a few under way even when there is no room: then none starves behind runs that take long. A route whose runs come back without
//! having done anything (its plugin has no slot, an open breaker, an exhausted rate limit) gets a smaller window, and grows it again with
//! every run that does something: a dead system costs a few looks a second, not one for each run that waits for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Runs under way at the same time, shared by all routes.
pub(super) const MAX_RUNS: usize = 512;
/// Runs that a route may have under way whatever the others have.
const ROUTE_MINIMUM: usize = 8;
/// Runs under way beyond [`MAX_RUNS`] for such minimums in all; with more routes than this each still may have one.
const MINIMUMS: usize = 512;
/// Runs under way below which one that comes in need not be looked for: its host has room for it as it comes. Beyond it runs are claimed many at once, by
/// whichever host has room.
const AT_ONCE: usize = CLAIM;
/// Runs claimed at once.
pub(super) const CLAIM: usize = 64;
/// How much a run that went on widens its route's window; one that came back with nothing done narrows it by 1. So a route keeps its share
/// as long as a third of its runs get on.
const WIDEN: usize = 2;

/// What a route has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lane {
    under_way: usize,
    window: usize,
}

impl Default for Lane {
    fn default() -> Lane {
        Lane { under_way: 0, window: MAX_RUNS }
    }
}

/// What all routes have under way. Holds only routes that have something, or a narrowed window.
#[derive(Debug, Default)]
pub(super) struct Shares {
    lanes: BTreeMap<String, Lane>,
    under_way: usize,
    /// Routes that had due runs at the last look, and may have more of them than were begun since.
    waiting: BTreeSet<String>,
    /// Those of them that got no place.
    left_out: BTreeSet<String>,
    /// One of these only for want of room: whichever run ends makes some.
    wants_room: bool,
}

impl Shares {
    /// How many runs of each of these routes, which are all that have due ones, may be claimed now: at most [`CLAIM`] in all.
    pub(super) fn allot(&mut self, due: &[&str]) -> Vec<(String, u32)> {
        let minimum = (MINIMUMS / due.len().max(1)).clamp(1, ROUTE_MINIMUM);
        let mut lanes: Vec<(Lane, u32)> = due.iter().map(|route| (self.lanes.get(*route).copied().unwrap_or_default(), 0)).collect();
        let mut least: BinaryHeap<Reverse<(usize, usize)>> =
            lanes.iter().enumerate().map(|(index, (lane, _))| Reverse((lane.under_way, index))).collect();
        let mut room = MAX_RUNS.saturating_sub(self.under_way);
        for _ in 0..CLAIM {
            let Some(Reverse((under_way, index))) = least.pop() else { break };
            let (lane, given) = &mut lanes[index];
            if under_way >= minimum && room == 0 {
                // The others have at least as much.
                break;
            }
            if under_way < lane.window.max(minimum) {
                *given += 1;
                room = room.saturating_sub(1);
                least.push(Reverse((under_way + 1, index)));
            }
        }
        let (allotted, left_out): (Vec<_>, Vec<_>) = due.iter().zip(lanes).partition(|(_, (_, given))| *given > 0);
        self.waiting = due.iter().map(|route| (*route).to_owned()).collect();
        self.wants_room = left_out.iter().any(|(_, (lane, _))| lane.under_way < lane.window.max(minimum));
        self.left_out = left_out.into_iter().map(|(route, _)| (*route).to_owned()).collect();
        allotted.into_iter().map(|(route, (_, given))| ((*route).to_owned(), given)).collect()
    }

    /// Whether a run of the route that comes in now may be under way at once: others of its route that wait for a place come before it.
    pub(super) fn has_room(&self, route: &str) -> bool {
        let fits = |lane: &Lane| lane.under_way < lane.window;
        self.under_way < AT_ONCE && !self.waiting.contains(route) && self.lanes.get(route).is_none_or(fits)
    }

    /// Whether a run of the route that ended may have left its place to one that got none.
    pub(super) fn makes_room(&self, route: &str) -> bool {
        self.wants_room || self.left_out.contains(route)
    }

    /// Of the route fewer runs were due than might be claimed: nothing of it waits.
    pub(super) fn drained(&mut self, route: &str) {
        self.waiting.remove(route);
    }

    /// A run of the route was claimed.
    pub(super) fn begun(&mut self, route: &str) {
        self.under_way += 1;
        match self.lanes.get_mut(route) {
            Some(lane) => lane.under_way += 1,
            None => {
                self.lanes.insert(route.to_owned(), Lane { under_way: 1, ..Lane::default() });
            }
        }
    }

    /// A run of the route was let go; `went_on`: it did something. Nothing is learnt of a place that was kept for a run that did not come.
    pub(super) fn ended(&mut self, route: &str, went_on: Option<bool>) {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(route) else { return };
        lane.under_way = lane.under_way.saturating_sub(1);
        lane.window = match went_on {
            Some(true) => (lane.window + WIDEN).min(MAX_RUNS),
            Some(false) => lane.window.saturating_sub(1).max(ROUTE_MINIMUM),
            None => lane.window,
        };
        if *lane == Lane::default() {
            self.lanes.remove(route);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims until nothing more may be, as the worker does with endless backlogs.
    fn fill(shares: &mut Shares, due: &[&str]) {
        loop {
            let allotted = shares.allot(due);
            if allotted.is_empty() {
                return;
            }
            assert!(allotted.iter().map(|(_, most)| *most as usize).sum::<usize>() <= CLAIM);
            for (route, most) in allotted {
                (0..most).for_each(|_| shares.begun(&route));
            }
        }
    }

    fn under_way(shares: &Shares, route: &str) -> usize {
        shares.lanes.get(route).map_or(0, |lane| lane.under_way)
    }

    #[test]
    fn a_lone_route_may_use_everything() {
        let mut shares = Shares::default();
        fill(&mut shares, &["a"]);
        assert_eq!(under_way(&shares, "a"), MAX_RUNS);
    }

    #[test]
    fn room_is_shared_equally_and_what_one_leaves_goes_to_the_others() {
        let mut shares = Shares::default();
        (0..10).for_each(|_| shares.begun("small"));
        fill(&mut shares, &["a", "b"]);
        assert_eq!((under_way(&shares, "a"), under_way(&shares, "b")), (251, 251));
    }

    #[test]
    fn a_late_route_starts_at_once_and_catches_up_as_places_become_free() {
        let mut shares = Shares::default();
        fill(&mut shares, &["a"]);
        fill(&mut shares, &["a", "b"]);
        assert_eq!(under_way(&shares, "b"), ROUTE_MINIMUM);
        for _ in 0..400 {
            shares.ended("a", Some(true));
            fill(&mut shares, &["a", "b"]);
        }
        let (a, b) = (under_way(&shares, "a"), under_way(&shares, "b"));
        assert_eq!(a + b, MAX_RUNS);
        assert!(a.abs_diff(b) <= 1, "{a} and {b}");
    }

    #[test]
    fn many_routes_stay_within_bounds_and_none_is_left_out() {
        let names: Vec<String> = (0..300).map(|index| format!("r{index}")).collect();
        let due: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut shares = Shares::default();
        fill(&mut shares, &["a"]);
        fill(&mut shares, &due);
        assert!(due.iter().all(|route| under_way(&shares, route) >= 1));
        assert!(shares.under_way <= MAX_RUNS + MINIMUMS, "{}", shares.under_way);
    }

    #[test]
    fn what_comes_in_is_under_way_at_once_as_long_as_there_is_plenty_of_room_and_its_route_gets_on() {
        let mut shares = Shares::default();
        (0..MAX_RUNS).for_each(|_| shares.begun("dead"));
        assert!(!shares.has_room("a"), "there is no room at all");
        (0..MAX_RUNS).for_each(|_| shares.ended("dead", Some(false)));
        (0..ROUTE_MINIMUM).for_each(|_| shares.begun("dead"));
        assert!(!shares.has_room("dead") && shares.has_room("a"), "its window is full, the other's is not");
        (ROUTE_MINIMUM..AT_ONCE).for_each(|_| shares.begun("a"));
        assert!(!shares.has_room("b"));
        let before = shares.lanes.get("a").copied();
        shares.begun("a");
        shares.ended("a", None);
        assert_eq!(shares.lanes.get("a").copied(), before, "a place that was kept for nothing teaches nothing");
    }

    #[test]
    fn what_comes_in_does_not_overtake_what_waits_for_a_place_of_its_route() {
        let mut shares = Shares::default();
        (0..MAX_RUNS).for_each(|_| shares.begun("dead"));
        (0..MAX_RUNS).for_each(|_| shares.ended("dead", Some(false)));
        fill(&mut shares, &["dead"]);
        assert_eq!(under_way(&shares, "dead"), ROUTE_MINIMUM);
        shares.ended("dead", Some(true));
        assert!(!shares.has_room("dead"), "more are due, and come first");
        assert!(shares.has_room("a"), "of another route nothing waits");
        assert!(shares.makes_room("dead") && !shares.makes_room("a"), "the other's places are no use to it");
        assert_eq!(shares.allot(&["dead"]).len(), 1);
        assert!(!shares.has_room("dead"), "they are not claimed yet");
        shares.drained("dead");
        assert!(shares.has_room("dead") && !shares.makes_room("dead"), "nothing waits any more");
        fill(&mut shares, &["a", "b", "c"]);
        assert!(shares.makes_room("d"), "there is no room at all");
    }

    #[test]
    fn a_route_that_gets_nothing_done_is_narrowed_and_recovers() {
        let mut shares = Shares::default();
        fill(&mut shares, &["dead"]);
        for _ in 0..MAX_RUNS {
            shares.ended("dead", Some(false));
        }
        fill(&mut shares, &["dead"]);
        assert_eq!(under_way(&shares, "dead"), ROUTE_MINIMUM);
        for _ in 0..MAX_RUNS {
            shares.begun("dead");
            shares.ended("dead", Some(true));
        }
        fill(&mut shares, &["dead"]);
        assert_eq!(under_way(&shares, "dead"), MAX_RUNS);
        (0..MAX_RUNS).for_each(|_| shares.ended("dead", Some(true)));
        assert!(shares.lanes.is_empty(), "nothing is remembered of a route that has nothing");
    }
}
