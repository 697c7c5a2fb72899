//! Polling: sweeps over what changed, in the order of its change.
//!
//! Records are read by (`SystemModstamp`, `Id`), so that each page goes on exactly where the last one ended, also in the middle of records of one moment. A
//! record gets its stamp when it is written, but is to be seen only once its transaction is over; so a sweep begins somewhat before the end of the last one.
//! What it sees twice is no news. Deleted records are among the others: `queryAll` shows them as long as they are in the recycle bin.

use sangam_sdk::prelude::*;

use super::{Beginning, Object, PAGE, look, stamp, version};
use crate::{
    client::{Found, find, quoted},
    config::Config,
};

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Where the stream once began.
    beginning: Option<String>,
    /// Where this sweep began.
    floor: Option<String>,
    /// Changes from that moment on.
    since: Option<String>,
    /// Of that very moment only records with a greater id.
    after: Option<String>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
}

pub fn poll(object: &Object, poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let begin = || {
        let since = cx.since.as_deref().map(stamp::utc);
        Cursor { beginning: since.clone(), floor: since.clone(), since, after: None, first: true }
    };
    let mut cursor = poll.cursor.unwrap_or_else(begin);
    let limit = poll.limit.clamp(1, PAGE);
    let soql = soql(object, &cursor, limit, &cx.config);
    let Found { records, .. } = find(&cx.config, "queryAll", &soql)?;

    let mut page = Page { more: records.len() >= limit as usize, ..Page::default() };
    let mut newest = None;
    for record in records {
        let read = version(&record).and_then(|version| {
            newest = Some(version);
            look(object, &record, cx, Beginning { since: cursor.beginning.as_deref(), all: cursor.first })
        });
        match read {
            Ok(event) => page.events.extend(event),
            Err(failure) if failure.kind == FailureKind::Rejected => page.set_aside.push(SetAside { record, reason: failure.reason }),
            Err(failure) => return Err(failure),
        }
    }
    if page.more {
        let Some((id, changed)) = newest else {
            return Err(Failure::rejected("A whole page of records has neither Id nor SystemModstamp"));
        };
        (cursor.since, cursor.after) = (Some(changed), Some(id));
    } else if let Some(end) = newest.map(|(_, changed)| changed).or(cursor.since.take()) {
        // A sweep of whole pages ends on an empty one, where the page before it ended: it looks back no less.
        let edge = stamp::before(&end, cx.config.overlap_seconds);
        // Not before this sweep's own beginning, which is what was asked for.
        cursor.since = cursor.floor.take().filter(|floor| *floor > edge).or(Some(edge));
        cursor.floor.clone_from(&cursor.since);
        cursor.after = None;
    }
    cursor.first &= page.more;
    page.next_cursor = Some(cursor);
    Ok(page)
}

fn soql(object: &Object, cursor: &Cursor, limit: u32, config: &Config) -> String {
    let mut soql = format!("SELECT {} FROM {}", (object.select)(config), object.name);
    match (&cursor.since, &cursor.after) {
        (Some(since), Some(after)) => {
            soql.push_str(&format!(" WHERE SystemModstamp > {since} OR (SystemModstamp = {since} AND Id > {})", quoted(after)));
        }
        (Some(since), None) => soql.push_str(&format!(" WHERE SystemModstamp >= {since}")),
        (None, _) => {}
    }
    soql + &format!(" ORDER BY SystemModstamp ASC, Id ASC LIMIT {limit}")
}
