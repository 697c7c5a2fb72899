//! A canary: which runs try another component, and when it has failed too often. Pure.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};

use super::{FailureKind, Outcome};

/// Calls that are looked back on.
const WINDOW: usize = 200;
/// Calls before anything is said of a component.
pub const LEAST_CALLS: usize = 20;

/// Whether a line of runs is among the share that tries a component. The same for all runs, retries and replays of the line, on every host.
pub fn takes_part(share: f64, root: &str, digest: &str) -> bool {
    let mut hasher = Sha256::new();
    hasher.update(digest);
    hasher.update([0]);
    hasher.update(root);
    let hash = hasher.finalize();
    let number = u32::from_be_bytes(hash[..4].try_into().expect("SHA-256 has 32 bytes"));
    f64::from(number) < share * (f64::from(u32::MAX) + 1.0)
}

/// What an attempt says of its component: it failed, it did well, or nothing. `ended`: the step will not be tried again.
pub fn failed(outcome: &Outcome, ended: bool) -> Option<bool> {
    match outcome {
        Outcome::Succeeded | Outcome::Exhausted => Some(false),
        Outcome::Skipped | Outcome::Waits(_) => None,
        Outcome::Failed(failure) | Outcome::InDoubt(failure, _) => match failure.kind {
            FailureKind::Trap
            | FailureKind::Timeout
            | FailureKind::Rejected
            | FailureKind::InvalidInput
            | FailureKind::InvalidOutput
            | FailureKind::Diverged => Some(true),
            FailureKind::Retry => ended.then_some(true),
            // The system, the host or the configuration, not the component.
            _ => None,
        },
    }
}

/// How the last calls of a component went.
#[derive(Debug, Clone, Default)]
pub struct Window {
    failed: VecDeque<bool>,
    failures: usize,
}

impl Window {
    /// One more call.
    pub fn note(&mut self, failed: bool) {
        if self.failed.len() == WINDOW && self.failed.pop_front() == Some(true) {
            self.failures -= 1;
        }
        self.failed.push_back(failed);
        self.failures += usize::from(failed);
    }

    /// Calls looked back on.
    pub fn calls(&self) -> usize {
        self.failed.len()
    }

    /// Those that failed.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Whether more than that share failed, of enough calls to say so.
    pub fn exceeds(&self, max_error_rate: f64) -> bool {
        self.calls() >= LEAST_CALLS && self.failures as f64 > max_error_rate * self.calls() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::StepFailure;

    #[test]
    fn the_share_is_kept_and_a_line_stays_where_it_is() {
        let roots: Vec<String> = (0..10_000).map(|number| format!("run-{number}")).collect();
        for (share, least, most) in [(0.05, 400, 600), (0.5, 4_800, 5_200), (1.0, 10_000, 10_000)] {
            let taking: Vec<bool> = roots.iter().map(|root| takes_part(share, root, "sha256:a")).collect();
            let count = taking.iter().filter(|taking| **taking).count();
            assert!((least..=most).contains(&count), "{count} of 10000 at {share}");
            assert_eq!(taking, roots.iter().map(|root| takes_part(share, root, "sha256:a")).collect::<Vec<_>>());
        }
        let differs = roots.iter().filter(|root| takes_part(0.5, root, "sha256:a") != takes_part(0.5, root, "sha256:b")).count();
        assert!(differs > 4_000, "two canaries meet the same runs");
    }

    #[test]
    fn too_few_calls_say_nothing_and_old_ones_are_forgotten() {
        let mut window = Window::default();
        (0..LEAST_CALLS - 1).for_each(|_| window.note(true));
        assert!(!window.exceeds(0.0));
        window.note(true);
        assert!(window.exceeds(0.99));
        (0..WINDOW - 4).for_each(|_| window.note(false));
        assert_eq!((window.calls(), window.failures()), (WINDOW, 4));
        assert!(!window.exceeds(0.02), "exactly the bound is not beyond it");
        assert!(window.exceeds(0.019));
    }

    #[test]
    fn only_what_is_the_components_doing_counts() {
        let of = |kind, ended| failed(&Outcome::Failed(StepFailure::new(kind, "")), ended);
        assert_eq!(failed(&Outcome::Succeeded, true), Some(false));
        assert_eq!((of(FailureKind::Retry, false), of(FailureKind::Retry, true)), (None, Some(true)));
        assert_eq!(of(FailureKind::Trap, false), Some(true));
        for kind in
            [FailureKind::Busy, FailureKind::RateLimited, FailureKind::Conflict, FailureKind::Unauthorized, FailureKind::Interrupted]
        {
            assert_eq!(of(kind, true), None, "{kind:?}");
        }
    }
}
