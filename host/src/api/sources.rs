//! Sources: what is configured, and what came in through them.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use super::Problem;
use super::shown::Shown;
use super::source_form::SourceList;
use super::source_orders::States;
use crate::config::{Handshake, OnUnreadable, Source, SourceKind, Webhook};
use crate::ingress::PREFIX;
use crate::runtime::Runtime;

/// Every source. Counts are this host's, since it began.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Shown<SourceList>, Problem> {
    let present = runtime.present();
    let states = States::of_all(&runtime).await?;
    let mut sources = Vec::new();
    for source in &present.revision.config.sources {
        let mut one = shown(&runtime, source);
        states.add(source, &mut one);
        sources.push(one);
    }
    Ok(Shown::as_form(json!({ "sources": sources })))
}

/// One source as it is configured and as it is doing.
pub(super) fn shown(runtime: &Runtime, source: &Source) -> Value {
    let mut shown = json!({
        "name": source.name,
        "type": source.kind.word(),
        "source": source.uri(),
        "event_type": source.shape.event_type,
        "uses": source.stream().map(|stream| &stream.plugin),
        "stream": source.stream().map(|stream| &stream.stream),
    });
    if let SourceKind::Webhook(webhook) = &source.kind {
        shown["webhook"] = of_webhook(runtime, source, webhook);
        shown["counts"] = runtime.arrivals.of(&source.name);
    }
    if let SourceKind::Nats(nats) = &source.kind {
        shown["stream"] = json!(nats.stream);
        shown["consumer"] = json!(nats.consumer);
        shown["servers"] = json!(nats.server.servers);
        // As this host sees it.
        for (name, value) in runtime.nats.source(&source.name).iter().flat_map(Value::as_object).flatten() {
            shown[name] = value.clone();
        }
    }
    shown
}

fn of_webhook(runtime: &Runtime, source: &Source, webhook: &Webhook) -> Value {
    let path = format!("{PREFIX}{}", source.name);
    json!({
        "url": runtime.server.public_url.as_ref().map(|url| format!("{url}{path}")),
        "path": path,
        "verify": webhook.verify.scheme(),
        "methods": webhook.methods,
        "max_size": webhook.max_size.unwrap_or(runtime.server.max_event_size),
        "on_unreadable": match webhook.on_unreadable {
            OnUnreadable::Keep => "keep",
            OnUnreadable::Refuse => "refuse",
        },
        "handshake": webhook.handshake.as_ref().map(|handshake| match handshake {
            Handshake::Slack => "slack",
            Handshake::Meta { .. } => "meta",
            Handshake::CloudEvents { .. } => "cloudevents",
            Handshake::MicrosoftGraph => "microsoft-graph",
        }),
    })
}
