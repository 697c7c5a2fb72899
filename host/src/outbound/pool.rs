//! A plugin's connections: its own, never another plugin's, and not more idle ones than it needs.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use url::{Position, Url};

use super::address::AddressGuard;
use super::client::Client;
use super::identity::Identity;

/// Hosts to which idle connections are kept. A plugin that was granted a wildcard could name a new host with every request.
const MAX_HOSTS: usize = 32;
/// TLS sessions that may be taken up again.
const TLS_SESSIONS: usize = 64;

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
    client: Client,
    /// Origins that it was given out for.
    origins: BTreeSet<String>,
}

impl Pool {
    pub(super) fn new(mut tls: rustls::ClientConfig, guard: AddressGuard, keep_alive: Duration) -> Pool {
        // A session that one plugin began is not another's to take up.
        tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        let client = Client::new(&tls, &guard, keep_alive);
        let present = Present { tls, shown: None, client, origins: BTreeSet::new() };
        Pool { guard, keep_alive, present: Mutex::new(present) }
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
        self.renew(&mut present);
        present.shown = Some(identity.fingerprint);
    }

    /// The client for a request to that URL. With one host too many a new one begins: the idle connections of the old one are closed, those
    /// in use when their exchanges end.
    pub(super) fn client(&self, url: &Url) -> Client {
        // Scheme, host and port, as the parser writes them: there is no user information.
        let origin = &url[..Position::BeforePath];
        let mut present = self.present();
        if !present.origins.contains(origin) {
            if present.origins.len() >= MAX_HOSTS {
                self.renew(&mut present);
            }
            present.origins.insert(origin.to_owned());
        }
        present.client.clone()
    }

    /// A client without connections in place of the present one.
    fn renew(&self, present: &mut Present) {
        present.client = Client::new(&present.tls, &self.guard, self.keep_alive);
        present.origins.clear();
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
