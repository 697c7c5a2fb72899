//! Where it was measured, and with what.

use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::figures::{median, micros};
use crate::line::DURABLE;

/// Flushes to see how long one takes.
const FLUSHES: usize = 100;
/// Bytes of each: a page of SQLite's log.
const PAGE: usize = 4096;

/// The machine and the programs.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    /// Of the folder that the stores are in.
    file_system: String,
    /// Median of writing a page and `fdatasync`, there.
    flush_us: f64,
    /// Programs running or waiting for a core before the start, averaged over a minute.
    load: f64,
    sangam: String,
    pub(crate) commit: Option<String>,
    rustc: Option<String>,
    sqlite: String,
    go: Option<String>,
    node: Option<String>,
    postgres: Option<String>,
    /// Of every row that says so.
    durability: &'static str,
}

/// Looks around.
pub(crate) async fn describe() -> anyhow::Result<Machine> {
    let folder = tempfile::tempdir()?;
    let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
    let sqlite = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut connection).await?;
    let proc = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let memory = proc("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let load = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok());
    Ok(Machine {
        processor: proc("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mib: memory.unwrap_or(0) >> 10,
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        file_system: said("stat", &["-f", "-c", "%T", &folder.path().display().to_string()]).unwrap_or_default(),
        flush_us: flush(folder.path())?,
        load: load.unwrap_or(0.0),
        sangam: env!("CARGO_PKG_VERSION").to_owned(),
        commit: said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=12", "HEAD"]),
        rustc: said("rustc", &["--version"]),
        sqlite,
        go: said("go", &["version"]),
        node: said("node", &["--version"]),
        postgres: said("pgbench", &["--version"]),
        durability: DURABLE,
    })
}

/// What a command says on its standard output, if it is there and succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Microseconds of writing a page and `fdatasync` in a folder, the median of several.
pub(crate) fn flush(folder: &Path) -> anyhow::Result<f64> {
    let mut file = std::fs::File::create(folder.join("flush"))?;
    let mut times = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let started = Instant::now();
        file.write_all(&[1; PAGE])?;
        file.sync_data()?;
        times.push(micros(started.elapsed()));
    }
    Ok(median(&times))
}

impl Machine {
    /// Runs on machines of the same kind can be compared.
    pub(crate) fn kind(&self) -> String {
        format!("{}, {} cores, {}", self.processor, self.cores, self.file_system)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} cores, {} MiB, Linux {}, load {:.1}", self.processor, self.cores, self.memory_mib, self.kernel, self.load)?;
        writeln!(
            f,
            "stores on {}, a flush takes {:.0} µs; SQLite {}; durable means {}",
            self.file_system, self.flush_us, self.sqlite, self.durability
        )?;
        write!(
            f,
            "sangam {} ({}), {}",
            self.sangam,
            self.commit.as_deref().unwrap_or("no commit"),
            self.rustc.as_deref().unwrap_or("rustc unknown")
        )?;
        if self.file_system == "tmpfs" {
            write!(f, "\nWARNING: the stores are in memory, nothing is durable: set TMPDIR to a folder on a disk")?;
        }
        Ok(())
    }
}
