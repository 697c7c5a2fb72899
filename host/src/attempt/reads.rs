//! Reads of an attempt: told apart, and, where the step wants it, kept for dry runs.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use url::Url;

use super::traced::{self, Sent};
use super::{Attempt, Break, DryStop, ShownEffect, journal, millis};
use crate::outbound::{Exchange, HttpError, Outbound, Request, Response};
use crate::store::{EffectState, RecordedRead};

/// Bytes of recorded answers that an attempt keeps; an answer that goes beyond is not kept.
const MAX_RECORDED: usize = 1 << 20;

/// The reads of one attempt.
#[derive(Debug, Default)]
pub(super) struct ReadLog {
    ordinals: HashMap<String, u32>,
    kept: Vec<RecordedRead>,
    bytes: usize,
}

impl ReadLog {
    /// What a read is known by: method, URL, body, and ordinal among equals.
    pub(super) fn identity(&mut self, request: &Request, url: &Url) -> String {
        let digest = journal::hex(&Sha256::digest(&request.body));
        journal::unnamed(&mut self.ordinals, &request.method, url, &digest)
    }

    /// Keeps an answer if there is room; says whether it did.
    pub(super) fn keep(&mut self, identity: String, request: &Request, url: &Url, response: &Response) -> bool {
        let headers = journal::headers_json(&response.headers);
        let size = headers.len() + response.body.len();
        if self.bytes + size > MAX_RECORDED {
            return false;
        }
        self.bytes += size;
        self.kept.push(RecordedRead {
            identity,
            method: request.method.clone(),
            url: url.to_string(),
            status: response.status,
            headers,
            body: response.body.clone(),
        });
        true
    }

    pub(super) fn take(&mut self) -> Vec<RecordedRead> {
        std::mem::take(&mut self.kept)
    }
}

impl Attempt {
    /// Sends a read, or answers it from a record.
    pub(super) async fn read(
        &mut self,
        outbound: &Outbound,
        request: &Request,
        exchange: &Exchange,
    ) -> Result<Result<Response, HttpError>, Break> {
        let identity = self.reads.identity(request, exchange.url());
        let mut shown = ShownEffect::new(self.next_seq(), request, exchange.url().as_str(), EffectState::Done);
        if let Some(response) = self.conduct.sample(request, exchange.url()) {
            shown.status = Some(response.status);
            shown.replayed = true;
            self.shown.push(shown);
            return Ok(Ok(response));
        }
        if let Some(recorded) = self.conduct.recorded(&identity) {
            let Some(read) = recorded else {
                return Err(Break::Dry(DryStop::NotRecorded(format!("{} {}", request.method, exchange.url()))));
            };
            shown.status = Some(read.status);
            shown.replayed = true;
            let answer = answer(read).map_err(Break::Store)?;
            self.shown.push(shown);
            return Ok(Ok(answer));
        }
        if self.conduct.refuses_reads() {
            return Err(Break::Dry(DryStop::NotAsked(format!("{} {}", request.method, exchange.url()))));
        }
        let (seq, place) = (shown.seq, self.next_place_of(shown.seq));
        let (sent, result) = outbound.exchange(exchange, None, self.time_left(), &self.cancel).await;
        self.attached = sent.attached.or(self.attached.take());
        self.note_obstacle(&result);
        let told = Sent {
            kind: super::HTTP,
            method: exchange.method(),
            url: exchange.url(),
            status: result.as_ref().ok().map(|response| response.status),
            error: result.as_ref().err().map(traced::word),
            took: sent.duration,
            seq,
            name: request.name.as_deref(),
        };
        self.note_sent(place, told);
        if result.is_err() {
            shown.state = EffectState::Failed;
        }
        shown.status = result.as_ref().ok().map(|response| response.status);
        shown.duration_ms = millis(sent.duration);
        shown.error = result.as_ref().err().map(ToString::to_string);
        if let (Ok(response), true) = (&result, self.conduct.records_reads()) {
            shown.recorded = self.reads.keep(identity, request, exchange.url(), response);
        }
        self.shown.push(shown);
        Ok(result)
    }
}

/// The answer that was kept.
fn answer(read: &RecordedRead) -> Result<Response, String> {
    Ok(Response { status: read.status, headers: journal::headers(&read.headers)?, body: read.body.clone() })
}
