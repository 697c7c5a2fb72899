//! Start with 20 plugins whose compiled code is in the cache: time to the listening line, and memory then.

use std::fmt::Write as _;
use std::path::Path;

use super::{About, Row, Running, When};
use crate::configuration::Configuration;
use crate::figures::{AgainstItself, Rounds, median, millis};
use crate::line::{Figure, Line, Met, NOTHING_WRITTEN};
use crate::program::Program;
use crate::{Bench, Effort};

/// Plugins of the goal.
const PLUGINS: usize = 20;
/// At most, in milliseconds.
const GOAL_TIME: f64 = 150.0;
/// At most, in MiB.
const GOAL_MEMORY: f64 = 80.0;
/// Starts of each kind in a round.
const STARTS: usize = 3;

/// The row `start`.
pub(super) struct Start;

impl Row for Start {
    fn about(&self) -> About {
        About {
            name: "start",
            what: "start with 20 plugins, warm cache: time to listening, resident memory",
            goal: "<= 150 ms, <= 80 MiB",
            reference: "the same host with 1 plugin",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(bench.effort))
    }
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (many, one) = (tempfile::tempdir()?, tempfile::tempdir()?);
    configure(many.path(), PLUGINS)?;
    configure(one.path(), 1)?;
    // The first start compiles.
    let cold = start(many.path()).await?;
    start(one.path()).await?;
    let (mut times, mut memories) = (Rounds::default(), Rounds::default());
    let mut against = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for _ in 0..effort.rounds {
        let before = starts(one.path()).await?;
        let first = starts(many.path()).await?;
        let second = starts(many.path()).await?;
        let after = starts(one.path()).await?;
        for (index, rounds) in [&mut times, &mut memories].into_iter().enumerate() {
            rounds.before.push(before[index]);
            rounds.subject.push((first[index] + second[index]) / 2.0);
            rounds.after.push(after[index]);
            against[index].0.push(first[index]);
            against[index].1.push(second[index]);
        }
    }
    let goals = [("start time", "<= 150 ms", "ms", GOAL_TIME), ("start memory", "<= 80 MiB", "MiB", GOAL_MEMORY)];
    let mut rows = Vec::new();
    for (index, ((name, goal, unit, most), rounds)) in goals.into_iter().zip([&times, &memories]).enumerate() {
        let against_itself = AgainstItself::of(&against[index].0, &against[index].1);
        let mut row = Line::new(name, goal, NOTHING_WRITTEN);
        row.value = Some(Figure::new("", rounds.value(), unit));
        row.reference = Some(Figure::new("the same host with 1 plugin", rounds.reference(), unit));
        row.ratio = Some(rounds.ratio());
        row.met = Met::judge(most / rounds.value(), against_itself.noise());
        row.against_itself = Some(against_itself);
        row.more.push(Figure::new("first start, nothing in the cache", cold[index], unit));
        rows.push(row);
    }
    rows[0].notes.push(format!("{PLUGINS} different components, made of `http` and `bench`; until the line `listening on`"));
    rows[1].notes.push("VmRSS at the line `listening on`; A/A: every other start".to_owned());
    Ok(rows)
}

/// A configuration with so many plugins, each a component of its own.
fn configure(folder: &Path, plugins: usize) -> anyhow::Result<()> {
    let kinds = [std::fs::read(sangam_tests::plugin("http"))?, std::fs::read(sangam_tests::guest("bench"))?];
    let mut text = String::new();
    for index in 0..plugins {
        let mut component = kinds[index % kinds.len()].clone();
        component.extend(custom_section(&index.to_string()));
        std::fs::write(folder.join(format!("p{index}.wasm")), component)?;
        writeln!(text, "\n[plugins.p{index}]\ncomponent = \"p{index}.wasm\"\nallow-hosts = [\"https://{index}.example.com\"]")?;
    }
    Configuration::new().text(&text).save(folder)?;
    Ok(())
}

/// A custom section that means nothing, so that the component's digest is another: id 0, size, name, content.
pub(super) fn custom_section(content: &str) -> Vec<u8> {
    const NAME: &str = "bench";
    let byte = |length: usize| u8::try_from(length).expect("name and content are a few bytes: one byte of LEB128");
    let mut section = vec![0, byte(1 + NAME.len() + content.len()), byte(NAME.len())];
    section.extend_from_slice(NAME.as_bytes());
    section.extend_from_slice(content.as_bytes());
    section
}

/// Medians of some starts.
async fn starts(folder: &Path) -> anyhow::Result<[f64; 2]> {
    let (mut times, mut memories) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let [time, memory] = start(folder).await?;
        times.push(time);
        memories.push(memory);
    }
    Ok([median(&times), median(&memories)])
}

/// Milliseconds to the line, and MiB then.
async fn start(folder: &Path) -> anyhow::Result<[f64; 2]> {
    let host = Program::host(folder).await?;
    let measured = [millis(host.took), host.resident()?];
    host.stop().await?;
    Ok(measured)
}
