//! `[webhooks.NAME]`: whoever wants to be told of events, and the route by which deliveries leave.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::de::DeTable;
use url::{Host, Url};

use super::authority::authorities;
use super::clear_text::{reference, secret};
use super::grants::{address_block, list};
use super::item::Item;
use super::model::{Reference, Retry, Route, Subscriber, SubscriberFormat};
use super::origin::{is_loopback, is_private};
use super::reader::Reader;
use super::reference::{has_reference, kept, resolved};
use super::routes::{patterns, routes};
use super::section::Section;
use super::steps::{RESERVED_PLUGIN, retry};
use super::units::{MAX_DURATION, duration_text};

/// What the sources of deliveries, and of events about endpoints, begin with.
pub const WEBHOOK_SOURCE: &str = "/sangam/webhooks/";
/// Type of the event that one delivery is.
pub const WEBHOOK_DELIVERY: &str = "sangam.webhook.delivery";
/// What the names of their routes begin with: no route of a file has a dot.
pub const WEBHOOK_ROUTE: &str = "sangam.webhooks.";

/// Attempts at something that the endpoint itself refuses.
const DEFAULT_RETRY: Retry =
    Retry { max_attempts: 8, initial: Duration::from_secs(5), factor: 3.0, max: Duration::from_secs(3600), jitter: 0.2 };
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
const MOST_TIMEOUT: Duration = Duration::from_secs(300);
const DEFAULT_DISABLE: Duration = Duration::from_secs(5 * 24 * 3600);
/// A delivery may wait behind others for as long as its endpoint is given, and then some.
const LEAST_DEADLINE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Where an endpoint is never disabled.
const LONG_DEADLINE: Duration = Duration::from_secs(366 * 24 * 3600);
/// Secrets that sign side by side.
const MAX_SECRETS: usize = 8;
/// Headers that say what the delivery itself says.
const OWN_HEADERS: [&str; 6] = ["content-type", "content-length", "host", "transfer-encoding", "connection", "user-agent"];

/// Reads one `[webhooks.NAME]`.
pub(super) fn subscriber(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Subscriber> {
    let mut section = item.table(r, format!("[webhooks.{}]", item.name))?;
    hide(r, &section);
    let blocks = section.get("allow-private-addresses").map(|item| list(r, &item, address_block)).unwrap_or_default();
    let url = section.required(r, "url", "\"https://partner.example/hooks\"").and_then(|item| url(r, &item, &blocks));
    let formats = [
        ("standard-webhooks", SubscriberFormat::StandardWebhooks),
        ("cloudevents", SubscriberFormat::CloudEvents),
        ("cloudevents-binary", SubscriberFormat::CloudEventsBinary),
    ];
    let format = section.get("format").map_or(Some(SubscriberFormat::StandardWebhooks), |item| item.choice(r, &formats));
    let secrets = section.get("secret").map_or(Some(Vec::new()), |item| secrets(r, &item));
    let signing_key = if section.get("signing-key").is_some() { secret(r, &mut section, "signing-key").map(Some) } else { Some(None) };
    if let (Some(SubscriberFormat::StandardWebhooks), Some([]), Some(None)) = (format, secrets.as_deref(), &signing_key) {
        r.error(&section.span, format!("{} has nothing to sign with, so that its other side could not tell who sends", section.label))
            .help("add secret = \"${secret:NAME}\"; `sangam webhooks rotate` makes one");
    }
    let types = section.get("types").map(|item| patterns(r, &item)).unwrap_or_default();
    let headers = section.get("headers").map_or(Some(Vec::new()), |item| headers(r, &item));
    let timeout = section.get("timeout").map_or(Some(DEFAULT_TIMEOUT), |item| item.duration(r, Duration::from_millis(100)..=MOST_TIMEOUT));
    let ordered = section.get("ordered").map_or(Some(true), |item| item.boolean(r));
    let retry = section.get("retry").map_or(Some(DEFAULT_RETRY), |item| retry(r, &item, DEFAULT_RETRY));
    let disable_after = section.get("disable-after").map_or(Some(Some(DEFAULT_DISABLE)), |item| match item.value.as_str() {
        Some("never") => Some(None),
        _ => item.duration(r, Duration::from_secs(1)..=MAX_DURATION).map(Some),
    });
    let ca_item = section.get("ca-file");
    let own = ca_item.map_or(Some(Vec::new()), |item| Some(authorities(r, &item)).filter(|found| !found.is_empty()));
    section.finish(r);
    Some(Subscriber {
        name: item.name.clone(),
        url: url?,
        secrets: secrets?,
        signing_key: signing_key?,
        format: format?,
        types,
        headers: headers?,
        timeout: timeout?,
        ordered: ordered?,
        retry: retry?,
        disable_after: disable_after?,
        private_addresses: blocks,
        authorities: own?,
    })
}

/// Secrets in clear text are refused, and not shown either.
fn hide(r: &mut Reader<'_>, section: &Section<'_>) {
    let members = section.members();
    for member in members.iter().filter(|member| ["secret", "signing-key", "headers"].contains(&member.name.as_str())) {
        let text = r.source.text().get(member.span.clone()).unwrap_or_default();
        if !has_reference(text) {
            r.hidden.push(member.span.clone());
        }
    }
}

/// A URL that people may see.
fn url(r: &mut Reader<'_>, item: &Item<'_>, allowed: &[ipnet::IpNet]) -> Option<String> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    let url = match Url::parse(&value) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() => {
            r.error(&text.span, format!("`{value}` is not a URL of https or http"));
            return None;
        }
        Ok(url) => url,
        Err(error) => {
            r.error(&text.span, format!("`{value}` is not a URL: {error}")).help("write it such as \"https://partner.example/hooks\"");
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        r.error(&text.span, "the URL of a webhook has neither user and password nor a fragment (#)")
            .help("write headers = { Authorization = \"${secret:NAME}\" }");
        return None;
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if url.scheme() == "http" && !is_loopback(&host) {
        let near = allowed.iter().any(|block| host.parse::<std::net::IpAddr>().is_ok_and(|address| block.contains(&address)));
        if !near {
            r.error(&text.span, format!("`{value}` would send events unencrypted")).help("write https://");
            return None;
        }
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    if let Some(address) = address.filter(|&address| is_private(address) && !allowed.iter().any(|block| block.contains(&address))) {
        r.warn(&text.span, format!("{address} is a private address, which the address check stops"))
            .help(format!("add allow-private-addresses = [\"{}\"]", ipnet::IpNet::from(address)));
    }
    Some(url.into())
}

/// One secret or several.
fn secrets(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<Reference>> {
    let items = item.one_or_more();
    if items.is_empty() || items.len() > MAX_SECRETS {
        r.error(&item.span, format!("`secret` is one secret, or a list of 1 to {MAX_SECRETS} that sign side by side"));
        return None;
    }
    let mut secrets = Vec::new();
    for item in &items {
        let text = item.text(r)?;
        let reference = kept(r, &text)?;
        if reference.is_literal() {
            r.hidden.push(text.span.clone());
            r.error(&text.span, "`secret` can't stand in the file in clear text")
                .help("run `sangam secret set NAME` and write secret = \"${secret:NAME}\"");
            return None;
        }
        secrets.push(reference);
    }
    Some(secrets)
}

fn headers(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<(String, Reference)>> {
    let section = item.table(r, "`headers`")?;
    let mut headers = Vec::new();
    for member in section.members() {
        let name = member.name.to_ascii_lowercase();
        let own = OWN_HEADERS.contains(&name.as_str()) || name.starts_with("webhook-") || name.starts_with("ce-");
        if own || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            r.error(&member.key, format!("`{}` can't be set: the host writes it, or it is no name of a header", member.name));
            return None;
        }
        headers.push((name, reference(r, &member)?));
    }
    Some(headers)
}

/// The route by which an endpoint's deliveries leave, one run for each: retries, order, journal, dead letters and replays are those of any route. It is
/// read like a route of the file, so that it is one.
pub(super) fn delivery_route(r: &mut Reader<'_>, subscriber: &Subscriber) -> Option<Route> {
    let name = &subscriber.name;
    let order = if subscriber.ordered { format!("order-by = '\"{name}\"'\n") } else { String::new() };
    let deadline = subscriber.disable_after.map_or(LONG_DEADLINE, |after| after.saturating_mul(3).clamp(LEAST_DEADLINE, LONG_DEADLINE));
    let Retry { initial, factor, max, jitter, .. } = subscriber.retry;
    let text = format!(
        "[[routes]]\nname = \"delivery\"\non = {{ type = \"{WEBHOOK_DELIVERY}\", source = \"{WEBHOOK_SOURCE}{name}\" }}\n{order}deadline = \"{}\"\n\
         [[routes.steps]]\nname = \"post\"\nuses = \"{RESERVED_PLUGIN}.deliver\"\ntimeout = \"{}\"\n\
         retry = {{ max-attempts = 1000, initial = \"{}\", factor = {factor:?}, max = \"{}\", jitter = {jitter:?} }}\n",
        duration_text(deadline),
        duration_text(subscriber.timeout + Duration::from_secs(15)),
        duration_text(initial),
        duration_text(max),
    );
    let (root, _) = DeTable::parse_recoverable(&text);
    let table = root.get_ref();
    let mut section = Section::new(table, 0..0, "a delivery");
    let item = section.get("routes")?;
    let route = routes(r, &item, &BTreeSet::new()).pop()??;
    Some(Route { name: format!("{WEBHOOK_ROUTE}{name}"), ..route })
}
