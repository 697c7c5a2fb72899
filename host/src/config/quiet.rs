//! `quiet` of a step: when it does not begin.

use std::sync::Arc;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::item::Item;
use super::reader::Reader;
use crate::run::{Holiday, MOST_HOLIDAYS, Quiet};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Reads `quiet`.
pub(super) fn quiet(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<Quiet>> {
    let before = r.problems.len();
    let mut section = item.table(r, "`quiet`")?;
    let (from, to) = (section.get("from"), section.get("to"));
    let hours = match (&from, &to) {
        (Some(from), Some(to)) => {
            let hours = from.parsed(r, time).zip(to.parsed(r, time));
            if hours.is_some_and(|(from, to)| from == to) {
                r.error(&to.span, "`from` and `to` are the same time, which leaves open whether it is ever or never quiet");
            }
            hours
        }
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            r.error(&one.key, "`from` and `to` belong together").help("write both, such as from = \"20:00\", to = \"08:00\"");
            None
        }
    };
    let zone = section.required(r, "time-zone", "\"Europe/Berlin\"").and_then(|item| {
        item.parsed(r, |text| {
            TimeZone::get(text).map_err(|_| {
                format!("{text:?} is no time zone that this machine knows; write one such as \"Europe/Berlin\", and see that `tzdata` is installed")
            })
        })
    });
    let days_item = section.get("days");
    let days: Vec<Weekday> = match &days_item {
        Some(item) => item.items(r).unwrap_or_default().iter().filter_map(|item| item.choice(r, &DAYS)).collect(),
        None => Vec::new(),
    };
    if let Some(item) = days_item.as_ref().filter(|_| DAYS.iter().all(|(_, day)| days.contains(day))) {
        r.error(&item.span, "every day of the week is quiet, so that the step would never begin");
    }
    let holidays_item = section.get("holidays");
    let mut holidays = Vec::new();
    for item in holidays_item.as_ref().and_then(|item| item.items(r)).unwrap_or_default() {
        let text = match item.value {
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => item.text(r).map(|text| text.value.to_owned()),
        };
        match text.map(|text| holiday(&text)) {
            Some(Ok(holiday)) => holidays.push(holiday),
            Some(Err(why)) => r.error(&item.span, why).help = None,
            None => {}
        }
    }
    if let Some(item) = holidays_item.filter(|_| holidays.len() > MOST_HOLIDAYS) {
        r.error(&item.span, format!("at most {MOST_HOLIDAYS} `holidays`"));
    }
    section.finish(r);
    if hours.is_none() && days.is_empty() && holidays.is_empty() && r.problems.len() == before {
        r.error(&item.span, "nothing is quiet here")
            .help("write quiet = { from = \"20:00\", to = \"08:00\", time-zone = \"Europe/Berlin\" }");
    }
    let zone = zone?;
    (r.problems.len() == before).then(|| Arc::new(Quiet { hours, days, holidays, zone }))
}

fn time(text: &str) -> Result<Time, String> {
    let is_clock = text.len() == 5 && text.as_bytes()[2] == b':';
    text.parse().ok().filter(|_| is_clock).ok_or_else(|| format!("{text:?} is no time of day: write hours and minutes, such as \"08:00\""))
}

/// `2026-12-25`, or `12-25` of every year.
fn holiday(text: &str) -> Result<Holiday, String> {
    let wrong = || format!("{text:?} is no day: write \"2026-04-06\", or \"12-25\" for every year");
    match text.len() {
        10 => text.parse().map(Holiday::Once).map_err(|_| wrong()),
        // A leap year, so that the last of February may be meant.
        5 => format!("2028-{text}").parse().map(|date: Date| Holiday::Yearly(date.month(), date.day())).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}
