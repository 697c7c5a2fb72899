//! What only the host says in an event. Routes trust it: a source `/plugins/NAME` is a plugin of that name, and nobody else.

use super::{Event, EventError};

/// Sources that the host gives to what plugins, sources and routes bring in, and to its own events.
pub const RESERVED: [&str; 4] = ["/plugins", "/sources", "/routes", "/sangam"];
/// How the types of the host's own events begin.
const TYPES: &str = "sangam.";
/// How the names of its own extension attributes begin.
const EXTENSIONS: &str = "sangam";

impl Event {
    /// Whether a sender may say all that it says.
    ///
    /// # Errors
    /// [`EventError::Reserved`] names what it may not.
    pub fn check_sent(&self) -> Result<(), EventError> {
        let reserved = |source: &str| {
            let source = plain_form(source);
            RESERVED.iter().any(|own| source.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        if reserved(&self.source) {
            return Err(EventError::Reserved { name: "source".to_owned(), value: self.source.clone() });
        }
        self.check_emitted()
    }

    /// Whether a plugin, whose source the host has set, may say the rest.
    ///
    /// # Errors
    /// [`EventError::Reserved`] names what it may not.
    pub fn check_emitted(&self) -> Result<(), EventError> {
        if plain_form(&self.event_type).starts_with(TYPES) {
            return Err(EventError::Reserved { name: "type".to_owned(), value: self.event_type.clone() });
        }
        match self.extensions.iter().find(|(name, _)| name.starts_with(EXTENSIONS)) {
            Some((name, value)) => Err(EventError::Reserved { name: name.clone(), value: value.to_string() }),
            None => Ok(()),
        }
    }
}

/// In lower case, without percent-encoding: other spellings of a reserved name are reserved too.
fn plain_form(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sender_says_nothing_in_the_name_of_the_host() {
        let event = |source: &str, kind: &str, extension: &str| {
            let value = json!({ "specversion": "1.0", "id": "1", "source": source, "type": kind, extension: "x" });
            Event::from_structured(value).expect("a CloudEvent")
        };
        for source in [
            "/plugins/crm",
            "/plugins",
            "/Plugins/crm",
            "/%70lugins/crm",
            "/plugins%2Fcrm",
            "/sources/hook",
            "/routes/r",
            "/sangam",
            "/sangam/x",
            "/SANGAM",
        ] {
            let error = event(source, "t", "ext").check_sent().expect_err(source);
            assert!(error.to_string().contains(source), "{error}");
        }
        for source in
            ["/plugins-of-mine", "/field-service", "plugins/crm", "https://acme.example/plugins/crm", "/my/plugins/x", "/sangamon", "%"]
        {
            assert_eq!(event(source, "t", "ext").check_sent(), Ok(()), "{source}");
        }
        for (kind, extension) in [("sangam.credential.broken", "ext"), ("Sangam.x", "ext"), ("t", "sangamhops"), ("t", "sangam")] {
            assert!(event("/s", kind, extension).check_sent().is_err(), "{kind} {extension}");
            assert!(event("/plugins/crm", kind, extension).check_emitted().is_err(), "{kind} {extension}");
        }
        assert_eq!(event("/plugins/crm", "job.completed", "traceparent").check_emitted(), Ok(()));
    }
}
