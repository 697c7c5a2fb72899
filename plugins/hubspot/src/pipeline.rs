//! Pipelines of tickets and their stages.

use sangam_sdk::prelude::*;

use crate::{
    client::{get, id, pipelines, pipelines_of},
    config::Config,
};

/// A stage.
#[derive(Debug, PartialEq)]
pub struct Stage {
    /// HubSpot's id, unique among all pipelines of the account.
    pub id: String,
    /// As people see it.
    pub label: String,
    /// Whether a ticket in it is done with.
    pub closed: bool,
    order: i64,
}

/// The stages of a pipeline of tickets, in order.
pub fn stages(cx: &Context<Config>, pipeline: &str) -> Result<Vec<Stage>, Failure> {
    let pipeline = get(cx.get(pipelines(cx, &format!("tickets/{}", encode(pipeline)))))?;
    Ok(stages_of(&pipeline))
}

/// The stages of all pipelines of tickets.
pub fn all_stages(cx: &Context<Config>) -> Result<Vec<Stage>, Failure> {
    stages_of_all(&cx.config)
}

/// The same, of a configuration.
pub fn stages_of_all(config: &Config) -> Result<Vec<Stage>, Failure> {
    let found = get(Request::get(pipelines_of(config, "tickets")))?;
    Ok(found["results"].as_array().into_iter().flatten().flat_map(stages_of).collect())
}

/// The first stage that is closed, or the first that is open.
pub fn first(stages: &[Stage], closed: bool) -> Option<&str> {
    stages.iter().find(|stage| stage.closed == closed).map(|stage| stage.id.as_str())
}

fn stages_of(pipeline: &Value) -> Vec<Stage> {
    let stages = pipeline["stages"].as_array().into_iter().flatten();
    let mut stages: Vec<Stage> = stages
        .filter(|stage| stage["archived"] != true)
        .filter_map(|stage| {
            let metadata = &stage["metadata"];
            Some(Stage {
                id: id(&stage["id"])?,
                label: stage["label"].as_str().unwrap_or_default().to_owned(),
                closed: metadata["ticketState"] == "CLOSED" || metadata["isClosed"] == "true",
                order: stage["displayOrder"].as_i64().unwrap_or(i64::MAX),
            })
        })
        .collect();
    stages.sort_by_key(|stage| stage.order);
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_come_in_their_order_without_archived_ones() {
        let stage = |id: &str, order: u32, state: &str, archived: bool| json!({ "id": id, "displayOrder": order, "metadata": { "ticketState": state }, "archived": archived });
        let pipeline = json!({ "stages": [
            stage("9", 3, "CLOSED", false), stage("7", 1, "OPEN", false), stage("8", 2, "CLOSED", false),
            stage("6", 0, "CLOSED", true),
        ] });
        let stages = stages_of(&pipeline);
        assert_eq!((first(&stages, true), first(&stages, false)), (Some("8"), Some("7")));
        assert_eq!(stages.len(), 3);
        assert_eq!(first(&stages_of(&json!({})), true), None);
    }
}
