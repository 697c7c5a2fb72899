//! Figures over time: by five seconds for an hour, by the minute for a day. Made of what the feed tells, of all hosts on the store.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::tally::Tallies;
use super::{Feed, Histogram, Key, News, Place, Tally};

/// Actions of which the last failure is known.
const MOST_FAILING: usize = 1024;
const FINE: i64 = 5;
const COARSE: i64 = 60;
const FINE_BUCKETS: usize = 721;
const COARSE_BUCKETS: usize = 1441;
/// How much of the feed is taken at a time.
const BATCH: usize = 1024;
/// Points that a chart is given at most.
const POINTS: i64 = 200;

/// Counts what happens.
#[derive(Debug)]
pub struct Series {
    feed: Arc<Feed>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    place: Place,
    since: Option<Timestamp>,
    fine: VecDeque<Bucket>,
    coarse: VecDeque<Bucket>,
    tallies: Tallies,
    failing: HashMap<(String, String), Failing>,
    missed: u64,
}

/// What happened within some seconds.
#[derive(Debug, Clone, Default)]
struct Bucket {
    period: i64,
    totals: Totals,
    backlog: Option<u64>,
    took: Histogram,
}

/// Sums over a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events taken in.
    pub accepted: u64,
    /// Events that were known.
    pub duplicates: u64,
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that died.
    pub dead: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

impl Totals {
    fn merge(&mut self, other: &Totals) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.succeeded += other.succeeded;
        self.dead += other.dead;
        self.cancelled += other.cancelled;
        self.failed_attempts += other.failed_attempts;
    }
}

/// One point of a chart.
#[derive(Debug, Clone)]
pub struct Point {
    /// When its time begins.
    pub at: Timestamp,
    /// What happened in it.
    pub totals: Totals,
    /// Runs that had not ended, as last counted in it.
    pub backlog: Option<u64>,
    /// From acceptance to the end of a run, ms: half of them within that.
    pub p50_ms: Option<u64>,
    /// 99 of 100 within that.
    pub p99_ms: Option<u64>,
}

/// An action of a plugin whose attempts failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Since when it has not worked; `None`: it has worked since.
    pub since: Option<Timestamp>,
    /// The last attempt that failed.
    pub last: Failure,
}

/// Where an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of failure.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The event.
    pub eid: String,
    /// The run.
    pub run: String,
    /// The route.
    pub route: String,
    /// The step.
    pub step: String,
}

impl Series {
    /// Counts what this feed tells from now on.
    pub fn new(feed: Arc<Feed>) -> Series {
        let state = State {
            place: feed.end(),
            since: None,
            fine: VecDeque::new(),
            coarse: VecDeque::new(),
            tallies: Tallies::default(),
            failing: HashMap::new(),
            missed: 0,
        };
        Series { feed, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what has happened since it was last called. To be called a few times a second, and before somebody looks.
    pub fn catch_up(&self, now: Timestamp) {
        let mut state = self.lock();
        state.since.get_or_insert(now);
        loop {
            let Ok((items, place)) = self.feed.after(state.place, BATCH) else {
                state.missed += 1;
                state.place = self.feed.beginning();
                continue;
            };
            if items.is_empty() {
                return;
            }
            for item in &items {
                state.take(&item.news, now);
            }
            state.place = place;
        }
    }

    /// Notes how many runs have not ended.
    pub fn backlog(&self, now: Timestamp, backlog: u64) {
        let mut state = self.lock();
        state.each_bucket(now, |bucket| bucket.backlog = Some(backlog));
    }

    /// A request for a plugin left, or failed to; one that was answered by an error of the server's counts as failed too. Of this host only.
    pub fn request_sent(&self, now: Timestamp, plugin: &str, host: &str, status: Option<u16>) {
        let key = Key::FarEnd { plugin: plugin.to_owned(), host: host.to_owned() };
        self.lock().tallies.count(now.as_second(), &key, |tally| {
            tally.count += 1;
            tally.failed += u64::from(status.is_none_or(|status| status >= 500));
        });
    }

    /// A request to a configured source was answered: `taken`, `refused`, `set-aside`. Of this host only.
    pub fn delivery(&self, now: Timestamp, source: &str, outcome: &str) {
        self.lock().tallies.count(now.as_second(), &Key::Delivery(source.to_owned()), |tally| {
            tally.count += 1;
            tally.failed += u64::from(outcome == "refused");
            tally.dead += u64::from(outcome == "set-aside");
        });
    }

    /// Since when it has counted.
    pub fn since(&self) -> Option<Timestamp> {
        self.lock().since
    }

    /// How often something went by uncounted: more happened at once than the feed keeps.
    pub fn missed(&self) -> u64 {
        self.lock().missed
    }

    /// Sums over a window of seconds.
    pub fn totals(&self, now: Timestamp, window: i64) -> Totals {
        let state = self.lock();
        let (buckets, length) = state.of(window);
        let first = (now.as_second() - window).div_euclid(length) + 1;
        let mut totals = Totals::default();
        for bucket in buckets.iter().filter(|bucket| bucket.period >= first) {
            totals.merge(&bucket.totals);
        }
        totals
    }

    /// The points of a chart over a window of seconds, none left out, and how many seconds each stands for.
    pub fn points(&self, now: Timestamp, window: i64) -> (i64, Vec<Point>) {
        let state = self.lock();
        let (buckets, length) = state.of(window);
        let step = length * (window / length).max(1).saturating_add(POINTS - 1).div_euclid(POINTS);
        let last = now.as_second().div_euclid(step);
        let first = last - (window / step).max(1) + 1;
        let mut points: Vec<Bucket> = (first..=last).map(|period| Bucket { period, ..Bucket::default() }).collect();
        for bucket in buckets {
            let period = (bucket.period * length).div_euclid(step);
            let Some(point) = usize::try_from(period - first).ok().and_then(|index| points.get_mut(index)) else { continue };
            point.totals.merge(&bucket.totals);
            point.took.merge(&bucket.took);
            point.backlog = bucket.backlog.or(point.backlog);
        }
        let points = points.into_iter().map(|point| Point {
            at: Timestamp::from_second(point.period * step).unwrap_or(Timestamp::UNIX_EPOCH),
            totals: point.totals,
            backlog: point.backlog,
            p50_ms: point.took.quantile(0.5),
            p99_ms: point.took.quantile(0.99),
        });
        (step, points.collect())
    }

    /// Counts by name over a window of seconds.
    pub fn tallies(&self, now: Timestamp, window: i64) -> BTreeMap<Key, Tally> {
        self.lock().tallies.sums(now.as_second(), window)
    }

    /// The last failure of an action.
    pub fn failing(&self, plugin: &str, action: &str) -> Option<Failing> {
        self.lock().failing.get(&(plugin.to_owned(), action.to_owned())).cloned()
    }
}

impl State {
    fn of(&self, window: i64) -> (&VecDeque<Bucket>, i64) {
        if window <= 3600 { (&self.fine, FINE) } else { (&self.coarse, COARSE) }
    }

    fn each_bucket(&mut self, now: Timestamp, mut add: impl FnMut(&mut Bucket)) {
        for (buckets, length, most) in [(&mut self.fine, FINE, FINE_BUCKETS), (&mut self.coarse, COARSE, COARSE_BUCKETS)] {
            let period = now.as_second().div_euclid(length);
            if buckets.back().is_none_or(|bucket| bucket.period < period) {
                buckets.push_back(Bucket { period, ..Bucket::default() });
                while buckets.len() > most {
                    buckets.pop_front();
                }
            }
            if let Some(bucket) = buckets.back_mut() {
                add(bucket);
            }
        }
    }

    fn take(&mut self, news: &News, now: Timestamp) {
        let second = now.as_second();
        match news {
            News::Accepted(event) => {
                self.each_bucket(now, |bucket| bucket.totals.accepted += 1);
                self.tallies.count(second, &Key::Source(event.source.to_string()), |tally| tally.count += 1);
                for route in &event.routes {
                    self.tallies.count(second, &Key::Route(route.clone()), |tally| tally.count += 1);
                }
            }
            News::Duplicate => self.each_bucket(now, |bucket| bucket.totals.duplicates += 1),
            News::Run(run) => {
                let (succeeded, dead, cancelled) =
                    (u64::from(run.status == "succeeded"), u64::from(run.status == "dead"), u64::from(run.status == "cancelled"));
                if succeeded + dead + cancelled == 0 {
                    return;
                }
                self.each_bucket(now, |bucket| {
                    bucket.totals.succeeded += succeeded;
                    bucket.totals.dead += dead;
                    bucket.totals.cancelled += cancelled;
                    if let Some(took) = run.took_ms.filter(|_| cancelled == 0) {
                        bucket.took.add(took);
                    }
                });
                self.tallies.count(second, &Key::Route(run.route.clone()), |tally| {
                    tally.succeeded += succeeded;
                    tally.dead += dead;
                });
                if let (1, Some(plugin), Some(action)) = (dead, &run.plugin, &run.action) {
                    let key = Key::Action { plugin: plugin.clone(), action: action.clone() };
                    self.tallies.count(second, &key, |tally| tally.dead += 1);
                }
                if let (1, Some(step)) = (dead, &run.step) {
                    let key = Key::Step { route: run.route.clone(), step: step.clone() };
                    self.tallies.count(second, &key, |tally| tally.dead += 1);
                }
            }
            News::Attempt(attempt) => {
                let failed = u64::from(attempt.has_failed());
                self.each_bucket(now, |bucket| bucket.totals.failed_attempts += failed);
                let mut add = |tally: &mut Tally| {
                    tally.count += 1;
                    tally.failed += failed;
                    tally.took.get_or_insert_default().add(attempt.duration_ms);
                };
                let (plugin, action) = (attempt.plugin.clone(), attempt.action.clone());
                self.tallies.count(second, &Key::Action { plugin: plugin.clone(), action: action.clone() }, &mut add);
                let key = Key::Step { route: attempt.route.clone(), step: attempt.step.clone() };
                self.tallies.count(second, &key, &mut add);
                let known = self.failing.get_mut(&(plugin.clone(), action.clone()));
                if failed == 0 {
                    if let Some(known) = known {
                        known.since = None;
                    }
                    return;
                }
                let last = Failure {
                    kind: attempt.outcome.clone(),
                    at: attempt.at,
                    eid: attempt.eid.clone(),
                    run: attempt.run.clone(),
                    route: attempt.route.clone(),
                    step: attempt.step.clone(),
                };
                if let Some(known) = known {
                    known.since.get_or_insert(attempt.at);
                    known.last = last;
                } else if self.failing.len() < MOST_FAILING {
                    self.failing.insert((plugin, action), Failing { since: Some(attempt.at), last });
                }
            }
            News::Credential(_) | News::Source(_) | News::Revision(_) | News::Gap => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Accepted, AttemptEnded, RunChanged};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn attempt(outcome: &str, second: i64) -> News {
        News::Attempt(AttemptEnded {
            eid: "e".to_owned(),
            run: "r".to_owned(),
            route: "orders".to_owned(),
            step: "create".to_owned(),
            plugin: "crm".to_owned(),
            action: "put".to_owned(),
            outcome: outcome.to_owned(),
            duration_ms: 40,
            at: at(second),
        })
    }

    fn run(status: &str, took_ms: i64) -> News {
        let dead = |word: &str| (status == "dead").then(|| word.to_owned());
        let (plugin, action, step) = (dead("crm"), dead("put"), dead("create"));
        News::Run(RunChanged { took_ms: Some(took_ms), plugin, action, step, ..RunChanged::new("e", "r", "orders", status, at(0)) })
    }

    #[test]
    fn figures_are_of_their_time() {
        let feed = Arc::new(Feed::default());
        let series = Series::new(feed.clone());
        let event = Accepted {
            eid: "e".into(),
            event_type: "t".into(),
            source: "/s".into(),
            id: "1".into(),
            received_at: at(0),
            routes: vec!["orders".to_owned()],
        };
        feed.publish([News::Accepted(event), News::Duplicate, run("succeeded", 100), run("dead", 100), run("running", 0)], true);
        series.catch_up(at(0));
        feed.publish([run("succeeded", 3_000)], true);
        series.catch_up(at(600));
        series.backlog(at(600), 7);
        let all = Totals { accepted: 1, duplicates: 1, succeeded: 2, dead: 1, ..Totals::default() };
        assert_eq!(series.totals(at(600), 900), all);
        assert_eq!(series.totals(at(600), 24 * 3600), all);
        assert_eq!(series.totals(at(600), 60), Totals { succeeded: 1, ..Totals::default() });
        let (step, points) = series.points(at(600), 900);
        assert_eq!((step, points.len()), (5, 180));
        let last = points.last().expect("there are some");
        assert_eq!((last.totals.succeeded, last.backlog), (1, Some(7)));
        assert!(last.p50_ms.is_some_and(|p50| (2_600..3_400).contains(&p50)), "{last:?}");
        let (step, points) = series.points(at(600), 24 * 3600);
        assert_eq!((step, points.len()), (480, 180));
        assert_eq!(points.iter().map(|point| point.totals.succeeded).sum::<u64>(), 2);
        // Nothing is kept for longer than it is shown.
        assert_eq!(series.totals(at(600 + 25 * 3600), 24 * 3600), Totals::default());
    }

    #[test]
    fn an_action_fails_until_it_works_again() {
        let feed = Arc::new(Feed::default());
        let series = Series::new(feed.clone());
        let since = |series: &Series| series.failing("crm", "put").expect("it has failed").since;
        feed.publish([attempt("succeeded", 0)], true);
        series.catch_up(at(0));
        assert_eq!(series.failing("crm", "put"), None);
        feed.publish([attempt("retry", 1), attempt("trap", 2), run("dead", 1)], true);
        series.catch_up(at(2));
        assert_eq!(since(&series), Some(at(1)));
        let last = series.failing("crm", "put").expect("it has failed").last;
        assert_eq!((last.kind.as_str(), last.step.as_str(), last.at), ("trap", "create", at(2)));
        let key = Key::Action { plugin: "crm".to_owned(), action: "put".to_owned() };
        let tally = series.tallies(at(2), 60).remove(&key).expect("it was counted");
        assert_eq!((tally.count, tally.failed, tally.dead), (3, 2, 1));
        feed.publish([attempt("succeeded", 3)], true);
        series.catch_up(at(3));
        assert_eq!(since(&series), None);
    }

    #[test]
    fn more_than_the_feed_keeps_is_known_to_be_missing() {
        let feed = Arc::new(Feed::default());
        feed.keep(2);
        let series = Series::new(feed.clone());
        feed.publish([run("dead", 1), run("dead", 1), run("dead", 1)], true);
        series.catch_up(at(0));
        assert_eq!((series.totals(at(0), 60).dead, series.missed()), (2, 1));
    }
}
