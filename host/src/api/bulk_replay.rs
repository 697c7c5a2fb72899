//! Dead letters, replayed together.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cursor::{Listing, TimeAnd};
use super::dead_letter_form::{BulkReplayed, RefusedReplay};
use super::dead_letter_groups::write_causes_down;
use super::dead_letters::DeadLetters;
use super::order::Order;
use super::replay::{Plugins, Replay, added, new_replay, plan};
use super::{Problem, Sees};
use crate::audit::{Action, By};
use crate::crash::Point;
use crate::runtime::Runtime;
use crate::store::{DeadLetter, DeadLetterFilter, NewReplay, Store, StoreError};

/// Dead letters replayed by one request, and those of the same events beyond.
const MAX_REPLAYS: u32 = 1000;

/// Body of `POST /v1/dead-letters/replay`.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkReplayOrder")]
pub(super) struct Filter {
    route: Option<String>,
    plugin: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    cause: Option<String>,
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    #[serde(default)]
    plugins: Plugins,
}

/// The lines of one event that a filter finds.
struct Group<'a> {
    eid: &'a str,
    letters: Vec<&'a DeadLetter>,
}

pub(super) async fn replay_dead_letters(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Extension(sees): Extension<Sees>,
    Order(wish): Order<Filter>,
) -> Result<Json<BulkReplayed>, Problem> {
    if wish.q.is_some() && !sees.may_search(&runtime).await? {
        let why = "\"q\" would look into fields that are hidden from you: choose by route, plugin, type, kind or time";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let act = by
        .did(Action::DeadLettersReplayed, wish.route.as_deref().unwrap_or_default())
        .with("plugin", wish.plugin.as_deref())
        .with("type", wish.event_type.as_deref())
        .with("kind", wish.kind.as_deref())
        .with("cause", wish.cause.as_deref());
    let filter = DeadLetters {
        route: wish.route,
        plugin: wish.plugin,
        event_type: wish.event_type,
        since: wish.since,
        until: wish.until,
        kind: wish.kind,
        cause: wish.cause,
        q: wish.q,
        limit: wish.limit,
        cursor: None,
    };
    let listing = Listing::new("a replay of dead letters", &filter);
    // How far somebody has come who replays page by page: what was refused lies behind it, and so does not come again.
    let begun: Option<TimeAnd<TimeAnd<i64>>> = listing.place(wish.cursor.as_deref())?;
    let mut filter = filter.parsed(MAX_REPLAYS, MAX_REPLAYS)?;
    write_causes_down(&runtime).await?;
    // Those that die again while somebody goes through them all are not for this time.
    let until = begun.as_ref().map_or_else(|| runtime.clock.now(), |begun| begun.0);
    filter.until = Some(filter.until.map_or(until, |asked| asked.min(until)));
    filter.after = begun.map(|TimeAnd(_, TimeAnd(died, seq))| (died, seq));
    filter.oldest_first = true;
    let (letters, next) = whole_events(&runtime.store, filter).await?;
    let next = next.map(|(died, seq)| listing.cursor(TimeAnd(until, TimeAnd(died, seq))));
    let wish = Replay::on(wish.plugins, sees);
    let mut refused = Vec::new();
    let mut replays: Vec<Vec<NewReplay>> = Vec::new();
    let groups = groups(&letters);
    let mut planned = Vec::with_capacity(groups.len());
    for group in &groups {
        match plans(&runtime, group, &wish).await {
            Ok(group_replays) => {
                planned.push(group);
                replays.push(group_replays);
            }
            Err(why) => refused.extend(why),
        }
    }
    // All lines of an event, or none if one of them was replayed by somebody else meanwhile.
    let outcomes = runtime.store.replay(replays.clone(), act, runtime.clock.now()).await?;
    runtime.store.crash().at(Point::Replayed);
    let mut replayed = Vec::new();
    for ((group, replays), outcome) in planned.iter().zip(&replays).zip(outcomes) {
        match outcome {
            Ok(()) => replayed.extend(replays.iter().map(added)),
            Err(why) => refused.extend(group.letters.iter().map(|letter| refusal(letter, &why.to_string()))),
        }
    }
    runtime.due.notify_one();
    Ok(Json(BulkReplayed { replays: replayed, refused, more: next.is_some(), next_cursor: next }))
}

/// The letters that a filter finds, in the order in which their runs were accepted: replayed, those of one order key go in that order again.
/// The limit cuts no event in two. And the last one of the page, if there are more.
async fn whole_events(store: &Store, mut filter: DeadLetterFilter) -> Result<(Vec<DeadLetter>, Option<(Timestamp, i64)>), StoreError> {
    let page = store.dead_letters(&filter).await?;
    let (mut letters, mut more) = (page.letters, page.more);
    let last = letters.last().map(|letter| (letter.died_at, letter.seq));
    if let Some(last) = last.filter(|_| more) {
        filter.after = Some(last);
        filter.among = Some(letters.iter().map(|letter| letter.run.eid.clone()).collect());
        filter.limit = u32::MAX;
        let rest = store.dead_letters(&filter).await?.letters;
        // Beyond the page there are these, and perhaps others.
        filter.among = None;
        filter.limit = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        more = store.dead_letters(&filter).await?.more;
        letters.extend(rest);
    }
    letters.sort_by_key(|letter| letter.seq);
    Ok((letters, last.filter(|_| more)))
}

fn groups(letters: &[DeadLetter]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for letter in letters {
        let eid = letter.run.eid.as_str();
        let index = *known.entry(eid).or_insert_with(|| {
            groups.push(Group { eid, letters: Vec::new() });
            groups.len() - 1
        });
        groups[index].letters.push(letter);
    }
    groups
}

/// The replays of an event's lines; or why none of them can be.
async fn plans(runtime: &Runtime, group: &Group<'_>, wish: &Replay) -> Result<Vec<NewReplay>, Vec<RefusedReplay>> {
    let mut replays = Vec::with_capacity(group.letters.len());
    for letter in &group.letters {
        match plan(runtime, &letter.run, &letter.body, wish).await {
            Ok(plan) => replays.push(new_replay(&letter.run, &plan, wish)),
            Err(problem) => {
                let why = |other: &&DeadLetter| match other.seq == letter.seq {
                    true => refusal(other, problem.detail()),
                    false => refusal(
                        other,
                        &format!(
                            "lines of one event are replayed all or none, and run {} can't be; replay this one with \
                             `sangam events replay {} --route {}`",
                            letter.run.id, group.eid, other.run.route
                        ),
                    ),
                };
                return Err(group.letters.iter().map(why).collect());
            }
        }
    }
    Ok(replays)
}

fn refusal(letter: &DeadLetter, detail: &str) -> RefusedReplay {
    RefusedReplay { run: letter.run.id.clone(), eid: letter.run.eid.clone(), detail: detail.to_owned() }
}
