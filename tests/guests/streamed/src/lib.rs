//! A plugin that takes webhooks and does with each what its body says.

use std::time::Duration;

use sangam_sdk::{Inbound, Received, Reply, prelude::*};

struct Streamed;

/// Nothing to configure but a word that is given back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    greeting: String,
}

impl Plugin for Streamed {
    type Config = Config;
    const NAME: &'static str = "streamed";
    const TITLE: &'static str = "Streamed";
}

impl Source for Streamed {
    fn streams(s: &mut Streams<Self>) {
        s.stream("hooks", "What a body says").receive(receive).types(&["streamed.*"]);
    }
}

/// A body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    /// Done first.
    #[serde(default)]
    lines: Vec<Line>,
    /// Brought in.
    #[serde(default)]
    events: Vec<Told>,
    /// How it fails instead.
    #[serde(default)]
    fail: Option<Fail>,
    /// Status of the answer; 200 if absent. The answer says what was seen and done.
    #[serde(default)]
    status: Option<u16>,
    /// More headers of the answer.
    #[serde(default)]
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// Adds 1 to a key.
    Count(String),
    /// Asks a URL.
    Read(String),
    /// Posts to a URL, which it may not.
    Write(String),
    /// Breaks.
    Trap,
    /// Never ends.
    Spin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    kind: String,
    #[serde(default)]
    after_ms: Option<u64>,
}

fn receive(request: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let script: Script = request.json()?;
    let mut results = Vec::new();
    for line in script.lines {
        results.push(match line {
            Line::Count(key) => json!(kv::increment(&key, 1)?),
            Line::Read(url) => json!(cx.get(url).send()?.status),
            Line::Write(url) => match sangam_sdk::Write::new("POST", url).unnamed().send() {
                Ok(answer) => json!(answer.status),
                Err(failure) => json!(failure.to_string()),
            },
            Line::Trap => panic!("the body says so"),
            Line::Spin => loop {
                std::hint::spin_loop();
            },
        });
    }
    if let Some(Fail { kind, after_ms }) = script.fail {
        let failure = match kind.as_str() {
            "rate-limited" => Failure::rate_limited("slowly"),
            "unauthorized" => Failure::unauthorized("who?"),
            "rejected" => Failure::rejected("no such thing"),
            _ => Failure::retry("later"),
        };
        return Err(failure.after(after_ms.map(Duration::from_millis)));
    }
    let mut events = Vec::new();
    for Told { kind, id, data } in script.events {
        let event = NewEvent::new(kind, data)?;
        events.push(match id {
            Some(id) => event.id(id),
            None => event,
        });
    }
    let seen = json!({
        "method": request.method,
        "path": request.path,
        "headers": request.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        "source": cx.source,
        "greeting": cx.config.greeting,
        "results": results,
    });
    let mut headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    headers.extend(script.headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
    let reply = Reply { status: script.status.unwrap_or(200), headers, body: seen.to_string().into_bytes() };
    Ok(Received { events, reply })
}

sangam_sdk::export!(Streamed as source);
