//! The hosts, killed and started again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::Field;
use crate::client::Client;
use crate::host::{Host, HostFolder};

/// How long a host lives once it is ready, in milliseconds.
const LIFE: std::ops::Range<u64> = 20..400;
/// The same on a shared store, where what a killed host had under way is taken over when its leases end, a second later.
const SHARED_LIFE: std::ops::Range<u64> = 20..2_000;
/// Now and then a life is longer, so that work gets done between the crashes however busy the machine is.
const LONG_LIFE: std::ops::Range<u64> = 1_000..2_500;
/// One life in so many.
const LONG: u8 = 8;
/// How long the database lives.
const DATABASE_LIFE: std::ops::Range<u64> = 1_000..5_000;
/// How long the database stays away.
const DATABASE_AWAY: std::ops::Range<u64> = 0..1_500;
/// A host that does not start while its database is away is started again for that long.
const START: Duration = Duration::from_secs(60);
/// Pause between two such starts.
const PAUSE: Duration = Duration::from_millis(50);

/// Hosts of one folder, all on its store.
pub(super) struct Hosts {
    folder: HostFolder,
    /// The present life of each, unless it is being started.
    lives: Vec<tokio::sync::Mutex<Option<Host>>>,
    clients: Mutex<Vec<Client>>,
    kills: AtomicU32,
}

impl Hosts {
    /// Starts them one after another: the first makes what all share.
    pub(super) async fn start(folder: HostFolder, count: usize) -> anyhow::Result<Hosts> {
        let (mut lives, mut clients) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let host = folder.start().await?;
            clients.push(host.client.clone());
            lives.push(tokio::sync::Mutex::new(Some(host)));
        }
        Ok(Hosts { folder, lives, clients: Mutex::new(clients), kills: AtomicU32::new(0) })
    }

    /// Ends all of them; their folder stays, to be looked into.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// A client of one of them; which may be dead.
    pub(super) fn of(&self, which: usize) -> Client {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients[which % clients.len()].clone()
    }

    /// A client of the first.
    pub(super) fn any(&self) -> Client {
        self.of(0)
    }

    pub(super) fn kills(&self) -> u32 {
        self.kills.load(Ordering::Relaxed)
    }

    /// Kills one and starts it again, so many times; it lives at the end.
    pub(super) async fn kill_again_and_again(
        &self,
        which: usize,
        times: u32,
        mut rng: fastrand::Rng,
        killed: impl Fn(u32),
    ) -> anyhow::Result<()> {
        let life = if self.folder.database().is_some() { SHARED_LIFE } else { LIFE };
        for _ in 0..times {
            let life = if rng.u8(0..LONG) == 0 { LONG_LIFE } else { life.clone() };
            tokio::time::sleep(Duration::from_millis(rng.u64(life))).await;
            let mut life = self.lives[which].lock().await;
            life.take().context("a host that was started")?.kill().await?;
            killed(self.kills.fetch_add(1, Ordering::Relaxed) + 1);
            let host = self.revive().await?;
            self.clients.lock().unwrap_or_else(PoisonError::into_inner)[which] = host.client.clone();
            *life = Some(host);
        }
        Ok(())
    }

    async fn revive(&self) -> anyhow::Result<Host> {
        let until = tokio::time::Instant::now() + START;
        loop {
            match self.folder.start().await {
                Err(_) if self.folder.database().is_some() && tokio::time::Instant::now() < until => tokio::time::sleep(PAUSE).await,
                started => return started,
            }
        }
    }
}

/// Kills or stops the database until it is enough; it lives at the end. Gives how often.
pub(super) async fn kill_database(
    field: Arc<Field>,
    wanted: bool,
    mut rng: fastrand::Rng,
    enough: CancellationToken,
) -> anyhow::Result<u32> {
    let mut kills = 0;
    loop {
        let life = Duration::from_millis(rng.u64(DATABASE_LIFE));
        tokio::select! {
            () = enough.cancelled() => return Ok(kills),
            () = tokio::time::sleep(life), if wanted => {}
        }
        let (at_once, away) = (rng.bool(), Duration::from_millis(rng.u64(DATABASE_AWAY)));
        let field = field.clone();
        tokio::task::spawn_blocking(move || {
            let cluster = field.hosts.folder.database().context("only a database can be killed")?.cluster();
            if at_once {
                cluster.kill()?
            } else {
                cluster.stop()?
            }
            std::thread::sleep(away);
            cluster.start()
        })
        .await
        .context("killing the database")??;
        kills += 1;
    }
}
