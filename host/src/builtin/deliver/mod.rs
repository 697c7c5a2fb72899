//! `sangam.deliver`: one delivery to one endpoint of `[webhooks.NAME]`. Its runs are those of the host's own routes `sangam.webhooks.NAME`.
//!
//! What an endpoint says to a delivery means one of three things: it has it; it refuses this one (it is tried a few times, then it is a dead
//! letter, and the next goes on); or the endpoint is not well (it is tried until it is, or until the endpoint is disabled).

mod keys;
mod request;
mod rotation;
mod signature;

pub use keys::hidden_keys;
pub use request::Delivery;
use request::Ready;
pub use rotation::{rotate, signing};

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{Act, Stop};
use crate::attempt::{Answer, End, HostWrite};
use crate::config::Subscriber;
use crate::outbound::{HttpError, Response};
use crate::run::{FailureKind, StepFailure};
use crate::runtime::{PresentSubscriber, Runtime};
use crate::telemetry;

/// Name of the write.
const NAME: &str = "post";
/// Longest `Retry-After` that is believed.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);
/// What is shown of an answer that says no.
const MAX_SHOWN: usize = 256;

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// It has it.
    Taken,
    /// It refuses this delivery, whatever it does with others.
    Refused(String),
    /// It is not well.
    Unwell(String),
    /// It wants to be left alone for a while.
    Later(String, Option<Duration>),
    /// It wants no more.
    Gone(String),
}

/// Posts; gives the status.
pub(super) async fn deliver(act: &mut Act<'_>) -> Result<Value, Stop> {
    let name = act.input["endpoint"].as_str().unwrap_or_default().to_owned();
    let rejected = |why: String| Stop::failed(FailureKind::Rejected, why);
    let busy = |why: String| Stop::failed(FailureKind::Busy, why);
    let present = act.runtime.present();
    let Some(endpoint) = present.subscribers.get(&name) else {
        return Err(rejected(format!("the present configuration has no [webhooks.{name}] any more")));
    };
    let health = act.runtime.store.subscriber(&name).await.map_err(|error| busy(telemetry::chain(&error)))?;
    if let Some(row) = health.filter(|row| row.disabled_at.is_some()) {
        return Err(rejected(disabled(&name, row.disabled_at, row.reason.as_deref())));
    }
    let config = &endpoint.config;
    let delivery = Delivery::of_value(&act.input);
    let url = Url::parse(&config.url).map_err(|error| rejected(format!("its URL can't be used: {error}")))?;
    let ready = delivery.ready(act.runtime, config, act.runtime.clock.now()).await;
    // Somebody has to mend it; until then it is asked again with the pauses of the policy.
    let ready = ready.map_err(|why| Stop::failed(FailureKind::Retry, format!("the delivery can't be signed: {why}")))?;
    let write = HostWrite {
        kind: "webhook",
        name: NAME.to_owned(),
        method: "POST".to_owned(),
        url: url.clone(),
        headers: ready.shown,
        body: ready.body.clone(),
    };
    let mut headers = ready.headers;
    if let Some(place) = act.place() {
        for (name, value) in telemetry::trace_headers(&place) {
            // The administrator's own header of that name says something else.
            if let (false, Ok(value)) = (headers.contains_key(name), http::HeaderValue::from_str(&value)) {
                headers.insert(name, value);
            }
        }
    }
    let (poster, timeout) = (endpoint.clone(), config.timeout.min(act.time_left()));
    let answer = act
        .write(write, async move |_key| {
            let said = poster.poster.post(&url, headers, ready.body, timeout).await;
            answer(Ready::masked(&ready.hidden, said))
        })
        .await?;
    let meaning = meaning(&answer);
    told(act, config, &meaning).await.map(|()| json!({ "endpoint": name, "id": delivery.id, "status": answer.status }))
}

/// Notes how the endpoint does, and says what becomes of the attempt.
async fn told(act: &Act<'_>, config: &Subscriber, meaning: &Meaning) -> Result<(), Stop> {
    let stop = match meaning {
        Meaning::Taken => {
            // The next delivery notes it, if this can't be noted.
            let _ = act.runtime.store.subscriber_worked(&config.name, act.runtime.clock.now()).await;
            return Ok(());
        }
        Meaning::Refused(why) if act.number >= config.retry.max_attempts => {
            Stop::failed(FailureKind::Rejected, format!("{why}; it was tried {} times", act.number))
        }
        Meaning::Refused(why) | Meaning::Unwell(why) => Stop::failed(FailureKind::Retry, why.clone()),
        Meaning::Later(why, after) => {
            let mut failure = StepFailure::new(FailureKind::RateLimited, why.clone());
            failure.after = after.map(|after| after.min(LONGEST_REST));
            Stop::from(failure)
        }
        Meaning::Gone(why) => Stop::failed(FailureKind::Rejected, why.clone()),
    };
    let (Meaning::Refused(why) | Meaning::Unwell(why) | Meaning::Later(why, _) | Meaning::Gone(why)) = meaning else {
        return Err(stop);
    };
    let now = act.runtime.clock.now();
    let limit = match meaning {
        Meaning::Gone(_) => Some(now),
        _ => config.disable_after.and_then(|after| now.checked_sub(SignedDuration::try_from(after).ok()?).ok()),
    };
    match act.runtime.store.subscriber_failed(&config.name, why, limit, now).await {
        Ok(row) if row.disabled_at.is_some() => {
            if row.told < row.number
                && let Err(error) = act.runtime.tell_of_subscriber(&row).await
            {
                tracing::warn!(error = telemetry::chain(&error), "that a webhook was disabled could not be told; a host tries again");
            }
            Err(Stop::failed(FailureKind::Rejected, disabled(&config.name, row.disabled_at, row.reason.as_deref())))
        }
        Ok(_) => Err(stop),
        Err(error) => {
            tracing::warn!(error = telemetry::chain(&error), "how a webhook does could not be noted");
            Err(stop)
        }
    }
}

fn disabled(name: &str, at: Option<Timestamp>, why: Option<&str>) -> String {
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    let why = why.unwrap_or("it failed for too long");
    format!("webhook {name} is disabled since {at}: {why}; when it works again, `sangam webhooks enable {name} --replay`")
}

/// What is known of an exchange.
fn answer(result: Result<Response, HttpError>) -> Answer {
    match result {
        // Neither followed nor done.
        Ok(response) if (300..400).contains(&response.status) => {
            Answer::refused(Some(response.status), format!("it was answered {}: redirects are not followed", response.status))
        }
        other => {
            let mut answer = Answer::of_http(other);
            if let (Some(why), false) = (&answer.why, answer.body.is_empty()) {
                let text = String::from_utf8_lossy(&answer.body);
                let text = &text[..text.floor_char_boundary(MAX_SHOWN.min(text.len()))];
                answer.why = Some(format!("{why}: {text}"));
            }
            answer
        }
    }
}

fn meaning(answer: &Answer) -> Meaning {
    let why = answer.why().to_owned();
    match (answer.end, answer.status) {
        (End::Done, _) => Meaning::Taken,
        (_, Some(410)) => Meaning::Gone(format!("{why}: the endpoint wants no more")),
        (_, Some(429)) => Meaning::Later(why, retry_after(&answer.headers)),
        (_, Some(503)) if retry_after(&answer.headers).is_some() => Meaning::Later(why, retry_after(&answer.headers)),
        // About the endpoint rather than about what was sent.
        (_, Some(300..400 | 401 | 403 | 404 | 405 | 407 | 408 | 409 | 421 | 425 | 426)) => Meaning::Unwell(why),
        (_, Some(400..500)) => Meaning::Refused(why),
        _ => Meaning::Unwell(why),
    }
}

fn retry_after(headers: &[(String, Vec<u8>)]) -> Option<Duration> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    std::str::from_utf8(value).ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// How an endpoint took what was sent to try it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestedWebhook")]
pub struct Tested {
    /// Of what was sent.
    id: String,
    /// It took it.
    ok: bool,
    /// What it answered with; null: it did not.
    status: Option<u16>,
    /// Why that is not well.
    reason: Option<String>,
    duration_ms: u64,
}

/// Sends an endpoint something to see whether it is well; nothing is kept of it.
///
/// # Errors
/// What stands in the way.
pub async fn test(runtime: &Runtime, endpoint: &PresentSubscriber) -> Result<Tested, String> {
    let now = runtime.clock.now();
    let delivery = Delivery {
        id: format!("test_{}", uuid::Uuid::now_v7()),
        event_type: "sangam.webhook.test".to_owned(),
        source: "/sangam".to_owned(),
        subject: Some(endpoint.config.name.clone()),
        time: now.to_string(),
        data: json!({ "webhook": endpoint.config.name }),
    };
    let ready = delivery.ready(runtime, &endpoint.config, now).await?;
    let url = Url::parse(&endpoint.config.url).map_err(|error| error.to_string())?;
    let begun = std::time::Instant::now();
    let said = endpoint.poster.post(&url, ready.headers, ready.body, endpoint.config.timeout).await;
    let answer = answer(Ready::masked(&ready.hidden, said));
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ok = meaning(&answer) == Meaning::Taken;
    Ok(Tested { id: delivery.id, ok, status: answer.status, reason: answer.why, duration_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_that_it_has_it_or_refuses_it_or_is_not_well() {
        let of = |status: u16| {
            let response = Response { status, headers: vec![("Retry-After".into(), b"7".to_vec())], body: Vec::new() };
            meaning(&answer(Ok(response)))
        };
        assert_eq!(of(204), Meaning::Taken);
        assert!(matches!(of(302), Meaning::Unwell(why) if why.contains("redirects are not followed")));
        for status in [401, 404, 408, 500, 502] {
            assert!(matches!(of(status), Meaning::Unwell(_)), "{status}");
        }
        for status in [400, 413, 422] {
            assert!(matches!(of(status), Meaning::Refused(_)), "{status}");
        }
        for status in [429, 503] {
            assert!(matches!(of(status), Meaning::Later(_, Some(after)) if after == Duration::from_secs(7)), "{status}");
        }
        assert!(matches!(of(410), Meaning::Gone(_)));
        let lost = answer(Err(HttpError::Timeout("late".into())));
        assert_eq!((lost.end, meaning(&lost)), (End::InDoubt, Meaning::Unwell("late".into())));
        let blocked = answer(Err(HttpError::Denied("private".into())));
        assert_eq!((blocked.end, meaning(&blocked)), (End::NotSent, Meaning::Unwell("private".into())));
    }
}
