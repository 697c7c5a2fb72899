//! Action `mark-read`.

use sangam_sdk::prelude::*;

use crate::{client::post, config::Config};

/// Marks a message that came in, and those before it, as read: whoever wrote it sees two blue ticks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// `wamid.…` of the message, at most 30 days old.
    #[schemars(length(min = 1, max = 256))]
    message_id: String,
    /// Shows for some seconds that somebody is typing.
    #[serde(default)]
    typing: bool,
}

/// It was marked.
#[derive(Serialize, JsonSchema)]
pub struct Marked {
    message_id: String,
}

pub fn mark_read(input: MarkRead, cx: &Context<Config>) -> Result<Marked, Failure> {
    let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": input.message_id });
    if input.typing {
        body["typing_indicator"] = json!({ "type": "text" });
    }
    post(cx, "read", &body)?;
    Ok(Marked { message_id: input.message_id })
}
