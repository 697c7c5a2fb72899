//! What the host tells of itself: names of metrics, the log, and errors with their causes.

mod metrics;
mod plain;

pub use metrics::Metrics;
pub use plain::{is_hidden, plain, plain_json, plain_lines};

use std::error::Error;

/// An error with its causes, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat the cause in their own text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Starts the log of this process on standard error: lines for a terminal, JSON otherwise; filtered by `SANGAM_LOG` (default `info`).
pub fn start_log() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("SANGAM_LOG").unwrap_or_else(|_| "info,sqlx=warn".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = if std::io::stderr().is_terminal() { builder.compact().try_init() } else { builder.json().try_init() };
}
