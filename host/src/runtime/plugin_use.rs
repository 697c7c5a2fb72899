//! How much of its limits a plugin has used, and how long its calls took: since this host started, a few counters a plugin whatever is called how often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::{CallEnd, CallOutcome};

/// Buckets of the durations: four for each doubling, so that a quantile is right to a fifth.
const BUCKETS: usize = 100;
const PER_DOUBLING: f64 = 4.0;
/// Calls of up to so many microseconds are in the first one.
const FIRST: f64 = 10.0;

/// What calls of a plugin have used. Counted from several threads at once; what is read meanwhile may be one call behind.
#[derive(Debug)]
pub struct PluginUse {
    calls: AtomicU64,
    failures: AtomicU64,
    memory: AtomicU64,
    cpu_us: AtomicU64,
    time_us: AtomicU64,
    http_calls: AtomicU64,
    response_size: AtomicU64,
    output_size: AtomicU64,
    durations: [AtomicU64; BUCKETS],
}

/// The same, read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// Calls that ended.
    pub calls: u64,
    /// Of these the ones that failed, whyever.
    pub failures: u64,
    /// Most memory that one call had, bytes.
    pub peak_memory: u64,
    /// Most processor time of one call.
    pub peak_cpu: Duration,
    /// Longest call.
    pub peak_time: Duration,
    /// Most requests of one call.
    pub peak_http_calls: u64,
    /// Largest answer to a request, bytes of its body.
    pub peak_response_size: u64,
    /// Largest output, bytes.
    pub peak_output_size: u64,
    /// Half of the calls took no longer; `None`: there were none.
    pub p50: Option<Duration>,
    /// 99 of 100.
    pub p99: Option<Duration>,
}

impl Default for PluginUse {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        PluginUse {
            calls: zero(),
            failures: zero(),
            memory: zero(),
            cpu_us: zero(),
            time_us: zero(),
            http_calls: zero(),
            response_size: zero(),
            output_size: zero(),
            durations: std::array::from_fn(|_| zero()),
        }
    }
}

impl PluginUse {
    /// A call has ended. One for which the engine had no room was none.
    pub fn note(&self, end: &CallEnd, took: Duration) {
        let (failed, output) = match &end.outcome {
            CallOutcome::Busy(_) => return,
            CallOutcome::Output { data, .. } => (false, data.len()),
            CallOutcome::Batch(results) => (false, results.iter().flatten().map(|(data, _)| data.len()).max().unwrap_or(0)),
            CallOutcome::Page(_) | CallOutcome::Received(_) | CallOutcome::Broken(_) => (false, 0),
            CallOutcome::Failure(_) | CallOutcome::Trap(_) | CallOutcome::Limit(_) | CallOutcome::TimedOut => (true, 0),
        };
        let peaks = [
            (&self.memory, end.memory as u64),
            (&self.cpu_us, micros(end.cpu)),
            (&self.time_us, micros(took)),
            (&self.http_calls, u64::from(end.record.http_calls)),
            (&self.response_size, end.record.largest_response as u64),
            (&self.output_size, output as u64),
        ];
        for (peak, value) in peaks {
            peak.fetch_max(value, Ordering::Relaxed);
        }
        self.durations[bucket(took)].fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// As it is now.
    pub fn read(&self) -> Used {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts: Vec<u64> = self.durations.iter().map(of).collect();
        Used {
            calls: of(&self.calls),
            failures: of(&self.failures),
            peak_memory: of(&self.memory),
            peak_cpu: Duration::from_micros(of(&self.cpu_us)),
            peak_time: Duration::from_micros(of(&self.time_us)),
            peak_http_calls: of(&self.http_calls),
            peak_response_size: of(&self.response_size),
            peak_output_size: of(&self.output_size),
            p50: quantile(&counts, 50),
            p99: quantile(&counts, 99),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn bucket(took: Duration) -> usize {
    let doublings = (took.as_secs_f64() * 1e6 / FIRST).max(1.0).log2();
    // Neither is negative or large.
    ((doublings * PER_DOUBLING).ceil() as usize).min(BUCKETS - 1)
}

/// The upper end of the bucket in which so many of 100 calls have ended.
fn quantile(counts: &[u64], percent: u64) -> Option<Duration> {
    let all: u64 = counts.iter().sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0;
    let index = counts.iter().position(|count| {
        seen += count;
        all > 0 && seen >= wanted
    })?;
    Some(Duration::from_secs_f64(FIRST * 2f64.powf(index as f64 / PER_DOUBLING) / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_fifth_from_microseconds_to_minutes() {
        for micros in [12_u64, 100, 1_500, 48_000, 2_000_000, 120_000_000] {
            let mut counts = vec![0; BUCKETS];
            counts[bucket(Duration::from_micros(micros))] = 7;
            let found = quantile(&counts, 50).expect("there were calls").as_secs_f64() * 1e6;
            let ratio = found / micros as f64;
            assert!((1.0..1.2).contains(&ratio), "{micros} us were told as {found} us");
        }
        let mut counts = vec![0; BUCKETS];
        counts[bucket(Duration::from_millis(1))] = 98;
        counts[bucket(Duration::from_secs(1))] = 2;
        let millis = |percent| quantile(&counts, percent).map(|took| took.as_secs_f64() * 1e3).unwrap_or_default();
        assert!(millis(50) < 1.2 && millis(99) > 999.0, "{} {}", millis(50), millis(99));
        assert_eq!(quantile(&[0; BUCKETS], 50), None);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
        assert_eq!(bucket(Duration::ZERO), 0);
    }
}
