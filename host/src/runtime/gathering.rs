//! Runs that come to the same action at the same time, gathered so that one call does them together.
//!
//! The first one to come opens a group and leads it; those that come while it waits join. It waits for as long as `gather` says, and not at all where
//! nothing else is under way that could join: no call of the kind is on its way, and no other run is just coming to the action. A call that returns ends
//! the waiting too, as a commit does that of the writes behind it. While the leader waits for one of the plugin's slots, the group stays open.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::attempt::AttemptRecord;
use crate::engine::CallOutcome;
use crate::store::Intent;

/// What runs must have in common to go together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The configuration that they run on.
    pub revision: i64,
    /// The plugin.
    pub plugin: String,
    /// Digest of its component.
    pub component: String,
    /// The action.
    pub action: String,
    /// Which of the plugin's configurations counts for grants and limits: it changes with every one that is applied.
    pub present: usize,
    /// What one call may take.
    pub time: Duration,
}

/// One run's part of a call for several.
#[derive(Debug)]
pub struct Part {
    /// The write that the batch is to it, still without the batch's name.
    pub intent: Intent,
    /// JSON text.
    pub context: String,
    /// Who waits for it; `None`: the leader.
    pub answer: Option<oneshot::Sender<Share>>,
}

impl Part {
    /// Bytes that the plugin is given of it.
    pub fn size(&self) -> usize {
        self.context.len() + self.intent.opening.as_ref().map_or(0, |opening| opening.input.len())
    }
}

/// What a run has of a call that was made for several.
#[derive(Debug)]
pub enum Share {
    /// How it ended for this run, what is kept of it, and how long it took.
    Ended(Box<(CallOutcome, AttemptRecord, Duration)>),
    /// It did not begin: why.
    NotBegun(String),
}

/// The groups that are open, and the calls under way.
#[derive(Debug, Default)]
pub struct Gathering {
    state: Mutex<State>,
    /// Somebody has come, or gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<Kind, Lane>,
    /// Runs on their way to an action, by plugin and action.
    coming: HashMap<(String, String), usize>,
    /// Batches that this host does now.
    at_work: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Lane {
    open: Option<Arc<Group>>,
    /// Calls under way.
    calls: usize,
    /// Calls that have returned.
    returned: u64,
}

#[derive(Debug, Default)]
struct Group(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    parts: Vec<Part>,
    bytes: usize,
    full: bool,
    closed: bool,
}

/// How much goes into one call.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Parts.
    pub most: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

impl Gathering {
    /// A run is on its way to an action; it has come, or gone, when what this gives is dropped.
    pub fn coming(&self, plugin: &str, action: &str) -> Coming<'_> {
        let key = (plugin.to_owned(), action.to_owned());
        *self.state().coming.entry(key.clone()).or_default() += 1;
        Coming { gathering: self, key }
    }

    /// Joins the open group of that kind, or opens one. Who opened it leads it.
    pub fn join(&self, kind: Kind, mut part: Part, room: Room) -> Joined<'_> {
        let size = part.size();
        let mut state = self.state();
        let lane = state.lanes.entry(kind.clone()).or_default();
        if let Some(group) = &lane.open {
            let mut parts = group.parts();
            if !parts.closed && !parts.full && parts.bytes + size <= room.bytes {
                let (answer, share) = oneshot::channel();
                part.answer = Some(answer);
                parts.bytes += size;
                parts.parts.push(part);
                parts.full = parts.parts.len() >= room.most;
                drop(parts);
                drop(state);
                self.changed.notify_waiters();
                return Joined::Waits(share);
            }
            // It is whole: whoever leads it takes it away.
            parts.full = true;
        }
        let group = Arc::new(Group(Mutex::new(Parts { parts: vec![part], bytes: size, full: false, closed: false })));
        lane.open = Some(group.clone());
        drop(state);
        self.changed.notify_waiters();
        Joined::Leads(Leading { gathering: self, kind, group })
    }

    /// Begins to do a batch of the store; `None`: this host is at it.
    pub fn take_up(&self, batch: &str) -> Option<AtWork<'_>> {
        self.state().at_work.insert(batch.to_owned()).then(|| AtWork { gathering: self, batch: batch.to_owned() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a run that came.
#[derive(Debug)]
pub enum Joined<'a> {
    /// Another one leads; its share comes.
    Waits(oneshot::Receiver<Share>),
    /// It leads.
    Leads(Leading<'a>),
}

/// An open group, as its leader has it. Dropped, it is closed, and its members get nothing.
#[derive(Debug)]
pub struct Leading<'a> {
    gathering: &'a Gathering,
    kind: Kind,
    group: Arc<Group>,
}

impl<'a> Leading<'a> {
    /// Waits for others, at most so long.
    pub async fn gather(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let returned = self.lane(|lane, _| lane.returned);
        loop {
            let changed = self.gathering.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            let more_may_come = self.lane(|lane, coming| (lane.calls > 0 && lane.returned == returned) || coming);
            if self.group.parts().full || !more_may_come {
                return;
            }
            tokio::select! {
                () = &mut changed => {}
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    fn lane<T>(&self, look: impl FnOnce(&mut Lane, bool) -> T) -> T {
        let mut state = self.gathering.state();
        let coming = state.coming.contains_key(&(self.kind.plugin.clone(), self.kind.action.clone()));
        look(state.lanes.entry(self.kind.clone()).or_default(), coming)
    }

    /// Closes the group: its parts in the order in which they came, the leader's first, and the call that is under way from now on.
    pub fn close(self) -> (Vec<Part>, UnderWay<'a>) {
        let parts = self.shut();
        self.lane(|lane, _| lane.calls += 1);
        let call = UnderWay { gathering: self.gathering, kind: self.kind.clone() };
        (parts, call)
    }

    fn shut(&self) -> Vec<Part> {
        let mut state = self.gathering.state();
        if let Some(lane) = state.lanes.get_mut(&self.kind)
            && lane.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &self.group))
        {
            lane.open = None;
        }
        let mut parts = self.group.parts();
        parts.closed = true;
        std::mem::take(&mut parts.parts)
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        drop(self.shut());
        self.gathering.tidy(&self.kind);
    }
}

impl Gathering {
    fn tidy(&self, kind: &Kind) {
        let mut state = self.state();
        if state.lanes.get(kind).is_some_and(|lane| lane.open.is_none() && lane.calls == 0) {
            state.lanes.remove(kind);
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

/// A call of a kind under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay<'a> {
    gathering: &'a Gathering,
    kind: Kind,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.gathering.state().lanes.get_mut(&self.kind) {
            lane.calls = lane.calls.saturating_sub(1);
            lane.returned += 1;
        }
        self.gathering.tidy(&self.kind);
    }
}

/// A run on its way to an action.
#[derive(Debug)]
pub struct Coming<'a> {
    gathering: &'a Gathering,
    key: (String, String),
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut state = self.gathering.state();
        if let Some(count) = state.coming.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                state.coming.remove(&self.key);
            }
        }
        drop(state);
        self.gathering.changed.notify_waiters();
    }
}

/// A batch that this host does now.
#[derive(Debug)]
pub struct AtWork<'a> {
    gathering: &'a Gathering,
    batch: String,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.gathering.state().at_work.remove(&self.batch);
    }
}

#[cfg(test)]
mod tests;
