//! Stream `leave`: changed leaves, page by page.

use std::collections::BTreeMap;

use chrono::DateTime;
use sangam_sdk::{
    path::{at, text_at},
    prelude::*,
};

use crate::{
    client::{dress, url},
    config::Config,
    leave::{event, updated_at},
};

/// Marks that a cursor keeps. Beyond that a record may be seen again, which its event's id makes harmless, and a page is
/// taken whole, since nothing would say how far it was taken.
const MAX_SEEN: usize = 2000;

/// Where a poll goes on: a sweep over all leaves changed since a moment, in pages of the system's own size.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The sweep asks for changes since then.
    since: Option<String>,
    /// The system's cursor of the page to read; the first page without one.
    page: Option<String>,
    /// The newest change of this sweep so far: the next sweep begins there.
    newest: Option<String>,
    /// Marks of records that were taken and may come again, with their change, where it can be read.
    #[serde(default)]
    seen: BTreeMap<String, Option<String>>,
}

pub fn poll(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let first = || Cursor { since: cx.since.clone(), ..Cursor::default() };
    let mut cursor = poll.cursor.unwrap_or_else(first);
    let leaves = &cx.config.leaves;
    let response = request(&cursor, cx).send()?;
    if cursor.page.is_some() && matches!(response.status, 400 | 404 | 410 | 422) {
        // Their cursor has gone stale: the sweep begins again, and what it brings twice has the same ids.
        cursor.page = None;
        return Ok(Page { next_cursor: Some(cursor), more: true, ..Page::default() });
    }
    let answer: Value = response.explained()?.json()?;
    let list = at(&answer, &leaves.list)
        .as_array()
        .ok_or_else(|| Failure::rejected(format!("The answer has no list at `{}`: see configuration.leaves.list", leaves.list)))?;

    let mut page = Page::default();
    let mut whole = true;
    for record in list {
        let mark = mark(record);
        if cursor.seen.contains_key(&mark) {
            continue;
        }
        let taken = page.events.len() + page.set_aside.len();
        if taken >= poll.limit.max(1) as usize && cursor.seen.len() < MAX_SEEN {
            whole = false;
            break;
        }
        match event(record, leaves) {
            Ok(event) => page.events.push(event),
            Err(reason) => page.set_aside.push(SetAside { record: record.clone(), reason }),
        }
        let change = updated_at(record, leaves).map(|(text, _)| text);
        cursor.saw(mark, change);
    }

    if whole {
        page.more = cursor.turn(text_at(&answer, &leaves.next));
    } else {
        page.more = true; // the same page once more, without what was taken
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}

fn request(cursor: &Cursor, cx: &SourceContext<Config>) -> Request {
    let leaves = &cx.config.leaves;
    let mut request = dress(&cx.config, cx.get(url(&cx.config, &leaves.path)));
    if let Some(since) = &cursor.since {
        request = request.query(&leaves.since, since);
    }
    if let Some(page) = &cursor.page {
        request = request.query(&leaves.cursor, page);
    }
    request
}

impl Cursor {
    fn saw(&mut self, mark: String, change: Option<String>) {
        if later(change.as_deref(), self.newest.as_deref()) {
            self.newest.clone_from(&change);
        }
        if self.seen.len() < MAX_SEEN {
            self.seen.insert(mark, change);
        }
    }

    /// Goes on to the next page, or after the last one to the next sweep; says whether there is a next page now.
    fn turn(&mut self, next: Option<String>) -> bool {
        let more = next.is_some();
        self.page = next;
        if !more && let Some(newest) = self.newest.take() {
            self.since = Some(newest);
        }
        // Asking for changes since a moment brings those of that very moment again.
        let edge = if more { &self.newest } else { &self.since };
        let edge = edge.as_deref();
        self.seen.retain(|_, change| change.is_none() || !later(edge, change.as_deref()));
        more
    }
}

/// Whether a moment is later than another; one is later than none.
fn later(moment: Option<&str>, than: Option<&str>) -> bool {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    moment.and_then(read) > than.and_then(read)
}

/// A record and its content, in a few characters: FNV-1a.
fn mark(record: &Value) -> String {
    let text = record.to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
