//! `[mail.NAME]`: a relay that `sangam.mail` hands its mail to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::authority::authorities;
use super::clear_text::{plain, secret};
use super::item::Item;
use super::model::{Credential, CredentialKind, RateLimit, Relay, RelayLogin, RelayTls};
use super::origin::origin;
use super::problems::did_you_mean;
use super::reader::Reader;
use super::reference::{has_reference, resolved};
use super::section::Section;
use super::units::MAX_DURATION;
use crate::builtin::mail::Mailbox;
use crate::router::Pattern;

/// Keys whose values people may see. Under any other, even a misspelt one, a literal text may be a secret.
const PUBLIC: [&str; 16] = [
    "host",
    "port",
    "tls",
    "ca-file",
    "username",
    "credential",
    "from",
    "allow-from",
    "allow-to",
    "hello",
    "max-recipients",
    "max-size",
    "rate-limit",
    "concurrency",
    "timeout",
    "allow-hosts",
];
/// What providers commonly take in one mail.
const DEFAULT_RECIPIENTS: u32 = 100;
const MOST_RECIPIENTS: u32 = 10_000;
const DEFAULT_SIZE: usize = 10 << 20;
const LARGEST_SIZE: u64 = 100 << 20;
/// More connections at once than this are refused by many relays.
const DEFAULT_CONCURRENCY: u32 = 4;
const MOST_CONCURRENCY: u32 = 1_000;
/// Shorter than a step's own `timeout`, so that what broke can be told.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);

/// A relay, and the credential that its `username` and `password` make.
pub(super) type Read = (Relay, Option<Credential>);

/// Reads one relay.
pub(super) fn relay(r: &mut Reader<'_>, item: &Item<'_>, credentials: &BTreeMap<String, Arc<Credential>>) -> Option<Read> {
    let mut section = item.table(r, format!("[mail.{}]", item.name))?;
    let members = section.members();
    let secrets = members.iter().filter(|member| !PUBLIC.contains(&member.name.as_str()));
    r.hidden.extend(secrets.filter(|item| !item.value.as_str().is_some_and(has_reference)).map(|item| item.span.clone()));
    let host_item = section.required(r, "host", "\"smtp.example.com\"");
    let host = host_item.as_ref().and_then(|item| host(r, item));
    let choices = [("starttls", RelayTls::StartTls), ("implicit", RelayTls::Implicit), ("none", RelayTls::None)];
    let tls = section.get("tls").map_or(Some(RelayTls::StartTls), |item| item.choice(r, &choices));
    if let (Some(RelayTls::None), Some(host), Some(item)) = (tls, &host, &host_item)
        && !is_local(host)
    {
        r.error(&item.span, format!("without TLS anybody between here and {host} could read what passes"))
            .help("write tls = \"starttls\" or tls = \"implicit\"; only a relay on this machine is spoken to without it");
        return None;
    }
    let port = section.get("port").and_then(|item| item.count(r, 1..=65_535)).and_then(|port| u16::try_from(port).ok());
    let authorities = section.get("ca-file").map(|item| authorities(r, &item)).unwrap_or_default();
    let from = section.required(r, "from", "\"Acme <office@acme.example>\"").and_then(|item| {
        let text = item.text(r)?;
        let value = resolved(r, &text)?;
        Mailbox::parse(&value).map_err(|why| r.error(&text.span, why).help = None).ok()
    });
    let allow_from = section.get("allow-from").map(|item| addresses(r, &item));
    let allow_to = section.get("allow-to").map(|item| addresses(r, &item));
    let hello = section.get("hello").and_then(|item| item.parsed(r, hello));
    let max_recipients = section.get("max-recipients").and_then(|item| item.count(r, 1..=MOST_RECIPIENTS));
    let max_size = section.get("max-size").and_then(|item| item.size(r, 1..=LARGEST_SIZE));
    let rate_limit = section.get("rate-limit").and_then(|item| rate_limit(r, &item));
    let concurrency = section.get("concurrency").and_then(|item| item.count(r, 1..=MOST_CONCURRENCY));
    let timeout = section.get("timeout").and_then(|item| item.duration(r, TIMEOUT));
    let tls = tls?;
    let mut relay = Relay {
        name: item.name.clone(),
        host: host.clone().unwrap_or_default(),
        port: port.unwrap_or(match tls {
            RelayTls::StartTls => 587,
            RelayTls::Implicit => 465,
            RelayTls::None => 25,
        }),
        tls,
        authorities,
        login: None,
        from: Mailbox::new(None, "nobody@localhost").expect("this is an address"),
        allow_from: allow_from.unwrap_or_default(),
        allow_to,
        hello,
        max_recipients: max_recipients.unwrap_or(DEFAULT_RECIPIENTS),
        max_size: max_size.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(DEFAULT_SIZE),
        rate_limit,
        concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
    };
    let login = login(r, &mut section, &relay, credentials);
    section.finish(r);
    host?;
    relay.from = from?;
    let (login, credential) = login?;
    relay.login = login;
    Some((relay, credential))
}

type Login = (Option<RelayLogin>, Option<Credential>);

/// A user with a password, a credential of the file, or nobody. `None`: a mistake, which the reader has.
fn login(r: &mut Reader<'_>, section: &mut Section<'_>, relay: &Relay, credentials: &BTreeMap<String, Arc<Credential>>) -> Option<Login> {
    let has_password = section.table.contains_key("password");
    let place = origin(&relay.origin()).map_or_else(|_| relay.origin(), |origin| origin.to_string());
    let Some(item) = section.get("credential") else {
        if !has_password && !section.table.contains_key("username") {
            section.get("password");
            section.get("username");
            return Some((None, None));
        }
        let (username, password) = (plain(r, section, "username"), secret(r, section, "password"));
        let kind = CredentialKind::Basic { username: username?, password: password? };
        let credential = Credential { name: relay.place(), hosts: vec![place], kind };
        return Some((Some(RelayLogin { credential: relay.place(), username: None }), Some(credential)));
    };
    let username = section.get("username").map(|item| item.text(r).and_then(|text| resolved(r, &text)));
    if let Some(password) = section.get("password") {
        r.error(&password.key, "`credential` and `password` both say how to log in").help("keep one of the two");
        return None;
    }
    let name = item.text(r)?;
    let Some(credential) = credentials.get(name.value) else {
        // One that is there and wrong has been spoken of already.
        r.unknown(&name.span, format!("there is no credential `{}`", name.value), name.value, credentials.keys().map(String::as_str));
        return None;
    };
    let carries_token = !matches!(
        credential.kind,
        CredentialKind::Header { .. } | CredentialKind::Query { .. } | CredentialKind::Hmac(_) | CredentialKind::Placeholder { .. }
    );
    if !carries_token {
        r.error(&name.span, format!("a relay can't be logged in at with credential `{}`", name.value))
            .help("use one of the types basic, bearer or oauth2-…, or `username` and `password` here");
        return None;
    }
    if !credential.hosts.contains(&place) {
        r.error(&name.span, format!("credential `{}` may not go to this relay", name.value)).help(format!("add {place:?} to its `hosts`"));
        return None;
    }
    let username = match username {
        Some(username) => Some(username?),
        None => None,
    };
    Some((Some(RelayLogin { credential: name.value.to_owned(), username }), None))
}

fn host(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    let bare = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&value);
    let is_name = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if is_name || bare.parse::<IpAddr>().is_ok() {
        return Some(bare.to_ascii_lowercase());
    }
    r.error(&text.span, format!("{value:?} is not the name of a host"))
        .help("write the name alone, such as \"smtp.example.com\"; the port is `port`");
    None
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Patterns for addresses, such as `*@acme.example`.
fn addresses(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<Pattern> {
    let pattern = |text: &str| {
        let wrong = || format!("{text:?} is no pattern for addresses: write one address, or a domain with `*@` before it");
        let (user, domain) = text.split_once('@').ok_or_else(wrong)?;
        // `*acme.example` would fit evilacme.example too.
        let fits = match user {
            "*" => Mailbox::new(None, &format!("any@{}", domain.strip_prefix("*.").unwrap_or(domain))),
            _ => Mailbox::new(None, text),
        };
        let mailbox = fits.map_err(|_| wrong())?;
        let (any, below) = (user == "*", domain.starts_with("*."));
        let text = match (any, below) {
            (true, true) => format!("*@*.{}", mailbox.domain()),
            (true, false) => format!("*@{}", mailbox.domain()),
            (false, _) => mailbox.address(),
        };
        Pattern::parse(&text.to_lowercase()).map_err(|error| error.to_string())
    };
    let items = item.items(r).unwrap_or_default();
    items.iter().filter_map(|item| item.parsed(r, pattern)).collect()
}

/// A name of this host, or its address in brackets.
fn hello(text: &str) -> Result<String, String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':');
    if text.is_empty() || text.len() > 255 || !text.chars().all(known) {
        return Err(format!("{text:?} is not the name of a host"));
    }
    Ok(text.to_owned())
}

fn rate_limit(r: &mut Reader<'_>, item: &Item<'_>) -> Option<RateLimit> {
    let mut section = item.table(r, "`rate-limit`")?;
    let messages = section.required(r, "messages", "30").and_then(|item| item.count(r, 1..=u32::MAX));
    let per = section.required(r, "per", "\"1m\"").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    section.finish(r);
    Some(RateLimit { requests: messages?, per: per? })
}

/// Looks at what the steps `sangam.mail` name: a relay or a template that is not there would be found out only when the mail is due.
pub(super) fn check_steps(r: &mut Reader<'_>, root: &DeTable<'_>, relays: &BTreeSet<String>, templates: &BTreeSet<String>) {
    let routes = root.get("routes").and_then(|routes| routes.get_ref().as_array());
    for route in routes.into_iter().flatten() {
        let steps = route.get_ref().as_table().and_then(|route| route.get("steps")).and_then(|steps| steps.get_ref().as_array());
        for step in steps.into_iter().flatten().filter_map(|step| step.get_ref().as_table()) {
            let uses = step.get("uses");
            let Some(uses) = uses.filter(|uses| uses.get_ref().as_str() == Some("sangam.mail")) else { continue };
            let with = step.get("with").and_then(|with| with.get_ref().as_table());
            let named = |key: &str| {
                let value = with.and_then(|with| with.get(key))?;
                match value.get_ref() {
                    DeValue::String(text) if !text.contains("${") => Some((value.span(), text.to_string())),
                    _ => None,
                }
            };
            for (key, what, names) in [("relay", "relay", relays), ("template", "template", templates)] {
                if let Some((span, name)) = named(key).filter(|(_, name)| !names.contains(name)) {
                    let help = did_you_mean(&name, names.iter().map(String::as_str));
                    r.error(&span, format!("there is no {what} `{name}`")).help = help;
                }
            }
            let names_relay = with.is_some_and(|with| with.contains_key("relay"));
            if relays.is_empty() {
                r.error(&uses.span(), "there is no relay that this mail could leave through")
                    .help("add one: [mail.office] with `host` and `from`");
            } else if !names_relay && with.is_some() && relays.len() > 1 && !relays.contains("default") {
                let list: Vec<&str> = relays.iter().map(String::as_str).collect();
                r.error(&uses.span(), format!("there are several relays ({}), and this step names none", list.join(", ")))
                    .help("write `relay` in its `with`, or call one of them `default`");
            }
        }
    }
}
