//! `[[sources]]`: what all types of them have in common.

mod check;
mod mtls;
mod nats;
mod poll;
mod schedule;
mod shape;
mod verify;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

pub(super) use self::check::check;
pub(super) use self::poll::moment;

use super::item::Item;
use super::model::{PluginStream, Source, SourceKind};
use super::name;
use super::nats::NatsServers;
use super::problems::did_you_mean;
use super::reader::Reader;
use super::routes::array_of_tables;
use super::section::Section;
use super::steps::RESERVED_PLUGIN;

/// Reads all of them. `plugins` are the names that `uses` may have.
pub(super) fn sources(r: &mut Reader<'_>, item: &Item<'_>, plugins: &BTreeSet<String>, servers: &NatsServers) -> Vec<Option<Arc<Source>>> {
    let items = array_of_tables(r, item, "[[sources]]").unwrap_or_default();
    let mut seen = BTreeMap::new();
    let mut sources = Vec::new();
    for item in items {
        if let Some(section) = item.table(r, "[[sources]]") {
            sources.push(source(r, section, &mut seen, plugins, servers).map(Arc::new));
        }
    }
    sources
}

/// The types of sources, as the file has them.
#[derive(Clone, Copy)]
enum Type {
    Webhook,
    Poll,
    Schedule,
    Nats,
}

fn source(
    r: &mut Reader<'_>,
    mut section: Section<'_>,
    seen: &mut BTreeMap<String, Range<usize>>,
    plugins: &BTreeSet<String>,
    servers: &NatsServers,
) -> Option<Source> {
    let name = section.required(r, "name", "\"crm-webhook\"").and_then(|item| item.text(r));
    if let Some(name) = &name {
        name::check(r, &name.span, "source", name.value);
        name::once(r, seen, &name.span, "source", name.value);
        section.label = format!("source `{}`", name.value);
    }
    let types = [("webhook", Type::Webhook), ("poll", Type::Poll), ("schedule", Type::Schedule), ("nats", Type::Nats)];
    // Without its type nobody knows which keys it may have.
    let kind = section.required(r, "type", "\"webhook\"").and_then(|item| item.choice(r, &types))?;
    let shape = shape::shape(r, &mut section);
    let kind = match kind {
        Type::Webhook => webhook::webhook(r, &mut section, plugins, &shape).map(SourceKind::Webhook),
        Type::Poll => poll::poll(r, &mut section, plugins, &shape).map(SourceKind::Poll),
        Type::Schedule => schedule::schedule(r, &mut section, &shape).map(SourceKind::Schedule),
        Type::Nats => nats::nats(r, &mut section, servers, &shape).map(SourceKind::Nats),
    };
    section.finish(r);
    Some(Source { name: name?.value.to_owned(), kind: kind?, shape: shape.shape? })
}

/// Reads `uses` and `stream`, both of which are needed.
fn stream(r: &mut Reader<'_>, section: &mut Section<'_>, plugins: &BTreeSet<String>) -> Option<PluginStream> {
    let plugin = section.required(r, "uses", "\"PLUGIN\"").and_then(|item| item.text(r));
    let stream = section.required(r, "stream", "\"changes\"").and_then(|item| item.text(r));
    if let Some(text) = stream.as_ref().filter(|text| !name::is_name(text.value)) {
        name::check(r, &text.span, "stream", text.value);
        return None;
    }
    let plugin = plugin?;
    if plugin.value == RESERVED_PLUGIN {
        r.error(&plugin.span, "`sangam` has steps, but no streams").help("name a plugin under [plugins.NAME]");
        return None;
    }
    if !plugins.contains(plugin.value) {
        let help = did_you_mean(plugin.value, plugins.iter().map(String::as_str));
        let add = || format!("add it: [plugins.{}] with its `component`", plugin.value);
        r.error(&plugin.span, format!("there is no plugin `{}`", plugin.value)).help(help.unwrap_or_else(add));
        return None;
    }
    Some(PluginStream { plugin: plugin.value.to_owned(), stream: stream?.value.to_owned() })
}
