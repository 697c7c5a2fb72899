//! How an attempt treats the world outside of the plugin: for good, or dry.

use std::collections::HashMap;
use std::sync::Arc;

use url::Url;

use super::{Attempt, Break, ShownEffect};
use crate::outbound::{Request, Response};
use crate::router::Pattern;
use crate::store::{EffectRow, EffectState, RecordedRead};

/// How an attempt treats the world.
#[derive(Debug, Clone)]
pub enum Conduct {
    /// Requests are sent and key-value writes take effect.
    Real {
        /// Writes are journalled; otherwise they are sent without a trace, and every attempt repeats them all.
        journal: bool,
        /// Answers to reads are kept with the attempt.
        record_reads: bool,
    },
    /// Nothing is written anywhere, and nothing is kept. The first write that has neither a recorded success nor a sample ends it.
    Dry(Reads, Arc<Vec<Sample>>),
}

/// What somebody who tries something out has a system answer: nothing is sent where one fits.
#[derive(Debug, Clone)]
pub struct Sample {
    /// HTTP method, or `MAIL`, `PUBLISH` of the host's own steps.
    pub method: String,
    /// Of the whole URL.
    pub url: Pattern,
    /// Only of the write of that name.
    pub name: Option<String>,
    /// What is answered.
    pub response: Response,
}

/// A write that a sample has answered.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// As it would be sent.
    pub write: WouldSend,
    /// What it was answered.
    pub response: Response,
}

/// How a dry run answers reads.
#[derive(Debug, Clone)]
pub enum Reads {
    /// By asking.
    Live,
    /// As they were answered before, by identity.
    Recorded(HashMap<String, RecordedRead>),
    /// Not at all: a read without a sample ends it.
    Refused,
}

impl Conduct {
    pub(super) fn journals(&self) -> bool {
        matches!(self, Conduct::Real { journal: true, .. })
    }

    pub(super) fn records_reads(&self) -> bool {
        matches!(self, Conduct::Real { record_reads: true, .. })
    }

    pub(super) fn is_dry(&self) -> bool {
        matches!(self, Conduct::Dry(..))
    }

    /// The recorded answer to a read; `None` where it is to be asked for.
    pub(super) fn recorded(&self, identity: &str) -> Option<Option<&RecordedRead>> {
        match self {
            Conduct::Dry(Reads::Recorded(reads), _) => Some(reads.get(identity)),
            Conduct::Dry(Reads::Live | Reads::Refused, _) | Conduct::Real { .. } => None,
        }
    }

    pub(super) fn refuses_reads(&self) -> bool {
        matches!(self, Conduct::Dry(Reads::Refused, _))
    }

    /// What somebody has this request answered.
    pub(super) fn sample(&self, request: &Request, url: &Url) -> Option<Response> {
        let Conduct::Dry(_, samples) = self else { return None };
        let fits = |sample: &&Sample| {
            sample.method.eq_ignore_ascii_case(&request.method)
                && sample.url.matches(url.as_str())
                && sample.name.as_ref().is_none_or(|name| Some(name) == request.name.as_ref())
        };
        samples.iter().find(fits).map(|sample| sample.response.clone())
    }
}

/// Where a dry run stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DryStop {
    /// At a write without a recorded success. It was not sent.
    #[error("{} {} would be sent here", .0.method, .0.url)]
    Write(Box<WouldSend>),
    /// At a read of which no answer was kept.
    #[error(
        "no answer to {0} was recorded; ask for \"reads\": \"live\", or keep answers with `record-reads` of the step before the next run"
    )]
    NotRecorded(String),
    /// At a read that nobody has answered.
    #[error("{0} is not asked: reads are refused here; give an answer to it in \"answers\", or ask for \"reads\": \"live\"")]
    NotAsked(String),
}

/// A write that was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldSend {
    /// HTTP method.
    pub method: String,
    /// URL, before any credential is attached.
    pub url: String,
    /// Headers that the plugin set.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whole.
    pub body: Vec<u8>,
    /// As given by the plugin.
    pub name: Option<String>,
    /// Idempotency key it would have.
    pub key: Option<String>,
    /// What it is known by in its line.
    pub identity: String,
    /// Why it would not be sent after all: the run would be dead as `diverged`.
    pub diverged: Option<String>,
}

impl Attempt {
    /// A dry run ends at this write: it is shown and not sent.
    pub(super) fn would_send(
        &mut self,
        request: &Request,
        url: &Url,
        kind: &'static str,
        identity: String,
        key: Option<String>,
        diverged: Option<String>,
    ) -> Break {
        let url = url.to_string();
        let mut shown = ShownEffect::new(self.next_seq(), request, &url, EffectState::Intent).of_kind(kind);
        shown.key.clone_from(&key);
        shown.error.clone_from(&diverged);
        shown.dropped = true;
        self.shown.push(shown);
        let Request { method, headers, body, name, .. } = request.clone();
        Break::Dry(DryStop::Write(Box::new(WouldSend { method, url, headers, body, name, key, identity, diverged })))
    }

    /// A write is answered from a sample: it is shown, and goes on as if it had been sent.
    pub(super) fn answer_with(&mut self, request: &Request, mut row: EffectRow, kind: &'static str, response: Response) -> EffectRow {
        kind.clone_into(&mut row.kind);
        row.seq = self.next_seq();
        super::journal::settle(&mut row, &Ok(response.clone()));
        let mut shown = ShownEffect::new(row.seq, request, &row.url, EffectState::Intent).of_row(&row);
        shown.dropped = true;
        self.shown.push(shown);
        let Request { method, headers, body, name, .. } = request.clone();
        let (url, key, identity) = (row.url.clone(), Some(row.key.clone()), row.id.identity.clone());
        let write = WouldSend { method, url, headers, body, name, key, identity, diverged: None };
        self.sampled.push(Sampled { write, response });
        self.journal.record(Arc::new(row.clone()));
        row
    }
}
