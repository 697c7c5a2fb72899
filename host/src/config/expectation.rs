//! The hosts that a plugin expects to reach, as templates over its configuration.

use serde_json::Value;
use url::Url;

use super::model::{Destination, HostPattern};
use super::origin::origin;

/// An expected host with the values of `config` (or their defaults) in place, cut to its origin. `None`: a value is
/// missing, or it is no host; the plugin's schema says what it must be.
pub(super) fn expected_host(template: &str, config: &Value, schema: &Value) -> Option<HostPattern> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}')?;
        let default = || schema.get("properties")?.get(name)?.get("default");
        let value = config.get(name).or_else(default)?;
        text.push_str(before);
        text.push_str(value.as_str()?);
        rest = tail;
    }
    text.push_str(rest);
    if text.contains('*') {
        return HostPattern::parse(&text).ok();
    }
    origin(&Url::parse(&text).ok()?.origin().ascii_serialization()).ok()
}

/// Whether a grant covers what is expected. One that names a method or a path does: narrowing is the administrator's decision.
pub(super) fn covers(granted: &Destination, expected: &HostPattern) -> bool {
    if expected.wildcard {
        return granted.origin == *expected;
    }
    granted.origin.matches(&expected.scheme, &expected.host, expected.port)
}
