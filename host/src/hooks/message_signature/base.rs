//! The signature base (RFC 9421 section 2.5): the lines that are signed.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, InnerList, Item, ItemSerializer, KeyRef, ListEntry, ListSerializer, Parser};
use url::form_urlencoded;

use crate::hooks::{Delivery, Refused};

/// Whether an item names a component, as `required` spells it: its name alone, or with parameters as they are serialized.
pub(super) fn is(item: &Item, component: &str) -> bool {
    let name = item.bare_item.as_string().map(|name| name.as_str());
    name.is_some_and(|name| (name == component && item.params.is_empty()) || identifier(item) == component)
}

/// Makes it. Every component once (section 2).
pub(super) fn base(delivery: &Delivery<'_>, input: &InnerList) -> Result<String, Refused> {
    let mut base = String::new();
    let mut seen = Vec::new();
    for item in &input.items {
        let identifier = identifier(item);
        if seen.contains(&identifier) {
            return Err(Refused::Doubled(identifier));
        }
        let value = value(delivery, item)?;
        // Another line could be in it.
        if value.contains(['\r', '\n']) {
            return Err(Refused::Malformed(identifier));
        }
        let _ = writeln!(base, "{identifier}: {value}"); // writing into a text can't fail
        seen.push(identifier);
    }
    let _ = write!(base, "\"@signature-params\": {}", params(input));
    Ok(base)
}

fn identifier(item: &Item) -> String {
    ItemSerializer::new().bare_item(&item.bare_item).parameters(&item.params).finish()
}

fn params(input: &InnerList) -> String {
    let mut list = ListSerializer::new();
    let mut inner = list.inner_list();
    inner.items(&input.items);
    inner.finish().parameters(&input.params);
    list.finish().unwrap_or_default()
}

fn value(delivery: &Delivery<'_>, item: &Item) -> Result<String, Refused> {
    let malformed = || Refused::Malformed(identifier(item));
    let name = item.bare_item.as_string().map(|name| name.as_str()).ok_or_else(malformed)?;
    if name.starts_with('@') {
        return derived(delivery, name, item);
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(malformed());
    }
    let lines: Vec<&[u8]> = delivery.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Err(Refused::Missing(name.to_owned()));
    }
    let trimmed: Vec<&[u8]> = lines.iter().map(|line| line.trim_ascii()).collect();
    let joined = trimmed.join(&b", "[..]);
    let text = || String::from_utf8(joined.clone()).map_err(|_| malformed());
    let mut params = item.params.iter();
    match (params.next(), params.next()) {
        (None, _) => text(),
        (Some((key, value)), None) => match (key.as_str(), value) {
            // Section 2.1.3: each line by itself, as bytes.
            ("bs", value) if value.as_boolean() == Some(true) => {
                let lines: Vec<String> = trimmed.iter().map(|line| format!(":{}:", STANDARD.encode(line))).collect();
                Ok(lines.join(", "))
            }
            // Section 2.1.2: one member of a dictionary.
            ("key", value) => {
                let member = value.as_string().ok_or_else(malformed)?;
                let dictionary = Parser::new(&joined).parse::<Dictionary>().map_err(|_| malformed())?;
                member_text(dictionary.get(member.as_str()).ok_or_else(malformed)?).ok_or_else(malformed)
            }
            _ => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn member_text(entry: &ListEntry) -> Option<String> {
    let mut list = ListSerializer::new();
    list.members([entry]);
    list.finish()
}

/// Section 2.2.
fn derived(delivery: &Delivery<'_>, name: &str, item: &Item) -> Result<String, Refused> {
    let malformed = || Refused::Malformed(identifier(item));
    if name == "@query-param" {
        return query_param(delivery, item);
    }
    if !item.params.is_empty() {
        return Err(malformed());
    }
    let path = || if delivery.path().is_empty() { "/" } else { delivery.path() };
    Ok(match name {
        "@method" => delivery.method.to_owned(),
        "@target-uri" => delivery.url.to_owned(),
        "@authority" => authority(delivery),
        "@scheme" => delivery.scheme().to_ascii_lowercase(),
        "@request-target" => delivery.target().to_owned(),
        "@path" => path().to_owned(),
        "@query" => format!("?{}", delivery.query().unwrap_or_default()),
        _ => return Err(malformed()),
    })
}

/// Lower case, without the port that the scheme has by itself (section 2.2.3).
fn authority(delivery: &Delivery<'_>) -> String {
    let host = delivery.host().to_ascii_lowercase();
    let own = if delivery.scheme().eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    host.strip_suffix(own).map(str::to_owned).unwrap_or(host)
}

/// Section 2.2.8: a parameter that is there once.
fn query_param(delivery: &Delivery<'_>, item: &Item) -> Result<String, Refused> {
    let malformed = || Refused::Malformed(identifier(item));
    let key = KeyRef::from_str("name").map_err(|_| malformed())?;
    let wanted = item.params.get(key).and_then(|value| value.as_string()).filter(|_| item.params.len() == 1).ok_or_else(malformed)?;
    let pairs = form_urlencoded::parse(delivery.query().unwrap_or_default().as_bytes());
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let mut values = pairs.filter(|(name, _)| encoded(name) == wanted.as_str()).map(|(_, value)| encoded(&value));
    let value = values.next().ok_or_else(|| Refused::Missing(identifier(item)))?;
    if values.next().is_some() { Err(Refused::Doubled(identifier(item))) } else { Ok(value) }
}
