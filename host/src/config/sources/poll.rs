//! A source of `type = "poll"`.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::shape::Shaped;
use super::stream;
use crate::config::model::{Poll, Retry};
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::steps;
use crate::config::units::MAX_DURATION;

/// Events of a page unless the file says otherwise.
const LIMIT: u32 = 100;
/// Most events of a page: all are written in one transaction.
const MOST_LIMIT: u32 = 10_000;
/// Pauses after failures unless the file says otherwise.
const RETRY: Retry = Retry { max_attempts: 1, initial: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(600), jitter: 0.2 };
/// Pause between two pages of a backfill unless the file says otherwise: what is new goes first.
const BACKFILL_EVERY: Duration = Duration::from_secs(1);
/// Records set aside unless the file says otherwise.
const SET_ASIDE_MOST: u32 = 10_000;
const MOST_SET_ASIDE: u32 = 1_000_000;

/// Reads what only polled sources have.
pub(super) fn poll(r: &mut Reader<'_>, section: &mut Section<'_>, plugins: &BTreeSet<String>, shape: &Shaped) -> Option<Poll> {
    let stream = stream(r, section, plugins);
    let every = section.required(r, "every", "\"5m\"").and_then(|item| item.duration(r, Duration::from_secs(1)..=MAX_DURATION));
    let since = section.get("since").map(|item| item.parsed(r, moment));
    let limit = section.get("limit").and_then(|item| item.count(r, 1..=MOST_LIMIT));
    let retry = section.get("retry").and_then(|item| steps::pauses(r, &item, RETRY));
    let backfill_every = section.get("backfill-every").and_then(|item| item.duration(r, Duration::ZERO..=MAX_DURATION));
    let set_aside_most = section.get("set-aside-most").and_then(|item| item.count(r, 1..=MOST_SET_ASIDE));
    shape.refuse(r, "the plugin says what the events are");
    Some(Poll {
        stream: stream?,
        every: every?,
        since: since.map_or(Some(None), |since| since.map(Some))?,
        limit: limit.unwrap_or(LIMIT),
        retry: retry.unwrap_or(RETRY),
        backfill_every: backfill_every.unwrap_or(BACKFILL_EVERY),
        set_aside_most: set_aside_most.unwrap_or(SET_ASIDE_MOST),
    })
}

/// A day, from its beginning in UTC, or a time.
pub(in crate::config) fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok().filter(|_| text.len() == 10)?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let wrong = || format!("{text:?} is neither a day such as \"2026-01-01\" nor a time such as \"2026-01-01T08:00:00Z\"");
    day().or_else(|| text.parse().ok()).ok_or_else(wrong)
}
