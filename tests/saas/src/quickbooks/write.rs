//! Writing: create, full and sparse update, delete, void.

use serde_json::{Value, json};

use super::answer::moment;
use super::company::Company;
use super::entity::{COMMON, Entity};
use super::fault::Fault;
use super::field::{self, Fields};
use super::{invoice, item, name, time_activity};

/// What is to be done with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Creates, or updates where the body has an `Id`.
    Save,
    Delete,
    Void,
}

impl Operation {
    /// Reads `?operation=` or a batch item's `operation`.
    pub(super) fn parse(text: &str) -> Option<Operation> {
        match text {
            "" | "create" | "update" => Some(Operation::Save),
            "delete" => Some(Operation::Delete),
            "void" => Some(Operation::Void),
            _ => None,
        }
    }
}

/// Does an operation; answers the entity as it is then.
pub(super) fn write(company: &mut Company, entity: Entity, operation: Operation, body: &Value) -> Result<Fields, Fault> {
    if !entity.is_writable() {
        return Err(Fault::unsupported_operation(&format!("create {}", entity.name())));
    }
    let body = body.as_object().ok_or_else(|| Fault::unsupported(entity.name(), "is not an object"))?;
    field::only(body, |name| COMMON.contains(&name) || entity.fields().contains(&name), "")?;
    let id = match body.get("Id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    };
    match (operation, id) {
        (Operation::Save, None) => create(company, entity, body),
        (Operation::Save, Some(id)) => update(company, entity, &id, body),
        (_, None) => Err(Fault::missing("Id")),
        (Operation::Delete, Some(_)) if entity.is_list() => Err(Fault::unsupported_operation(&format!("delete {}", entity.name()))),
        (Operation::Delete, Some(id)) => {
            current(company, entity, &id, body)?;
            company.remove(entity, &id);
            let gone = json!({ "Id": id, "domain": "QBO", "status": "Deleted" });
            Ok(gone.as_object().cloned().unwrap_or_default())
        }
        (Operation::Void, Some(id)) if entity == Entity::Invoice => {
            let mut record = invoice::void(current(company, entity, &id, body)?);
            touch(&mut record);
            company.put(entity, &id, record.clone());
            Ok(record)
        }
        (Operation::Void, Some(_)) => Err(Fault::unsupported_operation(&format!("void {}", entity.name()))),
    }
}

fn create(company: &mut Company, entity: Entity, body: &Fields) -> Result<Fields, Fault> {
    let mut record = prepare(company, entity, writable(entity, body), None)?;
    let id = company.fresh_id(entity);
    let now = moment();
    record.insert("Id".to_owned(), json!(id));
    record.insert("SyncToken".to_owned(), json!("0"));
    record.insert("domain".to_owned(), json!("QBO"));
    record.insert("sparse".to_owned(), json!(false));
    record.insert("MetaData".to_owned(), json!({ "CreateTime": now, "LastUpdatedTime": now }));
    company.put(entity, &id, record.clone());
    Ok(record)
}

fn update(company: &mut Company, entity: Entity, id: &str, body: &Fields) -> Result<Fields, Fault> {
    let previous = current(company, entity, id, body)?;
    let sparse = body.get("sparse") == Some(&Value::Bool(true));
    let mut record = if sparse {
        let mut record = writable(entity, &previous);
        record.extend(writable(entity, body));
        record
    } else {
        writable(entity, body)
    };
    record.retain(|_, value| !value.is_null());
    if sparse && entity == Entity::Invoice && !body.contains_key("TxnTaxDetail") {
        // A total that was worked out is worked out again; one that was given goes with the lines it was given for.
        record.remove("TxnTaxDetail");
    }
    for field in entity.read_only() {
        if let Some(value) = previous.get(*field) {
            record.insert((*field).to_owned(), value.clone());
        }
    }
    let mut record = prepare(company, entity, record, Some(&previous))?;
    for field in ["Id", "SyncToken", "domain", "MetaData"] {
        record.insert(field.to_owned(), previous.get(field).cloned().unwrap_or_default());
    }
    record.insert("sparse".to_owned(), json!(false));
    touch(&mut record);
    company.put(entity, id, record.clone());
    Ok(record)
}

fn prepare(company: &Company, entity: Entity, record: Fields, previous: Option<&Fields>) -> Result<Fields, Fault> {
    let id = previous.and_then(|previous| previous.get("Id")?.as_str());
    match entity {
        Entity::Invoice => invoice::prepare(company, record, previous),
        Entity::TimeActivity => time_activity::prepare(company, record, previous),
        Entity::Item => item::prepare(company, record, id),
        _ => name::prepare(company, entity, record, id),
    }
}

/// The fields that a request may set.
fn writable(entity: Entity, body: &Fields) -> Fields {
    let kept = |name: &str| !COMMON.contains(&name) && !entity.read_only().contains(&name);
    body.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The record as it is, if the body names its present version.
fn current(company: &Company, entity: Entity, id: &str, body: &Fields) -> Result<Fields, Fault> {
    let record = company.get(entity, id).ok_or_else(Fault::not_found)?;
    let token = match body.get("SyncToken") {
        Some(Value::String(token)) => token.clone(),
        Some(Value::Number(token)) => token.to_string(),
        _ => return Err(Fault::missing("SyncToken")),
    };
    if record.get("SyncToken").and_then(Value::as_str) == Some(token.as_str()) { Ok(record.clone()) } else { Err(Fault::stale()) }
}

/// A new version, changed now.
pub(super) fn touch(record: &mut Fields) {
    let token = record.get("SyncToken").and_then(|token| token.as_str()?.parse::<u64>().ok()).unwrap_or(0);
    record.insert("SyncToken".to_owned(), json!((token + 1).to_string()));
    if let Some(times) = record.get_mut("MetaData") {
        times["LastUpdatedTime"] = json!(moment());
    }
}
