//! `case-to-job`.

use anyhow::ensure;
use serde_json::json;

use super::{Stage, appears, eventually, set};
use crate::morning::records;

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (crm, field) = (&stage.saas.salesforce, &stage.saas.fieldservice);
    let case = json!({ "Subject": "No hot water", "Description": "Since this morning, on all floors", "Status": "New", "Origin": "Phone", "Priority": "High" });
    set(crm, "edit", json!({ "object": "Case", "fields": case }))?;
    let job = appears(field, "jobs", "a job for the case", |job| job["title"] == "No hot water").await?;
    let id = job["id"].to_string();
    let linked = eventually("the case to know its job", async || {
        let cases = crm.state()["records"]["Case"].clone();
        Ok(records(&cases).find(|case| case["Job_Id__c"] == id.as_str()).cloned())
    })
    .await?;
    // Our own change of the case is seen by the next polls, and is nobody's but ours.
    let asked = || crm.requests().iter().filter(|request| request.path.contains("/queryAll")).count();
    let before = asked();
    eventually("the CRM to be asked for changes", async || Ok((asked() >= before + 2).then_some(()))).await?;
    stage.settled().await?;
    let events = stage.events("crm").await?;
    ensure!(events.len() == 1, "one case was opened, and {} events came in: {events:#?}", events.len());
    let jobs = field.state()["jobs"].as_array().map_or(0, Vec::len);
    ensure!(jobs == 1, "one case has {jobs} jobs");
    Ok(vec![
        format!("CRM            case {} is opened: No hot water", linked["CaseNumber"]).replace('"', ""),
        format!("field service  job {} is there for it, with what the client said", job["number"]).replace('"', ""),
        "CRM            the case has the job's number".to_owned(),
    ])
}
