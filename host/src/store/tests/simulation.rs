//! Hosts on one store, simulated: a clock that is moved by hand, a schedule from a seed, workers that stall, crash, come back late and get their
//! answers twice. What the store says is compared with a model after every step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{ClaimedRun, House, RunSettlement, SeenValue, Store, StoreError, claim, counted, counter, event, house, seen, start};

/// Schedules played, each from its own seed.
const SEEDS: u64 = 12;
/// Steps of each.
const STEPS: u32 = 120;
/// Hosts.
const HOSTS: usize = 3;

/// What must be so.
#[derive(Default)]
struct Model {
    /// Order key of each run accepted, in order of acceptance; whether it ended.
    runs: BTreeMap<String, (Option<String>, bool)>,
    /// The latest fence given for each.
    fences: BTreeMap<String, i64>,
    /// Who has each order key: begun, and neither ended nor away.
    holders: BTreeMap<String, String>,
    /// Runs that wait and gave their key up.
    away: BTreeSet<String>,
    /// Runs that woke while another had their key: they are in line before all others.
    back: BTreeSet<String>,
    /// Who must have the key next, since it was back in line when the one before left.
    next: BTreeMap<String, String>,
}

impl Model {
    fn key(&self, run: &str) -> Option<String> {
        self.runs[run].0.clone()
    }

    /// The run goes on with its key.
    fn takes(&mut self, run: &str) {
        let Some(key) = self.key(run) else { return };
        let holder = self.holders.insert(key.clone(), run.to_owned());
        assert!(holder.as_deref().is_none_or(|holder| holder == run), "{run} and {holder:?} have key {key} at once");
        let next = self.next.remove(&key);
        assert!(next.as_deref().is_none_or(|next| next == run), "{run} has key {key} before {next:?}, which was back in line");
        self.back.remove(run);
    }

    /// The run gives its key up, for now or for good.
    fn leaves(&mut self, run: &str) {
        let Some(key) = self.key(run).filter(|key| self.holders.get(key).is_some_and(|holder| holder == run)) else { return };
        self.holders.remove(&key);
        if let Some(first) = self.back.iter().find(|back| self.key(back).as_ref() == Some(&key)) {
            self.next.insert(key, first.clone());
        }
    }
}

struct Simulation {
    store: Store,
    random: fastrand::Rng,
    now: Timestamp,
    /// What each host believes that it has.
    held: [Vec<ClaimedRun>; HOSTS],
    model: Model,
    accepted: u32,
    settled: u64,
}

impl Simulation {
    async fn step(&mut self) {
        let host = self.random.usize(..HOSTS);
        match self.random.u32(..100) {
            0..20 => self.accept().await,
            20..45 => self.claim(host).await,
            45..68 => self.settle(host).await,
            68..75 => self.sleep(host).await,
            75..82 => {
                let held = self.held[host].iter().map(|run| (run.id.clone(), run.fence)).collect();
                self.store.renew(held, self.now + SignedDuration::from_secs(15)).await.expect("the store works");
            }
            // A crash: what it had it does not know any more.
            82..88 => self.held[host].clear(),
            _ => self.now += SignedDuration::from_millis(self.random.i64(0..12_000)),
        }
    }

    async fn accept(&mut self) {
        self.accepted += 1;
        let key = [None, Some("a"), Some("b")][self.random.usize(..3)];
        let event = event(self.accepted, key, self.now);
        self.model.runs.insert(event.runs[0].id.clone(), (key.map(str::to_owned), false));
        self.store.accept(vec![event]).await.expect("the store works");
    }

    async fn claim(&mut self, host: usize) {
        for run in claim(&self.store, &format!("host {host}"), self.now, 2).await {
            let (key, ended) = &self.model.runs[&run.id];
            assert!(!ended, "{} has ended and is claimed", run.id);
            if key.is_some() && !run.is_away {
                let waits = |id: &String| self.model.away.contains(id) || self.model.back.contains(id);
                let before = self.model.runs.range(..run.id.clone()).find(|(id, (other, ended))| other == key && !ended && !waits(id));
                assert!(
                    before.is_none() || self.model.next.values().any(|next| *next == run.id),
                    "{} is claimed before {before:?}",
                    run.id
                );
            }
            let fence = self.model.fences.insert(run.id.clone(), run.fence);
            assert!(fence < Some(run.fence), "every claim raises the fence");
            if run.is_away {
                if !self.store.come_back(&run).await.expect("the store works") {
                    let key = self.model.key(&run.id).expect("only a run with a key is away");
                    assert!(self.model.runs.iter().any(|(id, (other, ended))| *id != run.id && other.as_ref() == Some(&key) && !ended));
                    self.model.away.remove(&run.id);
                    self.model.back.insert(run.id.clone());
                    continue;
                }
                self.model.away.remove(&run.id);
            }
            self.model.takes(&run.id);
            self.held[host].push(run);
        }
    }

    async fn settle(&mut self, host: usize) {
        if self.held[host].is_empty() {
            return;
        }
        let at = self.random.usize(..self.held[host].len());
        let run = self.held[host][at].clone();
        let read = seen(&self.store).await;
        if self.random.bool() {
            // Somebody else is quicker between reading and settling.
            let other = self.random.usize(..HOSTS);
            if other != host {
                Box::pin(self.settle(other)).await;
            }
        }
        self.settled += 1;
        let settlement = counted(&run, read, self.now, &format!("settlement {}", self.settled));
        let current = self.model.fences[&run.id] == run.fence && !self.model.runs[&run.id].1;
        match self.store.settle(settlement.clone()).await {
            Ok(()) => {
                assert!(current, "a stale worker has settled {}", run.id);
                self.model.leaves(&run.id);
                self.model.runs.get_mut(&run.id).expect("it was accepted").1 = true;
                if self.random.bool() {
                    // Its answer was lost, and it asks again.
                    self.store.settle(RunSettlement { again: true, ..settlement }).await.expect("it is known again");
                }
                self.forget(host, &run);
            }
            Err(StoreError::Fenced) => {
                assert!(!current, "{} was refused to its own worker", run.id);
                self.forget(host, &run);
            }
            Err(StoreError::KeyConflict(_)) => assert!(current, "a stale worker is told so"),
            Err(error) => panic!("the store works: {error}"),
        }
        let ended = self.model.runs.values().filter(|(_, ended)| *ended).count();
        assert_eq!(usize::try_from(counter(&self.store).await), Ok(ended), "each run that ended has counted once");
    }

    /// A run waits by design, and gives its key up.
    async fn sleep(&mut self, host: usize) {
        if self.held[host].is_empty() {
            return;
        }
        let at = self.random.usize(..self.held[host].len());
        let run = self.held[host][at].clone();
        self.settled += 1;
        let wakes = self.now + SignedDuration::from_millis(self.random.i64(0..30_000));
        let asleep = RunSettlement {
            status: "waiting",
            due_at: Some(wakes),
            ended_at: None,
            attempts: Vec::new(),
            steps: Vec::new(),
            keys: None,
            left: Some((self.now, Vec::new())),
            away: run.order_key.is_some(),
            ..counted(&run, SeenValue::Absent, self.now, &format!("settlement {}", self.settled))
        };
        let current = self.model.fences[&run.id] == run.fence && !self.model.runs[&run.id].1;
        match self.store.settle(asleep).await {
            Ok(()) => {
                assert!(current, "a stale worker has put {} to sleep", run.id);
                self.model.leaves(&run.id);
                if run.order_key.is_some() {
                    self.model.away.insert(run.id.clone());
                }
            }
            Err(StoreError::Fenced) => assert!(!current, "{} was refused to its own worker", run.id),
            Err(error) => panic!("the store works: {error}"),
        }
        self.forget(host, &run);
    }

    fn forget(&mut self, host: usize, run: &ClaimedRun) {
        self.held[host].retain(|held| (&held.id, held.fence) != (&run.id, run.fence));
    }

    /// Time goes on, and one host is left.
    async fn drain(&mut self) {
        self.held.iter_mut().skip(1).for_each(Vec::clear);
        for _ in 0..self.accepted * 4 {
            self.now += SignedDuration::from_secs(16);
            self.claim(0).await;
            while !self.held[0].is_empty() {
                self.settle(0).await;
            }
        }
        assert!(self.model.runs.values().all(|(_, ended)| *ended), "nothing is left lying: {:?}", self.model.runs);
        assert_eq!(self.store.verify().await.expect("the store works"), Vec::new());
    }
}

#[tokio::test]
async fn whatever_hosts_do_in_whatever_order_each_run_ends_once_and_in_order() {
    let first = std::env::var("SANGAM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + SEEDS {
        // Shown with a failure: SANGAM_SEED=… plays it again.
        eprintln!("seed {seed}");
        let House { store, _folder } = house().await;
        let mut simulation = Simulation {
            store,
            random: fastrand::Rng::with_seed(seed),
            now: start(),
            held: Default::default(),
            model: Model::default(),
            accepted: 0,
            settled: 0,
        };
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.drain().await;
        simulation.store.close().await;
    }
}
