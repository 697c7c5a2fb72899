//! Batches: many records in few requests, each record known by name.

use sangam_sdk::prelude::*;

/// The connector.
#[derive(Debug)]
pub struct Readings;

/// Which system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API.
    base_url: String,
}

impl Plugin for Readings {
    type Config = Config;
    const NAME: &'static str = "readings";
    const TITLE: &'static str = "Meter readings";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Readings {
    fn actions(a: &mut Actions<Self>) {
        a.action("write-readings", "Write meter readings", write_readings);
    }
}

// ANCHOR: batch
/// Writes readings, a hundred in a request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteReadings {
    #[schemars(length(max = 1000))]
    readings: Vec<Reading>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reading {
    /// Meter and hour: the record's own id.
    id: String,
    /// In kWh, such as `12.30`.
    value: String,
}

/// What the system takes at once.
const BATCH: usize = 100;

fn write_readings(mut input: WriteReadings, cx: &Context<Config>) -> Result<Value, Failure> {
    // The same batches on every attempt, whatever order the readings came in.
    input.readings.sort_by(|a, b| a.id.cmp(&b.id));
    let mut refused = Vec::new();
    for batch in input.readings.chunks(BATCH) {
        // Named for its first record, never for its position: a mended input may have one batch more before it.
        let name = format!("readings/{}", batch[0].id);
        let answer: Value = cx.post(format!("{}/readings/batch", cx.config.base_url)).name(name).json(&batch).send()?.ok()?.json()?;
        // Whoever takes a batch answers for each record.
        let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
        refused.extend(results.iter().filter(|result| result["status"] != "created").cloned());
    }
    if refused.is_empty() {
        return Ok(json!({ "written": input.readings.len() }));
    }
    // All batches went out before the verdict: a replay sends none of them again.
    Err(Failure::rejected(format!("{} of {} readings were refused", refused.len(), input.readings.len()))
        .details(json!({ "refused": refused })))
}
// ANCHOR_END: batch

#[cfg(test)]
mod tests {
    use sangam_sdk::testing::{self, Host};

    use super::*;

    fn readings(count: usize) -> Value {
        let readings: Vec<Value> = (0..count).rev().map(|n| json!({ "id": format!("m-{n:04}"), "value": "1.50" })).collect();
        json!({ "readings": readings })
    }

    #[test]
    fn a_batch_is_known_by_its_first_record() {
        let mut host = Host::new(|_| testing::json(200, json!({ "results": [] })));
        host.config = json!({ "base-url": "https://meters.example" });
        assert_eq!(host.invoke::<Readings>("write-readings", readings(150)), Ok(json!({ "written": 150 })));
        let names: Vec<_> = host.sent.iter().filter_map(|sent| sent.name.as_deref()).collect();
        assert_eq!(names, ["readings/m-0000", "readings/m-0100"]);
    }

    #[test]
    fn one_bad_record_is_named_after_all_were_sent() {
        let mut host = Host::new(|_| testing::json(200, json!({ "results": [{ "id": "m-0000", "status": "unknown-meter" }] })));
        host.config = json!({ "base-url": "https://meters.example" });
        let failure = host.invoke::<Readings>("write-readings", readings(101)).expect_err("refused");
        assert_eq!((failure.kind, host.sent.len()), (FailureKind::Rejected, 2));
        assert_eq!(failure.reason, "2 of 101 readings were refused");
    }
}
