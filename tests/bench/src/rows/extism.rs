//! A plugin's call beside Extism's: the same logic in a guest of its own kind, in a process of its own, since it brings another wasmtime.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use sangam::config::Instances;

use super::call::{self, Subject};
use super::{About, Row, Running, When};
use crate::figures::{Rounds, median};
use crate::line::{Line, NOTHING_WRITTEN};
use crate::peer;
use crate::{Bench, Effort};

/// The row `call-extism`.
pub(super) struct Extism;

impl Row for Extism {
    fn about(&self) -> About {
        About {
            name: "call-extism",
            what: "the call beside Extism calling the same logic, fresh and reused",
            goal: "none: how it compares",
            reference: "Extism 1.30, compiled once, the same JSON work in a plugin of its PDK, the answer from a host function",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::extism().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (program, guest) = match tokio::task::spawn_blocking(peer::extism).await?? {
        Ok(found) => found,
        Err(missing) => return Ok(vec![Line::without_reference(about.name, about.goal, NOTHING_WRITTEN, &missing)]),
    };
    let (folder, runtime) = call::host().await?;
    let mut lines = Vec::new();
    for (mode, instances) in [("fresh", Instances::PerCall), ("reused", Instances::Reuse)] {
        let subject = Subject::new(&runtime, instances)?;
        let (_, input, context) = subject.called_with();
        let called_with = folder.path().join("called-with.json");
        std::fs::write(&called_with, format!(r#"{{"input":{input},"context":{context}}}"#))?;
        let mut extism = Peer::start(&program, &guest, &called_with)?;
        let calls = call::calls(effort);
        extism.calls(mode, calls / 4)?;
        subject.times(calls / 4).await?;
        let mut rounds = Rounds::default();
        for _ in 0..effort.rounds {
            let before = median(&extism.calls(mode, calls)?);
            let subject = median(&subject.times(calls).await?);
            rounds.add(before, subject, median(&extism.calls(mode, calls)?));
        }
        let mut line = Line::new(&format!("{} {mode}", about.name), about.goal, NOTHING_WRITTEN);
        line.compare(&rounds, about.reference, "µs");
        line.notes.push(format!("{calls} calls a round, in turns; no journal, limits or meter in the reference"));
        lines.push(line);
    }
    runtime.store.clone().close().await;
    Ok(lines)
}

/// The running program. Ends when its input does.
struct Peer {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start(program: &Path, guest: &Path, called_with: &Path) -> anyhow::Result<Peer> {
        let mut command = Command::new(program);
        command.arg(guest).arg(called_with).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let (to, from) = (child.stdin.take(), child.stdout.take().context("output is piped")?);
        let mut peer = Peer { child, to, from: BufReader::new(from) };
        let line = peer.line()?;
        ensure!(line == "ready", "the peer with Extism said {line:?}");
        Ok(peer)
    }

    /// Microseconds of so many calls.
    fn calls(&mut self, mode: &str, calls: usize) -> anyhow::Result<Vec<f64>> {
        writeln!(self.to.as_mut().context("it takes input")?, "{mode} {calls}")?;
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("the peer with Extism said {line:?}"))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.to.take());
        // It ends by itself now; what it did is known.
        let _ = self.child.wait();
    }
}
