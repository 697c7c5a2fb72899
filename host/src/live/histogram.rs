//! How long things took, in few bytes: a value is found again to within an eighth of itself.

/// Each bucket is wider than the one before by this.
const FACTOR: f64 = 1.25;
/// Up to 1.25^69 ms: 80 minutes. What took longer counts as that.
const BUCKETS: usize = 70;

/// Durations in milliseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: [u32; BUCKETS],
    count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [0; BUCKETS], count: 0 }
    }
}

impl Histogram {
    /// Adds one.
    pub fn add(&mut self, millis: i64) {
        let index = if millis <= 1 { 0 } else { ((millis as f64).ln() / FACTOR.ln()).ceil() as usize };
        let bucket = &mut self.buckets[index.min(BUCKETS - 1)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket = bucket.saturating_add(more);
        }
        self.count += other.count;
    }

    /// What so large a share (0 to 1) took at most, ms. `None`: there is nothing in it.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += u64::from(*bucket);
            if seen >= rank {
                // The middle of the bucket, as its bounds grow.
                return Some(FACTOR.powf(index as f64 - if index == 0 { 0.0 } else { 0.5 }).round() as u64);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1000).for_each(|millis| histogram.add(millis));
        for (share, is) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).expect("there are some") as f64;
            assert!((found / is - 1.0).abs() < 0.125, "{share}: {found} instead of {is}");
        }
        histogram.add(i64::MAX);
        assert!(histogram.quantile(1.0).expect("there are some") > 3_600_000);
    }
}
