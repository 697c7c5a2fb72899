//! The work of sources that fetch by themselves: begun and ended with the configuration that names them.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::nats;
use crate::config::{Source, SourceKind};
use crate::runtime::Runtime;

/// Does the work of the present revision's sources until the host stops. A new configuration ends the work of the one before, waits for it, and
/// begins anew: no source is at work twice in one host.
pub async fn tend(runtime: Arc<Runtime>) {
    let mut configured = runtime.configured.subscribe();
    loop {
        configured.borrow_and_update();
        let stop = runtime.stopping.child_token();
        let mut work = JoinSet::new();
        for source in &runtime.present().revision.config.sources {
            begin(&mut work, &runtime, source, &stop);
        }
        let is_over = loop {
            tokio::select! {
                () = runtime.stopping.cancelled() => break true,
                // Closed only with the runtime, which this holds.
                _ = configured.changed() => break false,
                Some(ended) = work.join_next() => gone_wrong(ended),
            }
        };
        stop.cancel();
        while let Some(ended) = work.join_next().await {
            gone_wrong(ended);
        }
        if is_over {
            return;
        }
    }
}

/// Begins the work of one source; it ends soon after `stop`.
fn begin(work: &mut JoinSet<()>, runtime: &Arc<Runtime>, source: &Arc<Source>, stop: &CancellationToken) {
    match &source.kind {
        // Their deliveries come by themselves.
        SourceKind::Webhook(_) => {}
        // Their turns are one host's at a time: see `turns`.
        SourceKind::Poll(_) | SourceKind::Schedule(_) => {}
        SourceKind::Nats(_) => drop(work.spawn(nats::work(runtime.clone(), source.clone(), stop.clone()))),
    }
}

/// A source's work ends only when it is told to, and never by a panic.
fn gone_wrong(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the work of a source broke off; it begins again with the next configuration or start");
    }
}
