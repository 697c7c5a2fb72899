//! A delivery given to a plugin: the events it makes of it, and what it has its sender answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::answer::Answered;
use super::{Delivery, Made, NotMade};
use crate::api::Problem;
use crate::config::{PluginStream, Source};
use crate::engine::{Call, CallOutcome, InboundRequest};
use crate::ingress::echoes;
use crate::ingress::reading::{self, Asked};
use crate::ingress::shape::Unreadable;
use crate::run::{FailureKind, StepFailure};
use crate::runtime::Runtime;

/// When a sender comes again where the plugin does not say it.
const LATER: Duration = Duration::from_secs(10);

/// Has a plugin turn a delivery into events. Its steps that are writing are waited for until `until`.
pub(super) async fn receive(
    runtime: &Arc<Runtime>,
    source: &Arc<Source>,
    stream: &PluginStream,
    delivery: &Delivery,
    until: Instant,
) -> Result<Made, NotMade> {
    let request = InboundRequest {
        method: delivery.method.clone(),
        path: if delivery.query.is_empty() { delivery.path.clone() } else { format!("{}?{}", delivery.path, delivery.query) },
        headers: delivery.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        body: delivery.body.to_vec(),
    };
    let asked = Asked { source: &source.name, stream, context: Map::new() };
    let call = |context| Call::Receive { stream: stream.stream.clone(), request: request.clone(), context };
    let read = echoes::read(runtime, asked, until, call).await;
    let received = match read.outcome {
        Ok(CallOutcome::Received(received)) => received,
        Ok(_) => {
            return Err(NotMade::Unreadable(Unreadable("the plugin answered with something else than events and a response".to_owned())));
        }
        Err(failure) => return Err(not_made(source, failure)),
    };
    let most = runtime.present().plugins.get(&stream.plugin).map_or(0, |plugin| plugin.config.limits.output_size);
    let answer = Answered::of_plugin(received.status, received.headers, received.body, most);
    let answer = answer.map_err(|why| NotMade::Unreadable(Unreadable(why)))?;
    let brought = reading::events(runtime, source, stream, &with_ids(received.events, &delivery.identity()), None).await;
    Ok(Made { events: brought.events, set_aside: brought.set_aside, keys: read.keys, answer })
}

/// Gives events that the plugin gave no id that of the delivery, which is the same when it comes again.
fn with_ids(texts: Vec<String>, delivery: &str) -> Vec<String> {
    let is_single = texts.len() == 1;
    let with_id = |(position, text): (usize, String)| match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(mut members) if members.get("id").is_none_or(Value::is_null) => {
            let id = if is_single { delivery.to_owned() } else { format!("{delivery}/{position}") };
            members.insert("id".to_owned(), Value::String(id));
            Value::Object(members).to_string()
        }
        // What is no object is refused with the others that may not come in.
        _ => text,
    };
    texts.into_iter().enumerate().map(with_id).collect()
}

/// What a plugin's failure means for a sender. What may work later it is told to send again; what can't is set aside, or refused.
fn not_made(source: &Source, failure: StepFailure) -> NotMade {
    let StepFailure { kind, reason, after, .. } = failure;
    let again = after.unwrap_or(LATER);
    match kind {
        FailureKind::RateLimited => NotMade::Later(Problem::too_much("deliveries are taken in more slowly for now", again)),
        FailureKind::Retry
        | FailureKind::Timeout
        | FailureKind::Busy
        | FailureKind::Conflict
        | FailureKind::Interrupted
        | FailureKind::Unauthorized
        | FailureKind::Unavailable => {
            tracing::warn!(
                source = source.name,
                kind = kind.as_str(),
                reason,
                "a plugin could not take a delivery in; its sender is told to come again"
            );
            NotMade::Later(Problem::unavailable("deliveries can't be taken in now", again))
        }
        // A plugin that breaks on a delivery breaks on it again.
        FailureKind::Rejected
        | FailureKind::Trap
        | FailureKind::InvalidOutput
        | FailureKind::InvalidInput
        | FailureKind::Expression
        | FailureKind::Diverged => NotMade::Unreadable(Unreadable(reason)),
    }
}
