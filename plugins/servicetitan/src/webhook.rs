//! Webhooks: whatever they tell of a job, it is read as it is now.

use sangam_sdk::{path::text_at, prelude::*};

use crate::{
    client::{get, read},
    config::Config,
    job::told,
    look,
};

/// Where a body holds the job's id: the shapes that are told of, the more particular first.
const USUAL: [&str; 6] = ["jobId", "job.id", "data.jobId", "data.job.id", "data.id", "id"];

pub fn receive(inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let body: Value = inbound.json()?;
    let id = match &cx.config.hook_id {
        Some(path) => text_at(&body, path),
        None => USUAL.iter().find_map(|path| text_at(&body, path)),
    };
    let id = id.ok_or_else(|| Failure::rejected("The webhook has no id of a job: say where it is, with configuration.hook-id"))?;
    let job = read(get(&cx.config, "jpm", &format!("jobs/{}", encode(&id))))?;
    let event = look::job(told(&cx.config, job)?, false)?;
    Ok(Received::new(event.into_iter().collect()))
}
