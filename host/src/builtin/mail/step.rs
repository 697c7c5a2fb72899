//! The step: its input, the one write that it makes, and what its end means for the run.

use std::time::Duration;

use serde_json::{Value, json};

use super::letter::Letter;
use super::relay::{Relay, Sending};
use super::trouble::Trouble;
use super::words::Words;
use crate::attempt::{Answer, End, HostWrite};
use crate::builtin::act::{Act, Stop};
use crate::credentials::Remedy;
use crate::registry::Action;
use crate::run::{FailureKind, StepFailure};
use crate::runtime::Present;

/// The name of the write: a step sends one mail.
const NAME: &str = "mail";
/// A relay that says "later" is asked again after this time at the earliest. Greylisting wants minutes, and the run's deadline ends it.
const LATER: Duration = Duration::from_secs(60);
/// One that can't be reached is tried again this soon.
const UNREACHABLE: Duration = Duration::from_secs(15);

/// What `check` and the API know of it.
pub(in crate::builtin) fn action() -> Action {
    let address = json!({
        "anyOf": [
            { "type": "string", "minLength": 3, "description": "anna@acme.example, or Anna Berg <anna@acme.example>" },
            {
                "type": "object",
                "required": ["address"],
                "properties": { "address": { "type": "string" }, "name": { "type": ["string", "null"] } },
                "additionalProperties": false
            }
        ]
    });
    let optional = |schema: &Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let addresses = json!({ "anyOf": [address, { "type": "array", "items": address, "maxItems": 10000 }] });
    let text = json!({ "type": ["string", "null"] });
    Action {
        batch: None,
        name: "mail".to_owned(),
        title: "Sends a mail".to_owned(),
        description: "Through a relay of the configuration, [mail.NAME]. Succeeds when the relay has taken it. Whether it arrives is told by nobody \
                      but a mail that comes back. Its Message-ID is the key of the write: sent again after a lost answer, it has the same. It can't \
                      be undone."
            .to_owned(),
        input: json!({
            "type": "object",
            "required": ["to"],
            "properties": {
                "relay": { "type": ["string", "null"], "description": "Default: the only one, or the one called `default`" },
                "from": optional(&address),
                "to": addresses,
                "cc": optional(&addresses),
                "bcc": optional(&addresses),
                "reply_to": optional(&addresses),
                "subject": text,
                "text": text,
                "html": text,
                "template": { "type": ["string", "null"], "description": "Name of a template of the configuration" },
                "language": { "type": ["string", "null"], "description": "Such as de or de-AT" },
                "values": { "type": ["object", "null"], "description": "What the template's expressions see" },
                "attachments": {
                    "type": ["array", "null"],
                    "maxItems": 50,
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": { "type": "string", "minLength": 1 },
                            "content_type": { "type": ["string", "null"] },
                            "base64": { "type": "string" },
                            "text": { "type": "string" }
                        },
                        "oneOf": [{ "required": ["base64"] }, { "required": ["text"] }],
                        "additionalProperties": false
                    }
                },
                "in_reply_to": { "type": ["string", "null"], "description": "Message-ID of the mail that this one answers" },
                "references": { "type": ["array", "null"], "items": { "type": "string" }, "maxItems": 50 },
                "partial": {
                    "type": ["boolean", "null"],
                    "description": "Send to those whom the relay takes, where it refuses some; else nothing is sent then"
                }
            },
            "additionalProperties": false,
            "examples": [
                { "to": "Anna Berg <anna@acme.example>", "subject": "Invoice 4711", "text": "Dear Anna, …" },
                { "to": [{ "name": "Anna Berg", "address": "anna@acme.example" }], "template": "reminder", "language": "de", "values": { "number": "4711" } }
            ]
        }),
        output: json!({
            "type": "object",
            "properties": {
                "message_id": { "type": "string" },
                "relay": { "type": "string" },
                "accepted": { "type": "array", "items": { "type": "string" } },
                "refused": {
                    "type": "array",
                    "items": { "type": "object", "properties": { "address": { "type": "string" }, "reason": { "type": "string" } } }
                },
                "reply": { "type": "string", "description": "The relay's answer, in which most name the mail as their logs do" }
            }
        }),
        idempotent: false,
        undo: None,
    }
}

/// Sends the mail that a step's input describes.
pub(in crate::builtin) async fn mail(act: &mut Act<'_>) -> Result<Value, Stop> {
    let rejected = |why: String| Stop::failed(FailureKind::Rejected, why);
    let present = act.runtime.present();
    let relay = relay(&present, &act.input).map_err(|why| Stop::failed(FailureKind::Unavailable, why))?;
    let words = Words::of(&act.input, &act.revision.config.templates, &act.runtime.evaluator).await.map_err(rejected)?;
    let letter = Letter::read(&act.input, words, relay.sender()).map_err(rejected)?;
    relay.judge(&letter).map_err(rejected)?;
    let url = relay.config().url();
    let url = url.parse().map_err(|error| Stop::failed(FailureKind::Unavailable, format!("{url} is no address: {error}")))?;
    let body = letter.summary().to_string().into_bytes();
    let write = HostWrite { kind: "mail", name: NAME.to_owned(), method: "MAIL".to_owned(), url, headers: Vec::new(), body };
    let (at, left) = (act.clock(), act.time_left());
    let mut failed = None;
    let answer = act
        .write(write, async |key| {
            let Sending { result, attached } = relay.send(&letter, key, at, left).await;
            match result {
                Ok(receipt) => Answer::done(Some(250), receipt.output(relay.name()).to_string().into_bytes()),
                Err(trouble) => {
                    let answer = answer(&trouble);
                    failed = Some((trouble, attached));
                    answer
                }
            }
        })
        .await?;
    match (answer.end, failed) {
        (End::Done, _) => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
        (_, Some((trouble, attached))) => Err(Stop::Failed(failure(act, trouble, attached).await)),
        (_, None) => Err(Stop::failed(FailureKind::Retry, answer.why.unwrap_or_else(|| "the mail was not sent".to_owned()))),
    }
}

/// The relay that an input names, or the one there is.
fn relay<'p>(present: &'p Present, input: &Value) -> Result<&'p Relay, String> {
    let relays = &present.relays;
    let found = match input.get("relay").and_then(Value::as_str) {
        Some(name) => relays.get(name).ok_or_else(|| format!("the present configuration has no relay `{name}` ([mail.{name}])")),
        None if relays.len() == 1 => relays.values().next().ok_or_else(String::new),
        None => relays.get("default").ok_or_else(|| match relays.len() {
            0 => "the present configuration has no relay ([mail.NAME])".to_owned(),
            _ => "there are several relays, none is called `default`, and this step names none (`relay`)".to_owned(),
        }),
    };
    found.map(|relay| &**relay)
}

/// What the journal keeps.
fn answer(trouble: &Trouble) -> Answer {
    match trouble {
        Trouble::InDoubt(why) => Answer::in_doubt(why.clone()),
        trouble => Answer::not_sent(trouble.why().to_owned()),
    }
}

/// What the run makes of it.
async fn failure(act: &Act<'_>, trouble: Trouble, attached: Option<crate::credentials::Attached>) -> StepFailure {
    let why = trouble.why().to_owned();
    let again = |kind: FailureKind, after: Option<Duration>| StepFailure { after, ..StepFailure::new(kind, why.clone()) };
    let obstructed = |remedy: Remedy| match remedy {
        Remedy::Change => again(FailureKind::Unauthorized, None),
        Remedy::Later => again(FailureKind::Busy, None),
        Remedy::At(time) => again(FailureKind::Busy, Duration::try_from(time.duration_since(act.runtime.clock.now())).ok()),
    };
    match trouble {
        Trouble::InDoubt(_) => again(FailureKind::Retry, None),
        // Neither uses up attempts: mail waits for days where it must, and the run's deadline says for how many.
        Trouble::Later(_) => again(FailureKind::RateLimited, Some(LATER)),
        Trouble::Unreachable(_) => again(FailureKind::RateLimited, Some(UNREACHABLE)),
        Trouble::Busy { after, .. } => again(FailureKind::Busy, Some(after)),
        Trouble::Credential(_, remedy) => obstructed(remedy),
        Trouble::Refused { recipients, .. } => {
            let refused = |(address, reason): &(String, String)| json!({ "address": address, "reason": reason });
            let details = (!recipients.is_empty()).then(|| json!({ "refused": recipients.iter().map(refused).collect::<Vec<_>>() }));
            StepFailure { details, ..again(FailureKind::Rejected, None) }
        }
        Trouble::Unauthorized(_) => match &attached {
            Some(attached) => match act.runtime.broker.refused(attached).await {
                Ok(true) => again(FailureKind::Busy, None),
                Ok(false) => again(FailureKind::Unauthorized, None),
                Err(error) => obstructed(error.remedy()),
            },
            None => again(FailureKind::Rejected, None),
        },
    }
}
