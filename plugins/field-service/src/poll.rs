//! Stream `jobs`: sweeps over the jobs changed since a moment, in pages of the system's own.
//!
//! A page with more news than are wanted is read again for the rest; what was told already is no news then, since every look at a job is remembered.

use chrono::DateTime;
use sangam_sdk::{
    path::{at, text_at},
    prelude::*,
};

use crate::{client::get, config::Config, look::look};

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes from that moment on.
    since: Option<String>,
    /// The system's cursor of the page to read; the first page without one.
    page: Option<String>,
    /// The newest change of this sweep so far: the next one begins there.
    newest: Option<String>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
    /// Whether this page was begun before.
    begun: bool,
    /// Records of this page that were set aside.
    #[serde(default)]
    set_aside: Vec<String>,
}

pub fn poll(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let mut cursor = poll.cursor.unwrap_or_else(|| Cursor { since: cx.since.clone(), first: true, ..Cursor::default() });
    let jobs = &cx.config.jobs;
    let response = request(&cursor, poll.limit, cx).send()?;
    if cursor.page.is_some() && matches!(response.status, 400 | 404 | 410 | 422) {
        // Their cursor has gone stale: the sweep begins again, and what it brings twice has the same ids.
        (cursor.page, cursor.begun) = (None, false);
        return Ok(Page { next_cursor: Some(cursor), more: true, ..Page::default() });
    }
    let answer: Value = response.explained()?.json()?;
    let records = at(&answer, &jobs.list.list)
        .as_array()
        .ok_or_else(|| Failure::rejected(format!("The answer has no list at `{}`: see configuration.jobs.list.list", jobs.list.list)))?;

    let mut page = Page::default();
    let mut whole = true;
    let all = cursor.first && !cursor.begun;
    for record in records {
        if page.events.len() + page.set_aside.len() >= poll.limit.max(1) as usize {
            whole = false;
            break;
        }
        match look(record, &cx.config, all)? {
            Ok(event) => page.events.extend(event),
            Err(reason) => {
                let mark = record.to_string();
                if !cursor.set_aside.contains(&mark) {
                    cursor.set_aside.push(mark);
                    page.set_aside.push(SetAside { record: record.clone(), reason });
                }
            }
        }
        let changed = jobs.fields.get("updated_at").and_then(|name| text_at(record, name));
        if later(changed.as_deref(), cursor.newest.as_deref()) {
            cursor.newest = changed;
        }
    }
    if whole {
        cursor.page = text_at(&answer, &jobs.list.next);
        cursor.begun = false;
        page.more = cursor.page.is_some();
        if page.more {
            cursor.set_aside.clear();
        } else {
            // Those of the last page come again with the next sweep, which begins at the moment of the newest.
            cursor.since = cursor.newest.take().or(cursor.since);
            cursor.first = false;
        }
    } else {
        (cursor.begun, page.more) = (true, true);
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}

fn request(cursor: &Cursor, limit: u32, cx: &SourceContext<Config>) -> Request {
    let list = &cx.config.jobs.list;
    let mut request = get(&cx.config, &cx.config.jobs.path);
    if let Some(since) = &cursor.since {
        request = request.query(&list.since, since);
    }
    if let Some(page) = &cursor.page {
        request = request.query(&list.cursor, page);
    }
    if !list.limit.is_empty() {
        request = request.query(&list.limit, limit.clamp(1, 100));
    }
    request
}

/// Whether a moment is later than another; one is later than none.
fn later(moment: Option<&str>, than: Option<&str>) -> bool {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    moment.and_then(read) > than.and_then(read)
}
