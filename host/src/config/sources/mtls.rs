//! `verify = { scheme = "mtls" }`.

use crate::config::item::Item;
use crate::config::model::{AltName, Mtls};
use crate::config::reader::Reader;
use crate::config::section::Section;

/// Reads the keys of the scheme; the caller finishes the section.
pub(super) fn mtls(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Mtls> {
    let names = section.get("san").map(|item| list(r, &item, alt_name));
    let common_names = section.get("common-name").map(|item| list(r, &item, common_name));
    let fingerprints = section.get("fingerprint").map(|item| list(r, &item, fingerprint));
    if names.is_none() && common_names.is_none() && fingerprints.is_none() {
        r.error(&section.span, "this would believe every client that server.tls.client-ca vouches for")
            .help("say whose certificate it is: san = \"dns:hooks.vendor.example\", common-name = \"…\", or fingerprint = \"sha256:…\"");
        return None;
    }
    Some(Mtls {
        names: names.unwrap_or(Some(Vec::new()))?,
        common_names: common_names.unwrap_or(Some(Vec::new()))?,
        fingerprints: fingerprints.unwrap_or(Some(Vec::new()))?,
    })
}

/// One or more texts, all of which `parse` understands.
fn list<T>(r: &mut Reader<'_>, item: &Item<'_>, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    let items = item.one_or_more();
    if items.is_empty() {
        r.error(&item.span, format!("`{}` is an empty list, which no certificate fits", item.name)).help("leave it out");
        return None;
    }
    let parsed: Vec<Option<T>> = items.iter().map(|item| item.parsed(r, &parse)).collect();
    parsed.into_iter().collect()
}

fn alt_name(text: &str) -> Result<AltName, String> {
    match text.split_once(':') {
        Some(("dns", name)) if !name.is_empty() => Ok(AltName::Dns(name.to_ascii_lowercase())),
        Some(("uri", name)) if !name.is_empty() => Ok(AltName::Uri(name.to_owned())),
        _ => Err(format!(
            "{text:?} is no name of a certificate: write \"dns:hooks.vendor.example\" or \"uri:spiffe://vendor.example/hooks\""
        )),
    }
}

fn common_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a common name can't be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// `sha256:` and 64 hexadecimal digits, perhaps with colons between them, as tools print it.
fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let wrong = || format!("{text:?} is no fingerprint: write sha256: and 64 hexadecimal digits");
    let digits: String = text.strip_prefix("sha256:").ok_or_else(wrong)?.chars().filter(|char| *char != ':').collect();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}
