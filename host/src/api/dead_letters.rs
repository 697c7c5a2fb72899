//! Dead letters, read.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use super::cursor::{Listing, TimeAnd};
use super::dead_letter_form::{DeadLetter, DeadLetterList};
use super::dead_letter_groups::write_causes_down;
use super::events::time;
use super::redaction::{Redaction, Sees};
use super::shown::Time;
use crate::run::Death;
use crate::runtime::Runtime;
use crate::store::DeadLetterFilter;

/// Dead letters of a page unless asked otherwise.
const PAGE: u32 = 50;
/// Most dead letters of a page.
const MAX_PAGE: u32 = 500;

/// Query of `GET /v1/dead-letters`. `since` and `until` are about when the run died.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLetters {
    /// The run's route.
    pub(super) route: Option<String>,
    /// The plugin whose step failed.
    pub(super) plugin: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub(super) event_type: Option<String>,
    /// Died at this time or later.
    pub(super) since: Option<String>,
    /// Died before this time.
    pub(super) until: Option<String>,
    /// What kind of failure it was.
    pub(super) kind: Option<String>,
    /// A cause, as the groups of dead letters name it.
    pub(super) cause: Option<String>,
    /// Text that the event or the reason says.
    pub(super) q: Option<String>,
    /// How many at most: 50 unless said, 500 at most.
    #[serde(skip_serializing)]
    #[schemars(range(min = 1))]
    pub(super) limit: Option<u32>,
    /// Where the last page ended (`next_cursor`).
    #[serde(skip_serializing)]
    pub(super) cursor: Option<String>,
}

impl DeadLetters {
    /// The list, filtered so.
    pub(super) fn listing(&self) -> Listing {
        Listing::new("dead letters", self)
    }

    /// As the store understands it.
    pub(super) fn parsed(self, page: u32, most: u32) -> Result<DeadLetterFilter, Problem> {
        if let Some(kind) = self.kind.as_deref().filter(|kind| !Death::kinds().any(|known| known == *kind)) {
            let known: Vec<&str> = Death::kinds().collect();
            return Err(Problem::bad_request(format!("kind {kind:?} is none of {}", known.join(", "))));
        }
        if self.limit == Some(0) {
            return Err(Problem::bad_request("limit is 0; it says how many at most, so from 1 on"));
        }
        let after = self.listing().place(self.cursor.as_deref())?.map(|TimeAnd(time, seq)| (time, seq));
        Ok(DeadLetterFilter {
            route: self.route,
            plugin: self.plugin,
            event_type: self.event_type,
            since: self.since.as_deref().map(|text| time("since", text)).transpose()?,
            until: self.until.as_deref().map(|text| time("until", text)).transpose()?,
            failure: self.kind,
            cause: self.cause,
            text: self.q,
            among: None,
            limit: self.limit.unwrap_or(page).min(most),
            after,
            oldest_first: false,
        })
    }
}

/// Dead letters. `q` as for events: what somebody does not see is not found either.
pub(super) async fn list(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Query(query): Query<DeadLetters>,
) -> Result<Json<DeadLetterList>, Problem> {
    let listing = query.listing();
    let mut filter = query.parsed(PAGE, MAX_PAGE)?;
    write_causes_down(&runtime).await?;
    let limit = filter.limit as usize;
    let hidden = filter.text.is_some() && !sees.may_search(&runtime).await?;
    let seen_text = if hidden { filter.text.take() } else { None };
    if seen_text.is_some() {
        filter.limit = MAX_PAGE;
    }
    let page = runtime.store.dead_letters(&filter).await?;
    let mut shown = Vec::with_capacity(page.letters.len().min(limit));
    let mut last = None;
    for letter in &page.letters {
        if shown.len() == limit {
            break;
        }
        last = Some(letter);
        let mut event = serde_json::from_str(&letter.body).unwrap_or(Value::Null);
        let redaction = Redaction::of(&runtime, &event, std::slice::from_ref(&letter.run), &sees).await?;
        let mut reason = json!(letter.run.status_reason);
        redaction.hide(&mut reason);
        redaction.hide_in_event(&mut event);
        let is_found = |text: &String| event.to_string().contains(text.as_str()) || reason.to_string().contains(text.as_str());
        if !seen_text.as_ref().is_none_or(is_found) {
            continue;
        }
        shown.push(DeadLetter {
            eid: letter.run.eid.clone(),
            run: letter.run.id.clone(),
            route: letter.run.route.clone(),
            event_type: letter.event_type.clone(),
            source: letter.source.clone(),
            id: letter.id.clone(),
            step: letter.step.clone(),
            plugin: letter.plugin.clone(),
            action: letter.action.clone(),
            kind: letter.failure.clone(),
            cause: letter.cause.clone(),
            reason: reason.as_str().map(str::to_owned),
            died_at: letter.died_at.into(),
            erased_at: letter.erased_at.map(Time::from),
        });
    }
    let looked_at_all = !page.more && last.map(|letter| letter.seq) == page.letters.last().map(|letter| letter.seq);
    let next = last.filter(|_| !looked_at_all).map(|letter| listing.cursor(TimeAnd(letter.died_at, letter.seq)));
    Ok(Json(DeadLetterList { dead_letters: shown, next_cursor: next }))
}
