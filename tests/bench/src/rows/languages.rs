//! What a plugin costs by the language it is written in: the guest `scripted` of each doing one write, answered from the journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use sangam::config::{self, Instances};
use sangam::engine::{Engine, LoadedComponent};
use sangam::registry::Component;
use sangam::runtime::Runtime;

use super::call::{self, Subject};
use super::{About, Row, Running, When};
use crate::figures::{AgainstItself, median, micros, millis, quantile};
use crate::line::{Figure, Line, Met, NOTHING_WRITTEN};
use crate::{Bench, Effort};

/// Language, file, and at most so many microseconds for the call in an instance of its own.
const LANGUAGES: [(&str, &str, Option<f64>); 5] = [
    ("rust", "scripted", None),
    ("c", "scripted-c", None),
    ("go", "scripted-go", None),
    ("javascript", "scripted-javascript", Some(1000.0)),
    ("python", "scripted-python", Some(1500.0)),
];
/// Loads from the cache.
const LOADS: usize = 5;

/// The row `languages`.
pub(super) struct Languages;

impl Row for Languages {
    fn about(&self) -> About {
        About {
            name: "languages",
            what: "a call by the language of the plugin (Rust, C, Go, JavaScript, Python): fresh, made ahead, reused; what its code costs",
            goal: "JavaScript <= 1.0 ms, Python <= 1.5 ms",
            reference: "the same in an instance made when the call comes",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(bench.effort))
    }
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (_folder, runtime) = call::host().await?;
    let release = sangam_tests::guest("bench");
    let guests = release.parent().context("a component is in a folder")?;
    let mut rows = Vec::new();
    for (language, file, goal) in LANGUAGES {
        let file = guests.join(format!("{file}.wasm"));
        rows.push(match file.exists() {
            true => row(&runtime, language, &file, goal, effort).await?,
            false => Line::void(&format!("call {language}"), format!("{} is not there: its language's tools were missing", file.display())),
        });
    }
    runtime.store.clone().close().await;
    Ok(rows)
}

async fn row(runtime: &Arc<Runtime>, language: &str, file: &Path, goal: Option<f64>, effort: Effort) -> anyhow::Result<Line> {
    eprintln!("   {language}");
    let component = Component::new(std::fs::read(file)?).with_context(|| file.display().to_string())?;
    let folder = tempfile::tempdir()?;
    let engine = Engine::start(Some(folder.path().to_owned()), [7; 32], &config::Engine::default(), Arc::new(|_: &str| {}))?;
    let load = async || {
        let started = Instant::now();
        let loaded = engine.load(language, &component.digest, &component.bytes).await?;
        Ok::<_, anyhow::Error>((millis(started.elapsed()), loaded))
    };
    let (cold, _) = load().await?;
    let mut cached = Vec::new();
    for _ in 0..LOADS {
        cached.push(load().await?.0);
    }
    let before = resident()?;
    let code = load().await?.1;
    let loaded = resident()? - before;
    let subject = |code: &LoadedComponent, instances| Subject::scripted(runtime, &engine, code.clone(), instances);
    let (fresh, reused) = (subject(&code, Instances::PerCall)?, subject(&code, Instances::Reuse)?);
    let calls = if effort.quick { 50 } else { 300 };
    for _ in 0..20 {
        fresh.here().await?;
        reused.here().await?;
    }
    let series = async |subject: &Subject, ahead: bool| {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            if ahead && !subject.is_ahead().await {
                return Ok(None);
            }
            times.push(micros(subject.here().await?));
        }
        Ok::<_, anyhow::Error>(Some(times))
    };
    let plain = series(&fresh, false).await?.context("it waits for nothing")?;
    let again = series(&reused, false).await?.context("it waits for nothing")?;
    fresh.keep_ahead();
    let before = resident()?;
    let first = series(&fresh, true).await?;
    let waiting = resident()? - before;
    let second = if first.is_some() { series(&fresh, true).await? } else { None };
    let mut row =
        Line::new(&format!("call {language}"), &goal.map_or("-".to_owned(), |most| format!("<= {most:.0} µs, median")), NOTHING_WRITTEN);
    row.reference = Some(Figure::new("an instance made when the call comes", median(&plain), "µs"));
    let other = series(&fresh, false).await?.context("it waits for nothing")?;
    let (value, against, all) = match (first, second) {
        (Some(first), Some(second)) => {
            row.notes.push("its instance was made ahead".to_owned());
            (median(&[&first[..], &second[..]].concat()), AgainstItself::of(&[median(&first)], &[median(&second)]), first)
        }
        _ => {
            row.notes.push("it reads a clock or random bytes before its call, so no instance is made ahead".to_owned());
            (median(&[&plain[..], &other[..]].concat()), AgainstItself::of(&[median(&plain)], &[median(&other)]), plain.clone())
        }
    };
    row.value = Some(Figure::new("", value, "µs"));
    row.ratio = Some(value / median(&plain));
    row.met = goal.map_or(Met::NotMeasured, |most| Met::judge(most / value, against.noise()));
    row.against_itself = Some(against);
    row.more.push(Figure::new("99th percentile", quantile(&all, 0.99), "µs"));
    row.more.push(Figure::new("an instance made when the call comes, 99th percentile", quantile(&plain, 0.99), "µs"));
    row.more.push(Figure::new("an instance used again", median(&again), "µs"));
    row.more.push(Figure::new("compiled, nothing in the cache", cold, "ms"));
    row.more.push(Figure::new("from the cache", median(&cached), "ms"));
    row.more.push(Figure::new("resident memory of its code", loaded, "MiB"));
    row.more.push(Figure::new("resident memory after calls, with one instance waiting", waiting, "MiB"));
    row.notes
        .push(format!("component of {:.1} MB; a fresh instance and its own memory for every call", component.bytes.len() as f64 / 1e6));
    Ok(row)
}

/// Memory of this process, in MiB.
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS is in status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
