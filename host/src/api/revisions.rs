//! Configurations that were applied, and what one changed against another. Without secrets: a revision has references, and no resolved one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cursor::{Listing, Page};
use super::shown::Time;
use super::system::Host;
use super::{Problem, system};
use crate::config;
use crate::runtime::Runtime;
use crate::store::RevisionRow;

/// Most changes that are listed.
const MAX_CHANGES: usize = 500;

/// Query of `GET /v1/revisions/{number}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The number of a revision: what is different from that one.
    against: Option<i64>,
}

/// Configurations that were applied.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Revisions")]
pub(super) struct Revisions {
    /// The latest first.
    revisions: Vec<Summary>,
    next_cursor: Option<String>,
}

/// A configuration that was applied.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevisionSummary")]
pub(super) struct Summary {
    number: i64,
    applied_at: Time,
    /// Null: an earlier version of the program applied it.
    by: Option<Applier>,
    /// Of content and components.
    digest: String,
    /// It is the one that new events run on, at the host that is asked.
    present: bool,
    /// Hosts that run it now, by id.
    hosts: Vec<String>,
}

/// Who applied it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevisionApplier")]
struct Applier {
    /// `token`, `person`, `shell`, `host` or `anyone`.
    kind: String,
    name: String,
}

/// One revision, whole.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Revision")]
pub(super) struct Whole {
    #[serde(flatten)]
    summary: Summary,
    /// Digests of its components by plugin, those of canaries as `NAME/canary`.
    components: BTreeMap<String, String>,
    /// As the host understands it: without comments, references unresolved.
    toml: String,
    /// With `against` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

/// What is different from another one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevisionDifference")]
struct Difference {
    /// The other one's number.
    against: i64,
    changes: Vec<Change>,
    /// How many there are beyond those.
    more_changes: usize,
    /// The other one's text.
    toml: String,
}

/// A place in which two configurations differ.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RevisionChange")]
struct Change {
    /// Such as `routes[NAME].steps[NAME].retry.max-attempts`; `routes[]` is their order.
    path: String,
    /// What stood there in the other one; missing: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<Value>,
    /// What stands there in this one; missing: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Value>,
}

/// The latest first.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Query(page): Query<Page>) -> Result<Json<Revisions>, Problem> {
    let limit = page.limit();
    let listing = Listing::new("revisions", &page);
    let mut rows = runtime.store.revisions(listing.place(page.cursor.as_deref())?, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| listing.cursor(row.number));
    let hosts = system::hosts(&runtime).await?;
    let present = runtime.present().revision.number;
    let revisions = rows.iter().map(|row| summary(row, &hosts, present)).collect();
    Ok(Json(Revisions { revisions, next_cursor: next }))
}

fn summary(row: &RevisionRow, hosts: &[Host], present: i64) -> Summary {
    let on = hosts.iter().filter(|host| host.revision == row.number && host.alive);
    Summary {
        number: row.number,
        applied_at: row.applied_at.into(),
        by: row.applied_by.clone().map(|(kind, name)| Applier { kind, name }),
        digest: row.digest.clone(),
        present: row.number == present,
        hosts: on.map(|host| host.id.clone()).collect(),
    }
}

/// One revision: its text as the host understands it, without comments, and its components; with `against`, what is different from that one.
pub(super) async fn show(
    State(runtime): State<Arc<Runtime>>,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Whole>, Problem> {
    let number: i64 = number.parse().map_err(|_| Problem::not_found(format!("{number:?} is not the number of a revision")))?;
    let row = revision(&runtime, number).await?;
    let (content, components) = parts(&row)?;
    let hosts = system::hosts(&runtime).await?;
    let mut whole = Whole {
        summary: summary(&row, &hosts, runtime.present().revision.number),
        components: serde_json::from_value(components.clone()).unwrap_or_default(),
        toml: config::toml_text(&content),
        difference: None,
    };
    if let Some(against) = asked.against {
        let (then, then_components) = parts(&revision(&runtime, against).await?)?;
        let mut changes = Vec::new();
        differ("", Some(&then), Some(&content), &mut changes);
        differ("components", Some(&then_components), Some(&components), &mut changes);
        let more_changes = changes.len().saturating_sub(MAX_CHANGES);
        changes.truncate(MAX_CHANGES);
        whole.difference = Some(Difference { against, changes, more_changes, toml: config::toml_text(&then) });
    }
    Ok(Json(whole))
}

async fn revision(runtime: &Runtime, number: i64) -> Result<RevisionRow, Problem> {
    let row = runtime.store.revision(Some(number)).await?;
    row.ok_or_else(|| Problem::not_found(format!("there is no revision {number}; GET /v1/revisions lists them")))
}

/// Content and components, as JSON.
fn parts(row: &RevisionRow) -> Result<(Value, Value), Problem> {
    let read = |text: &str| {
        serde_json::from_str(text).map_err(|error| Problem::conflict(format!("revision {} can't be read: {error}", row.number)))
    };
    Ok((read(&row.content)?, read(&row.components)?))
}

/// Every place in which two configurations differ, with what stands there in each. Members of lists that have a name are told apart by it: a route
/// that was put before others has not changed those.
fn differ(path: &str, then: Option<&Value>, now: Option<&Value>, changes: &mut Vec<Change>) {
    match (then, now) {
        (Some(then), Some(now)) if then == now => {}
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let names = then.keys().chain(now.keys().filter(|name| !then.contains_key(*name)));
            names.for_each(|name| differ(&member(path, name), then.get(name), now.get(name), changes));
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) if then.iter().chain(now).all(|item| item["name"].is_string()) => {
            let named = |items: &[Value], name: &Value| items.iter().find(|item| item["name"] == *name).cloned();
            let names = then.iter().chain(now.iter().filter(|item| named(then, &item["name"]).is_none())).map(|item| &item["name"]);
            for name in names {
                let place = format!("{path}[{}]", name.as_str().unwrap_or_default());
                differ(&place, named(then, name).as_ref(), named(now, name).as_ref(), changes);
            }
            let order = |items: &[Value], others: &[Value]| -> Vec<Value> {
                items.iter().map(|item| item["name"].clone()).filter(|name| named(others, name).is_some()).collect()
            };
            let (before, after) = (order(then, now), order(now, then));
            if before != after {
                changes.push(Change { path: format!("{path}[]"), then: Some(json!(before)), now: Some(json!(after)) });
            }
        }
        (then, now) => changes.push(Change { path: path.to_owned(), then: then.cloned(), now: now.cloned() }),
    }
}

fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_where_it_is_and_an_order_of_its_own() {
        let then = json!({
            "plugins": { "crm": { "limits": { "cpu": "1s" } }, "old": {} },
            "routes": [{ "name": "a", "steps": [{ "name": "s", "uses": "crm.x" }] }, { "name": "b" }],
            "list": [1, 2],
        });
        let now = json!({
            "plugins": { "crm": { "limits": { "cpu": "2s" } } },
            "routes": [{ "name": "c" }, { "name": "b" }, { "name": "a", "steps": [{ "name": "s", "uses": "crm.y" }] }],
            "list": [1, 2, 3],
        });
        let mut changes = Vec::new();
        differ("", Some(&then), Some(&now), &mut changes);
        let mut shown: Vec<String> = changes.iter().map(|change| json!(change).to_string()).collect();
        shown.sort();
        let mut wanted = [
            json!({ "path": "plugins.crm.limits.cpu", "then": "1s", "now": "2s" }),
            json!({ "path": "plugins.old", "then": {} }),
            json!({ "path": "routes[a].steps[s].uses", "then": "crm.x", "now": "crm.y" }),
            json!({ "path": "routes[c]", "now": { "name": "c" } }),
            json!({ "path": "routes[]", "then": ["a", "b"], "now": ["b", "a"] }),
            json!({ "path": "list", "then": [1, 2], "now": [1, 2, 3] }),
        ]
        .map(|change| change.to_string());
        wanted.sort();
        assert_eq!(shown, wanted);
        let mut none = Vec::new();
        differ("", Some(&then), Some(&then), &mut none);
        assert_eq!(none, Vec::new());
    }
}
