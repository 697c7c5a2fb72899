//! Stream `leave`: what the system tells by itself.

use std::slice;

use sangam_sdk::{
    path::{at, fill, text_at},
    prelude::*,
};

use crate::{
    client::{dress, url},
    config::Config,
    leave::event,
};

/// The leaves of a webhook. Unlike in a page nothing can be set aside: what can't be read is refused, and the sender comes again.
pub fn receive(inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let (leaves, hook) = (&cx.config.leaves, &cx.config.leaves.hook);
    let body: Value = inbound.json()?;
    let told = match at(&body, &hook.list) {
        Value::Array(told) => told.as_slice(),
        Value::Object(_) => slice::from_ref(at(&body, &hook.list)),
        _ => return Err(Failure::rejected(format!("The webhook has no leave at `{}`: see configuration.leaves.hook.list", hook.list))),
    };
    let mut events = Vec::with_capacity(told.len());
    for told in told {
        let read = if hook.path.is_empty() { None } else { Some(read(told, cx)?) };
        let record = read.as_ref().unwrap_or(told);
        events.push(event(record, leaves).map_err(|reason| Failure::rejected(format!("The webhook's leave can't be read: {reason}")))?);
    }
    Ok(Received::new(events))
}

/// Reads a leave that a webhook names.
fn read(told: &Value, cx: &SourceContext<Config>) -> Result<Value, Failure> {
    let hook = &cx.config.leaves.hook;
    let id = text_at(told, &hook.id)
        .ok_or_else(|| Failure::rejected(format!("The webhook has no id at `{}`: see configuration.leaves.hook.id", hook.id)))?;
    let path = fill(&hook.path, &[("id", &id)])?;
    let answer: Value = dress(&cx.config, cx.get(url(&cx.config, &path))).send()?.explained()?.json()?;
    Ok(at(&answer, &hook.record).clone())
}
