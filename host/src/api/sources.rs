//! Sources: what is configured, and what came in through them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Problem;
use super::source_form::{Handshaken, HookForm, SourceForm, SourceList, Unreadable};
use super::source_orders::States;
use crate::config::{Handshake, OnUnreadable, Source, SourceKind, Webhook};
use crate::ingress::PREFIX;
use crate::runtime::Runtime;

/// Every source. Counts are this host's, since it began.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Json<SourceList>, Problem> {
    let present = runtime.present();
    let states = States::of_all(&runtime).await?;
    let one = |source: &Arc<Source>| {
        let mut one = shown(&runtime, source);
        states.add(source, &mut one);
        one
    };
    Ok(Json(SourceList { sources: present.revision.config.sources.iter().map(one).collect() }))
}

/// One source as it is configured and as it is doing on this host.
pub(super) fn shown(runtime: &Runtime, source: &Source) -> SourceForm {
    let stream = source.stream();
    let mut shown = SourceForm {
        name: source.name.clone(),
        kind: (&source.kind).into(),
        source: source.uri(),
        event_type: source.shape.event_type.clone(),
        uses: stream.map(|stream| stream.plugin.clone()),
        stream: stream.map(|stream| stream.stream.clone()),
        ..SourceForm::default()
    };
    match &source.kind {
        SourceKind::Webhook(webhook) => {
            shown.webhook = Some(of_webhook(runtime, source, webhook));
            shown.counts = Some(runtime.arrivals.of(&source.name).into());
        }
        SourceKind::Nats(nats) => {
            shown.stream = Some(nats.stream.clone());
            shown.consumer = Some(nats.consumer.clone());
            shown.servers = Some(nats.server.servers.clone());
            if let Some(reception) = runtime.nats.source(&source.name) {
                shown.add_reception(reception);
            }
        }
        SourceKind::Poll(_) | SourceKind::Schedule(_) => {}
    }
    shown
}

fn of_webhook(runtime: &Runtime, source: &Source, webhook: &Webhook) -> HookForm {
    let path = format!("{PREFIX}{}", source.name);
    HookForm {
        url: runtime.server.public_url.as_ref().map(|url| format!("{url}{path}")),
        path,
        verify: webhook.verify.scheme().to_owned(),
        methods: webhook.methods.clone(),
        max_size: webhook.max_size.unwrap_or(runtime.server.max_event_size),
        on_unreadable: match webhook.on_unreadable {
            OnUnreadable::Keep => Unreadable::Keep,
            OnUnreadable::Refuse => Unreadable::Refuse,
        },
        handshake: webhook.handshake.as_ref().map(|handshake| match handshake {
            Handshake::Slack => Handshaken::Slack,
            Handshake::Meta { .. } => Handshaken::Meta,
            Handshake::CloudEvents { .. } => Handshaken::CloudEvents,
            Handshake::MicrosoftGraph => Handshaken::MicrosoftGraph,
        }),
    }
}
