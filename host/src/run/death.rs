//! What a dead run died of: dead letters are found by it, and gathered by it.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{FailureKind, RunState, StepState, StepStatus, pattern};
use crate::config::{OnFailure, Route};

/// Bytes of a digest that make a cause: enough that two never meet by accident.
const CAUSE_BYTES: usize = 12;

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
    /// Action of that step.
    pub action: Option<String>,
    /// The step that failed.
    pub step: Option<String>,
    /// Why, as the step's last attempt said it.
    pub reason: Option<String>,
}

impl Death {
    /// Of a step.
    fn of(kind: &'static str, step: Option<&StepState>) -> Death {
        let uses = step.and_then(|step| step.uses.split_once('.'));
        Death {
            kind,
            plugin: uses.map(|(plugin, _)| plugin.to_owned()),
            action: uses.map(|(_, action)| action.to_owned()),
            step: step.map(|step| step.name.clone()),
            reason: step.and_then(|step| step.error.as_ref()).map(|error| error.reason.clone()),
        }
    }

    /// What a run died of that nobody has written down with it: its state, and its kind, plugin and reason as stored.
    pub fn stored(state: Option<&RunState>, kind: Option<&str>, plugin: Option<&str>, reason: Option<&str>) -> Death {
        let kind = Death::kinds().find(|known| Some(*known) == kind).unwrap_or_default();
        let failed = |step: &&StepState| {
            step.error.is_some() && plugin.is_none_or(|plugin| step.uses.split_once('.').is_some_and(|(of, _)| of == plugin))
        };
        let is_of_kind = |step: &&StepState| step.error.as_ref().is_some_and(|error| error.kind.as_str() == kind);
        let steps = state.map(|state| state.steps.as_slice()).unwrap_or_default();
        // A deadline is not the kind of any step; what kept it from ending in time has failed with another.
        let step = steps.iter().filter(failed).find(is_of_kind).or_else(|| steps.iter().find(|step| plugin.is_some() && failed(step)));
        let mut death = Death::of(kind, step);
        death.plugin = plugin.map(str::to_owned);
        death.reason = death.reason.or_else(|| reason.map(str::to_owned));
        death
    }

    /// What this death has in common with others: the same route, step and failure, whatever record it was about. `event` is the event of the run.
    /// Opaque; the same on every host and in every version that reads reasons in the same way.
    pub fn cause(&self, route: &str, event: &Value) -> String {
        let pattern = pattern::of(self.reason.as_deref().unwrap_or_default(), event);
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let parts = [self.kind.to_owned(), route.to_owned(), part(&self.step), part(&self.plugin), part(&self.action), pattern];
        let digest = Sha256::digest(parts.join("\n").as_bytes());
        digest[..CAUSE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
    }

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
            (Some(step), _) => Death::of(step.error.as_ref().map_or("", |error| error.kind.as_str()), Some(step)),
            (None, Some(fatal)) => Death { reason: Some(fatal.clone()), ..Death::of(FailureKind::Unavailable.as_str(), None) },
            // What kept it from ending in time.
            (None, None) => Death::of(Death::DEADLINE, self.steps.iter().find(|step| step.error.is_some())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{NOW, route, step};
    use crate::run::{Outcome, StepFailure, Task, UndoFacts};
    use jiff::Timestamp;

    #[test]
    fn a_death_has_a_kind_and_a_plugin() {
        let route = route(vec![step("may", &[], OnFailure::Continue), step("must", &[], OnFailure::DeadLetter)]);
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
        let steps =
            vec![step("may", &[], OnFailure::Continue), step("slow", &[], OnFailure::DeadLetter), step("must", &[], OnFailure::Undo)];
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
    fn what_died_of_the_same_has_one_cause() {
        let route = route(vec![step("must", &[], OnFailure::DeadLetter), step("too", &[], OnFailure::DeadLetter)]);
        let died = |index: usize, kind: FailureKind, reason: &str| {
            let mut state = RunState::new(&route, Timestamp::MAX);
            state.start(&route, Task::Step(index), NOW).expect("it is its turn");
            state.apply(&route, Task::Step(index), Outcome::Failed(StepFailure::new(kind, reason)), NOW, 0.0).expect("it was started");
            (state.death(&route), state)
        };
        let event = serde_json::json!({ "data": { "name": "Ann" } });
        use FailureKind::{InvalidInput, Rejected};
        let (death, state) = died(0, Rejected, "CRM answered 404: case 4711 of Ann is not there");
        let cause = death.cause("route", &event);
        let other =
            died(0, Rejected, "CRM answered 404: case 12 of Bob is not there").0.cause("route", &serde_json::json!({ "data": ["Bob"] }));
        assert_eq!((&other, cause.len()), (&cause, 2 * CAUSE_BYTES));
        for (death, route) in [
            (died(0, Rejected, "CRM answered 403: case 4711 of Ann is not there").0, "route"),
            (died(0, InvalidInput, "CRM answered 404: case 4711 of Ann is not there").0, "route"),
            (died(1, Rejected, "CRM answered 404: case 4711 of Ann is not there").0, "route"),
            (death.clone(), "another"),
        ] {
            assert_ne!(death.cause(route, &event), cause, "{death:?} {route}");
        }
        // One that an earlier version wrote has the same cause.
        let stored = Death::stored(Some(&state), Some("rejected"), Some("crm"), Some("step must: rejected: it was so"));
        assert_eq!((&stored, stored.cause("route", &event)), (&death, cause));
        let early = Death::stored(None, Some("expression"), None, Some("the route's when failed"));
        assert_eq!((early.kind, early.step, early.reason.as_deref()), ("expression", None, Some("the route's when failed")));
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
