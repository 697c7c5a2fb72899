use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The input of an action that undoes another: what the other was given, what it returned and what it wrote.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # #[derive(Deserialize, JsonSchema)] struct CreateInvoice; #[derive(Deserialize, JsonSchema)] struct Invoice { id: String }
/// fn void_invoice(undo: Undo<CreateInvoice, Invoice>, cx: &Context<()>) -> Result<(), Failure> {
///     let Some(invoice) = undo.output else { return Ok(()) /* look for it first where the step may have failed halfway */ };
///     cx.post(format!("https://api.example/invoices/{}/void", encode(&invoice.id))).name("void").send()?.ok()?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Undo<I, O> {
    /// The input of the step that is undone.
    pub input: I,
    /// Its output; null where it failed. Then writes may have been done all the same: see `effects`.
    pub output: Option<O>,
    /// Its writes, in the order they were sent.
    #[serde(default)]
    pub effects: Vec<Effect>,
}

impl<I, O> Undo<I, O> {
    /// The write of that name, if it was sent.
    pub fn effect(&self, name: &str) -> Option<&Effect> {
        self.effects.iter().rev().find(|effect| effect.name.as_deref() == Some(name))
    }
}

/// One write of a step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Effect {
    /// The name it was given.
    pub name: Option<String>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// What is known of it.
    pub state: EffectState,
    /// What was sent.
    #[serde(default)]
    pub request: Value,
    /// What was answered, null where nothing was.
    #[serde(default)]
    pub response: Value,
}

/// What is known of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EffectState {
    /// Recorded, and perhaps sent.
    Intent,
    /// It succeeded.
    Done,
    /// It was refused, and did nothing.
    Failed,
    /// Without a complete answer: perhaps it was done.
    InDoubt,
}
