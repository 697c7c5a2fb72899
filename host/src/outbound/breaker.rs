//! A host that keeps failing is left alone for a while; then one request finds out whether it is back.
//!
//! The state of each host is a small machine: closed, open until a time, and from then on half-open, when exactly one request (the probe) may
//! go. Its success closes the breaker, its failure opens it for another cool-down. A probe that says nothing (it was never sent, or broken off)
//! gives the turn back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::request::HttpError;
use crate::clock::{later, remaining};
use crate::config;
use crate::store::BreakerRow;

/// Hosts remembered; beyond it those that are well are forgotten, and if that is not enough, all.
const MAX_HOSTS: usize = 1024;
/// How soon a request that was held back by a probe under way looks again.
const PROBE_LOOK: Duration = Duration::from_millis(500);

/// The breaker of a plugin. Kept across reloads that don't change its settings.
#[derive(Debug)]
pub(super) struct Breaker {
    pub(super) policy: config::Breaker,
    hosts: Mutex<BTreeMap<String, State>>,
}

/// Where a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Requests go. So many failed in a row.
    Closed { failures: u32 },
    /// None goes until that time; then one probe, whose turn ends at the latest at its time.
    Open {
        failures: u32,
        until: Timestamp,
        probe: Option<Timestamp>,
        /// Other hosts know.
        shared: bool,
    },
}

/// What a word of a request changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened {
        failures: u32,
        until: Timestamp,
    },
    Closed,
    /// The turn of the probe is free again.
    Released,
}

/// A breaker as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerState {
    /// The host.
    pub host: String,
    /// `closed`, `open`, `half-open`.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// When the next request may find out.
    pub open_until: Option<Timestamp>,
}

/// How an exchange went, as far as it tells about the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    Well,
    Badly,
    /// It was never sent, or ended for reasons of our own.
    Nowhere,
}

/// Leave to send one request. Dropped without a word it went nowhere.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    host: String,
    probe: bool,
    told: bool,
}

impl Breaker {
    pub(super) fn new(policy: config::Breaker) -> Breaker {
        Breaker { policy, hosts: Mutex::default() }
    }

    /// Whether a request may go to a host. A probe that is not heard of for `longest` is given up.
    pub(super) fn pass(self: &Arc<Self>, host: &str, now: Timestamp, longest: Duration) -> Result<Pass, HttpError> {
        let mut hosts = self.hosts();
        let mut probe = false;
        if let Some(State::Open { failures, until, probe: under_way, .. }) = hosts.get_mut(host) {
            if let Some(left) = remaining(now, *until) {
                let why =
                    format!("{host} failed {failures} times in a row and is left alone for another {} s (breaker)", left.as_secs().max(1));
                return Err(HttpError::Unavailable { why, after: left });
            }
            if let Some(left) = under_way.and_then(|ends| remaining(now, ends)) {
                let why = format!("{host} failed {failures} times in a row, and one request is finding out whether it is back (breaker)");
                return Err(HttpError::Unavailable { why, after: left.min(PROBE_LOOK) });
            }
            *under_way = Some(later(now, longest));
            probe = true;
        }
        drop(hosts);
        Ok(Pass { breaker: self.clone(), host: host.to_owned(), probe, told: false })
    }

    /// Hosts that are not simply well.
    pub(super) fn states(&self, now: Timestamp) -> Vec<BreakerState> {
        let shown = |(host, state): (&String, &State)| {
            let (state, failures, open_until) = match *state {
                State::Closed { failures } => ("closed", failures, None),
                State::Open { failures, until, .. } if until > now => ("open", failures, Some(until)),
                State::Open { failures, until, .. } => ("half-open", failures, Some(until)),
            };
            BreakerState { host: host.clone(), state, failures, open_until }
        };
        self.hosts().iter().map(shown).collect()
    }

    fn tell(&self, host: &str, probe: bool, went: Went, now: Timestamp) -> Change {
        let mut hosts = self.hosts();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(host) {
            hosts.retain(|_, state| matches!(state, State::Open { .. }));
            if hosts.len() >= MAX_HOSTS {
                hosts.clear();
            }
        }
        let before = hosts.get(host).copied().unwrap_or(State::Closed { failures: 0 });
        let opened = |failures| State::Open { failures, until: later(now, self.policy.cooldown), probe: None, shared: false };
        let after = match (before, probe, went) {
            (State::Closed { .. }, _, Went::Well) | (State::Open { .. }, true, Went::Well) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Went::Badly) if failures + 1 >= self.policy.failures => opened(failures + 1),
            (State::Closed { failures }, _, Went::Badly) => State::Closed { failures: failures + 1 },
            (State::Open { failures, .. }, true, Went::Badly) => opened(failures.saturating_add(1)),
            (State::Open { failures, until, shared, .. }, true, Went::Nowhere) => State::Open { failures, until, probe: None, shared },
            // Requests that left before it opened: only the probe decides.
            (State::Open { .. }, false, _) | (State::Closed { .. }, _, Went::Nowhere) => before,
        };
        match (before, after) {
            (State::Closed { .. }, State::Open { failures, .. }) => {
                tracing::warn!(host, failures, cooldown = ?self.policy.cooldown, "a host keeps failing and is left alone (breaker)");
            }
            (State::Open { .. }, State::Closed { .. }) => tracing::info!(host, "a host that was left alone is back (breaker)"),
            _ => {}
        }
        if after == (State::Closed { failures: 0 }) {
            hosts.remove(host);
        } else {
            hosts.insert(host.to_owned(), after);
        }
        match (before, after) {
            (State::Open { .. }, State::Closed { .. }) => Change::Closed,
            (_, State::Open { failures, until, .. }) if before != after && went == Went::Badly => Change::Opened { failures, until },
            (State::Open { .. }, State::Open { .. }) if before != after => Change::Released,
            _ => Change::None,
        }
    }

    /// What the hosts on the store know of one host: it is open, or (`None`) it is not.
    pub(super) fn learn(&self, host: &str, known: Option<&BreakerRow>) {
        let mut hosts = self.hosts();
        match known {
            Some(row) => {
                let open = State::Open { failures: row.failures, until: row.open_until, probe: row.probe_until, shared: true };
                hosts.insert(host.to_owned(), open);
            }
            None => {
                hosts.remove(host);
            }
        }
    }

    /// All that the hosts on the store know. What only this host knows yet stays.
    pub(super) fn learn_all(&self, rows: &[BreakerRow]) {
        self.hosts().retain(|host, state| !matches!(state, State::Open { shared: true, .. }) || rows.iter().any(|row| row.host == *host));
        for row in rows {
            self.learn(&row.host, Some(row));
        }
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, State>> {
        self.hosts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Pass {
    /// Whether it is the probe.
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }

    /// It is no longer this request's to decide: other hosts have closed the breaker, or another one's probe is under way.
    pub(super) fn void(mut self) {
        self.told = true;
    }

    /// Tells how it went.
    pub(super) fn tell(mut self, went: Went, now: Timestamp) -> Change {
        self.told = true;
        self.breaker.tell(&self.host, self.probe, went, now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.told && self.probe {
            self.breaker.tell(&self.host, true, Went::Nowhere, Timestamp::UNIX_EPOCH);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("in range")
    }

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new(config::Breaker { failures: 2, cooldown: Duration::from_secs(10) }))
    }

    fn send(breaker: &Arc<Breaker>, went: Went, now: i64) -> bool {
        breaker.pass("h", at(now), LONGEST).map(|pass| pass.tell(went, at(now))).is_ok()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_only_then() {
        let breaker = breaker();
        assert!(send(&breaker, Went::Badly, 0) && send(&breaker, Went::Well, 0) && send(&breaker, Went::Badly, 0));
        assert_eq!(breaker.states(at(0))[0].state, "closed");
        assert!(send(&breaker, Went::Badly, 0));
        let shown = breaker.states(at(1));
        assert_eq!((shown[0].state, shown[0].failures, shown[0].open_until), ("open", 2, Some(at(10))));
        assert!(breaker.pass("other", at(1), LONGEST).is_ok(), "another host is another matter");
        match breaker.pass("h", at(1), LONGEST) {
            Err(HttpError::Unavailable { after, .. }) => assert_eq!(after, Duration::from_secs(9)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exactly_one_probe_decides() {
        let breaker = breaker();
        assert!(send(&breaker, Went::Badly, 0) && send(&breaker, Went::Badly, 0));
        let probe = breaker.pass("h", at(10), LONGEST).expect("the cool-down is over");
        assert_eq!(breaker.states(at(10))[0].state, "half-open");
        assert!(breaker.pass("h", at(10), LONGEST).is_err(), "a second request beside the probe");
        probe.tell(Went::Badly, at(11));
        assert!(!send(&breaker, Went::Well, 20), "a failed probe opens it for another cool-down");
        assert!(send(&breaker, Went::Well, 21));
        assert!(breaker.states(at(21)).is_empty());
        assert!(send(&breaker, Went::Well, 21));
    }

    #[test]
    fn a_probe_that_tells_nothing_gives_its_turn_back() {
        let breaker = breaker();
        assert!(send(&breaker, Went::Badly, 0) && send(&breaker, Went::Badly, 0));
        drop(breaker.pass("h", at(10), LONGEST).expect("the probe"));
        let lost = breaker.pass("h", at(10), LONGEST).expect("the next probe");
        assert!(breaker.pass("h", at(39), LONGEST).is_err());
        assert!(breaker.pass("h", at(41), LONGEST).is_ok(), "a probe that is not heard of is given up");
        drop(lost);
    }

    #[test]
    fn what_left_before_it_opened_does_not_close_it() {
        let breaker = breaker();
        let early = breaker.pass("h", at(0), LONGEST).expect("closed");
        assert!(send(&breaker, Went::Badly, 0) && send(&breaker, Went::Badly, 0));
        early.tell(Went::Well, at(1));
        assert_eq!(breaker.states(at(1))[0].state, "open");
    }

    #[test]
    fn what_other_hosts_know_is_learnt_and_what_only_this_one_knows_stays() {
        let breaker = breaker();
        let row = BreakerRow { plugin: "p".to_owned(), host: "h".to_owned(), failures: 7, open_until: at(30), probe_until: None };
        breaker.learn_all(std::slice::from_ref(&row));
        assert!(!send(&breaker, Went::Well, 29));
        for _ in 0..2 {
            breaker.pass("own", at(0), LONGEST).expect("closed").tell(Went::Badly, at(0));
        }
        breaker.learn_all(&[]);
        assert_eq!(breaker.states(at(0)).iter().map(|state| state.host.as_str()).collect::<Vec<_>>(), ["own"]);
        breaker.learn_all(&[BreakerRow { probe_until: Some(at(40)), ..row }]);
        assert!(!send(&breaker, Went::Well, 35), "another host's probe is under way");
    }
}
