//! A source of `type = "webhook"`.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::shape::Shaped;
use super::{stream, verify};
use crate::config::clear_text::secret;
use crate::config::item::Item;
use crate::config::model::{Answer, BodyForm, Handshake, OnUnreadable, Webhook};
use crate::config::reader::Reader;
use crate::config::section::Section;

/// Bodies are kept whole in the store, and read whole into memory.
const LARGEST_BODY: u64 = 256 << 20;
/// Files of a form are kept within their event.
const DEFAULT_FILE: usize = 64 << 10;
/// Longest fixed answer.
const MAX_ANSWER: usize = 16 << 10;
/// A scheme of which the sender signs a handshake, and one whose answer is a document.
const SLACK: &str = "slack";
const SALESFORCE: &str = "salesforce-outbound-message";

/// Reads what only webhooks have.
pub(super) fn webhook(r: &mut Reader<'_>, section: &mut Section<'_>, plugins: &BTreeSet<String>, shape: &Shaped) -> Option<Webhook> {
    let verify_item = section.required(
        r,
        "verify",
        "{ scheme = \"standard-webhooks\", secret = \"${secret:NAME}\" }, or \"none\" to take it from anyone",
    );
    let scheme = verify_item.as_ref().and_then(scheme_word);
    let verify = verify_item.map(|item| verify::verify(r, &item));
    let uses = section.get("uses").is_some();
    let plugin = if uses || section.get("stream").is_some() { Some(stream(r, section, plugins)) } else { None };
    let methods = section.get("methods").map(|item| methods(r, &item));
    let max_size = section.get("max-size").and_then(|item| item.size(r, 1..=LARGEST_BODY)).and_then(|bytes| usize::try_from(bytes).ok());
    let body_item = section.get("body");
    let forms = [
        ("auto", BodyForm::Auto),
        ("json", BodyForm::Json),
        ("form", BodyForm::Form),
        ("multipart", BodyForm::Multipart),
        ("xml", BodyForm::Xml),
        ("text", BodyForm::Text),
        ("cloudevents", BodyForm::CloudEvents),
    ];
    let body = body_item.as_ref().and_then(|item| item.choice(r, &forms)).unwrap_or(BodyForm::Auto);
    let file = section.get("max-file-size").and_then(|item| item.size(r, 0..=LARGEST_BODY)).and_then(|bytes| usize::try_from(bytes).ok());
    let answer_item = section.get("answer");
    let answer = answer_item.as_ref().map(|item| answer(r, item));
    let choices = [("keep", OnUnreadable::Keep), ("refuse", OnUnreadable::Refuse)];
    let on_unreadable = section.get("on-unreadable").and_then(|item| item.choice(r, &choices));
    let by_scheme = if scheme == Some(SLACK) { Some(Handshake::Slack) } else { None };
    let handshake = section.get("handshake").map_or(Some(by_scheme), |item| handshake(r, &item));
    if plugin.is_some() {
        shape.refuse(r, "the plugin says what the events are");
        let why = "the plugin reads the body and says what is answered";
        for item in [&body_item, &answer_item].into_iter().flatten() {
            r.error(&item.key, format!("`{}` means nothing here: {why}", item.name)).help("leave it out");
        }
    } else if body != BodyForm::CloudEvents {
        shape.require_type(r, section, ", or body = \"cloudevents\" if that is what comes");
    }
    Some(Webhook {
        verify: verify??,
        plugin: plugin.map_or(Some(None), |plugin| plugin.map(Some))?,
        methods: methods.unwrap_or_else(|| Some(vec!["POST".to_owned()]))?,
        max_size,
        body,
        max_file_size: file.unwrap_or(DEFAULT_FILE),
        answer: answer.unwrap_or(Some(default_answer(scheme)))?,
        on_unreadable: on_unreadable.unwrap_or(OnUnreadable::Keep),
        handshake: handshake?,
    })
}

/// The `scheme` of `verify` as it is written: some vendors want an answer of their own.
fn scheme_word<'t>(item: &Item<'t>) -> Option<&'t str> {
    item.value.as_table()?.get("scheme")?.get_ref().as_str()
}

fn default_answer(scheme: Option<&str>) -> Answer {
    match scheme {
        Some(SALESFORCE) => Answer::SalesforceAck,
        // Twilio takes a body for instructions, and calls an empty one of no type an error.
        Some("twilio") => Answer::Status(204),
        _ => Answer::Status(200),
    }
}

fn methods(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.items(r)?;
    if items.is_empty() {
        r.error(&item.span, "`methods` is an empty list, so that nothing could come in").help("leave it out for POST alone");
        return None;
    }
    let choices = [("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("GET", "GET")];
    let methods: Vec<Option<&str>> = items.iter().map(|item| item.choice(r, &choices)).collect();
    methods.into_iter().map(|method| method.map(str::to_owned)).collect()
}

/// `answer`: a status, `"salesforce"`, or a table.
fn answer(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Answer> {
    match item.value {
        DeValue::Integer(_) => status(r, item).map(Answer::Status),
        DeValue::String(_) => item.choice(r, &[("salesforce", ())]).map(|()| Answer::SalesforceAck),
        DeValue::Table(_) => {
            let mut section = item.table(r, "`answer`")?;
            let status = section.get("status").map_or(Some(200), |item| status(r, &item));
            let kind = section.required(r, "content-type", "\"text/plain\"").and_then(|item| item.parsed(r, media_type));
            let body = section.required(r, "body", "\"ok\"").and_then(|item| item.parsed(r, fixed_body));
            section.finish(r);
            Some(Answer::Text { status: status?, content_type: kind?, body: body? })
        }
        _ => item.wrong_type(r, "a status such as 202, \"salesforce\", or a table { status, content-type, body }"),
    }
}

fn status(r: &mut Reader<'_>, item: &Item<'_>) -> Option<u16> {
    item.count(r, 200..=299).and_then(|status| u16::try_from(status).ok())
}

fn media_type(text: &str) -> Result<String, String> {
    let fine = text.contains('/') && text.len() <= 256 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if fine { Ok(text.to_owned()) } else { Err(format!("{text:?} is not a media type: write it such as \"text/plain\"")) }
}

fn fixed_body(text: &str) -> Result<String, String> {
    if text.len() <= MAX_ANSWER { Ok(text.to_owned()) } else { Err(format!("an answer has at most {MAX_ANSWER} bytes")) }
}

#[derive(Clone, Copy)]
enum Kind {
    Slack,
    Meta,
    CloudEvents,
    MicrosoftGraph,
}

/// `handshake`: `"none"`, a word, or a table with its `kind` for those that need more.
fn handshake(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Option<Handshake>> {
    if item.value.as_str() == Some("none") {
        return Some(None);
    }
    let words = [(SLACK, Kind::Slack), ("meta", Kind::Meta), ("cloudevents", Kind::CloudEvents), ("microsoft-graph", Kind::MicrosoftGraph)];
    if item.value.is_str() {
        return match item.choice(r, &words)? {
            Kind::Slack => Some(Some(Handshake::Slack)),
            Kind::MicrosoftGraph => Some(Some(Handshake::MicrosoftGraph)),
            Kind::Meta => {
                r.error(&item.span, "this handshake proves who asks with a token that you choose")
                    .help("write handshake = { kind = \"meta\", token = \"${secret:NAME}\" }");
                None
            }
            Kind::CloudEvents => {
                r.error(&item.span, "this handshake needs to know who may send")
                    .help("write handshake = { kind = \"cloudevents\", origins = [\"eventgrid.azure.net\"] }");
                None
            }
        };
    }
    let mut section = item.table(r, "`handshake`")?;
    let kind = section.required(r, "kind", "\"meta\"").and_then(|item| item.choice(r, &words))?;
    let handshake = match kind {
        Kind::Slack => Some(Handshake::Slack),
        Kind::MicrosoftGraph => Some(Handshake::MicrosoftGraph),
        Kind::Meta => secret(r, &mut section, "token").map(|token| Handshake::Meta { token }),
        Kind::CloudEvents => {
            let origins = section.required(r, "origins", "[\"eventgrid.azure.net\"]").and_then(|item| item.items(r));
            let rate = section.get("rate").and_then(|item| item.count(r, 1..=1_000_000));
            let origins: Option<Vec<String>> =
                origins.and_then(|items| items.iter().map(|item| item.parsed(r, origin)).collect::<Vec<_>>().into_iter().collect());
            origins.map(|origins| Handshake::CloudEvents { origins, rate })
        }
    };
    section.finish(r);
    handshake.map(Some)
}

/// A DNS name as senders write it into `WebHook-Request-Origin`, or `*`.
fn origin(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if text == "*" || (!text.is_empty() && text.len() <= 255 && text.bytes().all(plain)) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("{text:?} is not the name of a sender: write it such as \"eventgrid.azure.net\", or \"*\" for anyone"))
}
