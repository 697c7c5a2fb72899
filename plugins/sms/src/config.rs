//! The plugin's configuration: Twilio, or what another gateway wants.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

/// Whose gateway, and who sends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the gateway.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Twilio's account, `AC…`. Without one, `gateway` describes another gateway.
    #[schemars(regex(pattern = "^AC[0-9a-fA-F]{32}$"))]
    pub account_sid: Option<String>,
    /// Number or name that messages come from, unless the step names one.
    pub from: Option<String>,
    /// Twilio's messaging service, `MG…`, in place of `from`.
    #[schemars(regex(pattern = "^MG[0-9a-fA-F]{32}$"))]
    pub messaging_service_sid: Option<String>,
    /// Where Twilio reports what becomes of messages: `https://…/hooks/NAME` of a source that receives this plugin's stream.
    pub status_callback: Option<String>,
    /// A gateway that is not Twilio.
    pub gateway: Option<Gateway>,
}

fn base_url() -> String {
    "https://api.twilio.com".to_owned()
}

/// A gateway over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gateway {
    /// Path of the request, such as `/v2/sms`.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// How the fields travel.
    #[serde(default)]
    pub format: Format,
    /// Fields of the request. In their texts `{to}`, `{from}`, `{text}` and `{key}` stand for number, sender, text and the idempotency key.
    pub fields: BTreeMap<String, Value>,
    /// How the gateway wants numbers.
    #[serde(default)]
    pub numbers: Numbers,
    /// What an answer with status 2xx must say to be a success.
    pub success: Option<Success>,
    /// Where the message's id stands in the answer, such as `messages[0].id`.
    #[serde(default)]
    pub message_id: String,
    /// Where the answer says what is wrong.
    #[serde(default)]
    pub error: String,
    /// Where statuses and answers stand in what the gateway posts to a source.
    #[serde(default)]
    pub callback: Callback,
}

/// How fields travel.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A `POST` with a form.
    #[default]
    Form,
    /// A `POST` with JSON.
    Json,
    /// A `POST` with everything in the query and nothing in the body.
    Query,
}

/// How a gateway wants numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Numbers {
    /// `+436641234567`
    #[default]
    Plus,
    /// `436641234567`
    Digits,
    /// `00436641234567`
    Zeros,
}

/// What a successful answer says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Success {
    /// Where, such as `messages[0].status`; empty: the whole body, as text.
    #[serde(default)]
    pub at: String,
    /// Any of these.
    pub values: Vec<String>,
}

/// Where things stand in what a gateway posts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Callback {
    /// The message's id.
    pub message_id: String,
    /// What became of a message. Where it is empty or missing, the post is a message that came in.
    pub status: String,
    /// Statuses that mean that it arrived.
    pub delivered: Vec<String>,
    /// Statuses that mean that it never will.
    pub failed: Vec<String>,
    /// Why it failed.
    pub error: String,
    /// Who wrote.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The text.
    pub text: String,
    /// When, RFC 3339.
    pub at: String,
}
