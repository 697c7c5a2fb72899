//! A job in our words.

use sangam_sdk::prelude::*;

use crate::{client::text, config::Config, customer::full_name};

/// A job of theirs in our words.
pub fn told(job: &Value, config: &Config) -> Result<Value, Failure> {
    let id = text(&job["id"]).ok_or_else(|| Failure::rejected("A job has no id"))?;
    let (schedule, times) = (&job["schedule"], &job["work_timestamps"]);
    let employees = job["assigned_employees"].as_array().into_iter().flatten();
    let technicians: Vec<Value> = employees
        .map(|employee| json!({ "id": config.ours(employee["id"].as_str().unwrap_or_default()), "name": full_name(employee), "email": employee["email"] }))
        .collect();
    let customer = &job["customer"];
    let name = text(&customer["company"]).or_else(|| full_name(customer));
    let date = [&times["completed_at"], &schedule["scheduled_start"]].into_iter().find_map(|moment| moment.as_str()?.get(..10));
    let at = &job["address"];
    let notes: Vec<&str> = job["notes"].as_array().into_iter().flatten().filter_map(|note| note["content"].as_str()).collect();
    // Amounts are in cents; a decimal keeps them exact.
    let amount = |cents: &Value| {
        cents.as_i64().and_then(|cents| {
            serde_json::from_str::<Value>(&format!(
                "{}{}.{:02}",
                if cents < 0 { "-" } else { "" },
                cents.unsigned_abs() / 100,
                cents.unsigned_abs() % 100
            ))
            .ok()
        })
    };
    let lines = job["line_items"].as_array().or_else(|| job["line_items"]["data"].as_array()).cloned().unwrap_or_default();
    let parts: Vec<Value> = lines
        .iter()
        .map(|line| json!({ "item": line["name"], "description": line["description"], "quantity": line["quantity"], "unit_price": amount(&line["unit_price"]), "kind": line["kind"] }))
        .collect();
    Ok(json!({
        "job_id": id,
        "number": job["invoice_number"],
        "status": status(job)?,
        "title": job["description"],
        "description": job["description"],
        "date": date,
        "scheduled_start": schedule["scheduled_start"],
        "scheduled_end": schedule["scheduled_end"],
        "started_at": times["started_at"],
        "completed_at": times["completed_at"],
        "technician": technicians.first(),
        "technicians": technicians,
        "customer": name.map(|name| json!({ "id": customer["id"], "name": name, "email": customer["email"], "phone": customer["mobile_number"] })),
        "address": if at.is_object() { json!({ "street": at["street"], "city": at["city"], "state": at["state"], "postal_code": at["zip"], "country": at["country"] }) } else { Value::Null },
        "notes": notes.join("\n\n"),
        "parts": parts,
        "total": amount(&job["total_amount"]),
        "updated_at": job["updated_at"],
        "origin": { "system": "housecall-pro" },
    }))
}

fn status(job: &Value) -> Result<&'static str, Failure> {
    Ok(match job["work_status"].as_str().unwrap_or_default() {
        "unscheduled" | "needs scheduling" => "open",
        "scheduled" => "scheduled",
        "in progress" | "in_progress" => "started",
        "complete rated" | "complete unrated" | "complete" | "completed" => "completed",
        "pro canceled" | "user canceled" | "canceled" => "cancelled",
        other => return Err(Failure::rejected(format!("the work_status `{other}` of a job is not known"))),
    })
}
