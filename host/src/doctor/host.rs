//! The host: its address, its certificate, whether it runs, and whether it runs what the file says.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use tokio::net::TcpSocket;
use url::Url;

use super::credentials::SOON;
use super::finding::{Check, Finding, shown};
use super::round::{Round, all};
use super::{Asked, Patient, configuration, machine};
use crate::amount::{count, span};
use crate::config::{Access, Config, Loaded};
use crate::credentials::{Vault, resolve};
use crate::outbound::{HttpError, Probe};
use crate::registry::Supply;
use crate::runtime::SILENT;
use crate::server::{Certificates, certificate_end, certificates};
use crate::store::{HostRow, Store};
use crate::telemetry;

/// Where a host listens whose configuration can't be read.
const DEFAULT: &str = "http://127.0.0.1:7070";

/// What was seen of a host.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where it was looked for; `None`: nobody knows.
    url: Option<Url>,
    answer: Option<Answer>,
    /// A file has a host, by its lock; `None`: it is a server's, or can't be told.
    locked: Option<bool>,
    /// What new connections are shown.
    certificate: Option<CertificateDer<'static>>,
    /// Whether it would take events in: if not, why.
    ready: Option<Result<(), String>>,
    /// `/v1/system`, where it may be asked.
    system: Option<Value>,
    /// `/v1/credentials`.
    credentials: Option<Value>,
    /// Its API refuses the token.
    refused: Option<u16>,
}

#[derive(Debug)]
enum Answer {
    /// A host of ours.
    Host,
    /// Somebody else.
    Stranger(String),
    /// Nobody: why.
    Nobody(String),
}

impl Seen {
    /// Whether a host runs on this store, as far as can be told.
    pub(super) fn is_running(&self) -> bool {
        self.locked.unwrap_or(matches!(self.answer, Some(Answer::Host)))
    }

    /// What a host says of its credentials.
    pub(super) fn credentials(&self) -> Option<&Vec<Value>> {
        self.credentials.as_ref().and_then(|told| told["credentials"].as_array())
    }
}

/// Whether a host of a shared store was heard of lately.
pub(super) fn alive(host: &HostRow, now: Timestamp) -> bool {
    now.duration_since(host.seen_at) < SILENT
}

/// Looks for a host where the configuration has it listen.
pub(super) async fn see(asked: &Asked, patient: &Patient) -> Seen {
    let config = &patient.config;
    let url = asked.url.clone().or_else(|| own_url(config));
    let locked = config.store.url.strip_prefix("sqlite://").and_then(|path| Store::has_host(Path::new(path)));
    let mut known = None;
    if let Some(tls) = &config.server.tls
        && let Ok(text) = resolve(&tls.certificate, None).await
    {
        known = certificates(text.expose()).ok().and_then(|chain| chain.into_iter().next());
    }
    // Where nobody is asked for a token, nor is the doctor.
    let may_ask = asked.token.is_some() || config.server.access == Access::Open;
    Seen { locked, ..look(asked, url.as_deref(), known, may_ask).await }
}

/// The same where the configuration can't be read.
pub(super) async fn without_configuration(asked: &Asked, round: &Round<'_>) -> Vec<Finding> {
    let look = async {
        let url = asked.url.as_deref().unwrap_or(DEFAULT);
        let seen = look(asked, Some(url), None, asked.token.is_some()).await;
        running(&seen)
    };
    let files = async { machine::open_files_there() };
    all(vec![round.look(Check::Running, "", look), round.look(Check::OpenFiles, "", files)]).await
}

fn own_url(config: &Config) -> Option<String> {
    let listen = config.server.listen;
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    (listen.port() != 0).then(|| format!("{scheme}://{}", SocketAddr::new(address, listen.port())))
}

async fn look(asked: &Asked, url: Option<&str>, known: Option<CertificateDer<'static>>, may_ask: bool) -> Seen {
    let Some(url) = url.and_then(|url| Url::parse(url).ok()) else { return Seen::default() };
    let mut seen = Seen { url: Some(url.clone()), ..Seen::default() };
    let probe = match Probe::new(&asked.authorities, None, known, asked.timeout) {
        Ok(probe) => probe,
        Err(error) => {
            seen.answer = Some(Answer::Nobody(telemetry::chain(&error)));
            return seen;
        }
    };
    let at = |path: &str| url.join(path).unwrap_or_else(|_| url.clone());
    let health = probe.get(&at("/healthz"), None).await;
    seen.certificate = probe.certificate();
    seen.answer = Some(match health {
        Ok(answer) if answer.status == 200 && answer.body == b"ok\n" => Answer::Host,
        Ok(answer) => Answer::Stranger(format!("it answers {} where a host says ok", answer.status)),
        Err(HttpError::NotSent(why)) => Answer::Nobody(why),
        Err(error) => Answer::Stranger(error.to_string()),
    });
    if !matches!(seen.answer, Some(Answer::Host)) {
        return seen;
    }
    seen.ready = Some(match probe.get(&at("/readyz"), None).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|problem| problem["detail"].as_str().map(str::to_owned))
            .unwrap_or_else(|| format!("it answers {}", answer.status))),
        Err(error) => Err(error.to_string()),
    });
    if may_ask {
        let token = asked.token.as_deref();
        let (system, credentials) = futures::join!(json(&probe, at("/v1/system"), token), json(&probe, at("/v1/credentials"), token));
        (seen.system, seen.refused) = match system {
            Ok(system) => (Some(system), None),
            Err(status) => (None, status),
        };
        seen.credentials = credentials.ok();
    }
    seen
}

async fn json(probe: &Probe, url: Url, token: Option<&str>) -> Result<Value, Option<u16>> {
    let answer = probe.get(&url, token).await.map_err(|_| None)?;
    if answer.status != 200 {
        return Err(Some(answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|_| None)
}

/// The address that the configuration wants, and the host that runs.
pub(super) fn answers(patient: &Patient, seen: &Seen) -> Vec<Finding> {
    let server = &patient.config.server;
    let listen = server.listen;
    let subject = listen.to_string();
    let is_host = matches!(seen.answer, Some(Answer::Host));
    let mut findings = vec![match (bind(listen), &seen.answer) {
        _ if listen.port() == 0 => Check::Listen.ok(&subject, "each start takes a free port; `--url` says where a running host is"),
        (_, Some(Answer::Host)) => Check::Listen.ok(&subject, "a host answers there"),
        (Err(ErrorKind::AddrInUse), Some(Answer::Stranger(what) | Answer::Nobody(what))) => Check::Listen.error(
            &subject,
            format!("the port is taken, and not by a host that this configuration describes: {what}"),
            format!("`ss -ltnp 'sport = :{}'` says who has it; stop that, or change `listen` of [server]", listen.port()),
        ),
        (Err(ErrorKind::AddrInUse), None) => Check::Listen.warning(&subject, "the port is taken", "see who has it, or change `listen`"),
        (Err(ErrorKind::AddrNotAvailable), _) => Check::Listen.error(
            &subject,
            "this machine has no such address",
            "see `ip address`; `0.0.0.0` and `[::]` stand for all there are",
        ),
        (Err(ErrorKind::PermissionDenied), _) => Check::Listen.error(
            &subject,
            "this user may not listen there: ports below 1024 are root's",
            "take a higher one behind a proxy, or allow it (systemd: `AmbientCapabilities=CAP_NET_BIND_SERVICE`)",
        ),
        (Err(error), _) => Check::Listen.error(&subject, format!("nothing can listen there: {error}"), "change `listen` of [server]"),
        (Ok(()), _) => Check::Listen.ok(&subject, "it is free"),
    }];
    match seen.locked {
        Some(true) if !is_host && seen.url.is_some() => findings.push(Check::Running.warning(
            "",
            "a host has this store, and does not answer where the configuration has it listen",
            "it may have been started with another `listen` (a change of [server] takes a restart), or hang: `journalctl -u sangam` has its log",
        )),
        Some(false) if is_host => findings.push(Check::Running.warning(
            "",
            "a host answers there, but none has this store: it is that of another folder",
            "compare its configuration (`sangam top`, the console's System page) with this one",
        )),
        Some(true) if seen.url.is_none() => findings.push(Check::Running.ok("", "a host has this store; `--url` says where to ask it")),
        _ => {}
    }
    findings.extend(running(seen));
    findings
}

/// Whether a host could listen there now. Nothing listens, so nobody can be led astray.
fn bind(listen: SocketAddr) -> Result<(), ErrorKind> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| error.kind())?;
    // As a host does: what an earlier one left behind is no hindrance.
    socket.set_reuseaddr(true).map_err(|error| error.kind())?;
    socket.bind(listen).map_err(|error| error.kind())
}

/// What a host said of itself.
fn running(seen: &Seen) -> Vec<Finding> {
    let url = seen.url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default();
    match &seen.answer {
        Some(Answer::Host) => {}
        Some(Answer::Stranger(what)) => {
            return vec![Check::Running.warning(
                &url,
                format!("what answers there is no host: {what}"),
                "`--url` and `--ca-file` say where and how to ask",
            )];
        }
        Some(Answer::Nobody(_)) if seen.locked != Some(true) => return vec![Check::Running.ok(&url, "no host answers there")],
        _ => return Vec::new(),
    }
    let mut findings = Vec::new();
    let own = env!("CARGO_PKG_VERSION");
    let told = seen.system.as_ref().map(|system| {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let up = span(system["uptime_ms"].as_i64().unwrap_or(0) / 1000);
        (text(&system["version"]), format!("version {}, revision {}, up for {up}", text(&system["version"]), system["revision"]))
    });
    findings.push(match (&seen.ready, told) {
        (Some(Err(why)), _) => {
            Check::Running.error(&url, format!("it runs, and takes no events in: {why}"), "mend that; senders are told to try again later")
        }
        (_, Some((version, _))) if version != own => Check::Running.warning(
            &url,
            format!("it runs version {version}, this program is {own}"),
            "restart it if it was upgraded meanwhile, or ask it with the program of its version",
        ),
        (_, Some((_, told))) => Check::Running.ok(&url, format!("it takes events in; {told}")),
        (_, None) => Check::Running.ok(&url, "it takes events in; with `--token` it is asked for more"),
    });
    if let Some(status) = seen.refused {
        let advice = "give a token that may see the system and credentials (`--token`, SANGAM_TOKEN; role viewer or more)";
        findings.push(Check::Running.warning(&url, format!("it does not say how it is doing: {status}"), advice));
    }
    findings
}

/// The host's own certificate: in the file, and as it is shown.
pub(super) async fn certificate(patient: &Patient, vault: &Vault, seen: &Seen) -> Vec<Finding> {
    let Some(tls) = &patient.config.server.tls else { return Vec::new() };
    let now = patient.now();
    let own = match Certificates::load(vault.clone(), tls, now).await {
        Ok(own) => own,
        Err(error) => {
            let advice = "mend `certificate` and `key` of [server.tls]: a host does not start without, one that runs keeps what it has";
            return vec![Check::Certificate.error("", telemetry::chain(&error), advice)];
        }
    };
    let left = span(own.ends_at().duration_since(now).as_secs());
    let mut findings = vec![if own.ends_at().duration_since(now) < SOON {
        Check::Certificate.warning("", format!("it ends in {left}"), "renew it; a running host takes a new file without a restart")
    } else {
        Check::Certificate.ok("", format!("it ends in {left}"))
    }];
    let text = vault.resolve(&tls.certificate).await.ok();
    let file = text.and_then(|text| certificates(text.expose()).ok()).and_then(|chain| chain.into_iter().next());
    if let (Some(shown), Some(file)) = (&seen.certificate, file)
        && *shown != file
    {
        let ends = certificate_end(shown).map_or(String::new(), |at| format!(" (it ends at {at})"));
        let advice = "a host that runs takes a new file within seconds: its log says if it can't be used; a proxy in front shows its own";
        findings.push(Check::Certificate.warning("", format!("what is shown at the address is another certificate{ends}"), advice));
    }
    findings
}

/// The file against the configuration that is applied.
pub(super) async fn revision(patient: &Patient, store: &Store, seen: &Seen) -> Vec<Finding> {
    let Some(loaded) = &patient.loaded else { return Vec::new() };
    let row = match store.revision(None).await {
        Ok(Some(row)) => row,
        Ok(None) => return vec![Check::Revision.ok("", "none was applied yet: the first start applies the file")],
        Err(error) => return vec![Check::Revision.error("", telemetry::chain(&error), "see what is said of the store")],
    };
    let name = shown(&patient.file, &patient.config.base);
    let subject = format!("revision {}", row.number);
    let applied: Value = serde_json::from_str(&row.content).unwrap_or_default();
    let differs = if applied != *loaded.revision_content() {
        Some(format!("{name} differs from revision {}, which is applied", row.number))
    } else {
        other_components(loaded, &row.components).await
    };
    vec![match differs {
        None => Check::Revision.ok(&subject, format!("it is what {name} says")),
        Some(how) if seen.is_running() || store.is_shared() => {
            let advice = "apply the file: SIGHUP (`systemctl reload sangam`) or `POST /v1/reload`; or take the change back";
            Check::Revision.warning(&subject, how, advice)
        }
        Some(how) => Check::Revision.ok(&subject, format!("{how}; the next start applies it, unless it is an earlier one than the last")),
    }]
}

/// Components whose files have changed since.
async fn other_components(loaded: &Loaded, applied: &str) -> Option<String> {
    let applied: std::collections::BTreeMap<String, String> = serde_json::from_str(applied).ok()?;
    let supply = Supply::of(loaded).ok()?;
    let found = configuration::compared(loaded, &supply).await.found;
    let changed = found.iter().filter(|(name, component, ..)| applied.get(name).is_some_and(|digest| *digest != component.digest));
    let changed: Vec<&str> = changed.map(|(name, ..)| name.as_str()).collect();
    (!changed.is_empty()).then(|| format!("the component of {} is another than the one that is applied", changed.join(", ")))
}

/// The hosts of a shared store.
pub(super) async fn hosts(patient: &Patient, store: &Store) -> Vec<Finding> {
    if !store.is_shared() {
        return Vec::new();
    }
    let (rows, latest) = match futures::join!(store.hosts(), store.latest_revision()) {
        (Ok(rows), Ok(latest)) => (rows, latest),
        (Err(error), _) | (_, Err(error)) => {
            return vec![Check::Hosts.error("", telemetry::chain(&error), "see what is said of the store")];
        }
    };
    let now = patient.now();
    let mut findings = Vec::new();
    let (there, gone): (Vec<_>, Vec<_>) = rows.iter().partition(|host| alive(host, now));
    for host in gone {
        let since = span(now.duration_since(host.seen_at).as_secs());
        let advice = "if it was stopped for good, it is forgotten after a day; otherwise see whether it runs and reaches the database";
        findings.push(Check::Hosts.warning(&host.id, format!("it was last heard of {since} ago, and did not say goodbye"), advice));
    }
    for host in &there {
        if !host.cannot_serve.is_empty() {
            let which: Vec<String> = host.cannot_serve.iter().map(ToString::to_string).collect();
            let advice = "its log says what it lacks (a component, a variable, a file); others take those runs meanwhile";
            findings.push(Check::Hosts.warning(&host.id, format!("it can't load revision {}", which.join(", ")), advice));
        } else if host.revision != latest {
            let message = format!("new events get revision {} there, and {latest} is the latest", host.revision);
            findings.push(Check::Hosts.warning(&host.id, message, "it follows within seconds; if not, its log says why"));
        }
    }
    let versions: std::collections::BTreeSet<&str> = there.iter().map(|host| host.version.as_str()).collect();
    if versions.len() > 1 {
        let message = format!("hosts of several versions share the store: {}", versions.into_iter().collect::<Vec<_>>().join(", "));
        findings.push(Check::Hosts.warning("", message, "finish the upgrade (docs/upgrade.md)"));
    }
    if findings.is_empty() {
        findings.push(Check::Hosts.ok("", count(there.len() as u64, "host shares the store", "hosts share the store")));
    }
    findings
}
