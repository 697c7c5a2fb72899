//! `sangam.emit`: an event of the host's own making, in the name of its route.

use serde_json::{Map, Value, json};

use super::{Act, Stop};
use crate::event::Event;
use crate::run::FailureKind;

/// Brings in the event. Its source is the route's, whatever the input says: nobody speaks in another's name.
pub(super) async fn emit(act: &mut Act<'_>) -> Result<Value, Stop> {
    let mut members = Map::new();
    if let Some(Value::Object(extensions)) = act.input.get("extensions") {
        members.extend(extensions.clone());
    }
    for name in ["type", "data", "subject", "time", "id", "dataschema"] {
        match act.input.get(name) {
            None | Some(Value::Null) => {}
            Some(value) => drop(members.insert(name.to_owned(), value.clone())),
        }
    }
    members.insert("specversion".to_owned(), json!("1.0"));
    members.insert("source".to_owned(), json!(format!("/routes/{}", act.run.route)));
    let key = act.step_key();
    members.entry("id").or_insert_with(|| json!(key));
    let event = Event::from_structured(Value::Object(members))
        .map_err(|error| Stop::failed(FailureKind::Rejected, format!("this is no CloudEvent: {error}")))?;
    act.emit(&event).await?;
    Ok(json!({ "source": event.source, "id": event.id, "type": event.event_type }))
}
