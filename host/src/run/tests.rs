use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

mod hold;
mod property;
mod undo;

use super::*;
use crate::config::{JournalPolicy, OnDoubt, OrderOnDead, Repeat, Retry, Step};

pub(super) fn step(name: &str, needs: &[usize], on_failure: OnFailure) -> Step {
    Step {
        name: name.to_owned(),
        plugin: "crm".to_owned(),
        action: "act".to_owned(),
        with: None,
        needs: needs.to_vec(),
        when: None,
        timeout: Duration::from_secs(30),
        retry: Retry { max_attempts: 3, initial: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(3), jitter: 0.5 },
        on_failure,
        on_doubt: OnDoubt::Resend,
        quiet: None,
        journal: JournalPolicy::default(),
        repeat: None,
    }
}

pub(super) fn route(steps: Vec<Step>) -> Route {
    Route {
        name: "route".to_owned(),
        types: Vec::new(),
        sources: Vec::new(),
        when: None,
        order_by: None,
        order_on_dead: OrderOnDead::Release,
        order_while_waiting: false,
        deadline: Duration::from_secs(3600),
        redact: Vec::new(),
        retention: None,
        dead_letter_retention: None,
        steps,
    }
}

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn begin(route: &Route) -> RunState {
    RunState::new(route, after(3600))
}

/// Indexes of what may start.
fn ready(state: &RunState, route: &Route, now: Timestamp) -> Vec<usize> {
    state.ready(route, now).into_iter().map(Task::index).collect()
}

/// Starts a step and lets it end.
fn tried(state: &mut RunState, route: &Route, index: usize, outcome: Outcome) {
    state.start(route, Task::Step(index), state.steps[index].due.unwrap_or(NOW)).expect("it can start");
    state.apply(route, Task::Step(index), outcome, NOW, 0.5).expect("it was started");
}

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(StepFailure::new(kind, "why"))
}

#[test]
fn steps_start_when_what_they_need_is_met() {
    use OnFailure::DeadLetter;
    // a and b at once, c after both, d after c.
    let route =
        route(vec![step("a", &[], DeadLetter), step("b", &[], DeadLetter), step("c", &[0, 1], DeadLetter), step("d", &[2], DeadLetter)]);
    let mut state = begin(&route);
    assert_eq!(ready(&state, &route, NOW), [0, 1]);
    tried(&mut state, &route, 0, Outcome::Succeeded);
    assert_eq!(ready(&state, &route, NOW), [1], "c waits for b too");
    tried(&mut state, &route, 1, Outcome::Skipped);
    assert_eq!(ready(&state, &route, NOW), [2], "a skipped step counts as met");
    state.start(&route, Task::Step(2), NOW).expect("it can start");
    assert_eq!(state.verdict(&route, NOW), Verdict::Working, "no run ends while a step is running");
    state.apply(&route, Task::Step(2), Outcome::Succeeded, NOW, 0.5).expect("it was started");
    tried(&mut state, &route, 3, Outcome::Succeeded);
    assert_eq!(state.verdict(&route, NOW), Verdict::Succeeded);
}

#[test]
fn a_dead_step_lets_the_others_finish_first() {
    use OnFailure::DeadLetter;
    let route = route(vec![step("a", &[], DeadLetter), step("b", &[0], DeadLetter), step("c", &[], DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Rejected));
    assert_eq!(ready(&state, &route, NOW), [2], "b depends on a, c does not");
    assert_eq!(state.verdict(&route, NOW), Verdict::Working);
    tried(&mut state, &route, 2, Outcome::Succeeded);
    assert_eq!(state.verdict(&route, NOW), Verdict::Dead("step a: rejected: why".to_owned()));
}

#[test]
fn a_failed_step_that_may_continue_counts_as_met() {
    let route = route(vec![step("a", &[], OnFailure::Continue), step("b", &[0], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Rejected));
    assert_eq!(ready(&state, &route, NOW), [1]);
    tried(&mut state, &route, 1, Outcome::Succeeded);
    assert_eq!(state.verdict(&route, NOW), Verdict::Succeeded);
}

#[test]
fn what_each_failure_leads_to() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    // (kind, attempts used, status)
    let cases = [
        (FailureKind::Retry, 1, StepStatus::Pending),
        (FailureKind::Trap, 1, StepStatus::Pending),
        (FailureKind::Timeout, 1, StepStatus::Pending),
        (FailureKind::Interrupted, 1, StepStatus::Pending),
        (FailureKind::RateLimited, 0, StepStatus::Pending),
        (FailureKind::Conflict, 0, StepStatus::Pending),
        (FailureKind::Busy, 0, StepStatus::Pending),
        (FailureKind::Unauthorized, 0, StepStatus::Pending),
        (FailureKind::Rejected, 0, StepStatus::Failed),
        (FailureKind::InvalidInput, 0, StepStatus::Failed),
        (FailureKind::InvalidOutput, 0, StepStatus::Failed),
        (FailureKind::Expression, 0, StepStatus::Failed),
        (FailureKind::Diverged, 0, StepStatus::Failed),
        (FailureKind::Unavailable, 0, StepStatus::Failed),
    ];
    for (kind, used, status) in cases {
        let mut state = begin(&route);
        tried(&mut state, &route, 0, failed(kind));
        assert_eq!((state.steps[0].used, state.steps[0].status), (used, status), "{kind:?}");
        assert_eq!(state.steps[0].tries, 1, "{kind:?}");
        let dead = matches!(state.verdict(&route, NOW), Verdict::Dead(_));
        assert_eq!(dead, status == StepStatus::Failed, "{kind:?}");
    }
}

#[test]
fn attempts_end_with_the_policy() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    for left in [2, 1] {
        tried(&mut state, &route, 0, failed(FailureKind::Retry));
        assert_eq!(state.steps[0].status, StepStatus::Pending, "{left} attempts are left");
    }
    // Asking for patience in between uses none.
    for _ in 0..10 {
        tried(&mut state, &route, 0, failed(FailureKind::RateLimited));
    }
    assert_eq!(state.steps[0].status, StepStatus::Pending);
    tried(&mut state, &route, 0, failed(FailureKind::Retry));
    assert_eq!(state.steps[0].status, StepStatus::Failed);
    assert_eq!((state.steps[0].used, state.steps[0].tries), (3, 13));
}

#[test]
fn delays_grow_are_capped_spread_and_never_shorter_than_asked() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let due = |failures: u32, asked: Option<u64>, jitter: f64| {
        let failure = StepFailure { after: asked.map(Duration::from_secs), ..StepFailure::new(FailureKind::RateLimited, "") };
        let mut state = begin(&route);
        state.steps[0].patience = failures - 1;
        state.start(&route, Task::Step(0), NOW).expect("it can start");
        state.apply(&route, Task::Step(0), Outcome::Failed(failure), NOW, jitter).expect("it was started");
        state.steps[0].due.expect("it is tried again").as_millisecond()
    };
    assert_eq!([due(1, None, 0.5), due(2, None, 0.5), due(3, None, 0.5), due(30, None, 0.5)], [1000, 2000, 3000, 3000]);
    assert_eq!([due(1, None, 0.0), due(1, None, 1.0)], [500, 1500], "jitter 0.5 spreads by half to both sides");
    assert_eq!(due(1, Some(60), 0.0), 60_000);
    assert_eq!(due(1, Some(60), 1.0), 90_000, "many who hear the same wish come back one after another");
    assert_eq!(due(2, Some(1), 0.5), 2000, "a shorter wish does not shorten the policy's delay");
}

#[test]
fn a_system_that_asks_for_patience_is_not_tried_again_at_once() {
    let mut hasty = step("a", &[], OnFailure::DeadLetter);
    hasty.retry = Retry { initial: Duration::ZERO, max: Duration::ZERO, ..hasty.retry };
    let route = route(vec![hasty]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::RateLimited));
    assert_eq!(state.steps[0].due.expect("it is tried again").as_millisecond(), 100, "it uses no attempt: it would go on without pause");
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Retry));
    assert_eq!(state.steps[0].due, Some(NOW), "this one uses up an attempt");
}

#[test]
fn a_refused_credential_is_renewed_once_then_pauses_the_step() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Unauthorized));
    assert_eq!(ready(&state, &route, NOW), [0], "tried again at once");
    tried(&mut state, &route, 0, failed(FailureKind::Unauthorized));
    assert_eq!(ready(&state, &route, NOW), [0; 0]);
    assert!(matches!(state.verdict(&route, NOW), Verdict::Waiting(_)));
    // Waiting does not count against the deadline.
    state.waiting_since = Some(after(10));
    state.claimed(after(110));
    assert_eq!(state.deadline, after(3700));
    assert_eq!(ready(&state, &route, after(110)), [0]);
}

#[test]
fn a_credential_refused_again_after_other_trouble_is_renewed_again() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Unauthorized));
    tried(&mut state, &route, 0, failed(FailureKind::RateLimited));
    tried(&mut state, &route, 0, failed(FailureKind::Unauthorized));
    assert_eq!(state.steps[0].status, StepStatus::Pending, "an hour may lie between the two");
}

#[test]
fn a_run_past_its_deadline_is_dead() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::Retry));
    assert_eq!(state.verdict(&route, NOW), Verdict::Later(after(1)));
    assert_eq!(ready(&state, &route, after(3600)), [0; 0]);
    assert!(matches!(state.verdict(&route, after(3600)), Verdict::Dead(reason) if reason.contains("deadline")));
}

#[test]
fn a_replay_keeps_what_succeeded_even_where_the_route_changed() {
    use OnFailure::DeadLetter;
    let before = route(vec![step("a", &[], DeadLetter), step("b", &[0], DeadLetter), step("gone", &[1], DeadLetter)]);
    let mut state = begin(&before);
    tried(&mut state, &before, 0, Outcome::Succeeded);
    tried(&mut state, &before, 1, failed(FailureKind::Rejected));
    let now = route(vec![step("new", &[], DeadLetter), step("a", &[0], DeadLetter), step("b", &[1], DeadLetter)]);
    let (replay, kept) = state.resume(&now, From::Failed, after(7200), &BTreeSet::new(), |_| None).expect("nothing is half undone");
    assert_eq!(kept, ["a"]);
    assert_eq!(
        replay.steps.iter().map(|step| step.status).collect::<Vec<_>>(),
        [StepStatus::Pending, StepStatus::Succeeded, StepStatus::Pending]
    );
    assert_eq!(ready(&replay, &now, NOW), [0, 2], "b needs only a, which is kept");
    assert!(replay.steps.iter().all(|step| step.used == 0 && step.error.is_none()));
}

#[test]
fn the_state_survives_being_stored() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, failed(FailureKind::RateLimited));
    let stored = serde_json::to_string(&state).expect("plain data");
    assert_eq!(serde_json::from_str::<RunState>(&stored).expect("what was written can be read"), state);
}
