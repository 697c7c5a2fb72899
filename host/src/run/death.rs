//! What a dead run died of: dead letters are found by it.

use super::{FailureKind, RunState, StepState, StepStatus};
use crate::config::Route;

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
        // What was undone had failed before, if it has an error.
        let ended = [StepStatus::Failed, StepStatus::Undoing, StepStatus::Undone, StepStatus::UndoFailed];
        let failed = |index: &usize| self.steps[*index].error.is_some() && ended.contains(&self.steps[*index].status);
        let fatal = |index: &usize| self.steps[*index].error.as_ref().is_some_and(|error| error.kind.is_fatal());
        let all = 0..self.steps.len();
        let cause = all.clone().filter(failed).find(fatal).or_else(|| all.clone().filter(failed).find(|&index| !self.met(route, index)));
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
    use crate::config::{JournalPolicy, OnDoubt, OnFailure, OrderOnDead, Retry, Step};
    use crate::run::{Outcome, StepFailure, Task};
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
            journal: JournalPolicy::default(),
        }
    }

    #[test]
    fn a_death_has_a_kind_and_a_plugin() {
        let route = Route {
            name: "route".to_owned(),
            types: Vec::new(),
            sources: Vec::new(),
            when: None,
            order_by: None,
            order_on_dead: OrderOnDead::Release,
            deadline: Duration::from_secs(3600),
            redact: Vec::new(),
            steps: vec![step("may", OnFailure::Continue), step("must", OnFailure::DeadLetter)],
        };
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
    fn every_kind_can_be_asked_for() {
        let kinds: std::collections::BTreeSet<&str> = Death::kinds().collect();
        assert_eq!(kinds.len(), KINDS.len() + 1, "one is there twice");
        assert!(kinds.contains("deadline") && kinds.contains("retry"));
    }
}
