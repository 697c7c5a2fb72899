//! `[server]`, `[store]` and `[secrets]`: what is this host's own.

use std::net::SocketAddr;
use std::time::Duration;

use super::item::Item;
use super::model::{Access, Retention, Secrets, Server, Store};
use super::origin::{is_loopback, public_url};
use super::reader::Reader;
use super::reference::resolved;
use super::section::Section;
use super::units::{self, MAX_DURATION, duration_text};
use super::{connections, oidc, tls};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_LISTEN: &str = "127.0.0.1:7070";
const DEFAULT_STORE: &str = "sqlite://data/sangam.db";
const DEFAULT_KEY_FILE: &str = "sangam.key";
const DEFAULT_MAX_EVENT_SIZE: usize = 1 << 20;
/// An event lives in memory several times over while it is worked on.
const LARGEST_EVENT_SIZE: u64 = 256 << 20;
const DEFAULT_MAX_BACKLOG: u64 = 1_000_000;
/// A few dozen gigabytes of store.
const DEFAULT_MAX_WAITING: u64 = 10_000_000;
/// Bodies in hand at once: small beside the memory of the calls, large enough for the largest events of many senders.
const DEFAULT_INTAKE_MEMORY: usize = 64 << 20;
const LARGEST_INTAKE_MEMORY: u64 = 1 << 40;
/// Enough to settle what is under way when the disk fills up.
const DEFAULT_MIN_FREE_SPACE: u64 = 64 << 20;
/// A console open on the wall of each of some offices.
const DEFAULT_MAX_STREAMS: u32 = 64;
const STREAMS: std::ops::RangeInclusive<u32> = 0..=10_000;
/// Some MiB; at a thousand events a second the last few seconds.
const DEFAULT_STREAM_HISTORY: u32 = 16_384;
const STREAM_HISTORY: std::ops::RangeInclusive<u32> = 16..=1_000_000;
const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(20);
const DEFAULT_TRY_OUTS: u32 = 4;
/// Each may have a call of a plugin under way.
const MOST_TRY_OUTS: u64 = 64;
const DEFAULT_TRY_TIME: Duration = Duration::from_secs(30);
const DEFAULT_LEASE: Duration = Duration::from_secs(15);
/// A shorter one would end while its host is only busy; a longer one would leave runs lying for as long after a crash.
const LEASE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
const DEFAULT_RETENTION: Duration = DAY.saturating_mul(30);
const DEFAULT_DEDUP_WINDOW: Duration = DAY.saturating_mul(90);

/// Reads `[server]`.
pub(super) fn server(r: &mut Reader<'_>, mut section: Section<'_>) -> Server {
    let listen_item = section.get("listen");
    let listen = listen_item.as_ref().and_then(|item| listen(r, item)).unwrap_or_else(default_listen);
    let public_item = section.get("public-url");
    let public_url = public_item.as_ref().and_then(|item| {
        let text = item.text(r)?;
        let value = resolved(r, &text)?;
        public_url(&value).map_err(|message| r.error(&text.span, message).help = None).ok()
    });
    let max_event_size = section
        .get("max-event-size")
        .and_then(|item| item.size(r, 1..=LARGEST_EVENT_SIZE))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(DEFAULT_MAX_EVENT_SIZE);
    let max_backlog = section.get("max-backlog").and_then(|item| item.integer(r, 1..=i64::MAX as u64));
    let max_waiting = section.get("max-waiting").and_then(|item| item.integer(r, 1..=i64::MAX as u64));
    let max_intake_memory = intake_memory(r, &mut section, max_event_size);
    let access_item = section.get("access");
    let choices = [("tokens", Access::Tokens), ("open", Access::Open)];
    let access = access_item.as_ref().and_then(|item| item.choice(r, &choices)).unwrap_or(Access::Tokens);
    let connections = connections::connections(r, &mut section);
    let tls = section.get("tls").and_then(|item| item.table(r, "[server.tls]")).and_then(|table| tls::tls(r, table));
    let oidc_item = section.get("oidc");
    let oidc = oidc_item.as_ref().and_then(|item| item.table(r, "[server.oidc]")).and_then(|table| oidc::oidc(r, table));
    let max_streams = section.get("max-streams").and_then(|item| item.count(r, STREAMS)).unwrap_or(DEFAULT_MAX_STREAMS);
    let stream_history = section.get("stream-history").and_then(|item| item.count(r, STREAM_HISTORY)).unwrap_or(DEFAULT_STREAM_HISTORY);
    let shutdown_grace = section
        .get("shutdown-grace")
        .and_then(|item| item.duration(r, Duration::ZERO..=Duration::from_secs(3600)))
        .unwrap_or(DEFAULT_SHUTDOWN_GRACE);
    let try_outs = section.get("try-outs").and_then(|item| item.integer(r, 0..=MOST_TRY_OUTS)).and_then(|most| u32::try_from(most).ok());
    let try_time = section.get("try-time").and_then(|item| item.duration(r, Duration::from_secs(1)..=Duration::from_secs(600)));
    let lease = section.get("lease").and_then(|item| item.duration(r, LEASE)).unwrap_or(DEFAULT_LEASE);
    section.finish(r);
    let max_backlog = max_backlog.unwrap_or(DEFAULT_MAX_BACKLOG);
    let server = Server {
        listen,
        public_url,
        max_event_size,
        max_backlog,
        max_waiting: max_waiting.unwrap_or(DEFAULT_MAX_WAITING),
        max_intake_memory,
        access,
        max_streams,
        stream_history: stream_history as usize,
        shutdown_grace,
        try_outs: try_outs.unwrap_or(DEFAULT_TRY_OUTS),
        try_time: try_time.unwrap_or(DEFAULT_TRY_TIME),
        lease,
        connections,
        tls,
        oidc,
    };
    let items = Items { listen: listen_item, public_url: public_item, access: access_item, oidc: oidc_item };
    reachable(r, &server, &items);
    server
}

/// What of `[server]` says who can reach the host, with its places.
struct Items<'t> {
    listen: Option<Item<'t>>,
    public_url: Option<Item<'t>>,
    access: Option<Item<'t>>,
    oidc: Option<Item<'t>>,
}

/// Nobody gets in, and nothing goes over the wire in clear text, because a setting was combined with another.
fn reachable(r: &mut Reader<'_>, server: &Server, items: &Items<'_>) {
    let instead = "write access = \"tokens\" and make a token with `sangam token create`";
    if let Some(item) = items.access.as_ref().filter(|_| server.access == Access::Open) {
        let public_name = server.public_url.as_deref().and_then(|url| Some(url::Url::parse(url).ok()?.host_str()?.to_owned()));
        if !server.listen.ip().is_loopback() {
            r.error(&item.span, format!("`access = \"open\"` on {} would let everyone in who reaches that address", server.listen))
                .help(format!("{instead}, or listen on 127.0.0.1"));
        } else if let Some(name) = public_name.filter(|name| !is_loopback(name.trim_matches(['[', ']']))) {
            r.error(
                &item.span,
                format!("`access = \"open\"` would let everyone in who reaches {name}, which `public-url` says leads here"),
            )
            .help(format!("{instead}, or leave `public-url` out"));
        } else if !server.connections.trusted_proxies.is_empty() {
            r.error(&item.span, "`access = \"open\"` would let everyone in who reaches the proxies of `trusted-proxies`").help(instead);
        }
    }
    let is_local = server.listen.ip().is_loopback();
    if let (true, Some(item)) = (server.oidc.is_some(), &items.oidc) {
        if server.access == Access::Open {
            r.warn(&item.key, "nobody needs to log in where `access` is \"open\"").help("write access = \"tokens\"");
        }
        if server.public_url.is_none() && !is_local {
            r.error(&item.key, "`[server.oidc]` needs `public-url`: the provider sends browsers back to it")
                .help("write public-url = \"https://sangam.example.com\", and register its /login/callback with the provider");
        } else if !server.is_https() && !is_local {
            let place = items.public_url.as_ref().map_or(&item.key, |item| &item.span);
            r.error(place, "who logs in here would show the session to everyone on the way: this is not https")
                .help("add [server.tls], or put a proxy with TLS in front and write public-url = \"https://…\"");
        }
    }
    let is_plain = !is_local && !server.is_https() && server.connections.trusted_proxies.is_empty();
    if let Some(item) = items.listen.as_ref().filter(|_| is_plain && server.access == Access::Tokens) {
        r.warn(&item.span, "API tokens and events pass over the network in clear text").help(
            "add [server.tls], or put a proxy with TLS in front and write its address into `trusted-proxies` or public-url = \"https://…\"",
        );
    }
}

/// At least one event of the largest size must fit, or none of that size would ever be taken in.
fn intake_memory(r: &mut Reader<'_>, section: &mut Section<'_>, max_event_size: usize) -> usize {
    let Some(item) = section.get("max-intake-memory") else { return DEFAULT_INTAKE_MEMORY.max(max_event_size) };
    let bytes = item.size(r, 1..=LARGEST_INTAKE_MEMORY).and_then(|bytes| usize::try_from(bytes).ok());
    let Some(bytes) = bytes else { return DEFAULT_INTAKE_MEMORY };
    if bytes < max_event_size {
        let largest = units::size_text(max_event_size as u64);
        r.error(&item.span, format!("`max-intake-memory` is smaller than one event may be ({largest})"))
            .help(format!("write at least \"{largest}\", or a smaller max-event-size"));
    }
    bytes
}

fn default_listen() -> SocketAddr {
    DEFAULT_LISTEN.parse().expect("the default address is an address")
}

fn listen(r: &mut Reader<'_>, item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    if let Ok(address) = value.parse() {
        return Some(address);
    }
    let port = value.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    let port = port.unwrap_or("7070");
    let everywhere = value.starts_with([':', '*']);
    let host = if everywhere { "0.0.0.0" } else { "127.0.0.1" };
    r.error(&text.span, format!("`{value}` is not an address with a port"))
        .help(format!("write an address rather than a name, such as \"{host}:{port}\""));
    None
}

/// Reads `[store]`.
pub(super) fn store(r: &mut Reader<'_>, mut section: Section<'_>) -> Store {
    let default = || format!("sqlite://{}", r.base.join(&DEFAULT_STORE["sqlite://".len()..]).display());
    let default_url = default();
    let url = section.get("url").and_then(|item| store_url(r, &item));
    let retention = section.get("retention").and_then(|item| retention(r, &item));
    let retention = retention.unwrap_or(Retention::For(DEFAULT_RETENTION));
    let dead = section.get("dead-letter-retention").and_then(|item| self::retention(r, &item));
    let window_item = section.get("dedup-window");
    let window = window_item.as_ref().and_then(|item| item.duration(r, Duration::from_secs(1)..=MAX_DURATION));
    let dedup_window = match (retention, window) {
        (Retention::For(kept), Some(window)) if window < kept => {
            if let Some(item) = window_item {
                let (window, kept) = (duration_text(window), duration_text(kept));
                r.error(&item.span, format!("`dedup-window` ({window}) is shorter than `retention` ({kept})"))
                    .help(format!("write at least \"{kept}\": a pair is remembered as long as its event is kept"));
            }
            window
        }
        // Without a window of its own a long retention lengthens it.
        (Retention::For(kept), None) => kept.max(DEFAULT_DEDUP_WINDOW),
        (_, window) => window.unwrap_or(DEFAULT_DEDUP_WINDOW),
    };
    let min_free_space = section.get("min-free-space").and_then(|item| item.size(r, 0..=i64::MAX as u64));
    section.finish(r);
    Store {
        url: url.unwrap_or(default_url),
        retention,
        dead_letter_retention: dead.unwrap_or(Retention::Forever),
        dedup_window,
        min_free_space: min_free_space.unwrap_or(DEFAULT_MIN_FREE_SPACE),
    }
}

fn store_url(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    if value.starts_with("postgres://") || value.starts_with("postgresql://") {
        return match url::Url::parse(&value) {
            Ok(url) if url.path().len() > 1 => Some(value),
            Ok(_) => {
                r.error(&text.span, "this URL names no database").help("write postgres://USER@HOST/DATABASE");
                None
            }
            Err(error) => {
                // The value may hold a password: only the error is shown.
                r.error(&text.span, format!("this is not the URL of a database: {error}")).help("write postgres://USER@HOST/DATABASE");
                None
            }
        };
    }
    let path = value.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains(['?', '#']));
    let Some(path) = path else {
        r.error(&text.span, format!("`{value}` is not the URL of a store"))
            .help("write sqlite:// and the path of a file, such as \"sqlite://data/sangam.db\", or postgres://USER@HOST/DATABASE for several hosts");
        return None;
    };
    Some(format!("sqlite://{}", r.absolute(path).display()))
}

pub(super) fn retention(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Retention> {
    let shortest = Duration::from_secs(60);
    let is_forever = item.value.as_str() == Some("forever");
    if is_forever {
        return Some(Retention::Forever);
    }
    let with_forever = item.value.as_str().is_some_and(|text| units::duration(text).is_err());
    if with_forever {
        let text = item.text(r)?;
        r.error(&text.span, format!("`{}` can't be {:?}", item.name, text.value)).help("write a duration such as \"30d\", or \"forever\"");
        return None;
    }
    item.duration(r, shortest..=MAX_DURATION).map(Retention::For)
}

/// Reads `[secrets]`.
pub(super) fn secrets(r: &mut Reader<'_>, mut section: Section<'_>) -> Secrets {
    let file = section.get("key-file");
    let env = section.get("key-env");
    let command = section.get("key-command");
    section.finish(r);
    let given: Vec<&Item<'_>> = [&file, &env, &command].into_iter().flatten().collect();
    if let [first, second, ..] = given[..] {
        r.error(&second.key, format!("`{}` and `{}` both say where the key is", first.name, second.name))
            .help("keep one of `key-file`, `key-env` and `key-command`");
    }
    let default = Secrets::File(r.absolute(DEFAULT_KEY_FILE));
    let read = match (file, env, command) {
        (Some(file), ..) => file.text(r).and_then(|text| resolved(r, &text)).map(|path| Secrets::File(r.absolute(&path))),
        (_, Some(env), _) => env.text(r).and_then(|name| key_variable(r, name.value, &name.span)),
        (.., Some(command)) => key_command(r, &command),
        (None, None, None) => None,
    };
    read.unwrap_or(default)
}

fn key_variable(r: &mut Reader<'_>, name: &str, span: &std::ops::Range<usize>) -> Option<Secrets> {
    if (r.outside.env)(name).is_none() {
        r.error(span, format!("the environment variable `{name}` is not set"))
            .help("it holds the key that seals secrets, base64; write its name without ${…}");
        return None;
    }
    Some(Secrets::Env(name.to_owned()))
}

fn key_command(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Secrets> {
    let words: Vec<String> = match item.value.as_str() {
        Some(_) => return item.wrong_type(r, "a list of the program and its arguments, such as [\"pass\", \"show\", \"sangam\"]"),
        None => item.texts(r).iter().map(|text| text.value.to_owned()).collect(),
    };
    if words.first().is_none_or(String::is_empty) {
        r.error(&item.span, "`key-command` names no program");
        return None;
    }
    Some(Secrets::Command(words))
}
