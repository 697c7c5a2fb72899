//! The least that a connector does: event in, one named write, answer out. `sangam-bench` measures what calling it costs.

use sangam_sdk::prelude::*;

struct Bench;

/// Nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Plugin for Bench {
    type Config = Config;
    const NAME: &'static str = "bench";
    const TITLE: &'static str = "Bench";
    const DESCRIPTION: &'static str = "Sends one write for each event. Used for measuring.";
}

impl Connector for Bench {
    fn actions(a: &mut Actions<Self>) {
        a.action("write", "Write once", write);
    }
}

sangam_sdk::export!(Bench);

/// Posts the job to the URL and gives the id that was answered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Job {
    /// Where to.
    url: String,
    /// Hours worked, such as `2.5`.
    hours: String,
}

/// What the system made of it.
#[derive(Serialize, JsonSchema)]
struct Written {
    /// The system's id.
    id: String,
    /// Of the event's data.
    job: String,
}

/// Data of the event, some 300 bytes.
#[derive(Deserialize)]
struct Completed {
    job_id: String,
    customer: Customer,
    notes: String,
}

#[derive(Deserialize)]
struct Customer {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
}

fn write(input: Job, cx: &Context<Config>) -> Result<Written, Failure> {
    let completed: Completed = cx.event.data()?;
    let text = format!("{} for {}: {}", completed.job_id, completed.customer.name, completed.notes);
    let answer: Answer = cx
        .post(input.url)
        .name("write")
        .json(&json!({ "customer": completed.customer.id, "hours": input.hours, "text": text }))
        .send()?
        .ok()?
        .json()?;
    Ok(Written { id: answer.id, job: completed.job_id })
}
