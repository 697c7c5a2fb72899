//! Action `send`.

use sangam_sdk::prelude::*;

use crate::{config::Config, gateway, number::international, twilio};

/// The one write.
pub const MESSAGE: &str = "message";

/// Sends a text message, once where the gateway or its list of messages can tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// International number, such as +43 664 1234567.
    #[schemars(length(min = 8, max = 40), extend("x-personal" = true))]
    pub to: String,
    /// The text. 160 characters of the Latin alphabet or 70 of others are one message; more are sent, and paid for, as several.
    #[schemars(length(min = 1, max = 1600), extend("x-personal" = true))]
    pub text: String,
    /// Number or name that it comes from; default: as configured.
    #[schemars(length(min = 1, max = 40))]
    pub from: Option<String>,
}

/// A message that the gateway took.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sent {
    /// The gateway's id of it; none where it gives none.
    pub message_id: Option<String>,
    /// Whom it goes to.
    pub to: String,
    /// What the gateway says of it, such as `queued`.
    pub status: String,
}

pub fn send(mut input: Send, cx: &Context<Config>) -> Result<Sent, Failure> {
    input.to = international(&input.to)?;
    let sent = match (&cx.config.account_sid, &cx.config.gateway) {
        (Some(account), None) => twilio::send(&input, account, cx)?,
        (None, Some(gateway)) => gateway::send(&input, gateway, cx)?,
        _ => return Err(Failure::rejected("the configuration needs either `account-sid`, for Twilio, or `gateway`")),
    };
    log::info("sent", &[("message", &sent.message_id.as_deref().unwrap_or("without an id")), ("status", &sent.status)]);
    Ok(sent)
}
