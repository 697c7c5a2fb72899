//! One origin: a system behind a layer that records requests and commits faults.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;
use axum::Router;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fault::{Fault, Faults};
use crate::system::System;

mod connection;

/// Requests kept for reading back; older ones are forgotten.
const MAX_RECORDED: usize = 50_000;

/// A request as it came, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// Upper case.
    pub method: String,
    /// With the query, as sent.
    pub path: String,
    /// Names in lower case; several fields of one name joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// Status of the answer, or none when the connection ended without one (or is still being answered).
    pub status: Option<u16>,
    /// When it had come in whole.
    pub at: Timestamp,
}

/// A running stand-in. It serves until this is dropped.
pub struct Stand {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Stand {
    /// Serves a system at an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is no loopback address, or can't be listened on.
    pub async fn start(addr: SocketAddr, system: Arc<dyn System>) -> anyhow::Result<Stand> {
        ensure!(addr.ip().is_loopback(), "{addr} is no loopback address");
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        system.located(&format!("http://{addr}"));
        let router = Arc::clone(&system).router();
        let shared = Arc::new(Shared { system, router, log: Mutex::default(), faults: Mutex::default() });
        let serving = tokio::spawn(connection::serve(listener, Arc::clone(&shared)));
        Ok(Stand { addr, shared, serving })
    }

    /// The origin, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Commits a fault on requests to come.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// The system's state.
    pub fn state(&self) -> Value {
        self.shared.system.state()
    }

    /// The requests so far, in the order in which they came in.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests()
    }

    /// Back to the seeded state: no faults, no requests, default settings.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Changes one of the system's settings.
    ///
    /// # Errors
    /// Says which settings exist, or what is wrong with the value.
    pub fn set(&self, setting: &str, value: impl Into<Value>) -> Result<(), String> {
        self.shared.system.set(setting, value.into())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the stand and its connections hold together.
pub(crate) struct Shared {
    pub(crate) system: Arc<dyn System>,
    router: Router,
    log: Mutex<Log>,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Log {
    /// Number of the first request that is still kept.
    first: u64,
    kept: VecDeque<Recorded>,
}

impl Shared {
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.log().kept.iter().cloned().collect()
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&self) {
        self.system.reset();
        *self.faults() = Faults::default();
        let mut log = self.log();
        log.first += log.kept.len() as u64;
        log.kept.clear();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, request: Recorded) -> u64 {
        let mut log = self.log();
        if log.kept.len() == MAX_RECORDED {
            log.kept.pop_front();
            log.first += 1;
        }
        log.kept.push_back(request);
        log.first + log.kept.len() as u64 - 1
    }

    fn answered(&self, number: u64, status: u16) {
        let mut log = self.log();
        let at = number.checked_sub(log.first).and_then(|at| usize::try_from(at).ok());
        if let Some(request) = at.and_then(|at| log.kept.get_mut(at)) {
            request.status = Some(status);
        }
    }
}
