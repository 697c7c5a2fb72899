use super::*;

fn held(kind: FailureKind) -> Outcome {
    let effect = HeldEffect { seq: 2, attempt: 1, what: "POST crm.example/cases".to_owned() };
    Outcome::InDoubt(StepFailure::new(kind, "why"), vec![effect])
}

fn holding(max_attempts: u32) -> Route {
    let mut step = step("a", &[], OnFailure::DeadLetter);
    step.on_doubt = OnDoubt::Hold;
    step.retry.max_attempts = max_attempts;
    route(vec![step])
}

#[test]
fn a_write_in_doubt_holds_the_step_whatever_the_failure() {
    for kind in [FailureKind::Retry, FailureKind::Timeout, FailureKind::Interrupted, FailureKind::Rejected, FailureKind::RateLimited] {
        let route = holding(1);
        let mut state = begin(&route);
        tried(&mut state, &route, 0, held(kind));
        let Verdict::Waiting(reason) = state.verdict(&route, NOW) else { panic!("{kind:?}: {state:?}") };
        assert!(reason.contains("POST crm.example/cases") && reason.contains("effect 2 of attempt 1"), "{reason}");
        // Being claimed does not release it, and its deadline stands still.
        state.waiting_since = Some(NOW);
        assert_eq!(state.claimed(after(50_000)), []);
        assert!(matches!(state.verdict(&route, after(50_000)), Verdict::Waiting(_)));
        state.release(Task::Step(0)).expect("it is held");
        assert_eq!(ready(&state, &route, after(50_000)), [0], "a decision is worth another attempt");
        assert_eq!(state.release(Task::Step(0)), Err(Illegal::NotHeld("step a".to_owned())));
    }
}

#[test]
fn a_run_that_cannot_go_on_is_not_held() {
    let route = holding(3);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, held(FailureKind::Diverged));
    assert!(matches!(state.verdict(&route, NOW), Verdict::Dead(_)));
}

#[test]
fn without_the_option_a_doubt_changes_nothing() {
    let route = route(vec![step("a", &[], OnFailure::DeadLetter)]);
    let mut state = begin(&route);
    tried(&mut state, &route, 0, held(FailureKind::Retry));
    assert_eq!(state.verdict(&route, NOW), Verdict::Later(after(1)));
}
