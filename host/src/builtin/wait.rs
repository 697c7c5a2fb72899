//! What `sangam.wait` waits for, read from its input; and which of the events that arrive can be the one at all. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::config::{self, AwaitedEvent};
use crate::mapping::Expr;

/// Most types of events that one step waits for.
pub const MAX_TYPES: usize = 16;

/// A wait as its input says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// Until when at the latest; `None`: until its event comes.
    pub until: Option<Timestamp>,
    /// The event that ends it.
    pub event: Option<AwaitedEvent>,
}

impl Pause {
    /// Reads the input of the step. It fits the schema.
    ///
    /// # Errors
    /// What is wrong with it, one sentence.
    pub fn of(input: &Value, now: Timestamp) -> Result<Pause, String> {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let duration = |name: &str| text(name).map(|text| duration(name, text)).transpose();
        if let Some(length) = duration("for")? {
            return Ok(Pause { until: Some(later(now, length)), event: None });
        }
        if let Some(until) = text("until") {
            let time: Timestamp = until.parse().map_err(|_| {
                format!("`until` is {until:?}; it must be a time with its offset, such as \"2026-12-01T08:00:00+01:00\" (RFC 3339)")
            })?;
            return Ok(Pause { until: Some(time), event: None });
        }
        let Some(event) = input.get("event") else { return Err("nothing to wait for: give `for`, `until` or `event`".to_owned()) };
        let until = duration("timeout")?.map(|timeout| later(now, timeout));
        Ok(Pause { until, event: Some(AwaitedEvent::of(event)?) })
    }
}

impl AwaitedEvent {
    /// `{type, where}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(event: &Value) -> Result<AwaitedEvent, String> {
        let types: Vec<String> = match event.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return Err("`event` needs the `type` that is waited for".to_owned()),
        };
        if types.is_empty() || types.len() > MAX_TYPES {
            return Err(format!("`type` has 1 to {MAX_TYPES} types, and here are {}", types.len()));
        }
        if let Some(pattern) = types.iter().find(|kind| kind.contains('*') || kind.is_empty()) {
            return Err(format!("`type` is compared exactly, and {pattern:?} is no type"));
        }
        let condition = event.get("where").and_then(Value::as_str).map(str::to_owned);
        if let Some(condition) = &condition {
            where_expression(condition)?;
        }
        Ok(AwaitedEvent { types, condition })
    }
}

/// Compiles a `where`.
///
/// # Errors
/// What is wrong with it, one sentence.
pub fn where_expression(text: &str) -> Result<Expr, String> {
    Expr::compile(text).map_err(|error| format!("`where` does not compile: {}", error.message))
}

fn duration(name: &str, text: &str) -> Result<Duration, String> {
    config::parse_duration(text).map_err(|why| format!("`{name}`: {why}"))
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// An equation that a `where` contains: some value of the arriving event equals one that is known while the run waits. Whoever looks for the waits that
/// an event may end asks an index for it, instead of every wait of the event's type.
///
/// Seen in a `where` that joins comparisons with `and`, where one side of an `==` is a plain path such as `.event.data.id`, and the other one a plain
/// path into `.run` or `.steps`. Any other `where` is right too; it is asked for each event of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// Into the arriving event, a JSON pointer.
    pub path: String,
    /// Into what the run knows (`{run, steps}`), a JSON pointer.
    pub own: String,
}

impl Matching {
    /// Finds the first such equation.
    pub fn of(condition: &str) -> Option<Matching> {
        let tokens = tokens(condition)?;
        let mut found = None;
        for comparison in tokens.split(|token| *token == Token::And) {
            match comparison {
                [Token::Path(left), Token::Equals, Token::Path(right)] => {
                    let pair = match (left.first()?.as_str(), right.first()?.as_str()) {
                        ("event", "run" | "steps") => Some((left, right)),
                        ("run" | "steps", "event") => Some((right, left)),
                        _ => None,
                    };
                    found = found.or_else(|| pair.map(|(event, own)| Matching { path: pointer(&event[1..]), own: pointer(own) }));
                }
                [Token::Path(_) | Token::Value] => {}
                [Token::Path(_) | Token::Value, Token::Equals | Token::Compares, Token::Path(_) | Token::Value] => {}
                _ => return None,
            }
        }
        found
    }
}

/// What an equation compares, as it is stored: two values that jq finds equal have the same digest. It is made with a secret of the store, so that no
/// personal data can be guessed from it. `None`: arrays and objects, which are not looked up.
pub fn digest(secret: &[u8; 32], value: &Value) -> Option<String> {
    let plain = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        // jq finds 1 and 1.0 equal.
        Value::Number(number) => format!("n{:?}", number.to_string().parse::<f64>().ok()? + 0.0),
        Value::String(text) => format!("s{text}"),
        Value::Array(_) | Value::Object(_) => return None,
    };
    let mut hasher = Sha256::new();
    hasher.update(b"sangam wait\n");
    hasher.update(secret);
    hasher.update(plain);
    Some(hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The value at a pointer as jq sees it: null where there is none. `None`: jq would fail on the way.
pub fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    const NULL: &Value = &Value::Null;
    let mut value = value;
    for token in pointer.split('/').skip(1) {
        value = match value {
            Value::Object(members) => members.get(&token.replace("~1", "/").replace("~0", "~")).unwrap_or(NULL),
            Value::Null => NULL,
            _ => return None,
        };
    }
    Some(value)
}

fn pointer(names: &[String]) -> String {
    names.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

/// What an equation is looked for in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `.a.b["c"]`
    Path(Vec<String>),
    /// A string, a number, `true`, `false`, `null`.
    Value,
    Equals,
    /// `!=`, `<`, `<=`, `>`, `>=`.
    Compares,
    And,
}

/// `None`: something else stands there, and nothing is said of it.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) =
            if let Some(operator) = ["==", "!=", "<=", ">=", "<", ">"].iter().find(|operator| rest.starts_with(**operator)) {
                (if *operator == "==" { Token::Equals } else { Token::Compares }, operator.len())
            } else if first == '.' {
                let (names, length) = path(rest)?;
                (Token::Path(names), length)
            } else if first == '"' {
                (Token::Value, string(rest)?.1)
            } else {
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                match &rest[..length] {
                    "and" => (Token::And, length),
                    "true" | "false" | "null" => (Token::Value, length),
                    word if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) => (Token::Value, length),
                    _ => return None,
                }
            };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// `.a.b["c"]` at the start of a text: its names, and its length.
fn path(text: &str) -> Option<(Vec<String>, usize)> {
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let bracket = if rest.starts_with(".[\"") { 2 } else { 1 };
        if rest.starts_with("[\"") || rest.starts_with(".[\"") {
            let (name, length) = string(&rest[bracket..])?;
            at += bracket + length;
            at += text[at..].starts_with(']').then_some(1)?;
            names.push(name);
        } else if let Some(name) = rest.strip_prefix('.') {
            let length = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
            if length == 0 || name.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            names.push(name[..length].to_owned());
            at += 1 + length;
        } else {
            break;
        }
    }
    // `.a[0]`, `.a?` and the like are something else.
    let next = text[at..].chars().next();
    let ends = next.is_none_or(|next| next.is_whitespace() || matches!(next, '=' | '!' | '<' | '>'));
    (ends && !names.is_empty()).then_some((names, at))
}

/// A string without escapes at the start of a text: its content, and its length with the quotes.
fn string(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('"')?;
    let end = inner.find('"')?;
    let content = &inner[..end];
    (!content.contains('\\')).then(|| (content.to_owned(), end + 2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(condition: &str) -> Option<(String, String)> {
        Matching::of(condition).map(|matching| (matching.path, matching.own))
    }

    #[test]
    fn an_equation_is_found_where_there_is_one_and_nowhere_else() {
        let pair = |path: &str, own: &str| Some((path.to_owned(), own.to_owned()));
        assert_eq!(found(".event.subject == .run.event.subject"), pair("/subject", "/run/event/subject"));
        assert_eq!(found(".run.event.data.id==.event.data.id"), pair("/data/id", "/run/event/data/id"));
        assert_eq!(
            found(".event.data.status == \"paid\" and .event.data[\"the-id\"] == .steps[\"make-it\"].output.id and .event.data.sum > 10"),
            pair("/data/the-id", "/steps/make-it/output/id")
        );
        assert_eq!(found(".event.data.a/b == .run.event.x"), None, "a division is none");
        for other in [
            "",
            "true",
            ".event.data.id",
            ".event.data.id == \"x\"",
            ".event.a == .event.b",
            ".event.a == .run.event.a or true",
            "(.event.a == .run.event.a) | not",
            ".event.a == .run.event.a | not",
            ".event.a == .run.event.a, true",
            ".event.a[0] == .run.event.a",
            ".event.a? == .run.event.a",
            ".event.a == .run.event.a // true",
            ".event.a == -1 and .event.b == .run.event.b",
            ".event.\"a\" == .run.event.a",
            "not == .run.event.a",
            ".event.a == .run.event.a == true",
            ".event.a != .run.event.a",
            ".event.a == (.run.event.a)",
            "# .event.a == .run.event.a",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn values_that_jq_finds_equal_have_one_digest() {
        let secret = [7; 32];
        let of = |value: Value| digest(&secret, &value);
        assert_eq!(of(json!(1)), of(json!(1.0)));
        assert_eq!(of(json!(0)), of(json!(-0.0)));
        assert_ne!(of(json!(1)), of(json!("1")));
        assert_ne!(of(json!(null)), of(json!("null")));
        assert_ne!(of(json!(true)), of(json!("true")));
        assert_ne!(of(json!("a")), digest(&[8; 32], &json!("a")), "nobody without the store's secret can make it");
        assert_eq!((of(json!([1])), of(json!({}))), (None, None));
    }

    #[test]
    fn a_path_is_followed_as_jq_does() {
        let event = json!({ "data": { "a/b": { "c": 1 } }, "subject": "s" });
        assert_eq!(at(&event, "/data/a~1b/c"), Some(&json!(1)));
        assert_eq!(at(&event, "/data/x/y"), Some(&json!(null)));
        assert_eq!(at(&event, "/subject/x"), None);
    }

    #[test]
    fn a_wait_is_read_from_its_input() {
        let now = Timestamp::UNIX_EPOCH;
        let until = |input: Value| Pause::of(&input, now).map(|pause| pause.until);
        assert_eq!(until(json!({ "for": "2h" })), Ok(Some(now + SignedDuration::from_hours(2))));
        assert_eq!(until(json!({ "until": "1970-01-01T03:00:00+01:00" })), Ok(Some(now + SignedDuration::from_hours(2))));
        assert_eq!(until(json!({ "event": { "type": "t" } })), Ok(None));
        assert_eq!(until(json!({ "event": { "type": ["t", "u"] }, "timeout": "1d" })), Ok(Some(now + SignedDuration::from_hours(24))));
        for (input, part) in [
            (json!({ "for": "soon" }), "`for`"),
            (json!({ "until": "tomorrow" }), "RFC 3339"),
            (json!({ "until": "2026-12-01T08:00:00" }), "offset"),
            (json!({ "event": { "type": "invoice.*" } }), "exactly"),
            (json!({ "event": { "type": "t", "where": ".event." } }), "`where` does not compile"),
            (json!({}), "nothing to wait for"),
        ] {
            let why = Pause::of(&input, now).expect_err("refused");
            assert!(why.contains(part), "{why}");
        }
    }
}
