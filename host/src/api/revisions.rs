//! Configurations that were applied, and what one changed against another. Without secrets: a revision has references, and no resolved one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cursor::Listing;
use super::{Problem, system};
use crate::config;
use crate::runtime::Runtime;
use crate::store::RevisionRow;

/// Revisions of a page unless asked otherwise.
const PAGE: u32 = 50;
/// Most revisions of a page.
const MAX_PAGE: u32 = 500;
/// Most changes that are listed.
const MAX_CHANGES: usize = 500;

/// Query of `GET /v1/revisions`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// How many at most: 50 unless said, 500 at most.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where the last page ended (`next_cursor`).
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// Query of `GET /v1/revisions/{number}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The number of a revision: what is different from that one.
    against: Option<i64>,
}

/// The latest first.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Query(page): Query<Page>) -> Result<Json<Value>, Problem> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let listing = Listing::new("revisions", &page);
    let mut rows = runtime.store.revisions(listing.place(page.cursor.as_deref())?, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| listing.cursor(row.number));
    let hosts = system::hosts(&runtime).await?;
    let present = runtime.present().revision.number;
    let revisions: Vec<Value> = rows.iter().map(|row| summary(row, &hosts, present)).collect();
    Ok(Json(json!({ "revisions": revisions, "next_cursor": next })))
}

fn summary(row: &RevisionRow, hosts: &[Value], present: i64) -> Value {
    let on = hosts.iter().filter(|host| host["revision"] == row.number && host["alive"] == true);
    json!({
        "number": row.number,
        "applied_at": row.applied_at.to_string(),
        "by": row.applied_by.as_ref().map(|(kind, name)| json!({ "kind": kind, "name": name })),
        "digest": row.digest,
        "present": row.number == present,
        "hosts": on.map(|host| host["id"].clone()).collect::<Vec<_>>(),
    })
}

/// One revision: its text as the host understands it, without comments, and its components; with `against`, what is different from that one.
pub(super) async fn show(
    State(runtime): State<Arc<Runtime>>,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let number: i64 = number.parse().map_err(|_| Problem::not_found(format!("{number:?} is not the number of a revision")))?;
    let row = revision(&runtime, number).await?;
    let (content, components) = parts(&row)?;
    let hosts = system::hosts(&runtime).await?;
    let mut shown = summary(&row, &hosts, runtime.present().revision.number);
    shown["components"] = components.clone();
    shown["toml"] = json!(config::toml_text(&content));
    if let Some(against) = asked.against {
        let (then, then_components) = parts(&revision(&runtime, against).await?)?;
        let mut changes = Vec::new();
        differ("", Some(&then), Some(&content), &mut changes);
        differ("components", Some(&then_components), Some(&components), &mut changes);
        let more = changes.len().saturating_sub(MAX_CHANGES);
        changes.truncate(MAX_CHANGES);
        shown["difference"] = json!({ "against": against, "changes": changes, "more_changes": more, "toml": config::toml_text(&then) });
    }
    Ok(Json(shown))
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
fn differ(path: &str, then: Option<&Value>, now: Option<&Value>, changes: &mut Vec<Value>) {
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
                changes.push(json!({ "path": format!("{path}[]"), "then": before, "now": after }));
            }
        }
        (then, now) => {
            let mut change = json!({ "path": path });
            for (name, value) in [("then", then), ("now", now)] {
                if let Some(value) = value {
                    change[name] = value.clone();
                }
            }
            changes.push(change);
        }
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
        let mut shown: Vec<String> = changes.iter().map(Value::to_string).collect();
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
        assert_eq!(none, Vec::<Value>::new());
    }
}
