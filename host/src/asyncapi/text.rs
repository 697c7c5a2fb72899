//! Texts of the configuration as the document writes them: addresses, subjects, patterns, keys.

use serde_json::{Map, Value, json};

/// Protocol, host with port, and path of a URL; without the user and password that may stand in it.
pub(super) fn parts(url: &str) -> (String, String, String) {
    let (protocol, rest) = url.split_once("://").unwrap_or(("http", url));
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    (protocol.to_owned(), host.to_owned(), path.to_owned())
}

/// The same of an address as the file has it: what stands in the environment or is a secret stays there.
pub(super) fn shown(url: &str) -> (String, String, String) {
    if !url.contains("${") {
        return parts(url);
    }
    let protocol = url.split_once("://").map_or("https", |(protocol, _)| protocol);
    (if protocol.contains("${") { "https" } else { protocol }.to_owned(), "configured".to_owned(), String::new())
}

/// A regular expression for a pattern with `*`.
pub(super) fn pattern(text: &str) -> String {
    let pieces: Vec<String> = text.split('*').map(regex::escape).collect();
    format!("^{}$", pieces.join(".*"))
}

/// A key as a token of a reference: a JSON pointer within a URI fragment.
pub(super) fn token(key: &str) -> String {
    crate::schema::escaped(key)
}

/// A text or the texts of a list.
pub(super) fn one_or_more(value: &Value) -> impl Iterator<Item = &str> {
    let items = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(Value::as_str)
}

/// The subject of a NATS source, if there is one only.
pub(super) fn subject(source: &Value) -> Option<String> {
    let subjects: Vec<&str> = one_or_more(&source["filter-subjects"]).collect();
    match subjects.as_slice() {
        [only] => Some((*only).to_owned()),
        _ => None,
    }
}

/// A text with `${ … }` as an address with parameters, which say the expressions.
pub(super) fn address(text: &str) -> (String, Map<String, Value>) {
    let mut address = String::new();
    let mut parameters = Map::new();
    let mut at = 0;
    for (start, source) in crate::mapping::expressions(text) {
        // Two characters before it is `${`, one after it is `}`.
        address.push_str(&text[at..start - 2]);
        let name = format!("value{}", parameters.len() + 1);
        address.push_str(&format!("{{{name}}}"));
        parameters.insert(name, json!({ "description": source.trim() }));
        at = start + source.len() + 1;
    }
    address.push_str(&text[at..]);
    (address, parameters)
}
