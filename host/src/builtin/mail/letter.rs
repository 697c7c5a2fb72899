//! One letter: what a step's input says, read and checked, and the message that is made of it (RFC 5322, MIME).
//!
//! The message comes out the same on every attempt, byte for byte: its id and its boundaries derive from the key of the write, its date is
//! that of the step's clock.

use std::collections::BTreeSet;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Body, Message, MultiPart, SinglePart};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::address::Mailbox;
use super::words::Words;

/// Longest subject. Beyond it somebody has put a text into the wrong field.
const LONGEST_SUBJECT: usize = 900;
/// Longest id of another message, as `in_reply_to` names it: more does not fit a line.
const LONGEST_ID: usize = 900;
const MOST_REFERENCES: usize = 50;
const MOST_ATTACHMENTS: usize = 50;
const LONGEST_FILE_NAME: usize = 255;

/// A letter, before it has a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Who writes.
    pub from: Mailbox,
    /// `to`
    pub to: Vec<Mailbox>,
    /// `cc`
    pub cc: Vec<Mailbox>,
    /// `bcc`: in the envelope alone.
    pub bcc: Vec<Mailbox>,
    /// `reply_to`
    pub reply_to: Vec<Mailbox>,
    /// `partial`: goes to those whom the relay takes, where it refuses some.
    pub partial: bool,
    words: Words,
    attachments: Vec<Attachment>,
    in_reply_to: Option<String>,
    references: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Attachment {
    name: String,
    kind: ContentType,
    content: Vec<u8>,
}

impl Letter {
    /// Reads a step's input. `words` are its subject and its texts, which a template may have made; `from` is the relay's own sender.
    ///
    /// # Errors
    /// What is wrong with it and where, for people.
    pub fn read(input: &Value, words: Words, from: &Mailbox) -> Result<Letter, String> {
        let member = |name: &str| input.get(name).filter(|value| !value.is_null());
        let letter = Letter {
            from: match member("from") {
                Some(value) => mailbox(value, "from")?,
                None => from.clone(),
            },
            to: mailboxes(member("to"), "to")?,
            cc: mailboxes(member("cc"), "cc")?,
            bcc: mailboxes(member("bcc"), "bcc")?,
            reply_to: mailboxes(member("reply_to"), "reply_to")?,
            partial: member("partial").and_then(Value::as_bool).unwrap_or(false),
            words,
            attachments: attachments(member("attachments"))?,
            in_reply_to: member("in_reply_to").map(|value| message_id(value, "in_reply_to")).transpose()?,
            references: references(member("references"))?,
        };
        if letter.to.is_empty() {
            return Err("`to` names nobody".to_owned());
        }
        if letter.words.subject.chars().any(char::is_control) {
            return Err("`subject` has a line end or another control character in it".to_owned());
        }
        if letter.words.subject.len() > LONGEST_SUBJECT {
            return Err(format!("`subject` has {} bytes; at most {LONGEST_SUBJECT}", letter.words.subject.len()));
        }
        if letter.words.text.is_none() && letter.words.html.is_none() && letter.attachments.is_empty() {
            return Err("there is nothing in this mail: give it `text`, `html`, `template` or `attachments`".to_owned());
        }
        Ok(letter)
    }

    /// Everybody it goes to, each once.
    pub fn recipients(&self) -> Vec<&Mailbox> {
        let mut seen = BTreeSet::new();
        self.to.iter().chain(&self.cc).chain(&self.bcc).filter(|mailbox| seen.insert(mailbox.address())).collect()
    }

    /// Whether a relay has to know more than ASCII for its addresses.
    pub fn needs_utf8(&self) -> bool {
        !self.from.is_ascii()
            || self.recipients().iter().chain(&self.reply_to.iter().collect::<Vec<_>>()).any(|mailbox| !mailbox.is_ascii())
    }

    /// Its id, by which whoever gets it twice can tell.
    pub fn message_id(&self, key: &str) -> String {
        format!("<{key}@{}>", self.from.domain())
    }

    /// What is kept and shown of it: whom it goes to and its subject, texts and attachments by size and digest alone.
    pub fn summary(&self) -> Value {
        let list = |mailboxes: &[Mailbox]| mailboxes.iter().map(|mailbox| Value::from(mailbox.to_string())).collect::<Vec<_>>();
        let mut shown = Map::new();
        shown.insert("from".to_owned(), self.from.to_string().into());
        for (name, mailboxes) in [("to", &self.to), ("cc", &self.cc), ("bcc", &self.bcc), ("reply_to", &self.reply_to)] {
            if !mailboxes.is_empty() {
                shown.insert(name.to_owned(), list(mailboxes).into());
            }
        }
        shown.insert("subject".to_owned(), self.words.subject.clone().into());
        for (name, text) in [("text", &self.words.text), ("html", &self.words.html)] {
            if let Some(text) = text {
                shown.insert(name.to_owned(), digest(text.as_bytes()));
            }
        }
        if !self.attachments.is_empty() {
            let attachment = |attachment: &Attachment| {
                let mut shown = digest(&attachment.content);
                shown["name"] = attachment.name.clone().into();
                shown
            };
            shown.insert("attachments".to_owned(), self.attachments.iter().map(attachment).collect::<Vec<_>>().into());
        }
        Value::Object(shown)
    }

    /// The message, its lines ended by CR and LF. `at` is its date.
    ///
    /// # Errors
    /// What can't be written as a message.
    pub fn message(&self, key: &str, at: Timestamp) -> Result<Vec<u8>, String> {
        let mut message = Message::builder()
            .from(self.from.to_header())
            .message_id(Some(self.message_id(key)))
            .date(SystemTime::from(at))
            .subject(self.words.subject.clone())
            .header(AutoSubmitted);
        for mailbox in &self.to {
            message = message.to(mailbox.to_header());
        }
        for mailbox in &self.cc {
            message = message.cc(mailbox.to_header());
        }
        for mailbox in &self.reply_to {
            message = message.reply_to(mailbox.to_header());
        }
        if let Some(id) = &self.in_reply_to {
            message = message.in_reply_to(id.clone());
        }
        // A reader's thread follows the references; the answered message is the last of them (RFC 5322 section 3.6.4).
        let mut references = self.references.clone();
        references.extend(self.in_reply_to.iter().filter(|id| !self.references.contains(id)).cloned());
        if !references.is_empty() {
            message = message.references(references.join(" "));
        }
        let message = match self.content(key) {
            Content::One(part) => message.singlepart(part),
            Content::Several(part) => message.multipart(part),
        };
        message.map(|message| message.formatted()).map_err(|error| format!("the mail can't be written: {error}"))
    }

    fn content(&self, key: &str) -> Content {
        let text = self.words.text.as_ref().map(|text| SinglePart::plain(lines(text)));
        let html = self.words.html.as_ref().map(|html| SinglePart::html(lines(html)));
        let boundary = |name: &str| format!("sangam-{name}-{key}");
        let body = match (text, html) {
            (Some(text), Some(html)) => {
                let both = MultiPart::alternative().boundary(boundary("alternative"));
                Some(Content::Several(both.singlepart(text).singlepart(html)))
            }
            (Some(one), None) | (None, Some(one)) => Some(Content::One(one)),
            (None, None) => None,
        };
        if self.attachments.is_empty() {
            return body.unwrap_or_else(|| Content::One(SinglePart::plain(String::new())));
        }
        let mixed = MultiPart::mixed().boundary(boundary("mixed"));
        let mut mixed = match body {
            Some(Content::One(part)) => mixed.singlepart(part),
            Some(Content::Several(part)) => mixed.multipart(part),
            None => mixed.build(),
        };
        for attachment in &self.attachments {
            mixed = mixed.singlepart(attachment.part());
        }
        Content::Several(mixed)
    }
}

enum Content {
    One(SinglePart),
    Several(MultiPart),
}

impl Attachment {
    fn part(&self) -> SinglePart {
        // Base64 whatever it is: a file must arrive as it left.
        let body = Body::new_with_encoding(self.content.clone(), ContentTransferEncoding::Base64)
            .unwrap_or_else(|content| Body::dangerous_pre_encoded(content, ContentTransferEncoding::Binary));
        Attached::new(self.name.clone()).body(body, self.kind.clone())
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834 section 5): no holiday notice answers it.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Line ends as mail has them. A lone CR is a line end too: some readers would take what follows for a line of its own.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn digest(content: &[u8]) -> Value {
    let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "bytes": content.len(), "digest": format!("sha256:{digest}") })
}

/// One address: a text, or `{name, address}`.
fn mailbox(value: &Value, place: &str) -> Result<Mailbox, String> {
    let read = match value {
        Value::String(text) => Mailbox::parse(text),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            Mailbox::new(text("name"), text("address").unwrap_or_default())
        }
        _ => Err("write an address, or { name, address }".to_owned()),
    };
    read.map_err(|why| format!("`{place}`: {why}"))
}

/// None, one or several.
fn mailboxes(value: Option<&Value>, place: &str) -> Result<Vec<Mailbox>, String> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| mailbox(item, place)).collect(),
        Some(one) => Ok(vec![mailbox(one, place)?]),
    }
}

fn attachments(value: Option<&Value>) -> Result<Vec<Attachment>, String> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.len() > MOST_ATTACHMENTS {
        return Err(format!("{} attachments; at most {MOST_ATTACHMENTS}", items.len()));
    }
    items.iter().map(attachment).collect()
}

fn attachment(value: &Value) -> Result<Attachment, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    let is_name = !name.is_empty() && name.len() <= LONGEST_FILE_NAME && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
    if !is_name {
        return Err(format!("{name:?} can't name an attachment: write a file name without a folder"));
    }
    let wrong = |why: String| format!("attachment {name:?}: {why}");
    let content = match (text("base64"), text("text")) {
        (Some(data), None) => {
            let data: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            STANDARD.decode(data).map_err(|error| wrong(format!("its `base64` is none: {error}")))?
        }
        (None, Some(text)) => text.as_bytes().to_vec(),
        _ => return Err(wrong("give it either `base64` or `text`".to_owned())),
    };
    let kind = text("content_type").unwrap_or("application/octet-stream");
    let kind = ContentType::parse(kind).map_err(|_| wrong(format!("{kind:?} is no media type")))?;
    Ok(Attachment { name: name.to_owned(), kind, content })
}

/// An id as it stands in headers, `<…@…>`.
fn message_id(value: &Value, place: &str) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    let is_id = !inner.is_empty() && inner.len() <= LONGEST_ID && inner.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>'));
    if is_id { Ok(format!("<{inner}>")) } else { Err(format!("`{place}`: {text:?} is not the id of a message")) }
}

fn references(value: Option<&Value>) -> Result<Vec<String>, String> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.len() > MOST_REFERENCES {
        return Err(format!("{} `references`; at most {MOST_REFERENCES}", items.len()));
    }
    items.iter().map(|item| message_id(item, "references")).collect()
}
