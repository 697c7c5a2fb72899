//! `[[sources]]`: where events come in besides `POST /v1/events`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Reference, Retry};
use crate::mapping::{Expr, Template};
use crate::source::{Calendar, Policy};

/// `[[sources]]`.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name; of a webhook the last part of its path, too.
    pub name: String,
    /// `type`, with what belongs to it.
    pub kind: SourceKind,
    /// How what comes in becomes events.
    pub shape: Shape,
}

impl Source {
    /// What its events have as `source`.
    pub fn uri(&self) -> String {
        format!("/sources/{}", self.name)
    }

    /// The stream of a plugin that it brings in.
    pub fn stream(&self) -> Option<&PluginStream> {
        match &self.kind {
            SourceKind::Webhook(webhook) => webhook.plugin.as_ref(),
            SourceKind::Poll(poll) => Some(&poll.stream),
            SourceKind::Schedule(_) | SourceKind::Nats(_) => None,
        }
    }
}

/// `type`.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// `"webhook"`: `POST /hooks/NAME`.
    Webhook(Webhook),
    /// `"poll"`: a stream of a plugin, page by page.
    Poll(Poll),
    /// `"schedule"`: an event at each firing.
    Schedule(Schedule),
    /// `"nats"`: a durable consumer.
    Nats(super::Nats),
}

impl SourceKind {
    /// The word that the file has for it.
    pub fn word(&self) -> &'static str {
        match self {
            SourceKind::Webhook(_) => "webhook",
            SourceKind::Poll(_) => "poll",
            SourceKind::Schedule(_) => "schedule",
            SourceKind::Nats(_) => "nats",
        }
    }
}

/// `uses` and `stream`: a stream of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStream {
    /// Name of the plugin, which is configured.
    pub plugin: String,
    /// Name of the stream. Whether the plugin has it is known with the plugin at hand.
    pub stream: String,
}

/// `event-type`, `event`, `each`: how one delivery becomes events.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// `event-type`: of every event, unless `event` has a `type`.
    pub event_type: Option<String>,
    /// `each`, as an expression for the array of all of them. `None`: the delivery is one event.
    pub each: Option<Arc<Expr>>,
    /// `event`: an object with some of `type`, `id`, `subject`, `time`, `data`.
    pub event: Option<Arc<Template>>,
}

/// A source of `type = "webhook"`.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `verify`
    pub verify: super::Verify,
    /// `uses`, `stream`: the plugin that turns deliveries into events. `None`: the source's [`Shape`] does.
    pub plugin: Option<PluginStream>,
    /// `methods`: with which deliveries come, in upper case.
    pub methods: Vec<String>,
    /// `max-size` of a body, bytes. `None`: `server.max-event-size`.
    pub max_size: Option<usize>,
    /// `body`
    pub body: BodyForm,
    /// `max-file-size`: of one file in a `multipart/form-data` body, bytes.
    pub max_file_size: usize,
    /// `answer`
    pub answer: Answer,
    /// `on-unreadable`
    pub on_unreadable: OnUnreadable,
    /// `handshake`
    pub handshake: Option<Handshake>,
}

/// `body`: what a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// `"auto"`: what its `Content-Type` says.
    Auto,
    /// `"json"`
    Json,
    /// `"form"`: `application/x-www-form-urlencoded`.
    Form,
    /// `"multipart"`: `multipart/form-data`.
    Multipart,
    /// `"xml"`
    Xml,
    /// `"text"`
    Text,
    /// `"cloudevents"`: nothing but CloudEvents.
    CloudEvents,
}

/// `answer`: what a sender gets once its delivery is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status without a body.
    Status(u16),
    /// A status with a fixed body.
    Text {
        /// 200 to 299.
        status: u16,
        /// Media type.
        content_type: String,
        /// The body.
        body: String,
    },
    /// The SOAP acknowledgement of Salesforce outbound messages.
    SalesforceAck,
}

/// `on-unreadable`: a delivery that was verified and can't be turned into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreadable {
    /// `"keep"`: it is set aside, and its sender gets the usual answer.
    Keep,
    /// `"refuse"`: its sender gets 422.
    Refuse,
}

/// `handshake`: how a sender makes sure, before it sends anything, that this endpoint wants it.
#[derive(Debug, Clone, PartialEq)]
pub enum Handshake {
    /// `"slack"`: a signed body of type `url_verification`, answered with its `challenge`.
    Slack,
    /// `"meta"` (WhatsApp, Messenger, Instagram): `GET` with `hub.verify_token`, answered with `hub.challenge`.
    Meta {
        /// `token`
        token: Reference,
    },
    /// `"cloudevents"` (HTTP 1.1 Web Hooks for Event Delivery, section 4): `OPTIONS` with `WebHook-Request-Origin`.
    CloudEvents {
        /// `origins` that may send; `*` is anyone.
        origins: Vec<String>,
        /// `rate`: most deliveries per minute. `None`: as many as they like.
        rate: Option<u32>,
    },
    /// `"microsoft-graph"`: `validationToken` in the query, answered with itself.
    MicrosoftGraph,
}

/// A source of `type = "poll"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// `uses`, `stream`
    pub stream: PluginStream,
    /// `every`: from the end of one poll to the next.
    pub every: Duration,
    /// `since`: where the first poll begins.
    pub since: Option<Timestamp>,
    /// `limit`: most events of a page.
    pub limit: u32,
    /// `retry`: pauses after failures.
    pub retry: Retry,
    /// `backfill-every`: from the end of one page of a backfill to the next.
    pub backfill_every: Duration,
    /// `set-aside-most`: with so many records set aside the source waits for somebody.
    pub set_aside_most: u32,
}

/// A source of `type = "schedule"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// `cron`, `time-zone`
    pub calendar: Arc<Calendar>,
    /// `missed`, `missed-after`, `missed-most`, `jitter`
    pub policy: Policy,
}

/// `missed`: what becomes of firings while no host ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// `"skip"`: nothing.
    Skip,
    /// `"once"`: the last of them is made up for.
    Once,
    /// `"all"`: each is made up for.
    All,
}
