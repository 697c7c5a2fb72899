//! What a valid configuration means: the domain types that everyone else works with.
//!
//! Nothing here knows TOML. Durations and sizes are already numbers, expressions already compile, names already refer
//! to something that exists.

mod credential;
mod event;
mod mail;
mod mtls;
mod nats;
mod plugin;
mod registry;
mod route;
mod server;
mod source;
mod store;
mod subscriber;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use credential::*;
pub use event::*;
pub use mail::*;
pub use mtls::*;
pub use nats::*;
pub use plugin::*;
pub use registry::*;
pub use route::*;
pub use server::*;
pub use source::*;
pub use store::*;
pub use subscriber::*;
pub use verify::*;

use super::telemetry::Telemetry;
use super::trust::Trust;

/// The whole file, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`, this host's own.
    pub server: Server,
    /// `[store]`, this host's own.
    pub store: Store,
    /// `[secrets]`, this host's own.
    pub secrets: Secrets,
    /// `[registries."HOST"]`, this host's own.
    pub registries: BTreeMap<String, Arc<Registry>>,
    /// `[engine]`, this host's own.
    pub engine: Engine,
    /// `[trust]`, this host's own.
    pub trust: Trust,
    /// `[telemetry]`, this host's own.
    pub telemetry: Telemetry,
    /// `[credentials.NAME]`.
    pub credentials: BTreeMap<String, Arc<Credential>>,
    /// `[plugins.NAME]`.
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    /// `[mail.NAME]`.
    pub mail: BTreeMap<String, Arc<Relay>>,
    /// `[templates.NAME]`.
    pub templates: BTreeMap<String, Arc<MailTemplate>>,
    /// `[[routes]]`, in the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// `[[events]]`, in the order of the file.
    pub events: Vec<Arc<EventRule>>,
    /// `[[sources]]`, in the order of the file.
    pub sources: Vec<Arc<Source>>,
    /// `[webhooks.NAME]`.
    pub webhooks: BTreeMap<String, Arc<Subscriber>>,
    /// `[nats.NAME]`.
    pub nats: BTreeMap<String, Arc<NatsServer>>,
    /// Folder that relative paths of the file are relative to.
    pub base: PathBuf,
}
