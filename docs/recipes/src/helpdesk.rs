//! Connector `helpdesk`: comments on tickets of a system that knows neither idempotency keys nor external ids.

use sangam_sdk::{EffectState, prelude::*};

/// The connector.
#[derive(Debug)]
pub struct Helpdesk;

/// Which helpdesk.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API, such as `https://desk.example.com`.
    base_url: String,
}

impl Plugin for Helpdesk {
    type Config = Config;
    const NAME: &'static str = "helpdesk";
    const TITLE: &'static str = "Helpdesk";
    const DESCRIPTION: &'static str = "Comments on tickets.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Helpdesk {
    fn actions(a: &mut Actions<Self>) {
        a.action("add-comment", "Comment on a ticket", add_comment).undo("delete-comment");
        a.action("delete-comment", "Delete a comment", delete_comment).description("Deletes the comment that `add-comment` made.");
    }
}

// ANCHOR: types
/// Adds a comment to a ticket, once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddComment {
    /// The ticket's number.
    ticket: String,
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Comment {
    id: String,
}

// ANCHOR_END: types

// ANCHOR: marker
/// The one write of `add-comment`.
const COMMENT: &str = "comment";

fn add_comment(input: AddComment, cx: &Context<Config>) -> Result<Comment, Failure> {
    let comments = comments(cx, &input.ticket);
    let marker = marker(&cx.key(COMMENT));
    // An attempt before this one may have left a comment without hearing of it.
    if !cx.first_attempt()
        && let Some(id) = look_for(cx, &comments, &marker)?
    {
        return Ok(Comment { id });
    }
    let body = json!({ "text": format!("{}\n\n{marker}", input.text) });
    let made: Value = cx.post(comments).name(COMMENT).json(&body).send().and_then(ok)?.json()?;
    let id = text(&made, "id");
    log::info("commented on a ticket", &[("ticket", &input.ticket), ("comment", &id)]);
    Ok(Comment { id })
}

// ANCHOR_END: marker

// ANCHOR: undo
fn delete_comment(undo: Undo<AddComment, Comment>, cx: &Context<Config>) -> Result<(), Failure> {
    let comments = comments(cx, &undo.input.ticket);
    let maybe_done = undo.effect(COMMENT).filter(|effect| effect.state != EffectState::Failed);
    let key = maybe_done.and_then(|effect| effect.key.clone());
    let id = match (undo.output, key) {
        (Some(comment), _) => Some(comment.id),
        // The step failed, yet its comment may be there.
        (None, Some(key)) => look_for(cx, &comments, &marker(&key))?,
        (None, None) => None,
    };
    let Some(id) = id else { return Ok(()) };
    let response = cx.delete(format!("{comments}/{}", encode(&id))).name("delete").send()?;
    // One that is gone already is as good.
    if response.status != 404 {
        ok(response)?;
    }
    Ok(())
}

// ANCHOR_END: undo

fn comments(cx: &Context<Config>, ticket: &str) -> String {
    format!("{}/api/tickets/{}/comments", cx.config.base_url, encode(ticket))
}

fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}

fn look_for(cx: &Context<Config>, comments: &str, marker: &str) -> Result<Option<String>, Failure> {
    let list: Vec<Value> = cx.get(comments).send().and_then(ok)?.json()?;
    let found = list.iter().find(|comment| text(comment, "text").contains(marker));
    Ok(found.map(|comment| text(comment, "id")))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

// ANCHOR: classify
/// The vendor's own ways of failing first, then those of HTTP.
fn ok(response: Response) -> Result<Response, Failure> {
    match response.status {
        409 if response.text().contains("TICKET_LOCKED") => {
            Err(Failure::retry("An agent has the ticket open").after(Duration::from_secs(30)).response(&response))
        }
        403 if response.text().contains("QUOTA") => {
            Err(Failure::rate_limited("The helpdesk's hourly quota is used up").response(&response))
        }
        _ => response.ok(),
    }
}
// ANCHOR_END: classify

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use sangam_sdk::prelude::*;
    use sangam_sdk::testing::{self, Host, NoAnswer};

    use super::Helpdesk;

    fn input() -> Value {
        json!({ "ticket": "7", "text": "Pump replaced" })
    }

    fn host<A: testing::Answer>(system: impl FnMut(&testing::Sent) -> A + 'static) -> Host {
        let mut host = Host::new(system);
        host.config = json!({ "base-url": "https://desk.example" });
        host
    }

    #[test]
    fn the_comment_carries_its_key() {
        let mut host = host(|_| testing::json(201, json!({ "id": "c-1" })));
        assert_eq!(host.invoke::<Helpdesk>("add-comment", input()), Ok(json!({ "id": "c-1" })));
        let sent = &host.sent[0];
        assert_eq!((sent.method.as_str(), sent.path()), ("POST", "/api/tickets/7/comments"));
        let marker = format!("[sangam:{}]", testing::key("comment"));
        assert!(sent.json()["text"].as_str().is_some_and(|text| text.ends_with(&marker)));
    }

    #[test]
    fn a_comment_whose_answer_was_lost_is_not_made_twice() {
        let mut there = Vec::new();
        let mut host = host(move |request| match request.method.as_str() {
            "POST" => {
                there.push(json!({ "id": "c-1", "text": request.json()["text"] }));
                Err(NoAnswer::Connection("the answer was lost".into()))
            }
            _ => Ok(testing::json(200, json!(there))),
        });
        let lost = host.invoke::<Helpdesk>("add-comment", input()).expect_err("no answer");
        assert_eq!(lost.kind, FailureKind::Retry);
        host.attempt = 2;
        assert_eq!(host.invoke::<Helpdesk>("add-comment", input()), Ok(json!({ "id": "c-1" })));
        assert_eq!(host.sent.iter().filter(|sent| sent.method == "POST").count(), 1);
    }

    #[test]
    fn refusals_say_whether_to_try_again() {
        for (status, body, kind) in [
            (409, "{\"code\":\"TICKET_LOCKED\"}", FailureKind::Retry),
            (403, "{\"code\":\"QUOTA\"}", FailureKind::RateLimited),
            (401, "", FailureKind::Unauthorized),
            (404, "", FailureKind::Rejected),
            (503, "", FailureKind::Retry),
        ] {
            let mut host = host(move |_| testing::text(status, body));
            let failure = host.invoke::<Helpdesk>("add-comment", input()).expect_err("refused");
            assert_eq!(failure.kind, kind, "{status} {body}");
        }
    }
}
// ANCHOR_END: tests
