//! Polling of jobs, in the order of Jobber's pages: newest change first is not to be had, so a sweep asks for all jobs changed since the last one and follows the pages.

use sangam_sdk::prelude::*;

use crate::{
    config::Config,
    graphql::{query, text},
    job::FIELDS,
    look,
    moment::{before, not_before},
};

/// Jobs in a page: each costs points for everything that is read with it.
const PAGE: u32 = 10;

/// Where a sweep is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes from that moment on.
    since: Option<String>,
    /// Jobber's cursor of the page before.
    after: Option<String>,
    /// The newest change of this sweep so far.
    newest: Option<String>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
}

pub fn poll(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let mut cursor = poll.cursor.unwrap_or_else(|| Cursor { since: cx.since.clone(), first: true, ..Cursor::default() });
    let document = format!(
        "query Jobs($first: Int!, $after: String, $filter: JobFilterAttributes) {{ jobs(first: $first, after: $after, filter: $filter, sort: [{{ key: CREATED_AT, direction: ASCENDING }}]) {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let filter = cursor.since.as_ref().map(|since| json!({ "updatedAt": { "after": since } }));
    let variables = json!({ "first": poll.limit.clamp(1, PAGE), "after": cursor.after, "filter": filter });
    let found = query(&cx.config, &document, variables)?;
    let jobs = found["jobs"]["nodes"].as_array().ok_or_else(|| Failure::rejected("Jobber answered without jobs"))?;
    let mut page = Page::default();
    for job in jobs {
        match look::job(job, &cx.config, cursor.first) {
            Ok(event) => page.events.extend(event),
            Err(failure) if failure.kind == FailureKind::Rejected => {
                page.set_aside.push(SetAside { record: job.clone(), reason: failure.reason })
            }
            Err(failure) => return Err(failure),
        }
        if let Some(updated) = text(&job["updatedAt"])
            && cursor.newest.as_ref().is_none_or(|newest| not_before(&updated, newest))
        {
            cursor.newest = Some(updated);
        }
    }
    let pages = &found["jobs"]["pageInfo"];
    page.more = pages["hasNextPage"] == true;
    cursor.after = if page.more { text(&pages["endCursor"]) } else { None };
    if !page.more {
        if let Some(newest) = cursor.newest.take() {
            let edge = before(&newest, cx.config.overlap_seconds);
            cursor.since = cursor.since.take().filter(|since| not_before(since, &edge)).or(Some(edge));
        }
        cursor.first = false;
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}
