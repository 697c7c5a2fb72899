//! What `[server]` says of connections: how many, how slow, through which proxies, and how often somebody may guess.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::item::Item;
use super::reader::Reader;
use super::section::Section;

const DEFAULT_MAX_CONNECTIONS: u32 = 4096;
/// A quarter: one client that opens all it can leaves room for others.
const DEFAULT_MAX_PER_ADDRESS: u32 = 1024;
const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
/// Also how long a connection may lie idle between requests, so not as short as a browser's header would allow.
const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const DEFAULT_MAX_HEADER_SIZE: usize = 32 << 10;
/// Less than 8 KiB is less than what browsers send.
const HEADER_SIZE: RangeInclusive<u64> = 8 << 10..=1 << 20;
/// A sender with an old token is noticed long before it is made to wait.
const DEFAULT_WRONG_TOKENS: u32 = 50;
const DEFAULT_WRONG_TOKENS_OVERALL: u32 = 1000;

/// Connections of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// `max-connections`: at the same time.
    pub most: u32,
    /// `max-connections-per-address`: of one client address, trusted proxies aside.
    pub most_per_address: u32,
    /// `header-timeout`: for a request's head, and for an idle connection.
    pub header_timeout: Duration,
    /// `body-timeout`: for a request's body.
    pub body_timeout: Duration,
    /// `max-header-size`: of a request's head, bytes.
    pub max_header_size: usize,
    /// `trusted-proxies`: whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// `forwarded-header`: where they say it.
    pub forwarded_header: ForwardedHeader,
    /// `max-wrong-tokens`: of one client address, before it has to wait.
    pub wrong_tokens: u32,
    /// `max-wrong-tokens-overall`: a minute, before every client address has to wait after its first.
    pub wrong_tokens_overall: u32,
}

/// `forwarded-header`. Only one of them is read: a proxy that writes the one passes on what a client wrote into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `"x-forwarded-for"`, the default.
    XForwardedFor,
    /// `"forwarded"` (RFC 7239).
    Forwarded,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: DEFAULT_MAX_CONNECTIONS,
            most_per_address: DEFAULT_MAX_PER_ADDRESS,
            header_timeout: DEFAULT_HEADER_TIMEOUT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            max_header_size: DEFAULT_MAX_HEADER_SIZE,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            wrong_tokens: DEFAULT_WRONG_TOKENS,
            wrong_tokens_overall: DEFAULT_WRONG_TOKENS_OVERALL,
        }
    }
}

/// Reads those keys of `[server]`.
pub(super) fn connections(r: &mut Reader<'_>, section: &mut Section<'_>) -> Connections {
    let default = Connections::default();
    let most = section.get("max-connections").and_then(|item| item.count(r, CONNECTIONS)).unwrap_or(default.most);
    let per_address = section.get("max-connections-per-address").and_then(|item| item.count(r, CONNECTIONS));
    let header_timeout = section.get("header-timeout").and_then(|item| item.duration(r, TIMEOUT));
    let body_timeout = section.get("body-timeout").and_then(|item| item.duration(r, TIMEOUT));
    let max_header_size = section.get("max-header-size").and_then(|item| item.size(r, HEADER_SIZE));
    let trusted_proxies = section.get("trusted-proxies").map(|item| proxies(r, &item)).unwrap_or_default();
    let choices = [("x-forwarded-for", ForwardedHeader::XForwardedFor), ("forwarded", ForwardedHeader::Forwarded)];
    let header_item = section.get("forwarded-header");
    let forwarded_header = header_item.as_ref().and_then(|item| item.choice(r, &choices)).unwrap_or(default.forwarded_header);
    if let Some(item) = header_item.filter(|_| trusted_proxies.is_empty()) {
        r.warn(&item.key, "`forwarded-header` is read from trusted proxies only, and there are none")
            .help("name the proxies in `trusted-proxies`, or leave this out");
    }
    let wrong_tokens = section.get("max-wrong-tokens").and_then(|item| item.count(r, CONNECTIONS));
    let wrong_tokens_overall = section.get("max-wrong-tokens-overall").and_then(|item| item.count(r, CONNECTIONS));
    Connections {
        most,
        most_per_address: per_address.unwrap_or(default.most_per_address.min(most)),
        header_timeout: header_timeout.unwrap_or(default.header_timeout),
        body_timeout: body_timeout.unwrap_or(default.body_timeout),
        max_header_size: max_header_size.and_then(|size| usize::try_from(size).ok()).unwrap_or(default.max_header_size),
        trusted_proxies,
        forwarded_header,
        wrong_tokens: wrong_tokens.unwrap_or(default.wrong_tokens),
        wrong_tokens_overall: wrong_tokens_overall.unwrap_or(default.wrong_tokens_overall),
    }
}

fn proxies(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<IpNet> {
    let items = item.items(r).unwrap_or_default();
    let mut proxies = Vec::new();
    for item in items {
        let Some(block) = item.parsed(r, proxy) else { continue };
        if block.prefix_len() == 0 {
            r.error(&item.span, format!("`{block}` trusts the whole world to say who it is"))
                .help("name the addresses of your proxies, such as \"10.0.0.5\" or \"10.0.0.0/24\"");
            continue;
        }
        proxies.push(block);
    }
    proxies
}

/// An address, or a block of them.
fn proxy(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let block: IpNet =
        text.parse().map_err(|_| format!("`{text}` is no address or block of addresses: write \"10.0.0.5\" or \"10.0.0.0/24\""))?;
    Ok(block.trunc())
}
