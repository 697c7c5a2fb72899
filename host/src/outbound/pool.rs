//! A plugin's connections: its own, never another plugin's, and not more idle ones than it needs.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use url::Url;

use super::address::AddressGuard;
use super::resolver::GuardedResolver;

/// Time to reach a host: name, connection, TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle connections kept for each host of a plugin.
const IDLE_PER_HOST: usize = 32;
/// Hosts to which idle connections are kept. A plugin that was granted a wildcard could name a new host with every request.
const MAX_HOSTS: usize = 32;
/// TLS sessions that may be taken up again.
const TLS_SESSIONS: usize = 64;
/// What we say we are.
const USER_AGENT: &str = concat!("sangam/", env!("CARGO_PKG_VERSION"));

/// Gives the client whose pool holds the connections.
pub(super) struct Pool {
    tls: rustls::ClientConfig,
    guard: AddressGuard,
    keep_alive: Duration,
    present: Mutex<Present>,
}

struct Present {
    client: reqwest::Client,
    /// Origins that it was given out for.
    origins: BTreeSet<String>,
}

impl Pool {
    /// # Errors
    /// When the client can't be built.
    pub(super) fn new(mut tls: rustls::ClientConfig, guard: AddressGuard, keep_alive: Duration) -> Result<Pool, reqwest::Error> {
        // A session that one plugin began is not another's to take up.
        tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        let client = client(&tls, &guard, keep_alive)?;
        Ok(Pool { tls, guard, keep_alive, present: Mutex::new(Present { client, origins: BTreeSet::new() }) })
    }

    /// The client for a request to that URL. With one host too many a new one begins: the idle connections of the old one are closed, those
    /// in use when their exchanges end.
    pub(super) fn client(&self, url: &Url) -> reqwest::Client {
        let origin = url.origin().ascii_serialization();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if !present.origins.contains(&origin) {
            if present.origins.len() >= MAX_HOSTS
                && let Ok(client) = client(&self.tls, &self.guard, self.keep_alive)
            {
                *present = Present { client, origins: BTreeSet::new() };
            }
            present.origins.insert(origin);
        }
        present.client.clone()
    }
}

fn client(tls: &rustls::ClientConfig, guard: &AddressGuard, keep_alive: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(GuardedResolver::new(guard.clone()))
        // A proxy would resolve names itself, unchecked.
        .no_proxy()
        // Each hop of a redirect is the plugin's own request, judged like any other.
        .redirect(reqwest::redirect::Policy::none())
        // What is sent again is decided by the journal alone.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(if keep_alive.is_zero() { 0 } else { IDLE_PER_HOST })
        .pool_idle_timeout(keep_alive)
        .tcp_nodelay(true)
        .user_agent(USER_AGENT)
        .build()
}
