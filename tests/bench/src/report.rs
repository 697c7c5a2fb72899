//! What was measured, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::figures::AgainstItself;
use crate::machine::Machine;

/// How safe an event is once it is answered: as `host/src/store` opens its database.
pub(crate) const DURABLE: &str = "SQLite WAL, synchronous=FULL";
/// Nothing is kept.
pub(crate) const NOT_DURABLE: &str = "none";
/// It is no question: no event is taken in.
pub(crate) const NOTHING_WRITTEN: &str = "-";

/// A number with its unit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is, where it is not plain from the row.
    pub(crate) label: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(label: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { label: label.into(), value, unit }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.value.abs() {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        write!(f, "{:.digits$} {}", self.value, self.unit)
    }
}

/// Whether the goal of `quality.md` is reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Met {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// The distance to the goal is smaller than the difference of the same program against itself.
    WithinNoise,
    /// There is nothing to compare.
    NotMeasured,
    /// The measurement counts for nothing, and why.
    Void(String),
}

impl Met {
    /// `reached` is 1 where the goal is just reached, more where it is surpassed.
    pub(crate) fn judge(reached: f64, noise: f64) -> Met {
        if (reached - 1.0).abs() <= noise {
            Met::WithinNoise
        } else if reached >= 1.0 {
            Met::Yes
        } else {
            Met::No
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Met::Yes => "yes",
            Met::No => "no",
            Met::WithinNoise => "within noise",
            Met::NotMeasured => "-",
            Met::Void(_) => "VOID",
        })
    }
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Such as `intake`.
    pub(crate) name: String,
    /// Of the host; the median of the rounds.
    pub(crate) value: Option<Figure>,
    /// What it is compared with, in the same run.
    pub(crate) reference: Option<Figure>,
    /// Value over reference, the median of the rounds' ratios.
    pub(crate) ratio: Option<f64>,
    /// The same program against itself.
    pub(crate) against_itself: Option<AgainstItself>,
    /// As `quality.md` has it.
    pub(crate) goal: String,
    /// Reached?
    pub(crate) met: Met,
    /// Of the value; references say theirs in their label.
    pub(crate) durability: &'static str,
    /// Other figures of the same run.
    pub(crate) more: Vec<Figure>,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// A row without figures yet.
    pub(crate) fn new(name: &str, goal: &str, durability: &'static str) -> Row {
        Row {
            name: name.to_owned(),
            value: None,
            reference: None,
            ratio: None,
            against_itself: None,
            goal: goal.to_owned(),
            met: Met::NotMeasured,
            durability,
            more: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A row that could not be measured.
    pub(crate) fn void(name: &str, why: String) -> Row {
        Row { met: Met::Void(why), ..Row::new(name, "", NOTHING_WRITTEN) }
    }

    fn cells(&self) -> [String; 8] {
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        [
            self.name.clone(),
            or_dash(self.value.as_ref().map(Figure::to_string)),
            or_dash(self.reference.as_ref().map(Figure::to_string)),
            or_dash(self.ratio.map(|ratio| format!("{ratio:.2}"))),
            or_dash(self.against_itself.as_ref().map(|aa| format!("{:.2} ({:.2}..{:.2})", aa.median, aa.low, aa.high))),
            self.goal.clone(),
            self.met.to_string(),
            self.durability.to_owned(),
        ]
    }
}

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where.
    pub(crate) machine: Machine,
    /// It was only a look.
    pub(crate) quick: bool,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What.
    pub(crate) rows: Vec<Row>,
}

const HEAD: [&str; 8] = ["row", "value", "reference", "ratio", "A/A", "goal", "met?", "durability"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![HEAD.map(str::to_owned)];
        table.extend(self.rows.iter().map(Row::cells));
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
        writeln!(f, "{:.0} s", self.seconds)
    }
}
