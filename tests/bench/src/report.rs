//! What was measured, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::history::Summary;
use crate::line::{Line, Met};
use crate::machine::Machine;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// When, UTC.
    pub(crate) at: String,
    /// Where.
    pub(crate) machine: Machine,
    /// It was only a look.
    pub(crate) quick: bool,
    /// Its hosts were compiled by what they do.
    pub(crate) pgo: bool,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What.
    pub(crate) rows: Vec<Line>,
}

impl Report {
    /// Of a run that took so long and ends now.
    pub(crate) fn new(machine: Machine, quick: bool, pgo: bool, took: Duration, rows: Vec<Line>) -> Report {
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Report { at, machine, quick, pgo, seconds: took.as_secs_f64().round(), rows }
    }

    /// What is kept of it.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            at: self.at.clone(),
            commit: self.machine.commit.clone(),
            machine: self.machine.kind(),
            quick: self.quick,
            pgo: self.pgo,
            rows: self.rows.iter().map(Line::kept).collect(),
        }
    }
}

const HEAD: [&str; 8] = ["row", "value", "reference", "ratio", "A/A", "goal", "met?", "durability"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![HEAD.map(str::to_owned)];
        table.extend(self.rows.iter().map(Line::cells));
        let widths: Vec<usize> =
            (0..HEAD.len()).map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        writeln!(f, "{}", self.machine)?;
        writeln!(f)?;
        for row in &table {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for row in &self.rows {
            if let Met::Void(why) = &row.met {
                writeln!(f, "{}: VOID: {why}", row.name)?;
            }
            if let Some(reference) = row.reference.as_ref().filter(|reference| !reference.label.is_empty()) {
                writeln!(f, "{}: reference: {}", row.name, reference.label)?;
            }
            for figure in &row.more {
                writeln!(f, "{}: {}: {figure}", row.name, figure.label)?;
            }
            for note in &row.notes {
                writeln!(f, "{}: {note}", row.name)?;
            }
        }
        writeln!(f)?;
        writeln!(f, "ratio: value over reference, median of the rounds. A/A: the same program against itself (smallest..largest round);")?;
        writeln!(f, "a difference smaller than that is none. Absolute figures are those of this machine now.")?;
        if self.quick {
            writeln!(f, "--quick: a look, not a measurement.")?;
        }
        if self.pgo {
            writeln!(
                f,
                "--pgo: of hosts that are compiled by what they do; call, compile and languages are of the library as it always is."
            )?;
        }
        writeln!(f, "{:.0} s", self.seconds)
    }
}
