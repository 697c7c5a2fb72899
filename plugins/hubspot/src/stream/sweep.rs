//! Polling: HubSpot's search, in the order of the last change.
//!
//! A search sorts by one property and gives no more than 10,000 records, so each page asks anew for changes since the last record of the page before; only
//! within one moment it follows HubSpot's own paging. A search shows changes some seconds late and not in their order, so a sweep looks back a little; what it
//! sees twice is no news. Archived records are in no search: a webhook tells them.

use sangam_sdk::prelude::*;

use super::{Beginning, Object, moment};
use crate::{
    client::{get, objects_of},
    config::Config,
};

/// Records in a page of a search, at most.
const PAGE: u32 = 200;

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Where the stream once began.
    beginning: Option<String>,
    /// Where this sweep began.
    floor: Option<String>,
    /// Changes from that moment on.
    since: Option<String>,
    /// HubSpot's page within them.
    after: Option<String>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
}

pub fn poll(object: &Object, poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let begin = || Cursor { beginning: cx.since.clone(), floor: cx.since.clone(), since: cx.since.clone(), after: None, first: true };
    let mut cursor = poll.cursor.unwrap_or_else(begin);
    let limit = poll.limit.clamp(1, PAGE);
    let mut answer = get(search(object, &cursor, limit, cx))?;
    let records = match answer["results"].take() {
        Value::Array(records) => records,
        _ => return Err(Failure::rejected("HubSpot answered a search without results")),
    };

    let mut page = Page::default();
    let mut news = Vec::new();
    let mut newest: Option<String> = None;
    for record in records {
        let looked = object.version(&record).and_then(|(_, changed)| {
            newest = Some(changed);
            object.look(&record, &cx.config, Beginning { since: cursor.beginning.as_deref(), all: cursor.first })
        });
        match looked {
            Ok(what) => news.extend(what.map(|what| (record, what))),
            Err(failure) if failure.kind == FailureKind::Rejected => page.set_aside.push(SetAside { record, reason: failure.reason }),
            Err(failure) => return Err(failure),
        }
    }
    page.events = (object.events)(&cx.config, &news)?;

    let next = answer["paging"]["next"]["after"].as_str().map(str::to_owned);
    page.more = next.is_some();
    match (next, newest) {
        (Some(_), Some(newest)) if moment::after(&newest, cursor.since.as_deref()) => {
            (cursor.since, cursor.after) = (Some(newest), None);
        }
        (Some(next), _) => cursor.after = Some(next),
        (None, newest) => {
            cursor.after = None;
            // A sweep may end on an empty page, where the page before it ended: it looks back no less.
            if let Some(end) = newest.or(cursor.since.take()) {
                let edge = moment::before(&end, cx.config.overlap_seconds);
                cursor.since = cursor.floor.take().filter(|floor| moment::later(floor, &edge)).or(Some(edge));
                cursor.floor.clone_from(&cursor.since);
            }
            cursor.first = false;
        }
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}

fn search(object: &Object, cursor: &Cursor, limit: u32, cx: &SourceContext<Config>) -> Request {
    let mut search = json!({
        "sorts": [{ "propertyName": object.modified, "direction": "ASCENDING" }],
        "properties": object.properties(&cx.config),
        "limit": limit,
    });
    if let Some(since) = &cursor.since {
        let filter = json!({ "propertyName": object.modified, "operator": "GTE", "value": moment::milliseconds(since) });
        search["filterGroups"] = json!([{ "filters": [filter] }]);
    }
    if let Some(after) = &cursor.after {
        search["after"] = after.as_str().into();
    }
    cx.post(objects_of(&cx.config, &format!("{}/search", object.plural))).json(&search)
}
