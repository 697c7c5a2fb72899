//! A cron line in a time zone: which moments it means, and which of those fire when a host looks.
//!
//! What it means when clocks are put forward or back is that of Vixie cron. A line with one time of day (`30 2 * * *`) fires once a day: where that
//! time does not exist, at the first moment after the gap; where it exists twice, at the first of the two. A line that repeats within the day
//! (`*/15 * * * *`, `0 * * * *`) fires with the clock on the wall: not in a gap, and in both of two hours that have the same name.

use std::collections::VecDeque;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use sha2::{Digest as _, Sha256};

use crate::config::Missed;

/// The first stretch before the present in which firings that were missed are looked for; each further one is twice as long.
const FIRST_STRETCH: SignedDuration = SignedDuration::from_mins(1);

/// Why a line and a zone make no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The line can't be read.
    #[error("{0:?} is no cron line: {1}")]
    Line(String, String),
    /// Nobody knows the zone.
    #[error("nobody knows the time zone {0:?}; write the name that the IANA database has for it, such as \"Europe/Berlin\"")]
    Zone(String),
    /// It never fires.
    #[error("{0:?} never fires: there is no such day")]
    Never(String),
}

/// A cron line in a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    line: String,
    zone_name: String,
    cron: Cron,
    zone: TimeZone,
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Calendar) -> bool {
        (&self.line, &self.zone_name) == (&other.line, &other.zone_name)
    }
}

impl Eq for Calendar {}

/// What becomes of firings that were missed, and how firings are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of those that were missed.
    pub missed: Missed,
    /// How late one must be to count as missed.
    pub missed_after: Duration,
    /// At most so many of the missed are made up for: the last ones.
    pub missed_most: u32,
    /// Each fires up to so much later, always the same for the same one.
    pub jitter: Duration,
}

/// A moment that a calendar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The moment.
    pub at: Timestamp,
    /// It is made up for.
    pub missed: bool,
}

/// What a look at the calendar comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firings {
    /// Those that fire now, in order.
    pub now: Vec<Firing>,
    /// Up to here everything is decided.
    pub cursor: Timestamp,
    /// When to look again; `None`: never.
    pub next: Option<Timestamp>,
}

impl Calendar {
    /// Reads a line of five fields, six with seconds first, or seven with years last; `zone` is a name of the IANA database.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(line: &str, zone: &str) -> Result<Calendar, CalendarError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Optional).build();
        let cron = parser.parse(line).map_err(|error| CalendarError::Line(line.to_owned(), error.to_string()))?;
        let known = TimeZone::get(zone).map_err(|_| CalendarError::Zone(zone.to_owned()))?;
        Ok(Calendar { line: line.to_owned(), zone_name: zone.to_owned(), cron, zone: known })
    }

    /// The line, as it was written.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The zone's name.
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// A moment on the clocks of the zone.
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The first moment after that one; `None`: there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        // Firings are on whole seconds, and the search goes on from the next one.
        let whole = Timestamp::from_second(after.as_second()).ok().filter(|whole| *whole <= after);
        let whole = whole.or_else(|| Timestamp::from_second(after.as_second() - 1).ok())?;
        let mut from = self.local(whole);
        loop {
            let found = self.cron.find_next_occurrence(&from, false).ok()?;
            if found.timestamp() > after {
                return Some(found.timestamp());
            }
            // Where clocks were put back a search may find a moment that is over; it goes on behind it.
            let behind = from.timestamp().max(found.timestamp()).checked_add(SignedDuration::from_secs(1)).ok()?;
            from = self.local(behind);
        }
    }

    /// The next moments.
    pub fn upcoming(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(after), |last| self.next(*last)).take(count).collect()
    }

    /// What fires of the moments after `cursor`, now. `seed` tells sources apart that have the same line.
    pub fn firings(&self, policy: &Policy, seed: &str, cursor: Timestamp, now: Timestamp) -> Firings {
        let spread = |at: Timestamp| at.checked_add(jitter(seed, at, policy.jitter)).unwrap_or(Timestamp::MAX);
        // Whatever is meant before this was missed, however it is spread.
        let grace = signed(policy.missed_after).saturating_add(signed(policy.jitter));
        let horizon = now.checked_sub(grace).unwrap_or(Timestamp::MIN).max(cursor);
        let made_up = match policy.missed {
            Missed::Skip => 0,
            Missed::Once => 1,
            Missed::All => policy.missed_most as usize,
        };
        let missed = self.last(cursor, horizon, made_up);
        let mut fire: Vec<Firing> = missed.into_iter().map(|at| Firing { at, missed: true }).collect();
        let (mut decided, mut next) = (horizon, None);
        // What is meant after it is on time, though it may have waited for one before it that is spread further.
        while let Some(at) = self.next(decided) {
            let due = spread(at);
            if at > now || due > now {
                next = Some(due);
                break;
            }
            decided = at;
            fire.push(Firing { at, missed: false });
        }
        Firings { now: fire, cursor: decided, next }
    }

    /// The last moments, at most so many, after one time and up to another. Looks at the end first: a host may have been gone for years.
    fn last(&self, after: Timestamp, up_to: Timestamp, most: usize) -> VecDeque<Timestamp> {
        if most == 0 || up_to <= after {
            return VecDeque::new();
        }
        let mut stretch = FIRST_STRETCH;
        loop {
            let from = up_to.checked_sub(stretch).unwrap_or(Timestamp::MIN).max(after);
            let mut found = VecDeque::new();
            let mut at = from;
            while let Some(next) = self.next(at).filter(|next| *next <= up_to) {
                found.push_back(next);
                if found.len() > most {
                    found.pop_front();
                }
                at = next;
            }
            if found.len() >= most || from <= after {
                return found;
            }
            stretch = stretch.saturating_mul(2);
        }
    }
}

/// How much later a moment fires: a part of the jitter that is its own.
fn jitter(seed: &str, at: Timestamp, most: Duration) -> SignedDuration {
    if most.is_zero() {
        return SignedDuration::ZERO;
    }
    let digest = Sha256::digest(format!("{seed}\n{}", at.as_millisecond()).as_bytes());
    let number = u64::from_be_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes"));
    let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    SignedDuration::from_millis(i64::try_from(number % millis.max(1)).unwrap_or(0))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
