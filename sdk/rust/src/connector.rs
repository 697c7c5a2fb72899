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
    InvokeBatch { action: String, invocations: Vec<(String, String)>, outcomes: Option<Outcomes> },
}

/// In the order of the invocations.
pub(crate) type Outcomes = Vec<Result<Outcome, Failure>>;

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
            Purpose::InvokeBatch { .. } => Action(None),
        }
    }

    /// Declares that an action, declared before, takes several runs at once: `most` of them at most (2 to 1000), done by a function of its own. Where a run
    /// goes alone the host calls the single form.
    ///
    /// The function is given the items whose input fits and gives one result for each, in their order; its outer error is the failure of all. Requests
    /// belong to the batch: name them as ever. The same batch comes again after a crash and while a write is in doubt, so what is sent must follow from the
    /// items alone, and [`Context::idempotency_key`] of an item is the marker that is the same in every batch. Of `kv` a batch has `set` and
    /// `delete`, and so [`echo::wrote`](crate::echo::wrote).
    ///
    /// Export the plugin as `connector with batches` or `duplex with batches`.
    ///
    /// # Panics
    /// When the plugin is described, if there is no such action; in a call, if the function gives more or fewer results than items.
    pub fn batch<I, R>(
        &mut self,
        name: &'static str,
        most: u32,
        run: impl FnOnce(&[Item<I, P::Config>]) -> Result<Vec<Result<R, Failure>>, Failure>,
    ) where
        I: DeserializeOwned + JsonSchema,
        R: Returns,
    {
        match &mut self.0 {
            Purpose::Describe(entries) => {
                let entry = entries.iter_mut().find(|entry| entry.name == name);
                entry.expect("an action is declared before its batch").batch = Some(most);
            }
            Purpose::InvokeBatch { action, invocations, outcomes } => {
                if outcomes.is_none() && action == name {
                    *outcomes = Some(call_batch(invocations, run));
                }
            }
            Purpose::Invoke { .. } => {}
        }
    }
}

/// One run's part of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item<I, C> {
    /// What the action is given.
    pub input: I,
    /// What it knows of its run. Its `attempt` is above 1 where the batch, or the run, was tried before.
    pub cx: Context<C>,
    /// Its position among the invocations of the call: the field `invocation` of a line of the log that is this run's alone.
    pub place: usize,
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

fn call_batch<C, I, R>(
    invocations: &[(String, String)],
    run: impl FnOnce(&[Item<I, C>]) -> Result<Vec<Result<R, Failure>>, Failure>,
) -> Outcomes
where
    C: DeserializeOwned,
    I: DeserializeOwned,
    R: Returns,
{
    let mut items = Vec::with_capacity(invocations.len());
    let mut outcomes: Vec<Option<Result<Outcome, Failure>>> = Vec::with_capacity(invocations.len());
    for (place, (input, context)) in invocations.iter().enumerate() {
        let item = Context::parse(context).and_then(|cx| Ok(Item { input: input::parse(input, "input")?, cx, place }));
        outcomes.push(item.map(|item| items.push(item)).err().map(Err));
    }
    if items.is_empty() {
        return outcomes.into_iter().flatten().collect();
    }
    let results = match run(&items) {
        Ok(results) => results,
        Err(failure) => items.iter().map(|_| Err(failure.clone())).collect(),
    };
    assert_eq!(results.len(), items.len(), "a batch gives one result for each item");
    let mut results = results.into_iter().map(|result| result?.into_output().try_into());
    outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| results.next())).collect()
}

pub(crate) fn entries<P: Connector>() -> Vec<ActionEntry> {
    let mut actions = Actions::<P>(Purpose::Describe(Vec::new()), std::marker::PhantomData);
    P::actions(&mut actions);
    match actions.0 {
        Purpose::Describe(entries) => entries,
        Purpose::Invoke { .. } | Purpose::InvokeBatch { .. } => unreachable!("declaring actions does not change what it is for"),
    }
}

pub(crate) fn invoke<P: Connector>(action: String, input: String, context: String) -> Result<Outcome, Failure> {
    let mut actions = Actions::<P>(Purpose::Invoke { action, input, context, outcome: None }, std::marker::PhantomData);
    P::actions(&mut actions);
    match actions.0 {
        Purpose::Invoke { outcome: Some(outcome), .. } => outcome,
        Purpose::Invoke { action, .. } => Err(Failure::rejected(format!("{} has no action `{action}`", P::NAME))),
        Purpose::Describe(_) | Purpose::InvokeBatch { .. } => unreachable!("declaring actions does not change what it is for"),
    }
}

pub(crate) fn invoke_batch<P: Connector>(action: String, invocations: Vec<(String, String)>) -> Outcomes {
    let count = invocations.len();
    let mut actions = Actions::<P>(Purpose::InvokeBatch { action, invocations, outcomes: None }, std::marker::PhantomData);
    P::actions(&mut actions);
    match actions.0 {
        Purpose::InvokeBatch { outcomes: Some(outcomes), .. } => outcomes,
        Purpose::InvokeBatch { action, .. } => {
            let failure = Failure::rejected(format!("{}.{action} takes one invocation at a time", P::NAME));
            (0..count).map(|_| Err(failure.clone())).collect()
        }
        Purpose::Describe(_) | Purpose::Invoke { .. } => unreachable!("declaring actions does not change what it is for"),
    }
}
