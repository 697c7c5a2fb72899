//! Webhooks: `{event, event_occurred_at, company_id, job | customer}`. The record is read as it is now, so that webhooks that come twice or out of order do no harm.

use sangam_sdk::prelude::*;

use crate::{
    client::{record, text},
    config::Config,
    look,
};

pub fn receive(inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let body: Value = inbound.json()?;
    let event = text(&body["event"]).ok_or_else(|| Failure::rejected("The webhook has no `event`"))?;
    if cx.config.company_id.as_ref().is_some_and(|ours| body["company_id"] != ours.as_str()) {
        return Ok(Received::default());
    }
    let (object, happened) = event.split_once('.').unwrap_or((&event, ""));
    // `job.appointment.…` tells of the job's appointments.
    if !matches!(object, "job" | "customer") {
        return Ok(Received::default());
    }
    let id = text(&body[object]["id"]).or_else(|| text(&body[object]["job_id"])).or_else(|| text(&body["job_id"]));
    let id = id.ok_or_else(|| Failure::rejected(format!("The webhook `{event}` has no id of a {object}")))?;
    let at = body["event_occurred_at"].as_str().unwrap_or_default();
    let plural = if object == "job" { "jobs" } else { "customers" };
    let found = if happened == "deleted" { None } else { record(&cx.config, &format!("{plural}/{}", encode(&id)))? };
    let event = match (object, found) {
        (_, None) => Some(look::gone(object, &id, at)?),
        ("job", Some(job)) => look::job(&job, &cx.config, false)?,
        (_, Some(customer)) => look::customer(&customer)?,
    };
    Ok(Received::new(event.into_iter().collect()))
}
