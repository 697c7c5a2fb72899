//! Polling: change data capture (`/cdc`), and queries where it does not reach.
//!
//! Change data capture tells deleted records too, but only of the last 30 days and at most 1,000 records at once. The first sweep, one that has slept for longer, and one that finds a
//! thousand changes go through a query in the order of the last change instead. Either way a page begins at the moment of the last record of the page before: a position in a
//! list that changes meanwhile would skip records.

use sangam_sdk::prelude::*;

use super::{Beginning, Entity, look, moment, version};
use crate::{
    client::{json, quote, select_of, taken, url_of},
    config::Config,
    fault::ok,
};

/// Records in a page of a query.
const PAGE: u32 = 500;
/// Records that change data capture gives at most.
const MAX_CAPTURED: usize = 1000;
/// Days that change data capture reaches back, less one for clocks and time zones.
const CAPTURED_DAYS: i64 = 29;

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Where the stream once began.
    beginning: Option<String>,
    /// Where this sweep began.
    floor: Option<String>,
    /// Changes from that moment on.
    since: Option<String>,
    /// Live records of that very moment that were taken.
    taken: u32,
    /// Whether it has no others: change data capture gives a moment whole, a query may end within it.
    #[serde(default)]
    whole: bool,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
}

/// A page of records, in the order of their changes, and whether there are more.
struct Found {
    records: Vec<Value>,
    more: bool,
    /// Whether the moment of the last record is whole.
    whole: bool,
}

pub fn poll(entity: &Entity, poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let since = || cx.since.clone();
    let begin = || Cursor { beginning: since(), floor: since(), since: since(), first: true, ..Cursor::default() };
    let mut cursor = poll.cursor.unwrap_or_else(begin);
    let limit = poll.limit.clamp(1, PAGE);
    let captures = !cursor.first && cursor.since.as_deref().is_some_and(|since| !moment::older_than_days(since, CAPTURED_DAYS));
    let found = if captures { capture(entity, &cursor, limit, &cx.config)? } else { query(entity, &cursor, limit, &cx.config)? };

    let mut page = Page { more: found.more, ..Page::default() };
    if found.whole && !cursor.whole {
        // Capture gives the moment anew, from its first record.
        cursor.taken = 0;
    }
    cursor.whole = found.whole;
    for record in found.records {
        let live = record["status"] != "Deleted";
        let looked = version(&record).and_then(|(_, changed)| {
            if moment::after(&changed, cursor.since.as_deref()) {
                (cursor.since, cursor.taken) = (Some(moment::utc(&changed)), live.into());
            } else {
                // A query does not count the deleted ones.
                cursor.taken += u32::from(live);
            }
            look(entity, &record, &cx.config, Beginning { since: cursor.beginning.as_deref(), all: cursor.first })
        });
        match looked {
            Ok(event) => page.events.extend(event),
            Err(failure) if failure.kind == FailureKind::Rejected => page.set_aside.push(SetAside { record, reason: failure.reason }),
            Err(failure) => return Err(failure),
        }
    }
    if !page.more {
        if let Some(newest) = cursor.since.take() {
            let edge = moment::before(&newest, cx.config.overlap_seconds);
            cursor.since = cursor.floor.take().filter(|floor| moment::later(floor, &edge)).or(Some(edge));
            cursor.floor.clone_from(&cursor.since);
        }
        (cursor.taken, cursor.whole) = (0, false);
        cursor.first = false;
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}

fn query(entity: &Entity, cursor: &Cursor, limit: u32, config: &Config) -> Result<Found, Failure> {
    let since = cursor.since.as_ref().map(|since| format!("WHERE MetaData.LastUpdatedTime >= {} ", quote(&moment::utc(since))));
    let start = cursor.taken + 1;
    let rest = format!("{}ORDERBY MetaData.LastUpdatedTime STARTPOSITION {start} MAXRESULTS {limit}", since.unwrap_or_default());
    let records: Vec<Value> = select_of(config, entity.name, &rest)?;
    Ok(Found { more: records.len() >= limit as usize, records, whole: false })
}

fn capture(entity: &Entity, cursor: &Cursor, limit: u32, config: &Config) -> Result<Found, Failure> {
    let since = cursor.since.as_deref().unwrap_or_default();
    let request = json(Request::get(url_of(config, "cdc"))).query("entities", entity.name).query("changedSince", moment::utc(since));
    let mut answer: Value = request.send().and_then(ok)?.json()?;
    let found = taken(&mut answer, &format!("/CDCResponse/0/QueryResponse/0/{}", entity.name));
    let mut records = match found {
        Value::Array(records) => records,
        Value::Null if answer["CDCResponse"].is_array() => Vec::new(),
        _ => {
            return Err(Failure::rejected(format!("QuickBooks answered the changes of {} in another shape than CDCResponse", entity.name)));
        }
    };
    let time = |record: &Value| record["MetaData"]["LastUpdatedTime"].as_str().unwrap_or_default().to_owned();
    if records.len() >= MAX_CAPTURED {
        // Which thousand is not said. The deleted ones are in no query; those behind its page come with a later one, or the cursor would pass what is between.
        let mut found = query(entity, cursor, limit, config)?;
        let end = found.records.last().filter(|_| found.more).map(time);
        let passed = |record: &Value| end.as_deref().is_none_or(|end| !moment::after(&time(record), Some(end)));
        found.records.extend(records.into_iter().filter(|record| record["status"] == "Deleted" && passed(record)));
        return Ok(found);
    }
    if cursor.whole {
        records.retain(|record| moment::after(&time(record), Some(since)));
    }
    records.sort_by(|one, other| moment::order(&time(one), &time(other)));
    let mut end = records.len().min(limit as usize);
    // A moment is taken whole, so that the next page can begin after it.
    while end > 0 && end < records.len() && moment::order(&time(&records[end]), &time(&records[end - 1])).is_eq() {
        end += 1;
    }
    let more = end < records.len();
    records.truncate(end);
    Ok(Found { records, more, whole: true })
}
