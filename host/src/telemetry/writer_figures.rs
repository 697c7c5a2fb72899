//! What the store counts of its writes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// Figures of the writer. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct WriterFigures {
    /// Seconds of a transaction, flush included.
    pub commits: Histogram,
    /// Writes in one.
    pub writes: Histogram,
    /// Transactions that failed.
    pub failures: Counter,
}

impl Default for WriterFigures {
    fn default() -> WriterFigures {
        let seconds = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        WriterFigures {
            commits: Histogram::new(seconds),
            writes: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            failures: Counter::default(),
        }
    }
}
