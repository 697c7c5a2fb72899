//! Stream `jobs`: what the system tells by itself.

use std::slice;

use sangam_sdk::{
    path::{at, text_at},
    prelude::*,
};

use crate::{
    config::Config,
    job::by_id,
    look::{gone, look},
};

/// The jobs of a webhook. Unlike in a page nothing can be set aside: what can't be read is refused, and the sender comes again.
pub fn receive(inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let hook = &cx.config.hook;
    let body: Value = inbound.json()?;
    let kind = if hook.kind.is_empty() { None } else { text_at(&body, &hook.kind) };
    if !hook.kinds.is_empty() && !kind.as_deref().is_some_and(|kind| is_one_of(kind, &hook.kinds)) {
        return Ok(Received::default());
    }
    let told = match at(&body, &hook.list) {
        Value::Array(told) => told.as_slice(),
        Value::Object(_) => slice::from_ref(at(&body, &hook.list)),
        _ => return Err(Failure::rejected(format!("The webhook has no job at `{}`: see configuration.hook.list", hook.list))),
    };
    let deleted = kind.as_deref().is_some_and(|kind| is_one_of(kind, &hook.deleted));
    let mut events = Vec::with_capacity(told.len());
    for told in told {
        let id = || {
            text_at(told, &hook.id)
                .ok_or_else(|| Failure::rejected(format!("The webhook has no id of a job at `{}`: see configuration.hook.id", hook.id)))
        };
        if deleted {
            events.push(gone(&id()?, None)?);
            continue;
        }
        let read = if hook.read { Some(by_id(&cx.config, &id()?)?) } else { None };
        let record = read.as_ref().unwrap_or(told);
        let looked = look(record, &cx.config, false)?;
        events.extend(looked.map_err(|reason| Failure::rejected(format!("The webhook's job can't be read: {reason}")))?);
    }
    Ok(Received::new(events))
}

fn is_one_of(kind: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => kind == pattern,
    })
}
