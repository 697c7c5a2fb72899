//! Compiling a component, and having it from the cache of compiled code.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use sangam::config;
use sangam::engine::Engine;
use sangam::registry::Component;

use super::{About, Row, Running, When};
use crate::figures::{AgainstItself, median, millis};
use crate::line::{Figure, Line, Met, NOTHING_WRITTEN};
use crate::{Bench, Effort};

/// At most, from the cache, in milliseconds.
const GOAL: f64 = 50.0;
/// Components above it (JavaScript, Python) compile for many seconds: once, and not at all for a quick look.
const LARGE: usize = 4 << 20;
/// Most components that are looked at, the largest first.
const COMPONENTS: usize = 4;
/// The same for a quick look.
const COMPONENTS_QUICK: usize = 2;
/// Loads of each series in a round.
const LOADS: usize = 5;

/// The row `compile`.
pub(super) struct Compile;

impl Row for Compile {
    fn about(&self) -> About {
        About {
            name: "compile",
            what: "compiling the largest components, and having them from the cache of compiled code",
            goal: "<= 50 ms from the cache",
            reference: "the same component compiled, nothing in the cache",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(bench.effort))
    }
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Line>> {
    // Compiling is work of a blocking thread, in the host as well.
    tokio::task::spawn_blocking(move || rows(effort)).await?
}

fn rows(effort: Effort) -> anyhow::Result<Vec<Line>> {
    let mut files = components()?;
    files.retain(|(_, bytes)| !effort.quick || bytes.len() <= LARGE);
    files.truncate(if effort.quick { COMPONENTS_QUICK } else { COMPONENTS });
    files.into_iter().map(|(file, bytes)| row(&file, bytes, effort)).collect()
}

/// All components of the release, the largest first.
fn components() -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for file in [sangam_tests::plugin("http"), sangam_tests::guest("bench")] {
        let folder = file.parent().context("a component is in a folder")?;
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "wasm") {
                let bytes = std::fs::read(&file)?;
                found.push((file, bytes));
            }
        }
    }
    found.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    Ok(found)
}

fn row(file: &Path, bytes: Vec<u8>, effort: Effort) -> anyhow::Result<Line> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    eprintln!("   {name}");
    let size = bytes.len();
    let component = Component::new(bytes).with_context(|| file.display().to_string())?;
    let folder = tempfile::tempdir()?;
    let cached = Engine::start(Some(folder.path().to_owned()), [7; 32], &config::Engine::default(), Arc::new(|_: &str| {}))?;
    let load = |engine: &Engine| {
        let started = Instant::now();
        let loaded = tokio::runtime::Handle::current().block_on(engine.load(&name, &component.digest, &component.bytes))?;
        let took = millis(started.elapsed());
        drop(loaded);
        Ok::<_, anyhow::Error>(took)
    };
    // The first one compiles and fills the cache.
    let mut cold = vec![load(&cached)?];
    if size <= LARGE {
        let without = Engine::start(None, [7; 32], &config::Engine::default(), Arc::new(|_: &str| {}))?;
        for _ in 1..if effort.quick { 1 } else { effort.rounds } {
            cold.push(load(&without)?);
        }
    }
    let block = || {
        let times = (0..LOADS).map(|_| load(&cached)).collect::<anyhow::Result<Vec<f64>>>()?;
        Ok::<_, anyhow::Error>(median(&times))
    };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        first.push(block()?);
        second.push(block()?);
    }
    let warm = median(&[&first[..], &second[..]].concat());
    let against_itself = AgainstItself::of(&first, &second);
    let mut row = Line::new(&format!("compile {name}"), "<= 50 ms from the cache", NOTHING_WRITTEN);
    row.value = Some(Figure::new("", warm, "ms"));
    row.reference = Some(Figure::new("compiled, nothing in the cache", median(&cold), "ms"));
    row.ratio = Some(warm / median(&cold));
    row.met = Met::judge(GOAL / warm, against_itself.noise());
    row.against_itself = Some(against_itself);
    row.notes.push(format!("component of {} KiB; the goal is meant for JavaScript and Python", size >> 10));
    Ok(row)
}
