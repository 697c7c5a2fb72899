//! Actions `send-template` and `send-text`.
//!
//! WhatsApp recognises no message that is sent twice, and has no list of those that were sent. Each carries its key as
//! `biz_opaque_callback_data`, which comes back with its statuses: so a person can tell what became of one whose answer was lost.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

use crate::{client::post, config::Config, number::whatsapp_id};

/// The one write.
const MESSAGE: &str = "message";

/// Sends a template, which WhatsApp has approved: the only message that may begin a conversation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendTemplate {
    /// International number, such as +43 664 1234567.
    #[schemars(length(min = 7, max = 40), extend("x-personal" = true))]
    to: String,
    /// The template's name.
    #[schemars(length(min = 1, max = 512))]
    template: String,
    /// Its language, such as `de` or `en_US`.
    #[schemars(regex(pattern = "^[a-z]{2,3}([_-][A-Za-z]{2,8})?$"))]
    language: String,
    /// What stands for `{{1}}`, `{{2}}`, … in its body, in this order.
    #[serde(default)]
    #[schemars(extend("x-personal" = true))]
    parameters: Vec<Text>,
    /// What stands for named parameters of its body, such as `{{first_name}}`; not together with `parameters`.
    #[serde(default)]
    #[schemars(extend("x-personal" = true))]
    named: BTreeMap<String, Text>,
    /// Components as WhatsApp takes them, for templates with headers and buttons, in place of `parameters` and `named`.
    #[schemars(length(max = 20))]
    components: Option<Vec<Value>>,
}

/// A text or a number.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// As it is.
    Text(String),
    /// With its digits.
    Number(serde_json::Number),
}

impl Text {
    fn parameter(&self) -> Value {
        let text = match self {
            Text::Text(text) => text.clone(),
            Text::Number(number) => number.to_string(),
        };
        json!({ "type": "text", "text": text })
    }
}

/// Sends a text to somebody who wrote within the last 24 hours.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendText {
    /// International number, such as +43 664 1234567.
    #[schemars(length(min = 7, max = 40), extend("x-personal" = true))]
    to: String,
    /// The text.
    #[schemars(length(min = 1, max = 4096), extend("x-personal" = true))]
    text: String,
    /// Id of the message that it answers.
    #[schemars(length(min = 1, max = 256))]
    reply_to: Option<String>,
    /// Shows what a link in it leads to.
    #[serde(default)]
    preview_url: bool,
}

/// A message that WhatsApp took. What becomes of it comes in as `message.status`.
#[derive(Serialize, JsonSchema)]
pub struct Sent {
    /// `wamid.…`
    message_id: String,
    /// Whom it goes to, as WhatsApp knows them; may differ from the number that was given.
    whatsapp_id: String,
}

pub fn send_template(input: SendTemplate, cx: &Context<Config>) -> Result<Sent, Failure> {
    if !input.named.is_empty() && !input.parameters.is_empty() {
        return Err(Failure::rejected("give either `parameters` or `named`"));
    }
    let mut template = json!({ "name": input.template, "language": { "code": input.language.replace('-', "_") } });
    if let Some(components) = input.components {
        template["components"] = Value::Array(components);
    } else if !input.parameters.is_empty() || !input.named.is_empty() {
        let named = input.named.iter().map(|(name, text)| {
            let mut parameter = text.parameter();
            parameter["parameter_name"] = Value::from(name.clone());
            parameter
        });
        let parameters: Vec<Value> = input.parameters.iter().map(Text::parameter).chain(named).collect();
        template["components"] = json!([{ "type": "body", "parameters": parameters }]);
    }
    send(&input.to, json!({ "type": "template", "template": template }), cx)
}

pub fn send_text(input: SendText, cx: &Context<Config>) -> Result<Sent, Failure> {
    let mut message = json!({ "type": "text", "text": { "body": input.text, "preview_url": input.preview_url } });
    if let Some(id) = input.reply_to {
        message["context"] = json!({ "message_id": id });
    }
    send(&input.to, message, cx)
}

fn send(to: &str, mut message: Value, cx: &Context<Config>) -> Result<Sent, Failure> {
    let to = whatsapp_id(to)?;
    message["messaging_product"] = json!("whatsapp");
    message["recipient_type"] = json!("individual");
    message["to"] = json!(to);
    message["biz_opaque_callback_data"] = json!(cx.key(MESSAGE));
    let answer = post(cx, MESSAGE, &message)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let message_id = text(&answer["messages"][0]["id"])
        .ok_or_else(|| Failure::rejected("WhatsApp's answer has no id of the message").details(json!({ "answer": answer })))?;
    log::info("sent", &[("message", &message_id)]);
    Ok(Sent { message_id, whatsapp_id: text(&answer["contacts"][0]["wa_id"]).unwrap_or(to) })
}
