//! JSON from outside becomes types; what does not fit is refused with the path of the field.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::json;

use crate::Failure;

/// Parses `text`; `what` is how the failure calls it (`input`, `configuration`).
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| misfit(text, what, &error))
}

#[cold]
fn misfit(text: &str, what: &str, error: &serde_json::Error) -> Failure {
    let path = path_at(text, error.line(), error.column());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Failure::rejected(format!("{what}{path}: {message}")).details(json!({ "path": path }))
}

/// Where in the document an error is, as `.lines[2].amount`. serde_json says it as line and column, the byte after the
/// value or key that did not fit. Following the brackets up to there costs nothing in calls that succeed, unlike
/// carrying the path through every deserializer. Line 0 means that serde does not know: then the path is empty.
fn path_at(text: &str, line: usize, column: usize) -> String {
    enum Inside<'a> {
        Object { key: Option<&'a str> },
        Array { index: usize },
    }
    let Some(line) = line.checked_sub(1).and_then(|line| text.split_inclusive('\n').nth(line)) else {
        return String::new();
    };
    let end = line.as_ptr() as usize - text.as_ptr() as usize + column.min(line.len());
    let bytes = text.as_bytes();
    let mut inside = Vec::new();
    let mut at = 0;
    while at < end {
        match bytes[at] {
            b'{' => inside.push(Inside::Object { key: None }),
            b'[' => inside.push(Inside::Array { index: 0 }),
            b'}' | b']' => drop(inside.pop()),
            b',' => match inside.last_mut() {
                Some(Inside::Object { key }) => *key = None,
                Some(Inside::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let start = at + 1;
                at = start;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if let Some(Inside::Object { key: key @ None }) = inside.last_mut() {
                    *key = text.get(start..at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    inside.iter().fold(String::new(), |mut path, inside| {
        let written = match inside {
            Inside::Object { key: Some(key) } => write!(path, ".{key}"),
            Inside::Object { key: None } => Ok(()),
            Inside::Array { index } => write!(path, "[{index}]"),
        };
        written.expect("writing into a String does not fail");
        path
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Invoice {
        customer: String,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Line {
        amount: u32,
    }

    #[test]
    fn names_the_field_that_does_not_fit() {
        for (text, reason) in [
            (r#"{"customer": 7}"#, "input.customer: invalid type: integer `7`, expected a string"),
            (
                r#"{"customer": "a\"{[", "lines": [{"amount": 1}, {"amount": "x"}]}"#,
                "input.lines[1].amount: invalid type: string \"x\", expected u32",
            ),
            ("{\"customer\": \"ä\",\n \"lines\": [\n {}\n]}", "input.lines[0]: missing field `amount`"),
            (r#"{"lines": []}"#, "input: missing field `customer`"),
            (r#"{"customer": "a", "line": []}"#, "input.line: unknown field `line`, expected `customer` or `lines`"),
            (r#"{"customer": "a""#, "input.customer: EOF while parsing an object"),
        ] {
            let failure = super::parse::<Invoice>(text, "input").expect_err("none of these fits");
            assert_eq!(failure.reason, reason);
        }
    }
}
