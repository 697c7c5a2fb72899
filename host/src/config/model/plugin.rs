//! `[plugins.NAME]`: a component with its grants and limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::credential::Reference;
use crate::config::oci::OciReference;

/// `[plugins.NAME]`.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Where the component is.
    pub component: ComponentSource,
    /// `digest`: `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
    /// `require-signature`: a trusted key must have signed it, whatever `[trust]` says.
    pub require_signature: bool,
    /// What it may reach.
    pub grants: Grants,
    /// `config`, as JSON.
    pub config: Value,
    /// `limits`.
    pub limits: Limits,
    /// Calls at the same time.
    pub concurrency: u32,
    /// `rate-limit`.
    pub rate_limit: Option<RateLimit>,
    /// `breaker`.
    pub breaker: Option<Breaker>,
    /// `batch`: how runs are gathered for actions that take several at once; `None`: each goes alone.
    pub batch: Option<Batching>,
    /// `instances`
    pub instances: Instances,
    /// `ahead`: instances that are made before their calls come; `None`: one, where making one takes long.
    pub ahead: Option<u32>,
    /// `keep-alive`: how long an idle connection is kept; zero: each request has its own.
    pub keep_alive: Duration,
    /// `idempotency-header`; `None`: not sent.
    pub idempotency_header: Option<String>,
    /// `canary`
    pub canary: Option<Canary>,
}

impl Plugin {
    /// Its components with their pins, by the names that [`canary_of`] gives.
    pub fn components(&self) -> impl Iterator<Item = (String, &ComponentSource, Option<&str>)> {
        let canary = self.canary.as_ref().map(|canary| (canary_of(&self.name), &canary.component, canary.digest.as_deref()));
        std::iter::once((self.name.clone(), &self.component, self.digest.as_deref())).chain(canary)
    }
}

/// What the component of a plugin's canary is called beside the plugin's own. No plugin has a slash in its name.
pub fn canary_of(plugin: &str) -> String {
    format!("{plugin}/canary")
}

/// The plugin of a component, be it its own or its canary's.
pub fn plugin_of(component: &str) -> &str {
    component.strip_suffix("/canary").unwrap_or(component)
}

/// `canary`: a share of runs tries another component.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Where it is.
    pub component: ComponentSource,
    /// Optional pin, like that of the plugin.
    pub digest: Option<String>,
    /// Share of runs, above 0 and at most 1.
    pub share: f64,
    /// Share of its calls that may fail, 0 to below 1.
    pub max_error_rate: f64,
}

/// `component`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file, absolute.
    Path(PathBuf),
    /// `builtin:NAME`.
    Builtin(String),
    /// `oci://…`.
    Oci(OciReference),
}

/// What an administrator allows a plugin.
#[derive(Debug, Clone)]
pub struct Grants {
    /// `allow-hosts`.
    pub hosts: Vec<Destination>,
    /// `ca-file`: authorities whose certificates are good for this plugin, besides those that the operating system trusts.
    pub authorities: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// `client-certificate`: who its connections say they are, to systems that ask.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// `allow-private-addresses`.
    pub private_addresses: Vec<ipnet::IpNet>,
    /// `credentials`, by name.
    pub credentials: Vec<String>,
    /// `emits`: event types, with `*`.
    pub emits: Vec<crate::router::Pattern>,
    /// `read-only`.
    pub read_only: Vec<RequestPattern>,
    /// `declines`: what it asks for and goes without.
    pub declines: Vec<String>,
}

/// A certificate of our own, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `file`: our certificate first, then those between it and its authority.
    pub chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// `key`: PEM.
    pub key: Reference,
}

/// An item of `allow-hosts`: `[METHOD ]scheme://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The only method; `None`: all.
    pub method: Option<String>,
    /// Scheme, host and port.
    pub origin: HostPattern,
    /// The only paths; `None`: all.
    pub path: Option<PathPattern>,
}

/// `scheme://host[:port]`, the host with at most one leading `*.` label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// `https` or `http`.
    pub scheme: String,
    /// Lower case, without `*.`; an IPv6 address without brackets.
    pub host: String,
    /// Any one label before `host`.
    pub wildcard: bool,
    /// The scheme's default where none is written.
    pub port: u16,
}

/// `/path`, `*` standing for one segment, a last `**` for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// Segments between slashes.
    pub segments: Vec<String>,
}

/// `METHOD /path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPattern {
    /// Upper case.
    pub method: String,
    /// The path.
    pub path: PathPattern,
}

/// `limits`: of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All linear memories together, bytes.
    pub memory: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Resources (streams, pollables) held at once.
    pub handles: usize,
    /// Wall time, host calls included.
    pub time: Duration,
    /// Processor time, that of host calls included.
    pub cpu: Duration,
    /// What one host call, or the answer, may copy out of the plugin, bytes.
    pub host_call_size: usize,
    /// Requests.
    pub http_calls: u32,
    /// Body of one response, bytes.
    pub response_size: usize,
    /// Output data, bytes.
    pub output_size: usize,
    /// Events brought in.
    pub events: usize,
    /// All of them together, bytes.
    pub events_size: usize,
    /// Log lines kept, bytes.
    pub log_size: usize,
    /// Key-value operations.
    pub key_value_calls: u32,
    /// Keys and values read and written, bytes.
    pub key_value_transfer: usize,
    /// The plugin's whole key-value space, bytes.
    pub key_value_size: u64,
}

/// `rate-limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// This many requests
    pub requests: u32,
    /// in this time.
    pub per: Duration,
}

/// `batch`: of actions that take several invocations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// `most`: invocations of one call; `None`: as many as the action takes.
    pub most: Option<u32>,
    /// `gather`: how long a run waits for others at most.
    pub gather: Duration,
}

impl Batching {
    /// Invocations of one call of an action that takes so many.
    pub fn most_of(&self, takes: u32) -> u32 {
        self.most.map_or(takes, |most| most.min(takes))
    }
}

/// `breaker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Opens after this many failures in a row
    pub failures: u32,
    /// for this long.
    pub cooldown: Duration,
}

/// `instances`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// A fresh instance for each call.
    PerCall,
    /// A trusted plugin keeps its instance.
    Reuse,
}
