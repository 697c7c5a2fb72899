//! Records kept by a unique property: one request, which HubSpot can be sent twice.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    client::{id, objects},
    config::Config,
    errors::ok,
};

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
