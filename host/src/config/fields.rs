//! Fields of events that expressions read and the schemas of those events don't have.
//!
//! A warning is given only where nothing else can be meant: every type that the route wants is written out and has a schema that surely applies, none of
//! them has the field, and either other fields are refused or one of theirs has a name that is nearly the same.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::model::Route;
use super::position::within_string;
use super::problems::{Problem, Severity, near};
use super::report::Report;
use super::{Config, Loaded};
use crate::mapping::{Read, reads, reads_of_template};
use crate::router::Pattern;
use crate::schema::Schema;

/// What the expressions of all routes read in vain.
pub(super) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut report = Report::new(loaded);
    if loaded.config.events.iter().all(|rule| rule.schema.is_none()) {
        return report.problems;
    }
    for (index, route) in loaded.config.routes.iter().enumerate() {
        let schemas = of_route(&loaded.config, route);
        if schemas.is_empty() || schemas.iter().any(|(_, schemas)| schemas.is_empty()) {
            continue;
        }
        let at = format!("/routes/{index}");
        let Some(written) = loaded.revision_content().pointer(&at) else { continue };
        let mut look = |path: String, pointer: &str, value: &Value, read: &Read| {
            let Some((message, help, place)) = lacking(&schemas, read) else { return };
            let text = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let span = loaded.positions.locate(&path, pointer).map_or(0..0, |position| position.value.clone());
            let span = within_string(&loaded.text, &span, text, &place);
            report.add(&span, Severity::Warning, message, Some(help));
        };
        let mut whole = |value: &Value, path: String| {
            for read in value.as_str().map(reads).unwrap_or_default() {
                look(path.clone(), "", value, &read);
            }
        };
        for key in ["when", "order-by"] {
            whole(&written[key], format!("routes[{index}].{key}"));
        }
        for (step, written) in written["steps"].as_array().into_iter().flatten().enumerate() {
            let path = format!("routes[{index}].steps[{step}]");
            whole(&written["when"], format!("{path}.when"));
        }
        for (step, written) in written["steps"].as_array().into_iter().flatten().enumerate() {
            for (pointer, read) in reads_of_template(&written["with"]) {
                look(format!("routes[{index}].steps[{step}].with"), &pointer, &written["with"], &read);
            }
        }
    }
    report.problems
}

/// The types that a route wants, each with the schemas that its events surely have to fit. Empty: a type may be anything.
fn of_route(config: &Config, route: &Route) -> Vec<(String, Vec<Arc<Schema>>)> {
    if !route.types.iter().all(Pattern::is_exact) {
        return Vec::new();
    }
    let types = route.types.iter();
    types
        .map(|pattern| {
            let event_type = pattern.to_string();
            let rules = config.events.iter().filter(|rule| rule.is_surely_about(pattern, &route.sources));
            let schemas = rules.filter_map(|rule| rule.schema.as_ref()?.of(&event_type, None).ok().flatten()).collect();
            (event_type, schemas)
        })
        .collect()
}

/// What is wrong with a read, what was meant, and where in the expression it stands.
fn lacking(schemas: &[(String, Vec<Arc<Schema>>)], read: &Read) -> Option<(String, String, Range<usize>)> {
    let names: Vec<Option<&str>> = read.path.iter().map(Option::as_deref).collect();
    let [Some("event"), Some("data"), within @ ..] = names.as_slice() else { return None };
    let last = within.len().checked_sub(1)?;
    let name = within[last]?;
    let mut help = None;
    for (_, schemas) in schemas {
        // Whatever one of them refuses can't be there; where all only don't speak of it, it may.
        let found: Vec<_> = schemas.iter().map(|schema| schema.lacks(within)).collect();
        let refused = found.iter().flatten().find(|lacking| lacking.closed && lacking.at == last);
        let unspoken = || found.iter().map(|lacking| lacking.as_ref().filter(|lacking| lacking.at == last)).collect::<Option<Vec<_>>>();
        let known: Vec<&str> = match refused {
            Some(lacking) => lacking.known.iter().map(String::as_str).collect(),
            None => unspoken()?.into_iter().flat_map(|lacking| lacking.known.iter().map(String::as_str)).collect(),
        };
        let meant = near(name, known.iter().copied());
        if refused.is_none() && meant.is_none() {
            return None;
        }
        help = help.or_else(|| meant.map(|meant| format!("did you mean `{meant}`?")));
    }
    let types: Vec<&str> = schemas.iter().map(|(event_type, _)| event_type.as_str()).collect();
    let before: String = within[..last].iter().map(|step| step.map_or("[]".to_owned(), |step| format!(".{step}"))).collect();
    let message = format!("events of type {} have no `.data{before}.{name}`, as their schema says", types.join(", "));
    let help = help.unwrap_or_else(|| "it is always null; see what the schema has".to_owned());
    Some((message, help, read.places.last()?.clone()))
}
