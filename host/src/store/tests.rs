//! What the store promises, asked directly.

mod batches;
mod file;
mod flush;
mod identity;
mod log;
mod simulation;
mod writing;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::audit::{Act, Action, AuditKey, By};

use super::{
    AttemptEnd, Claim, ClaimedRun, EffectId, EffectRow, EffectState, FirstLease, Intent, KeyRow, KeySettlement, NewEvent, NewRun, NewWait,
    Opening, Receipt, RunSettlement, SeenValue, StepValue, Store, StoreError, Taker, key_size,
};

/// A store in a folder of its own.
struct House {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("s.db").display());
    let store = Store::open(&url).await.expect("the store opens");
    store.sign_audit_with(AuditKey::new(&[7; 32], [8; 32]));
    store
        .revise("{}".to_owned(), "d".to_owned(), "{}".to_owned(), Vec::new(), act(Action::ConfigurationApplied), start())
        .await
        .expect("a first revision");
    House { store, _folder: folder }
}

fn act(action: Action) -> Act {
    By::host("h").did(action, "test")
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

/// An event with one run of route `r`.
fn event(number: u32, key: Option<&str>, now: Timestamp) -> NewEvent {
    NewEvent {
        trace: None,
        eid: format!("00e{number:05}").into(),
        source: "/s".into(),
        id: number.to_string().into(),
        kind: "t".into(),
        body: "{}".into(),
        digest: [0; 32],
        received_at: now,
        seen_until: now + SignedDuration::from_hours(1000),
        hops: 0,
        cause: None,
        runs: vec![NewRun {
            id: format!("r{number:05}"),
            route: "r".to_owned(),
            revision: 1,
            order_key: key.map(str::to_owned),
            order_hold: false,
            deadline_at: now + SignedDuration::from_hours(1000),
            dead: None,
            lease: None,
        }],
    }
}

async fn claim(store: &Store, owner: &str, now: Timestamp, most: u32) -> Vec<ClaimedRun> {
    let until = now + SignedDuration::from_secs(15);
    store.claim(owner, now, until, vec![("r".to_owned(), most)], Vec::new()).await.expect("the store works")
}

/// The end of a run whose one step added one to the counter `n` that it had read as that.
fn counted(run: &ClaimedRun, seen: SeenValue, now: Timestamp, id: &str) -> RunSettlement {
    let before: i64 = match &seen {
        SeenValue::Value(value, _) => std::str::from_utf8(value).expect("a number").parse().expect("a number"),
        SeenValue::Absent | SeenValue::Keys(_) => 0,
    };
    RunSettlement {
        id: id.to_owned(),
        again: false,
        run: run.id.clone(),
        root: run.root.clone(),
        eid: run.eid.clone(),
        route: run.route.clone(),
        created_at: run.created_at,
        at: now,
        order_key: run.order_key.clone(),
        fence: run.fence,
        status: "succeeded",
        status_reason: None,
        death: None,
        cause: None,
        waits_for: None,
        state: "{}".to_owned(),
        deadline_at: run.deadline_at,
        undone: None,
        due_at: None,
        ended_at: Some(now),
        attempts: vec![AttemptEnd {
            step: "s".to_owned(),
            plugin: "p".to_owned(),
            action: "a".to_owned(),
            number: 1,
            started_at: now,
            duration_ms: 1,
            outcome: "succeeded".to_owned(),
            error: None,
            logs: "[]".to_owned(),
            effects: "[]".to_owned(),
            reads: None,
            digest: None,
        }],
        steps: vec![StepValue {
            name: "s".to_owned(),
            round: 0,
            input: Some("{}".to_owned()),
            output: Some("{}".to_owned()),
            ended: true,
            clock_start: Some(now),
        }],
        keys: Some(KeySettlement {
            plugin: "p".to_owned(),
            root: run.root.clone(),
            step: "s".to_owned(),
            unclaimed: vec![(Claim { key: "n".to_owned(), prefix: false }, seen)],
            writes: vec![("n".to_owned(), Some((before + 1).to_string().into_bytes()))],
            version: i64::try_from(uuid::Uuid::new_v4().as_u128() & 0x7fff_ffff_ffff_ffff).expect("63 bits"),
            space: 1 << 20,
        }),
        emitted: Vec::new(),
        waits: Vec::new(),
        waits_over: None,
        left: None,
        away: false,
        turns_back: false,
        step_undone: None,
    }
}

async fn seen(store: &Store) -> SeenValue {
    let read = store.key_get("p", "n").await.expect("the store works");
    read.map_or(SeenValue::Absent, |(value, version)| SeenValue::Value(value, version))
}

async fn counter(store: &Store) -> i64 {
    match seen(store).await {
        SeenValue::Value(value, _) => std::str::from_utf8(&value).expect("a number").parse().expect("a number"),
        SeenValue::Absent | SeenValue::Keys(_) => 0,
    }
}

#[tokio::test]
async fn a_settlement_whose_answer_was_lost_is_known_again() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    let run = claim(&store, "a", start(), 1).await.remove(0);
    let settlement = counted(&run, seen(&store).await, start(), "one");
    store.settle(settlement.clone()).await.expect("it is settled");
    store.settle(RunSettlement { again: true, ..settlement.clone() }).await.expect("it is known again");
    assert_eq!(counter(&store).await, 1, "and was not done twice");
    let other = RunSettlement { id: "two".to_owned(), again: true, ..settlement };
    assert!(matches!(store.settle(other).await, Err(StoreError::Fenced)), "another one is not");
}

#[tokio::test]
async fn the_size_of_a_key_value_space_is_kept_and_held_to_also_after_an_erasure() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start()), event(2, None, start())]).await.expect("the store works");
    let runs = claim(&store, "a", start(), 2).await;
    store.settle(counted(&runs[0], seen(&store).await, start(), "one")).await.expect("it is settled");
    // One byte of key, one of value, and what a key takes.
    let one = key_size(1, 1);
    assert_eq!(store.key_space("p").await.expect("the store works"), one);
    let mut large = counted(&runs[1], seen(&store).await, start(), "two");
    let keys = large.keys.as_mut().expect("it writes keys");
    keys.writes.push(("m".to_owned(), Some(vec![0; 100])));
    keys.space = 2 * one;
    let (would, most) = (one + key_size(1, 100), 2 * one);
    let refused = store.settle(large.clone()).await;
    assert!(
        matches!(&refused, Err(StoreError::KeySpaceFull { plugin, would: w, most: m }) if (plugin.as_str(), *w, *m) == ("p", would, most)),
        "{refused:?}"
    );
    assert_eq!(counter(&store).await, 1, "nothing of it was written");
    let Some((value, version)) = store.key_get("p", "n").await.expect("the store works") else { panic!("the counter is there") };
    let row = KeyRow { plugin: "p".to_owned(), key: "n".to_owned(), value, version };
    assert!(store.rewrite_key(row, None, version + 1).await.expect("the store works"), "it is erased");
    assert_eq!(store.key_space("p").await.expect("the store works"), 0);
}

#[tokio::test]
async fn a_worker_whose_lease_went_to_another_writes_nothing() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    let stale = claim(&store, "a", start(), 1).await.remove(0);
    let later = start() + SignedDuration::from_secs(16);
    let run = claim(&store, "b", later, 1).await.remove(0);
    assert_eq!((run.id.as_str(), run.fence), (stale.id.as_str(), stale.fence + 1));
    let refused = store.settle(counted(&stale, seen(&store).await, later, "stale")).await;
    assert!(matches!(refused, Err(StoreError::Fenced)));
    assert_eq!((counter(&store).await, store.attempts(&run.id).await.expect("the store works").len()), (0, 0));
    // It can't keep the run from the other either.
    store.renew(vec![(stale.id.clone(), stale.fence)], later + SignedDuration::from_secs(600)).await.expect("the store works");
    assert_eq!(claim(&store, "c", later + SignedDuration::from_secs(16), 1).await.len(), 1);
}

/// Settlements without key-value writes, and intents without reads, go to the database in one piece: nobody asks for the fence before.
#[tokio::test]
async fn a_worker_whose_lease_went_to_another_writes_nothing_in_one_piece_either() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    let stale = claim(&store, "a", start(), 1).await.remove(0);
    let later = start() + SignedDuration::from_secs(16);
    let run = claim(&store, "b", later, 1).await.remove(0);
    let plain = |run: &ClaimedRun, id: &str| RunSettlement { keys: None, ..counted(run, SeenValue::Absent, later, id) };
    assert!(matches!(store.settle(plain(&stale, "stale")).await, Err(StoreError::Fenced)));
    assert!(matches!(store.intend(intent(&stale, later)).await, Err(StoreError::Fenced)));
    for table in
        ["select count(*) from step", "select count(*) from line_step", "select count(*) from attempt", "select count(*) from effect"]
    {
        let rows: i64 = super::sql::sql(table).scalar(&store.readers).await.expect("the store works");
        assert_eq!(rows, 0, "{table}");
    }
    store.intend(intent(&run, later)).await.expect("who has the lease may intend");
    store.settle(plain(&run, "own")).await.expect("…and settle");
    assert!(matches!(store.intend(intent(&run, later)).await, Err(StoreError::Fenced)), "a run that has ended intends nothing");
    assert_eq!(store.attempts(&run.id).await.expect("the store works").len(), 1);
}

/// Those that come to the writer together share its statements.
#[tokio::test]
async fn of_many_that_write_at_once_each_finds_out_whether_it_still_has_its_run() {
    let House { store, _folder } = house().await;
    store.accept((1..=3).map(|number| event(number, None, start())).collect()).await.expect("the store works");
    let runs = claim(&store, "a", start(), 3).await;
    let later = start() + SignedDuration::from_secs(16);
    let taken = claim(&store, "b", later, 1).await.remove(0);
    let (stale, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.id == taken.id);
    let intend = |run: &ClaimedRun| store.intend(intent(run, later));
    let (stale_one, own, first, second) = tokio::join!(intend(&stale[0]), intend(&taken), intend(&others[0]), intend(&others[1]));
    assert!(matches!(stale_one, Err(StoreError::Fenced)), "{stale_one:?}");
    for held in [own, first, second] {
        held.expect("who has the lease may intend");
    }
    let plain = |run: &ClaimedRun, id: &str| RunSettlement { keys: None, ..counted(run, SeenValue::Absent, later, id) };
    // Of another step than the one that has ended: only the end of the run is in its way.
    let mut next = intent(&others[0], later);
    "next".clone_into(&mut next.effect.id.step);
    let (settled, stale_one, behind, other) = tokio::join!(
        store.settle(plain(&others[0], "one")),
        store.settle(plain(&stale[0], "stale")),
        store.intend(next),
        store.settle(plain(&others[1], "two"))
    );
    settled.expect("it is settled");
    other.expect("its neighbour is settled");
    assert!(matches!(stale_one, Err(StoreError::Fenced)), "{stale_one:?}");
    assert!(matches!(behind, Err(StoreError::Fenced)), "a run that the write before has ended intends nothing: {behind:?}");
    let statuses = async |run: &str| store.run(run).await.expect("the store works").map(|run| run.status);
    assert_eq!(statuses(&others[0].id).await.as_deref(), Some("succeeded"));
    assert_eq!(statuses(&others[1].id).await.as_deref(), Some("succeeded"));
    assert_eq!(statuses(&taken.id).await.as_deref(), Some("running"));
    assert_eq!(store.verify().await.expect("the store works"), Vec::new());
}

/// A run that goes on does not wait for the flush of the step that has ended.
#[tokio::test]
async fn what_a_run_writes_behind_a_step_that_has_ended_is_durable_with_it_or_not_at_all() {
    let House { store, _folder } = house().await;
    store.accept((1..=2).map(|number| event(number, None, start())).collect()).await.expect("the store works");
    let runs = claim(&store, "a", start(), 2).await;
    let ended = |run: &ClaimedRun| RunSettlement { keys: None, ..counted(run, SeenValue::Absent, start(), "one") };
    let step = |run: &ClaimedRun| Arc::new(RunSettlement { status: "running", ended_at: None, ..ended(run) });
    let behind = |run: &ClaimedRun, step: &str| {
        let mut intent = intent(run, start());
        step.clone_into(&mut intent.effect.id.step);
        intent.effect.attempt += 1;
        intent
    };
    assert!(store.settle_in_turn(Arc::new(ended(&runs[0]))).await.is_err(), "the end of a run is waited for");
    for next in ["next", "s"] {
        let settling = store.settle_in_turn(step(&runs[0])).await.expect("it is queued");
        let (settled, intended) = tokio::join!(settling.durable(), store.intend(behind(&runs[0], next)));
        settled.map_err(|(error, _)| error).expect("it is durable");
        intended.expect("it may leave");
        let attempts = store.attempts(&runs[0].id).await.expect("the store works");
        let open: Vec<_> = attempts.iter().filter(|attempt| attempt.outcome.is_none()).map(|attempt| attempt.step.as_str()).collect();
        assert!(open.contains(&next), "its attempt has begun and not ended: {attempts:?}");
        assert!(attempts.iter().any(|attempt| attempt.step == "s" && attempt.outcome.is_some()));
    }
    let later = start() + SignedDuration::from_secs(16);
    let taken = claim(&store, "b", later, 2).await;
    assert_eq!(taken.len(), 2);
    let settling = store.settle_in_turn(step(&runs[1])).await.expect("it is queued");
    let (settled, intended) = tokio::join!(settling.durable(), store.intend(behind(&runs[1], "next")));
    assert!(matches!(settled, Err((StoreError::Fenced, _))) && matches!(intended, Err(StoreError::Fenced)), "another has the run");
    assert!(store.attempts(&runs[1].id).await.expect("the store works").is_empty());
}

/// A write that was refused for a while leaves again before anybody has flushed that it was.
#[tokio::test]
async fn a_write_that_leaves_again_is_about_to_leave_whatever_its_last_outcome_was() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    let run = claim(&store, "a", start(), 1).await.remove(0);
    let first = intent(&run, start());
    let mut failed = first.effect.clone();
    (failed.state, failed.status) = (EffectState::Failed, Some(429));
    let mut again = first.clone();
    (again.opening, again.effect.seq) = (None, first.effect.seq + 1);
    store.intend(first).await.expect("it may leave");
    let (outcome, intended) = tokio::join!(store.outcome(run.fence, failed.clone()), store.intend(again.clone()));
    intended.expect("it may leave again");
    store.confirm(outcome.expect("queued")).await.expect("recorded");
    let state = async || store.journal(&run.root, &run.id, "s", 0, "p").await.expect("the store works").effects.remove(0).state;
    assert_eq!(state().await, EffectState::Intent, "a crash now leaves it in doubt");
    let mut done = again.effect;
    (done.state, done.status) = (EffectState::Done, Some(201));
    store.confirm(store.outcome(run.fence, done).await.expect("queued")).await.expect("recorded");
    // One that was lost with a connection is recorded late.
    store.confirm(store.outcome(run.fence, failed).await.expect("queued")).await.expect("recorded");
    assert_eq!(state().await, EffectState::Done);
}

#[tokio::test]
async fn of_events_that_come_at_once_the_first_of_an_identity_is_taken_in() {
    let House { store, _folder } = house().await;
    let twin = |number: u32, eid: &str, digest: u8| {
        let mut twin = event(number, None, start());
        twin.runs[0].id = format!("r-{eid}");
        NewEvent { eid: eid.into(), digest: [digest; 32], ..twin }
    };
    let one = vec![event(1, None, start()), event(2, None, start()), twin(1, "again", 0)];
    let other = vec![twin(2, "differs", 1), event(3, None, start())];
    let (one, other) = tokio::join!(store.accept(one), store.accept(other));
    let seen = |accepted: Vec<super::Accepted>| -> Vec<(String, bool, bool)> {
        accepted.into_iter().map(|one| (one.eid, one.duplicate, one.differs)).collect()
    };
    let is = |eid: &str, duplicate: bool, differs: bool| (eid.to_owned(), duplicate, differs);
    assert_eq!(seen(one.expect("taken in")), [is("00e00001", false, false), is("00e00002", false, false), is("00e00001", true, false)]);
    assert_eq!(seen(other.expect("taken in")), [is("00e00002", true, true), is("00e00003", false, false)]);
    let again = store.accept(vec![event(1, None, start()), event(4, None, start())]).await.expect("taken in");
    assert_eq!(
        seen(again),
        [is("00e00001", false, false), is("00e00004", false, false)],
        "its own commit, whose answer was lost, is known"
    );
    let runs = |eid: &'static str| async { store.runs(eid).await.expect("the store works").len() };
    assert_eq!((runs("00e00001").await, runs("00e00002").await, runs("00e00003").await, runs("00e00004").await), (1, 1, 1, 1));
    assert!(store.event("again").await.expect("the store works").is_none());
    assert_eq!(
        claim(&store, "a", start(), 10).await.iter().map(|run| run.eid.as_str()).collect::<Vec<_>>(),
        ["00e00001", "00e00002", "00e00003", "00e00004"]
    );
}

impl Store {
    /// A store in a folder of its own, with a run that a worker has.
    pub(crate) async fn with_a_run() -> (Store, tempfile::TempDir, ClaimedRun) {
        let House { store, _folder } = house().await;
        store.accept(vec![event(1, None, start())]).await.expect("the store works");
        let run = claim(&store, "a", start(), 1).await.remove(0);
        (store, _folder, run)
    }
}

impl EffectRow {
    /// The write `w` of a run's step `s`, about to leave.
    pub(crate) fn of_a_run(root: &str, run: &str, now: Timestamp) -> EffectRow {
        EffectRow {
            id: EffectId { root: root.to_owned(), step: "s".to_owned(), round: 0, undos: 0, identity: "n:w".to_owned(), generation: 0 },
            kind: "http".to_owned(),
            name: Some("w".to_owned()),
            key: "k".to_owned(),
            method: "POST".to_owned(),
            url: "http://sink/".to_owned(),
            request_headers: "[]".to_owned(),
            request_body: None,
            request_digest: Vec::new(),
            state: EffectState::Intent,
            doubted: false,
            status: None,
            response_headers: None,
            response_body: None,
            run: run.to_owned(),
            attempt: 1,
            seq: 1,
            started_at: now,
            duration_ms: None,
            decided: None,
        }
    }
}

/// The first write of a run's step.
fn intent(run: &ClaimedRun, now: Timestamp) -> Intent {
    let effect = EffectRow::of_a_run(&run.root, &run.id, now);
    let (input, plugin) = ("{}".to_owned(), "p".to_owned());
    Intent {
        fence: run.fence,
        effect,
        opening: Some(Opening { started_at: now, clock_start: now, input, plugin, reads: Vec::new(), digest: None }),
    }
}

#[tokio::test]
async fn a_file_that_another_process_holds_refuses_writes_and_takes_them_afterwards() {
    let House { store, _folder } = house().await;
    let options = super::file::FileOptions::at(&_folder.path().join("s.db"));
    let mut other = super::sql::Connection::to_file(&options).expect("another process opens it");
    super::sql::sql("begin immediate").execute(&mut other).await.expect("it holds the file");
    let refused = store.accept(vec![event(1, None, start())]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    other.rollback().await.expect("it lets go");
    store.accept(vec![event(2, None, start())]).await.expect("the store works again");
    assert_eq!(store.verify().await.expect("the store works"), Vec::new());
}

/// Whom runs are handed to.
#[derive(Debug, Default)]
struct Hands(std::sync::Mutex<Vec<(ClaimedRun, Option<Receipt>)>>);

impl Taker for Hands {
    fn take(&self, run: ClaimedRun, behind: Option<Receipt>) {
        self.0.lock().expect("nobody panics").push((run, behind));
    }
}

impl Hands {
    fn lease(self: &Arc<Hands>, mut event: NewEvent) -> NewEvent {
        let until = start() + SignedDuration::from_secs(15);
        event.runs[0].lease = Some(FirstLease { owner: "me".to_owned(), until, taker: self.clone() });
        event
    }

    fn ids(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics").iter().map(|(run, _)| run.id.clone()).collect()
    }

    fn first(&self) -> (ClaimedRun, Option<Receipt>) {
        self.0.lock().expect("nobody panics").remove(0)
    }
}

#[tokio::test]
async fn a_run_that_is_leased_with_its_acceptance_is_handed_over_once_and_claimed_by_others_when_its_lease_ends() {
    let House { store, _folder } = house().await;
    let hands = Arc::new(Hands::default());
    store.accept(vec![hands.lease(event(1, None, start()))]).await.expect("the store works");
    store.accept(vec![hands.lease(NewEvent { eid: "again".into(), ..event(1, None, start()) })]).await.expect("the store works");
    assert_eq!(hands.ids(), ["r00001"], "a duplicate has no run");
    assert!(claim(&store, "other", start(), 8).await.is_empty(), "it is leased");
    // It is as good a lease as any.
    let (run, behind) = hands.first();
    behind.expect("it was handed over beside the flush").await.expect("its event is durable");
    let claimed = claim(&store, "other", start() + SignedDuration::from_secs(16), 8).await.remove(0);
    assert_eq!((claimed.id.as_str(), claimed.fence, run.fence), ("r00001", 2, 1));
    assert_eq!((claimed.event, claimed.created_at, claimed.deadline_at), (run.event.clone(), run.created_at, run.deadline_at));
    let refused = store.settle(counted(&run, seen(&store).await, start(), "stale")).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
}

#[tokio::test]
async fn of_an_order_key_only_the_first_in_line_is_leased_with_its_acceptance() {
    let House { store, _folder } = house().await;
    let hands = Arc::new(Hands::default());
    let rows = vec![
        hands.lease(event(1, Some("k"), start())),
        hands.lease(event(2, Some("k"), start())),
        hands.lease(event(3, Some("l"), start())),
    ];
    store.accept(rows).await.expect("the store works");
    store.accept(vec![hands.lease(event(4, Some("l"), start()))]).await.expect("the store works");
    assert_eq!(hands.ids(), ["r00001", "r00003"]);
    assert!(claim(&store, "other", start() + SignedDuration::from_secs(1), 8).await.is_empty(), "those behind are not due");
    let (first, _) = hands.first();
    assert_eq!(first.order_key.as_deref(), Some("k"));
    store.settle(counted(&first, seen(&store).await, start(), "one")).await.expect("it is settled");
    let next = claim(&store, "other", start() + SignedDuration::from_secs(1), 8).await;
    assert_eq!(next.iter().map(|run| (run.id.as_str(), run.fence)).collect::<Vec<_>>(), [("r00002", 1)]);
}

#[tokio::test]
async fn one_write_that_can_not_be_made_takes_no_other_with_it() {
    let House { store, _folder } = house().await;
    let mut bad = event(1, None, start());
    // Two runs with one id: the second insert fails, in the middle of a shared transaction.
    bad.runs.push(bad.runs[0].clone());
    let (bad, good) = tokio::join!(store.accept(vec![bad]), store.accept(vec![event(2, None, start())]));
    assert!(bad.is_err(), "what can't be stored is refused");
    assert!(!good.expect("its neighbour is taken in")[0].duplicate);
    assert!(store.event("00e00001").await.expect("the store works").is_none(), "half an event is none");
    assert_eq!(store.runs("00e00002").await.expect("the store works").len(), 1);
    assert_eq!(store.verify().await.expect("the store works"), Vec::new());
}

/// A run of an event that waits for another one of type `t`.
async fn awaits(store: &Store, now: Timestamp) -> ClaimedRun {
    let run = claim(store, "a", now, 1).await.remove(0);
    let wait = NewWait { step: "w".to_owned(), kind: "t".to_owned(), path: String::new(), digest: String::new(), condition: None };
    let asleep = RunSettlement {
        status: "waiting",
        ended_at: None,
        keys: None,
        waits: vec![wait],
        left: Some((now, vec!["w".to_owned()])),
        ..counted(&run, SeenValue::Absent, now, "asleep")
    };
    store.settle(asleep).await.expect("it is settled");
    run
}

#[tokio::test]
async fn an_event_and_a_wait_meet_once_whichever_comes_first() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    // Before the wait, no trace is left of it but itself.
    assert!(!store.accept(vec![event(2, None, start())]).await.expect("the store works")[0].awaited);
    let arrivals = || store.take_arrivals(start(), start() + SignedDuration::from_secs(60));
    assert!(arrivals().await.expect("the store works").is_empty(), "nobody waits");
    let run = awaits(&store, start()).await;
    let look = store.looks_back().await.expect("the store works").remove(0);
    let past = store.past_events("t", &look.after, 10).await.expect("the store works");
    assert_eq!(past.iter().map(|past| past.eid.as_str()).collect::<Vec<_>>(), ["00e00001", "00e00002"], "its own, and what came since");
    // After it, an arrival is; in hand of one host at a time.
    assert!(store.accept(vec![event(3, None, start())]).await.expect("the store works")[0].awaited);
    assert!(!store.accept(vec![event(3, None, start())]).await.expect("the store works")[0].awaited, "it had come before");
    let arrived = arrivals().await.expect("the store works");
    assert_eq!(arrived.iter().map(|arrival| arrival.eid.as_str()).collect::<Vec<_>>(), ["00e00003"]);
    assert!(arrivals().await.expect("the store works").is_empty(), "another host has it in hand");
    let later = start() + SignedDuration::from_secs(61);
    assert_eq!(store.take_arrivals(later, later).await.expect("the store works").len(), 1, "which is gone");
    // The first one counts.
    for eid in ["00e00002", "00e00003"] {
        store.match_wait(&run.id, "w", eid, later).await.expect("the store works");
    }
    let matched = store.matched(&run.id).await.expect("the store works");
    assert_eq!(matched.iter().map(|matched| matched.eid.as_str()).collect::<Vec<_>>(), ["00e00002"]);
    assert!(store.looks_back().await.expect("the store works").is_empty());
    let woken = store.claim("b", later, later, vec![("r".to_owned(), 9)], Vec::new()).await.expect("the store works");
    assert!(woken.iter().any(|woken| woken.id == run.id), "it is due");
    store.cancel("00e00001", act(Action::EventCancelled), later).await.expect("the store works");
    assert!(store.matched(&run.id).await.expect("the store works").is_empty(), "a run that ended waits for nothing");
    assert!(!store.accept(vec![event(4, None, later)]).await.expect("the store works")[0].awaited);
    assert_eq!(store.verify().await.expect("the store works"), Vec::new());
}

#[tokio::test]
async fn an_event_that_comes_while_a_run_is_under_way_wakes_it_when_it_leaves() {
    let House { store, _folder } = house().await;
    store.accept(vec![event(1, None, start())]).await.expect("the store works");
    let run = awaits(&store, start()).await;
    // Something else of it is due.
    store.wake_run(&run.id, start()).await.expect("the store works");
    let run = claim(&store, "a", start(), 1).await.remove(0);
    store.match_wait(&run.id, "w", "00e00001", start()).await.expect("the store works");
    let far = start() + SignedDuration::from_hours(100);
    let leaves = RunSettlement {
        status: "waiting",
        due_at: Some(far),
        ended_at: None,
        keys: None,
        left: Some((start(), vec!["w".to_owned()])),
        ..counted(&run, SeenValue::Absent, start(), "leaves")
    };
    store.settle(leaves).await.expect("it is settled");
    assert_eq!(claim(&store, "a", start(), 1).await.len(), 1, "it does not sleep over it");
}
