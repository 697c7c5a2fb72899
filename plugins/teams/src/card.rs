//! An Adaptive Card (adaptivecards.io, version 1.5), as Teams shows it.

use sangam_sdk::prelude::*;

use crate::post::PostMessage;

/// The card of a message.
pub fn card(input: &PostMessage) -> Value {
    let mut body = Vec::new();
    if let Some(title) = &input.title {
        body.push(json!({ "type": "TextBlock", "text": title, "size": "large", "weight": "bolder", "wrap": true, "style": "heading" }));
    }
    if let Some(text) = &input.text {
        body.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    if !input.facts.is_empty() {
        let facts: Vec<Value> = input.facts.iter().map(|fact| json!({ "title": fact.title, "value": fact.value })).collect();
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    let mut card =
        json!({ "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.5", "body": body });
    let actions: Vec<Value> =
        input.links.iter().map(|link| json!({ "type": "Action.OpenUrl", "title": link.title, "url": link.url })).collect();
    if !actions.is_empty() {
        card["actions"] = Value::Array(actions);
    }
    // The whole width of the channel, as other messages have it.
    card["msteams"] = json!({ "width": "Full" });
    card
}

/// The message around a card, as webhooks of workflows take it.
pub fn message(card: Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
}
