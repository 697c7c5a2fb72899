//! Records kept by external id: the vendor's own way of writing twice what is there once.

use sangam_sdk::{Write, prelude::*};
use serde_json::Map;

use crate::{
    client::{Saved, resource_of, url},
    config::{Config, FieldName},
    errors::{ok, refused},
    stream::contact::{self, CONTACTS},
};

/// Records in a request: the most that Salesforce takes.
pub const MOST: u32 = 200;

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
    wrote(record, &saved.id)?;
    log::info("kept a record", &[("object", object), ("id", &saved.id)]);
    Ok(Upserted { id: saved.id, created: saved.created })
}

/// The same for several runs: one request (`composite/sobjects`), in which each record succeeds or fails for itself. Salesforce takes no record twice in a
/// request: a second one of the same external id goes with the next.
pub fn upsert_many(config: &Config, records: &[Result<Record<'_>, Failure>]) -> Vec<Result<Upserted, Failure>> {
    let mut results: Vec<Option<Result<Upserted, Failure>>> = records.iter().map(|_| None).collect();
    let mut left: Vec<usize> = Vec::new();
    for (place, record) in records.iter().enumerate() {
        match record {
            Ok(record) if record.external_id.is_empty() => {
                let reason = format!("A record of {} needs an external id that is not empty", record.object);
                results[place] = Some(Err(Failure::rejected(reason)));
            }
            Ok(_) => left.push(place),
            Err(failure) => results[place] = Some(Err(failure.clone())),
        }
    }
    let mut round = 0;
    while !left.is_empty() {
        let mut taken: Vec<(usize, &Record<'_>)> = Vec::new();
        let mut rest = Vec::new();
        for place in left {
            let Ok(record) = &records[place] else { continue };
            if taken.iter().any(|(_, other)| other.external_id.eq_ignore_ascii_case(record.external_id)) {
                rest.push(place);
            } else {
                taken.push((place, record));
            }
        }
        match send(config, &taken, round) {
            Ok(answered) => {
                for ((place, record), result) in taken.iter().zip(answered) {
                    results[*place] = Some(result.and_then(|upserted| {
                        wrote(record, &upserted.id)?;
                        Ok(upserted)
                    }));
                }
                left = rest;
                round += 1;
            }
            // A later value must not be there before an earlier one: nothing more is sent.
            Err(failure) => {
                for place in taken.iter().map(|(place, _)| *place).chain(rest) {
                    results[place] = Some(Err(failure.clone()));
                }
                break;
            }
        }
    }
    results.into_iter().flatten().collect()
}

/// One request; a result for each record.
fn send(config: &Config, taken: &[(usize, &Record<'_>)], round: usize) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let Some((_, Record { object, field, .. })) = taken.first() else { return Ok(Vec::new()) };
    let all: Vec<Value> = taken
        .iter()
        .map(|(_, record)| {
            let mut fields = record.fields.clone();
            fields.insert("attributes".to_owned(), json!({ "type": object }));
            fields.insert(field.to_string(), record.external_id.into());
            Value::Object(fields)
        })
        .collect();
    let name = if round == 0 { (*object).to_owned() } else { format!("{object}/{round}") };
    let url = resource_of(config, &format!("composite/sobjects/{object}/{field}"));
    let answer = Write::new("PATCH", url).name(name).json(&json!({ "allOrNone": false, "records": all })).send();
    let results: Vec<Value> = answer.and_then(ok).and_then(|response| response.json()).map_err(|failure| match failure.kind {
        // Refused as a whole for one of them: each by itself shows whose it is.
        FailureKind::Rejected if taken.len() > 1 => Failure { kind: FailureKind::Retry, after: Some(Duration::ZERO), ..failure },
        _ => failure,
    })?;
    let result = |at: usize| match results.get(at) {
        Some(result) if result["success"] == true => {
            let id = result["id"].as_str().ok_or_else(|| Failure::rejected("Salesforce answered with a record that has no id"))?;
            Ok(Upserted { id: id.to_owned(), created: result["created"] == true })
        }
        Some(result) => Err(lost_race(refused(result), field)),
        None => Err(Failure::retry("Salesforce answered with fewer results than records").after(Duration::ZERO)),
    };
    Ok((0..taken.len()).map(result).collect())
}

/// Remembers what was written, so that the streams don't bring it in as news.
fn wrote(record: &Record<'_>, id: &str) -> Result<(), Failure> {
    let Record { object, external_id, fields, .. } = record;
    echo::wrote(object, id, fields.iter().map(|(name, value)| (told(record, name), value)))?;
    echo::wrote(object, id, [("external_id", &(*external_id).into())])?;
    if let Some(company) = fields.get("Account").and_then(Value::as_object).and_then(|named| named.values().next()) {
        echo::wrote(object, id, [("company", company)])?;
    }
    Ok(())
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
