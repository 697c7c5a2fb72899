//! What a valid configuration means: the domain types that everyone else works with.
//!
//! Nothing here knows TOML. Durations and sizes are already numbers, expressions already compile, names already refer
//! to something that exists.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::connections::Connections;
use super::journal::JournalPolicy;
use super::oci::OciReference;
use super::oidc::Oidc;
use super::tls::Tls;
use super::trust::Trust;
use crate::mapping::{Expr, Template};
use crate::personal::FieldPath;
use crate::schema::Schema;

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
    /// `[credentials.NAME]`.
    pub credentials: BTreeMap<String, Arc<Credential>>,
    /// `[plugins.NAME]`.
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    /// `[[routes]]`, in the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// `[[events]]`, in the order of the file.
    pub events: Vec<Arc<EventRule>>,
    /// Folder that relative paths of the file are relative to.
    pub base: PathBuf,
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// What the outside sees, without a trailing slash.
    pub public_url: Option<String>,
    /// Largest event taken in, in bytes.
    pub max_event_size: usize,
    /// Most runs that may wait; beyond it events are refused with 503.
    pub max_backlog: u64,
    /// Most bytes of request bodies in hand at once; beyond it events are refused with 429.
    pub max_intake_memory: usize,
    /// Who may ask.
    pub access: Access,
    /// How long a shutdown waits for running steps.
    pub shutdown_grace: Duration,
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
}

/// `access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every request carries an API token.
    Tokens,
    /// Nobody is asked; only on a loopback address.
    Open,
}

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite://PATH`, the path made absolute, or `postgres://USER@HOST/DATABASE`, perhaps with a password.
    pub url: String,
    /// How long events whose runs have ended are kept.
    pub retention: Retention,
    /// How long dead letters are kept.
    pub dead_letter_retention: Retention,
    /// How long (`source`, `id`) pairs are remembered.
    pub dedup_window: Duration,
    /// Room left on the store's disk below which no more events are taken in, bytes; 0: not looked at.
    pub min_free_space: u64,
}

impl Store {
    /// Where this host keeps what is not in the database: the folder of the file, or with a server that of the default one.
    pub fn folder(&self, base: &Path) -> PathBuf {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => Path::new(path).parent().unwrap_or(Path::new(".")).to_owned(),
            None => base.join("data"),
        }
    }
}

/// For how long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Until it is this old.
    For(Duration),
    /// `"forever"`.
    Forever,
}

/// `[secrets]`: where the key that seals secrets comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// A file, made at first use with mode 0600.
    File(PathBuf),
    /// An environment variable that holds the key, base64.
    Env(String),
    /// A command whose standard output is the key, base64.
    Command(Vec<String>),
}

/// `[registries."HOST"]`: how this host speaks to a registry of components.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Host with its port, as in references.
    pub host: String,
    /// Who logs in; without one, nobody does.
    pub login: Option<RegistryLogin>,
    /// `tls`; false only on this machine.
    pub tls: bool,
    /// `ca-file`: authorities whose certificates are good for this registry, besides those that the operating system trusts.
    pub authorities: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// `allow-hosts`: other origins that the registry may send this host to, whatever their addresses.
    pub hosts: Vec<HostPattern>,
    /// `timeout` of one component, everything included.
    pub timeout: Duration,
    /// `stall-timeout`: longest silence.
    pub stall_timeout: Duration,
}

/// Who logs in at a registry.
#[derive(Debug, Clone)]
pub enum RegistryLogin {
    /// `username` and `password`, given to the registry or its token service.
    Basic {
        /// `username`
        username: Reference,
        /// `password`
        password: Reference,
    },
    /// `token`, given to the registry as it is.
    Token(Reference),
}

/// A text with references to what is not in the file. Resolved when it is used; never printed resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Literal text and references in turn.
    pub parts: Vec<ReferencePart>,
}

/// One piece of a [`Reference`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferencePart {
    /// As written.
    Text(String),
    /// `${env:NAME}`.
    Env(String),
    /// `${file:PATH}`, the path made absolute.
    File(PathBuf),
    /// `${secret:NAME}`.
    Secret(String),
}

/// `[credentials.NAME]`.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// The origins it is attached to, exactly: `https://host[:port]`, lower case, default port left out.
    pub hosts: Vec<String>,
    /// How it is attached.
    pub kind: CredentialKind,
}

/// `type` of a credential with the keys of that type.
#[derive(Debug, Clone)]
pub enum CredentialKind {
    /// `Authorization: Bearer TOKEN`.
    Bearer {
        /// `token`
        token: Reference,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// `username`
        username: Reference,
        /// `password`
        password: Reference,
    },
    /// Any header.
    Header {
        /// `name` of the header.
        name: String,
        /// `value`
        value: Reference,
    },
    /// A parameter of the URL's query.
    Query {
        /// `name` of the parameter.
        name: String,
        /// `value`
        value: Reference,
    },
    /// A signature over the request (RFC 2104).
    Hmac(Box<Hmac>),
    /// The plugin writes `{{credential:NAME}}` where the system wants the secret.
    Placeholder {
        /// `value`
        value: Reference,
        /// `in`: where it is filled in, and nowhere else.
        places: Vec<Place>,
    },
    /// RFC 6749 section 4.4.
    OAuth2ClientCredentials(OAuth2Client),
    /// RFC 6749 section 6. The refresh token comes from the file once; what the server rotates it to is kept in the store.
    OAuth2RefreshToken {
        /// The client.
        client: OAuth2Client,
        /// `refresh-token`: the first one.
        refresh_token: Reference,
    },
    /// RFC 6749 section 4.1 with PKCE (RFC 7636). What `sangam connect` got is kept in the store.
    OAuth2AuthorizationCode {
        /// The client.
        client: OAuth2Client,
        /// `auth-url`: where a person agrees.
        auth_url: String,
        /// `issuer`, which the answer has to name if it names one (RFC 9207).
        issuer: Option<String>,
        /// `auth-parameters` of the vendor's own.
        parameters: BTreeMap<String, String>,
    },
    /// RFC 7523 section 2.1.
    OAuth2JwtBearer {
        /// The client; its secret may be absent.
        client: OAuth2Client,
        /// `issuer`; default the client id.
        issuer: Option<Reference>,
        /// `subject`
        subject: Reference,
        /// `private-key`, PEM (PKCS#8 or PKCS#1).
        private_key: Reference,
        /// `algorithm`; RS256.
        algorithm: JwtAlgorithm,
    },
}

/// The keys that all OAuth2 types share.
#[derive(Debug, Clone)]
pub struct OAuth2Client {
    /// `token-url`; https, or http to loopback.
    pub token_url: String,
    /// `client-id`
    pub client_id: Reference,
    /// `client-secret`
    pub client_secret: Option<Reference>,
    /// `client-auth`
    pub client_auth: ClientAuth,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `audience`
    pub audience: Option<String>,
    /// `keep-alive`: a refresh token is used at least so often, so that it does not end for want of use.
    pub keep_alive: Option<Duration>,
}

/// Where a placeholder is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `"path"`: of the URL.
    Path,
    /// `"query"` of the URL, anywhere or in one parameter: `"query:NAME"`.
    Query(Option<String>),
    /// `"body"`, anywhere or in one form field or JSON member: `"body:NAME"`, `"body:/pointer"`.
    Body(Option<String>),
    /// `"header:NAME"`, lower case.
    Header(String),
}

/// `hmac`: what is signed, how, and where the signature goes.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// `key`
    pub key: Reference,
    /// `key-encoding`: how `key` is written.
    pub key_encoding: Encoding,
    /// `algorithm`
    pub algorithm: HmacAlgorithm,
    /// `signed`: the text that is signed.
    pub signed: Vec<SignedPart>,
    /// `header` of the signature.
    pub header: String,
    /// `format` of that header's value.
    pub format: Vec<SignedPart>,
    /// `encoding` of the signature.
    pub encoding: Encoding,
    /// `key-id`
    pub key_id: Option<Reference>,
    /// `key-id-header`
    pub key_id_header: Option<String>,
    /// `timestamp`: how the time is written.
    pub timestamp: TimeForm,
    /// `timestamp-header`
    pub timestamp_header: Option<String>,
    /// `nonce-header`
    pub nonce_header: Option<String>,
}

/// `algorithm` of `hmac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Of older systems.
    Sha1,
    /// The default.
    Sha256,
    /// Rare.
    Sha384,
    /// Rare.
    Sha512,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is; of keys only.
    Text,
    /// Lower case.
    Hex,
    /// With padding.
    Base64,
}

/// How the time of a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `"unix"`: seconds since 1970.
    Seconds,
    /// `"unix-ms"`: milliseconds since 1970.
    Milliseconds,
    /// `"rfc3339"`: `2026-03-01T10:00:00Z`.
    Rfc3339,
    /// `"http"`: `Sun, 01 Mar 2026 10:00:00 GMT`.
    Http,
}

/// A piece of what is signed, or of the header that carries the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// As written.
    Text(String),
    /// `{method}`, upper case.
    Method,
    /// `{url}`, whole.
    Url,
    /// `{host}` with its port, if that is not the default.
    Host,
    /// `{path}` of the URL.
    Path,
    /// `{query}` without its question mark.
    Query,
    /// `{target}`: path and query.
    Target,
    /// `{body}`
    Body,
    /// `{body-sha256}`, hexadecimal.
    BodySha256,
    /// `{body-sha256-base64}`
    BodySha256Base64,
    /// `{header:NAME}` of the request, lower case.
    Header(String),
    /// `{timestamp}`
    Timestamp,
    /// `{nonce}`: a UUID for each request.
    Nonce,
    /// `{key-id}`
    KeyId,
    /// `{signature}`; in `format` only.
    Signature,
}

/// How the client proves who it is at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `"basic"`, the default.
    Basic,
    /// `"body"`.
    Body,
}

/// Signature algorithm of a JWT assertion (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

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
    /// `instances`
    pub instances: Instances,
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
#[derive(Debug, Clone)]
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

/// `breaker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Opens after this many failures in a row
    pub failures: u32,
    /// for this long.
    pub cooldown: Duration,
}

/// `instances`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// A fresh instance for each call.
    PerCall,
    /// A trusted plugin keeps its instance.
    Reuse,
}

/// `[[routes]]`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// `on.type`: any of them.
    pub types: Vec<crate::router::Pattern>,
    /// `on.source`: any of them; empty means every source.
    pub sources: Vec<crate::router::Pattern>,
    /// `when`
    pub when: Option<Arc<Expr>>,
    /// `order-by`
    pub order_by: Option<Arc<Expr>>,
    /// `order-on-dead`
    pub order_on_dead: OrderOnDead,
    /// `deadline` of the whole run.
    pub deadline: Duration,
    /// `redact`: paths like `.event.data.customer.email`.
    pub redact: Vec<String>,
    /// `retention`: how long its ended runs keep their event; `None`: as `[store]` says.
    pub retention: Option<Retention>,
    /// `dead-letter-retention`: the same of its dead letters.
    pub dead_letter_retention: Option<Retention>,
    /// In the order of the file. `needs` is acyclic and names only steps of this route.
    pub steps: Vec<Step>,
}

impl Route {
    /// Whether a step needs another, directly or through others.
    pub fn needs(&self, step: usize, other: usize) -> bool {
        let mut open = self.steps[step].needs.clone();
        let mut seen = vec![false; self.steps.len()];
        while let Some(need) = open.pop() {
            if need == other {
                return true;
            }
            if !std::mem::replace(&mut seen[need], true) {
                open.extend(&self.steps[need].needs);
            }
        }
        false
    }
}

/// `[[events]]`: what is known of events of some types, whatever routes want them.
#[derive(Debug, Clone)]
pub struct EventRule {
    /// `type`: any of them.
    pub types: Vec<crate::router::Pattern>,
    /// `source`: any of them; empty means every source.
    pub sources: Vec<crate::router::Pattern>,
    /// `schema`: of their data.
    pub schema: Option<Arc<Schema>>,
    /// `personal`: fields that are personal data.
    pub personal: Vec<FieldPath>,
    /// `subject`: fields that say whose.
    pub subject: Vec<FieldPath>,
}

impl EventRule {
    /// Whether it is about events of this type from this source.
    pub fn is_about(&self, event_type: &str, source: &str) -> bool {
        let any = |patterns: &[crate::router::Pattern], text| patterns.iter().any(|pattern| pattern.matches(text));
        any(&self.types, event_type) && (self.sources.is_empty() || any(&self.sources, source))
    }

    /// Whether it marks anything as personal.
    pub fn has_marks(&self) -> bool {
        !self.personal.is_empty() || !self.subject.is_empty() || self.schema.as_ref().is_some_and(|schema| schema.has_marks())
    }
}

/// `order-on-dead`: what a dead run does with its `order-by` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderOnDead {
    /// `"release"`, the default: the next run goes on, a replay goes to the end.
    Release,
    /// `"hold"`: those behind it wait; its replay takes its place, `cancel` gives it up.
    Hold,
}

/// `[[routes.steps]]`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// `uses`: plugin name.
    pub plugin: String,
    /// `uses`: action name.
    pub action: String,
    /// `with`; `None` means `.event.data`.
    pub with: Option<Arc<Template>>,
    /// Indexes of the steps before it. Default: the step before, `[]` starts at once.
    pub needs: Vec<usize>,
    /// `when`
    pub when: Option<Arc<Expr>>,
    /// `timeout` of one attempt.
    pub timeout: Duration,
    /// `retry`
    pub retry: Retry,
    /// `on-failure`
    pub on_failure: OnFailure,
    /// `on-doubt`
    pub on_doubt: OnDoubt,
    /// `journal`, `on-unrepeated`, `record-reads`
    pub journal: JournalPolicy,
}

/// `retry`: delay before attempt n+1 is `initial * factor^(n-1)`, at most `max`, spread by `jitter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Attempts in all.
    pub max_attempts: u32,
    /// First delay.
    pub initial: Duration,
    /// Growth.
    pub factor: f64,
    /// Longest delay.
    pub max: Duration,
    /// Share of the delay that is random, 0 to 1.
    pub jitter: f64,
}

/// `on-failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The run is dead once what does not depend on the step has finished.
    DeadLetter,
    /// The step counts as met, status `failed`.
    Continue,
    /// Finished steps are undone in reverse order.
    Undo,
}

/// `on-doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDoubt {
    /// Send again with the same key.
    Resend,
    /// A person decides.
    Hold,
}
