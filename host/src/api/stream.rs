//! What happens, as it happens: server-sent events (WHATWG HTML, section 9.2) that go on where they broke off.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::{Problem, guard};
use crate::credentials::Permission;
use crate::live::{Feed, News, Place};
use crate::runtime::Runtime;

/// How much is told at once.
const BATCH: usize = 256;
/// After so long without news a frame says that the host is there, and where the reader is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is asked whether the reader may still read.
const ASK: Duration = Duration::from_secs(2);
/// When a reader comes back, ms.
const RETRY: u64 = 1_000;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Query of `GET /v1/stream`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StreamQuery")]
pub(super) struct Asked {
    /// Kinds to be told of, with commas between; all without it.
    kinds: Option<String>,
    /// Id of the last event that was read; the header `Last-Event-ID` counts before it.
    after: Option<String>,
}

/// A stream of what happens. Ends when the host stops, and when who reads it may not any more.
pub(super) async fn stream(
    State(runtime): State<Arc<Runtime>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let kinds = asked.kinds.as_deref().map(kinds).transpose()?;
    let Ok(permit) = runtime.streams.clone().try_acquire_owned() else {
        let why = format!("{} streams are followed already, as many as may be (server.max-streams)", runtime.server.max_streams);
        return Err(Problem::too_much(&why, Duration::from_secs(10)));
    };
    let feed = runtime.store.feed().clone();
    let after = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned).or(asked.after);
    let mut first = format!("retry: {RETRY}\n");
    let place = match after.filter(|id| !id.is_empty()).map(|id| feed.place(&id)) {
        Some(Ok(place)) => place,
        Some(Err(_)) => {
            first.push_str("event: gap\ndata: {}\n");
            feed.end()
        }
        None => feed.end(),
    };
    // The place of who breaks off before anything happens.
    let _ = write!(first, "id: {}\n\n", feed.id(place));
    let now = Instant::now();
    let follower = Follower {
        newest: feed.newest(),
        feed,
        place,
        kinds,
        headers,
        first: Some(first),
        spoke_at: now,
        asked_at: now,
        runtime,
        _permit: permit,
    };
    let frames = stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(frame)), follower))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (X_ACCEL_BUFFERING, "no")];
    Ok((headers, Body::from_stream(frames)).into_response())
}

fn kinds(text: &str) -> Result<Vec<&'static str>, Problem> {
    let known = |kind: &str| {
        News::KINDS
            .into_iter()
            .find(|known| *known == kind)
            .ok_or_else(|| Problem::bad_request(format!("there is no kind {kind:?} of news; there are {}", News::KINDS.join(", "))))
    };
    text.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(known).collect()
}

/// Who reads. Has a place in the feed and no queue of its own: one that is slow holds nothing up, and misses what the feed does not keep.
struct Follower {
    runtime: Arc<Runtime>,
    feed: Arc<Feed>,
    newest: watch::Receiver<u64>,
    place: Place,
    kinds: Option<Vec<&'static str>>,
    headers: HeaderMap,
    first: Option<String>,
    spoke_at: Instant,
    asked_at: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next text to send; `None`: the stream ends.
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if self.runtime.stopping.is_cancelled() {
                return None;
            }
            if self.asked_at.elapsed() >= ASK {
                if !guard::is_still_let_in(&self.runtime, &self.headers, Permission::Read).await {
                    return None;
                }
                self.asked_at = Instant::now();
            }
            self.newest.borrow_and_update();
            let frame = self.frame();
            if !frame.is_empty() {
                self.spoke_at = Instant::now();
                return Some(frame);
            }
            if self.spoke_at.elapsed() >= KEEP_ALIVE {
                self.spoke_at = Instant::now();
                return Some(format!(": here\nid: {}\n\n", self.feed.id(self.place)));
            }
            let wake = (self.spoke_at + KEEP_ALIVE).min(self.asked_at + ASK);
            tokio::select! {
                () = self.runtime.stopping.cancelled() => {}
                () = tokio::time::sleep_until(wake) => {}
                // The feed lives as long as the runtime.
                _ = self.newest.changed() => {}
            }
        }
    }

    /// What there is to tell now.
    fn frame(&mut self) -> String {
        let mut text = String::new();
        loop {
            let Ok((items, place)) = self.feed.after(self.place, BATCH) else {
                self.place = self.feed.end();
                let _ = write!(text, "event: gap\nid: {}\ndata: {{}}\n\n", self.feed.id(self.place));
                return text;
            };
            if items.is_empty() {
                return text;
            }
            self.place = place;
            for item in &items {
                let Some(kind) = item.news.kind() else { continue };
                if item.news == News::Gap || self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind)) {
                    let _ = write!(text, "event: {kind}\nid: {}.{}\ndata: {}\n\n", self.feed.boot(), item.number, item.data());
                }
            }
            if !text.is_empty() {
                return text;
            }
        }
    }
}
