//! A line of the table: a figure, what it is compared with, and whether a goal is met.

use std::fmt;

use serde::Serialize;

use crate::figures::{AgainstItself, Rounds};
use crate::history::Kept;

/// How safe an event is once it is answered: as `host/src/store` opens its database.
pub const DURABLE: &str = "SQLite WAL, flushed before the answer";
/// The same on PostgreSQL as it comes: `fsync` and `synchronous_commit` on.
pub const DURABLE_POSTGRES: &str = "PostgreSQL, fsync, synchronous_commit";
/// Nothing is kept.
pub const NOT_DURABLE: &str = "none";
/// It is no question: no event is taken in.
pub const NOTHING_WRITTEN: &str = "-";

/// A number with its unit.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is, where it is not plain from the row.
    pub label: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

impl Figure {
    /// A number in that unit. Without a label where it is plain from the row.
    pub fn new(label: impl Into<String>, value: f64, unit: &'static str) -> Figure {
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
pub enum Met {
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
    pub fn judge(reached: f64, noise: f64) -> Met {
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
pub struct Line {
    /// Such as `intake`.
    pub name: String,
    /// Of the host; the median of the rounds.
    pub value: Option<Figure>,
    /// What it is compared with, in the same run.
    pub reference: Option<Figure>,
    /// Value over reference, the median of the rounds' ratios.
    pub ratio: Option<f64>,
    /// The same program against itself.
    pub against_itself: Option<AgainstItself>,
    /// As `quality.md` has it.
    pub goal: String,
    /// Reached?
    pub met: Met,
    /// Of the value; references say theirs in their label.
    pub durability: &'static str,
    /// Other figures of the same run.
    pub more: Vec<Figure>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl Line {
    /// A row without figures yet.
    pub fn new(name: &str, goal: &str, durability: &'static str) -> Line {
        Line {
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

    /// A row whose reference is missing here, with how to get it.
    pub fn without_reference(name: &str, goal: &str, durability: &'static str, missing: &dyn fmt::Display) -> Line {
        let mut line = Line::new(name, goal, durability);
        line.notes.push(missing.to_string());
        line
    }

    /// It counts for nothing where there is a fault.
    pub fn void_if(&mut self, fault: Option<String>) {
        if let Some(fault) = fault {
            self.met = Met::Void(fault);
        }
    }

    /// Takes value, reference, ratio and A/A of rounds in which the references were the same program.
    pub fn compare(&mut self, rounds: &Rounds, reference: impl Into<String>, unit: &'static str) {
        self.value = Some(Figure::new("", rounds.value(), unit));
        self.reference = Some(Figure::new(reference, rounds.reference(), unit));
        self.ratio = Some(rounds.ratio());
        self.against_itself = Some(rounds.against_itself());
    }

    /// Says the ratio as a share, too: where the reference is a limit and no rival.
    pub fn share(&mut self, label: &str) {
        if let Some(ratio) = self.ratio {
            self.more.push(Figure::new(label, ratio * 100.0, "%"));
        }
    }

    /// The ratio should be at least that.
    pub fn at_least(&mut self, goal: f64) {
        if let (Some(ratio), Some(against)) = (self.ratio, &self.against_itself) {
            self.met = Met::judge(ratio / goal, against.noise());
        }
    }

    /// The ratio should be at most that.
    pub fn at_most(&mut self, goal: f64) {
        if let (Some(ratio), Some(against)) = (self.ratio, &self.against_itself) {
            self.met = Met::judge(goal / ratio, against.noise());
        }
    }

    /// What is kept of it.
    pub fn kept(&self) -> Kept {
        Kept {
            name: self.name.clone(),
            value: self.value.as_ref().map(|figure| figure.value),
            unit: self.value.as_ref().map(|figure| figure.unit.to_owned()),
            reference: self.reference.as_ref().map(|figure| figure.value),
            ratio: self.ratio,
            spread: self.against_itself.as_ref().map(AgainstItself::spread),
            met: self.met.to_string(),
        }
    }

    /// A row that could not be measured.
    pub fn void(name: &str, why: String) -> Line {
        Line { met: Met::Void(why), ..Line::new(name, "", NOTHING_WRITTEN) }
    }

    /// Its cells, in the order of the table's head.
    pub fn cells(&self) -> [String; 8] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_rounds_ratio_beside_its_reference() {
        let mut rounds = Rounds::default();
        rounds.add(900.0, 250.0, 1100.0);
        let mut line = Line::new("intake-floor", "", DURABLE);
        line.share("of nothing measured");
        assert!(line.more.is_empty());
        line.compare(&rounds, "the floor", "events/s");
        line.share("the host's share");
        assert_eq!(line.more[0].to_string(), "25.0 %");
        // There is no goal to be met.
        assert_eq!(line.met, Met::NotMeasured);
    }
}
