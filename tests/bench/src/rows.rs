//! The rows of the table, one file each, in the order of `quality.md`.

mod batches;
mod beside;
mod build;
mod call;
mod chain;
mod compile;
mod cost;
mod direct;
mod extism;
mod floor;
mod growth;
mod hosts;
mod intake;
mod journal;
mod languages;
mod latency;
mod order;
mod peers;
mod postgres;
mod start;
mod under_load;
mod waiting;

use std::pin::Pin;
use std::time::Duration;

use crate::Bench;
use crate::line::Line;

/// Something that can be measured alone: one or several lines of the table.
pub(crate) trait Row: Sync {
    /// What it is.
    fn about(&self) -> About;

    /// Fetches and builds what it compares with: before its time begins.
    ///
    /// # Errors
    /// When that fails. A tool that is not here is none: the row says so.
    fn prepare(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Measures. Whatever it starts ends with it.
    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a>;
}

/// What a row gives.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Line>>> + 'a>>;

/// A row in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    /// On the command line.
    pub(crate) name: &'static str,
    /// What is measured.
    pub(crate) what: &'static str,
    /// As `quality.md` has it.
    pub(crate) goal: &'static str,
    /// What it is compared with in the same run.
    pub(crate) reference: &'static str,
    /// When it runs.
    pub(crate) when: When,
}

/// When a row runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Unless rows are named.
    Always,
    /// When it is named, or with `--full`: it takes many minutes.
    Asked,
}

/// All of them.
pub(crate) const ALL: &[&dyn Row] = &[
    &call::Fresh,
    &call::Reused,
    &direct::Direct,
    &extism::Extism,
    &languages::Languages,
    &compile::Compile,
    &intake::Intake,
    &intake::Batch,
    &floor::Intake::Single,
    &floor::Intake::Batches,
    &postgres::Postgres,
    &chain::Chain,
    &floor::Chain,
    &peers::Benthos,
    &peers::NodeRed,
    &journal::Journal,
    &cost::Cost,
    &batches::Batches,
    &latency::Latency,
    &under_load::UnderLoad,
    &beside::Beside,
    &start::Start,
    &growth::Routes,
    &growth::Plugins,
    &growth::StoredEvents,
    &waiting::Waiting,
    &order::Order,
    &hosts::Hosts,
    &build::Build,
];

/// The rows there are, in words.
pub(crate) fn list() -> String {
    let mut text = String::new();
    for row in ALL {
        let About { name, what, goal, reference, when } = row.about();
        let asked = if when == When::Asked { " (only when it is named, or with --full)" } else { "" };
        text.push_str(&format!("{name}{asked}\n    {what}\n    goal: {goal}\n    beside: {reference}\n"));
    }
    text
}

/// The row of that name.
pub(crate) fn named(name: &str) -> Result<&'static dyn Row, String> {
    ALL.iter().copied().find(|row| row.about().name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|row| row.about().name).collect();
        format!("no row has that name; there are {}", names.join(", "))
    })
}

/// How often a state is looked at that others bring about.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until it is so, at most that long.
async fn until(what: &str, longest: Duration, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    while !is_so().await? {
        anyhow::ensure!(started.elapsed() < longest, "{what}: not within {longest:?}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
