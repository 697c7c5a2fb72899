//! One running host: its parts, and what is configured now.

mod apply;
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
mod present;
mod pressure;
mod readings;
mod refusals;
mod rehearsal;
mod reload;
mod retention;
mod revision;
mod revisions;
mod share;
mod signing_keys;
mod source_secrets;
mod start;
mod subscribers;
mod traced;

pub use apply::{Applied, ApplyError};
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
pub use present::{Present, PresentPlugin, PresentSubscriber};
pub use pressure::{Admission, Pressed, Pressure, Reservation};
pub use readings::Readings;
pub use refusals::{Refusals, Tally};
pub use rehearsal::Fixed;
pub use revision::{ActionSchemas, BuildError, LoadedPlugin, Revision, WrittenRoute};
pub use signing_keys::SigningKeys;
pub use source_secrets::SourceSecrets;
pub use start::CodeKept;
pub use traced::{Came, EndedRun, came_with, trace_of_event};

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use self::revisions::Revisions;
use crate::access::Gate;
use crate::builtin::Builtin;
use crate::clock::Clock;
use crate::config;
use crate::credentials::{Broker, Vault};
use crate::engine::Engine;
use crate::event::Eids;
use crate::live::Series;
use crate::mapping::Evaluator;
use crate::nats::Connections;
use crate::registry::Supply;
use crate::server::Certificates;
use crate::store::Store;
use crate::telemetry::{Export, Metrics};

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
    /// Gives events their eids.
    pub eids: Eids,
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
    /// Places for what sources bring while it waits for steps that are writing.
    pub echoes: Semaphore,
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
    revisions: Revisions,
    reloading: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Runtime").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}
