//! Stream `messages`: what WhatsApp posts. (developers.facebook.com: Cloud API, webhooks, payloads of `messages`.)

use sangam_sdk::prelude::*;

use crate::config::Config;

pub fn receive(request: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let body: Value = request.json()?;
    let mut events = Vec::new();
    let changes = body["entry"].as_array().into_iter().flatten().flat_map(|entry| entry["changes"].as_array().into_iter().flatten());
    for value in changes.filter(|change| change["field"] == "messages").map(|change| &change["value"]) {
        // One application may serve several numbers; the others have plugins of their own.
        if value["metadata"]["phone_number_id"].as_str().is_some_and(|id| id != cx.config.phone_number_id) {
            continue;
        }
        let to = value["metadata"]["display_phone_number"].as_str().map(plus);
        for message in value["messages"].as_array().into_iter().flatten() {
            events.extend(received(message, &value["contacts"], to.as_deref())?);
        }
        for status in value["statuses"].as_array().into_iter().flatten() {
            events.extend(status_of(status)?);
        }
    }
    Ok(Received::new(events))
}

fn received(message: &Value, contacts: &Value, to: Option<&str>) -> Result<Option<NewEvent>, Failure> {
    let (Some(id), Some(from)) = (message["id"].as_str(), message["from"].as_str()) else { return Ok(None) };
    let contact = contacts.as_array().into_iter().flatten().find(|contact| contact["wa_id"] == from);
    let name = contact.map(|contact| contact["profile"]["name"].clone());
    let kind = message["type"].as_str().unwrap_or_default();
    let part = &message[kind];
    let text = match kind {
        "text" => part["body"].clone(),
        "button" => part["text"].clone(),
        "interactive" if part["button_reply"].is_object() => part["button_reply"]["title"].clone(),
        "interactive" => part["list_reply"]["title"].clone(),
        "reaction" => part["emoji"].clone(),
        // Pictures and files may have words with them.
        _ => part["caption"].clone(),
    };
    let attachments: Vec<Value> = match kind {
        "image" | "video" | "audio" | "voice" | "document" | "sticker" => {
            vec![json!({ "id": part["id"], "name": part["filename"], "content_type": part["mime_type"], "sha256": part["sha256"] })]
        }
        _ => Vec::new(),
    };
    let at = at(message);
    let data = json!({
        "message_id": id, "channel": "whatsapp", "kind": kind, "from": plus(from), "to": to, "name": name, "text": text,
        "in_reply_to": message["context"]["id"], "conversation_id": from, "attachments": attachments,
        "button": part["button_reply"]["id"].as_str().or(part["payload"].as_str()), "received_at": at,
    });
    let event = NewEvent::new("message.received", data)?.id(id).subject(id);
    Ok(Some(match at {
        Some(at) => event.time(at),
        None => event,
    }))
}

fn status_of(status: &Value) -> Result<Option<NewEvent>, Failure> {
    let (Some(id), Some(said)) = (status["id"].as_str(), status["status"].as_str()) else { return Ok(None) };
    if !matches!(said, "sent" | "delivered" | "read" | "failed") {
        return Ok(None);
    }
    let error = status["errors"][0].as_object().map(|error| {
        let details = error.get("error_data").and_then(|data| data["details"].as_str());
        let reason = details.or(error.get("title").and_then(Value::as_str));
        json!({ "code": error.get("code").map(ToString::to_string), "reason": reason })
    });
    let at = at(status);
    let data = json!({
        "message_id": id, "channel": "whatsapp", "status": said, "to": status["recipient_id"].as_str().map(plus), "error": error, "at": at,
        // The key of the write that sent it: so a message whose answer was lost is found again.
        "reference": status["biz_opaque_callback_data"],
    });
    let event = NewEvent::new("message.status", data)?.id(format!("{id}/{said}")).subject(id);
    Ok(Some(match at {
        Some(at) => event.time(at),
        None => event,
    }))
}

fn plus(digits: &str) -> String {
    format!("+{}", digits.trim_start_matches('+').replace([' ', '-'], ""))
}

fn at(of: &Value) -> Option<String> {
    of["timestamp"].as_str().and_then(|seconds| seconds.parse().ok()).map(rfc3339)
}

/// Seconds since 1970 as RFC 3339.
fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The civil calendar in eras of 400 years, which begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}
