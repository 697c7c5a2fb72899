//! What the host tells of itself: metrics, traces, its log, where all that is sent (OTLP), and errors with their causes.

mod log;
mod looked;
mod metrics;
mod otlp;
mod plain;
mod process;
mod span;
mod trace;
mod writer_figures;

pub use log::{Log, LogFacts, start_log, within};
pub use looked::Sample;
pub use metrics::{Metrics, as_prometheus};
pub use otlp::{Export, ExportError, Identity, LogSink};
pub use plain::{is_hidden, plain, plain_json, plain_lines};
pub use process::samples as process_samples;
pub use span::{Kind, Span};
pub use trace::{TraceContext, Tracing, headers as trace_headers};
pub use writer_figures::WriterFigures;

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
