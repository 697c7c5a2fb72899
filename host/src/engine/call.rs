//! One call of a plugin, from a fresh instance to a value.

use std::time::Duration;

use wasmtime::{Store, Trap};

use super::Engine;
use super::bindings::batching::exports::sangam::connector::batches;
use super::bindings::connector::Connector;
use super::bindings::source::exports::sangam::connector::events;
use super::bindings::types::{Failure, Problem};
use super::component::LoadedComponent;
use super::limits::Limits;
use super::meter::{Meter, Spent};
use super::pool::Pool;
use super::state::HostState;
use super::warm::Warm;
use crate::attempt::{Attempt, AttemptRecord, Break};
use crate::config::{self, Instances};

/// Longest reason kept.
const MAX_REASON: usize = 4 << 10;
/// Longest details kept.
const MAX_DETAILS: usize = 64 << 10;

/// What is asked of a plugin. Texts are JSON.
#[derive(Debug, Clone)]
pub enum Call {
    /// `actions.invoke`.
    Invoke {
        /// Name of the action.
        action: String,
        /// Checked against its schema.
        input: String,
        /// See `context.schema.json`.
        context: String,
    },
    /// `batches.invoke-batch`.
    InvokeBatch {
        /// Name of the action.
        action: String,
        /// Input and context of each, as of [`Call::Invoke`].
        invocations: Vec<(String, String)>,
    },
    /// `events.poll`.
    Poll {
        /// Name of the stream.
        stream: String,
        /// Where the page before ended.
        cursor: Option<String>,
        /// Most events wanted.
        limit: u32,
        /// See `context.schema.json`.
        context: String,
    },
    /// `events.receive`.
    Receive {
        /// Name of the stream.
        stream: String,
        /// What came.
        request: InboundRequest,
        /// See `context.schema.json`.
        context: String,
    },
}

/// A request that came in for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundRequest {
    /// In upper case.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whole.
    pub body: Vec<u8>,
}

/// How a call ended, and what is kept of it.
#[derive(Debug)]
pub struct CallEnd {
    /// How.
    pub outcome: CallOutcome,
    /// Effects, log lines, key-value writes.
    pub record: AttemptRecord,
    /// Processor time it has used.
    pub cpu: Duration,
    /// Bytes of memory that its instance had in the end, which is the most that it had.
    pub memory: usize,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum CallOutcome {
    /// `invoke` succeeded: JSON data, and events as JSON texts.
    Output {
        /// Unchecked.
        data: String,
        /// Unchecked.
        events: Vec<String>,
    },
    /// `invoke-batch` answered: for each invocation JSON data and events as JSON texts, or how it failed.
    Batch(Vec<Result<(String, Vec<String>), PluginFailure>>),
    /// `poll` succeeded.
    Page(PolledPage),
    /// `receive` succeeded.
    Received(ReceivedEvents),
    /// The plugin said no.
    Failure(PluginFailure),
    /// It trapped: why.
    Trap(String),
    /// It was stopped at a limit: which.
    Limit(String),
    /// It took longer than it may.
    TimedOut,
    /// The engine has no room for another instance now.
    Busy(String),
    /// The attempt can't go on.
    Broken(Break),
}

/// One page of a stream. Texts are unchecked JSON.
#[derive(Debug, Clone)]
pub struct PolledPage {
    /// Oldest first.
    pub events: Vec<String>,
    /// Where the next poll starts.
    pub next_cursor: Option<String>,
    /// There is more now.
    pub more: bool,
    /// Records that can't be events, each with its reason.
    pub set_aside: Vec<(String, String)>,
}

/// What a plugin made of a request. All unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvents {
    /// JSON texts.
    pub events: Vec<String>,
    /// What the sender is to be answered: the status.
    pub status: u16,
    /// …the headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// …and the body.
    pub body: Vec<u8>,
}

/// A failure as the plugin classified it.
#[derive(Debug, Clone)]
pub struct PluginFailure {
    /// Again, or never?
    pub kind: PluginFailureKind,
    /// One sentence.
    pub reason: String,
    /// When trying again makes sense.
    pub after: Option<Duration>,
    /// JSON text, unchecked.
    pub details: Option<String>,
}

/// The cases of the contract's `failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginFailureKind {
    /// It may work later.
    Retry,
    /// The system asks for patience.
    RateLimited,
    /// The credential was refused.
    Unauthorized,
    /// Trying again can't help.
    Rejected,
}

impl Engine {
    /// Calls a plugin within its limits: in a fresh instance, which may have been made before, or, where the administrator trusts it, in one that
    /// served calls before.
    pub async fn call(
        &self,
        component: &LoadedComponent,
        limits: &config::Limits,
        instances: Instances,
        attempt: Attempt,
        call: Call,
    ) -> CallEnd {
        let engine = self.clone();
        let component = component.clone();
        let limits = *limits;
        let meter = Meter::new(limits.cpu);
        let (used, pace, attempt) = (meter.clone(), component.pace.clone(), Box::new(attempt));
        let work = Box::pin(async move { engine.metered(&component, &limits, instances, attempt, call, &used).await });
        match self.0.lanes.run(&meter, &pace, work).await {
            Ok(end) => end,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// [`Engine::call`] on the present thread: for measuring the call itself.
    pub async fn call_here(
        &self,
        component: &LoadedComponent,
        limits: &config::Limits,
        instances: Instances,
        attempt: Attempt,
        call: Call,
    ) -> CallEnd {
        self.metered(component, limits, instances, Box::new(attempt), call, &Meter::new(limits.cpu)).await
    }

    async fn metered(
        &self,
        component: &LoadedComponent,
        limits: &config::Limits,
        instances: Instances,
        attempt: Box<Attempt>,
        call: Call,
        meter: &Meter,
    ) -> CallEnd {
        match call {
            Call::Invoke { action, input, context } => {
                let invoke = Invoke { action, input, context };
                self.invoke(component, limits, instances, attempt, invoke, meter).await
            }
            Call::InvokeBatch { action, invocations } => {
                let Some(_place) = component.code.pool.places.take(&component.tenant) else { return no_place(attempt) };
                let mut store = store(&component.code.pool, HostState::new(attempt, limits, meter), limits);
                let batch = Box::pin(invoke_batch(&mut store, component, limits, &action, invocations));
                let result = within(limits, meter, batch).await;
                ended(&mut store, result, meter)
            }
            Call::Poll { stream, cursor, limit, context } => {
                let Some(_place) = component.code.pool.places.take(&component.tenant) else { return no_place(attempt) };
                let mut store = store(&component.code.pool, HostState::new(attempt, limits, meter), limits);
                let poll = Box::pin(poll(&mut store, component, limits, &stream, cursor.as_deref(), limit, &context));
                let result = within(limits, meter, poll).await;
                ended(&mut store, result, meter)
            }
            Call::Receive { stream, request, context } => {
                let Some(_place) = component.code.pool.places.take(&component.tenant) else { return no_place(attempt) };
                let mut store = store(&component.code.pool, HostState::new(attempt, limits, meter), limits);
                let receive = Box::pin(receive(&mut store, component, limits, &stream, request, &context));
                let result = within(limits, meter, receive).await;
                ended(&mut store, result, meter)
            }
        }
    }

    async fn invoke(
        &self,
        component: &LoadedComponent,
        limits: &config::Limits,
        instances: Instances,
        attempt: Box<Attempt>,
        invoke: Invoke,
        meter: &Meter,
    ) -> CallEnd {
        let warm = match instances {
            Instances::Reuse => component.warm.take(),
            Instances::PerCall => component.ahead.take(limits),
        };
        let (mut store, mut instance, calls, place) = match warm {
            Some(mut warm) => {
                warm.store.data_mut().begin(attempt, limits, meter);
                bound(&mut warm.store, limits);
                (warm.store, Some(warm.instance), warm.calls, warm.place)
            }
            None => match component.code.pool.places.take(&component.tenant) {
                Some(place) => (store(&component.code.pool, HostState::new(attempt, limits, meter), limits), None, 0, place),
                None => return no_place(attempt),
            },
        };
        let result = within(limits, meter, invoke.run(&mut store, component, &mut instance, limits)).await;
        let end = ended(&mut store, result, meter);
        let well = matches!(end.outcome, CallOutcome::Output { .. } | CallOutcome::Failure(_));
        match (instances, instance) {
            (Instances::Reuse, Some(instance)) if well => component.warm.keep(Warm { store, instance, calls: calls + 1, place }),
            // To make the memory of an interpreter anew takes as long as its call. Nobody has to wait for that, unless there is more of it than gets done: then
            // ever more instances would be on their way out.
            _ if let Some(turn) = component.code.pool.makes_anew_beside() => {
                let ahead = component.ahead.clone();
                self.0.lanes.beside(async move {
                    drop(store);
                    drop(place);
                    drop(turn);
                    ahead.again();
                });
            }
            _ => {
                drop(store);
                drop(place);
                component.ahead.again();
            }
        }
        end
    }
}

pub(super) fn store(pool: &Pool, state: HostState, limits: &config::Limits) -> Store<HostState> {
    let mut store = Store::new(&pool.wasmtime, state);
    store.limiter(|state| &mut state.limits);
    store.epoch_deadline_callback(|mut store| Ok(store.data_mut().limits.tick()));
    bound(&mut store, limits);
    store
}

/// What the engine itself keeps to, for the call that begins.
fn bound(store: &mut Store<HostState>, limits: &config::Limits) {
    // A host call, or the answer, may copy at most this much out of the guest.
    store.set_hostcall_fuel(limits.host_call_size);
    store.set_max_component_handles(limits.handles);
    // Before instantiation: start functions run guest code too. One tick, since a deadline of 0 would trap at once.
    store.set_epoch_deadline(1);
}

/// Works on a call within its time and processor time.
pub(super) async fn within<T>(
    limits: &config::Limits,
    meter: &Meter,
    work: impl Future<Output = wasmtime::Result<T>>,
) -> Result<wasmtime::Result<T>, tokio::time::error::Elapsed> {
    let metered = async { meter.around(work).await.unwrap_or_else(|Spent| Err(wasmtime::Error::new(Spent))) };
    tokio::time::timeout(limits.time, metered).await
}

/// The component has as many instances as it may have beside those of others.
fn no_place(attempt: Box<Attempt>) -> CallEnd {
    let why = "the plugin has its share of the engine's instances under way".to_owned();
    CallEnd { outcome: CallOutcome::Busy(why), record: attempt.finish(), cpu: Duration::ZERO, memory: 0 }
}

/// An action's name, input and context.
struct Invoke {
    action: String,
    input: String,
    context: String,
}

impl Invoke {
    async fn run(
        &self,
        store: &mut Store<HostState>,
        component: &LoadedComponent,
        instance: &mut Option<Connector>,
        limits: &config::Limits,
    ) -> wasmtime::Result<CallOutcome> {
        let instance = match instance {
            Some(instance) => instance,
            None => {
                let linked = component.code.linked();
                let Some(connector) = &linked.connector else {
                    return Ok(CallOutcome::Trap("the component has no actions".to_owned()));
                };
                instance.insert(connector.instantiate_async(&mut *store).await?)
            }
        };
        let result = instance.sangam_connector_actions().call_invoke(&mut *store, &self.action, &self.input, &self.context).await?;
        Ok(match result {
            Ok(output) => match too_many(&output.events, limits) {
                Some(why) => CallOutcome::Limit(why),
                None => CallOutcome::Output { data: output.data, events: output.events },
            },
            Err(failure) => CallOutcome::Failure(plugin_failure(failure)),
        })
    }
}

/// In a fresh instance: what it costs to make one falls on all of them together.
async fn invoke_batch(
    store: &mut Store<HostState>,
    component: &LoadedComponent,
    limits: &config::Limits,
    action: &str,
    invocations: Vec<(String, String)>,
) -> wasmtime::Result<CallOutcome> {
    let linked = component.code.linked();
    let Some(batching) = &linked.batching else {
        return Ok(CallOutcome::Trap("the component takes no batches".to_owned()));
    };
    let instance = batching.instantiate_async(&mut *store).await?;
    let asked = invocations.len();
    let invocations: Vec<batches::Invocation> =
        invocations.into_iter().map(|(input, context)| batches::Invocation { input, context }).collect();
    let results = instance.sangam_connector_batches().call_invoke_batch(&mut *store, action, &invocations).await?;
    if results.len() != asked {
        return Ok(CallOutcome::Trap(format!("it answered {asked} invocations with {} results", results.len())));
    }
    if let Some(why) = too_many(results.iter().flatten().flat_map(|output| &output.events), limits) {
        return Ok(CallOutcome::Limit(why));
    }
    let result = |result: Result<batches::Output, Failure>| match result {
        Ok(output) => Ok((output.data, output.events)),
        Err(failure) => Err(plugin_failure(failure)),
    };
    Ok(CallOutcome::Batch(results.into_iter().map(result).collect()))
}

/// Why these are more events than a call may bring in.
fn too_many<'a>(events: impl IntoIterator<Item = &'a String>, limits: &config::Limits) -> Option<String> {
    let (mut count, mut bytes) = (0_usize, 0_usize);
    for event in events {
        count += 1;
        bytes += event.len();
    }
    if count > limits.events {
        return Some(format!("it brought in {count} events; at most {} (limits.events)", limits.events));
    }
    (bytes > limits.events_size)
        .then(|| format!("it brought in events of {bytes} bytes; at most {} (limits.events-size)", limits.events_size))
}

async fn poll(
    store: &mut Store<HostState>,
    component: &LoadedComponent,
    limits: &config::Limits,
    stream: &str,
    cursor: Option<&str>,
    limit: u32,
    context: &str,
) -> wasmtime::Result<CallOutcome> {
    let linked = component.code.linked();
    let Some(source) = &linked.source else {
        return Ok(CallOutcome::Trap("the component has no streams".to_owned()));
    };
    let instance = source.instantiate_async(&mut *store).await?;
    let result = instance.sangam_connector_events().call_poll(&mut *store, stream, cursor, limit, context).await?;
    Ok(match result {
        Ok(page) => match too_many(&page.events, limits) {
            Some(why) => CallOutcome::Limit(why),
            None => CallOutcome::Page(PolledPage {
                events: page.events,
                next_cursor: page.next_cursor,
                more: page.more,
                set_aside: page.set_aside.into_iter().map(|record| (record.data, record.reason)).collect(),
            }),
        },
        Err(failure) => CallOutcome::Failure(plugin_failure(failure)),
    })
}

async fn receive(
    store: &mut Store<HostState>,
    component: &LoadedComponent,
    limits: &config::Limits,
    stream: &str,
    request: InboundRequest,
    context: &str,
) -> wasmtime::Result<CallOutcome> {
    let linked = component.code.linked();
    let Some(source) = &linked.source else {
        return Ok(CallOutcome::Trap("the component has no streams".to_owned()));
    };
    let instance = source.instantiate_async(&mut *store).await?;
    let InboundRequest { method, path, headers, body } = request;
    let request = events::InboundRequest { method, path, headers, body };
    let result = instance.sangam_connector_events().call_receive(&mut *store, stream, &request, context).await?;
    Ok(match result {
        Ok(received) => match too_many(&received.events, limits) {
            Some(why) => CallOutcome::Limit(why),
            None => CallOutcome::Received(ReceivedEvents {
                events: received.events,
                status: received.response.status,
                headers: received.response.headers,
                body: received.response.body,
            }),
        },
        Err(failure) => CallOutcome::Failure(plugin_failure(failure)),
    })
}

/// What a call leaves behind; its attempt is over.
fn ended(
    store: &mut Store<HostState>,
    result: Result<wasmtime::Result<CallOutcome>, tokio::time::error::Elapsed>,
    meter: &Meter,
) -> CallEnd {
    let state = store.data_mut();
    let outcome = match result {
        Err(_) => CallOutcome::TimedOut,
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => trapped(&error, &state.limits),
    };
    let attempt = state.attempt.take().expect("a call has its attempt");
    CallEnd { outcome, record: attempt.finish(), cpu: meter.used(), memory: state.limits.memory_used() }
}

fn trapped(error: &wasmtime::Error, limits: &Limits) -> CallOutcome {
    if let Some(why) = error.downcast_ref::<Break>() {
        return CallOutcome::Broken(why.clone());
    }
    if let Some(why) = limits.reached(error) {
        return CallOutcome::Limit(why);
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => CallOutcome::Trap(trap.to_string()),
        None if error.is::<wasmtime::PoolConcurrencyLimitError>() => CallOutcome::Busy("all instances are taken".to_owned()),
        None => CallOutcome::Trap(format!("{error:#}")),
    }
}

fn plugin_failure(failure: Failure) -> PluginFailure {
    let (kind, Problem { mut reason, after_ms, details }) = match failure {
        Failure::Retry(problem) => (PluginFailureKind::Retry, problem),
        Failure::RateLimited(problem) => (PluginFailureKind::RateLimited, problem),
        Failure::Unauthorized(problem) => (PluginFailureKind::Unauthorized, problem),
        Failure::Rejected(problem) => (PluginFailureKind::Rejected, problem),
    };
    reason.truncate(reason.floor_char_boundary(MAX_REASON.min(reason.len())));
    let details = details.filter(|details| details.len() <= MAX_DETAILS);
    PluginFailure { kind, reason, after: after_ms.map(Duration::from_millis), details }
}
