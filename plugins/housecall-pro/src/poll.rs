//! Polling of jobs, newest change first: a sweep reads pages until it comes to what the last one had. A job that changes meanwhile moves to the front, so that others are seen twice at most, which is no news.

use sangam_sdk::prelude::*;

use crate::{
    client::{get, page as page_of, text},
    config::Config,
    look,
    moment::{before, not_before},
};

/// Jobs in a page, at most.
const PAGE: u32 = 100;

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes from that moment on.
    since: Option<String>,
    /// The page to read, from 1; and its size, which must stay.
    page: u32,
    size: u32,
    /// The newest change of this sweep so far: the next one goes down to it.
    newest: Option<String>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
}

pub fn poll(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let size = poll.limit.clamp(1, PAGE);
    let mut cursor = poll.cursor.unwrap_or_else(|| Cursor { since: cx.since.clone(), page: 1, size, newest: None, first: true });
    let request = get(&cx.config, "jobs").query("page", cursor.page).query("page_size", cursor.size);
    let (jobs, more) = page_of(request.query("sort_by", "updated_at").query("sort_direction", "desc"), "jobs")?;
    let mut page = Page { more, ..Page::default() };
    for record in jobs {
        let updated = text(&record["updated_at"]);
        if let (Some(updated), Some(since)) = (&updated, &cursor.since)
            && !not_before(updated, since)
        {
            page.more = false;
            break;
        }
        if let Some(updated) = updated
            && cursor.newest.as_ref().is_none_or(|newest| not_before(&updated, newest))
        {
            cursor.newest = Some(updated);
        }
        match look::job(&record, &cx.config, cursor.first) {
            Ok(event) => page.events.extend(event),
            Err(failure) if failure.kind == FailureKind::Rejected => page.set_aside.push(SetAside { record, reason: failure.reason }),
            Err(failure) => return Err(failure),
        }
    }
    page.events.reverse();
    if page.more {
        cursor.page += 1;
    } else {
        (cursor.page, cursor.size, cursor.first) = (1, size, false);
        if let Some(newest) = cursor.newest.take() {
            let edge = before(&newest, cx.config.overlap_seconds);
            cursor.since = cursor.since.take().filter(|since| not_before(since, &edge)).or(Some(edge));
        }
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}
