//! A plugin's connections: its own, never another plugin's, and not more idle ones than it needs.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use url::Url;

use super::address::AddressGuard;
use super::identity::Identity;
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
    guard: AddressGuard,
    keep_alive: Duration,
    present: Mutex<Present>,
}

struct Present {
    tls: rustls::ClientConfig,
    /// Fingerprint of the key whose certificate is shown.
    shown: Option<[u8; 32]>,
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
        let present = Present { tls, shown: None, client, origins: BTreeSet::new() };
        Ok(Pool { guard, keep_alive, present: Mutex::new(present) })
    }

    /// Fingerprint of the key whose certificate is shown.
    pub(super) fn shown(&self) -> Option<[u8; 32]> {
        self.present().shown
    }

    /// Shows that certificate from now on, on connections that begin anew.
    pub(super) fn show(&self, identity: Identity) {
        let mut present = self.present();
        present.tls.client_auth_cert_resolver = identity.resolver;
        // Nor is a session that another key began.
        present.tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        if self.renew(&mut present) {
            present.shown = Some(identity.fingerprint);
        }
    }

    /// The client for a request to that URL. With one host too many a new one begins: the idle connections of the old one are closed, those
    /// in use when their exchanges end.
    pub(super) fn client(&self, url: &Url) -> reqwest::Client {
        let origin = url.origin().ascii_serialization();
        let mut present = self.present();
        if !present.origins.contains(&origin) {
            if present.origins.len() >= MAX_HOSTS {
                self.renew(&mut present);
            }
            present.origins.insert(origin);
        }
        present.client.clone()
    }

    /// A client without connections in place of the present one. `false`: it can't be built.
    fn renew(&self, present: &mut Present) -> bool {
        let Ok(client) = client(&present.tls, &self.guard, self.keep_alive) else { return false };
        present.client = client;
        present.origins.clear();
        true
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
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
