//! `sangam.publish`: a message for a NATS subject.
//!
//! It carries the key of the write as its id, so that the stream drops what comes twice within its duplicate window.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Act, Stop};
use crate::attempt::{Answer, End, HostWrite};
use crate::config::{Config, NatsServer};
use crate::event::{Data, Event};
use crate::nats::{self, Outgoing, Published};
use crate::run::FailureKind;
use crate::telemetry;

/// Name of the write: a step publishes one message.
const NAME: &str = "publish";
/// Longest subject.
const MAX_SUBJECT: usize = 1024;

/// Publishes; gives where the message is kept.
pub(super) async fn publish(act: &mut Act<'_>) -> Result<Value, Stop> {
    let rejected = |why: String| Stop::failed(FailureKind::Rejected, why);
    let present = act.runtime.present();
    let server = server(&present.revision.config, act.input.get("server").and_then(Value::as_str)).map_err(rejected)?;
    let subject = act.input.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
    check_subject(&subject).map_err(rejected)?;
    let key = act.key(NAME);
    let (headers, payload) = message(act, &key).map_err(rejected)?;
    nats::check_headers(&headers).map_err(rejected)?;
    let is_core = act.input.get("delivery").and_then(Value::as_str) == Some("core");
    let shown = Url::parse(&format!("{}/{subject}", server.servers.first().map_or("nats://unknown", String::as_str)))
        .map_err(|error| rejected(format!("the subject can't be shown: {error}")))?;
    let write = HostWrite {
        kind: "publish",
        name: NAME.to_owned(),
        method: "PUBLISH".to_owned(),
        url: shown,
        headers: headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        body: payload.to_vec(),
    };
    let (runtime, left) = (act.runtime.clone(), act.time_left());
    let mut headers = headers;
    if let Some(place) = act.place()
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
    {
        headers.extend(telemetry::trace_headers(&place).into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())));
    }
    let outgoing = Outgoing { subject, headers, payload };
    let answer = act
        .write(write, async move |key| {
            let name = format!("sangam {}", runtime.identity.name);
            let link = match runtime.nats.link(&runtime.broker, &server, &name).await {
                Ok(link) => link,
                Err(error) => return Answer::not_sent(error.to_string()),
            };
            let published = match is_core {
                true => nats::to_listeners(&link, outgoing, left).await,
                false => nats::to_stream(&link, outgoing, key, left).await,
            };
            answer(published, key)
        })
        .await?;
    match answer.end {
        End::Done => Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null)),
        End::Refused => Err(rejected(answer.why().to_owned())),
        End::InDoubt | End::NotSent => Err(Stop::failed(FailureKind::Retry, answer.why())),
    }
}

fn answer(published: Published, key: &str) -> Answer {
    match published {
        Published::Kept { stream, sequence, duplicate } => {
            Answer::done(None, json!({ "stream": stream, "sequence": sequence, "duplicate": duplicate, "id": key }).to_string())
        }
        Published::Passed => Answer::done(None, json!({ "stream": null, "sequence": null, "duplicate": false, "id": key }).to_string()),
        Published::Refused { code, why } => Answer::refused(Some(code), why),
        Published::NotKept(why) => Answer::not_sent(why),
        Published::Unknown(why) => Answer::in_doubt(why),
    }
}

/// The server of that name; without one the only one there is.
fn server(config: &Config, name: Option<&str>) -> Result<Arc<NatsServer>, String> {
    match name {
        Some(name) => config
            .nats
            .get(name)
            .cloned()
            .ok_or_else(|| format!("there is no NATS server {name:?} in the present configuration ([nats.{name}])")),
        None => match config.nats.len() {
            1 => Ok(config.nats.values().next().cloned().expect("there is one")),
            0 => Err("the present configuration has no NATS server: add [nats.NAME] with its `servers`".to_owned()),
            _ => Err(format!("`server` says which one: {}", config.nats.keys().cloned().collect::<Vec<_>>().join(", "))),
        },
    }
}

/// A subject that a message can have. What begins with `$` are orders to the server itself.
fn check_subject(subject: &str) -> Result<(), String> {
    let part = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>');
    if subject.len() > MAX_SUBJECT || !subject.split('.').all(part) {
        return Err(format!(
            "{subject:?} is not a subject: at most {MAX_SUBJECT} bytes, parts with dots between them, no spaces, no * or >"
        ));
    }
    if subject.starts_with('$') || subject.starts_with("_INBOX.") {
        return Err(format!("{subject:?} is a subject of the server's own"));
    }
    Ok(())
}

/// Headers and payload, as `format` has them.
fn message(act: &Act<'_>, key: &str) -> Result<(Vec<(String, String)>, Bytes), String> {
    let mut headers = own_headers(act.input.get("headers"))?;
    let data = act.input.get("data").or_else(|| act.event.get("data")).cloned();
    let format = act.input.get("format").and_then(Value::as_str).unwrap_or("cloudevents");
    if format == "raw" {
        // A text is sent as it is, anything else as JSON.
        let payload = match data {
            Some(Value::String(text)) => text.into_bytes(),
            Some(Value::Null) | None => Vec::new(),
            Some(data) => data.to_string().into_bytes(),
        };
        return Ok((headers, payload.into()));
    }
    if let Some((name, _)) = headers.iter().find(|(name, _)| is_of_event(name)) {
        return Err(format!("header {name:?} says what the event says itself; with format = \"raw\" it may stand there"));
    }
    let event = event(act, key)?;
    let payload = match format {
        "cloudevents-binary" => {
            let (attributes, payload) = event.to_binary();
            headers.extend(attributes);
            payload
        }
        _ => {
            headers.push(("content-type".to_owned(), "application/cloudevents+json".to_owned()));
            event.to_text().into_bytes()
        }
    };
    Ok((headers, payload.into()))
}

fn is_of_event(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "content-type" || name.starts_with("ce-")
}

fn own_headers(input: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    for (name, value) in input.and_then(Value::as_object).into_iter().flatten() {
        if name.to_ascii_lowercase().starts_with("nats-") {
            return Err(format!("header {name:?} is the server's own"));
        }
        match value {
            Value::Null => {}
            Value::String(text) => headers.push((name.clone(), text.clone())),
            other => headers.push((name.clone(), other.to_string())),
        }
    }
    Ok(headers)
}

/// The run's own event passed on, or with a `type` or `data` of its own a new one in the name of the route.
fn event(act: &Act<'_>, key: &str) -> Result<Event, String> {
    let wrong = |error: crate::event::EventError| format!("this is no CloudEvent: {error}");
    let own = |name: &str| act.input.get(name).filter(|value| !value.is_null());
    if own("type").is_none() && act.input.get("data").is_none() {
        return Event::from_structured(act.event.clone()).map_err(wrong);
    }
    let mut members = Map::new();
    members.insert("specversion".to_owned(), json!("1.0"));
    members.insert("id".to_owned(), json!(key));
    members.insert("source".to_owned(), json!(format!("/routes/{}", act.run.route)));
    members.insert("type".to_owned(), own("type").or_else(|| act.event.get("type")).cloned().unwrap_or_default());
    members.insert("time".to_owned(), json!(act.clock().to_string()));
    if let Some(subject) = act.event.get("subject") {
        members.insert("subject".to_owned(), subject.clone());
    }
    if let Some(data) = act.input.get("data").or_else(|| act.event.get("data")) {
        members.insert("data".to_owned(), data.clone());
        members.insert("datacontenttype".to_owned(), json!("application/json"));
    }
    let event = Event::from_structured(Value::Object(members)).map_err(wrong)?;
    debug_assert!(!matches!(event.data, Data::Binary(_)), "data of an input is JSON");
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_of_a_message() {
        for fine in ["jobs", "jobs.completed.4711", "jobs.ä"] {
            assert_eq!(check_subject(fine), Ok(()), "{fine}");
        }
        for (wrong, said) in [
            ("", "not a subject"),
            ("a..b", "not a subject"),
            ("a.", "not a subject"),
            ("a b", "not a subject"),
            ("a\r\nPUB x 1", "not a subject"),
            ("jobs.*", "not a subject"),
            ("jobs.>", "not a subject"),
            ("$JS.API.STREAM.DELETE.EVENTS", "server's own"),
            ("_INBOX.x", "server's own"),
        ] {
            assert!(check_subject(wrong).expect_err(wrong).contains(said), "{wrong}");
        }
    }

    #[test]
    fn headers_of_the_server_s_own_are_refused() {
        assert!(own_headers(Some(&json!({ "Nats-Msg-Id": "x" }))).is_err());
        assert!(own_headers(Some(&json!({ "nats-rollup": "all" }))).is_err());
        assert_eq!(
            own_headers(Some(&json!({ "X-A": "1", "n": 2, "none": null }))),
            Ok(vec![("X-A".into(), "1".into()), ("n".into(), "2".into())])
        );
    }
}
