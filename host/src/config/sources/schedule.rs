//! A source of `type = "schedule"`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::shape::Shaped;
use crate::config::model::{Missed, Schedule};
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::source::{Calendar, CalendarError, Policy};

/// How late a firing must be to count as missed, unless the file says otherwise: longer than a restart or another host's taking over.
const MISSED_AFTER: Duration = Duration::from_secs(60);
/// Missed firings that are made up for, unless the file says otherwise.
const MISSED_MOST: u32 = 100;
/// All of them come in with one transaction.
const MOST_MISSED: u32 = 1000;
/// Longest jitter, and longest time until a firing counts as missed: every moment within them is looked at with each turn.
const HOUR: Duration = Duration::from_secs(3600);

/// Reads what only schedules have.
pub(super) fn schedule(r: &mut Reader<'_>, section: &mut Section<'_>, shape: &Shaped) -> Option<Schedule> {
    let cron = section.required(r, "cron", "\"0 9 * * MON\"").and_then(|item| item.text(r));
    let zone = section.get("time-zone").map(|item| item.text(r));
    let choices = [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)];
    let missed = section.get("missed").and_then(|item| item.choice(r, &choices));
    let missed_after = section.get("missed-after").and_then(|item| item.duration(r, Duration::from_secs(1)..=HOUR));
    let missed_most = section.get("missed-most").and_then(|item| item.count(r, 1..=MOST_MISSED));
    let jitter = section.get("jitter").and_then(|item| item.duration(r, Duration::ZERO..=HOUR));
    shape.require_type(r, section, "");
    let cron = cron?;
    let (zone_name, zone_span) = match zone {
        None => ("UTC", cron.span.clone()),
        Some(zone) => zone.map(|zone| (zone.value, zone.span))?,
    };
    let calendar = match Calendar::parse(cron.value, zone_name) {
        Ok(calendar) => calendar,
        Err(error @ CalendarError::Zone(_)) => {
            r.error(&zone_span, error.to_string());
            return None;
        }
        Err(error) => {
            r.error(&cron.span, error.to_string())
                .help("minute, hour, day of the month, month, day of the week, such as \"30 7 * * MON-FRI\"; a sixth field before them is the second");
            return None;
        }
    };
    // Whether a day exists does not depend on when it is asked.
    if calendar.next(Timestamp::UNIX_EPOCH).is_none() {
        r.error(&cron.span, CalendarError::Never(cron.value.to_owned()).to_string());
        return None;
    }
    Some(Schedule {
        calendar: Arc::new(calendar),
        policy: Policy {
            missed: missed.unwrap_or(Missed::Skip),
            missed_after: missed_after.unwrap_or(MISSED_AFTER),
            missed_most: missed_most.unwrap_or(MISSED_MOST),
            jitter: jitter.unwrap_or(Duration::ZERO),
        },
    })
}
