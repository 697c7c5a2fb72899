//! jq in the file: compiled, with the place of a mistake inside the TOML string.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use super::item::{Item, Text};
use super::position::within_string;
use super::problems::did_you_mean;
use super::reader::{Reader, json};
use crate::mapping::{Expr, Template};

/// Compiles a whole expression: `when`, `order-by`.
pub(super) fn expression(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<Expr>> {
    let text = item.text(r)?;
    if let Some(inner) = text.value.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        r.error(&text.span, format!("`{}` is an expression as a whole and needs no ${{ … }}", item.name)).help(format!(
            "write {} = '{}'",
            item.name,
            inner.trim()
        ));
        return None;
    }
    match Expr::compile(text.value) {
        Ok(expr) => Some(Arc::new(expr)),
        Err(error) => {
            let span = within_string(r.source.text(), &text.span, text.value, &error.range);
            r.error(&span, format!("this expression does not compile: {}", error.message));
            None
        }
    }
}

/// Compiles the expressions within a `with`.
pub(super) fn template(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<Template>> {
    let value = json(r, &item.span, item.value)?;
    match Template::compile(&value) {
        Ok(template) => Some(Arc::new(template)),
        Err(errors) => {
            for error in errors {
                let (span, text) = descend(item.span.clone(), item.value, &error.pointer);
                let span = match text {
                    Some(text) => within_string(r.source.text(), &span, text, &error.range),
                    None => span,
                };
                r.error(&span, format!("this expression does not compile: {}", error.message));
            }
            None
        }
    }
}

/// The place a JSON pointer leads to, with the text that stands there.
fn descend<'t>(span: Range<usize>, value: &'t DeValue<'t>, pointer: &str) -> (Range<usize>, Option<&'t str>) {
    let (mut span, mut value) = (span, value);
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = match value {
            DeValue::Table(table) => table.get(token.as_str()),
            DeValue::Array(array) => token.parse().ok().and_then(|index: usize| array.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        (span, value) = (next.span(), next.get_ref());
    }
    (span, value.as_str())
}

/// Warns where an expression reads a step that the route lacks, or one that need not have run before.
///
/// A warning, since this looks at the text: the same letters may stand in a jq string.
pub(super) fn check_steps_read(r: &mut Reader<'_>, text: &Text<'_>, steps: &[String], before: Option<&[bool]>) {
    for (range, name) in steps_read(text.value) {
        let found = steps.iter().position(|step| *step == name);
        let available = found.is_some_and(|index| before.is_none_or(|before| before[index]));
        if available {
            continue;
        }
        let span = within_string(r.source.text(), &text.span, text.value, &range);
        if steps.is_empty() {
            r.warn(&span, format!("no step has run yet when this is asked, so that `{name}` has no output"));
            continue;
        }
        if found.is_some() {
            r.warn(&span, format!("step `{name}` need not have run before this, so that its output may be null"))
                .help(format!("add \"{name}\" to `needs`"));
            continue;
        }
        // `.steps.send-invoice` is a subtraction in jq, the mistake people make most.
        let rest = &text.value[range.end..];
        let hyphenated =
            steps.iter().find(|step| step.strip_prefix(&name).is_some_and(|tail| tail.starts_with('-') && rest.starts_with(tail)));
        let help = match hyphenated {
            Some(step) => Some(format!("`-` subtracts in jq: write .steps[\"{step}\"]")),
            None => did_you_mean(&name, steps.iter().map(String::as_str)),
        };
        r.warn(&span, format!("there is no step `{name}` in this route")).help = help;
    }
}

/// The names after `.steps.` and in `.steps["…"]`, with their places.
fn steps_read(text: &str) -> Vec<(Range<usize>, String)> {
    const PATH: &str = ".steps";
    let mut found = Vec::new();
    for (at, _) in text.match_indices(PATH) {
        // `.event.data.steps` is not the run's `.steps`.
        let continues = |c: char| c.is_alphanumeric() || matches!(c, '_' | ']' | ')' | '?' | '"' | '.');
        if text[..at].chars().next_back().is_some_and(continues) {
            continue;
        }
        let rest = &text[at + PATH.len()..];
        let (start, length) = if let Some(name) = rest.strip_prefix("[\"") {
            (2, name.find('"').unwrap_or(0))
        } else if let Some(name) = rest.strip_prefix('.') {
            (1, name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len()))
        } else {
            continue;
        };
        if length > 0 {
            let start = at + PATH.len() + start;
            found.push((start..start + length, text[start..start + length].to_owned()));
        }
    }
    found
}
