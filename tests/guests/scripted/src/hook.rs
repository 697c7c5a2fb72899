//! Stream `hook`: what a body says is brought in, and its sender hears what was seen.

use sangam_sdk::{Inbound, Received, Reply, prelude::*};

use crate::Config;

/// A body.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    events: Vec<Brought>,
    /// A key that is counted up.
    #[serde(default)]
    count: Option<String>,
    /// How it fails instead.
    #[serde(default)]
    fail: Option<String>,
    /// Of the answer.
    #[serde(default)]
    status: Option<u16>,
}

#[derive(Deserialize)]
struct Brought {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    data: Value,
}

pub fn receive(request: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let told: Told = request.json()?;
    let count = told.count.map(|key| kv::increment(&key, 1)).transpose()?;
    match told.fail.as_deref() {
        Some("rejected") => return Err(Failure::rejected("no such thing: ü")),
        Some(_) => return Err(Failure::retry("not now")),
        None => {}
    }
    let mut events = Vec::new();
    for Brought { kind, id, data } in told.events {
        events.push(NewEvent::new(kind, data)?.id(id));
    }
    let topic = request.header("x-topic");
    let seen = json!({
        "method": request.method,
        "path": request.path,
        "topic": topic,
        "source": cx.source,
        "greeting": cx.config.greeting,
        "count": count,
    });
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec()), ("x-seen".to_owned(), b"yes".to_vec())];
    let reply = Reply { status: told.status.unwrap_or(200), headers, body: seen.to_string().into_bytes() };
    Ok(Received { events, reply })
}
