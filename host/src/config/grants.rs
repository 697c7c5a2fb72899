//! What a plugin may reach, and do: its grants.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::authority;
use super::item::{Item, Text};
use super::model::{Destination, Grants, HostPattern, RequestPattern};
use super::origin::is_private;
use super::reader::Reader;
use super::reference::resolved;
use super::section::Section;
use crate::router::Pattern;

/// Reads the keys of a plugin that grant something. `known` are the names of credentials.
pub(super) fn grants(r: &mut Reader<'_>, section: &mut Section<'_>, known: &BTreeSet<String>) -> Grants {
    let host_texts = section.get("allow-hosts").map(|item| item.texts(r)).unwrap_or_default();
    let hosts: Vec<(Destination, Text<'_>)> = host_texts
        .into_iter()
        .filter_map(|text| {
            let value = resolved(r, &text)?;
            let pattern = Destination::parse(&value).map_err(|message| r.error(&text.span, message).help = None).ok()?;
            Some((pattern, text))
        })
        .collect();
    let private = section.get("allow-private-addresses").map(|item| list(r, &item, address_block)).unwrap_or_default();
    let credentials = section.get("credentials").map(|item| item.texts(r)).unwrap_or_default();
    for text in &credentials {
        if !known.contains(text.value) {
            let names = known.iter().map(String::as_str);
            r.unknown(&text.span, format!("there is no credential `{}`", text.value), text.value, names);
        }
    }
    let emits =
        section.get("emits").map(|item| list(r, &item, |text| Pattern::parse(text).map_err(|error| error.to_string()))).unwrap_or_default();
    let read_only = section.get("read-only").map(|item| list(r, &item, RequestPattern::parse)).unwrap_or_default();
    let declines = section.get("declines").map(|item| item.texts(r)).unwrap_or_default();
    let declines = declines.iter().filter_map(|text| resolved(r, text)).collect();
    let authorities = section.get("ca-file").map(|item| authority::authorities(r, &item)).unwrap_or_default();
    let certificate = section.get("client-certificate").and_then(|item| authority::client_certificate(r, &item)).map(Arc::new);
    for (pattern, text) in &hosts {
        warn_of_private_host(r, &pattern.origin, text, &private);
    }
    Grants {
        hosts: hosts.into_iter().map(|(pattern, _)| pattern).collect(),
        authorities,
        certificate,
        private_addresses: private,
        credentials: credentials.iter().map(|text| text.value.to_owned()).collect(),
        emits,
        read_only,
        declines,
    }
}

/// The items of a list of strings that `parse` understands; the others are reported.
pub(super) fn list<T>(r: &mut Reader<'_>, item: &Item<'_>, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    let items = item.items(r).unwrap_or_default();
    items.iter().filter_map(|item| item.parsed(r, &parse)).collect()
}

pub(super) fn address_block(text: &str) -> Result<ipnet::IpNet, String> {
    let wrong = || format!("`{text}` is not a block of addresses: write it such as \"10.1.0.0/16\" or \"192.168.7.4/32\"");
    let block: ipnet::IpNet = text.parse().map_err(|_| wrong())?;
    if block.trunc() != block {
        return Err(format!("`{text}` has bits set beyond its prefix: write \"{}\"", block.trunc()));
    }
    Ok(block)
}

fn warn_of_private_host(r: &mut Reader<'_>, pattern: &HostPattern, text: &Text<'_>, allowed: &[ipnet::IpNet]) {
    let loopback = pattern.is_loopback().then(|| std::net::Ipv4Addr::LOCALHOST.into());
    let Some(address) = pattern.address().or(loopback).filter(|address| is_private(*address)) else {
        return;
    };
    if !allowed.iter().any(|block| block.contains(&address)) {
        r.warn(&text.span, format!("{address} is a private address, which the address check stops"))
            .help(format!("add allow-private-addresses = [\"{}\"]", ipnet::IpNet::from(address)));
    }
}
