//! Which request means what.

use std::collections::HashMap;
use std::time::Instant;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::association;
use super::batch;
use super::kind::Kind;
use super::pipeline;
use super::portal::{Portal, Record, stamp};
use super::property;
use super::refusal::Refusal;
use super::search;

const DEFAULT_PAGE: usize = 10;
const MAX_PAGE: usize = 100;

/// A request without its version, which stands first (`v3/objects`) or second (`objects/2026-09`).
pub(super) struct Call {
    method: Method,
    path: Vec<String>,
    /// Version 3 shows associations in another shape than its successors.
    v3: bool,
    query: HashMap<String, String>,
    body: Value,
}

impl Call {
    /// Reads a path below `/crm/`, already decoded.
    pub(super) fn read(method: Method, path: &str, query: &str, body: Value) -> Result<Call, Refusal> {
        let mut path: Vec<String> = path.split('/').map(str::to_owned).collect();
        let at = (0..path.len().min(2)).find(|at| is_version(&path[*at])).ok_or_else(Refusal::no_such_path)?;
        let version = path.remove(at);
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Call { method, path, v3: version == "v3", query, body })
    }

    fn asked(&self) -> Vec<&str> {
        let names = self.query.get("properties").map(String::as_str).unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    fn id_property(&self) -> Option<&str> {
        self.query.get("idProperty").map(String::as_str)
    }
}

/// `v3`, `v4`, or a date version such as `2026-09`.
fn is_version(text: &str) -> bool {
    let date = |(year, month): (&str, &str)| year.len() == 4 && year.parse::<u16>().is_ok() && matches!(month, "03" | "09");
    matches!(text, "v3" | "v4") || text.split_once('-').is_some_and(date)
}

/// Does a call.
pub(super) fn route(portal: &mut Portal, call: &Call) -> Result<Response, Refusal> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let method = call.method.as_str();
    match (method, path.as_slice()) {
        ("GET", ["objects", of]) => list(portal, kind(of)?, call),
        ("POST", ["objects", of]) => create(portal, kind(of)?, call),
        ("POST", ["objects", of, "search"]) => Ok(Json(search::search(portal, kind(of)?, &call.body, Instant::now())?).into_response()),
        ("POST", ["objects", of, "batch", verb]) => match batch::batch(portal, kind(of)?, verb, &call.body)? {
            (status, Value::Null) => Ok(status.into_response()),
            (status, body) => Ok((status, Json(body)).into_response()),
        },
        ("GET", ["objects", of, id]) => get(portal, kind(of)?, id, call),
        ("PATCH", ["objects", of, id]) => change(portal, kind(of)?, id, call),
        ("DELETE", ["objects", of, id]) => {
            let of = kind(of)?;
            if let Ok(id) = portal.find(of, id, call.id_property()).map(|record| record.id) {
                portal.archive(of, id);
            }
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("GET", ["objects", of, id, "associations", to]) => associated(portal, kind(of)?, id, kind(to)?, call),
        ("PUT", ["objects", of, id, "associations", "default", to, to_id]) => {
            let (from, to) = ends(portal, of, id, to, to_id)?;
            Ok(Json(associate(portal, from, to)?).into_response())
        }
        ("PUT", ["objects", of, id, "associations", to, to_id]) => label(portal, ends(portal, of, id, to, to_id)?, &call.body),
        ("PUT", ["objects", of, id, "associations", to, to_id, name]) => {
            let (from, to) = ends(portal, of, id, to, to_id)?;
            let id = association::parse(from.0, to.0, name).ok_or_else(|| no_type(name))?;
            portal.link(from, to, id);
            let record = portal.find(from.0, &from.1.to_string(), None)?;
            Ok(Json(with_associations(portal, from.0, record, [to.0], [], true)).into_response())
        }
        ("DELETE", ["objects", of, id, "associations", to, to_id]) => {
            let (from, to) = ends(portal, of, id, to, to_id)?;
            portal.unlink(from, to, None);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("DELETE", ["objects", of, id, "associations", to, to_id, name]) => {
            let (from, to) = ends(portal, of, id, to, to_id)?;
            let id = association::parse(from.0, to.0, name).ok_or_else(|| no_type(name))?;
            portal.unlink(from, to, Some(id));
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("POST", ["associations", from, to, "batch", "read"]) => associated_to_many(portal, kind(from)?, kind(to)?, call),
        ("POST", ["associations", from, to, "batch", "associate", "default"]) => associate_many(portal, from, to, call),
        ("GET", ["associations", from, to, "labels"]) => {
            Ok(Json(json!({ "results": association::labels(kind(from)?, kind(to)?) })).into_response())
        }
        ("GET", ["associations", from, to, "types"]) => {
            Ok(Json(json!({ "results": association::names(kind(from)?, kind(to)?) })).into_response())
        }
        ("GET", ["pipelines", of]) => {
            let pipelines: Vec<Value> = pipeline::of(kind(of)?).into_iter().map(pipeline::Pipeline::public).collect();
            Ok(Json(json!({ "results": pipelines })).into_response())
        }
        ("GET", ["pipelines", of, id]) => Ok(Json(the_pipeline(of, id)?.public()).into_response()),
        ("GET", ["pipelines", of, id, "stages"]) => Ok(Json(json!({ "results": the_pipeline(of, id)?.public_stages() })).into_response()),
        ("GET", ["properties", of]) => {
            let definitions = portal.definitions(kind(of)?);
            let all: Vec<Value> = definitions.iter().map(|(name, property)| property.public(name)).collect();
            Ok(Json(json!({ "results": all })).into_response())
        }
        ("POST", ["properties", of]) => {
            let definitions = portal.definitions_mut(kind(of)?);
            let name = property::define(definitions, &call.body)?;
            Ok((StatusCode::CREATED, Json(definitions[&name].public(&name))).into_response())
        }
        ("GET", ["properties", of, name]) => {
            let property = portal.definitions(kind(of)?).get(*name).ok_or_else(|| Refusal::not_found(name))?;
            Ok(Json(property.public(name)).into_response())
        }
        ("GET" | "POST" | "PATCH" | "DELETE" | "PUT", _) => Err(Refusal::no_such_path()),
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "VALIDATION_ERROR", "HTTP 405 Method Not Allowed")),
    }
}

fn kind(text: &str) -> Result<Kind, Refusal> {
    Kind::parse(text).ok_or_else(|| Refusal::invalid(format!("Unable to infer object type from: {text}")))
}

fn the_pipeline(of: &str, id: &str) -> Result<&'static pipeline::Pipeline, Refusal> {
    pipeline::of(kind(of)?).filter(|pipeline| pipeline.id == id).ok_or_else(|| Refusal::not_found(id))
}

type End = (Kind, u64);

fn ends(portal: &Portal, of: &str, id: &str, to: &str, to_id: &str) -> Result<(End, End), Refusal> {
    let (of, to) = (kind(of)?, kind(to)?);
    Ok(((of, portal.id_of(of, id)?), (to, portal.id_of(to, to_id)?)))
}

fn no_type(name: &str) -> Refusal {
    Refusal::invalid(format!("Association type \"{name}\" is not valid between these objects"))
}

fn list(portal: &Portal, of: Kind, call: &Call) -> Result<Response, Refusal> {
    let number = |name: &str| match call.query.get(name) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| Refusal::invalid(format!("{name} is not a number"))),
    };
    let limit = usize::try_from(number("limit")?.unwrap_or(DEFAULT_PAGE as u64)).unwrap_or(usize::MAX);
    if limit == 0 || limit > MAX_PAGE {
        return Err(Refusal::invalid(format!("limit must be between 1 and {MAX_PAGE}")));
    }
    let after = number("after")?.unwrap_or(0);
    let asked = call.asked();
    let mut rest = portal.records(of, after);
    let results: Vec<Value> = rest.by_ref().take(limit).map(|record| record.public(asked.iter().copied(), asked.is_empty())).collect();
    let mut answer = json!({ "results": results });
    if let Some(next) = rest.next() {
        answer["paging"] = json!({ "next": { "after": next.id.to_string() } });
    }
    Ok(Json(answer).into_response())
}

fn create(portal: &mut Portal, of: Kind, call: &Call) -> Result<Response, Refusal> {
    let draft = portal.draft(of, &call.body)?;
    Ok((StatusCode::CREATED, Json(portal.create(draft).whole())).into_response())
}

fn get(portal: &Portal, of: Kind, id: &str, call: &Call) -> Result<Response, Refusal> {
    let record = portal.find(of, id, call.id_property())?;
    let asked = call.query.get("associations").map(String::as_str).unwrap_or_default();
    let with: Vec<Kind> = asked.split(',').filter(|to| !to.is_empty()).map(kind).collect::<Result<_, _>>()?;
    let asked = call.asked();
    let usual = asked.is_empty();
    Ok(Json(with_associations(portal, of, record, with, asked, usual)).into_response())
}

fn with_associations<'a>(
    portal: &Portal,
    of: Kind,
    record: &Record,
    with: impl IntoIterator<Item = Kind>,
    asked: impl IntoIterator<Item = &'a str>,
    usual: bool,
) -> Value {
    let mut answer = record.public(asked, usual);
    for to in with {
        let results = older(portal, (of, record.id), to);
        if !results.is_empty() {
            answer["associations"][to.plural()] = json!({ "results": results });
        }
    }
    answer
}

fn change(portal: &mut Portal, of: Kind, id: &str, call: &Call) -> Result<Response, Refusal> {
    let id = portal.find(of, id, call.id_property())?.id;
    let values = portal.check_change(of, id, &call.body)?;
    Ok(Json(portal.apply(of, id, values).whole()).into_response())
}

/// Associations as version 3 shows them: one entry per type.
fn older(portal: &Portal, from: End, to: Kind) -> Vec<Value> {
    let show = |id: u64, type_id: u32| json!({ "id": id.to_string(), "type": association::name(from.0, to, type_id) });
    portal.links(from, to).map(|link| show(link.to, link.type_id)).collect()
}

/// Associations as version 4 shows them: one entry per record, its id a number.
fn newer(portal: &Portal, from: End, to: Kind) -> Vec<Value> {
    let mut results: Vec<Value> = Vec::new();
    for link in portal.links(from, to) {
        let spec = association::spec(from.0, to, link.type_id);
        match results.last_mut().filter(|last| last["toObjectId"] == link.to) {
            Some(last) => last["associationTypes"].as_array_mut().into_iter().for_each(|types| types.push(spec.clone())),
            None => results.push(json!({ "toObjectId": link.to, "associationTypes": [spec] })),
        }
    }
    results
}

fn associated(portal: &Portal, of: Kind, id: &str, to: Kind, call: &Call) -> Result<Response, Refusal> {
    let from = (of, portal.id_of(of, id)?);
    let results = if call.v3 { older(portal, from, to) } else { newer(portal, from, to) };
    Ok(Json(json!({ "results": results })).into_response())
}

fn associated_to_many(portal: &Portal, of: Kind, to: Kind, call: &Call) -> Result<Response, Refusal> {
    let inputs = call.body["inputs"].as_array().ok_or_else(|| Refusal::invalid("Invalid input JSON: inputs is not set"))?;
    let ids = inputs.iter().filter_map(|input| input["id"].as_str()?.parse::<u64>().ok());
    // Records without associations are left out, as HubSpot leaves them out.
    let results: Vec<Value> = ids
        .map(|id| (id, if call.v3 { older(portal, (of, id), to) } else { newer(portal, (of, id), to) }))
        .filter(|(_, to)| !to.is_empty())
        .map(|(id, to)| json!({ "from": { "id": id.to_string() }, "to": to }))
        .collect();
    Ok(Json(complete(&results)).into_response())
}

fn complete(results: &[Value]) -> Value {
    let now = stamp(jiff::Timestamp::now());
    json!({ "status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now })
}

/// Sets the unlabelled association.
/// Each pair for itself.
fn associate_many(portal: &mut Portal, of: &str, to: &str, call: &Call) -> Result<Response, Refusal> {
    let inputs = call.body["inputs"].as_array().ok_or_else(|| Refusal::invalid("Invalid input JSON: inputs is not set"))?;
    let id = |end: &Value| end["id"].as_str().unwrap_or_default().to_owned();
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        match ends(portal, of, &id(&input["from"]), to, &id(&input["to"])) {
            Ok((from, to)) => {
                associate(portal, from, to)?;
                results.push(json!({ "from": { "id": from.1.to_string() }, "to": { "id": to.1.to_string() } }));
            }
            Err(refusal) => errors.push(refusal.entry()),
        }
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(json!({ "status": "COMPLETE", "results": results, "errors": errors, "numErrors": errors.len() }))).into_response())
}

fn associate(portal: &mut Portal, from: End, to: End) -> Result<Value, Refusal> {
    let id = association::default_type(from.0, to.0).ok_or_else(|| no_type("default"))?;
    portal.link(from, to, id);
    let one = |from: End, to: End, id: u32| {
        json!({
            "from": { "id": from.1.to_string() },
            "to": { "id": to.1.to_string() },
            "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id },
        })
    };
    let back = association::back(from.0, to.0, id).map(|id| one(to, from, id));
    let results: Vec<Value> = [Some(one(from, to, id)), back].into_iter().flatten().collect();
    Ok(complete(&results))
}

/// Sets associations of given types.
fn label(portal: &mut Portal, (from, to): (End, End), specs: &Value) -> Result<Response, Refusal> {
    let specs = specs.as_array().ok_or_else(|| Refusal::invalid("Invalid input JSON: a list of association types is wanted"))?;
    let mut labels = Vec::new();
    for spec in specs {
        let id = spec["associationTypeId"].as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.filter(|id| association::back(from.0, to.0, *id).is_some());
        let id = id.ok_or_else(|| no_type(&spec["associationTypeId"].to_string()))?;
        portal.link(from, to, id);
        labels.extend(association::spec(from.0, to.0, id)["label"].as_str().map(str::to_owned));
    }
    let body = json!({
        "fromObjectTypeId": from.0.type_id(),
        "fromObjectId": from.1,
        "toObjectTypeId": to.0.type_id(),
        "toObjectId": to.1,
        "labels": labels,
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
