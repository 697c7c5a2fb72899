//! What concerns the host that reads the file: `[server]` and `[engine]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::connections::Connections;
use crate::config::oidc::Oidc;
use crate::config::tls::Tls;

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// What the outside sees, without a trailing slash.
    pub public_url: Option<String>,
    /// Largest event taken in, in bytes.
    pub max_event_size: usize,
    /// Most runs that may have to be worked off; beyond it events are refused with 503.
    pub max_backlog: u64,
    /// Most runs that may wait for a time or an event; beyond it events are refused with 503.
    pub max_waiting: u64,
    /// Most bytes of request bodies in hand at once; beyond it events are refused with 429.
    pub max_intake_memory: usize,
    /// Who may ask.
    pub access: Access,
    /// Most streams of what happens now that are followed at the same time; beyond it 429.
    pub max_streams: u32,
    /// How much of what happened is kept in memory, so that a stream that broke off goes on where it was.
    pub stream_history: usize,
    /// How long a shutdown waits for running steps.
    pub shutdown_grace: Duration,
    /// Expressions and routes that are tried out at the same time; 0: none are.
    pub try_outs: u32,
    /// How long trying out a route may take.
    pub try_time: Duration,
    /// How long a run belongs to this host without a sign of life of it.
    pub lease: Duration,
    /// How many connections, how slow, through which proxies.
    pub connections: Connections,
    /// `[server.tls]`; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// `[server.oidc]`; `None`: nobody logs in.
    pub oidc: Option<Oidc>,
}

impl Server {
    /// Whether what passes between a browser and the host's outside is encrypted.
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Where it is reached: what the outside sees, else the address as it is configured.
    pub fn outside_url(&self) -> String {
        let own = || format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.listen);
        self.public_url.clone().unwrap_or_else(own)
    }
}

/// `[engine]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Largest component, bytes.
    pub component_size: u64,
    /// How long compiling one may take.
    pub compile_time: Duration,
    /// Memory that compiling one may take, bytes.
    pub compile_memory: u64,
    /// Components compiled at the same time; `None`: as many as there are processors, at most 4.
    pub compile_processes: Option<u32>,
    /// Where compiled code is kept; `None`: `cache` beside the store.
    pub cache: Option<PathBuf>,
    /// Bytes that it may take there.
    pub cache_size: u64,
    /// Bytes of memory that instances made ahead may take, all plugins' together.
    pub ahead_memory: u64,
    /// How long one waits for its call before it is given back.
    pub ahead_idle: Duration,
}

/// `access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every request carries an API token.
    Tokens,
    /// Nobody is asked; only on a loopback address.
    Open,
}
