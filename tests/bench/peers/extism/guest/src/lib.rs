//! The work of `tests/guests/bench` as an Extism plugin: event in, one write through the host, answer out.

use extism_pdk::{FnResult, host_fn, plugin_fn};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

#[host_fn]
extern "ExtismHost" {
    /// Sends a request (JSON); gives the answer's body.
    fn send(request: String) -> String;
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
    #[serde(borrow)]
    context: Context<'a>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    event: Event<'a>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Job {
    url: String,
    hours: String,
}

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

#[derive(Serialize)]
struct Written {
    id: String,
    job: String,
}

#[plugin_fn]
pub fn write(call: String) -> FnResult<String> {
    let call: Call<'_> = serde_json::from_str(&call)?;
    let job: Job = serde_json::from_str(call.input.get())?;
    let completed: Completed = serde_json::from_str(call.context.event.data.get())?;
    let text = format!("{} for {}: {}", completed.job_id, completed.customer.name, completed.notes);
    let body = json!({ "customer": completed.customer.id, "hours": job.hours, "text": text });
    let request = json!({ "method": "POST", "url": job.url, "name": "write", "body": body });
    let answer: Answer = serde_json::from_str(&unsafe { send(request.to_string())? })?;
    Ok(serde_json::to_string(&Written { id: answer.id, job: completed.job_id })?)
}
