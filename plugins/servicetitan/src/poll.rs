//! Polling: the export feed, which tells changed jobs in order and goes on by a token.

use sangam_sdk::prelude::*;

use crate::{
    client::{get, read},
    config::Config,
    job::gather,
    look,
};

/// Where the feed is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// ServiceTitan's token; before the first page the moment to begin at.
    from: Option<String>,
    /// Records of this page that were told.
    told: usize,
    /// The last of them, as it was: its place says where to go on in a page that has changed since.
    last: Option<(u64, String)>,
    /// Whether this is still the first sweep, which brings in what is there.
    first: bool,
    /// The newest change of its first page: what routes write back to jobs in answer to them is later, and not what was there.
    there: Option<String>,
}

pub fn poll(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let mut cursor = poll.cursor.unwrap_or_else(|| Cursor { from: cx.since.clone(), told: 0, last: None, first: true, there: None });
    let mut request = get(&cx.config, "jpm", "export/jobs").query("includeRecentChanges", true);
    if let Some(from) = &cursor.from {
        request = request.query("from", from);
    }
    let mut answer = read(request)?;
    let Value::Array(jobs) = answer["data"].take() else {
        return Err(Failure::rejected("ServiceTitan answered the export of jobs without `data`"));
    };
    let mut page = Page::default();
    // A page of the feed has thousands; it is read again for the rest, since its token stands for the whole.
    let limit = poll.limit.clamp(1, 50) as usize;
    // A job that changes meanwhile leaves its place for one at the end, and all behind it move up.
    if let Some(last) = &cursor.last {
        cursor.told = jobs.iter().position(|job| version(job).as_ref() == Some(last)).map_or(0, |place| place + 1);
    }
    if cursor.first && cursor.there.is_none() {
        cursor.there = jobs.iter().filter_map(changed).max().map(str::to_owned);
    }
    let here: Vec<Value> = jobs.iter().skip(cursor.told).take(limit).cloned().collect();
    let rest = jobs.len().saturating_sub(cursor.told + here.len());
    cursor.told += here.len();
    cursor.last = here.last().and_then(version);
    for (record, job) in here.iter().zip(gather(&cx.config, &here)?) {
        let was_there = cursor.first && changed(record) <= cursor.there.as_deref();
        match job.and_then(|job| look::job(job, was_there)) {
            Ok(event) => page.events.extend(event),
            Err(failure) if failure.kind == FailureKind::Rejected => {
                page.set_aside.push(SetAside { record: record.clone(), reason: failure.reason })
            }
            Err(failure) => return Err(failure),
        }
    }
    if rest > 0 {
        page.more = true;
    } else {
        page.more = answer["hasMore"] == true;
        cursor.from = answer["continueFrom"].as_str().map(str::to_owned).or(cursor.from);
        (cursor.told, cursor.last) = (0, None);
        cursor.first &= page.more;
        cursor.there = cursor.there.filter(|_| cursor.first);
    }
    page.next_cursor = Some(cursor);
    Ok(page)
}

/// When a job was last changed.
fn changed(job: &Value) -> Option<&str> {
    job["modifiedOn"].as_str()
}

/// A job in the version that it is in.
fn version(job: &Value) -> Option<(u64, String)> {
    Some((job["id"].as_u64()?, changed(job)?.to_owned()))
}
