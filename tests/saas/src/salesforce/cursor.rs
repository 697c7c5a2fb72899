//! Pages of a query's answer.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::query::Found;
use super::refusal::Refusal;

/// Records in a page unless the client asks for fewer.
pub const PAGE: usize = 2_000;
/// Fewest records that a client can ask for; a test can set fewer.
const SMALLEST_PAGE: usize = 200;
/// Queries kept open; the oldest gives way.
const MAX_OPEN: usize = 10;

/// Open queries.
#[derive(Debug)]
pub struct Cursors {
    page: usize,
    opened: u64,
    open: VecDeque<(String, Vec<Value>)>,
}

impl Cursors {
    /// None open, with so many records in a page.
    pub fn new(page: usize) -> Cursors {
        Cursors { page: page.max(1), opened: 0, open: VecDeque::new() }
    }

    /// The first page of an answer.
    pub fn first(&mut self, found: Found, base: &str, asked: Option<usize>) -> Value {
        let Found { total, records } = found;
        let size = self.size(asked);
        if records.len() <= size {
            return json!({ "totalSize": total, "done": true, "records": records });
        }
        self.opened += 1;
        let locator = format!("0r8Sg{:013}", self.opened);
        let page = page(&locator, &records, 0, size, base);
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back((locator, records));
        page
    }

    /// The page that a link names: the query and the records before it.
    pub fn next(&self, link: &str, base: &str, asked: Option<usize>) -> Result<Value, Refusal> {
        let found = link.rsplit_once('-').and_then(|(locator, offset)| {
            let (locator, records) = self.open.iter().find(|(open, _)| open == locator)?;
            let offset = offset.parse::<usize>().ok().filter(|offset| *offset < records.len())?;
            Some(page(locator, records, offset, self.size(asked), base))
        });
        found.ok_or_else(|| Refusal::bad("INVALID_QUERY_LOCATOR", "invalid query locator"))
    }

    fn size(&self, asked: Option<usize>) -> usize {
        asked.map_or(self.page, |asked| asked.clamp(SMALLEST_PAGE, PAGE)).min(self.page)
    }
}

fn page(locator: &str, records: &[Value], from: usize, size: usize, base: &str) -> Value {
    let to = from.saturating_add(size).min(records.len());
    let mut page = json!({
        "totalSize": records.len(), "done": to == records.len(), "records": &records[from..to],
    });
    if to < records.len() {
        page["nextRecordsUrl"] = format!("{base}/query/{locator}-{to}").into();
    }
    page
}
