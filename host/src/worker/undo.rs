//! A run turned back: what its undos are given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::drive::{Driver, Leaves};
use crate::config::{JournalPolicy, Step};
use crate::run::{Task, UndoFacts, undo_name};
use crate::store::{EffectRow, StoreError, UndoMaterial};

impl Driver {
    /// Decides which steps are undone, durably, before any undo starts.
    pub(super) async fn turn_back(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let effects = self.runtime.store.steps_with_effects(&self.run.root).await?;
        let facts: Vec<UndoFacts> = self
            .route
            .steps
            .iter()
            .map(|step| UndoFacts { action: self.revision.undo_action(step), effects: effects.contains(&step.name) })
            .collect();
        // As much time as the run had: its own deadline, which may have passed, must not leave the undo half done.
        let deadline = crate::clock::later(now, self.route.deadline);
        self.state.begin_undo(&self.route, &facts, now, deadline).expect("the verdict says so");
        let mut settlement = self.settlement(Leaves::default(), "running");
        settlement.turns_back = true;
        self.make_durable(settlement).await?;
        let steps = self.route.steps.iter().map(|step| undo_name(&step.name));
        for name in steps {
            // Of an undo earlier in this run.
            self.inputs.remove(&name);
        }
        tracing::warn!(run = self.run.id, route = self.run.route, eid = self.run.eid, "a run is being undone");
        Ok(())
    }

    /// What is called for a task. An undo is a step like others, with another action and an input that is not made from expressions.
    pub(super) async fn step_of(&mut self, task: Task) -> Result<Step, StoreError> {
        let step = self.route.steps[task.index()].clone();
        let Task::Undo(_) = task else { return Ok(step) };
        let action = self.state.task(task).map(|undo| undo.action().to_owned()).unwrap_or_default();
        // It has a journal of its own, whatever the step gives up.
        let undo = Step {
            name: undo_name(&step.name),
            action,
            with: None,
            when: None,
            quiet: None,
            repeat: None,
            journal: JournalPolicy::default(),
            ..step.clone()
        };
        if !self.inputs.contains_key(&undo.name) {
            let material = self.runtime.store.undo_material(&self.run.root, &step.name).await?;
            self.inputs.insert(undo.name.clone(), undo_input(material).to_string());
        }
        Ok(undo)
    }
}

/// `{input, output, effects: [{name, key, state, request, response}]}`.
fn undo_input(material: UndoMaterial) -> Value {
    let parsed = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
    let effects: Vec<Value> = material.effects.iter().map(effect_json).collect();
    json!({ "input": parsed(material.input), "output": parsed(material.output), "effects": effects })
}

fn effect_json(effect: &EffectRow) -> Value {
    let response = effect.status.map(|status| {
        let mut response = message(effect.response_headers.as_deref(), effect.response_body.as_deref());
        response.insert("status".to_owned(), json!(status));
        response
    });
    let mut request = message(Some(&effect.request_headers), effect.request_body.as_deref());
    request.insert("method".to_owned(), json!(effect.method));
    request.insert("url".to_owned(), json!(effect.url));
    json!({ "name": effect.name, "key": effect.key, "state": effect.state.as_str(), "request": request, "response": response })
}

/// `headers` (an object; of equal names the last) and `body` (text; what is none in base64 as `body_base64`; null: too large to be kept).
fn message(headers: Option<&str>, body: Option<&[u8]>) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = headers.and_then(|headers| serde_json::from_str(headers).ok()).unwrap_or_default();
    let headers: Map<String, Value> = pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let mut message = Map::from_iter([("headers".to_owned(), Value::Object(headers)), ("body".to_owned(), Value::Null)]);
    match body.map(std::str::from_utf8) {
        Some(Ok(text)) => {
            message.insert("body".to_owned(), json!(text));
        }
        Some(Err(_)) => {
            message.insert("body_base64".to_owned(), json!(BASE64.encode(body.unwrap_or_default())));
        }
        None => {}
    }
    message
}
