//! Firings as a table, and against a calendar that looks at every minute.

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Calendar, CalendarError, Ending, Firings, Pace, Policy};
use crate::config::{Missed, Retry};
use crate::run::{FailureKind, StepFailure};
use crate::store::SourceState;

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn calendar(line: &str, zone: &str) -> Calendar {
    Calendar::parse(line, zone).expect(line)
}

/// The next firings after a time, on the clocks of the zone.
fn fires(line: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let calendar = calendar(line, zone);
    let upcoming = calendar.upcoming(at(after), count);
    upcoming.into_iter().map(|at| calendar.local(at).strftime("%m-%d %H:%M %:z").to_string()).collect()
}

#[test]
fn a_time_that_does_not_exist_fires_once_at_the_first_moment_after_the_gap() {
    for (zone, line, after, expected) in [
        // Clocks go from 02:00 to 03:00.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00Z", ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"]),
        ("America/New_York", "15 2 * * *", "2026-03-07T00:00:00Z", ["03-07 02:15 -05:00", "03-08 03:00 -04:00", "03-09 02:15 -04:00"]),
        // Half an hour only: from 02:00 to 02:30.
        ("Australia/Lord_Howe", "10 2 * * *", "2026-10-03T00:00:00Z", ["10-04 02:30 +11:00", "10-05 02:10 +11:00", "10-06 02:10 +11:00"]),
        // No daylight saving.
        ("Asia/Kolkata", "30 2 * * *", "2026-03-28T00:00:00Z", ["03-29 02:30 +05:30", "03-30 02:30 +05:30", "03-31 02:30 +05:30"]),
    ] {
        assert_eq!(fires(line, zone, after, 3), expected, "{zone} {line}");
    }
}

#[test]
fn a_time_that_exists_twice_fires_once_at_the_first_of_the_two() {
    for (zone, line, after, expected) in [
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", ["10-25 02:30 +02:00", "10-26 02:30 +01:00"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", ["11-01 01:30 -04:00", "11-02 01:30 -05:00"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z", ["04-05 01:45 +11:00", "04-06 01:45 +10:30"]),
    ] {
        assert_eq!(fires(line, zone, after, 2), expected, "{zone} {line}");
    }
}

#[test]
fn a_line_that_repeats_within_the_day_fires_with_the_clock_on_the_wall() {
    // No 02:xx on the last Sunday of March; two of them on the last Sunday of October.
    let spring = fires("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3);
    assert_eq!(spring, ["03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00"]);
    let autumn = fires("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4);
    assert_eq!(autumn, ["10-25 02:00 +02:00", "10-25 02:00 +01:00", "10-25 03:00 +01:00", "10-25 04:00 +01:00"]);
    let half = fires("0,30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:15:00Z", 4);
    assert_eq!(half, ["04-05 01:30 +11:00", "04-05 01:30 +10:30", "04-05 02:00 +10:30", "04-05 02:30 +10:30"]);
}

#[test]
fn what_makes_no_calendar_is_refused_with_the_reason() {
    for line in ["", "every day", "61 * * * *", "* * * *", "* * * * * * * *", "0 25 * * *"] {
        assert!(matches!(Calendar::parse(line, "UTC"), Err(CalendarError::Line(..))), "{line}");
    }
    let zone = Calendar::parse("0 9 * * *", "Europe/Berlinn").expect_err("no such zone").to_string();
    assert!(zone.contains("Europe/Berlinn") && zone.contains("IANA"), "{zone}");
    assert_eq!(calendar("0 0 30 2 *", "UTC").next(at("2026-01-01T00:00:00Z")), None);
    assert_eq!(fires("0 9 * * MON-FRI", "UTC", "2026-01-02T10:00:00Z", 1), ["01-05 09:00 +00:00"]);
    assert_eq!(fires("0 0 L * *", "UTC", "2026-02-01T00:00:00Z", 1), ["02-28 00:00 +00:00"]);
}

#[test]
fn zones_are_known_without_the_machine_having_any() {
    let own = TimeZoneDatabase::bundled();
    for zone in ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"] {
        assert!(own.get(zone).is_ok(), "{zone}");
    }
}

fn policy(missed: Missed) -> Policy {
    Policy { missed, missed_after: Duration::from_secs(60), missed_most: 3, jitter: Duration::ZERO }
}

fn looked(policy: &Policy, cursor: &str, now: &str) -> (Vec<(String, bool)>, Firings) {
    let firings = calendar("0 * * * *", "UTC").firings(policy, "s", at(cursor), at(now));
    (firings.now.iter().map(|firing| (firing.at.strftime("%H:%M").to_string(), firing.missed)).collect(), firings)
}

#[test]
fn what_was_missed_is_made_up_for_as_the_policy_says() {
    let (cursor, now) = ("2026-01-01T00:30:00Z", "2026-01-01T07:00:20Z");
    let of = |missed| looked(&policy(missed), cursor, now).0;
    assert_eq!(of(Missed::Skip), [("07:00".to_owned(), false)]);
    assert_eq!(of(Missed::Once), [("06:00".to_owned(), true), ("07:00".to_owned(), false)]);
    let all = [("04:00", true), ("05:00", true), ("06:00", true), ("07:00", false)].map(|(at, missed)| (at.to_owned(), missed));
    assert_eq!(of(Missed::All), all);
    // Nothing is decided twice.
    let (_, firings) = looked(&policy(Missed::All), cursor, now);
    assert_eq!(firings.next, Some(at("2026-01-01T08:00:00Z")));
    let again = calendar("0 * * * *", "UTC").firings(&policy(Missed::All), "s", firings.cursor, at(now));
    assert_eq!(again.now, []);
}

#[test]
fn a_host_that_was_gone_for_years_looks_at_the_end_alone() {
    let started = std::time::Instant::now();
    let firings =
        calendar("* * * * * *", "Europe/Berlin").firings(&policy(Missed::All), "s", at("2001-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_eq!(firings.now.iter().filter(|firing| firing.missed).count(), 3);
    assert!(firings.now.len() > 50, "{}", firings.now.len());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn jitter_moves_a_firing_and_loses_none() {
    let policy = Policy { jitter: Duration::from_secs(600), ..policy(Missed::Skip) };
    let calendar = calendar("*/5 * * * *", "UTC");
    let mut cursor = at("2026-01-01T00:00:00Z");
    let (mut now, mut fired, mut late) = (cursor, Vec::new(), 0);
    while fired.len() < 40 {
        let firings = calendar.firings(&policy, "one", cursor, now);
        fired.extend(firings.now.iter().map(|firing| firing.at));
        late += firings.now.iter().filter(|firing| now.duration_since(firing.at) > SignedDuration::from_secs(1)).count();
        cursor = firings.cursor;
        now = firings.next.expect("it goes on");
    }
    let every: Vec<Timestamp> = calendar.upcoming(at("2026-01-01T00:00:00Z"), fired.len());
    assert_eq!(fired, every);
    assert!(late > 20, "only {late} of 40 were moved");
    let other = calendar.firings(&policy, "two", at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    let one = calendar.firings(&policy, "one", at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_ne!(one.next, other.next, "sources with the same line are spread");
}

/// Fields of a cron line, each any or a few values.
#[derive(Debug, Clone)]
struct Line {
    minutes: Vec<i8>,
    hours: Option<Vec<i8>>,
    weekdays: Option<Vec<i8>>,
}

impl Line {
    fn text(&self) -> String {
        let list = |values: &Vec<i8>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let field = |values: &Option<Vec<i8>>| values.as_ref().map_or_else(|| "*".to_owned(), list);
        format!("{} {} * * {}", list(&self.minutes), field(&self.hours), field(&self.weekdays))
    }

    fn is_fixed(&self) -> bool {
        self.minutes.len() == 1 && self.hours.as_ref().is_some_and(|hours| hours.len() == 1)
    }

    fn means(&self, time: jiff::civil::DateTime) -> bool {
        let among = |values: &Option<Vec<i8>>, value: i8| values.as_ref().is_none_or(|values| values.contains(&value));
        let weekday = time.weekday().to_sunday_zero_offset();
        time.second() == 0 && self.minutes.contains(&time.minute()) && among(&self.hours, time.hour()) && among(&self.weekdays, weekday)
    }

    /// Every moment of a stretch, found by looking at each minute.
    fn moments(&self, zone: &TimeZone, from: Timestamp, minutes: i64) -> Vec<Timestamp> {
        let mut found: Vec<Timestamp> = Vec::new();
        for minute in 1..=minutes {
            let instant = from + SignedDuration::from_mins(minute);
            let local = instant.to_zoned(zone.clone());
            let before = (instant - SignedDuration::from_mins(1)).to_zoned(zone.clone());
            let shift = local.offset().seconds() - before.offset().seconds();
            let mut meant = self.means(local.datetime());
            if self.is_fixed() {
                // The second of two hours of the same name.
                meant &= zone.to_ambiguous_timestamp(local.datetime()).earlier().is_ok_and(|earlier| earlier == instant);
                // What the gap swallowed.
                meant |= shift > 0
                    && (1..=shift / 60).any(|back| {
                        let gone = local.datetime() - SignedDuration::from_mins(i64::from(back));
                        self.means(gone)
                    });
            }
            if meant {
                found.push(instant);
            }
        }
        found
    }
}

fn lines() -> impl Strategy<Value = Line> {
    let some = |most: i8, count| proptest::collection::btree_set(0..most, 1..count).prop_map(|set| set.into_iter().collect::<Vec<i8>>());
    let fields = (some(60, 3), proptest::option::of(some(24, 4)), proptest::option::of(some(7, 4)));
    fields.prop_map(|(minutes, hours, weekdays)| Line { minutes, hours, weekdays })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Around each change of the clocks of a year, and at a time of the proptest's own.
    #[test]
    fn firings_are_the_moments_that_the_line_means(
        line in lines(),
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
        from in prop::sample::select(vec![
            "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-03-07T18:00:00Z", "2026-10-31T18:00:00Z",
            "2026-04-04T02:00:00Z", "2026-10-03T02:00:00Z", "2027-12-31T06:00:00Z",
        ]),
        step in 0_i64..90,
    ) {
        let calendar = calendar(&line.text(), zone);
        let zone = TimeZone::get(zone).expect("a zone");
        let start = at(from) + SignedDuration::from_mins(step);
        let expected = line.moments(&zone, start, 36 * 60);
        let end = start + SignedDuration::from_hours(36);
        let mut found = Vec::new();
        let mut after = start;
        while let Some(next) = calendar.next(after).filter(|next| *next <= end) {
            prop_assert!(next > after, "{next} is not after {after}");
            found.push(next);
            after = next;
        }
        prop_assert_eq!(found, expected, "{} in {:?}", line.text(), zone.iana_name());
    }

    /// However the time between looks is cut, nothing fires twice, nothing is left out, and nothing fires before its time.
    #[test]
    fn looks_at_any_times_lose_and_repeat_nothing(line in lines(), cuts in proptest::collection::vec(1_i64..50_000, 1..40), jitter in 0_u64..900) {
        let calendar = calendar(&line.text(), "Europe/Berlin");
        let policy = Policy { missed: Missed::All, missed_after: Duration::from_secs(30), missed_most: 10_000, jitter: Duration::from_secs(jitter) };
        let start = at("2026-10-23T00:00:00Z");
        let (mut cursor, mut now, mut fired) = (start, start, Vec::new());
        for cut in cuts {
            now += SignedDuration::from_secs(cut);
            let firings = calendar.firings(&policy, "s", cursor, now);
            prop_assert!(firings.now.iter().all(|firing| firing.at <= now));
            fired.extend(firings.now.iter().map(|firing| firing.at));
            cursor = firings.cursor;
        }
        let all: Vec<Timestamp> = std::iter::successors(calendar.next(start), |last| calendar.next(*last)).take_while(|at| *at <= now).collect();
        // Those whose jitter is not over come later.
        prop_assert!(all.starts_with(&fired), "{fired:?} of {all:?}");
        let left = all.len() - fired.len();
        let recent = all.iter().filter(|at| now.duration_since(**at) <= SignedDuration::from_secs(900)).count();
        prop_assert!(left <= recent, "{left} were left out");
    }
}

#[test]
fn what_follows_a_turn() {
    let retry = Retry { max_attempts: 1, initial: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(60), jitter: 0.0 };
    let pace = Pace { every: Duration::from_secs(300), meanwhile: Duration::ZERO, retry };
    let now = at("2026-01-01T00:00:00Z");
    let follows = |ending: &Ending, failures, refused| {
        let follows = pace.follows(ending, failures, refused, now, 0.5);
        (follows.state, follows.due_at.map(|due| due.duration_since(now).as_millis()), follows.failures)
    };
    let failed = |kind, after: Option<u64>, renewed| {
        let failure = StepFailure { after: after.map(Duration::from_secs), ..StepFailure::new(kind, "why") };
        Ending::Failed { failure, renewed }
    };
    use SourceState::{Active, Done, Stopped, Waiting};
    let table = [
        (Ending::Page { more: false, end: false }, 3, false, (Active, Some(300_000), 0)),
        (Ending::Page { more: true, end: false }, 3, false, (Active, Some(0), 0)),
        (Ending::Page { more: false, end: true }, 0, false, (Done, None, 0)),
        (Ending::Held { reason: "full".into(), after: Duration::from_secs(10) }, 2, false, (Active, Some(10_000), 2)),
        (failed(FailureKind::Retry, None, false), 0, false, (Active, Some(5_000), 1)),
        (failed(FailureKind::Trap, None, false), 2, false, (Active, Some(20_000), 3)),
        (failed(FailureKind::Timeout, None, false), 90, false, (Active, Some(60_000), 91)),
        (failed(FailureKind::Retry, Some(120), false), 0, false, (Active, Some(120_000), 1)),
        (failed(FailureKind::RateLimited, Some(30), false), 0, false, (Active, Some(30_000), 1)),
        (failed(FailureKind::Unauthorized, None, true), 0, false, (Active, Some(0), 1)),
        (failed(FailureKind::Unauthorized, None, true), 1, true, (Waiting, None, 2)),
        (failed(FailureKind::Unauthorized, None, false), 0, false, (Waiting, None, 1)),
        (failed(FailureKind::Rejected, None, false), 0, false, (Stopped, None, 1)),
        (failed(FailureKind::Busy, None, false), 0, false, (Active, Some(50), 1)),
    ];
    for (ending, failures, refused, expected) in table {
        assert_eq!(follows(&ending, failures, refused), expected, "{ending:?} after {failures}");
    }
}
