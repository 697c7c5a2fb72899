//! Who of the runs is under way on this host, and the runs that it drives from the moment they are written: leased with their acceptance, so that nobody
//! has to look for them first.
//!
//! That spares an idle host a transaction and two looks before a run's first step. It is for hosts with plenty of room only: as soon as more of the route waits
//! that is due, or much is under way, runs are taken in as due, and claimed many at once, in their turn, by whichever host has room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Runtime;
use super::share::Shares;
use crate::store::{Accepted, ClaimedRun, FirstLease, NewEvent, Receipt, StoreError, Taker};

/// Places for runs, and the way of a new run to the worker.
#[derive(Debug)]
pub struct Desk {
    shared: Arc<Shared>,
    handed: Mutex<Option<UnboundedReceiver<Handed>>>,
}

#[derive(Debug)]
struct Shared {
    shares: Mutex<Shares>,
    /// A worker is there, holds its leases, and has begun all that is due, except of routes that the shares left out.
    is_open: AtomicBool,
    hand: UnboundedSender<Handed>,
}

impl Shared {
    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that was taken in under this host's lease, with its place.
#[derive(Debug)]
pub struct Handed {
    /// The run.
    pub run: ClaimedRun,
    /// Its place.
    pub place: Place,
    /// Says whether its acceptance is durable; `None`: it is.
    pub behind: Option<Receipt>,
}

/// A run's place among those under way. Its route's window learns from what it got done.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    route: String,
    went_on: Option<bool>,
}

impl Place {
    fn of(shared: &Arc<Shared>, route: &str) -> Place {
        shared.shares().begun(route);
        Place { shared: shared.clone(), route: route.to_owned(), went_on: None }
    }

    /// Whether the run did something, or only found that it has to wait.
    pub fn learn(&mut self, went_on: bool) {
        self.went_on = Some(went_on);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.shares().ended(&self.route, self.went_on);
    }
}

/// A place that is kept for a run that is about to be taken in.
#[derive(Debug)]
struct Kept(Mutex<Option<Place>>);

impl Taker for Kept {
    fn take(&self, run: ClaimedRun, behind: Option<Receipt>) {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(place) = place {
            // A worker that is gone leaves the lease to its end, as a host does that dies.
            let hand = place.shared.hand.clone();
            let _ = hand.send(Handed { run, place, behind });
        }
    }
}

impl Default for Desk {
    fn default() -> Desk {
        let (hand, handed) = unbounded_channel();
        Desk {
            shared: Arc::new(Shared { shares: Mutex::default(), is_open: AtomicBool::new(false), hand }),
            handed: Mutex::new(Some(handed)),
        }
    }
}

impl Desk {
    /// The runs that are taken in under this host's lease: for the one worker.
    pub fn handed(&self) -> Option<UnboundedReceiver<Handed>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether runs may be taken in so from now on.
    pub fn open(&self, is_open: bool) {
        self.shared.is_open.store(is_open, Ordering::Relaxed);
    }

    /// How many runs of each of these routes, which have due ones, may be claimed now.
    pub fn allot(&self, due: &[&str]) -> Vec<(String, u32)> {
        self.shared.shares().allot(due)
    }

    /// A run of the route was claimed.
    pub fn place(&self, route: &str) -> Place {
        Place::of(&self.shared, route)
    }

    /// Of the route fewer runs were due than were allotted: what comes in waits behind none.
    pub fn drained(&self, route: &str) {
        self.shared.shares().drained(route);
    }

    /// Whether a run of the route that ended may have left its place to one that is due and got none.
    pub fn makes_room(&self, route: &str) -> bool {
        self.shared.shares().makes_room(route)
    }

    fn keep(&self, route: &str) -> Option<Kept> {
        let mut shares = self.shared.shares();
        if !shares.has_room(route) {
            return None;
        }
        shares.begun(route);
        Some(Kept(Mutex::new(Some(Place { shared: self.shared.clone(), route: route.to_owned(), went_on: None }))))
    }

    /// Leases to this host what it has room for at once; says whether that is all of it. Whether a run has to wait for others of its order key the store knows.
    fn offer(&self, rows: &mut [NewEvent], owner: &str, until: Timestamp) -> bool {
        if !self.shared.is_open.load(Ordering::Relaxed) {
            return false;
        }
        let mut all = true;
        for run in rows.iter_mut().flat_map(|row| &mut row.runs).filter(|run| run.dead.is_none()) {
            let kept = self.keep(&run.route);
            all &= kept.is_some();
            run.lease = kept.map(|kept| FirstLease { owner: owner.to_owned(), until, taker: Arc::new(kept) });
        }
        all
    }
}

impl Runtime {
    /// Makes events and their runs durable, and has the runs driven: here at once where there is room, else by whoever claims them.
    ///
    /// # Errors
    /// As [`crate::store::Store::accept`].
    pub async fn take_in(&self, mut rows: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let lease = SignedDuration::try_from(self.server.lease).unwrap_or(SignedDuration::ZERO);
        let until = self.clock.now().checked_add(lease).unwrap_or(Timestamp::MAX);
        let all = self.desk.offer(&mut rows, &self.identity.name, until);
        let accepted = self.store.accept(rows).await?;
        if !all {
            self.due.notify_one();
        }
        Ok(accepted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::store::NewRun;

    fn row() -> NewEvent {
        let now = Timestamp::UNIX_EPOCH;
        NewEvent {
            trace: None,
            eid: "e".into(),
            source: "/s".into(),
            id: "1".into(),
            kind: "t".into(),
            body: "{}".into(),
            digest: [0; 32],
            received_at: now,
            seen_until: now,
            hops: 0,
            cause: None,
            runs: vec![NewRun {
                id: "r".to_owned(),
                route: "route".to_owned(),
                revision: 1,
                order_key: None,
                order_hold: false,
                deadline_at: now,
                dead: None,
                lease: None,
            }],
        }
    }

    fn leased(desk: &Desk) -> Vec<NewEvent> {
        let mut rows = vec![row()];
        let all = desk.offer(&mut rows, "me", Timestamp::UNIX_EPOCH);
        assert_eq!(all, rows[0].runs[0].lease.is_some());
        rows
    }

    #[test]
    fn only_a_host_that_has_nothing_waiting_leases_what_comes_in() {
        let desk = Desk::default();
        assert!(leased(&desk)[0].runs[0].lease.is_none());
        desk.open(true);
        assert!(leased(&desk)[0].runs[0].lease.is_some());
        desk.open(false);
        assert!(leased(&desk)[0].runs[0].lease.is_none());
    }

    #[test]
    fn a_place_is_kept_until_the_run_ends_or_is_not_taken_in() {
        let desk = Desk::default();
        desk.open(true);
        let mut handed = desk.handed().expect("nobody has it yet");
        let mut kept = Vec::new();
        while leased(&desk)[0].runs[0].lease.is_some() {
            kept.push(leased(&desk));
            assert!(kept.len() <= 512, "there is no end to the room");
        }
        let [one] = <[NewEvent; 1]>::try_from(kept.pop().expect("there was room")).expect("one event");
        drop(one);
        let [again] = <[NewEvent; 1]>::try_from(leased(&desk)).expect("one event");
        again.hand_over(&HashSet::new(), None);
        assert!(leased(&desk)[0].runs[0].lease.is_none(), "its place was given twice");
        let run = handed.try_recv().expect("it was handed over");
        assert_eq!((run.run.id.as_str(), run.run.fence, run.run.is_fresh()), ("r", 1, true));
        drop(run);
        assert!(leased(&desk)[0].runs[0].lease.is_some(), "its place was not given back");
    }
}
