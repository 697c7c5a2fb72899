//! The rows of the table, one file each, in the order of `quality.md`.

mod beside;
mod call;
mod chain;
mod compile;
mod intake;
mod journal;
mod languages;
mod latency;
mod start;

use std::fmt;

use sangam::config::Instances;

use crate::Effort;
use crate::report::Row;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// A plugin's call in a fresh instance
    Call,
    /// The same in an instance that is used again
    Reused,
    /// A call by the language of the plugin: made ahead, fresh, reused; with what its code costs
    Languages,
    /// Single events over HTTP, made durable
    Intake,
    /// Batches of 100 events over HTTP, made durable
    Batch,
    /// One event through three steps to three sinks
    Chain,
    /// The same chain with and without the journal of its writes
    Journal,
    /// From intake to the first outgoing request, idle host
    Latency,
    /// The same beside plugins that loop, allocate and flood
    Beside,
    /// Start with 20 plugins
    Start,
    /// Compiling components, and having them from the cache
    Compile,
}

impl Name {
    /// All of them.
    pub(crate) fn all() -> Vec<Name> {
        <Name as clap::ValueEnum>::value_variants().to_vec()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self).expect("no variant is skipped");
        f.write_str(value.get_name())
    }
}

/// Measures one.
pub(crate) async fn measure(name: Name, effort: Effort) -> anyhow::Result<Vec<Row>> {
    match name {
        Name::Call => call::measure(Instances::PerCall, effort).await,
        Name::Reused => call::measure(Instances::Reuse, effort).await,
        Name::Languages => languages::measure(effort).await,
        Name::Intake => intake::single(effort).await,
        Name::Batch => intake::batch(effort).await,
        Name::Chain => chain::measure(effort).await,
        Name::Journal => journal::measure(effort).await,
        Name::Latency => latency::measure(effort).await,
        Name::Beside => beside::measure(effort).await,
        Name::Start => start::measure(effort).await,
        Name::Compile => compile::measure(effort).await,
    }
}
