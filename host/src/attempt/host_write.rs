//! Writes of the host's own steps (a mail, a message to a broker, a webhook): journalled exactly as a plugin's.

use std::time::Instant;

use url::Url;

use super::traced::Sent;
use super::{Attempt, Began, Break, journal, millis};
use crate::crash::Point;
use crate::outbound::{HttpError, Request, Response};
use crate::store::EffectState;

/// One write that the host makes itself.
#[derive(Debug, Clone)]
pub struct HostWrite {
    /// What the timeline shows it as: `mail`, `publish`, `webhook`.
    pub kind: &'static str,
    /// What it is known by in its step, whatever its body. 1 to 256 bytes.
    pub name: String,
    /// `MAIL`, `PUBLISH`, `POST`.
    pub method: String,
    /// Where to, for people and for the journal: no secret is in it.
    pub url: Url,
    /// Shown and kept with it.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What leaves. Up to 64 KiB are kept in the journal, of a larger one its digest.
    pub body: Vec<u8>,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Answered, and done.
    Done,
    /// Answered, and not done.
    Refused,
    /// It may have left, and there is no complete answer.
    InDoubt,
    /// It provably never left.
    NotSent,
}

/// What came back of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub end: End,
    /// The other side's number for it, where its protocol has one: HTTP, SMTP.
    pub status: Option<u16>,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Kept whole: what an attempt that follows is answered with.
    pub body: Vec<u8>,
    /// Why it is not done, one sentence.
    pub why: Option<String>,
    /// It was done before, and nothing was sent.
    pub replayed: bool,
}

impl Answer {
    /// Done; `body`: what is remembered of it.
    pub fn done(status: Option<u16>, body: impl Into<Vec<u8>>) -> Answer {
        Answer { end: End::Done, status, headers: Vec::new(), body: body.into(), why: None, replayed: false }
    }

    /// The other side said no.
    pub fn refused(status: Option<u16>, why: impl Into<String>) -> Answer {
        Answer { end: End::Refused, why: Some(why.into()), ..Answer::done(status, Vec::new()) }
    }

    /// It may have left, and nobody knows what became of it.
    pub fn in_doubt(why: impl Into<String>) -> Answer {
        Answer { end: End::InDoubt, why: Some(why.into()), ..Answer::done(None, Vec::new()) }
    }

    /// It never left.
    pub fn not_sent(why: impl Into<String>) -> Answer {
        Answer { end: End::NotSent, why: Some(why.into()), ..Answer::done(None, Vec::new()) }
    }

    /// By the rules of HTTP: 408 and 5xx leave a doubt, another 4xx did nothing.
    pub fn of_http(result: Result<Response, HttpError>) -> Answer {
        match result {
            Ok(response) => {
                let why = (response.status >= 400).then(|| format!("it was answered {}", response.status));
                let end = match response.status {
                    408 | 500.. => End::InDoubt,
                    400..500 => End::Refused,
                    _ => End::Done,
                };
                Answer { end, status: Some(response.status), headers: response.headers, body: response.body, why, replayed: false }
            }
            Err(error) if error.may_have_left() => Answer::in_doubt(error.to_string()),
            Err(error) => Answer::not_sent(error.to_string()),
        }
    }

    /// Why it is not done.
    pub fn why(&self) -> &str {
        self.why.as_deref().unwrap_or_default()
    }
}

impl Attempt {
    /// Makes a write of the host's own: its intent is durable before `send` is asked, with the key, to let it leave; what it answers is kept. One
    /// that was done before in the line is answered from the journal.
    ///
    /// # Errors
    /// The attempt can't go on.
    pub async fn write_own(&mut self, write: HostWrite, send: impl AsyncFnOnce(&str) -> Answer) -> Result<Answer, Break> {
        let HostWrite { kind, name, method, url, headers, body } = write;
        let request = Request { method, url: url.to_string(), headers, body, name: Some(name), ..Request::default() };
        let mut row = match self.begin(&request, &url, kind).await? {
            Began::Send(row) => *row,
            Began::NameUsed(name) => return Err(Break::Diverged(format!("the write {name:?} is asked for twice in one attempt"))),
            Began::Done(row) => {
                let response = journal::recorded_response(&row).map_err(Break::Store)?;
                let Response { headers, body, .. } = response;
                // Only a sample of somebody who tries it out says no here.
                let why = (row.state != EffectState::Done).then(|| format!("it was answered {}", row.status.unwrap_or_default()));
                let end = if why.is_none() { End::Done } else { End::Refused };
                return Ok(Answer { end, status: row.status, headers, body, why, replayed: true });
            }
        };
        let started = Instant::now();
        let answer = send(&row.key).await;
        self.store.crash().at(Point::Answered);
        let took = started.elapsed();
        row.duration_ms = Some(millis(took));
        let told = Sent {
            kind,
            method: &request.method,
            url: &url,
            status: answer.status.filter(|_| kind == "webhook"),
            error: match answer.end {
                End::Done => None,
                End::Refused => Some("refused"),
                End::InDoubt => Some("in-doubt"),
                End::NotSent => Some("not-sent"),
            },
            took,
            seq: row.seq,
            name: request.name.as_deref(),
        };
        self.note_sent(self.next_place_of(row.seq), told);
        journal::settle_own(&mut row, &answer);
        self.end(&request, row, answer.why.clone()).await?;
        Ok(answer)
    }
}
