//! `/composite/sobjects`: up to 200 records in one call, each with its own result.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::id::Id;
use super::org::{Org, Upserted};
use super::query;
use super::refusal::Refusal;
use super::rest::{self, Call, Reply};
use super::schema::{Field, Object};

/// Most records in a call.
const MAX_RECORDS: usize = 200;

/// What one record came to: its result, or why not.
type Outcome = Result<Value, Refusal>;

/// Answers a call below `/composite/sobjects`.
pub fn answer(org: &mut Org, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
    match (call.method, rest) {
        ("GET", [object]) => read(org, call, object),
        ("DELETE", []) => {
            let all_or_none = call.all_or_none || call.parameter("allOrNone") == Some("true");
            let ids: Vec<String> = call.parameter("ids").unwrap_or_default().split(',').map(|id| id.trim().to_owned()).collect();
            limited(ids.len())?;
            Ok(each(org, all_or_none, ids, |org, id| delete(org, &id, call.now)))
        }
        ("POST", []) => {
            let (all_or_none, records) = records(call)?;
            Ok(each(org, all_or_none, records, |org, record| {
                let object = kind(&record)?;
                let id = org.create(object, record, call.now)?;
                Ok(json!({ "id": id.as_str(), "success": true, "errors": [] }))
            }))
        }
        ("PATCH", []) => {
            let (all_or_none, records) = records(call)?;
            Ok(each(org, all_or_none, records, |org, record| update(org, record, call)))
        }
        ("PATCH", [object, field]) => {
            let object = Object::named(object).ok_or_else(Refusal::not_found)?;
            let key = rest::key(object, field)?;
            let (all_or_none, records) = records(call)?;
            Ok(each(org, all_or_none, records, |org, record| upsert(org, object, key, record, call)))
        }
        (method, []) => Err(Refusal::method(method, "DELETE,PATCH,POST")),
        _ => Err(Refusal::not_found()),
    }
}

/// Whether a collection's answer holds a record that failed.
pub fn failed(body: &Value) -> bool {
    body.as_array().is_some_and(|results| results.iter().any(|result| result["success"] == false))
}

/// Does one thing after the other; where all or none is asked for and one fails, nothing is done.
fn each<T>(org: &mut Org, all_or_none: bool, items: Vec<T>, mut act: impl FnMut(&mut Org, T) -> Outcome) -> Reply {
    let before = all_or_none.then(|| org.clone());
    let mut outcomes: Vec<Outcome> = items.into_iter().map(|item| act(org, item)).collect();
    if let Some(before) = before
        && outcomes.iter().any(Result::is_err)
    {
        *org = before;
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            *outcome = Err(Refusal::bad(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using AllOrNone header",
            ));
        }
    }
    Reply::ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|refusal| refusal.result())).collect())
}

fn records(call: &Call<'_>) -> Result<(bool, Vec<Map<String, Value>>), Refusal> {
    let mut fields = call.fields()?;
    let all_or_none = call.all_or_none || fields.get("allOrNone") == Some(&Value::Bool(true));
    let Some(Value::Array(records)) = fields.remove("records") else {
        return Err(Refusal::bad("REQUIRED_FIELD_MISSING", "records is a required parameter"));
    };
    limited(records.len())?;
    let records = records.into_iter().map(|record| match record {
        Value::Object(record) => Ok(record),
        _ => Err(Refusal::json("A record must be an object")),
    });
    Ok((all_or_none, records.collect::<Result<_, _>>()?))
}

fn limited(records: usize) -> Result<(), Refusal> {
    if records > MAX_RECORDS {
        let message = format!("record limit reached. cannot submit more than {MAX_RECORDS} records into this call");
        return Err(Refusal::bad("EXCEEDED_ID_LIMIT", message));
    }
    Ok(())
}

/// The object that a record's attributes name.
fn kind(record: &Map<String, Value>) -> Result<&'static Object, Refusal> {
    let name = record.get("attributes").and_then(|attributes| attributes["type"].as_str());
    let Some(name) = name else {
        return Err(Refusal::bad("INVALID_INPUT", "Include an entity type with each record: attributes.type"));
    };
    let unknown = || Refusal::bad("INVALID_TYPE", format!("sObject type '{name}' is not supported."));
    Object::named(name).ok_or_else(unknown)
}

fn update(org: &mut Org, mut record: Map<String, Value>, call: &Call<'_>) -> Outcome {
    let object = kind(&record)?;
    let name = record.keys().find(|name| name.eq_ignore_ascii_case("id")).cloned();
    let id = name.and_then(|name| record.remove(&name));
    let Some(Value::String(id)) = id else {
        return Err(Refusal::bad("MISSING_ARGUMENT", "Id not specified in an update call"));
    };
    let id = well_formed(&id)?;
    org.update(object, &id, record, call.now)?;
    Ok(json!({ "id": id.as_str(), "success": true, "errors": [] }))
}

fn upsert(org: &mut Org, object: &'static Object, key: &'static Field, mut record: Map<String, Value>, call: &Call<'_>) -> Outcome {
    let name = record.keys().find(|name| name.eq_ignore_ascii_case(key.name)).cloned();
    let text = name.and_then(|name| record.remove(&name));
    let Some(Value::String(text)) = text else {
        let message = format!("{} not specified", key.name);
        return Err(Refusal::bad("MISSING_ARGUMENT", message));
    };
    let result = |id: &Id, created: bool| json!({ "id": id.as_str(), "success": true, "errors": [], "created": created });
    match org.upsert(object, key, &text, record, true, call.now)? {
        Upserted::Created(id) => Ok(result(&id, true)),
        Upserted::Updated(id) => Ok(result(&id, false)),
        Upserted::Several(_) => {
            let message = format!("{}: more than one record found for external id field", key.name);
            Err(Refusal::field("DUPLICATE_EXTERNAL_ID", message, key.name))
        }
    }
}

fn delete(org: &mut Org, id: &str, now: Timestamp) -> Outcome {
    let id = well_formed(id)?;
    let object = Object::of_prefix(id.prefix()).ok_or_else(|| Refusal::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))?;
    org.delete(object, &id, now)?;
    Ok(json!({ "id": id.as_str(), "success": true, "errors": [] }))
}

fn well_formed(id: &str) -> Result<Id, Refusal> {
    Id::parse(id).ok_or_else(|| Refusal::field("MALFORMED_ID", format!("malformed id {id}"), "Id"))
}

/// The records of these ids, in this order, null for one that isn't there.
fn read(org: &Org, call: &Call<'_>, object: &str) -> Result<Reply, Refusal> {
    let object = Object::named(object).ok_or_else(Refusal::not_found)?;
    let ids: Vec<&str> = call.parameter("ids").unwrap_or_default().split(',').map(str::trim).collect();
    limited(ids.len())?;
    let names = call.parameter("fields").unwrap_or("Id");
    let fields: Vec<&Field> = names
        .split(',')
        .map(|name| object.field(name.trim()).ok_or_else(|| Refusal::no_column(name, object.name)))
        .collect::<Result<_, _>>()?;
    let shown = |id: &str| {
        let id = Id::parse(id)?;
        let record = org.get(object, &id)?;
        let mut shown = Map::new();
        shown.insert("attributes".into(), query::attributes(object, id.as_str(), &call.base));
        shown.extend(fields.iter().map(|field| (field.name.to_owned(), record[field.name].clone())));
        Some(Value::Object(shown))
    };
    Ok(Reply::ok(ids.into_iter().map(|id| shown(id).unwrap_or(Value::Null)).collect()))
}
