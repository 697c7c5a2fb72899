//! The host's own steps: `uses = "sangam.ACTION"`. One file for each action.
//!
//! To everyone else they are the actions of a plugin named `sangam`: `check` knows their input schemas, the API lists them, an attempt at one has a
//! number, effects and log lines. What one writes goes through an [`Act`], journalled exactly as a plugin's write is.

mod act;
mod actions;
mod deliver;
mod emit;
pub mod mail;
mod publish;
mod wait;
mod webhook;

pub use act::{Act, Ground, Stop};
pub use deliver::{
    Tested as TestedWebhook, hidden_keys as hidden_webhook_keys, rotate as rotate_webhook, signing as webhook_secrets, test as test_webhook,
};
pub use wait::{MAX_TYPES, Matching, Pause, at, digest, where_expression};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{ActionFacts, PluginFacts};
use crate::registry::Action;
use crate::schema::{Schema, SchemaError};

/// The name under which the host offers its own steps; no plugin has it.
pub const NAME: &str = "sangam";
/// The action that waits. It is no call: the run leaves its worker.
pub const WAIT: &str = "wait";

/// The host's own actions, ready to check inputs.
#[derive(Debug)]
pub struct Builtin {
    actions: Vec<Action>,
    inputs: BTreeMap<String, Arc<Schema>>,
}

impl Builtin {
    /// Compiles their schemas.
    ///
    /// # Errors
    /// When one can't be used: a mistake of this program.
    pub fn new() -> Result<Builtin, SchemaError> {
        let actions = actions::list();
        let compile = |action: &Action| Ok((action.name.clone(), Arc::new(Schema::compile(&action.input)?)));
        let inputs = actions.iter().map(compile).collect::<Result<_, SchemaError>>()?;
        Ok(Builtin { actions, inputs })
    }

    /// As a descriptor lists them.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Schema of an action's input; `None`: there is no such action.
    pub fn input(&self, action: &str) -> Option<&Arc<Schema>> {
        self.inputs.get(action)
    }
}

/// What a configuration is checked against, as a plugin's descriptor would say it.
pub fn facts() -> PluginFacts {
    let facts =
        |action: Action| (action.name, ActionFacts { input: action.input, undo: action.undo, idempotent: action.idempotent, batch: None });
    PluginFacts {
        name: NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_schema: json!({ "type": "object", "additionalProperties": false }),
        actions: actions::list().into_iter().map(facts).collect(),
        ..PluginFacts::default()
    }
}

/// Does what a step asks for. Gives its output.
///
/// # Errors
/// Why there is none, and what becomes of the attempt.
pub async fn run(act: &mut Act<'_>) -> Result<Value, Stop> {
    match act.step.action.as_str() {
        "emit" => emit::emit(act).await,
        "publish" => publish::publish(act).await,
        "webhook" => webhook::webhook(act).await,
        "deliver" => deliver::deliver(act).await,
        "mail" => mail::step::mail(act).await,
        other => Err(Stop::failed(crate::run::FailureKind::Unavailable, format!("plugin \"{NAME}\" has no action {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_schema_and_an_example_of_its_input() {
        let builtin = Builtin::new().expect("the schemas compile");
        for action in builtin.actions() {
            assert!(!action.title.is_empty() && !action.description.is_empty(), "{}", action.name);
            let schema = builtin.input(&action.name).expect("it was compiled");
            let examples = action.input["examples"].as_array().cloned().unwrap_or_default();
            assert!(!examples.is_empty(), "{} has no example", action.name);
            for example in examples {
                assert_eq!(schema.check(&example), vec![], "{}", action.name);
            }
            assert!(!schema.check(&json!({ "no-such-member": 1 })).is_empty(), "{} takes anything", action.name);
        }
        assert!(builtin.input("no-such-action").is_none());
    }
}
