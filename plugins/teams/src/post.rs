//! Action `post-message`.
//!
//! A workflow takes whatever it is sent, says nothing of what became of it, and can't be asked: a message whose answer was lost can't be looked for.

use sangam_sdk::prelude::*;

use crate::{
    card::{card, message},
    config::Config,
};

/// The one write.
const MESSAGE: &str = "message";
/// Largest message that Teams takes, in bytes.
const LARGEST: usize = 28 * 1024;
/// How long to wait where Teams does not say: it takes four messages a second.
const PAUSE: Duration = Duration::from_secs(2);

/// Posts a message as a card: at least one of `title`, `text`, `facts` and `card`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostMessage {
    /// One line above the rest.
    #[schemars(length(min = 1, max = 500))]
    pub title: Option<String>,
    /// The message, in the Markdown that cards know: bold, italics, lists and links.
    #[schemars(length(min = 1, max = 20_000), extend("x-personal" = true))]
    pub text: Option<String>,
    /// Shown as a table of two columns.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub facts: Vec<Fact>,
    /// Shown as buttons.
    #[serde(default)]
    #[schemars(length(max = 6))]
    pub links: Vec<Link>,
    /// A whole Adaptive Card, in place of all others.
    pub card: Option<serde_json::Map<String, Value>>,
}

/// A line of the table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What.
    pub title: String,
    /// Its value.
    #[schemars(extend("x-personal" = true))]
    pub value: String,
}

/// A button.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// What stands on it.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// Where it leads.
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
}

/// The workflow took it. Whether it is in the channel only its history in Power Automate shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Posted {
    /// Of the workflow's answer, usually 202.
    pub status: u16,
    /// The workflow's id of its run, by which Power Automate lists it.
    pub workflow_run: Option<String>,
}

pub fn post_message(input: PostMessage, cx: &Context<Config>) -> Result<Posted, Failure> {
    let card = match &input.card {
        Some(card) if input.title.is_none() && input.text.is_none() && input.facts.is_empty() && input.links.is_empty() => {
            Value::Object(card.clone())
        }
        Some(_) => return Err(Failure::rejected("give either `card` or the others")),
        None if input.title.is_none() && input.text.is_none() && input.facts.is_empty() => {
            return Err(Failure::rejected("there is nothing in this message: give it `title`, `text`, `facts` or `card`"));
        }
        None => card(&input),
    };
    let message = message(card);
    let size = message.to_string().len();
    if size > LARGEST {
        return Err(Failure::rejected(format!("the message has {size} bytes; Teams takes at most {LARGEST}")));
    }
    let url = format!("{}{}", cx.config.base_url.trim_end_matches('/'), cx.config.path);
    let response = cx.post(url).name(MESSAGE).json(&message).send().and_then(ok)?;
    let workflow_run = response.header("x-ms-workflow-run-id").map(str::to_owned);
    log::info("posted", &[("run", &workflow_run.as_deref().unwrap_or("unknown"))]);
    Ok(Posted { status: response.status, workflow_run })
}

/// The answer itself if the message was taken. What Teams refuses, the older webhooks say with status 200.
fn ok(response: Response) -> Result<Response, Failure> {
    let text = response.text();
    if response.is_success() && text.contains("Webhook message delivery failed") {
        let limited = text.contains("429");
        let told: String = text.chars().take(300).collect();
        let reason = format!("Teams did not take the message: {told}");
        // It did nothing, but the journal has it for done: a replay with new keys sends it again.
        return Err(if limited {
            Failure::rejected(format!("{reason} (too many messages; slow down with `rate-limit`)"))
        } else {
            Failure::rejected(reason)
        });
    }
    match response.status {
        401 | 403 => Err(Failure::unauthorized(format!(
            "the workflow refuses the signature of its address ({}): set the credential `sig` anew from the workflow's address",
            response.status
        ))
        .response(&response)),
        404 | 410 => Err(Failure::rejected("there is no such workflow any more, or it is switched off").response(&response)),
        429 => {
            let failure = response.ok().expect_err("429 is no success");
            let after = failure.after.or(Some(PAUSE));
            Err(failure.after(after))
        }
        _ => response.ok(),
    }
}
