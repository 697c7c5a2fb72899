//! A host in a folder of its own, on which runs are played one by one: real in everything but the network, the time and the dice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::pattern::Placeholders;
use super::reading::PlayedPage;
use crate::audit::{Action, By};
use crate::clock::{Clock, later};
use crate::config;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbound::{Asked, FarEnd, HttpError, Response};
use crate::registry::{Component, Descriptor};
use crate::run::RunState;
use crate::runtime::{ApplyError, Fixed, Runtime};
use crate::store::{EventFilter, NewEvent, NewRun, StoreError};
use crate::telemetry;
use crate::worker;

/// The step that is played.
pub const STEP: &str = "do";
/// Namespace of the runs' ids: the same case has the same keys each time it is played.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c2f_47a0_3d1b_4b7e_9b1e_6f0d_2a51_c3e8);
/// What plugins see as random comes out the same each time.
const RANDOM_SECRET: [u8; 32] = *b"a rehearsal's dice fall the same";
/// Start of a step's clock where nobody says otherwise.
pub const CLOCK: &str = "2026-01-05T09:00:00Z";
/// Time that a run has, on its own clock.
const DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Times that a run is taken up, beyond which it is going round in a circle.
const MOST_TAKEN_UP: u32 = 60;
/// Networks that a rehearsal lets through: nothing is dialled.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// A connector that is rehearsed.
#[derive(Debug, Clone)]
pub struct Project {
    /// The component's file.
    pub file: PathBuf,
    /// Its bytes.
    pub component: Component,
    /// What it says of itself.
    pub descriptor: Descriptor,
}

/// A configuration in which a connector is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// `config`.
    pub configuration: Value,
    /// Granted besides what it asks for.
    pub origins: Vec<String>,
    /// Actions whose steps hold what is in doubt.
    pub holds: Vec<String>,
}

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The folder can't be made.
    #[error("can't write to {folder}")]
    Folder {
        /// Which.
        folder: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The host does not start with this connector.
    #[error("the connector can't be played: {0}")]
    Start(String),
    /// The store fails.
    #[error("the rehearsal's store fails")]
    Store(#[from] StoreError),
    /// The event is none.
    #[error("the case's event is no CloudEvent: {0}")]
    Event(String),
}

/// One call to be played.
#[derive(Debug, Clone)]
pub struct Play<'a> {
    /// Which of the stage's casts.
    pub cast: usize,
    /// The run's id: see [`Stage::root`].
    pub root: String,
    /// Which action.
    pub action: &'a str,
    /// Its input.
    pub input: &'a Value,
    /// Attributes of the event.
    pub event: &'a Map<String, Value>,
    /// Start of the clock.
    pub clock: Timestamp,
    /// What the plugin's key-value space has.
    pub key_value: &'a BTreeMap<String, Value>,
    /// Keys that are looked at afterwards.
    pub keys: Vec<String>,
    /// Most attempts.
    pub attempts: u32,
    /// A step after it fails, so that it is undone.
    pub undo: bool,
    /// Events that it brings in are looked for.
    pub events: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// Of the run: `succeeded`, `dead`, `cancelled` where no more attempts were wanted.
    pub status: String,
    /// It was held for a person to decide on what is in doubt.
    pub held: bool,
    /// Whether an undo was complete.
    pub undone: Option<bool>,
    /// All attempts, those of an undo too.
    pub attempts: Vec<PlayedAttempt>,
    /// After how many milliseconds it would be tried again: what the plugin asked for.
    pub again_ms: Option<u64>,
    /// The step's output.
    pub output: Option<Value>,
    /// Events that were brought in.
    pub events: Vec<Value>,
    /// The keys that were to be looked at.
    pub key_value: BTreeMap<String, Option<Vec<u8>>>,
    /// Of a stream that was read.
    pub page: Option<PlayedPage>,
}

/// An attempt that was played.
#[derive(Debug, Clone)]
pub struct PlayedAttempt {
    /// Of the step (`do`) or its undo (`do/undo`).
    pub step: String,
    /// `succeeded` or a kind of failure.
    pub outcome: String,
    /// `{kind, reason, details}`.
    pub error: Option<Value>,
    /// Lines of its log.
    pub logs: Vec<Value>,
    /// As in the timeline.
    pub effects: Vec<Value>,
}

impl Played {
    /// The last attempt of the step itself.
    pub fn last(&self) -> Option<&PlayedAttempt> {
        self.attempts.iter().rev().find(|attempt| attempt.step == STEP)
    }

    /// The first attempt of the step itself.
    pub fn first(&self) -> Option<&PlayedAttempt> {
        self.attempts.iter().find(|attempt| attempt.step == STEP)
    }

    /// Reason of the last failure.
    pub fn reason(&self) -> String {
        let error = self.attempts.iter().rev().find_map(|attempt| attempt.error.as_ref());
        error.and_then(|error| error["reason"].as_str()).unwrap_or_default().to_owned()
    }
}

/// A host for rehearsals. Its folder goes with it.
pub struct Stage {
    /// The host.
    pub runtime: Arc<Runtime>,
    /// The plugin's name in the first cast.
    name: String,
    clock: Clock,
    switch: Arc<Switch>,
    played: AtomicU64,
    _folder: Folder,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stage").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts a host with the connector in each of these casts.
    ///
    /// # Errors
    /// Why a host would not take it, in the host's words.
    pub async fn open(project: &Project, casts: &[Cast]) -> Result<Stage, StageError> {
        let folder = Folder::new()?;
        let text = config::toml_text(&configuration(project, casts));
        let file = folder.0.join("sangam.toml");
        write(&file, text.as_bytes())?;
        let clock = Clock::manual(CLOCK.parse().expect("a time"));
        let engine = Engine::for_tools().map_err(|error| StageError::Start(telemetry::chain(&error)))?;
        let fixed = Fixed { engine, random_secret: RANDOM_SECRET };
        let runtime = Runtime::rehearse(&file, clock.clone(), fixed).await.map_err(|error| start_error(&error))?;
        let switch = Arc::new(Switch::default());
        let far_end: Arc<dyn FarEnd> = switch.clone();
        runtime.answer_from(&far_end);
        let name = project.descriptor.name.clone();
        Ok(Stage { runtime, name, clock, switch, played: AtomicU64::new(0), _folder: folder })
    }

    /// The id of the next run: the same each time the same is played in the same order.
    pub fn root(&self, what: &str) -> String {
        let ordinal = self.played.fetch_add(1, Ordering::Relaxed);
        Uuid::new_v5(&NAMESPACE, format!("{what}\n{ordinal}").as_bytes()).to_string()
    }

    /// What placeholders stand for in a run.
    pub fn placeholders(&self, root: &str, names: &[String], clock: Timestamp) -> Placeholders {
        Placeholders::new(root, STEP, names, clock)
    }

    /// Plays a run until it has ended, or has had its attempts.
    ///
    /// # Errors
    /// When the store fails, or the event is none.
    pub async fn play(&self, play: Play<'_>, far_end: Arc<dyn FarEnd>, crash: Arc<Notify>) -> Result<Played, StageError> {
        self.switch.to(Some(far_end));
        let played = self.played_on(&play, &crash).await;
        self.switch.to(None);
        played
    }

    /// What answers from now on.
    pub(super) fn against(&self, far_end: Option<Arc<dyn FarEnd>>) {
        self.switch.to(far_end);
    }

    /// The plugin's name in the first cast.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts the time.
    pub(super) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
    }

    /// What the run that was played last left under a key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn value(&self, cast: usize, key: &str) -> Result<Option<Vec<u8>>, StageError> {
        Ok(self.runtime.store.key_get(&plugin_name(&self.name, cast), key).await?.map(|(value, _)| value))
    }

    async fn played_on(&self, play: &Play<'_>, crash: &Notify) -> Result<Played, StageError> {
        let plugin = plugin_name(&self.name, play.cast);
        let store = &self.runtime.store;
        self.clock.set(play.clock);
        let values = play.key_value.iter().map(|(key, value)| (key.clone(), stored(value)));
        store.key_replace(&plugin, values.collect()).await?;
        let eid = self.take_in(play).await?;
        let route = route_name(play.cast, play.action, play.undo);
        let (mut again_ms, mut held) = (None, false);
        for _ in 0..MOST_TAKEN_UP {
            tokio::select! {
                // Whatever it was about to do, it does not: the host is gone.
                biased;
                () = crash.notified() => {}
                driven = worker::drive_one(&self.runtime, &route) => drop(driven?),
            }
            let run = store.run(&play.root).await?;
            let Some(run) = run.filter(|run| run.ended_at.is_none()) else { break };
            held = run.status == "waiting" && run.state.as_deref().is_some_and(is_held);
            if held {
                break;
            }
            let attempts = store.attempts(&play.root).await?;
            let tried = attempts.iter().filter(|attempt| attempt.step == STEP).count();
            if !play.undo && tried >= play.attempts as usize {
                let later = run.due_at.map(|due| due.duration_since(self.clock.now()).as_millis());
                again_ms = later.and_then(|later| u64::try_from(later).ok());
                break;
            }
            match run.due_at {
                Some(due) if due > self.clock.now() => self.clock.set(due),
                Some(_) => {}
                // Paused for its credential: which an administrator has mended now.
                None => {
                    self.clock.advance(Duration::from_secs(1));
                    store.wake("credential", self.clock.now()).await?;
                }
            }
        }
        if store.run(&play.root).await?.is_some_and(|run| run.ended_at.is_none()) {
            let act = By::host(&self.runtime.identity.name).did(Action::EventCancelled, eid.as_str());
            store.cancel(&eid, act, self.clock.now()).await?;
        }
        Ok(Played { again_ms, held, ..self.collected(play, &plugin).await? })
    }

    async fn take_in(&self, play: &Play<'_>) -> Result<String, StageError> {
        let mut event = Map::from_iter([
            ("id".to_owned(), json!("rehearsal")),
            ("source".to_owned(), json!("/rehearsal")),
            ("type".to_owned(), json!("rehearsal")),
            ("time".to_owned(), json!(play.clock.to_string())),
        ]);
        event.extend(play.event.clone());
        event.insert("specversion".to_owned(), json!("1.0"));
        event.insert("data".to_owned(), play.input.clone());
        let event = Event::from_structured(Value::Object(event)).map_err(|error| StageError::Event(error.to_string()))?;
        let now = self.clock.now();
        let eid = self.runtime.eids.next(now);
        let run = NewRun {
            id: play.root.clone(),
            route: route_name(play.cast, play.action, play.undo),
            revision: self.runtime.present().revision.number,
            order_key: None,
            order_hold: false,
            deadline_at: later(now, DEADLINE),
            dead: None,
            lease: None,
        };
        let new = NewEvent {
            trace: None,
            eid: eid.clone(),
            source: event.source.as_str().into(),
            // The same event may be played many times, and is another one each time.
            id: play.root.as_str().into(),
            kind: event.event_type.as_str().into(),
            body: event.to_text().into(),
            digest: event.digest(),
            received_at: now,
            seen_until: later(now, DEADLINE),
            hops: 0,
            cause: None,
            runs: vec![run],
        };
        self.runtime.store.accept(vec![new]).await?;
        Ok(eid.to_string())
    }

    async fn collected(&self, play: &Play<'_>, plugin: &str) -> Result<Played, StageError> {
        let store = &self.runtime.store;
        let run = store.run(&play.root).await?;
        let list = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok()).unwrap_or_default();
        let attempts = store.attempts(&play.root).await?.into_iter().map(|attempt| PlayedAttempt {
            step: attempt.step,
            outcome: attempt.outcome.unwrap_or_else(|| "broken-off".to_owned()),
            error: attempt.error.and_then(|error| serde_json::from_str(&error).ok()),
            logs: list(attempt.logs),
            effects: list(attempt.effects),
        });
        let attempts = attempts.collect();
        let steps = store.steps(&play.root).await?;
        let output = steps.into_iter().find(|step| step.name == STEP).and_then(|step| serde_json::from_str(&step.output?).ok());
        let filter = EventFilter { source: Some(format!("/plugins/{plugin}")), limit: 1000, ..EventFilter::default() };
        let mut brought = if play.events { store.events(&filter).await?.events } else { Vec::new() };
        brought.reverse();
        let of_run = |cause: &Option<String>| cause.as_ref().is_some_and(|cause| cause.contains(&play.root));
        let events = brought.into_iter().filter(|(event, _)| of_run(&event.cause));
        let events = events.filter_map(|(event, _)| serde_json::from_str(&event.body).ok()).collect();
        let mut key_value = BTreeMap::new();
        for key in &play.keys {
            key_value.insert(key.clone(), store.key_get(plugin, key).await?.map(|(value, _)| value));
        }
        let (status, undone) = run.map(|run| (run.status, run.undone)).unwrap_or_default();
        Ok(Played { status, held: false, undone, attempts, again_ms: None, output, events, key_value, page: None })
    }
}

/// The configuration file: the connector once for each cast, and for each of its actions a route, and one that turns back.
fn configuration(project: &Project, casts: &[Cast]) -> Value {
    let descriptor = &project.descriptor;
    let mut plugins = Map::new();
    let mut routes = Vec::new();
    for (index, cast) in casts.iter().enumerate() {
        let name = plugin_name(&descriptor.name, index);
        let mut hosts = config::expected_hosts(&descriptor.hosts, &cast.configuration, &descriptor.configuration);
        hosts.extend(cast.origins.iter().cloned());
        hosts.sort();
        hosts.dedup();
        let emits = descriptor.emits.clone().unwrap_or_else(|| vec!["*".to_owned()]);
        let plugin = json!({
            "component": project.file,
            "allow-hosts": hosts,
            "allow-private-addresses": EVERYWHERE,
            "read-only": descriptor.read_only,
            "emits": emits,
            "config": without_nulls(&cast.configuration),
        });
        plugins.insert(name.clone(), plugin);
        for action in &descriptor.actions {
            let retry = json!({ "max-attempts": 8, "initial": "1ms", "factor": 1, "max": "1s", "jitter": 0 });
            let mut step = json!({ "name": STEP, "uses": format!("{name}.{}", action.name), "retry": retry });
            if cast.holds.contains(&action.name) {
                step["on-doubt"] = json!("hold");
            }
            let route = |undo, steps| json!({ "name": route_name(index, &action.name, undo), "on": { "type": "nothing" }, "steps": steps });
            routes.push(route(false, json!([step])));
            if action.undo.is_some() {
                step["on-failure"] = json!("undo");
                step["retry"]["max-attempts"] = json!(3);
                // Whatever it would do, its condition fails.
                let back = json!({ "name": "back", "uses": step["uses"], "when": "null | tonumber > 0", "on-failure": "undo" });
                routes.push(route(true, json!([step, back])));
            }
        }
    }
    json!({ "plugins": plugins, "routes": routes })
}

/// Whether a person has to decide first, as the run's state says.
fn is_held(state: &str) -> bool {
    let state: Option<RunState> = serde_json::from_str(state).ok();
    state.is_some_and(|state| state.tasks().any(|(_, step)| !step.held.is_empty()))
}

pub(super) fn plugin_name(name: &str, cast: usize) -> String {
    if cast == 0 { name.to_owned() } else { format!("{name}-{}", cast + 1) }
}

fn route_name(cast: usize, action: &str, undo: bool) -> String {
    format!("{action}-{cast}{}", if undo { "-back" } else { "" })
}

/// TOML has no null: what is null is left out, which a configuration takes for the same.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().filter(|item| !item.is_null()).map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// A value of a key-value space as it is stored.
pub(super) fn stored(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    }
}

fn start_error(error: &ApplyError) -> StageError {
    StageError::Start(telemetry::chain(error))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), StageError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |source| StageError::Folder { folder: file.display().to_string(), source };
    let mut options = std::fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(file).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

/// A folder that goes when nobody needs it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, StageError> {
        let path = std::env::temp_dir().join(format!("sangam-rehearsal-{}", Uuid::new_v4()));
        std::fs::create_dir_all(path.join("data")).map_err(|source| StageError::Folder { folder: path.display().to_string(), source })?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is left to whoever tidies the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The far end of the run that is played now.
#[derive(Debug, Default)]
struct Switch(Mutex<Option<Arc<dyn FarEnd>>>);

impl Switch {
    fn to(&self, far_end: Option<Arc<dyn FarEnd>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = far_end;
    }
}

impl FarEnd for Switch {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Result<Response, HttpError>> {
        let present = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            match present {
                Some(present) => present.answer(asked).await,
                None => Err(HttpError::NotSent("nothing is played now".to_owned())),
            }
        })
    }
}
