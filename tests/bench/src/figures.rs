//! Medians, and what the rounds of a comparison say.

use std::time::Duration;

use serde::Serialize;

/// The value below which that share of the samples lies; 0 of none.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    // The nearest rank: a figure that was measured, not one in between.
    let rank = (share * last as f64).round() as usize;
    sorted.get(rank.min(last)).copied().unwrap_or(0.0)
}

/// The middle of the samples.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The same program against itself, round by round.
#[derive(Debug, Clone, Serialize)]
pub struct AgainstItself {
    /// Median of the rounds' ratios: 1 without noise.
    pub median: f64,
    /// Smallest ratio of a round.
    pub low: f64,
    /// Largest ratio of a round.
    pub high: f64,
}

impl AgainstItself {
    /// Of two series of the same program, measured in turn.
    pub fn of(first: &[f64], second: &[f64]) -> AgainstItself {
        let ratios = ratios(second, first);
        AgainstItself { median: median(&ratios), low: quantile(&ratios, 0.0), high: quantile(&ratios, 1.0) }
    }

    /// The farthest that a round was from no difference.
    pub fn spread(&self) -> f64 {
        (self.high - 1.0).abs().max((1.0 - self.low).abs())
    }

    /// A difference smaller than this is none.
    pub fn noise(&self) -> f64 {
        (self.median - 1.0).abs()
    }
}

/// Rounds of reference, subject, reference again.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Rounds {
    /// The reference, before.
    pub before: Vec<f64>,
    /// What is measured.
    pub subject: Vec<f64>,
    /// The reference, after.
    pub after: Vec<f64>,
}

impl Rounds {
    /// Adds a round.
    pub fn add(&mut self, before: f64, subject: f64, after: f64) {
        self.before.push(before);
        self.subject.push(subject);
        self.after.push(after);
    }

    /// Median of the rounds.
    pub fn value(&self) -> f64 {
        median(&self.subject)
    }

    /// Median of all references.
    pub fn reference(&self) -> f64 {
        median(&[&self.before[..], &self.after[..]].concat())
    }

    /// Median of the rounds' ratios: subject over the mean of the references around it, so that a drift of the machine cancels out.
    pub fn ratio(&self) -> f64 {
        let around: Vec<f64> = self.before.iter().zip(&self.after).map(|(before, after)| (before + after) / 2.0).collect();
        median(&ratios(&self.subject, &around))
    }

    /// The reference against itself.
    pub fn against_itself(&self) -> AgainstItself {
        AgainstItself::of(&self.before, &self.after)
    }
}

fn ratios(these: &[f64], over: &[f64]) -> Vec<f64> {
    these.iter().zip(over).map(|(this, over)| this / over).collect()
}
