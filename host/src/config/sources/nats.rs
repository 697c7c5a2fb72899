//! A source of `type = "nats"`.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::shape::Shaped;
use crate::config::item::{Item, given};
use crate::config::model::{Nats, NatsBody, NatsDeliver, NatsServer};
use crate::config::nats::{CONNECTION, NatsServers, connection};
use crate::config::problems::did_you_mean;
use crate::config::reader::Reader;
use crate::config::section::Section;

/// What the server waits for an acknowledgement may be from this …
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// … to this.
const MOST_WAIT: Duration = Duration::from_secs(3600);
/// Messages in hand: one transaction each time.
const DEFAULT_BATCH: u32 = 100;
/// Bytes of them.
const DEFAULT_SIZE: u64 = 8 << 20;
/// Most subjects of a consumer.
const MAX_SUBJECTS: usize = 64;

/// Reads what only NATS sources have.
pub(super) fn nats(r: &mut Reader<'_>, section: &mut Section<'_>, servers: &NatsServers, shape: &Shaped) -> Option<Nats> {
    let server = server(r, section, servers);
    let domain = section.get("domain").map(|item| item.parsed(r, name));
    let stream = section.required(r, "stream", "\"EVENTS\"").and_then(|item| item.parsed(r, name));
    let consumer = section.required(r, "consumer", "\"sangam\"").and_then(|item| item.parsed(r, name));
    let create = section.get("create").map_or(Some(true), |item| item.boolean(r));
    let subjects = section.get("filter-subjects").map(|item| subjects(r, &item));
    let deliver = section.get("deliver").map_or(Some(NatsDeliver::All), |item| item.parsed(r, deliver));
    let ack_wait = section.get("ack-wait").map(|item| item.duration(r, LEAST_WAIT..=MOST_WAIT));
    let pending = section.get("max-ack-pending").map(|item| item.count(r, 1..=1_000_000));
    let batch = section.get("max-batch").map_or(Some(DEFAULT_BATCH), |item| item.count(r, 1..=1000));
    let size = section.get("max-batch-size").map_or(Some(DEFAULT_SIZE), |item| item.size(r, 1 << 10..=256 << 20));
    let bodies = [("auto", NatsBody::Auto), ("json", NatsBody::Json), ("text", NatsBody::Text), ("cloudevents", NatsBody::CloudEvents)];
    let body = section.get("body").map_or(Some(NatsBody::Auto), |item| item.choice(r, &bodies));
    if body != Some(NatsBody::CloudEvents) {
        shape.require_type(r, section, ", or body = \"cloudevents\" if that is what comes");
    }
    Some(Nats {
        server: server?,
        domain: given(domain)?,
        stream: stream?,
        consumer: consumer?,
        create: create?,
        filter_subjects: given(subjects)?,
        deliver: deliver?,
        ack_wait: given(ack_wait)?,
        max_ack_pending: given(pending)?,
        max_batch: batch? as usize,
        max_batch_size: usize::try_from(size?).ok()?,
        body: body?,
    })
}

/// `server = "NAME"` of a `[nats.NAME]`, or the same keys as there.
fn server(r: &mut Reader<'_>, section: &mut Section<'_>, servers: &NatsServers) -> Option<Arc<NatsServer>> {
    let Some(item) = section.get("server") else {
        return connection(r, section).map(Arc::new);
    };
    let twice: Vec<Range<usize>> = CONNECTION.iter().filter_map(|key| section.get(key)).map(|item| item.key).collect();
    if let Some(span) = twice.first() {
        r.error(span, "`server` says how the server is reached, and so does this").help("keep one of the two");
    }
    let text = item.text(r)?;
    match servers.get(text.value) {
        Some(server) if twice.is_empty() => server.clone(),
        Some(_) => None,
        None => {
            let help = did_you_mean(text.value, servers.keys().map(String::as_str));
            let help = help.unwrap_or_else(|| format!("add it: [nats.{}] with its `servers`", text.value));
            r.error(&text.span, format!("there is no NATS server `{}`", text.value)).help(help);
            None
        }
    }
}

/// Names of streams and consumers: what NATS takes, so that a mistake shows before the server is asked.
fn name(text: &str) -> Result<String, String> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
    if text.is_empty() || text.len() > 255 || text.contains(refused) {
        return Err(format!("`{text}` is not a name that NATS takes: 1 to 255 bytes, no spaces, and none of . * > / \\"));
    }
    Ok(text.to_owned())
}

fn subjects(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.items(r)?;
    if items.is_empty() || items.len() > MAX_SUBJECTS {
        r.error(&item.span, format!("`filter-subjects` names 1 to {MAX_SUBJECTS} subjects")).help("leave it out for all of the stream");
        return None;
    }
    let subjects: Vec<Option<String>> = items.iter().map(|item| item.parsed(r, pattern)).collect();
    subjects.into_iter().collect()
}

/// A subject in which `*` stands for one part and a last `>` for the rest.
fn pattern(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('.').collect();
    let last = parts.len() - 1;
    let fine = |(at, part): (usize, &&str)| match *part {
        "*" => true,
        ">" => at == last,
        part => !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>'),
    };
    if text.len() <= 1024 && parts.iter().enumerate().all(fine) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a subject: parts with dots between them, `*` for one part, a last `>` for the rest"))
}

fn deliver(text: &str) -> Result<NatsDeliver, String> {
    match text {
        "all" => Ok(NatsDeliver::All),
        "new" => Ok(NatsDeliver::New),
        time => time
            .parse()
            .map(NatsDeliver::Since)
            .map_err(|_| format!("`{time}` is none of \"all\", \"new\", or a time such as \"2026-11-01T00:00:00Z\"")),
    }
}
