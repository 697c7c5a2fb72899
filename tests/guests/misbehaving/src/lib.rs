//! A plugin that does what no plugin should. It is written against the bare contract, since the SDK would not let it.

mod fetch;

use serde_json::{Value, json};

#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, unused_qualifications, rust_2018_idioms, clippy::all)] // generated
mod contract {
    wit_bindgen::generate!({ path: "../../../wit", world: "batching", generate_all });
}

use contract::exports::sangam::connector::{actions, batches, plugin};
use contract::sangam::connector::types::{Failure, Problem};
use contract::sangam::connector::{http, key_value, log};

/// What it does, one action each.
const ACTIONS: &[&str] = &[
    "trap",
    "loop",
    "allocate",
    "recurse",
    "not-json",
    "huge-output",
    "log-flood",
    "many-calls",
    "request",
    "fetch",
    "fetches",
    "bad-event",
    "emit",
    "keys",
    "context",
    "remember",
    "deep-event",
    "escapes",
    "fine",
    // An action that `scripted` has too: a new version of it, with a mistake.
    "run",
];

/// Calls of this instance.
static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

struct Misbehaving;

impl plugin::Guest for Misbehaving {
    fn describe() -> String {
        let mut actions: Vec<Value> =
            ACTIONS.iter().map(|name| json!({ "name": name, "title": name, "input": {}, "output": {} })).collect();
        actions.push(json!({ "name": "together", "title": "together", "input": {}, "output": {}, "batch": 10 }));
        json!({
            "name": "misbehaving",
            "version": env!("CARGO_PKG_VERSION"),
            "title": "Misbehaving",
            "configuration": { "type": "object" },
            "actions": actions,
        })
        .to_string()
    }
}

impl batches::Guest for Misbehaving {
    /// As the first invocation says: `few` or `many` results, a trap in the `middle`, or all that it can see in every output.
    fn invoke_batch(_action: String, invocations: Vec<batches::Invocation>) -> Vec<Result<batches::Output, Failure>> {
        let inputs: Vec<Value> = invocations.iter().map(|one| serde_json::from_str(&one.input).unwrap_or_default()).collect();
        let seen = json!({ "inputs": inputs }).to_string();
        let output = || Ok(batches::Output { data: seen.clone(), events: Vec::new() });
        let how = inputs.first().and_then(|input| input["how"].as_str()).unwrap_or_default().to_owned();
        let count = match how.as_str() {
            "few" => inputs.len() - 1,
            "many" => inputs.len() + 1,
            "trap" => panic!("on purpose"),
            _ => inputs.len(),
        };
        (0..count).map(|_| output()).collect()
    }
}

impl actions::Guest for Misbehaving {
    fn invoke(action: String, input: String, context: String) -> Result<actions::Output, Failure> {
        let input: Value = serde_json::from_str(&input).unwrap_or_default();
        let number = |name: &str| input[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let output = |data: String| actions::Output { data, events: Vec::new() };
        Ok(match action.as_str() {
            "trap" | "run" => panic!("on purpose"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "allocate" => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            "recurse" => output(recurse(1).to_string()),
            "together" => {
                if let Some(url) = input["url"].as_str() {
                    let request = http::Request {
                        method: "GET".to_owned(),
                        url: url.to_owned(),
                        headers: Vec::new(),
                        body: Vec::new(),
                        timeout_ms: None,
                        name: None,
                        read_only: false,
                    };
                    drop(http::send(&request));
                }
                output(json!({ "inputs": [input] }).to_string())
            }
            "not-json" => output("{ this is not JSON".to_owned()),
            "huge-output" => output(json!("x".repeat(number("bytes"))).to_string()),
            "log-flood" => {
                let line = "x".repeat(number("bytes"));
                for _ in 0..number("lines") {
                    log::log(log::Level::Info, &line, &[]);
                    println!("{line}");
                }
                output("true".to_owned())
            }
            "many-calls" => output(json!((0..number("count")).map(|_| request(&input)).collect::<Vec<_>>()).to_string()),
            "request" => output(request(&input).to_string()),
            "fetch" => output(fetch::fetch(&input).to_string()),
            "fetches" => output(Value::from_iter(input["each"].as_array().into_iter().flatten().map(fetch::fetch)).to_string()),
            "bad-event" => actions::Output { data: "null".to_owned(), events: vec!["{ this is not JSON".to_owned()] },
            // Events as the input has them, text for text, as often as it says.
            "emit" => {
                let texts = input["events"].as_array().into_iter().flatten().map(|event| match event {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let texts: Vec<String> = texts.collect();
                let events = (0..number("times").max(1)).flat_map(|_| texts.iter().cloned()).collect();
                actions::Output { data: "null".to_owned(), events }
            }
            // What can be seen of a key: `{"value", "keys"}`, after writing it where there is something to write.
            "keys" => {
                let key = input["key"].as_str().unwrap_or_default();
                if let Some(value) = input["set"].as_str() {
                    let _ = key_value::set(key, value.as_bytes());
                }
                let value = key_value::get(key).ok().flatten().map(|value| String::from_utf8_lossy(&value).into_owned());
                let keys = key_value::list("", None, 1000).map(|page| page.keys).unwrap_or_default();
                output(json!({ "value": value, "keys": keys }).to_string())
            }
            // All that it is told.
            "context" => output(json!({ "context": serde_json::from_str::<Value>(&context).unwrap_or_default() }).to_string()),
            // What is left of the calls before.
            "remember" => output(CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()),
            "deep-event" => {
                let depth = number("depth");
                let event = format!("{{\"type\":\"t\",\"data\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
                actions::Output { data: "null".to_owned(), events: vec![event] }
            }
            "escapes" => {
                return Err(Failure::Rejected(Problem {
                    reason: "\u{1b}[31mred\u{1b}[0m\u{7}".to_owned(),
                    after_ms: None,
                    details: Some("{ this is not JSON".to_owned()),
                }));
            }
            _ => output(json!({ "fine": input }).to_string()),
        })
    }
}

/// Frames of locals only, so that the engine's stack ends before the one that the compiler keeps in memory.
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { std::hint::black_box(recurse(depth + 1)) + depth }
}

/// What came of a request, in the contract's words: `{"status"}` or `{"error", "why"}`.
fn request(input: &Value) -> Value {
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    let headers = input["headers"].as_object().into_iter().flatten();
    let answer = http::send(&http::Request {
        method: text("method").unwrap_or_else(|| "GET".to_owned()),
        url: text("url").unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").as_bytes().to_vec())).collect(),
        body: text("body").unwrap_or_default().into_bytes(),
        timeout_ms: None,
        name: text("name"),
        read_only: input["read_only"] == true,
    });
    let (error, why) = match answer {
        Ok(response) => return json!({ "status": response.status, "body": String::from_utf8_lossy(&response.body) }),
        Err(http::Error::Denied(why)) => ("denied", why),
        Err(http::Error::InvalidRequest(why)) => ("invalid-request", why),
        Err(http::Error::NameUsed(why)) => ("name-used", why),
        Err(http::Error::Timeout(why)) => ("timeout", why),
        Err(http::Error::Connection(why)) => ("connection", why),
        Err(http::Error::ResponseTooLarge(limit)) => ("response-too-large", limit.to_string()),
        Err(http::Error::TooManyCalls(limit)) => ("too-many-calls", limit.to_string()),
        Err(http::Error::Unavailable(why)) => ("unavailable", why),
        Err(http::Error::Other(why)) => ("other", why),
    };
    json!({ "error": error, "why": why })
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // the generated exports of the canonical ABI
const _: () = {
    contract::export!(Misbehaving with_types_in contract);
};
