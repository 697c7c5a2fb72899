//! `[[routes]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::expression::{check_steps_read, expression};
use super::item::{Item, Text};
use super::model::{OrderOnDead, Route};
use super::name;
use super::reader::Reader;
use super::section::Section;
use super::server::retention;
use super::steps;
use super::units::MAX_DURATION;
use crate::router::Pattern;

const DEFAULT_DEADLINE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads all routes. `plugins` are the names that steps may use.
pub(super) fn routes(r: &mut Reader<'_>, item: &Item<'_>, plugins: &BTreeSet<String>) -> Vec<Option<Route>> {
    let Some(items) = array_of_tables(r, item, "[[routes]]") else {
        return Vec::new();
    };
    let mut seen = BTreeMap::new();
    let mut routes = Vec::new();
    for item in items {
        if let Some(section) = item.table(r, "[[routes]]") {
            routes.push(route(r, section, &mut seen, plugins));
        }
    }
    routes
}

/// The items of `[[name]]`; says how to write it where it is `[name]`.
pub(super) fn array_of_tables<'t>(r: &mut Reader<'_>, item: &Item<'t>, header: &str) -> Option<Vec<Item<'t>>> {
    if item.value.is_table() {
        r.error(&item.span, format!("there may be many of these, so each begins with {header}")).help(format!("write {header}"));
        return None;
    }
    item.items(r)
}

fn route(
    r: &mut Reader<'_>,
    mut section: Section<'_>,
    seen: &mut BTreeMap<String, std::ops::Range<usize>>,
    plugins: &BTreeSet<String>,
) -> Option<Route> {
    let name = section.required(r, "name", "\"job-completed\"").and_then(|item| item.text(r));
    if let Some(name) = &name {
        name::check(r, &name.span, "route", name.value);
        name::once(r, seen, &name.span, "route", name.value);
        section.label = format!("route `{}`", name.value);
    }
    let on = section.required(r, "on", "{ type = \"job.completed\" }").map(|item| on(r, &item));
    let when_item = section.get("when");
    let when = when_item.as_ref().map(|item| expression(r, item));
    let order_item = section.get("order-by");
    let order_by = order_item.as_ref().map(|item| expression(r, item));
    for item in [&when_item, &order_item].into_iter().flatten() {
        if let Some(text) = item.value.as_str() {
            // Both are asked before any step has run, so no step can be read.
            check_steps_read(r, &Text { value: text, span: item.span.clone() }, &[], None);
        }
    }
    let choices = [("release", OrderOnDead::Release), ("hold", OrderOnDead::Hold)];
    let order_on_dead_item = section.get("order-on-dead");
    let order_on_dead = order_on_dead_item.as_ref().and_then(|item| item.choice(r, &choices));
    if let Some(item) = order_on_dead_item.filter(|_| order_item.is_none()) {
        r.warn(&item.key, "`order-on-dead` means nothing without `order-by`").help("add `order-by`, or leave this out");
    }
    let while_waiting_item = section.get("order-while-waiting");
    let order_while_waiting = while_waiting_item.as_ref().and_then(|item| item.boolean(r));
    if let Some(item) = while_waiting_item.filter(|_| order_item.is_none()) {
        r.warn(&item.key, "`order-while-waiting` means nothing without `order-by`").help("add `order-by`, or leave this out");
    }
    let deadline = section.get("deadline").and_then(|item| item.duration(r, Duration::from_secs(1)..=MAX_DURATION));
    let redact = section.get("redact").map(|item| redact(r, &item)).unwrap_or_default();
    let retention = section.get("retention").and_then(|item| retention(r, &item));
    let dead_letter_retention = section.get("dead-letter-retention").and_then(|item| self::retention(r, &item));
    let steps = section.required(r, "steps", "[…]: write [[routes.steps]] below the route").map(|item| steps::steps(r, &item, plugins));
    section.finish(r);
    let (types, sources) = on?;
    Some(Route {
        name: name?.value.to_owned(),
        types,
        sources,
        when: when.map_or(Some(None), |when| when.map(Some))?,
        order_by: order_by.map_or(Some(None), |order_by| order_by.map(Some))?,
        order_on_dead: order_on_dead.unwrap_or(OrderOnDead::Release),
        order_while_waiting: order_while_waiting.unwrap_or(false),
        deadline: deadline.unwrap_or(DEFAULT_DEADLINE),
        redact,
        retention,
        dead_letter_retention,
        steps: steps??,
    })
}

/// `on`: the patterns for types and for sources.
fn on(r: &mut Reader<'_>, item: &Item<'_>) -> (Vec<Pattern>, Vec<Pattern>) {
    let Some(mut section) = item.table(r, "`on`") else {
        return (Vec::new(), Vec::new());
    };
    let types = section.required(r, "type", "\"job.completed\"").map(|item| patterns(r, &item)).unwrap_or_default();
    let sources = section.get("source").map(|item| patterns(r, &item)).unwrap_or_default();
    section.finish(r);
    (types, sources)
}

/// A pattern or a list of them.
pub(super) fn patterns(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<Pattern> {
    let items = item.one_or_more();
    if items.is_empty() {
        r.error(&item.span, format!("`{}` is an empty list, which no event can match", item.name));
    }
    let parse = |text: &str| Pattern::parse(text).map_err(|error| error.to_string());
    items.iter().filter_map(|item| item.parsed(r, parse)).collect()
}

/// Paths such as `.event.data.customer.email`.
fn redact(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let parse = |text: &str| {
        let word = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        match text.strip_prefix(".event.") {
            Some(path) if path.split('.').all(word) => Ok(text.to_owned()),
            _ => Err(format!("{text:?} is not a path: write it such as \".event.data.customer.email\"")),
        }
    };
    let items = item.items(r).unwrap_or_default();
    items.iter().filter_map(|item| item.parsed(r, parse)).collect()
}
