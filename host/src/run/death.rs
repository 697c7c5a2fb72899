//! What a dead run died of: dead letters are found by it.

use super::{FailureKind, RunState, StepState, StepStatus};
use crate::config::{OnFailure, Route};

/// Every kind of failure; nobody else needs them all.
const KINDS: [FailureKind; 14] = [
    FailureKind::Retry,
    FailureKind::RateLimited,
    FailureKind::Unauthorized,
    FailureKind::Rejected,
    FailureKind::Trap,
    FailureKind::Timeout,
    FailureKind::Interrupted,
    FailureKind::Conflict,
    FailureKind::Busy,
    FailureKind::InvalidInput,
    FailureKind::InvalidOutput,
    FailureKind::Expression,
    FailureKind::Diverged,
    FailureKind::Unavailable,
];

/// What a dead run died of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// A kind of failure, or [`Death::DEADLINE`].
    pub kind: &'static str,
    /// Plugin of the step that failed.
    pub plugin: Option<String>,
}

impl Death {
    /// What a run can have died of, as shown.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(FailureKind::as_str).chain([Self::DEADLINE])
    }

    /// The run's deadline passed before its steps had ended.
    pub const DEADLINE: &'static str = "deadline";
}

impl RunState {
    /// What the run died of, once its verdict is [`super::Verdict::Dead`].
    pub fn death(&self, route: &Route) -> Death {
        // What was undone had failed before if it has an error and had ended; otherwise it was under way, and would have been tried again.
        let ended = [StepStatus::Failed, StepStatus::Undoing, StepStatus::Undone, StepStatus::UndoFailed];
        let failed = |index: &usize| {
            let step = &self.steps[*index];
            step.error.is_some() && step.ended.is_some() && ended.contains(&step.status)
        };
        let fatal = |index: &usize| self.steps[*index].error.as_ref().is_some_and(|error| error.kind.is_fatal());
        let all = 0..self.steps.len();
        let must = |index: &usize| route.steps[*index].on_failure != OnFailure::Continue;
        let cause = all.clone().filter(failed).find(fatal).or_else(|| all.clone().filter(failed).find(must));
        match (cause.map(|index| &self.steps[index]), &self.fatal) {
            (Some(step), _) => Death { kind: step.error.as_ref().map_or("", |error| error.kind.as_str()), plugin: plugin(step) },
            (None, Some(_)) => Death { kind: FailureKind::Unavailable.as_str(), plugin: None },
            // What kept it from ending in time.
            (None, None) => Death { kind: Death::DEADLINE, plugin: self.steps.iter().find(|step| step.error.is_some()).and_then(plugin) },
        }
    }
}

fn plugin(step: &StepState) -> Option<String> {
    step.uses.split_once('.').map(|(plugin, _)| plugin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{JournalPolicy, OnDoubt, OrderOnDead, Retry, Step};
    use crate::run::{Outcome, StepFailure, Task, UndoFacts};
    use jiff::Timestamp;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn step(name: &str, on_failure: OnFailure) -> Step {
        Step {
            name: name.to_owned(),
            plugin: "crm".to_owned(),
            action: "act".to_owned(),
            with: None,
            needs: Vec::new(),
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

    fn route(steps: Vec<Step>) -> Route {
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

    #[test]
    fn a_death_has_a_kind_and_a_plugin() {
        let route = route(vec![step("may", OnFailure::Continue), step("must", OnFailure::DeadLetter)]);
        let died = |failures: &[(usize, FailureKind)]| {
            let mut state = RunState::new(&route, Timestamp::MAX);
            for (index, kind) in failures {
                state.start(&route, Task::Step(*index), NOW).expect("it is its turn");
                state.apply(&route, Task::Step(*index), Outcome::Failed(StepFailure::new(*kind, "no")), NOW, 0.0).expect("it was started");
            }
            let death = state.death(&route);
            (death.kind, death.plugin)
        };
        let crm = || Some("crm".to_owned());
        use FailureKind::{Diverged, InvalidInput, Rejected, Retry};
        assert_eq!(died(&[(0, Rejected), (1, InvalidInput)]), ("invalid-input", crm()), "a step that may fail is not what it died of");
        assert_eq!(died(&[(1, Diverged)]), ("diverged", crm()));
        assert_eq!(died(&[(0, Diverged)]), ("diverged", crm()), "what no policy mends is, wherever it happened");
        assert_eq!(died(&[(1, Retry)]), ("deadline", crm()), "the step that kept it from ending in time");
        assert_eq!(died(&[]), ("deadline", None));
        let mut state = RunState::new(&route, Timestamp::MAX);
        state.fatal = Some("the route is gone".to_owned());
        assert_eq!(state.death(&route).kind, "unavailable");
    }

    #[test]
    fn an_undo_does_not_hide_what_a_run_died_of() {
        use FailureKind::{Rejected, Retry};
        // Side by side, the first two having something to undo.
        let steps = vec![step("may", OnFailure::Continue), step("slow", OnFailure::DeadLetter), step("must", OnFailure::Undo)];
        let route = route(steps);
        let mut state = RunState::new(&route, Timestamp::MAX);
        for (index, kind) in [(0, Rejected), (1, Retry), (2, Rejected)] {
            state.start(&route, Task::Step(index), NOW).expect("it is its turn");
            let failure = StepFailure::new(kind, "no");
            state.apply(&route, Task::Step(index), Outcome::Failed(failure), NOW, 0.0).expect("it was started");
        }
        for step in &mut state.steps {
            step.uses = format!("{}.act", step.name);
        }
        let facts = || UndoFacts { action: Some("undo".to_owned()), effects: true };
        state.begin_undo(&route, &[facts(), facts(), UndoFacts::default()], NOW, Timestamp::MAX).expect("a step failed that undoes");
        while let Some(&task) = state.ready(&route, NOW).first() {
            state.start(&route, task, NOW).expect("it is its turn");
            state.apply(&route, task, Outcome::Succeeded, NOW, 0.0).expect("it was started");
        }
        assert!(state.steps[..2].iter().all(|step| step.status == StepStatus::Undone), "{state:?}");
        let death = state.death(&route);
        assert_eq!((death.kind, death.plugin.as_deref()), ("rejected", Some("must")), "neither what may fail nor what was under way");
    }

    #[test]
    fn every_kind_can_be_asked_for() {
        // A new kind needs its place here: the compiler asks for it.
        let after = |kind| match kind {
            FailureKind::Retry => Some(FailureKind::RateLimited),
            FailureKind::RateLimited => Some(FailureKind::Unauthorized),
            FailureKind::Unauthorized => Some(FailureKind::Rejected),
            FailureKind::Rejected => Some(FailureKind::Trap),
            FailureKind::Trap => Some(FailureKind::Timeout),
            FailureKind::Timeout => Some(FailureKind::Interrupted),
            FailureKind::Interrupted => Some(FailureKind::Conflict),
            FailureKind::Conflict => Some(FailureKind::Busy),
            FailureKind::Busy => Some(FailureKind::InvalidInput),
            FailureKind::InvalidInput => Some(FailureKind::InvalidOutput),
            FailureKind::InvalidOutput => Some(FailureKind::Expression),
            FailureKind::Expression => Some(FailureKind::Diverged),
            FailureKind::Diverged => Some(FailureKind::Unavailable),
            FailureKind::Unavailable => None,
        };
        let all: Vec<&str> = std::iter::successors(Some(FailureKind::Retry), |kind| after(*kind)).map(FailureKind::as_str).collect();
        let kinds: Vec<&str> = Death::kinds().collect();
        assert_eq!(kinds, [all, vec!["deadline"]].concat());
    }
}
