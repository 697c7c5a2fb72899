//! Other systems: whether they can be reached from here, by the way that requests would go, and how long their certificates are good.
//!
//! Nothing is sent but a TLS handshake and a bare `HEAD`; servers of NATS and mail are heard out and left before anybody logs in. Only what the
//! configuration names is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

use super::Patient;
use super::credentials::SOON;
use super::finding::{Check, Finding};
use super::machine::Dates;
use super::round::{Look, Round};
use crate::access;
use crate::amount::{count, span};
use crate::builtin::mail;
use crate::config::{ComponentSource, Config, CredentialKind, HostPattern, NatsServer, OAuth2Client, Registry, SourceKind};
use crate::nats;
use crate::outbound::{AddressGuard, HttpError, Probe, Seen};
use crate::{telemetry, tls};

/// Somewhere that HTTP goes to.
struct Place {
    check: Check,
    subject: String,
    url: Url,
    authorities: Vec<CertificateDer<'static>>,
    /// Which addresses may be dialled; `None`: any, since the administrator wrote it for the host itself.
    guard: Option<AddressGuard>,
    /// It is shown a certificate of ours, which is not shown now.
    shows_certificate: bool,
    /// In whose section its options stand.
    whose: String,
}

/// How long a system may take: less than the look, so that it is the system that is told of.
fn patience(round: &Round<'_>) -> Duration {
    round.timeout.mul_f32(0.9)
}

/// All looks that this configuration asks for.
pub(super) fn looks<'l>(round: &'l Round<'_>, patient: &'l Patient, dates: &'l Dates) -> Vec<Look<'l>> {
    let config = &patient.config;
    let mut looks: Vec<Look<'l>> = Vec::new();
    for place in places(config) {
        let (check, subject) = (place.check, place.subject.clone());
        looks.push(round.look(check, &subject, async move { vec![looked_at(&place, patient, dates, patience(round)).await] }));
    }
    for (subject, pattern) in unnamed(config) {
        let message = format!("{pattern} is granted: which host that is, only a request says");
        looks.push(round.look(Check::GrantedHost, &subject.clone(), async move { vec![Check::GrantedHost.ok(&subject, message)] }));
    }
    for (name, server) in nats_servers(config) {
        for url in server.servers.clone() {
            let (name, server) = (name.clone(), server.clone());
            looks.push(round.look(Check::Nats, &name.clone(), async move {
                vec![nats_server(&name, &server, &url, patience(round), patient.now()).await]
            }));
        }
    }
    for relay in config.mail.values() {
        let look = async move {
            let subject = relay.name.as_str();
            vec![match mail::greet(relay, patience(round)).await {
                Ok(ends) => reached(Check::Mail, subject, &format!("{} says hello", relay.url()), ends, patient.now()),
                Err(trouble) => {
                    let advice = format!(
                        "see host, port, `tls` and `ca-file` of [mail.{subject}], and whether a firewall lets this machine out there"
                    );
                    Check::Mail.error(subject, format!("{}: {}", relay.url(), trouble.why()), advice)
                }
            }]
        };
        looks.push(round.look(Check::Mail, &relay.name, look));
    }
    if let Some(oidc) = &config.server.oidc {
        let look = async move {
            let looked = match tls::client_config() {
                Ok(client) => access::look(&oidc.issuer, client, patient.now()).await.map_err(|error| telemetry::chain(&error)),
                Err(error) => Err(telemetry::chain(&error)),
            };
            vec![match looked {
                Ok(()) => Check::Login.ok(&oidc.issuer, "it says who it is and which keys it signs with"),
                Err(why) => {
                    let advice = "nobody can log in until it answers; tokens go on working. See `issuer` of [server.oidc], exactly as it calls itself";
                    Check::Login.error(&oidc.issuer, why, advice)
                }
            }]
        };
        looks.push(round.look(Check::Login, &oidc.issuer, look));
    }
    looks
}

/// Where HTTP goes.
fn places(config: &Config) -> Vec<Place> {
    let mut places = Vec::new();
    let mut known = BTreeSet::new();
    let mut add = |place: Place| {
        if known.insert((place.check, place.subject.clone(), place.url.clone())) {
            places.push(place);
        }
    };
    for plugin in config.plugins.values() {
        let exact = plugin.grants.hosts.iter().map(|granted| &granted.origin).filter(|origin| !origin.wildcard).cloned();
        // Behind a pattern are the hosts that its credentials are for.
        let origins =
            plugin.grants.credentials.iter().filter_map(|name| config.credentials.get(name)).flat_map(|credential| &credential.hosts);
        let of_credentials = origins
            .filter_map(|origin| HostPattern::parse(origin).ok())
            .filter(|origin| plugin.grants.hosts.iter().any(|granted| granted.origin.matches(&origin.scheme, &origin.host, origin.port)));
        for origin in exact.chain(of_credentials) {
            let Ok(url) = Url::parse(&format!("{origin}/")) else { continue };
            add(Place {
                check: Check::GrantedHost,
                subject: format!("plugin {}, {origin}", plugin.name),
                url,
                authorities: plugin.grants.authorities.clone(),
                guard: Some(AddressGuard::new(plugin.grants.private_addresses.clone())),
                shows_certificate: plugin.grants.certificate.is_some(),
                whose: format!("[plugins.{}]", plugin.name),
            });
        }
    }
    let mut plain = |check, subject: &str, url: &str, authorities: &[CertificateDer<'static>], whose: String| {
        if let Ok(url) = Url::parse(url) {
            add(Place {
                check,
                subject: subject.to_owned(),
                url,
                authorities: authorities.to_vec(),
                guard: None,
                shows_certificate: false,
                whose,
            });
        }
    };
    for credential in config.credentials.values() {
        if let Some(client) = client(&credential.kind) {
            plain(Check::TokenEndpoint, &credential.name, &client.token_url, &[], format!("[credentials.{}]", credential.name));
        }
    }
    for (host, registry) in registries(config) {
        let scheme = if registry.tls { "https" } else { "http" };
        plain(Check::Registry, &host, &format!("{scheme}://{host}/v2/"), &registry.authorities, format!("[registries.{host:?}]"));
    }
    if let Some(otlp) = &config.telemetry.otlp {
        plain(
            Check::Collector,
            otlp.endpoint.host_str().unwrap_or_default(),
            otlp.endpoint.as_str(),
            &otlp.authorities,
            "[telemetry]".to_owned(),
        );
    }
    for subscriber in config.webhooks.values() {
        if let Ok(url) = Url::parse(&subscriber.url) {
            add(Place {
                check: Check::Endpoint,
                subject: subscriber.name.clone(),
                url,
                authorities: subscriber.authorities.clone(),
                guard: Some(AddressGuard::new(subscriber.private_addresses.clone())),
                shows_certificate: false,
                whose: format!("[webhooks.{}]", subscriber.name),
            });
        }
    }
    places
}

/// Patterns behind which no host is known.
fn unnamed(config: &Config) -> Vec<(String, HostPattern)> {
    let mut unnamed = Vec::new();
    for plugin in config.plugins.values() {
        let of_credentials: Vec<&str> = plugin
            .grants
            .credentials
            .iter()
            .filter_map(|name| config.credentials.get(name))
            .flat_map(|credential| &credential.hosts)
            .map(String::as_str)
            .collect();
        for granted in plugin.grants.hosts.iter().map(|granted| &granted.origin).filter(|origin| origin.wildcard) {
            let parsed = of_credentials.iter().filter_map(|origin| HostPattern::parse(origin).ok());
            if !parsed.into_iter().any(|origin| granted.matches(&origin.scheme, &origin.host, origin.port)) {
                unnamed.push((format!("plugin {}", plugin.name), granted.clone()));
            }
        }
    }
    unnamed.dedup();
    unnamed
}

fn client(kind: &CredentialKind) -> Option<&OAuth2Client> {
    match kind {
        CredentialKind::OAuth2ClientCredentials(client)
        | CredentialKind::OAuth2RefreshToken { client, .. }
        | CredentialKind::OAuth2AuthorizationCode { client, .. }
        | CredentialKind::OAuth2JwtBearer { client, .. } => Some(client),
        _ => None,
    }
}

fn registries(config: &Config) -> BTreeMap<String, Arc<Registry>> {
    let sources = config.plugins.values().flat_map(|plugin| plugin.components());
    let named = sources.filter_map(|(_, source, _)| match source {
        ComponentSource::Oci(reference) => Some(reference.registry.clone()),
        _ => None,
    });
    let known = |host: &String| config.registries.get(host).cloned().unwrap_or_else(|| Arc::new(Registry::unnamed(host)));
    named.map(|host| (host.clone(), known(&host))).collect()
}

fn nats_servers(config: &Config) -> Vec<(String, Arc<NatsServer>)> {
    let mut servers: Vec<(String, Arc<NatsServer>)> = config.nats.iter().map(|(name, server)| (name.clone(), server.clone())).collect();
    for source in &config.sources {
        if let SourceKind::Nats(nats) = &source.kind
            && !servers.iter().any(|(_, known)| *known == nats.server)
        {
            servers.push((source.name.clone(), nats.server.clone()));
        }
    }
    servers
}

async fn looked_at(place: &Place, patient: &Patient, dates: &Dates, timeout: Duration) -> Finding {
    let probe = match Probe::new(&place.authorities, place.guard.clone(), None, timeout) {
        Ok(probe) => probe,
        Err(error) => return place.check.error(&place.subject, telemetry::chain(&error), "install the machine's `ca-certificates`"),
    };
    let now = || patient.now();
    match probe.head(&place.url).await {
        Ok(seen) => {
            // The host itself has this machine's clock.
            if let Some(date) = seen.date.filter(|_| !is_own(&place.url, &patient.config)) {
                dates.add(place.url.host_str().unwrap_or_default(), now().duration_since(date));
            }
            answered(place, &seen, probe.certificate_ends(), now())
        }
        // A plugin may call the host's own API, which is there when the host is.
        Err(HttpError::NotSent(_)) if is_own(&place.url, &patient.config) => {
            place.check.ok(&place.subject, "it is this host's own address, and no host runs")
        }
        Err(error) => unreachable(place, &error, probe.certificate_ends(), timeout),
    }
}

fn is_own(url: &Url, config: &Config) -> bool {
    is_here(url) && url.port_or_known_default() == Some(config.server.listen.port())
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn answered(place: &Place, seen: &Seen, ends: Option<Timestamp>, now: Timestamp) -> Finding {
    let status = seen.status;
    let (check, subject) = (place.check, &place.subject);
    let is_refused = check == Check::Registry && !matches!(status, 200 | 401 | 403);
    if status >= 500 && !matches!(status, 501 | 505) {
        let advice = "whoever runs it can tell why; what needs it is tried again by itself";
        return check.warning(subject, format!("it can be reached, and answers {status}: it is not well"), advice);
    }
    if is_refused {
        return check.warning(
            subject,
            format!("it answers {status}: this may be no registry"),
            format!("see the reference in `component`, and {}", place.whose),
        );
    }
    let how = if place.url.scheme() == "https" { "it can be reached, and its certificate is good" } else { "it can be reached" };
    reached(check, subject, how, ends, now)
}

/// It can be reached; its certificate may end soon.
fn reached(check: Check, subject: &str, how: &str, ends: Option<Timestamp>, now: Timestamp) -> Finding {
    match ends.filter(|at| *at != Timestamp::MAX) {
        Some(at) if at.duration_since(now) < SOON => {
            let left = span(at.duration_since(now).as_secs());
            check.warning(subject, format!("{how}, but ends in {left}"), "tell whoever runs it, before requests fail")
        }
        Some(at) => check.ok(subject, format!("{how} for {}", span(at.duration_since(now).as_secs()))),
        None => check.ok(subject, how),
    }
}

fn unreachable(place: &Place, error: &HttpError, ends: Option<Timestamp>, within: Duration) -> Finding {
    let (check, subject, whose) = (place.check, &place.subject, &place.whose);
    let mut why = error.to_string().replace("this plugin", whose).replace(&format!("of {whose}"), &format!("in {whose}"));
    if let Some(at) = ends.filter(|_| why.contains("expired")) {
        why.push_str(&format!("; it ended at {at}"));
    }
    if why.contains("timed out") && ends.is_some() {
        let advice = "its TLS is good; some systems answer nothing but what they know. If requests fail too, whoever runs it can tell why";
        return check.warning(subject, format!("it takes connections, and did not answer a HEAD within {within:?}"), advice);
    }
    if why.contains("timed out") {
        let advice = "is the port right, and does a firewall let this machine out there? `--timeout` gives it longer";
        return check.error(subject, format!("it did not answer within {within:?}"), advice);
    }
    let asks_certificate = why.contains("asks for a certificate of ours") || why.contains("broke off");
    match error {
        _ if place.shows_certificate && asks_certificate => {
            check.ok(subject, "it can be reached, and asks for the certificate of this plugin, which is not shown only to look")
        }
        HttpError::Denied(_) => check.error(
            subject,
            why,
            format!("if it belongs to you and the plugin may go there, add its block to `allow-private-addresses` in {whose}"),
        ),
        HttpError::NotSent(_) if why.contains("TLS with") => {
            check.error(subject, why, format!("requests fail until then; `ca-file` in {whose} names an authority of your own"))
        }
        HttpError::NotSent(_) if why.contains("dns") || why.contains("lookup") || why.contains("resolve") => {
            let advice = format!(
                "is the name right in {whose}? `getent hosts {}` asks this machine's resolver",
                place.url.host_str().unwrap_or_default()
            );
            check.error(subject, why, advice)
        }
        HttpError::NotSent(_) => check.error(subject, why, "is it up, is the port right, and does a firewall let this machine out there?"),
        _ => check.error(subject, why, "it takes connections and does not answer as it should; whoever runs it can tell why"),
    }
}

async fn nats_server(name: &str, server: &NatsServer, url: &str, within: Duration, now: Timestamp) -> Finding {
    let greeted = tokio::time::timeout(within, nats::greet(server, url)).await;
    match greeted.unwrap_or_else(|_| Err(format!("it did not say who it is within {within:?}"))) {
        Ok(greeting) => {
            let streams = if greeting.has_streams { "" } else { ", without JetStream, which sources take from" };
            reached(Check::Nats, name, &format!("{url} is NATS {}{streams}", greeting.version), greeting.certificate_ends, now)
        }
        Err(why) => {
            let advice = format!(
                "is it up, and are URL, TLS and `ca-file` right? ({} configured)",
                count(server.servers.len() as u64, "server", "servers")
            );
            Check::Nats.error(name, format!("{url}: {why}"), advice)
        }
    }
}
