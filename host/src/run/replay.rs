//! What a replay starts from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::step::StepState;
use super::{Course, Illegal, RunState, StepStatus};
use crate::config::{Route, Step};

/// Where a replay starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the steps that failed: the others keep their outputs.
    Failed,
    /// At the start.
    Start,
}

impl RunState {
    /// It has steps, and none was ever tried.
    pub fn is_untouched(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.tries == 0 && step.status == StepStatus::Pending)
    }

    /// A replay of this run, on a route that may have changed since. Steps whose undo was begun and not completed are first undone, by the
    /// action that `undo_action` gives; the journal knows of such in `begun` even where the run was cancelled before its state did. Gives the state and the names of the steps that keep their outputs.
    ///
    /// # Errors
    /// [`Illegal::NoUndo`]: such a step is not in the route any more, or nothing undoes it.
    pub fn resume(
        &self,
        route: &Route,
        from: From,
        deadline: Timestamp,
        begun: &BTreeSet<String>,
        undo_action: impl Fn(&Step) -> Option<String>,
    ) -> Result<(RunState, Vec<String>), Illegal> {
        let mut state = RunState::new(route, deadline);
        let mut kept = Vec::new();
        for before in &self.steps {
            let found = route.steps.iter().zip(&mut state.steps).find(|(known, _)| known.name == before.name);
            let half_undone = begun.contains(&before.name) || matches!(before.status, StepStatus::Undoing | StepStatus::UndoFailed);
            match before.status {
                StepStatus::Succeeded if from == From::Failed && !half_undone => {
                    let Some((_, step)) = found else { continue };
                    step.status = StepStatus::Succeeded;
                    step.uses.clone_from(&before.uses);
                    step.ended = before.ended;
                    step.round = before.round;
                    step.exhausted = before.exhausted;
                    step.stopped_by.clone_from(&before.stopped_by);
                    kept.push(step.name.clone());
                }
                _ if half_undone => {
                    let no_undo = || Illegal::NoUndo(before.name.clone());
                    let (known, step) = found.ok_or_else(no_undo)?;
                    let action = undo_action(known).ok_or_else(no_undo)?;
                    step.status = StepStatus::UndoFailed;
                    step.ended = before.ended;
                    step.undo = Some(Box::new(StepState::undo_of(known, &action, None)));
                    state.course = Course::Clearing;
                }
                // Rounds that are over are not done again.
                _ if from == From::Failed => {
                    if let Some((known, step)) = found
                        && known.repeat.is_some()
                    {
                        step.round = before.rounds();
                    }
                }
                _ => {}
            }
        }
        Ok((state, kept))
    }
}
