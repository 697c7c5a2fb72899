//! What is looked at without calling an action: descriptor, schemas, texts, size.

use serde_json::Value;

use super::Check;
use crate::registry::{Component, Descriptor};
use crate::telemetry::{is_hidden, plain};

/// Longest title that fits into a list.
const MAX_TITLE: usize = 120;
/// Largest component that is loaded without much ado.
const MAX_SIZE: usize = 64 << 20;
/// Most memory to begin with: a call pays for it.
const MAX_MEMORY: u64 = 64 << 20;
/// Most core instances of a call.
const MAX_INSTANCES: usize = 64;
/// Members that are called like secrets, without hyphens and underscores.
const SECRETS: [&str; 14] = [
    "password",
    "passwd",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "bearertoken",
    "apikey",
    "apitoken",
    "privatekey",
    "credential",
    "credentials",
    "authorization",
];

/// What it says of itself.
pub(super) fn descriptor(component: &Component, descriptor: &Descriptor) -> Check {
    let mut check = Check::new("descriptor", "It says what it is, in texts that people can read");
    if component.inspection.descriptor.is_none() {
        check.found(
            "the descriptor is not embedded, so that a host has to run the plugin to learn what it is: `sangam plugin embed` embeds it",
        );
    }
    let mut text = |what: String, text: &str, most: usize, needed: bool| {
        check.tried += 1;
        if needed && text.trim().is_empty() {
            check.found(format!("{what} is empty"));
        }
        if text.chars().count() > most {
            check.found(format!("{what} has more than {most} characters"));
        }
        if text.chars().any(|c| is_hidden(c) && c != '\n') {
            check.found(format!("{what} has characters that do not show: {:?}", plain(text)));
        }
    };
    text("its title".to_owned(), &descriptor.title, MAX_TITLE, true);
    text("its description".to_owned(), &descriptor.description, 4000, false);
    text("its version".to_owned(), &descriptor.version, 64, true);
    for action in &descriptor.actions {
        text(format!("the title of action {}", action.name), &action.title, MAX_TITLE, true);
        text(format!("the description of action {}", action.name), &action.description, 4000, false);
    }
    if descriptor.actions.is_empty() && descriptor.streams.is_empty() {
        check.found("it has neither actions nor streams");
    }
    check
}

/// It is given no secret.
pub(super) fn secrets(descriptor: &Descriptor) -> Check {
    let mut check = Check::new("no-secret-asked", "It asks nobody for a secret: credentials are the host's to attach");
    let inputs = descriptor.actions.iter().map(|action| (format!("the input of {}", action.name), &action.input));
    let all = std::iter::once(("the configuration".to_owned(), &descriptor.configuration)).chain(inputs);
    for (what, schema) in all {
        check.tried += 1;
        let mut named = Vec::new();
        members(schema, 0, &mut named);
        for name in named {
            let plain_name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            if SECRETS.contains(&plain_name.as_str()) {
                check.found(format!("{what} has `{}`, which is called like a secret", plain(&name)));
            }
        }
    }
    check
}

/// Names of all members that a schema has anywhere. What undoes has the requests of what it undoes in it, as they were.
fn members(schema: &Value, depth: usize, named: &mut Vec<String>) {
    if depth > 32 {
        return;
    }
    match schema {
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                if keyword == "properties" {
                    named.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
                }
                members(value, depth + 1, named);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, depth + 1, named)),
        _ => {}
    }
}

/// What a host takes on with it.
pub(super) fn size(component: &Component) -> Check {
    let mut check = Check::new("size", "It is no burden to a host: size, memory and instances to begin with");
    check.tried = 3;
    let found = &component.inspection;
    if found.size > MAX_SIZE {
        check.found(format!("it has {} MiB; at most {} MiB", found.size >> 20, MAX_SIZE >> 20));
    }
    if found.memory > MAX_MEMORY {
        check.found(format!(
            "it begins with {} MiB of memory; at most {} MiB, the default of limits.memory",
            found.memory >> 20,
            MAX_MEMORY >> 20
        ));
    }
    if found.core_instances > MAX_INSTANCES {
        check.found(format!("a call has {} core instances; at most {MAX_INSTANCES}", found.core_instances));
    }
    check
}
