//! The crash campaign: hosts under load are killed at random instants and restarted at once, and what arrived at the sink is compared
//! with what was accepted.
//!
//! A seed fixes the schedule: what each sender sends, which faults the sink commits, whom the killers kill after how long. What
//! meets what in the end is the machine's doing, so a seed brings back the circumstances of a failure and not the failure itself.

mod faults;
mod hosts;
mod ledger;
mod load;
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sangam_saas::{Stand, sink::Sink};
use tokio_util::sync::CancellationToken;

use crate::host::{HostFolder, TestStore};
use crate::postgres::Database;
use hosts::Hosts;
use ledger::Ledger;
pub use report::Report;

/// Kills between two lines of progress.
const PROGRESS: u32 = 25;
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// How long nothing may move before what is missing counts as lost: longer than a lease of a host that is gone.
const STANDSTILL: Duration = Duration::from_secs(90);

/// What to do.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Kills of hosts, over all of them.
    pub kills: u32,
    /// Of the schedule.
    pub seed: u64,
    /// Under the hosts.
    pub store: TestStore,
    /// Hosts on that store; more than one needs PostgreSQL.
    pub hosts: usize,
    /// Whether the database is killed now and then.
    pub kill_database: bool,
    /// Whether lines of progress are printed.
    pub progress: bool,
}

/// What all tasks of a campaign hold together.
struct Field {
    sink: Arc<Sink>,
    /// The sink's origin.
    url: String,
    ledger: Ledger,
    hosts: Hosts,
    /// Senders end with what they have begun, faults cease.
    calm: CancellationToken,
}

impl Campaign {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When something can't be started; what is lost or doubled is in the report.
    pub async fn run(&self) -> anyhow::Result<Report> {
        let began = Instant::now();
        let sink = Arc::new(Sink::new());
        let stand = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sink.clone()).await?;
        let configuration = load::configuration(&stand.url());
        let folder = match self.kill_database {
            true => HostFolder::in_database(Database::alone()?, &configuration)?,
            false => HostFolder::on(self.store, &configuration)?,
        };
        let hosts = Hosts::start(folder, self.hosts).await?;
        let field = Arc::new(Field { sink, url: stand.url(), ledger: Ledger::default(), hosts, calm: CancellationToken::new() });
        let mut seeds = fastrand::Rng::with_seed(self.seed);
        let mut load = tokio::task::JoinSet::new();
        for sender in 0..load::SENDERS {
            load.spawn(load::send(field.clone(), sender, seeds.fork()));
        }
        load.spawn(load::replay_the_dead(field.clone(), seeds.fork()));
        let faults = faults::commit(&stand, &field, seeds.fork());
        let killing = self.kill(&field, &mut seeds, began);
        let (killed, ()) = tokio::join!(
            async {
                let killed = killing.await;
                field.calm.cancel();
                killed
            },
            faults
        );
        let killed = killed?;
        while let Some(sender) = load.join_next().await {
            sender.context("a sender")??;
        }
        let dead = drain(&field).await?;
        let counters = load::counters(&field).await;
        let mut report = field.ledger.compare(&field.sink.paths(), counters.as_ref().unwrap_or(&Default::default()));
        report.wrong_counters.extend(counters.err().map(|error| format!("{error:#}")));
        report.dead = dead;
        report.repeated = field.sink.repeated();
        report.kills = killed.hosts;
        report.database_kills = killed.database;
        report.seconds = began.elapsed().as_secs();
        report.seed = self.seed;
        if !report.is_right() {
            report.kept = Arc::into_inner(field).map(|field| field.hosts.keep());
        }
        Ok(report)
    }

    /// Kills until it is enough; each host has a killer of its own.
    async fn kill(&self, field: &Arc<Field>, seeds: &mut fastrand::Rng, began: Instant) -> anyhow::Result<Killed> {
        let mut killers = tokio::task::JoinSet::new();
        let count = u32::try_from(self.hosts).unwrap_or(u32::MAX);
        for host in 0..self.hosts {
            let share = self.kills / count + u32::from(host < (self.kills % count) as usize);
            let (field, rng, progress) = (field.clone(), seeds.fork(), self.progress);
            killers.spawn(async move {
                field
                    .hosts
                    .kill_again_and_again(host, share, rng, |kills| {
                        if progress && kills % PROGRESS == 0 {
                            let (accepted, seen) = (field.ledger.accepted(), field.sink.count());
                            println!(
                                "{kills:>6} kills {accepted:>8} events accepted {seen:>8} effects seen {:>6} s",
                                began.elapsed().as_secs()
                            );
                        }
                    })
                    .await
            });
        }
        let enough = CancellationToken::new();
        let database = tokio::spawn(hosts::kill_database(field.clone(), self.kill_database, seeds.fork(), enough.clone()));
        let mut done = Ok(());
        while let Some(killer) = killers.join_next().await {
            done = done.and(killer.context("a killer")?);
        }
        enough.cancel();
        let database = database.await.context("the killer of the database")??;
        done?;
        Ok(Killed { hosts: field.hosts.kills(), database })
    }
}

/// How often what was killed.
struct Killed {
    hosts: u32,
    database: u32,
}

/// Waits until every run has ended and no dead letter is left, or nothing moves any more. Gives the dead letters.
async fn drain(field: &Field) -> anyhow::Result<usize> {
    let mut seen = 0;
    let mut moved = Instant::now();
    loop {
        let client = field.hosts.any();
        let replayed = load::replay_once(&client).await;
        let dead =
            client.get("/v1/dead-letters?limit=500").await.ok().and_then(|answer| answer.json["dead_letters"].as_array().map(Vec::len));
        let mut open = false;
        for status in ["running", "pending", "waiting"] {
            let answer = client.get(&format!("/v1/events?status={status}&limit=1")).await;
            open |= answer.ok().is_none_or(|answer| answer.json["events"].as_array().is_none_or(|events| !events.is_empty()));
        }
        if !open && replayed && dead == Some(0) && field.ledger.outstanding(field.sink.count()) == 0 {
            return Ok(0);
        }
        if field.sink.count() != seen {
            (seen, moved) = (field.sink.count(), Instant::now());
        }
        if moved.elapsed() > STANDSTILL {
            return Ok(dead.unwrap_or(usize::MAX));
        }
        tokio::time::sleep(LOOK).await;
    }
}
