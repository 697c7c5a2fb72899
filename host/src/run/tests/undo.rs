use super::*;

const DEADLINE: i64 = 10_000;

/// Facts: `u` has an undo action and effects, `e` effects alone, `-` neither.
fn facts(text: &str) -> Vec<UndoFacts> {
    let facts = |letter| UndoFacts { action: (letter == 'u').then(|| "undo".to_owned()), effects: letter != '-' };
    text.chars().map(facts).collect()
}

fn turned_back(route: &Route, ends: &[Outcome], text: &str) -> RunState {
    let mut state = begin(route);
    for (index, outcome) in ends.iter().enumerate() {
        tried(&mut state, route, index, outcome.clone());
    }
    assert!(matches!(state.verdict(route, NOW), Verdict::Undo(_)), "{state:?}");
    state.begin_undo(route, &facts(text), NOW, after(DEADLINE)).expect("it is decided");
    state
}

/// Lets the next undo end; gives its name.
fn undone(state: &mut RunState, route: &Route, outcome: Outcome) -> String {
    let ready = state.ready(route, NOW);
    assert_eq!(ready.len(), 1, "one at a time: {state:?}");
    state.start(route, ready[0], NOW).expect("it is ready");
    assert_eq!(state.ready(route, NOW), [], "one at a time");
    state.apply(route, ready[0], outcome, NOW, 0.5).expect("it was started");
    state.steps[ready[0].index()].name.clone()
}

fn chain(names: &[&str]) -> Route {
    let steps = names.iter().enumerate().map(|(index, name)| {
        let needs = index.checked_sub(1).map(|before| vec![before]).unwrap_or_default();
        step(name, &needs, OnFailure::Undo)
    });
    route(steps.collect())
}

#[test]
fn finished_steps_are_undone_in_reverse_and_the_failing_one_first() {
    let route = chain(&["a", "b", "c"]);
    let ends = [Outcome::Succeeded, Outcome::Succeeded, failed(FailureKind::Rejected)];
    let mut state = turned_back(&route, &ends, "uuu");
    assert_eq!(state.undone(), Some(false));
    for name in ["c", "b", "a"] {
        assert_eq!(undone(&mut state, &route, Outcome::Succeeded), name);
    }
    assert_eq!(state.verdict(&route, NOW), Verdict::Dead("step c: rejected: why; undone".to_owned()));
    assert_eq!(state.undone(), Some(true));
    assert!(state.steps.iter().all(|step| step.status == StepStatus::Undone));

    // Without a write of its own there is nothing to undo of the failing one.
    let mut state = turned_back(&route, &ends, "uu-");
    assert_eq!(undone(&mut state, &route, Outcome::Succeeded), "b");
    assert_eq!(state.steps[2].status, StepStatus::Failed);
}

#[test]
fn what_cannot_be_undone_is_said_and_the_rest_is_undone() {
    let route = chain(&["a", "b", "c"]);
    let ends = [Outcome::Succeeded, Outcome::Succeeded, failed(FailureKind::Rejected)];
    let mut state = turned_back(&route, &ends, "ueu");
    assert_eq!(undone(&mut state, &route, failed(FailureKind::Rejected)), "c");
    assert_eq!(undone(&mut state, &route, Outcome::Succeeded), "a");
    let Verdict::Dead(reason) = state.verdict(&route, NOW) else { panic!("{state:?}") };
    assert_eq!(
        reason,
        "step c: rejected: why; not all undone: step b has effects, and crm.act declares no undo action; step c/undo: rejected: why"
    );
    assert_eq!(state.undone(), Some(false));
    let shown: Vec<&str> = state.steps.iter().map(|step| step.status.as_str()).collect();
    assert_eq!(shown, ["undone", "succeeded", "undo-failed"]);
}

#[test]
fn an_undo_retries_by_the_policy_of_its_step() {
    let route = chain(&["a", "b"]);
    let mut state = turned_back(&route, &[Outcome::Succeeded, failed(FailureKind::Rejected)], "u-");
    undone(&mut state, &route, failed(FailureKind::Retry));
    assert!(matches!(state.verdict(&route, NOW), Verdict::Later(_)));
    assert_eq!(state.again_because().as_deref(), Some("step a/undo: retry: why"));
    assert_eq!(state.steps[0].status, StepStatus::Undoing);
    for (used, status) in [(2, StepStatus::Undoing), (3, StepStatus::UndoFailed)] {
        let due = state.steps[0].undo.as_ref().and_then(|undo| undo.due).expect("it is tried again");
        state.start(&route, Task::Undo(0), due).expect("its time has come");
        state.apply(&route, Task::Undo(0), failed(FailureKind::Retry), NOW, 0.5).expect("it was started");
        assert_eq!((state.steps[0].undo.as_ref().map(|undo| undo.used), state.steps[0].status), (Some(used), status));
    }
    assert!(matches!(state.verdict(&route, NOW), Verdict::Dead(_)));
}

#[test]
fn no_step_starts_once_an_undo_is_decided_and_running_ones_end_first() {
    let route = route(vec![step("a", &[], OnFailure::Undo), step("b", &[], OnFailure::DeadLetter), step("c", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    for index in [0, 1] {
        state.start(&route, Task::Step(index), NOW).expect("it can start");
    }
    state.apply(&route, Task::Step(0), failed(FailureKind::Rejected), NOW, 0.5).expect("it was started");
    assert_eq!(state.ready(&route, NOW), [], "c could start but for the undo");
    assert_eq!(state.verdict(&route, NOW), Verdict::Working, "b is running");
    assert_eq!(state.begin_undo(&route, &facts("---"), NOW, after(1)), Err(Illegal::NotDecided));
    state.apply(&route, Task::Step(1), failed(FailureKind::Retry), NOW, 0.5).expect("it was started");
    assert!(matches!(state.verdict(&route, NOW), Verdict::Undo(_)));
    state.begin_undo(&route, &facts("-u-"), NOW, after(DEADLINE)).expect("it is decided");
    assert_eq!(undone(&mut state, &route, Outcome::Succeeded), "b", "half done, and never to be finished");
}

#[test]
fn the_deadline_turns_a_run_back_and_does_not_cut_the_undo_off() {
    let route = chain(&["a", "b"]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, Outcome::Succeeded);
    tried(&mut state, &route, 1, failed(FailureKind::RateLimited));
    let late = after(3600);
    assert_eq!(state.verdict(&route, late), Verdict::Undo("the run's deadline has passed".to_owned()));
    state.begin_undo(&route, &facts("u-"), late, after(7200)).expect("it is decided");
    assert_eq!(state.ready(&route, late), [Task::Undo(0)]);
    // It has a deadline of its own.
    assert_eq!(state.verdict(&route, late), Verdict::Working);
    let Verdict::Dead(reason) = state.verdict(&route, after(7200)) else { panic!("{state:?}") };
    assert!(reason.contains("the deadline of the undo has passed"), "{reason}");
    assert_eq!((state.steps[0].status, state.undone()), (StepStatus::UndoFailed, Some(false)));
}

#[test]
fn a_replay_does_afresh_what_was_undone_and_first_undoes_what_could_not_be() {
    let route = chain(&["a", "b", "c", "d"]);
    let ends = [Outcome::Succeeded, Outcome::Succeeded, Outcome::Succeeded, failed(FailureKind::Rejected)];
    let mut state = turned_back(&route, &ends, "uue-");
    undone(&mut state, &route, failed(FailureKind::Rejected));
    undone(&mut state, &route, Outcome::Succeeded);
    assert!(matches!(state.verdict(&route, NOW), Verdict::Dead(_)));

    let undo = |_: &Step| Some("undo".to_owned());
    assert_eq!(state.resume(&route, From::Failed, after(3600), &BTreeSet::new(), |_| None), Err(Illegal::NoUndo("b".to_owned())));
    let (mut replay, kept) = state.resume(&route, From::Failed, after(3600), &BTreeSet::new(), undo).expect("b can be undone");
    assert_eq!(kept, ["c"]);
    assert_eq!(undone(&mut replay, &route, Outcome::Succeeded), "b");
    let shown: Vec<StepStatus> = replay.steps.iter().map(|step| step.status).collect();
    assert_eq!(shown, [StepStatus::Pending, StepStatus::Pending, StepStatus::Succeeded, StepStatus::Pending]);
    assert_eq!(replay.ready(&route, NOW), [Task::Step(0), Task::Step(3)], "now it goes forward");
    assert_eq!(replay.undone(), None);

    // From the start: the same, and nothing is kept.
    let (replay, kept) = state.resume(&route, From::Start, after(3600), &BTreeSet::new(), undo).expect("b can be undone");
    assert_eq!((kept, replay.ready(&route, NOW)), (Vec::new(), vec![Task::Undo(1)]));

    // It fails once more: the replay is dead before it began.
    let (mut replay, _) = state.resume(&route, From::Failed, after(3600), &BTreeSet::new(), undo).expect("b can be undone");
    undone(&mut replay, &route, failed(FailureKind::Rejected));
    assert_eq!(replay.verdict(&route, NOW), Verdict::Dead("not all undone: step b/undo: rejected: why".to_owned()));
}

#[test]
fn a_crash_in_the_middle_of_an_undo_is_an_attempt_of_it() {
    let route = chain(&["a", "b"]);
    let mut state = turned_back(&route, &[Outcome::Succeeded, failed(FailureKind::Rejected)], "u-");
    state.start(&route, Task::Undo(0), NOW).expect("it is its turn");
    let mut state: RunState = serde_json::from_str(&serde_json::to_string(&state).expect("plain data")).expect("it can be read");
    assert_eq!(state.claimed(NOW), [Task::Undo(0)]);
    state.apply(&route, Task::Undo(0), failed(FailureKind::Interrupted), NOW, 0.5).expect("it was running");
    assert!(matches!(state.verdict(&route, NOW), Verdict::Later(_)));
}

#[test]
fn what_the_journal_knows_to_be_half_undone_is_not_kept() {
    let route = chain(&["a", "b"]);
    let state = turned_back(&route, &[Outcome::Succeeded, failed(FailureKind::Rejected)], "u-");
    // Cancelled in its first undo, of which the stored state knows nothing yet.
    assert_eq!(state.steps[0].status, StepStatus::Succeeded);
    let undo = |_: &Step| Some("undo".to_owned());
    let begun = BTreeSet::from(["a".to_owned()]);
    let (replay, kept) = state.resume(&route, From::Failed, after(3600), &begun, undo).expect("a can be undone");
    assert_eq!((kept, replay.ready(&route, NOW)), (Vec::new(), vec![Task::Undo(0)]));
    let (_, kept) = state.resume(&route, From::Failed, after(3600), &BTreeSet::new(), undo).expect("nothing is half undone");
    assert_eq!(kept, ["a"], "an undo that has not begun has undone nothing");
}
