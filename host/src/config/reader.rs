//! What the reading of one file shares: it collects what is wrong instead of stopping at it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::DeValue;

use super::model::ComponentSource;
use super::outside::Outside;
use super::problems::{FileText, Problem, Severity, did_you_mean};

/// What the reading of one file shares.
pub(super) struct Reader<'a> {
    pub(super) source: &'a FileText,
    /// Folder that relative paths are relative to, absolute.
    pub(super) base: &'a Path,
    pub(super) outside: &'a Outside<'a>,
    pub(super) problems: Vec<Problem>,
    /// Byte ranges that hold a secret in clear text: never shown.
    pub(super) hidden: Vec<Range<usize>>,
    /// Components and where they are named.
    pub(super) components: Vec<(ComponentSource, Range<usize>)>,
    /// Schema files by the path that is written, each as one line of JSON: they become part of the revision.
    pub(super) schemas: BTreeMap<String, String>,
    /// Files of templates by the path that is written: they become part of the revision.
    pub(super) templates: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a FileText, base: &'a Path, outside: &'a Outside<'a>) -> Self {
        Self {
            source,
            base,
            outside,
            problems: Vec::new(),
            hidden: Vec::new(),
            components: Vec::new(),
            schemas: BTreeMap::new(),
            templates: BTreeMap::new(),
        }
    }
}

impl Reader<'_> {
    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.problem(span, Severity::Error, message)
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.problem(span, Severity::Warning, message)
    }

    /// A name that refers to nothing, with the near one.
    pub(super) fn unknown<'c>(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) {
        self.error(span, message).help = did_you_mean(word, candidates);
    }

    /// A file path of the configuration, made absolute.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    fn problem(&mut self, span: &Range<usize>, severity: Severity, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::at(self.source, span, severity, message));
        self.problems.last_mut().expect("the problem was pushed a line above")
    }
}

/// The JSON for a TOML value. Numbers keep their digits, dates become strings; infinities are a mistake.
pub(super) fn json(r: &mut Reader<'_>, span: &Range<usize>, value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Integer(number) => match decimal(number.as_str(), number.radix()) {
            Some(number) => Value::Number(number),
            None => {
                r.error(span, format!("`{number}` is too large"));
                return None;
            }
        },
        DeValue::Float(number) => match decimal(number.as_str(), 10) {
            Some(number) => Value::Number(number),
            None => {
                r.error(span, format!("`{}` can't be written in JSON", number.as_str()));
                return None;
            }
        },
        DeValue::Array(array) => {
            let items: Vec<Option<Value>> = array.iter().map(|item| json(r, &item.span(), item.get_ref())).collect();
            Value::Array(items.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let members: Vec<Option<(String, Value)>> = table
                .iter()
                .map(|(key, item)| Some((key.get_ref().clone().into_owned(), json(r, &item.span(), item.get_ref())?)))
                .collect();
            Value::Object(members.into_iter().collect::<Option<_>>()?)
        }
    })
}

/// A JSON number with the digits of the file: `10.10` stays `10.10`.
fn decimal(text: &str, radix: u32) -> Option<serde_json::Number> {
    let text = if radix == 10 { text.trim_start_matches('+').to_owned() } else { u128::from_str_radix(text, radix).ok()?.to_string() };
    serde_json::from_str(&text).ok()
}
