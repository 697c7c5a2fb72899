//! `[webhooks.NAME]`: whoever wants to be told of events.

use std::time::Duration;

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Reference, Retry};
use crate::router::Pattern;

/// `[webhooks.NAME]`: an endpoint that `sangam.webhook` posts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscriber {
    /// Its name.
    pub name: String,
    /// `url`
    pub url: String,
    /// `secret`: each signs, so that the other side can go over from one to the next. Texts `whsec_…` as Standard Webhooks has them.
    pub secrets: Vec<Reference>,
    /// `signing-key`: an Ed25519 key `whsk_…`, which signs as `v1a`.
    pub signing_key: Option<Reference>,
    /// `format`
    pub format: SubscriberFormat,
    /// `types` of the events that it wants; empty: all.
    pub types: Vec<Pattern>,
    /// `headers` of every request.
    pub headers: Vec<(String, Reference)>,
    /// `timeout` of one request.
    pub timeout: Duration,
    /// `ordered`: one delivery after another.
    pub ordered: bool,
    /// `retry`: what is refused as such (400, 422 and the like) is tried `max-attempts` times; anything else until the endpoint is disabled.
    pub retry: Retry,
    /// `disable-after` failures for so long; `None`: never.
    pub disable_after: Option<Duration>,
    /// `allow-private-addresses`
    pub private_addresses: Vec<IpNet>,
    /// `ca-file`: authorities trusted besides the operating system's.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// `format`: what is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum SubscriberFormat {
    /// `"standard-webhooks"`: `{type, timestamp, data}`.
    #[serde(rename = "standard-webhooks")]
    StandardWebhooks,
    /// `"cloudevents"`: the whole event in the body (structured mode).
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// `"cloudevents-binary"`: the data in the body, the rest in headers.
    #[serde(rename = "cloudevents-binary")]
    CloudEventsBinary,
}

impl Subscriber {
    /// Whether it wants events of that type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|pattern| pattern.matches(event_type))
    }
}
