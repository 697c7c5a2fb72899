//! `on-doubt = "hold"`: what is in doubt is not sent again before a person has said whether it was done.

use jiff::Timestamp;

use super::drive::{Driver, Leaves};
use crate::config::OnDoubt;
use crate::run::{HeldEffect, Outcome, StepFailure, Task};
use crate::store::{EffectRow, StoreError};

/// A write in doubt as a person is asked about it.
pub fn held_effect(effect: &EffectRow) -> HeldEffect {
    HeldEffect { seq: effect.seq, attempt: effect.attempt, what: effect.described() }
}

impl Driver {
    /// A failure with the writes that it left in doubt, where the step is to be held for them.
    pub(super) async fn judged(&self, task: Task, failure: StepFailure) -> Result<Outcome, StoreError> {
        if self.route.steps[task.index()].on_doubt != OnDoubt::Hold {
            return Ok(Outcome::Failed(failure));
        }
        Ok(Outcome::InDoubt(failure, self.in_doubt(task).await?))
    }

    async fn in_doubt(&self, task: Task) -> Result<Vec<HeldEffect>, StoreError> {
        let Some(state) = self.state.task(task) else { return Ok(Vec::new()) };
        let effects = self.runtime.store.doubts(&self.run.root, &state.name).await?;
        Ok(effects.iter().map(held_effect).collect())
    }

    pub(super) fn is_held(&self, task: Task) -> bool {
        self.state.task(task).is_some_and(|state| !state.held.is_empty())
    }

    fn held(&self) -> Vec<Task> {
        self.state.tasks().map(|(task, _)| task).filter(|&task| self.is_held(task)).collect()
    }

    /// Steps of which everything in doubt was decided go on.
    pub(super) async fn look_at_held(&mut self) -> Result<(), StoreError> {
        for task in self.held() {
            let effects = self.in_doubt(task).await?;
            let done = if effects.is_empty() { self.state.release(task) } else { self.state.hold(task, effects) };
            done.expect("a held step is waiting");
        }
        Ok(())
    }

    /// The run waits for somebody.
    pub(super) async fn wait(&mut self, reason: String, now: Timestamp) -> Result<(), StoreError> {
        self.state.waiting_since = Some(now);
        let held = self.held();
        let credential = self.state.tasks().any(|(_, state)| state.is_paused());
        let mut settlement = self.settlement(Leaves::default(), "waiting");
        settlement.status_reason = Some(reason);
        settlement.waits_for = Some(if credential { "credential" } else { "decision" });
        settlement.due_at = self.state.wakes_at();
        settlement.left = Some((now, self.asleep()));
        self.make_durable(settlement).await?;
        // What it waits for may have happened while other steps were still running: then nobody else wakes it.
        if self.paused_at.is_some_and(|paused_at| *self.runtime.broker.changes().borrow() != paused_at) {
            self.runtime.store.wake("credential", now).await?;
        }
        for task in held {
            if self.in_doubt(task).await?.is_empty() {
                self.runtime.store.wake_run(&self.run.id, now).await?;
            }
        }
        self.runtime.due.notify_one();
        Ok(())
    }
}
