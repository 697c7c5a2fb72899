//! What a campaign found.

use std::fmt;
use std::path::PathBuf;

/// How many of each kind are printed.
const SHOWN: usize = 5;

/// The figures, and every violation by name.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Times that an event was sent, with repetitions.
    pub sent: u64,
    /// Events that were answered with 202.
    pub accepted: u64,
    /// Writes that these events stand for.
    pub expected: usize,
    /// Writes that the sink counted.
    pub seen: usize,
    /// Requests that the sink recognised by their key.
    pub repeated: u64,
    /// Expected, and not seen.
    pub lost: Vec<String>,
    /// Seen under more than one key.
    pub doubled: Vec<String>,
    /// Seen, and not expected of any event that was accepted.
    pub unasked: Vec<String>,
    /// Seen behind a later one of the same order key.
    pub out_of_order: Vec<String>,
    /// Key-value counters with another value than the number of increments.
    pub wrong_counters: Vec<String>,
    /// Dead letters that are left.
    pub dead: usize,
    /// Kills of hosts.
    pub kills: u32,
    /// Kills of the database.
    pub database_kills: u32,
    /// How long it took.
    pub seconds: u64,
    /// Of the schedule.
    pub seed: u64,
    /// The hosts' folder, kept where something is wrong.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether nothing was lost, doubled or out of order.
    pub fn is_right(&self) -> bool {
        self.dead == 0 && self.violations().iter().all(|(_, found)| found.is_empty())
    }

    fn violations(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("unasked", &self.unasked),
            ("out of order", &self.out_of_order),
            ("wrong counters", &self.wrong_counters),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: u64| writeln!(f, "{name:<24}{value:>10}");
        row("events sent", self.sent)?;
        row("events accepted", self.accepted)?;
        row("effects expected", self.expected as u64)?;
        row("effects seen", self.seen as u64)?;
        row("repeated by key", self.repeated)?;
        for (name, found) in self.violations() {
            row(name, found.len() as u64)?;
        }
        row("dead letters left", self.dead as u64)?;
        row("kills", self.kills.into())?;
        row("kills of the database", self.database_kills.into())?;
        row("seconds", self.seconds)?;
        row("seed", self.seed)?;
        for (name, found) in self.violations() {
            for one in found.iter().take(SHOWN) {
                writeln!(f, "{name}: {one}")?;
            }
            if found.len() > SHOWN {
                writeln!(f, "{name}: and {} more", found.len() - SHOWN)?;
            }
        }
        if let Some(folder) = &self.kept {
            writeln!(f, "configuration, logs and store are in {}", folder.display())?;
        }
        Ok(())
    }
}
