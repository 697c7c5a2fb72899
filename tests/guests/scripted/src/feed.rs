//! Stream `feed`: the records of a feed, page by page. What a record says becomes an event, or is set aside, or has an effect.

use sangam_sdk::{SetAside, Write, prelude::*};

use crate::Config;

/// What the feed answers.
#[derive(Deserialize)]
struct Answer {
    records: Vec<Record>,
    next: u64,
    more: bool,
}

/// A record.
#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    time: Option<String>,
    data: Value,
    /// It can't be made into an event: why.
    bad: Option<String>,
    /// A key that is counted up.
    count: Option<String>,
    /// A URL that is written to, which a stream may not.
    write: Option<String>,
}

pub fn poll(poll: Poll<u64>, cx: &SourceContext<Config>) -> Result<Page<u64>, Failure> {
    let mut request = cx.get(format!("{}/feed", cx.config.feed)).query("limit", poll.limit);
    if let Some(cursor) = poll.cursor {
        request = request.query("cursor", cursor);
    }
    if let Some(since) = &cx.since {
        request = request.query("since", since);
    }
    let answer: Answer = request.send()?.ok()?.json()?;
    log::info("a page", &[("records", &answer.records.len().to_string())]);
    let mut page = Page { next_cursor: Some(answer.next), more: answer.more, ..Page::default() };
    for record in answer.records {
        if let Some(reason) = &record.bad {
            page.set_aside.push(SetAside { record: json!(record), reason: reason.clone() });
            continue;
        }
        if let Some(key) = &record.count {
            kv::increment(key, 1)?;
        }
        let mut data = record.data;
        if let Some(url) = record.write {
            data = match Write::new("POST", url).name("w").send() {
                Ok(answer) => json!({ "status": answer.status }),
                Err(failure) => json!({ "refused": failure.to_string() }),
            };
        }
        let mut event = NewEvent::new(record.kind, &data)?;
        if let Some(id) = record.id {
            event = event.id(id);
        }
        if let Some(time) = record.time {
            event = event.time(time);
        }
        page.events.push(event);
    }
    Ok(page)
}
