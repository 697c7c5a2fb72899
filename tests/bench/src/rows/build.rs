//! The cold build of the host, from nothing: what somebody with a fresh clone waits for.

use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use super::{About, Row, Running, When};
use crate::Bench;
use crate::line::{Figure, Line, NOTHING_WRITTEN};
use crate::peer;

/// The row `build`.
pub(super) struct Build;

impl Row for Build {
    fn about(&self) -> About {
        About {
            name: "build",
            what: "cold build of the release host, with an empty target folder and the dependencies fetched",
            goal: "as short as it can be",
            reference: "the same with everything built but the host itself",
            when: When::Asked,
        }
    }

    fn run<'a>(&'a self, _: &'a Bench) -> Running<'a> {
        Box::pin(async move { tokio::task::spawn_blocking(move || measure(Build.about())).await? })
    }
}

fn measure(about: About) -> anyhow::Result<Vec<Line>> {
    let folder = tempfile::tempdir()?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", folder.path());
        peer::finish(&mut command)
    };
    let build = || {
        let started = Instant::now();
        cargo(&["build", "--release", "--quiet", "--package", "sangam"])?;
        Ok::<_, anyhow::Error>(started.elapsed().as_secs_f64())
    };
    cargo(&["fetch", "--locked"])?;
    let cold = build()?;
    cargo(&["clean", "--release", "--quiet", "--package", "sangam"])?;
    let warm = build()?;
    let program = std::fs::metadata(folder.path().join("release/sangam")).context("the host is built")?;
    let crates = cargo(&["tree", "--package", "sangam", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"])?;
    let mut crates: Vec<&str> = crates.lines().filter_map(|line| line.split(" (").next()).collect();
    crates.sort_unstable();
    crates.dedup();
    let mut line = Line::new(about.name, about.goal, NOTHING_WRITTEN);
    line.value = Some(Figure::new("", cold, "s"));
    line.reference = Some(Figure::new(about.reference, warm, "s"));
    line.ratio = Some(cold / warm);
    line.more.push(Figure::new("size of the program", program.len() as f64 / f64::from(1 << 20), "MiB"));
    line.more.push(Figure::new("crates in it", crates.len() as f64, "crates"));
    line.notes.push("once: an A/A pair would take as long again".to_owned());
    Ok(vec![line])
}
