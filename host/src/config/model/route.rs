//! `[[routes]]`: which events, through which steps.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::store::Retention;
use crate::config::journal::JournalPolicy;
use crate::mapping::Expr;
use crate::mapping::Template;
use crate::run::Quiet;

/// `[[routes]]`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// `on.type`: any of them.
    pub types: Vec<crate::router::Pattern>,
    /// `on.source`: any of them; empty means every source.
    pub sources: Vec<crate::router::Pattern>,
    /// `when`
    pub when: Option<Arc<Expr>>,
    /// `order-by`
    pub order_by: Option<Arc<Expr>>,
    /// `order-on-dead`
    pub order_on_dead: OrderOnDead,
    /// `order-while-waiting`: a run that waits by design keeps its key.
    pub order_while_waiting: bool,
    /// `deadline` of the whole run.
    pub deadline: Duration,
    /// `redact`: paths like `.event.data.customer.email`.
    pub redact: Vec<String>,
    /// `retention`: how long its ended runs keep their event; `None`: as `[store]` says.
    pub retention: Option<Retention>,
    /// `dead-letter-retention`: the same of its dead letters.
    pub dead_letter_retention: Option<Retention>,
    /// In the order of the file. `needs` is acyclic and names only steps of this route.
    pub steps: Vec<Step>,
}

impl Route {
    /// Whether a step needs another, directly or through others.
    pub fn needs(&self, step: usize, other: usize) -> bool {
        let mut open = self.steps[step].needs.clone();
        let mut seen = vec![false; self.steps.len()];
        while let Some(need) = open.pop() {
            if need == other {
                return true;
            }
            if !std::mem::replace(&mut seen[need], true) {
                open.extend(&self.steps[need].needs);
            }
        }
        false
    }
}

/// `order-on-dead`: what a dead run does with its `order-by` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderOnDead {
    /// `"release"`, the default: the next run goes on, a replay goes to the end.
    Release,
    /// `"hold"`: those behind it wait; its replay takes its place, `cancel` gives it up.
    Hold,
}

/// `[[routes.steps]]`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// `uses`: plugin name.
    pub plugin: String,
    /// `uses`: action name.
    pub action: String,
    /// `with`; `None` means `.event.data`.
    pub with: Option<Arc<Template>>,
    /// Indexes of the steps before it. Default: the step before, `[]` starts at once.
    pub needs: Vec<usize>,
    /// `when`
    pub when: Option<Arc<Expr>>,
    /// `timeout` of one attempt.
    pub timeout: Duration,
    /// `retry`
    pub retry: Retry,
    /// `on-failure`
    pub on_failure: OnFailure,
    /// `on-doubt`
    pub on_doubt: OnDoubt,
    /// `quiet`: when it does not begin.
    pub quiet: Option<Arc<Quiet>>,
    /// `journal`, `on-unrepeated`, `record-reads`
    pub journal: JournalPolicy,
    /// `repeat`
    pub repeat: Option<Arc<Repeat>>,
}

/// `repeat`: the step is done in rounds, each with keys of its own.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Asked after each round, and before each further one: true ends it.
    pub until: Option<Arc<Expr>>,
    /// From the end of a round to the start of the next.
    pub every: Duration,
    /// Rounds in all.
    pub max: u32,
    /// Steps that are done anew before each further round: indexes, all among `needs`.
    pub look: Vec<usize>,
    /// An event that ends it.
    pub event: Option<AwaitedEvent>,
}

/// Which event ends a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedEvent {
    /// Its type is one of these, exactly.
    pub types: Vec<String>,
    /// `where`, jq; `None`: any event of the type.
    pub condition: Option<String>,
}

/// `retry`: delay before attempt n+1 is `initial * factor^(n-1)`, at most `max`, spread by `jitter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Attempts in all.
    pub max_attempts: u32,
    /// First delay.
    pub initial: Duration,
    /// Growth.
    pub factor: f64,
    /// Longest delay.
    pub max: Duration,
    /// Share of the delay that is random, 0 to 1.
    pub jitter: f64,
}

/// `on-failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The run is dead once what does not depend on the step has finished.
    DeadLetter,
    /// The step counts as met, status `failed`.
    Continue,
    /// Finished steps are undone in reverse order.
    Undo,
}

/// `on-doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDoubt {
    /// Send again with the same key.
    Resend,
    /// A person decides.
    Hold,
}
