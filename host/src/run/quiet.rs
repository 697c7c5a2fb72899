//! Quiet hours: times at which a step doesn't begin, since people would get what it sends. Pure: the time is an argument.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

/// Most `holidays`.
pub const MOST_HOLIDAYS: usize = 1_000;

/// `quiet` of a step. At least one day of the week is not quiet as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// `from` and `to`: quiet from the one until before the other, over midnight where `to` is the earlier; `None`: whole days alone.
    pub hours: Option<(Time, Time)>,
    /// `days`: quiet as a whole.
    pub days: Vec<Weekday>,
    /// `holidays`: quiet as a whole.
    pub holidays: Vec<Holiday>,
    /// `time-zone`, in whose days and hours this is meant.
    pub zone: TimeZone,
}

/// A day off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holiday {
    /// `2026-04-06`
    Once(Date),
    /// `12-25`: month and day of every year.
    Yearly(i8, i8),
}

impl Holiday {
    fn is(self, date: Date) -> bool {
        match self {
            Holiday::Once(once) => once == date,
            Holiday::Yearly(month, day) => (month, day) == (date.month(), date.day()),
        }
    }
}

impl Quiet {
    /// When it will no longer be quiet; `None`: it isn't.
    pub fn ends(&self, now: Timestamp) -> Option<Zoned> {
        let local = now.to_zoned(self.zone.clone());
        if !self.is_quiet(local.datetime()) {
            return None;
        }
        // It can only end where the hours do, or with a day.
        let starts = [Some(Time::midnight()), self.hours.map(|(_, to)| to)];
        let mut date = local.date();
        for _ in 0..MOST_HOLIDAYS + 366 + 8 {
            let mut ends: Vec<DateTime> = starts.into_iter().flatten().map(|time| date.to_datetime(time)).collect();
            ends.sort();
            for end in ends.into_iter().filter(|end| !self.is_quiet(*end)) {
                // Where clocks are put back a time comes twice: the second counts, which is never over while the first is to come.
                let end = self.zone.to_ambiguous_zoned(end).later().ok().filter(|end| end.timestamp() > now);
                if end.is_some() {
                    return end;
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    fn is_quiet(&self, at: DateTime) -> bool {
        let date = at.date();
        let hours = self.hours.is_some_and(|(from, to)| {
            let time = at.time();
            if from < to { from <= time && time < to } else { from <= time || time < to }
        });
        hours || self.days.contains(&date.weekday()) || self.holidays.iter().any(|holiday| holiday.is(date))
    }
}

#[cfg(test)]
mod tests {
    use super::{Holiday, Quiet};
    use jiff::Timestamp;
    use jiff::civil::{Weekday, date, time};
    use jiff::tz::TimeZone;

    fn office() -> Quiet {
        Quiet {
            hours: Some((time(20, 0, 0, 0), time(8, 0, 0, 0))),
            days: vec![Weekday::Saturday, Weekday::Sunday],
            holidays: vec![Holiday::Once(date(2026, 11, 30)), Holiday::Yearly(12, 25)],
            zone: TimeZone::get("Europe/Berlin").expect("the zone is known"),
        }
    }

    fn ends(quiet: &Quiet, now: &str) -> Option<String> {
        let now: Timestamp = now.parse().expect("a time");
        quiet.ends(now).map(|end| end.timestamp().to_string())
    }

    #[test]
    fn it_is_quiet_at_night_at_weekends_and_on_holidays_and_until_the_next_working_hour() {
        let office = office();
        for (now, end) in [
            ("2026-11-26T12:00:00Z", None),                             // Thursday, one o'clock
            ("2026-11-26T18:59:59Z", None),                             // a second before eight in the evening
            ("2026-11-26T19:00:00Z", Some("2026-11-27T07:00:00Z")),     // eight in the evening
            ("2026-11-27T06:59:59.999Z", Some("2026-11-27T07:00:00Z")), // still the night
            ("2026-11-27T07:00:00Z", None),                             // eight in the morning
            ("2026-11-27T19:30:00Z", Some("2026-12-01T07:00:00Z")),     // Friday evening; Monday is a day off
            ("2026-11-29T11:00:00Z", Some("2026-12-01T07:00:00Z")),     // Sunday
            ("2026-12-25T11:00:00Z", Some("2026-12-28T07:00:00Z")),     // Christmas, a Friday
            ("2031-12-25T11:00:00Z", Some("2031-12-26T07:00:00Z")),     // and in any other year
        ] {
            assert_eq!(ends(&office, now).as_deref(), end, "{now}");
        }
    }

    #[test]
    fn whole_days_end_at_midnight_where_nothing_else_is_quiet() {
        let weekend = Quiet { hours: None, holidays: Vec::new(), ..office() };
        assert_eq!(ends(&weekend, "2026-11-28T12:00:00Z").as_deref(), Some("2026-11-29T23:00:00Z"));
        let noon = Quiet { hours: Some((time(12, 0, 0, 0), time(13, 30, 0, 0))), days: Vec::new(), holidays: Vec::new(), ..office() };
        assert_eq!(ends(&noon, "2026-11-26T11:15:00Z").as_deref(), Some("2026-11-26T12:30:00Z"));
        assert_eq!(ends(&noon, "2026-11-26T12:30:00Z"), None);
    }

    #[test]
    fn clocks_that_are_put_forward_and_back_shorten_and_lengthen_the_night() {
        let night = Quiet { days: Vec::new(), holidays: Vec::new(), ..office() };
        assert_eq!(ends(&night, "2026-03-28T20:00:00Z").as_deref(), Some("2026-03-29T06:00:00Z"));
        assert_eq!(ends(&night, "2026-10-24T20:00:00Z").as_deref(), Some("2026-10-25T07:00:00Z"));
        // An end that the clock skips, and one that comes twice.
        let until = |hour, minute| Quiet { hours: Some((time(20, 0, 0, 0), time(hour, minute, 0, 0))), ..night.clone() };
        assert_eq!(ends(&until(2, 30), "2026-03-28T20:00:00Z").as_deref(), Some("2026-03-29T01:30:00Z"));
        assert_eq!(ends(&until(2, 30), "2026-10-25T00:20:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        assert_eq!(ends(&until(2, 30), "2026-10-25T01:20:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
    }
}
