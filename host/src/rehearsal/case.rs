//! A case: one call of an action, or one read of a stream, the exchanges it leads to, and what is to come of it. One JSON file each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest case file.
const MAX_CASE: u64 = 8 << 20;
/// Most cases of a project.
const MAX_CASES: usize = 10_000;

/// See `case.schema.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Of the file, without `.json`.
    #[serde(skip)]
    pub name: String,
    /// For editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Which action; empty where a stream is read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// Which stream, and from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollCase>,
    /// Of the plugin.
    #[serde(default = "object")]
    pub configuration: Value,
    /// Of the action.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub input: Value,
    /// What else is around the call.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// What a step of it says of writes in doubt.
    #[serde(default, skip_serializing_if = "OnDoubt::is_resend")]
    pub on_doubt: OnDoubt,
    /// What the systems are asked and answer.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    /// What they are asked and answer when it is undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo_exchanges: Vec<Exchange>,
    /// What is to come of it.
    #[serde(default)]
    pub expect: Expectation,
}

/// `on-doubt` of the steps that are played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDoubt {
    /// Sent again.
    #[default]
    Resend,
    /// A person decides: of a system that neither recognises a repetition nor can be asked. All cases of the action are played so.
    Hold,
}

impl OnDoubt {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_resend(&self) -> bool {
        *self == OnDoubt::Resend
    }
}

fn object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// One read of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollCase {
    /// Its name.
    pub stream: String,
    /// Where the page before ended: text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Value>,
    /// Where the first page begins, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Where a backfill ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Most events wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is around the call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Attributes of the event; its data is the input.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub event: serde_json::Map<String, Value>,
    /// Start of the step's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Timestamp>,
    /// The plugin's key-value space: text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_value: BTreeMap<String, Value>,
    /// Most attempts; one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

impl Context {
    fn is_empty(&self) -> bool {
        self.event.is_empty() && self.clock.is_none() && self.key_value.is_empty() && self.attempts.is_none()
    }
}

/// One request and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What is asked.
    pub request: ExpectedRequest,
    /// What the system answers…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<GivenResponse>,
    /// …or why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<NoAnswer>,
    /// It need not be asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// It is answered so once the write of that name was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The system takes a repetition for what it is, and does nothing twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<bool>,
    /// How often it is asked.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

/// A request as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRequest {
    /// HTTP method.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Those that count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Text as it is, anything else as JSON; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Name of a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenResponse {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoAnswer {
    /// Broken off after the request was sent.
    Reset,
    /// None in time.
    Timeout,
    /// Never connected.
    Refused,
}

/// What is to come of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The output, whole. Neither this nor a failure: whatever output.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Value>,
    /// How it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ExpectedFailure>,
    /// Lines of the log, in this order among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<Value>>,
    /// Events brought in, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Value>>,
    /// Values of keys afterwards; null: the key is not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_value: BTreeMap<String, Value>,
    /// Of a poll: where the next one starts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub cursor: Option<Value>,
    /// Of a poll: whether there is more now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// Of a poll: everything that is set aside, `data` and `reason`; members that are given must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Vec<Value>>,
}

/// `null` is an output too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How it fails.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailure {
    /// `retry`, `rate-limited`, `unauthorized`, `rejected`, `invalid-input`, …
    pub kind: String,
    /// Text within the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// Why a case can't be played. Already readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CaseError(pub String);

/// The cases of a folder.
#[derive(Debug, Default)]
pub struct FoundCases {
    /// In the order of their names.
    pub cases: Vec<Case>,
    /// What can't be read, each with its file.
    pub errors: Vec<CaseError>,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(name: &str, text: &str, file: &str) -> Result<Case, CaseError> {
        let mut case: Case = serde_json::from_str(text)
            .map_err(|error| CaseError(format!("{file}:{}:{}: error: {}", error.line(), error.column(), without_place(&error))))?;
        case.name = name.to_owned();
        for exchange in case.exchanges.iter().chain(&case.undo_exchanges) {
            if exchange.response.is_some() == exchange.fault.is_some() {
                let request = &exchange.request;
                return Err(CaseError(format!(
                    "{file}: error: exchange {} {} needs either a `response` or a `fault`",
                    request.method, request.url
                )));
            }
        }
        if case.poll.is_some() != case.action.is_empty() {
            return Err(CaseError(format!("{file}: error: a case has either an `action` with its `input` or a `poll`")));
        }
        let of_a_page = case.expect.cursor.is_some() || case.expect.more.is_some() || case.expect.set_aside.is_some();
        if case.poll.is_none() && of_a_page {
            return Err(CaseError(format!("{file}: error: `cursor`, `more` and `set_aside` come of a `poll`, not of an action")));
        }
        if case.poll.is_some() && (case.expect.output.is_some() || !case.input.is_null() || !case.undo_exchanges.is_empty()) {
            return Err(CaseError(format!("{file}: error: a `poll` has neither `input` nor `output`, and is not undone")));
        }
        if case.expect.output.is_some() && case.expect.failure.is_some() {
            return Err(CaseError(format!("{file}: error: `expect` has an `output` and a `failure`; one call ends one way")));
        }
        Ok(case)
    }

    /// Reads the cases of a project: `FOLDER/*.json`.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn all(folder: &Path) -> Result<FoundCases, CaseError> {
        let failed = |error: std::io::Error| CaseError(format!("can't read {}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
                files.push(path);
            }
        }
        if files.len() > MAX_CASES {
            return Err(CaseError(format!("{} has more than {MAX_CASES} cases", folder.display())));
        }
        files.sort();
        let mut found = FoundCases::default();
        for file in files {
            match Case::read(&file) {
                Ok(case) => found.cases.push(case),
                Err(error) => found.errors.push(error),
            }
        }
        Ok(found)
    }

    fn read(file: &Path) -> Result<Case, CaseError> {
        let failed = |error: &dyn std::fmt::Display| CaseError(format!("{}: error: {error}", file.display()));
        let size = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
        if size > MAX_CASE {
            return Err(failed(&format!("it is larger than {MAX_CASE} bytes")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Case::parse(&name, &text, &file.display().to_string())
    }

    /// Origins of its exchanges: what the plugin is granted besides what it asks for.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        let urls = self.exchanges.iter().chain(&self.undo_exchanges).map(|exchange| &exchange.request.url);
        urls.filter_map(|url| Some(url::Url::parse(url).ok()?.origin().ascii_serialization()))
    }

    /// Names that are spelled `${key:NAME}` anywhere, or under which something is written.
    pub fn names(&self) -> Vec<String> {
        let text = serde_json::to_string(self).unwrap_or_default();
        let spelled = text.split("${key:").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
        let exchanges = self.exchanges.iter().chain(&self.undo_exchanges);
        let mut names: Vec<String> = spelled.chain(exchanges.filter_map(|exchange| exchange.request.name.clone())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The action, or the stream.
    pub fn what(&self) -> &str {
        self.poll.as_ref().map_or(&self.action, |poll| &poll.stream)
    }

    /// It says that the call succeeds.
    pub fn succeeds(&self) -> bool {
        self.expect.failure.is_none()
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_case_in_the_tree_is_as_the_published_schema_says() {
        let schema: Value = serde_json::from_str(crate::rehearsal::CASE_SCHEMA).expect("JSON");
        let schema = Schema::compile(&schema).expect("a schema");
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let mut seen = 0;
        for plugin in std::fs::read_dir(plugins).expect("the connectors").filter_map(Result::ok) {
            let folder = plugin.path().join("tests");
            let Ok(files) = std::fs::read_dir(&folder) else { continue };
            for file in
                files.filter_map(Result::ok).map(|file| file.path()).filter(|file| file.extension().is_some_and(|end| end == "json"))
            {
                let text = std::fs::read_to_string(&file).expect("a case");
                let value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(schema.check(&value), [], "{}", file.display());
                Case::parse("case", &text, "case.json").expect("a case");
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} cases");
    }

    #[test]
    fn a_case_that_says_two_things_is_refused() {
        let case = |expect: &str, exchange: &str| {
            let text = format!(
                r#"{{"action":"a","input":{{}},"exchanges":[{{"request":{{"method":"GET","url":"https://a.example"}}{exchange}}}],"expect":{expect}}}"#
            );
            Case::parse("case", &text, "case.json").map_err(|error| error.0)
        };
        assert!(case("{}", r#","response":{"status":200}"#).is_ok());
        let neither = case("{}", "").expect_err("neither");
        assert_eq!(neither, "case.json: error: exchange GET https://a.example needs either a `response` or a `fault`");
        let both = case(r#"{"output":null,"failure":{"kind":"retry"}}"#, r#","fault":"reset""#).expect_err("both");
        assert!(both.ends_with("one call ends one way"), "{both}");
        let page = case(r#"{"more":true}"#, r#","response":{"status":200}"#).expect_err("an action has no page");
        assert!(page.contains("come of a `poll`"), "{page}");
        let neither = Case::parse("case", r#"{"expect":{}}"#, "case.json").expect_err("neither").0;
        assert!(neither.contains("either an `action` with its `input` or a `poll`"), "{neither}");
        let poll = r#"{"poll":{"stream":"leave","cursor":{"n":1}},"expect":{"events":[],"more":false,"cursor":{"n":2},"set_aside":[]}}"#;
        assert!(Case::parse("case", poll, "case.json").is_ok());
        let unknown = case(r#"{"outputs":1}"#, r#","fault":"reset""#).expect_err("unknown");
        assert!(unknown.contains("case.json:1:") && unknown.contains("unknown field `outputs`"), "{unknown}");
    }
}
