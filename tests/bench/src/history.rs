//! Earlier runs, one a line in `history.jsonl`, and what became worse since one of them.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// One run a line, the oldest first.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/history.jsonl");
/// A difference below this is none, however quiet the machine was: a round's A/A pair does not see what differs from run to run.
const LEAST: f64 = 0.05;

/// What is kept of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// When, UTC.
    pub at: String,
    /// Of the working tree.
    pub commit: Option<String>,
    /// Processor, cores and file system.
    pub machine: String,
    /// It was only a look.
    pub quick: bool,
    /// Its hosts were compiled by what they do (`cargo xtask pgo`).
    #[serde(default)]
    pub pgo: bool,
    /// Lines of its table.
    pub rows: Vec<Kept>,
}

/// What is kept of a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Such as `intake`.
    pub name: String,
    /// Of the host.
    pub value: Option<f64>,
    /// Of the value.
    pub unit: Option<String>,
    /// Of the reference, in the same unit.
    pub reference: Option<f64>,
    /// Value over reference, median of the rounds.
    pub ratio: Option<f64>,
    /// The farthest that a round of the A/A pair was from 1.
    pub spread: Option<f64>,
    /// Whether the goal was met, in words.
    pub met: String,
}

impl Kept {
    fn is_void(&self) -> bool {
        self.met == "VOID"
    }
}

/// Adds a run to the history.
pub fn add(summary: &Summary) -> anyhow::Result<()> {
    let mut file = std::fs::File::options().create(true).append(true).open(FILE).with_context(|| format!("opening {FILE}"))?;
    writeln!(file, "{}", serde_json::to_string(summary)?).with_context(|| format!("writing {FILE}"))
}

/// A run to compare with.
#[derive(Debug)]
pub struct Earlier {
    summary: Summary,
    label: String,
}

impl Earlier {
    /// A file of `--json`, or the last run of a commit in the history.
    pub fn find(what: &str) -> anyhow::Result<Earlier> {
        let file = Path::new(what);
        if file.is_file() {
            return Earlier::of_report(file);
        }
        let history = std::fs::read_to_string(FILE).unwrap_or_default();
        Earlier::of_history(&history, what)
    }

    fn of_report(file: &Path) -> anyhow::Result<Earlier> {
        let what = || format!("reading {}", file.display());
        let report: ReadReport = serde_json::from_str(&std::fs::read_to_string(file).with_context(what)?).with_context(what)?;
        Ok(Earlier { summary: report.summary(), label: file.display().to_string() })
    }

    fn of_history(history: &str, commit: &str) -> anyhow::Result<Earlier> {
        let mut found = None;
        for (number, line) in history.lines().enumerate() {
            let summary: Summary = serde_json::from_str(line).with_context(|| format!("{FILE}, line {}", number + 1))?;
            let same = summary.commit.as_deref().is_some_and(|known| known.starts_with(commit) || commit.starts_with(known));
            if same {
                found = Some(summary);
            }
        }
        let Some(summary) = found else {
            bail!(
                "{commit:?} is neither a file nor a commit of the history ({FILE}): check that commit out, run `cargo xtask bench --json FILE` \
                 there, and give that FILE"
            );
        };
        Ok(Earlier { label: format!("{commit} of {}", summary.at), summary })
    }

    /// Line by line: the ratios where both have one, since they travel; otherwise the values.
    pub fn compare(&self, now: &Summary) -> Comparison {
        let differences = now.rows.iter().map(|row| {
            let then = self.summary.rows.iter().find(|then| then.name == row.name);
            (row.name.clone(), then.map_or(Change::New, |then| Change::between(then, row)))
        });
        let mut comparison = Comparison { label: self.label.clone(), differences: differences.collect(), warnings: Vec::new() };
        if self.summary.machine != now.machine {
            comparison.warnings.push(format!("another machine ({}): only ratios can be compared", self.summary.machine));
        }
        if self.summary.quick || now.quick {
            comparison.warnings.push("one of the two was only a look (--quick)".to_owned());
        }
        if self.summary.pgo != now.pgo {
            comparison.warnings.push("one of the two was of hosts that are compiled by what they do (--pgo)".to_owned());
        }
        comparison
    }
}

/// What `--json` writes, as far as it is compared.
#[derive(Deserialize)]
struct ReadReport {
    at: String,
    machine: ReadMachine,
    quick: bool,
    #[serde(default)]
    pgo: bool,
    rows: Vec<ReadLine>,
}

#[derive(Deserialize)]
struct ReadMachine {
    processor: String,
    cores: usize,
    file_system: String,
    commit: Option<String>,
}

#[derive(Deserialize)]
struct ReadLine {
    name: String,
    value: Option<ReadFigure>,
    reference: Option<ReadFigure>,
    ratio: Option<f64>,
    against_itself: Option<ReadPair>,
    met: serde_json::Value,
}

#[derive(Deserialize)]
struct ReadFigure {
    value: f64,
    unit: String,
}

#[derive(Deserialize)]
struct ReadPair {
    low: f64,
    high: f64,
}

impl ReadReport {
    fn summary(self) -> Summary {
        let ReadMachine { processor, cores, file_system, commit } = self.machine;
        let rows = self.rows.into_iter().map(|line| Kept {
            name: line.name,
            value: line.value.as_ref().map(|figure| figure.value),
            unit: line.value.map(|figure| figure.unit),
            reference: line.reference.map(|figure| figure.value),
            ratio: line.ratio,
            spread: line.against_itself.map(|pair| (pair.high - 1.0).abs().max((1.0 - pair.low).abs())),
            // A void line is an object with its reason.
            met: line.met.as_str().map_or_else(|| "VOID".to_owned(), str::to_owned),
        });
        Summary {
            at: self.at,
            commit,
            machine: format!("{processor}, {cores} cores, {file_system}"),
            quick: self.quick,
            pgo: self.pgo,
            rows: rows.collect(),
        }
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// It was not there before.
    New,
    /// One of the two counts for nothing.
    Void,
    /// One of the two has no figure.
    NoFigure,
    /// Now over then, and from which distance on it is a difference.
    Same(f64, f64),
    Better(f64, f64),
    Worse(f64, f64),
}

impl Change {
    fn between(then: &Kept, now: &Kept) -> Change {
        if then.is_void() || now.is_void() {
            return Change::Void;
        }
        let figures = match (then.ratio, now.ratio) {
            (Some(then), Some(now)) => Some((then, now)),
            _ => then.value.zip(now.value),
        };
        let Some((before, after)) = figures.filter(|(before, after)| *before > 0.0 && *after > 0.0) else { return Change::NoFigure };
        let change = after / before;
        let threshold = LEAST.max(then.spread.unwrap_or(0.0)).max(now.spread.unwrap_or(0.0));
        let more_is_better = now.unit.as_deref().is_some_and(|unit| unit.ends_with("/s"));
        // As far as it goes up where more is worse, so far it goes down where more is better.
        let worse_by = if more_is_better { 1.0 / change } else { change };
        if worse_by > 1.0 + threshold {
            Change::Worse(change, threshold)
        } else if 1.0 / worse_by > 1.0 + threshold {
            Change::Better(change, threshold)
        } else {
            Change::Same(change, threshold)
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::New => write!(f, "new"),
            Change::Void => write!(f, "void, then or now"),
            Change::NoFigure => write!(f, "no figure, then or now"),
            Change::Same(change, threshold) => write!(f, "{change:.2} times, no difference (below {threshold:.2})"),
            Change::Better(change, threshold) => write!(f, "{change:.2} times, BETTER (beyond {threshold:.2})"),
            Change::Worse(change, threshold) => write!(f, "{change:.2} times, WORSE (beyond {threshold:.2})"),
        }
    }
}

/// A run against an earlier one.
#[derive(Debug)]
pub struct Comparison {
    label: String,
    differences: Vec<(String, Change)>,
    warnings: Vec<String>,
}

impl Comparison {
    /// Something is worse by more than the noise of either run.
    pub fn is_worse(&self) -> bool {
        self.differences.iter().any(|(_, change)| matches!(change, Change::Worse(..)))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "against {} (ratios of the ratios; a difference is what is beyond the A/A pairs of both runs):", self.label)?;
        let width = self.differences.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, change) in &self.differences {
            writeln!(f, "{name:<width$}  {change}")?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "{warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(unit: &str, ratio: f64, spread: f64) -> Kept {
        let unit = Some(unit.to_owned());
        Kept {
            name: "row".to_owned(),
            value: Some(1.0),
            unit,
            reference: Some(1.0),
            ratio: Some(ratio),
            spread: Some(spread),
            met: "yes".to_owned(),
        }
    }

    fn run(commit: &str, row: Kept) -> Summary {
        Summary {
            at: "2026-11-29T00:00:00Z".to_owned(),
            commit: Some(commit.to_owned()),
            machine: "m".to_owned(),
            quick: false,
            pgo: false,
            rows: vec![row],
        }
    }

    fn compared(then: Kept, now: Kept) -> Comparison {
        let history = serde_json::to_string(&run("abc123def456", then)).expect("plain data") + "\n";
        Earlier::of_history(&history, "abc123d").expect("it is in the history").compare(&run("fff", now))
    }

    #[test]
    fn a_lower_rate_is_worse_once_it_is_beyond_the_noise_of_both_runs() {
        assert!(compared(kept("events/s", 1.0, 0.1), kept("events/s", 0.8, 0.02)).is_worse());
        assert!(!compared(kept("events/s", 1.0, 0.3), kept("events/s", 0.8, 0.02)).is_worse());
        assert!(!compared(kept("events/s", 1.0, 0.02), kept("events/s", 0.8, 0.3)).is_worse());
        assert!(!compared(kept("events/s", 1.0, 0.1), kept("events/s", 1.5, 0.1)).is_worse());
    }

    #[test]
    fn a_longer_time_is_worse() {
        assert!(compared(kept("ms", 1.0, 0.1), kept("ms", 1.3, 0.1)).is_worse());
        assert!(!compared(kept("ms", 1.0, 0.1), kept("ms", 0.5, 0.1)).is_worse());
    }

    #[test]
    fn a_void_line_is_no_comparison() {
        let void = Kept { met: "VOID".to_owned(), ..kept("ms", 9.0, 0.0) };
        assert_eq!(compared(kept("ms", 1.0, 0.0), void).differences[0].1, Change::Void);
    }

    #[test]
    fn a_commit_that_was_never_measured_is_answered_with_what_to_do() {
        let error = Earlier::of_history("", "0000").expect_err("nothing is there").to_string();
        assert!(error.contains("cargo xtask bench --json FILE"), "{error}");
    }
}
