//! A mistake in a text of configuration, as the API tells it: how bad it is, where it stands, and what to do.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::Problem;
use crate::config::{self, Problems};

/// Something at a place of a text.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Mistake {
    severity: Severity,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// What is wrong.
    message: String,
    /// What to do about it.
    help: Option<String>,
}

/// How bad a mistake is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "MistakeSeverity")]
enum Severity {
    /// The text can't be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
}

impl From<&config::Problem> for Mistake {
    fn from(problem: &config::Problem) -> Mistake {
        Mistake {
            severity: match problem.severity {
                config::Severity::Error => Severity::Error,
                config::Severity::Warning => Severity::Warning,
            },
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

/// All of a text, in its order.
pub(super) fn mistakes(found: &[config::Problem]) -> Vec<Mistake> {
    found.iter().map(Mistake::from).collect()
}

/// 422: a text is refused for them. `what` says which text, and what that means.
pub(super) fn refused(what: &str, found: &Problems) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{what}:\n{found}")).with("problems", json!(mistakes(&found.list)))
}
