//! What keeps a credential from asking its vendor again: pure.

use std::time::Duration;

use jiff::Timestamp;

use super::error::{CredentialError, Remedy};
use super::sources::Fingerprint;

/// Pause after the first failure; each further one doubles it …
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The last answer of the vendor was no token.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// Failures in a row.
    pub(super) failures: u32,
    /// What the credential was made of.
    pub(super) source: Fingerprint,
    /// The version of its stored token.
    pub(super) version: i64,
    pub(super) error: CredentialError,
}

impl Trouble {
    /// Whether the vendor would be asked in vain, or too soon: the same credential with the same stored token.
    pub(super) fn holds(&self, source: &Fingerprint, version: i64, now: Timestamp) -> bool {
        self.source == *source
            && self.version == version
            && match self.error.remedy() {
                Remedy::At(end) => now < end,
                Remedy::Change => true,
                Remedy::Later => false,
            }
    }
}

/// Pause after this many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16); // far beyond the longest pause, and no overflow
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let seconds = [1, 2, 3, 6, 7, 8, u32::MAX].map(|failures| pause(failures).as_secs());
        assert_eq!(seconds, [5, 10, 20, 160, 300, 300, 300]);
    }

    #[test]
    fn trouble_ends_with_its_time_or_with_what_it_was_about() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let busy = CredentialError::Busy { credential: "crm".into() };
        let exposed = CredentialError::TokenUrl { credential: "crm".into() };
        let trouble = |error| Trouble { failures: 1, source: [1; 32], version: 4, error };
        assert!(trouble(exposed.clone()).holds(&[1; 32], 4, at(1_000_000)), "broken until something changes");
        assert!(!trouble(exposed.clone()).holds(&[2; 32], 4, at(0)), "made of something else");
        assert!(!trouble(exposed).holds(&[1; 32], 5, at(0)), "another host got a token");
        assert!(!trouble(busy).holds(&[1; 32], 4, at(0)));
    }
}
