//! Which request means what.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Account;
use super::answer::Answer;
use super::batch;
use super::capture;
use super::entity::Entity;
use super::fault::Fault;
use super::invoice;
use super::query;
use super::select;
use super::write::{Operation, write};

/// A request below `/v3/company/{realm}/`.
pub(super) struct Call<'a> {
    method: Method,
    path: Vec<String>,
    query: HashMap<String, String>,
    content_type: &'a str,
    body: &'a [u8],
}

impl<'a> Call<'a> {
    pub(super) fn read(method: Method, path: &str, query: Option<&str>, content_type: &'a str, body: &'a [u8]) -> Call<'a> {
        Call {
            method,
            path: path.trim_end_matches('/').split('/').map(str::to_owned).collect(),
            query: form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect(),
            content_type,
            body,
        }
    }

    fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    fn is(&self, kinds: &[&str]) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kinds.contains(&kind.as_str())
    }

    fn json(&self) -> Result<Value, Fault> {
        if !self.is(&["application/json"]) {
            return Err(Fault::media_type("application/json"));
        }
        serde_json::from_slice(self.body).map_err(|error| Fault::unsupported("body", &format!("is not JSON: {error}")))
    }

    fn text(&self) -> Result<&str, Fault> {
        if !self.is(&["application/text", "text/plain"]) {
            return Err(Fault::media_type("application/text"));
        }
        std::str::from_utf8(self.body).map_err(|_| Fault::query("the query is no UTF-8 text"))
    }
}

/// Does a call.
pub(super) fn route(account: &mut Account, call: &Call<'_>) -> Result<Answer, Fault> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["query"]) => run(account, call.parameter("query")),
        ("POST", ["query"]) => run(account, call.text()?),
        ("GET", ["cdc"]) => capture::capture(&account.company, call.parameter("entities"), call.parameter("changedSince")),
        ("POST", ["batch"]) => {
            let body = call.json()?;
            once(account, call, "batch", |account| Ok(Answer::ok(batch::batch(&mut account.company, &body)?)))
        }
        ("POST", ["invoice", id, "send"]) => send(account, call, id),
        ("GET", ["payment", id]) => {
            let payment = account.company.payments.iter().find(|payment| payment["Id"] == *id).ok_or_else(Fault::not_found)?;
            Ok(Answer::ok(json!({ "Payment": payment })))
        }
        ("GET", [name, id]) => {
            let entity = entity(name)?;
            let record = account.company.get(entity, id).ok_or_else(Fault::not_found)?;
            Ok(Answer::ok(json!({ entity.name(): record })))
        }
        ("POST", [name]) => {
            let entity = entity(name)?;
            let asked = call.parameter("operation");
            let operation = Operation::parse(asked).ok_or_else(|| Fault::unsupported_operation(asked))?;
            let body = call.json()?;
            once(account, call, &format!("{name} {asked}"), |account| {
                Ok(Answer::ok(json!({ entity.name(): write(&mut account.company, entity, operation, &body)? })))
            })
        }
        (method, _) => Err(Fault::unsupported_operation(&format!("{method} {}", call.path.join("/")))),
    }
}

/// Does something unless its outcome is known under the call's `requestid`; its first outcome is kept, a fault too.
fn once(
    account: &mut Account,
    call: &Call<'_>,
    operation: &str,
    act: impl FnOnce(&mut Account) -> Result<Answer, Fault>,
) -> Result<Answer, Fault> {
    let id = call.parameter("requestid");
    if id.is_empty() {
        return act(account);
    }
    if let Some(answer) = account.replay.recall(id, operation)? {
        return Ok(answer);
    }
    let answer = act(account).unwrap_or_else(Answer::from);
    account.replay.keep(id, operation, &answer);
    Ok(answer)
}

fn entity(name: &str) -> Result<Entity, Fault> {
    Entity::parse(name).ok_or_else(|| Fault::unsupported_operation(name))
}

fn run(account: &Account, text: &str) -> Result<Answer, Fault> {
    // Payments are no entity of the store: they are made by the setting `pay`, and asked for by their ids.
    if let Some(ids) = text.strip_prefix("SELECT * FROM Payment WHERE Id IN (").and_then(|rest| rest.strip_suffix(')')) {
        let ids: Vec<&str> = ids.split(',').map(|id| id.trim().trim_matches('\'')).collect();
        let wanted = |payment: &&Value| payment["Id"].as_str().is_some_and(|id| ids.contains(&id));
        let found: Vec<&Value> = account.company.payments.iter().filter(wanted).collect();
        return Ok(Answer::ok(json!({ "QueryResponse": if found.is_empty() { json!({}) } else { json!({ "Payment": found }) } })));
    }
    let query = query::parse(text)?;
    Ok(Answer::ok(json!({ "QueryResponse": select::select(&account.company, &query)? })))
}

/// Sends an invoice. A `requestid` changes nothing here: a repetition is a second e-mail.
fn send(account: &mut Account, call: &Call<'_>, id: &str) -> Result<Answer, Fault> {
    if !call.is(&["application/octet-stream"]) {
        return Err(Fault::media_type("application/octet-stream"));
    }
    if !call.body.is_empty() {
        return Err(Fault::unsupported("body", "is not empty"));
    }
    let to = call.query.get("sendTo").map(String::as_str);
    Ok(Answer::ok(json!({ "Invoice": invoice::send(&mut account.company, id, to)? })))
}
