//! `sangam up`.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArg, Failure};
use crate::api;
use crate::audit::{Action, By};
use crate::clock::{self, Clock};
use crate::config;
use crate::crash::Crash;
use crate::credentials::VaultError;
use crate::ingress;
use crate::runtime::{self, ApplyError, CodeKept, Runtime, SigningKeys};
use crate::server;
use crate::store::StoreError;
use crate::telemetry::LogFacts;
use crate::{telemetry, worker};

/// How often changed secrets behind credentials are looked for.
const RECHECK: Duration = Duration::from_secs(5);
/// How often what is over is pruned.
const PRUNE: Duration = Duration::from_secs(60);
/// How often erasures are looked for that can go on.
const ERASE: Duration = Duration::from_secs(1);
/// How often runs are looked for that wait for a decision that was made.
const DECIDED: Duration = Duration::from_secs(30);

/// How often it is put on record who was shown personal data: whoever looks all day has one entry each time.
const READINGS: Duration = Duration::from_secs(60);
/// How often it is written down who was let in.
const USES: Duration = Duration::from_secs(30);
/// How often tokens and certificates are looked for that end soon.
const EXPIRIES: Duration = Duration::from_secs(24 * 3600);
/// How long before their end they are warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Runs the host. Prints one line, `listening on http://ADDR` (or https), when it is ready. SIGTERM and SIGINT let it finish and exit 0; SIGHUP
/// applies the configuration file again.
#[derive(Debug, clap::Args)]
pub(super) struct Up {
    #[command(flatten)]
    config: ConfigArg,
    /// Keep compiled code in the user's cache, as tools do (SANGAM_CACHE), rather than beside the store: for hosts that are made anew again and again, such as
    /// those of tests. Whoever can write as this user can have the host run code of theirs
    #[arg(long)]
    shared_cache: bool,
}

impl Up {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let log = telemetry::start_log();
        let crash = Crash::from_environment().map_err(|unknown| Failure::Usage(unknown.to_string()))?;
        let code = if self.shared_cache { CodeKept::WithTheUser } else { CodeKept::BesideTheStore };
        let runtime = Runtime::start(&self.config.config, clock()?, crash, code).await.map_err(start_failure)?;
        let facts = LogFacts { host: runtime.identity.name.clone(), revision: runtime.configured.subscribe() };
        let sink = log.configure(&runtime.log_style, facts);
        runtime.export.lead(&sink);
        let measured = runtime.clone();
        runtime.export.send_metrics(move || {
            let runtime = measured.clone();
            async move { runtime.metrics_text().await.ok() }
        });
        server::allow_many_files();
        let listener = tokio::net::TcpListener::bind(runtime.server.listen)
            .await
            .map_err(|error| Failure::failed(format!("can't listen on {}: {error} (server.listen)", runtime.server.listen)))?;
        let address = listener.local_addr().map_err(Failure::failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(Failure::failed)?;
        // Before the first call of a plugin, which may be told one of them. A command that gives one may take its time, and is asked again.
        let mut signing = SigningKeys::default();
        let _ = tokio::time::timeout(RECHECK, signing.follow(&runtime)).await;
        let worker = tokio::spawn(worker::work(runtime.clone()));
        let upkeep = tokio::spawn(upkeep(runtime.clone()));
        let tidy = tokio::spawn(tidy(runtime.clone()));
        let credentials = tokio::spawn(credentials(runtime.clone(), signing));
        let erasing = tokio::spawn(erasing(runtime.clone()));
        let peers = tokio::spawn(runtime::hear(runtime.clone()));
        let counting = tokio::spawn(runtime::count(runtime.clone()));
        let sources = tokio::spawn(ingress::tend(runtime.clone()));
        let turns = tokio::spawn(ingress::have_turns(runtime.clone()));
        // Until everything is drained the host answers: that it is not ready, and what becomes of its runs.
        let drained = runtime.drained.clone();
        let (connections, certificates) = (runtime.server.connections.clone(), runtime.certificates.clone());
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let server = tokio::spawn(server::serve(listener, api::router(runtime.clone()), connections, certificates, drained));
        on_record(&runtime, Action::HostStarted).await;
        // Scripts wait for this line.
        println!("listening on {scheme}://{address}");
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => match runtime.reload(&By::host(&runtime.identity.name)).await {
                    Ok(applied) => tracing::info!(revision = applied.number, "the configuration file was applied"),
                    Err(error) => tracing::error!(error = telemetry::chain(&error), "the configuration file is refused; the present one stays"),
                },
            }
        }
        tracing::info!(grace = ?runtime.server.shutdown_grace, "stopping: nothing new begins, what is under way may finish");
        runtime.stopping.cancel();
        sources.await.map_err(Failure::failed)?;
        turns.await.map_err(Failure::failed)?;
        worker.await.map_err(Failure::failed)?;
        upkeep.await.map_err(Failure::failed)?;
        tidy.await.map_err(Failure::failed)?;
        credentials.await.map_err(Failure::failed)?;
        erasing.await.map_err(Failure::failed)?;
        peers.await.map_err(Failure::failed)?;
        counting.await.map_err(Failure::failed)?;
        runtime.drained.cancel();
        write_down(&runtime).await;
        // Answers that are still being written get no longer than that.
        let _ = tokio::time::timeout(Duration::from_secs(2), server).await;
        runtime.broker.close().await;
        // Of the last seconds, too: nobody is answered any more.
        record_refusals(&runtime).await;
        record_readings(&runtime).await;
        on_record(&runtime, Action::HostStopped).await;
        tracing::info!("stopped");
        runtime.export.lead_nowhere(&sink);
        runtime.export.close(runtime.server.shutdown_grace).await;
        runtime.store.clone().close().await;
        Ok(())
    }
}

/// A host that begins or ends says so in the audit log. That it can't is no reason not to serve.
async fn on_record(runtime: &Runtime, action: Action) {
    let by = By::host(&runtime.identity.name);
    let act = by
        .did(action, runtime.identity.name.as_str())
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("revision", runtime.present().revision.number);
    if let Err(error) = runtime.store.audit(act, runtime.clock.now()).await {
        tracing::error!(error = telemetry::chain(&error), action = action.as_str(), "the audit log could not be written");
    }
}

/// The system's clock, or as far ahead of it as a tester wants.
pub(super) fn clock() -> Result<Clock, Failure> {
    let Some(text) = std::env::var_os(clock::AHEAD) else { return Ok(Clock::system()) };
    let text = text.to_string_lossy();
    let by = config::parse_duration(&text).map_err(|error| Failure::Usage(format!("{}={text:?}: {error}", clock::AHEAD)))?;
    tracing::warn!(ahead = %text, "this host's clock is ahead of time, for a test");
    Ok(Clock::ahead(by))
}

fn start_failure(error: ApplyError) -> Failure {
    match error {
        ApplyError::Problems(problems) => Failure::Usage(problems.to_string()),
        ApplyError::Store(error @ StoreError::Locked(_)) => Failure::Failed(error.to_string()),
        error => Failure::error(&error),
    }
}

/// What has to be done from time to time.
async fn upkeep(runtime: std::sync::Arc<Runtime>) {
    let mut recheck = tokio::time::interval(RECHECK);
    let mut decided = tokio::time::interval(DECIDED);
    let mut uses = tokio::time::interval(USES);
    let mut expiries = tokio::time::interval(EXPIRIES);
    let mut readings = tokio::time::interval(READINGS);
    let mut changes = runtime.broker.changes();
    loop {
        tokio::select! {
            () = runtime.stopping.cancelled() => return,
            _ = recheck.tick() => renew_certificate(&runtime).await,
            _ = uses.tick() => write_down(&runtime).await,
            _ = readings.tick() => record_readings(&runtime).await,
            _ = expiries.tick() => warn_of_expiries(&runtime).await,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                if let Err(error) = runtime.store.wake("credential", runtime.clock.now()).await {
                    tracing::error!(error = telemetry::chain(&error), "runs that wait for a credential could not be woken");
                }
                runtime.due.notify_one();
            }
            _ = decided.tick() => {
                if let Err(error) = runtime.store.wake_decided(runtime.clock.now()).await {
                    tracing::error!(error = telemetry::chain(&error), "runs that were decided could not be woken");
                }
                runtime.due.notify_one();
            }
        }
    }
}

/// Takes up a key that was changed. A host that can't get it says so once, and goes on with what it has in memory.
async fn follow_key(runtime: &Runtime, astray: &mut bool) {
    let followed = runtime.vault.follow().await;
    let error = followed.err().filter(|error| !matches!(error, VaultError::Store(_)));
    if let Some(error) = error.as_ref().filter(|_| !*astray) {
        tracing::error!(
            error = telemetry::chain(error),
            "the sealing key was changed, and this host has not got the new one: give it that and restart it"
        );
    }
    *astray = error.is_some();
}

/// Shows a certificate that was renewed.
async fn renew_certificate(runtime: &Runtime) {
    let Some(certificates) = &runtime.certificates else { return };
    match certificates.recheck(runtime.clock.now()).await {
        Ok(true) => tracing::info!(ends_at = %certificates.ends_at(), "new connections are shown the renewed certificate"),
        Ok(false) => {}
        Err(error) => tracing::error!(error = telemetry::chain(&error), "the changed certificate can't be used; the present one stays"),
    }
}

/// Writes down who was let in.
async fn write_down(runtime: &Runtime) {
    let idle = runtime.server.oidc.as_ref().map(|oidc| oidc.session_idle);
    if let Err(error) = runtime.gate.write_down(&runtime.store, idle, runtime.clock.now()).await {
        tracing::warn!(error = telemetry::chain(&error), "it could not be written down when tokens were last used");
    }
}

/// Warns of what stops working soon.
async fn warn_of_expiries(runtime: &Runtime) {
    let now = runtime.clock.now();
    let is_soon = |at: jiff::Timestamp| at.duration_since(now) < SOON;
    if let Some(ends_at) = runtime.certificates.as_ref().map(|certificates| certificates.ends_at()).filter(|at| is_soon(*at)) {
        tracing::warn!(%ends_at, "the certificate ends soon: renew it");
    }
    match runtime.store.token_list().await {
        Ok(tokens) => {
            for token in tokens {
                if let Some(at) = token.expires_at.filter(|at| token.revoked_at.is_none() && *at > now && is_soon(*at)) {
                    tracing::warn!(id = token.id, name = token.name, expires_at = %at, "an API token expires soon: make its bearer a new one");
                }
            }
        }
        Err(error) => tracing::warn!(error = telemetry::chain(&error), "it can't be told which tokens expire soon"),
    }
}

/// Keeps credentials well, and tells of those that turned: each on its own, since a vendor may take a while.
async fn credentials(runtime: std::sync::Arc<Runtime>, signing: SigningKeys) {
    tokio::select! {
        () = runtime.stopping.cancelled() => {}
        () = look_after_credentials(&runtime, signing) => {}
        () = tell_of_credentials(&runtime) => {}
    }
}

/// Looks whether they have changed, and renews them before anybody waits for them.
async fn look_after_credentials(runtime: &Runtime, mut signing: SigningKeys) {
    let mut look = tokio::time::interval(RECHECK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut configured = runtime.configured.subscribe();
    let mut astray = false;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = runtime.credentials.notified() => {}
            // The runtime keeps the sender.
            _ = configured.changed() => {}
        }
        follow_key(runtime, &mut astray).await;
        signing.follow(runtime).await;
        runtime.broker.recheck().await;
        runtime.broker.tend().await;
    }
}

async fn tell_of_credentials(runtime: &Runtime) {
    let mut look = tokio::time::interval(RECHECK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changes = runtime.broker.changes();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = runtime.broker.until_broken() => {}
            // The broker lives as long as the runtime.
            _ = changes.changed() => {}
        }
        runtime::tell(runtime).await;
        record_refusals(runtime).await;
    }
}

/// Puts on record what was refused.
async fn record_refusals(runtime: &Runtime) {
    if let Err(error) = runtime.record_refusals().await {
        tracing::error!(error = telemetry::chain(&error), "refused requests could not be put on record");
    }
}

/// Puts on record who was shown personal data.
async fn record_readings(runtime: &Runtime) {
    if let Err(error) = runtime.record_readings().await {
        tracing::error!(error = telemetry::chain(&error), "readings of personal data could not be put on record");
    }
}

/// Goes on with erasures: when one is asked for, and when what they wait for may be over.
async fn erasing(runtime: std::sync::Arc<Runtime>) {
    let mut look = tokio::time::interval(ERASE);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = runtime.stopping.cancelled() => return,
            _ = look.tick() => {}
            () = runtime.erasing.notified() => {}
        }
        if let Err(error) = runtime.erase().await {
            tracing::error!(error = telemetry::chain(&error), "an erasure could not go on; it will");
        }
    }
}

/// Removes what is over from time to time: on its own, since a pass may take a while.
async fn tidy(runtime: std::sync::Arc<Runtime>) {
    let mut prune = tokio::time::interval(PRUNE);
    prune.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = runtime.stopping.cancelled() => return,
            _ = prune.tick() => {
                if let Err(error) = runtime.prune().await {
                    tracing::error!(error = telemetry::chain(&error), "what is over could not be pruned");
                }
            }
        }
    }
}
