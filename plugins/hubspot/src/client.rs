//! Requests to the CRM: records, searches and associations.

use sangam_sdk::{Write, prelude::*};

use crate::{config::Config, errors::ok};

/// Associations in a page, and records in a batch: the most that HubSpot gives.
const ASSOCIATIONS: usize = 500;
const BATCH: usize = 100;

/// URL of a resource of records, such as `contacts/101`.
pub fn objects(cx: &Context<Config>, resource: &str) -> String {
    objects_of(&cx.config, resource)
}

/// The same, of a configuration.
pub fn objects_of(config: &Config, resource: &str) -> String {
    let (origin, version) = api(config);
    match version {
        "v3" => format!("{origin}/crm/v3/objects/{resource}"),
        date => format!("{origin}/crm/objects/{date}/{resource}"),
    }
}

/// URL of a resource of pipelines, such as `tickets`.
pub fn pipelines(cx: &Context<Config>, resource: &str) -> String {
    pipelines_of(&cx.config, resource)
}

/// The same, of a configuration.
pub fn pipelines_of(config: &Config, resource: &str) -> String {
    let (origin, version) = api(config);
    match version {
        "v3" => format!("{origin}/crm/v3/pipelines/{resource}"),
        date => format!("{origin}/crm/pipelines/{date}/{resource}"),
    }
}

/// URL of the associations of a record, such as `contacts/101` to `tickets`.
pub fn associations(cx: &Context<Config>, of: &str, to: &str) -> String {
    let (origin, version) = api(&cx.config);
    match version {
        // Version 3 shows them in another shape, and has no default ones.
        "v3" => format!("{origin}/crm/v4/objects/{of}/associations/{to}"),
        date => format!("{origin}/crm/objects/{date}/{of}/associations/{to}"),
    }
}

/// URL that reads the associations of many records.
pub fn associations_of_many(config: &Config, of: &str, to: &str) -> String {
    let (origin, version) = api(config);
    match version {
        "v3" => format!("{origin}/crm/v4/associations/{of}/{to}/batch/read"),
        date => format!("{origin}/crm/associations/{date}/{of}/{to}/batch/read"),
    }
}

/// URL that associates many pairs of records.
fn associate_of_many(config: &Config, of: &str, to: &str) -> String {
    let (origin, version) = api(config);
    match version {
        "v3" => format!("{origin}/crm/v4/associations/{of}/{to}/batch/associate/default"),
        date => format!("{origin}/crm/associations/{date}/{of}/{to}/batch/associate/default"),
    }
}

/// Associates pairs of records, all in one request. One that HubSpot does not confirm is tried again by itself, where it is told why.
pub fn associate_many(config: &Config, of: &str, to: &str, pairs: &[(&str, &str)]) -> Vec<Result<(), Failure>> {
    let inputs: Vec<Value> = pairs.iter().map(|(from, to)| json!({ "from": { "id": from }, "to": { "id": to } })).collect();
    let request = Write::new("POST", associate_of_many(config, of, to)).name("associate").json(&json!({ "inputs": inputs }));
    let answer = request.send().and_then(ok).and_then(|response| response.json::<Value>());
    let again = |why: String| Failure::retry(why).after(Duration::ZERO);
    pairs
        .iter()
        .map(|(from, to)| match &answer {
            Ok(answer) => {
                let linked =
                    answer["results"].as_array().into_iter().flatten().any(|result| {
                        id(&result["from"]["id"]).as_deref() == Some(*from) && id(&result["to"]["id"]).as_deref() == Some(*to)
                    });
                let why = || answer["errors"][0]["message"].as_str().unwrap_or("it gave no reason").to_owned();
                if linked { Ok(()) } else { Err(again(format!("HubSpot did not associate {from} with {to}: {}", why()))) }
            }
            Err(failure) if failure.kind == FailureKind::Rejected => Err(again(failure.reason.clone())),
            Err(failure) => Err(failure.clone()),
        })
        .collect()
}

/// Reads. An answer that is no object is not an empty one: what is not found might be made again.
pub fn get(request: Request) -> Result<Value, Failure> {
    let answer: Value = request.send().and_then(ok)?.json()?;
    if !answer.is_object() {
        return Err(Failure::rejected("HubSpot answered with JSON that is no object"));
    }
    Ok(answer)
}

/// Ids of the records of a type that are associated with one, oldest first. Unlike a search it sees what was written just now.
pub fn associated(cx: &Context<Config>, of: &str, to: &str) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let mut request = cx.get(associations(cx, of, to)).query("limit", ASSOCIATIONS);
        if let Some(after) = &after {
            request = request.query("after", after);
        }
        let page = get(request)?;
        for result in page["results"].as_array().into_iter().flatten() {
            ids.extend(id(&result["toObjectId"]));
        }
        after = page["paging"]["next"]["after"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    // Ids are numbers that grow; one can be associated in several ways.
    ids.sort_by_key(|id| id.parse::<u64>().unwrap_or(u64::MAX));
    ids.dedup();
    Ok(ids)
}

/// Reads records by id, at most [`BATCH`] in a request. Those that are gone are left out.
pub fn read(cx: &Context<Config>, object: &str, ids: &[String], properties: &[&str]) -> Result<Vec<Value>, Failure> {
    read_of(&cx.config, object, ids, properties)
}

/// The same, of a configuration.
pub fn read_of(config: &Config, object: &str, ids: &[String], properties: &[&str]) -> Result<Vec<Value>, Failure> {
    let mut records = Vec::with_capacity(ids.len());
    for ids in ids.chunks(BATCH) {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let request = Write::new("POST", objects_of(config, &format!("{object}/batch/read"))).read_only();
        let found = get(request.json(&json!({ "inputs": inputs, "properties": properties })))?;
        records.extend(found["results"].as_array().into_iter().flatten().cloned());
    }
    Ok(records)
}

/// An id, which HubSpot writes as text or as a number.
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// A property of a record; none where it is empty or not asked for.
pub fn property(record: &Value, name: &str) -> Option<String> {
    record["properties"][name].as_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn api(config: &Config) -> (&str, &str) {
    (config.base_url.trim_end_matches('/'), &config.api_version)
}
