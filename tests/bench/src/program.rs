//! Programs that listen: the host and what it is compared with. Each says `listening on http://ADDRESS` when it is ready.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command as AsyncCommand};

/// Longest time to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processor time in `/proc/PID/stat` is in hundredths of a second, on every Linux (USER_HZ).
const TICKS: f64 = 100.0;

/// A running program. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to the line.
    pub(crate) took: Duration,
    child: Child,
    /// Held open: a program that prints more must not die of it.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a command. Its log goes to a file in the folder.
    pub(crate) async fn start(command: Command, folder: &Path) -> anyhow::Result<Program> {
        let name = format!("{command:?}");
        let log = folder.join("bench.log");
        let stderr = std::fs::File::options().create(true).append(true).open(&log)?;
        let started = Instant::now();
        let mut child = AsyncCommand::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut output = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        let line = tokio::time::timeout(PATIENCE, output.next_line()).await.with_context(|| format!("{name} did not become ready"))??;
        let took = started.elapsed();
        let address = line.as_deref().and_then(|line| line.strip_prefix("listening on http://")).and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("{name} did not start: {}", std::fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(Program { address, took, child, _output: output })
    }

    /// The host with the `sangam.toml` of a folder.
    pub(crate) async fn host(folder: &Path) -> anyhow::Result<Program> {
        let mut command = Command::new(sangam_tests::sangam());
        command.arg("up").current_dir(folder).env_remove("SANGAM_LOG");
        Program::start(command, folder).await
    }

    /// The bare server.
    pub(crate) async fn bare(folder: &Path) -> anyhow::Result<Program> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve-bare");
        Program::start(command, folder).await
    }

    /// Memory it has resident now, in MiB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("it runs")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS is in status")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time it has used, in seconds: its own and the kernel's for it.
    pub(crate) fn processor(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("it runs")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name, in parentheses, may hold anything; `utime` and `stime` are the 14th and 15th field.
        let (_, fields) = stat.rsplit_once(')').context("stat has a name")?;
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS)
    }

    /// Microseconds of processor time for each of so many events, since it had used so many seconds.
    pub(crate) fn cost_since(&self, seconds: f64, events: u64) -> anyhow::Result<f64> {
        Ok((self.processor()? - seconds) * 1e6 / events as f64)
    }

    /// SIGTERM; waits until it has finished what is under way.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("it runs")?;
        // No library for one signal: the shell's own command sends it.
        Command::new("kill").args(["-TERM", &id.to_string()]).status()?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it did not stop")??;
        Ok(())
    }
}
