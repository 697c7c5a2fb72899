//! What was set aside, tried again: with the configuration as it is now an event may be granted, and an expression may read what it could not.

use std::sync::Arc;

use super::{hooks, nats, reading};
use crate::config::{Source, SourceKind};
use crate::runtime::Runtime;
use crate::store::{Accepted, SetAsideKind, SetAsideRow, StoreError};
use crate::telemetry;

/// Rows looked at together.
const PAGE: u32 = 200;

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TriedAgain {
    /// Became events.
    pub accepted: u64,
    /// Became events that were known.
    pub duplicates: u64,
    /// Stay, with the reason of now.
    pub left: u64,
}

/// Tries events and bodies of a source again, one or all. An event is durable before its row goes: what is tried twice comes in once.
///
/// # Errors
/// When the store fails; what was done until then is done.
pub async fn try_again(runtime: &Arc<Runtime>, source: &Arc<Source>, id: Option<&str>) -> Result<TriedAgain, StoreError> {
    let mut tried = TriedAgain::default();
    if let Some(id) = id {
        if let Some(row) = runtime.store.set_aside_one(&source.name, id).await? {
            one(runtime, source, &row, &mut tried).await?;
        }
        return Ok(tried);
    }
    let mut after: Option<String> = None;
    loop {
        let rows = runtime.store.set_aside_of(&source.name, after.as_deref(), PAGE).await?;
        for row in &rows {
            one(runtime, source, row, &mut tried).await?;
        }
        match rows.last().filter(|_| rows.len() == PAGE as usize) {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(tried),
        }
    }
}

async fn one(runtime: &Arc<Runtime>, source: &Arc<Source>, row: &SetAsideRow, tried: &mut TriedAgain) -> Result<(), StoreError> {
    let outcome = match row.kind {
        SetAsideKind::Record => return Ok(()),
        SetAsideKind::Event => event(runtime, source, row).await,
        SetAsideKind::Body => match &source.kind {
            SourceKind::Nats(nats) => nats::retry(runtime, source, nats, row).await,
            _ => hooks::retry_body(runtime, source, row).await,
        },
    };
    match outcome {
        Ok(accepted) => {
            for accepted in &accepted {
                if accepted.duplicate {
                    tried.duplicates += 1;
                } else {
                    tried.accepted += 1;
                }
            }
            runtime.store.set_aside_settled(&row.id, None, runtime.clock.now()).await
        }
        Err(reason) => {
            tried.left += 1;
            runtime.store.set_aside_settled(&row.id, Some(reason), runtime.clock.now()).await
        }
    }
}

async fn event(runtime: &Runtime, source: &Source, row: &SetAsideRow) -> Result<Vec<Accepted>, String> {
    let text = std::str::from_utf8(&row.data).map_err(|_| "it is not text".to_owned())?;
    let event = reading::again(runtime, source, text).await?;
    let runs = event.runs.iter().filter(|run| run.dead.is_none()).count();
    let pressed = |pressed: crate::runtime::Pressed| match pressed {
        crate::runtime::Pressed::TooMuch(why) | crate::runtime::Pressed::Unavailable(why, _) => why,
    };
    let reservation = runtime.pressure.reserve(&runtime.store, runs as u64).await.map_err(pressed)?;
    let came = runtime.came(std::slice::from_ref(&event));
    let accepted = runtime.store.accept(vec![event]).await.map_err(|error| telemetry::chain(&error))?;
    reservation.durable();
    runtime.took_in(&came, &accepted, None);
    for accepted in &accepted {
        runtime.metrics.accepted(&source.uri(), accepted.duplicate);
    }
    runtime.due.notify_one();
    Ok(accepted)
}
