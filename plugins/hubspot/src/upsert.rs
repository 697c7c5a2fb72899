//! Records kept by a unique property: one request, which HubSpot can be sent twice, for one run or for many.

use sangam_sdk::{Write, prelude::*};
use serde_json::Map;

use crate::{
    client::{id, objects, objects_of},
    config::Config,
    errors::{ok, refused},
};

/// Records in a request: the most that HubSpot takes.
pub const MOST: u32 = 100;

/// A record that exists now.
#[derive(Serialize, JsonSchema)]
pub struct Upserted {
    /// HubSpot's id.
    pub id: String,
    /// Whether this attempt made it. False where an earlier attempt did without getting the answer.
    pub created: bool,
}

/// Updates the record of that object type (`contacts`) whose unique property has that value, or creates it.
pub fn upsert(cx: &Context<Config>, object: &str, unique: &str, value: &str, properties: &Map<String, Value>) -> Result<Upserted, Failure> {
    let input = json!({ "idProperty": unique, "id": value, "properties": properties });
    let url = objects(cx, &format!("{object}/batch/upsert"));
    let response = cx.post(url).name("upsert").json(&json!({ "inputs": [input] })).send().and_then(ok)?;
    let answer: Value = response.json()?;
    let record = &answer["results"][0];
    // A batch can answer 207 and list what it refused.
    let Some(id) = id(&record["id"]) else {
        let reason = answer["errors"][0]["message"].as_str().unwrap_or("it gave no record");
        return Err(Failure::rejected(format!("HubSpot did not keep the record: {reason}")).response(&response));
    };
    echo::wrote(object, &id, properties.iter().map(|(name, value)| (name.as_str(), value)))?;
    // HubSpot writes addresses in lower case.
    echo::wrote(object, &id, [(unique, &value.to_lowercase().into())])?;
    log::info("kept a record", &[("object", &object), ("id", &id)]);
    Ok(Upserted { id, created: record["new"] == true })
}

/// A record of one of several runs.
pub struct Wanted<'a> {
    /// The key of its run's step: HubSpot answers with it.
    pub trace: &'a str,
    /// The value of the unique property.
    pub value: &'a str,
    /// What is written.
    pub properties: &'a Map<String, Value>,
}

/// The same for several runs. HubSpot takes no record twice in a request: a second one of the same value goes with the next.
pub fn upsert_many(config: &Config, object: &str, unique: &str, wanted: &[Wanted<'_>]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let mut results: Vec<Option<Result<Upserted, Failure>>> = wanted.iter().map(|_| None).collect();
    for (round, places) in rounds(wanted.iter().map(|one| one.value.to_lowercase())).into_iter().enumerate() {
        let inputs: Vec<Value> = places
            .iter()
            .map(|place| {
                let Wanted { trace, value, properties } = &wanted[*place];
                json!({ "idProperty": unique, "id": value, "properties": properties, "objectWriteTraceId": trace })
            })
            .collect();
        let name = if round == 0 { "upsert".to_owned() } else { format!("upsert/{round}") };
        let request = Write::new("POST", objects_of(config, &format!("{object}/batch/upsert"))).name(name);
        let answer = request.json(&json!({ "inputs": inputs })).send().and_then(ok).and_then(|response| response.json::<Value>());
        match answer {
            Ok(answer) => {
                for place in places {
                    results[place] = Some(kept(&answer, object, unique, &wanted[place]));
                }
            }
            Err(mut failure) => {
                if failure.kind == FailureKind::Rejected && wanted.len() > 1 {
                    // Refused as a whole for one of them: each by itself shows whose it is.
                    failure.kind = FailureKind::Retry;
                    failure.after = Some(Duration::ZERO);
                }
                // A later value must not be there before an earlier one: nothing more is sent.
                results.iter_mut().filter(|result| result.is_none()).for_each(|result| *result = Some(Err(failure.clone())));
                break;
            }
        }
    }
    Ok(results.into_iter().flatten().collect())
}

/// What became of a record.
fn kept(answer: &Value, object: &str, unique: &str, wanted: &Wanted<'_>) -> Result<Upserted, Failure> {
    let list = |name: &str| answer[name].as_array().into_iter().flatten();
    let Some(record) = list("results").find(|record| record["objectWriteTraceId"] == wanted.trace) else {
        let is_its = |error: &&Value| {
            error["context"]["objectWriteTraceId"].as_array().is_some_and(|traces| traces.iter().any(|trace| *trace == wanted.trace))
        };
        return Err(match list("errors").find(is_its) {
            Some(error) => refused(error),
            None => Failure::retry("HubSpot answered a batch with neither a record nor an error for this one").after(Duration::ZERO),
        });
    };
    let id = id(&record["id"]).ok_or_else(|| Failure::rejected("HubSpot answered with a record that has no id"))?;
    echo::wrote(object, &id, wanted.properties.iter().map(|(name, value)| (name.as_str(), value)))?;
    echo::wrote(object, &id, [(unique, &wanted.value.to_lowercase().into())])?;
    Ok(Upserted { id, created: record["new"] == true })
}

/// Places by request: none of them has a value twice.
fn rounds(values: impl Iterator<Item = String>) -> Vec<Vec<usize>> {
    let mut rounds: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (place, value) in values.enumerate() {
        match rounds.iter_mut().find(|(values, _)| !values.contains(&value)) {
            Some((values, places)) => {
                values.push(value);
                places.push(place);
            }
            None => rounds.push((vec![value], vec![place])),
        }
    }
    rounds.into_iter().map(|(_, places)| places).collect()
}
