//! One running host: the parts put together, the present configuration, and how it is replaced.

mod arrivals;
mod canary;
mod credential_events;
mod credential_health;
mod desk;
mod erasure;
mod gathering;
mod gauges;
mod identity;
mod intake;
mod measured;
mod now;
mod peers;
mod personal;
mod plugin_use;
mod pressure;
mod readings;
mod refusals;
mod rehearsal;
mod retention;
mod revision;
mod share;
mod source_secrets;
mod subscribers;
mod traced;

pub use arrivals::{Arrival, Arrivals, Arrived};
pub use canary::{Trial, TrialFigures};
pub use credential_events::tell;
pub use credential_health::{KnownCredential, MetBy};
pub use desk::{Desk, Handed, Place};
pub use erasure::Wanted;
pub use gathering::{AtWork, Coming, Gathering, Joined, Kind as GatheringKind, Part, Room, Share, UnderWay};
pub use identity::Identity;
pub use intake::{Cause, Intake, IntakeError, MAX_HOPS, judge_again, order_key};
pub use measured::{Measured, Pruned};
pub use now::{Counted, Counts, OpenRuns, count};
pub use peers::{SILENT, Unservable, hear};
pub use personal::{How, Member, Search, Step};
pub use plugin_use::{PluginUse, Used};
pub use pressure::{Admission, Pressed, Pressure, Reservation};
pub use readings::Readings;
pub use refusals::{Refusals, Tally};
pub use rehearsal::Fixed;
pub use revision::{ActionSchemas, BuildError, LoadedPlugin, Revision, WrittenRoute};
pub use source_secrets::SourceSecrets;
pub use traced::{Came, EndedRun, came_with, trace_of_event};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::access::Gate;
use crate::audit::{Action, By};
use crate::builtin::Builtin;
use crate::builtin::mail::Relay;
use crate::clock::Clock;
use crate::config::{self, Instances, Loaded, Outside, Problems};
use crate::crash::{Crash, Point};
use crate::credentials::{Broker, TokenClient, Vault};
use crate::engine::Engine;
use crate::live::Series;
use crate::mapping::{self, Evaluator};
use crate::nats::Connections;
use crate::outbound::{Outbound, Poster};
use crate::registry::{Component, Progress, Sources, Supply};
use crate::server::{Certificates, Prepared};
use crate::store::{Store, StoreError};
use crate::telemetry::{self, Export, Metrics};
use crate::tls;

/// Evaluations of expressions at the same time.
const EVALUATIONS: usize = 8;
/// Revisions kept ready besides the present one.
const MAX_REVISIONS: usize = 4;
/// Name of the store's secret that clocks and random numbers of plugins derive from.
const RANDOM_SECRET: &str = "random-secret";
/// Name of the store's secret that authenticates compiled code.
const CACHE_SECRET: &str = "cache-secret";

/// Why a host does not start, or does not take a new configuration. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file has mistakes.
    #[error("{0}")]
    Problems(Problems),
    /// A part does not start.
    #[error("{0}")]
    Start(String),
    /// The store can't be used.
    #[error("the store can't be used")]
    Store(#[from] StoreError),
    /// A stored revision can't be built on this host.
    #[error("revision {number} can't run on this host: {why}")]
    Revision {
        /// Its number.
        number: i64,
        /// Why not.
        why: String,
    },
}

impl From<Problems> for ApplyError {
    fn from(problems: Problems) -> ApplyError {
        ApplyError::Problems(problems)
    }
}

/// A configuration file that was applied.
#[derive(Debug)]
pub struct Applied {
    /// Number of its revision.
    pub number: i64,
    /// What is allowed in it but probably not meant.
    pub warnings: Vec<config::Problem>,
}

/// What is configured now, with what belongs to each plugin across calls.
#[derive(Debug)]
pub struct Present {
    /// The revision that new events run on.
    pub revision: Arc<Revision>,
    /// Ways out by plugin, with the present grants.
    pub plugins: BTreeMap<String, Arc<PresentPlugin>>,
    /// Ways out for mail by relay.
    pub relays: BTreeMap<String, Arc<Relay>>,
    /// Endpoints of webhooks, with the way out to each.
    pub subscribers: BTreeMap<String, Arc<PresentSubscriber>>,
}

/// An endpoint of webhooks as configured now.
#[derive(Debug)]
pub struct PresentSubscriber {
    /// Its configuration.
    pub config: Arc<config::Subscriber>,
    /// The way out to it.
    pub poster: Poster,
}

/// A plugin as configured now.
#[derive(Debug)]
pub struct PresentPlugin {
    /// Its configuration: the present grants and limits.
    pub config: Arc<config::Plugin>,
    /// Its way out.
    pub outbound: Arc<Outbound>,
    /// Calls at the same time.
    pub slots: Arc<Semaphore>,
    /// The component that a share of runs tries.
    pub canary: Option<Arc<Trial>>,
    /// What it has used of its limits, whatever was configured meanwhile.
    pub used: Arc<PluginUse>,
}

/// A running host. Shared by everything that runs in it.
pub struct Runtime {
    /// The configuration file.
    pub config_file: PathBuf,
    /// `[server]`.
    pub server: config::Server,
    /// `[store]`.
    pub store_config: config::Store,
    /// The store.
    pub store: Store,
    /// The engine.
    pub engine: Engine,
    /// Secrets at rest.
    pub vault: Vault,
    /// The broker.
    pub broker: Arc<Broker>,
    /// Tells the time.
    pub clock: Clock,
    /// The host's own steps.
    pub builtin: Builtin,
    /// Evaluates expressions.
    pub evaluator: Evaluator,
    /// Counts.
    pub metrics: Metrics,
    /// Figures over time, of all hosts on the store.
    pub series: Series,
    /// What was counted in the store a moment ago.
    pub counted: Counted,
    /// Places for streams of what happens.
    pub streams: Arc<Semaphore>,
    /// The way to a collector.
    pub export: Export,
    /// `[telemetry] log`.
    pub log_style: config::LogStyle,
    /// What is in hand, and how much more may be.
    pub pressure: Pressure,
    /// Runs may be due.
    pub due: Notify,
    /// Runs under way, and those that begin with their acceptance.
    pub desk: Desk,
    /// Runs that are gathered for actions that take several at once.
    pub gathering: Gathering,
    /// Sources may be due.
    pub turning: Notify,
    /// Another host has changed a credential.
    pub credentials: Notify,
    /// An erasure was asked for.
    pub erasing: Notify,
    /// The number of the revision that is present, told whenever a configuration is taken over.
    pub configured: watch::Sender<i64>,
    /// Counts runs that ended.
    pub ended: watch::Sender<u64>,
    /// The host is to stop: nothing new begins.
    pub stopping: CancellationToken,
    /// What was under way has ended or was handed back: the last answers are given.
    pub drained: CancellationToken,
    /// The grace is over: what still runs is broken off.
    pub abandon: CancellationToken,
    /// Secret that what plugins see as random derives from.
    pub random_secret: [u8; 32],
    /// Who asks, and what this host knows of them.
    pub gate: Gate,
    /// What the listener shows, where it speaks TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// Who this host is in leases.
    pub identity: Identity,
    /// Configurations that are left to other hosts.
    pub unservable: Unservable,
    /// What came in at sources.
    pub arrivals: Arrivals,
    /// Secrets of sources, as they were a moment ago.
    pub source_secrets: SourceSecrets,
    /// Requests refused since they were last put on record.
    pub refusals: Refusals,
    /// Personal data that was shown in clear, until that is put on record.
    pub readings: Readings,
    /// Connections to NATS servers.
    pub nats: Connections,
    /// Try-outs at the same time.
    pub tryouts: Semaphore,
    /// When this host started.
    pub started_at: Timestamp,
    /// What it has measured of its store.
    pub measured: Measured,
    tls: rustls::ClientConfig,
    present: RwLock<Arc<Present>>,
    /// Which components this host takes: by its own files, whatever a revision in the store says.
    supply: RwLock<Arc<Supply>>,
    revisions: Mutex<BTreeMap<i64, Arc<Revision>>>,
    reloading: tokio::sync::Mutex<()>,
    loading: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Runtime").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Opens the store, starts the engine, and applies the configuration file.
    pub async fn start(config_file: &Path, clock: Clock, crash: Crash) -> Result<Arc<Runtime>, ApplyError> {
        Runtime::begin(config_file, clock, crash, None).await
    }

    async fn begin(config_file: &Path, clock: Clock, crash: Crash, fixed: Option<Fixed>) -> Result<Arc<Runtime>, ApplyError> {
        let loaded = config::load(config_file)?;
        warn(&loaded);
        let start = |error: &dyn std::error::Error| ApplyError::Start(telemetry::chain(error));
        let store = match fixed {
            Some(_) => Store::open_in_passing(&loaded.config.store.url).await?,
            None => Store::open_armed(&loaded.config.store.url, crash).await?,
        };
        store.feed().keep(loaded.config.server.stream_history);
        let tls = tls::client_config().map_err(|error| start(&error))?;
        let vault = Vault::open(store.clone(), &loaded.config.secrets, clock.clone()).await.map_err(|error| start(&error))?;
        let tokens = TokenClient::new(tls.clone()).map_err(|error| start(&error))?;
        let gate = Gate::new(&loaded.config.server, &vault, &tls).map_err(|error| start(&error))?;
        let certificates = match &loaded.config.server.tls {
            Some(source) => {
                let certificates = Certificates::load(vault.clone(), source, clock.now()).await.map_err(|error| start(&error))?;
                Some(Arc::new(certificates))
            }
            None => None,
        };
        let identity = Identity::of(&loaded.config.base.join("data"));
        let telemetry = &loaded.config.telemetry;
        let export = match &fixed {
            // A rehearsal is nobody's business.
            Some(_) => Export::none(false),
            None => {
                let identity = telemetry::Identity { host: identity.name.clone(), started_at: Timestamp::now() };
                Export::start(telemetry, &identity, &vault).await.map_err(|error| start(&error))?
            }
        };
        let log_style = telemetry.log.clone();
        let (engine, random_secret) = match fixed {
            Some(Fixed { engine, random_secret }) => (engine, random_secret),
            None => {
                let cache_secret = vault.host_secret(CACHE_SECRET).await?;
                // Compiled code lives beside the database.
                let beside = || loaded.config.store.folder(&loaded.config.base).join("cache");
                let cache = loaded.config.engine.cache.clone().unwrap_or_else(beside);
                let progress = Arc::new(|line: &str| tracing::info!("{line}"));
                let engine = Engine::start(Some(cache), cache_secret, &loaded.config.engine, progress).map_err(|error| start(&error))?;
                (engine, vault.host_secret(RANDOM_SECRET).await?)
            }
        };
        let broker = Arc::new(Broker::new(vault.clone(), BTreeMap::new(), tokens, &identity.name));
        let empty = Arc::new(Present {
            revision: Arc::new(Revision::empty(&loaded.config)),
            plugins: BTreeMap::new(),
            relays: BTreeMap::new(),
            subscribers: BTreeMap::new(),
        });
        let runtime = Arc::new(Runtime {
            config_file: config_file.to_owned(),
            server: loaded.config.server.clone(),
            store_config: loaded.config.store.clone(),
            engine,
            broker,
            vault,
            builtin: Builtin::new().map_err(|error| start(&error))?,
            evaluator: Evaluator::new(mapping::Limits::default(), EVALUATIONS),
            series: Series::new(store.feed().clone()),
            counted: Counted::default(),
            streams: Arc::new(Semaphore::new(loaded.config.server.max_streams as usize)),
            metrics: Metrics::new(store.writer_figures()),
            export,
            log_style,
            due: Notify::new(),
            desk: Desk::default(),
            gathering: Gathering::default(),
            turning: Notify::new(),
            credentials: Notify::new(),
            erasing: Notify::new(),
            configured: watch::Sender::new(0),
            ended: watch::Sender::new(0),
            stopping: CancellationToken::new(),
            drained: CancellationToken::new(),
            abandon: CancellationToken::new(),
            random_secret,
            gate,
            certificates,
            identity,
            unservable: Unservable::default(),
            arrivals: Arrivals::default(),
            source_secrets: SourceSecrets::default(),
            refusals: Refusals::default(),
            readings: Readings::default(),
            nats: Connections::default(),
            tryouts: Semaphore::new(loaded.config.server.try_outs as usize),
            started_at: clock.now(),
            measured: Measured::default(),
            tls,
            present: RwLock::new(empty),
            supply: RwLock::default(),
            revisions: Mutex::default(),
            reloading: tokio::sync::Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            pressure: Pressure::new(&loaded.config.server, &loaded.config.store),
            store,
            clock,
        });
        runtime.apply(loaded, Start::AtStart, &By::host(&runtime.identity.name)).await?;
        let now = runtime.clock.now();
        // On a shared store others hold leases too: those of hosts that don't come back end by themselves.
        let former = match runtime.store.is_shared() {
            true => runtime.identity.had_former_life.then_some(Some(runtime.identity.name.as_str())),
            false => Some(None),
        };
        if let Some(owner) = former {
            // What it had asked a vendor for will not come any more.
            runtime.store.credential_release(owner).await?;
            let released = runtime.store.release(owner, now).await?;
            if released > 0 {
                tracing::info!(runs = released, "runs that were under way when the host stopped go on");
            }
        }
        // What waited for a credential may find it mended: the configuration has just been read anew.
        runtime.store.wake("credential", now).await?;
        Ok(runtime)
    }

    /// Applies the configuration file as it is now, or refuses it whole.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn reload(&self, by: &By) -> Result<Applied, ApplyError> {
        let _one_at_a_time = self.reloading.lock().await;
        let loaded = config::load(&self.config_file)?;
        warn(&loaded);
        let certificates = self.prepare_certificates(&loaded).await?;
        let applied = self.apply(loaded, Start::Reload, by).await?;
        if let Some((certificates, prepared)) = certificates {
            certificates.install(prepared);
        }
        self.store.wake("credential", self.clock.now()).await?;
        self.due.notify_one();
        Ok(applied)
    }

    /// The certificate that the file names now, judged but not shown yet: nothing of a file is applied unless all of it can be.
    async fn prepare_certificates(&self, loaded: &Loaded) -> Result<Option<(&Certificates, Prepared)>, ApplyError> {
        let (Some(certificates), Some(source)) = (&self.certificates, &loaded.config.server.tls) else {
            if self.certificates.is_some() != loaded.config.server.tls.is_some() {
                tracing::warn!("[server.tls] came or went; like the rest of [server] that counts after a restart");
            }
            return Ok(None);
        };
        let prepared = certificates.prepare(source, self.clock.now()).await;
        let prepared = prepared.map_err(|error| ApplyError::Start(telemetry::chain(&error)))?;
        Ok(Some((certificates, prepared)))
    }

    /// Takes over a revision that another host on the store has applied.
    ///
    /// # Errors
    /// [`ApplyError::Revision`] when it can't run here: then the present one stays, and its own runs are left to hosts that can serve them.
    pub async fn follow(&self) -> Result<(), ApplyError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let _one_at_a_time = self.reloading.lock().await;
        let latest = self.store.latest_revision().await?;
        if latest <= self.present().revision.number {
            return Ok(());
        }
        let revision = self.stored_revision(latest, &self.supply()).await?;
        self.install(revision).await?;
        tracing::info!(revision = latest, "took over the configuration that another host applied");
        self.due.notify_one();
        Ok(())
    }

    /// What is configured now.
    pub fn present(&self) -> Arc<Present> {
        self.present.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// The configuration that a run was accepted on.
    pub async fn revision(&self, number: i64) -> Result<Arc<Revision>, ApplyError> {
        let present = self.present();
        if present.revision.number == number {
            return Ok(present.revision.clone());
        }
        let known = self.revisions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&number).cloned();
        if let Some(revision) = known {
            return Ok(revision);
        }
        // One at a time: a backlog on an earlier revision asks for it many times at once.
        let _one_at_a_time = self.loading.lock().await;
        let known = self.revisions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&number).cloned();
        if let Some(revision) = known {
            return Ok(revision);
        }
        let revision = Arc::new(self.stored_revision(number, &self.supply()).await?);
        let mut revisions = self.revisions.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Each holds components and perhaps instances: the oldest make room, and are loaded again if they are asked for.
        while revisions.len() >= MAX_REVISIONS {
            revisions.pop_first();
        }
        revisions.insert(number, revision.clone());
        Ok(revision)
    }

    async fn apply(&self, loaded: Loaded, when: Start, by: &By) -> Result<Applied, ApplyError> {
        let supply = Arc::new(Supply::of(&loaded)?);
        let progress: Progress = Arc::new(|what: &str, bytes: u64| tracing::info!(bytes, "{what}"));
        let sources = Sources::new(&loaded.config, Some(self.vault.clone()), progress);
        let components = revision::fetch(&loaded, &sources, &supply).await?;
        let revision = revision::build(&self.engine, &loaded, components, Some(&supply)).await?;
        let digest = revision.digest(&loaded);
        let latest = self.store.revision(None).await?;
        let number = match latest {
            Some(latest) if latest.digest == digest => latest.number,
            Some(latest) if when == Start::AtStart && self.store.revision_with(&digest).await?.is_some() => {
                tracing::warn!(
                    revision = latest.number,
                    "the configuration file is an earlier revision; the host runs the latest one (`POST /v1/reload` goes back to the file)"
                );
                let revision = self.stored_revision(latest.number, &supply).await?;
                self.install(revision).await?;
                self.set_supply(supply);
                return Ok(Applied { number: latest.number, warnings: Vec::new() });
            }
            _ => {
                let components = revision.component_digests();
                let bytes = revision.component_bytes();
                let content = loaded.revision_content().to_string();
                let act = by.did(Action::ConfigurationApplied, self.config_file.display().to_string());
                let number = self.store.revise(content, digest, components, bytes, act, self.clock.now()).await?;
                self.store.crash().at(Point::Revised);
                number
            }
        };
        let warnings = revision.warnings.clone();
        self.install(Revision { number, ..revision }).await?;
        self.set_supply(supply);
        Ok(Applied { number, warnings })
    }

    fn supply(&self) -> Arc<Supply> {
        self.supply.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn set_supply(&self, supply: Arc<Supply>) {
        // Earlier revisions are judged anew: a key may be revoked that signed something of them.
        self.revisions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        *self.supply.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = supply;
    }

    async fn install(&self, revision: Revision) -> Result<(), ApplyError> {
        let mut plugins = BTreeMap::new();
        let mut trials = self.trials(&revision.plugins).await?;
        let before = self.present();
        for (name, plugin) in &revision.config.plugins {
            let known = before.plugins.get(name).map(|known| &*known.outbound);
            let tls = match plugin.grants.authorities.as_slice() {
                [] => self.tls.clone(),
                own => tls::client_config_trusting(own).map_err(|error| ApplyError::Start(telemetry::chain(&error)))?,
            };
            let outbound = Outbound::new(plugin, self.broker.clone(), tls, &self.store, known)
                .map_err(|error| ApplyError::Start(telemetry::chain(&error)))?;
            let slots = Arc::new(Semaphore::new(plugin.concurrency as usize));
            let used = before.plugins.get(name).map(|known| known.used.clone()).unwrap_or_default();
            let present = PresentPlugin { config: plugin.clone(), outbound: Arc::new(outbound), slots, canary: trials.remove(name), used };
            plugins.insert(name.clone(), Arc::new(present));
        }
        let mut relays = BTreeMap::new();
        for (name, relay) in &revision.config.mail {
            let known = before.relays.get(name).map(|known| &**known);
            let relay = Relay::new(relay.clone(), self.broker.clone(), &self.store, known)
                .map_err(|error| ApplyError::Start(telemetry::chain(&error)))?;
            relays.insert(name.clone(), Arc::new(relay));
        }
        let mut subscribers = BTreeMap::new();
        for (name, config) in &revision.config.webhooks {
            // Connections that are open stay so where nothing has changed.
            let known = before.subscribers.get(name).filter(|known| known.config == *config);
            let present = match known {
                Some(known) => known.clone(),
                None => Arc::new(PresentSubscriber { config: config.clone(), poster: self.poster(config)? }),
            };
            subscribers.insert(name.clone(), present);
        }
        self.broker.replace(revision.config.credentials.clone());
        self.nats.keep(&revision.config);
        for plugin in revision.plugins.values().flat_map(|plugin| [Some(plugin), plugin.canary.as_ref()]).flatten() {
            // One that keeps its instances has them ready from its first call on.
            if plugin.config.instances == Instances::PerCall {
                self.engine.keep_ahead(&plugin.code, &plugin.config.limits, plugin.config.ahead);
            }
        }
        let revision = Arc::new(revision);
        // Runs that are under way on another revision hold it; new ones load it again.
        self.revisions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        let number = revision.number;
        *self.present.write().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Arc::new(Present { revision, plugins, relays, subscribers });
        self.configured.send_replace(number);
        Ok(())
    }

    fn poster(&self, subscriber: &config::Subscriber) -> Result<Poster, ApplyError> {
        let start = |error: &dyn std::error::Error| ApplyError::Start(telemetry::chain(error));
        let tls = match subscriber.authorities.as_slice() {
            [] => self.tls.clone(),
            own => tls::client_config_trusting(own).map_err(|error| start(&error))?,
        };
        Poster::new(tls, subscriber.private_addresses.clone()).map_err(|error| start(&error))
    }

    async fn stored_revision(&self, number: i64, supply: &Supply) -> Result<Revision, ApplyError> {
        let failed = |why: String| ApplyError::Revision { number, why };
        let row = self.store.revision(Some(number)).await?.ok_or_else(|| failed("it is not in the store".to_owned()))?;
        let content = serde_json::from_str(&row.content).map_err(|error| failed(error.to_string()))?;
        let base = self.present().revision.config.base.clone();
        let loaded = config::parse_revision(&content, &base, &Outside::process()).map_err(|problems| failed(problems.to_string()))?;
        let digests: BTreeMap<String, String> = serde_json::from_str(&row.components).map_err(|error| failed(error.to_string()))?;
        let mut components = BTreeMap::new();
        for (plugin, digest) in digests {
            let bytes = self.store.component(&digest).await?.ok_or_else(|| failed(format!("component {digest} is not in the store")))?;
            let component = Component::new(bytes).map_err(|error| failed(telemetry::chain(&error)))?;
            if component.digest != digest {
                return Err(failed(format!("what the store has as component {digest} is another one ({})", component.digest)));
            }
            supply.trusted(&loaded.config, &plugin, &component).map_err(|error| failed(format!("plugin {plugin}: {error}")))?;
            components.insert(plugin, component);
        }
        let revision = revision::build(&self.engine, &loaded, components, None).await.map_err(|error| failed(error.to_string()))?;
        Ok(Revision { number, ..revision })
    }
}

/// When a configuration is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// The host starts: a file that is an earlier revision does not undo a later one.
    AtStart,
    /// Somebody asked for it.
    Reload,
}

fn warn(loaded: &Loaded) {
    for problem in &loaded.warnings {
        tracing::warn!(file = loaded.file, line = problem.line, "{}", problem.message);
    }
}
