//! Records kept by external id: the vendor's own way of writing twice what is there once.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    client::{Saved, url},
    config::{Config, FieldName},
    errors::ok,
    stream::contact::{self, CONTACTS},
};

/// A record that exists now.
#[derive(Serialize, JsonSchema)]
pub struct Upserted {
    /// Salesforce id.
    id: String,
    /// Whether this attempt made it. False where an earlier attempt did without getting the answer.
    created: bool,
}

/// A record to be kept.
pub struct Record<'a> {
    /// API name of its object. The write is called after it.
    pub object: &'static str,
    /// The field that names it.
    pub field: &'a FieldName,
    /// The value of that field.
    pub external_id: &'a str,
    /// Its other fields.
    pub fields: Map<String, Value>,
}

/// Updates the record with that external id, or creates it.
pub fn upsert(cx: &Context<Config>, record: &Record<'_>) -> Result<Upserted, Failure> {
    let Record { object, field, external_id, fields } = record;
    if external_id.is_empty() {
        return Err(Failure::rejected(format!("A record of {object} needs an external id that is not empty")));
    }
    let url = url(cx, &format!("sobjects/{object}/{field}/{}", encode(external_id)));
    let response = cx.patch(url).name(*object).json(fields).send()?;
    if response.status == 300 {
        let reason = format!("Several records of {object} have {field} = {external_id}; merge them in Salesforce");
        return Err(Failure::rejected(reason).response(&response));
    }
    let saved: Saved = ok(response).map_err(|failure| lost_race(failure, field))?.json()?;
    echo::wrote(object, &saved.id, fields.iter().map(|(name, value)| (told(record, name), value)))?;
    echo::wrote(object, &saved.id, [("external_id", &(*external_id).into())])?;
    if let Some(company) = fields.get("Account").and_then(Value::as_object).and_then(|named| named.values().next()) {
        echo::wrote(object, &saved.id, [("company", company)])?;
    }
    log::info("kept a record", &[("object", object), ("id", &saved.id)]);
    Ok(Upserted { id: saved.id, created: saved.created })
}

/// Name of a field in the events of the streams.
fn told<'a>(record: &Record<'_>, field: &'a str) -> &'a str {
    if record.object == CONTACTS.name { contact::name_of(field) } else { field }
}

/// Another transaction has made the record at the same moment: the next try finds it.
fn lost_race(mut failure: Failure, field: &FieldName) -> Failure {
    let details = failure.details.clone().unwrap_or_default();
    let message = details["message"].as_str().unwrap_or_default();
    if details["code"] == "DUPLICATE_VALUE" && message.contains(&format!("{field} duplicates value")) {
        failure.kind = FailureKind::Retry;
    }
    failure
}

/// The fields of an input under the vendor's names, without those that are not given, and then `further` ones.
pub fn fields(input: &impl Serialize, further: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let mut fields = match serde_json::to_value(input)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.retain(|_, value| !value.is_null());
    fields.extend(further.clone());
    Ok(fields)
}
