//! What the host refuses before it gets into trouble: too much in hand at once (429), and what it could not work off or keep (503).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;
use crate::store::{OpenRuns, Store};

/// Requests with events that are in hand at once: read, parsed, or waiting for their transaction. Half of the writer's queue, so that outcomes of
/// runs always find room in it.
const MAX_REQUESTS: usize = 2048;
/// Bodies are counted in pieces of this size: a semaphore counts to 2^29, and nobody minds the rest.
const PIECE: usize = 1 << 10;
/// How long a count of the backlog is believed; what comes in meanwhile is added.
const COUNTED: Duration = Duration::from_secs(1);
/// The same where it says that no more fits: runs end quickly.
const COUNTED_FULL: Duration = Duration::from_millis(100);
/// Counting may take one part in so many of the time.
const COUNTING_SHARE: u32 = 20;
/// How long the room on the disk is believed.
const MEASURED: Duration = Duration::from_millis(50);
/// How long a failed write keeps others away; then one finds out.
const FAILED: Duration = Duration::from_secs(1);

/// Why events are not taken in now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed {
    /// Too much at once; what is in hand is done in a moment. 429.
    TooMuch(String),
    /// The host can't take in any more for now. 503.
    Unavailable(String, Duration),
}

/// What is in hand, and how much there is room for.
#[derive(Debug)]
pub struct Pressure {
    bodies: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    max_intake_memory: usize,
    max_backlog: u64,
    max_waiting: u64,
    backlog: Mutex<Backlog>,
    counting: tokio::sync::Mutex<()>,
    disk: Option<Disk>,
    failed: Mutex<Option<Instant>>,
}

/// Runs that have not ended: as counted, and what was added since.
#[derive(Debug, Default)]
struct Backlog {
    counted: Option<(Instant, Duration)>,
    open: OpenRuns,
    since: u64,
    under_way: u64,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    least: u64,
    measured: Mutex<Option<(Instant, bool)>>,
}

/// Room for a request, until it is dropped. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission(Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>);

impl Admission {
    /// Its body has come, and has so many bytes: what it does not need of the room is given back. Of a clone nothing is.
    pub fn fit(&mut self, bytes: usize) {
        if let Some((_, body)) = Arc::get_mut(&mut self.0) {
            drop(body.split(body.num_permits().saturating_sub(pieces(bytes))));
        }
    }
}

/// Room for runs in the backlog: taken when they are durable, given back otherwise.
#[derive(Debug)]
pub struct Reservation<'a> {
    pressure: &'a Pressure,
    runs: u64,
    durable: bool,
}

impl Pressure {
    pub(super) fn new(server: &config::Server, store: &config::Store) -> Pressure {
        Pressure {
            bodies: Arc::new(Semaphore::new(pieces(server.max_intake_memory))),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            max_intake_memory: server.max_intake_memory,
            max_backlog: server.max_backlog,
            max_waiting: server.max_waiting,
            backlog: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
            disk: Disk::of(store),
            failed: Mutex::default(),
        }
    }

    /// Takes room for a request whose body has so many bytes.
    ///
    /// # Errors
    /// [`Pressed::TooMuch`].
    pub fn admit(&self, bytes: usize) -> Result<Admission, Pressed> {
        let Ok(request) = self.requests.clone().try_acquire_owned() else {
            return Err(Pressed::TooMuch(format!("{MAX_REQUESTS} requests with events are in hand; try again in a moment")));
        };
        let pieces = u32::try_from(pieces(bytes)).unwrap_or(u32::MAX);
        let Ok(body) = self.bodies.clone().try_acquire_many_owned(pieces) else {
            let most = self.max_intake_memory;
            return Err(Pressed::TooMuch(format!("bodies of {most} bytes are in hand (server.max-intake-memory); try again in a moment")));
        };
        Ok(Admission(Arc::new((request, body))))
    }

    /// Whether events can be taken in at all.
    ///
    /// # Errors
    /// [`Pressed::Unavailable`].
    pub async fn check(&self, store: &Store) -> Result<(), Pressed> {
        if lock(&self.failed).is_some_and(|at| at.elapsed() < FAILED) {
            return Err(Pressed::Unavailable("the store can't be written now; nothing was taken in".to_owned(), FAILED));
        }
        if let Some(disk) = &self.disk {
            disk.check()?;
        }
        self.count(store, 1).await
    }

    /// Takes room for runs.
    ///
    /// # Errors
    /// [`Pressed::Unavailable`].
    pub async fn reserve(&self, store: &Store, runs: u64) -> Result<Reservation<'_>, Pressed> {
        self.count(store, runs).await?;
        let mut backlog = lock(&self.backlog);
        // Others may have taken the room meanwhile.
        self.fits(&backlog, runs)?;
        backlog.under_way += runs;
        Ok(Reservation { pressure: self, runs, durable: false })
    }

    /// Bytes free on the disk of the store, where it is a file on this machine whose disk is looked at and says so.
    pub fn free_bytes(&self) -> Option<u64> {
        self.disk.as_ref().and_then(Disk::free)
    }

    /// A write of events was made durable, or failed.
    pub fn wrote(&self, well: bool) {
        *lock(&self.failed) = (!well).then(Instant::now);
    }

    /// Room on the disk of the store, bytes; `None`: it is not a file, or its file system does not say.
    pub fn free_space(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.disk.as_ref()?.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Counts anew where that is due, then says whether so many runs fit.
    async fn count(&self, store: &Store, runs: u64) -> Result<(), Pressed> {
        if self.outdated(runs) {
            let _one_at_a_time = self.counting.lock().await;
            // Somebody else may have counted meanwhile.
            if self.outdated(runs) {
                let before = lock(&self.backlog).since;
                let started = Instant::now();
                let counted = store.unfinished().await;
                let mut backlog = lock(&self.backlog);
                backlog.counted = Some((Instant::now(), started.elapsed()));
                // A store that can't be asked refuses the event itself.
                if let Ok(open) = counted {
                    backlog.open = open;
                    backlog.since -= before;
                }
            }
        }
        self.fits(&lock(&self.backlog), runs)
    }

    fn outdated(&self, runs: u64) -> bool {
        let backlog = lock(&self.backlog);
        let Some((at, took)) = backlog.counted else { return true };
        let believed = if self.fits(&backlog, runs).is_ok() { COUNTED } else { COUNTED_FULL };
        at.elapsed() >= believed.max(took * COUNTING_SHARE)
    }

    fn fits(&self, backlog: &Backlog, runs: u64) -> Result<(), Pressed> {
        let all = backlog.open.backlog.saturating_add(backlog.since).saturating_add(backlog.under_way);
        let asleep = backlog.open.asleep;
        let why = if runs == 0 {
            return Ok(());
        } else if all.saturating_add(runs) > self.max_backlog {
            format!("{all} runs are to be worked off already; at most {} may (server.max-backlog); try again later", self.max_backlog)
        } else if asleep >= self.max_waiting {
            format!(
                "{asleep} runs wait for a time or an event already; at most {} may (server.max-waiting); try again later",
                self.max_waiting
            )
        } else {
            return Ok(());
        };
        Err(Pressed::Unavailable(why, Duration::from_secs(10)))
    }
}

impl Reservation<'_> {
    /// The runs are in the store.
    pub fn durable(mut self) {
        self.durable = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut backlog = lock(&self.pressure.backlog);
        backlog.under_way -= self.runs;
        if self.durable {
            backlog.since += self.runs;
        }
    }
}

impl Disk {
    /// The disk of a file; a server looks after its own.
    fn of(store: &config::Store) -> Option<Disk> {
        let path = store.url.strip_prefix("sqlite://")?;
        let folder = PathBuf::from(path).parent()?.to_owned();
        (store.min_free_space > 0).then(|| Disk { folder, least: store.min_free_space, measured: Mutex::default() })
    }

    fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn check(&self) -> Result<(), Pressed> {
        let mut measured = lock(&self.measured);
        let enough = match *measured {
            Some((at, enough)) if at.elapsed() < MEASURED => enough,
            _ => {
                // A file system that does not say how much room it has is not held against anybody.
                let enough = self.free().is_none_or(|free| free >= self.least);
                *measured = Some((Instant::now(), enough));
                enough
            }
        };
        if enough {
            return Ok(());
        }
        let why = format!("the disk of the store has less than {} bytes left (store.min-free-space)", self.least);
        Err(Pressed::Unavailable(why, Duration::from_secs(30)))
    }
}

fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE).min(Semaphore::MAX_PERMITS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_came_keeps_the_room_that_it_needs() {
        let (requests, bodies) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(pieces(1 << 20))));
        let taken = |room: &Arc<Semaphore>| room.clone().try_acquire_many_owned(room.available_permits() as u32).expect("there is room");
        let mut admission = Admission(Arc::new((taken(&requests), taken(&bodies))));
        let clone = admission.clone();
        admission.fit(1);
        assert_eq!(bodies.available_permits(), 0, "somebody else has it, too");
        drop(clone);
        admission.fit(100 << 10);
        assert_eq!(bodies.available_permits(), pieces(1 << 20) - pieces(100 << 10));
        admission.fit(1 << 20);
        assert_eq!(bodies.available_permits(), pieces(1 << 20) - pieces(100 << 10), "nothing is taken anew");
        drop(admission);
        assert_eq!((requests.available_permits(), bodies.available_permits()), (1, pieces(1 << 20)));
    }
}
