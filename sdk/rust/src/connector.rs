use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Context, Failure, Plugin, Returns,
    descriptor::{ActionEntry, Schemas},
    input,
    output::Outcome,
};

/// A plugin with actions.
pub trait Connector: Plugin {
    /// Declares the actions: `a.action("void-invoice", "Void an invoice", void_invoice);`.
    fn actions(a: &mut Actions<Self>);
}

/// Where a connector declares its actions.
///
/// To describe the plugin, each declaration becomes an entry with its schemas. To do one action, only the one asked for runs, and no
/// schema is made: an instance lives for one call, and each page of memory it touches costs time.
#[derive(Debug)]
pub struct Actions<P: Plugin>(Purpose, std::marker::PhantomData<P>);

#[derive(Debug)]
enum Purpose {
    Describe(Vec<ActionEntry>),
    Invoke { action: String, input: String, context: String, outcome: Option<Result<Outcome, Failure>> },
}

impl<P: Plugin> Actions<P> {
    /// Declares an action: its name (lower-case letters, digits, hyphens), its title, and the function that does it.
    ///
    /// The function takes a [`Context`] and an input, whose doc comment becomes the action's description; or an
    /// [`Undo`](crate::Undo). It returns data, or an [`Output`](crate::Output) with events.
    pub fn action<I, R>(
        &mut self,
        name: &'static str,
        title: &'static str,
        run: impl FnOnce(I, &Context<P::Config>) -> Result<R, Failure>,
    ) -> Action<'_>
    where
        I: DeserializeOwned + JsonSchema,
        R: Returns,
    {
        match &mut self.0 {
            Purpose::Describe(entries) => {
                entries.push(ActionEntry::new(name, title, Schemas::of::<I, R::Data>()));
                Action(entries.last_mut())
            }
            Purpose::Invoke { action, input, context, outcome } => {
                if outcome.is_none() && action == name {
                    *outcome = Some(call(input, context, run));
                }
                Action(None)
            }
        }
    }
}

/// An action just declared; what more there is to say of it.
#[derive(Debug)]
pub struct Action<'a>(Option<&'a mut ActionEntry>);

impl Action<'_> {
    /// Doing it twice is the same as doing it once, by the nature of the system.
    pub fn idempotent(mut self) -> Self {
        if let Some(entry) = &mut self.0 {
            entry.idempotent = true;
        }
        self
    }

    /// The action that undoes this one. It takes an [`Undo`](crate::Undo).
    pub fn undo(mut self, action: &'static str) -> Self {
        if let Some(entry) = &mut self.0 {
            entry.undo = Some(action);
        }
        self
    }

    /// What it does, in place of the doc comment of its input.
    pub fn description(mut self, text: &str) -> Self {
        if let Some(entry) = &mut self.0 {
            entry.description = Some(text.to_owned());
        }
        self
    }
}

fn call<C, I, R>(input: &str, context: &str, run: impl FnOnce(I, &Context<C>) -> Result<R, Failure>) -> Result<Outcome, Failure>
where
    C: DeserializeOwned,
    I: DeserializeOwned,
    R: Returns,
{
    let context = Context::parse(context)?;
    run(input::parse(input, "input")?, &context)?.into_output().try_into()
}

pub(crate) fn entries<P: Connector>() -> Vec<ActionEntry> {
    let mut actions = Actions::<P>(Purpose::Describe(Vec::new()), std::marker::PhantomData);
    P::actions(&mut actions);
    match actions.0 {
        Purpose::Describe(entries) => entries,
        Purpose::Invoke { .. } => unreachable!("declaring actions does not change what it is for"),
    }
}

pub(crate) fn invoke<P: Connector>(action: String, input: String, context: String) -> Result<Outcome, Failure> {
    let mut actions = Actions::<P>(Purpose::Invoke { action, input, context, outcome: None }, std::marker::PhantomData);
    P::actions(&mut actions);
    match actions.0 {
        Purpose::Invoke { outcome: Some(outcome), .. } => outcome,
        Purpose::Invoke { action, .. } => Err(Failure::rejected(format!("{} has no action `{action}`", P::NAME))),
        Purpose::Describe(_) => unreachable!("declaring actions does not change what it is for"),
    }
}
