//! Actions `close-ticket` and `reopen-ticket`.

use sangam_sdk::{EffectState, prelude::*};
use serde_json::Map;

use crate::{
    client::{get, objects, property},
    config::Config,
    errors::ok,
    pipeline::{first, stages},
};

/// The write that moves the ticket.
const WRITE: &str = "close";
const STAGE: &str = "hs_pipeline_stage";
const PIPELINE: &str = "hs_pipeline";

/// Moves a ticket to the first closed stage of its pipeline. A ticket that is closed already keeps its stage, unless one is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseTicket {
    ticket_id: String,
    /// Id of the stage, for a pipeline with several closed ones.
    stage: Option<String>,
    /// Further properties to set with it, by internal name, such as `hs_resolution`.
    #[serde(default)]
    properties: Map<String, Value>,
}

/// A closed ticket.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Closed {
    ticket_id: String,
    pipeline: String,
    stage: String,
    /// Stage before; null where only an earlier attempt of the step has seen it and the ticket has no history.
    previous_stage: Option<String>,
}

/// A ticket that is open again.
#[derive(Serialize, JsonSchema)]
pub struct Reopened {
    ticket_id: String,
    stage: String,
}

/// A ticket as it is now.
struct Ticket {
    pipeline: String,
    stage: String,
    closed: bool,
    /// First closed and first open stage of its pipeline.
    ends: (Option<String>, Option<String>),
    /// The stage before the present one.
    former_stage: Option<String>,
}

pub fn close_ticket(input: CloseTicket, cx: &Context<Config>) -> Result<Closed, Failure> {
    let ticket = read(cx, &input.ticket_id)?;
    let stage = match (input.stage, ticket.closed) {
        (Some(stage), _) => stage,
        (None, true) => ticket.stage.clone(),
        (None, false) => {
            ticket.ends.0.ok_or_else(|| Failure::rejected(format!("Pipeline {} has no closed stage; name a stage", ticket.pipeline)))?
        }
    };
    // A closed ticket on a later attempt may have been closed by an earlier one.
    let previous_stage = if cx.first_attempt() || !ticket.closed { Some(ticket.stage.clone()) } else { ticket.former_stage };
    let mut properties = input.properties;
    let name = if ticket.stage == stage { "properties" } else { WRITE };
    if name == WRITE {
        properties.insert(STAGE.to_owned(), stage.as_str().into());
    }
    if !properties.is_empty() {
        update(cx, &input.ticket_id, name, &properties)?;
        log::info("closed a ticket", &[("ticket", &input.ticket_id), ("stage", &stage)]);
    }
    Ok(Closed { ticket_id: input.ticket_id, pipeline: ticket.pipeline, stage, previous_stage })
}

pub fn reopen_ticket(undo: Undo<CloseTicket, Closed>, cx: &Context<Config>) -> Result<Reopened, Failure> {
    let maybe_closed = undo.effect(WRITE).is_some_and(|effect| effect.state != EffectState::Failed);
    let ticket_id = undo.input.ticket_id;
    let ticket = read(cx, &ticket_id)?;
    // One that somebody has opened again since stays as it is.
    if !maybe_closed || !ticket.closed {
        return Ok(Reopened { ticket_id, stage: ticket.stage });
    }
    let previous_stage = undo.output.and_then(|output| output.previous_stage);
    let stage = previous_stage.or(ticket.former_stage).or(ticket.ends.1);
    let stage = stage.ok_or_else(|| Failure::rejected(format!("Pipeline {} has no open stage", ticket.pipeline)))?;
    let properties = Map::from_iter([(STAGE.to_owned(), stage.as_str().into())]);
    update(cx, &ticket_id, "reopen", &properties)?;
    log::info("reopened a ticket", &[("ticket", &ticket_id), ("stage", &stage)]);
    Ok(Reopened { ticket_id, stage })
}

fn read(cx: &Context<Config>, id: &str) -> Result<Ticket, Failure> {
    let url = objects(cx, &format!("tickets/{}", encode(id)));
    let request = cx.get(url).query("properties", format!("{PIPELINE},{STAGE}"));
    let record = get(request.query("propertiesWithHistory", STAGE))?;
    let pipeline = property(&record, PIPELINE).unwrap_or_default();
    let stage = property(&record, STAGE).unwrap_or_default();
    let stages = stages(cx, &pipeline)?;
    let end = |closed| first(&stages, closed).map(str::to_owned);
    Ok(Ticket {
        closed: stages.iter().any(|other| other.closed && other.id == stage),
        ends: (end(true), end(false)),
        former_stage: former_stage(&record),
        pipeline,
        stage,
    })
}

/// The value before the present one; HubSpot lists the newest first.
fn former_stage(record: &Value) -> Option<String> {
    let history = record["propertiesWithHistory"][STAGE].as_array()?;
    let mut values = history.iter().filter_map(|entry| entry["value"].as_str());
    let present = values.next()?;
    values.find(|value| *value != present).map(str::to_owned)
}

fn update(cx: &Context<Config>, id: &str, name: &str, properties: &Map<String, Value>) -> Result<(), Failure> {
    let url = objects(cx, &format!("tickets/{}", encode(id)));
    cx.patch(url).name(name).json(&json!({ "properties": properties })).send().and_then(ok)?;
    echo::wrote("tickets", id, properties.iter().map(|(name, value)| (name.as_str(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_stage_is_the_last_other_one() {
        let record = |stages: &[&str]| {
            let history: Vec<Value> = stages.iter().map(|stage| json!({ "value": stage })).collect();
            json!({ "propertiesWithHistory": { STAGE: history } })
        };
        for (stages, former) in [(vec!["4", "2", "1"], Some("2")), (vec!["4", "4", "2"], Some("2")), (vec!["4"], None), (vec![], None)] {
            assert_eq!(former_stage(&record(&stages)).as_deref(), former, "{stages:?}");
        }
        assert_eq!(former_stage(&json!({})), None);
    }
}
