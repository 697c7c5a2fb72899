//! Twilio's way: `POST …/Messages.json`, and its list of messages, since it knows no idempotency keys.
//! (twilio.com/docs/messaging/api/message-resource, …/docs/api/errors.)

use std::time::SystemTime;

use sangam_sdk::prelude::*;

use crate::{
    config::Config,
    send::{MESSAGE, Send, Sent},
};

/// Messages of a page; Twilio gives at most 1000.
const PAGE: u32 = 200;
/// Pages that are looked through: more than a number gets in a day.
const PAGES: u32 = 5;
/// How much earlier than the step a message of it may seem to be, in seconds.
const MARGIN: i64 = 60;
/// How long to wait where Twilio does not say: it allows so many requests a second.
const PAUSE: Duration = Duration::from_secs(1);

pub fn send(input: &Send, account: &str, cx: &Context<Config>) -> Result<Sent, Failure> {
    let messages = format!("{}/2010-04-01/Accounts/{}/Messages.json", cx.config.base_url.trim_end_matches('/'), encode(account));
    if !cx.first_attempt()
        && let Some(sent) = look_for(input, &messages, cx)?
    {
        log::info("the message was there already", &[]);
        return Ok(sent);
    }
    let mut fields = vec![("To", input.to.as_str()), ("Body", input.text.as_str())];
    match (&input.from, &cx.config.messaging_service_sid, &cx.config.from) {
        (Some(from), _, _) | (None, None, Some(from)) => fields.push(("From", from)),
        (None, Some(service), _) => fields.push(("MessagingServiceSid", service)),
        (None, None, None) => {
            return Err(Failure::rejected("nobody sends it: give `from`, or configure `from` or `messaging-service-sid`"));
        }
    }
    if let Some(callback) = &cx.config.status_callback {
        fields.push(("StatusCallback", callback));
    }
    let answer: Value = cx.post(messages).name(MESSAGE).form(fields).send().and_then(ok)?.json()?;
    Ok(sent(&answer, input))
}

fn sent(message: &Value, input: &Send) -> Sent {
    let text = |name: &str| message[name].as_str().map(str::to_owned);
    Sent { message_id: text("sid"), to: input.to.clone(), status: text("status").unwrap_or_else(|| "accepted".to_owned()) }
}

/// The same text to the same number since the step, or its round, began. Of two equal texts at once one may be taken for the other: then one goes out.
fn look_for(input: &Send, messages: &str, cx: &Context<Config>) -> Result<Option<Sent>, Failure> {
    let begun = beginning(SystemTime::now());
    let (year, month, day) = civil(begun.div_euclid(86_400));
    let date = format!("{year:04}-{month:02}-{day:02}");
    let mut request = cx.get(messages).query("To", &input.to).query("PageSize", PAGE).query("DateSent>", date);
    for _ in 0..PAGES {
        let page: Value = request.send().and_then(ok)?.json()?;
        let found = page["messages"].as_array().into_iter().flatten().find(|message| {
            let ours = message["direction"].as_str().is_none_or(|direction| direction.starts_with("outbound"));
            // One that failed is none: it goes again.
            let alive = !matches!(message["status"].as_str(), Some("failed" | "undelivered" | "canceled"));
            let since = message["date_created"].as_str().and_then(seconds).is_none_or(|created| created >= begun);
            ours && alive && since && message["body"].as_str() == Some(input.text.as_str())
        });
        if let Some(message) = found {
            return Ok(Some(sent(message, input)));
        }
        let Some(next) = page["next_page_uri"].as_str().filter(|next| next.starts_with('/')) else { break };
        request = cx.get(format!("{}{next}", cx.config.base_url.trim_end_matches('/')));
    }
    Ok(None)
}

/// From when on a message may be this step's, in seconds since 1970. The plugin's clock begins when the input of the step, or of its round, was made, and is the
/// same on every attempt: so a reminder of an earlier round is none of this one. Twilio's clock and the host's differ a little.
fn beginning(clock: SystemTime) -> i64 {
    let since = clock.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    i64::try_from(since).unwrap_or(i64::MAX) - MARGIN
}

/// The date of a day since 1970, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// Seconds since 1970 of `Sat, 28 Nov 2026 18:00:00 +0000` (RFC 2822), as Twilio writes times.
fn seconds(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, ..] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? as i64 + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Vec<i64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds] = clock.as_slice() else { return None };
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

/// The answer itself if it is a success, else the failure that Twilio's code says it is.
fn ok(response: Response) -> Result<Response, Failure> {
    let status = response.status;
    let problem: Value = if response.is_success() { Value::Null } else { response.json().unwrap_or_default() };
    let mut failure = match response.ok() {
        Ok(response) => return Ok(response),
        Err(failure) => failure,
    };
    let code = problem["code"].as_u64().unwrap_or_default();
    match code {
        // Too many requests, and queue overflow of the number.
        20429 | 14107 | 21611 => failure.kind = FailureKind::RateLimited,
        20003 => failure.kind = FailureKind::Unauthorized,
        _ => {}
    }
    if failure.kind == FailureKind::RateLimited {
        failure.after = failure.after.or(Some(PAUSE));
    }
    if let Some(message) = problem["message"].as_str() {
        let help = match code {
            21211 | 21614 => "; check the number",
            21408 => "; allow messages to that country in Twilio's console",
            21606 | 21603 | 21659 | 21660 => "; `from` is none of this account's numbers for messages",
            21610 => "; whoever has the number has asked for no more messages (STOP)",
            _ => "",
        };
        failure.reason = format!("Twilio answered {status}: {message} ({code}){help}");
        failure.details = Some(json!({ "status": status, "code": code, "message": message, "more_info": problem["more_info"] }));
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_knows_when_it_began_and_twilios_times_are_read() {
        // 2026-11-28T18:00:00Z.
        assert_eq!(beginning(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_888_800)), 1_795_888_740);
        assert_eq!(seconds("Sat, 28 Nov 2026 18:00:00 +0000"), Some(1_795_888_800));
        assert_eq!(seconds("Tue, 29 Feb 2028 00:00:01 +0000"), Some(1_835_395_201));
        assert_eq!(seconds("soon"), None);
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(21_243), (2028, 2, 29));
    }
}
