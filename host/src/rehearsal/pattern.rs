//! Texts with placeholders: `${key:NAME}`, `${key}`, `${now}`, `${uuid}`, `${any}`.

use jiff::Timestamp;
use regex::Regex;

use crate::attempt::write_key;

/// Characters of a key.
const KEY_LENGTH: usize = 36;
/// Most generations of a key that are recognised.
const GENERATIONS: u32 = 8;

/// What placeholders stand for in one run.
#[derive(Debug, Clone)]
pub struct Placeholders {
    /// Keys, each with how it is spelled. The first of a name is its first generation's.
    keys: Vec<(String, String)>,
    now: Timestamp,
}

impl Placeholders {
    /// Those of a run with that root and clock; `names`: of which keys are known. An undo's keys are spelled `${key:NAME}` too.
    pub fn new(root: &str, step: &str, names: &[String], now: Timestamp) -> Placeholders {
        let mut keys = vec![(write_key(root, step, None, 0), "${key}".to_owned())];
        for step in [step.to_owned(), crate::run::undo_name(step)] {
            for name in names {
                for generation in 0..GENERATIONS {
                    keys.push((write_key(root, &step, Some(name), generation), format!("${{key:{name}}}")));
                }
            }
        }
        Placeholders { keys, now }
    }

    /// A text of the plugin with its keys as they are spelled in cases.
    pub fn spelled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.len() < KEY_LENGTH {
            return text;
        }
        for (key, spelled) in &self.keys {
            if text.contains(key.as_str()) {
                text = text.replace(key.as_str(), spelled);
            }
        }
        text
    }

    /// A text of a case with its placeholders filled in.
    pub fn filled(&self, text: &str) -> String {
        if !text.contains("${") {
            return text.to_owned();
        }
        let mut text = text.replace("${now}", &self.now.to_string());
        for (key, spelled) in &self.keys {
            if text.contains(spelled.as_str()) {
                text = text.replace(spelled.as_str(), key);
            }
        }
        text
    }

    /// Whether a text of the plugin is as a case has it.
    pub fn fits(&self, expected: &str, actual: &str) -> bool {
        let actual = self.spelled(actual);
        if expected == actual {
            return true;
        }
        let wild = [("${any}", ".*"), ("${uuid}", UUID), ("${now}", TIME)];
        if !wild.iter().any(|(placeholder, _)| expected.contains(placeholder)) {
            return false;
        }
        let mut pattern = regex::escape(expected);
        for (placeholder, expression) in wild {
            pattern = pattern.replace(&regex::escape(placeholder), expression);
        }
        Regex::new(&format!("(?s)^{pattern}$")).is_ok_and(|pattern| pattern.is_match(&actual))
    }
}

const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
/// RFC 3339, or seconds (with a fraction) or milliseconds since 1970.
const TIME: &str =
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?|[0-9]{9,14}(?:\.[0-9]+)?)";

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders() -> Placeholders {
        let now = "2026-11-27T16:00:00Z".parse().expect("a time");
        Placeholders::new("root", "do", &["invoice".to_owned()], now)
    }

    #[test]
    fn keys_are_known_by_their_names_in_every_generation() {
        let known = placeholders();
        for generation in [0, 1, 5] {
            let key = write_key("root", "do", Some("invoice"), generation);
            assert!(known.fits("https://a.example/x?requestid=${key:invoice}", &format!("https://a.example/x?requestid={key}")));
        }
        assert_eq!(known.filled("[${key:invoice}]"), format!("[{}]", write_key("root", "do", Some("invoice"), 0)));
        assert!(!known.fits("${key:invoice}", &write_key("root", "do", Some("other"), 0)));
    }

    #[test]
    fn what_varies_has_a_placeholder() {
        let known = placeholders();
        assert!(known.fits("since ${now} (${uuid})", "since 2026-11-27T16:00:00.000001Z (00000000-0000-4000-8000-00000000000a)"));
        assert!(known.fits("${now}", "1795795200000") && !known.fits("${now}", "soon"));
        assert!(known.fits("a${any}c", "a.b\nc") && !known.fits("a${any}c", "ab"));
        assert!(!known.fits("a.c", "abc"), "nothing but placeholders is a pattern");
    }
}
