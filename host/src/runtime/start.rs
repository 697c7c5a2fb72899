//! How a host starts: its parts are put together, its file is applied, and what it had under way before goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::apply::{When, warn};
use super::revisions::Revisions;
use super::{
    ApplyError, Arrivals, Counted, Desk, Fixed, Gathering, Identity, Measured, Present, Pressure, Readings, Refusals, Runtime,
    SourceSecrets, Unservable,
};
use crate::access::Gate;
use crate::audit::By;
use crate::builtin::Builtin;
use crate::clock::Clock;
use crate::config;
use crate::crash::Crash;
use crate::credentials::{Broker, TokenClient, Vault};
use crate::engine::{self, Engine};
use crate::event::Eids;
use crate::live::Series;
use crate::mapping::{self, Evaluator};
use crate::nats::Connections;
use crate::server::Certificates;
use crate::store::{Store, StoreError};
use crate::telemetry::{self, Export, Metrics};
use crate::tls;

/// Evaluations of expressions at the same time.
const EVALUATIONS: usize = 8;
/// Readings of sources that wait at once until steps which are writing are settled. A waiting delivery has a place among the requests in hand and asks the
/// store again and again: a step that hangs must keep out neither events nor other sources.
const ECHOES: usize = 64;
/// Name of the store's secret that clocks and random numbers of plugins derive from.
const RANDOM_SECRET: &str = "random-secret";
/// Name of the store's secret that authenticates compiled code.
const CACHE_SECRET: &str = "cache-secret";

/// Where a host keeps compiled code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKept {
    /// Where its configuration says, else beside its store, under a secret that the store has.
    BesideTheStore,
    /// In the user's cache, which tools share, under the key that lies there.
    WithTheUser,
}

impl Runtime {
    /// Opens the store, starts the engine, and applies the configuration file. In a box, as [`crate::cli::run`] is.
    pub fn start(config_file: &Path, clock: Clock, crash: Crash, code: CodeKept) -> BoxFuture<'_, Result<Arc<Runtime>, ApplyError>> {
        Box::pin(Runtime::begin(config_file, clock, crash, code, None))
    }

    /// The same for a host that rehearses, if something is `fixed`.
    pub(super) async fn begin(
        config_file: &Path,
        clock: Clock,
        crash: Crash,
        code: CodeKept,
        fixed: Option<Fixed>,
    ) -> Result<Arc<Runtime>, ApplyError> {
        let loaded = config::load(config_file)?;
        warn(&loaded);
        let store = match fixed {
            Some(_) => Store::open_in_passing(&loaded.config.store.url).await?,
            None => Store::open_armed(&loaded.config.store.url, crash).await?,
        };
        store.feed().keep(loaded.config.server.stream_history);
        let tls = tls::client_config().map_err(ApplyError::start)?;
        let vault = Vault::open(store.clone(), &loaded.config.secrets, clock.clone()).await.map_err(ApplyError::start)?;
        let tokens = TokenClient::new(tls.clone()).map_err(ApplyError::start)?;
        let gate = Gate::new(&loaded.config.server, &vault, &tls).map_err(ApplyError::start)?;
        let certificates = match &loaded.config.server.tls {
            Some(source) => {
                let certificates = Certificates::load(vault.clone(), source, clock.now()).await.map_err(ApplyError::start)?;
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
                Export::start(telemetry, &identity, &vault).await.map_err(ApplyError::start)?
            }
        };
        let log_style = telemetry.log.clone();
        let (engine, random_secret) = match fixed {
            Some(Fixed { engine, random_secret }) => (engine, random_secret),
            None => {
                let cache_secret = vault.host_secret(CACHE_SECRET).await?;
                let beside = || loaded.config.store.folder(&loaded.config.base).join("cache");
                let (cache, cache_secret) = match code {
                    CodeKept::BesideTheStore => (loaded.config.engine.cache.clone().unwrap_or_else(beside), cache_secret),
                    CodeKept::WithTheUser => engine::cache_of_the_user().map_err(ApplyError::start)?,
                };
                let progress = Arc::new(|line: &str| tracing::info!("{line}"));
                let engine = Engine::start(Some(cache), cache_secret, &loaded.config.engine, progress).map_err(ApplyError::start)?;
                (engine, vault.host_secret(RANDOM_SECRET).await?)
            }
        };
        let broker = Arc::new(Broker::new(vault.clone(), BTreeMap::new(), tokens, &identity.name));
        let runtime = Arc::new(Runtime {
            config_file: config_file.to_owned(),
            server: loaded.config.server.clone(),
            store_config: loaded.config.store.clone(),
            engine,
            broker,
            vault,
            builtin: Builtin::new().map_err(ApplyError::start)?,
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
            echoes: Semaphore::new(ECHOES),
            tryouts: Semaphore::new(loaded.config.server.try_outs as usize),
            eids: Eids::default(),
            started_at: clock.now(),
            measured: Measured::default(),
            tls,
            present: RwLock::new(Arc::new(Present::empty(&loaded.config))),
            supply: RwLock::default(),
            revisions: Revisions::default(),
            reloading: tokio::sync::Mutex::default(),
            pressure: Pressure::new(&loaded.config.server, &loaded.config.store),
            store,
            clock,
        });
        runtime.apply(loaded, When::AtStart, &By::host(&runtime.identity.name)).await?;
        runtime.take_up().await?;
        Ok(runtime)
    }

    /// What was under way when this host stopped goes on.
    async fn take_up(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        // On a shared store others hold leases too: those of hosts that don't come back end by themselves.
        let former = match self.store.is_shared() {
            true => self.identity.had_former_life.then_some(Some(self.identity.name.as_str())),
            false => Some(None),
        };
        if let Some(owner) = former {
            // What it had asked a vendor for will not come any more.
            self.store.credential_release(owner).await?;
            let released = self.store.release(owner, now).await?;
            if released > 0 {
                tracing::info!(runs = released, "runs that were under way when the host stopped go on");
            }
        }
        // What waited for a credential may find it mended: the configuration has just been read anew.
        self.store.wake("credential", now).await?;
        Ok(())
    }
}
