//! Dead letters, replayed together.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::dead_letters::DeadLetters;
use super::replay::{Plugins, Replay, added, new_replay, parse, plan};
use super::{Problem, Sees};
use crate::audit::{Action, By};
use crate::crash::Point;
use crate::runtime::Runtime;
use crate::store::{DeadLetter, DeadLetterFilter, NewReplay, Store, StoreError};

/// Dead letters replayed by one request, and those of the same events beyond.
const MAX_REPLAYS: u32 = 1000;

/// Body of `POST /v1/dead-letters/replay`.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Filter {
    route: Option<String>,
    plugin: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    q: Option<String>,
    limit: Option<u32>,
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
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let wish: Filter = parse(&body)?;
    if wish.q.is_some() && !sees.may_search(&runtime).await? {
        let why = "\"q\" would look into fields that are hidden from you: choose by route, plugin, type, kind or time";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let act = by
        .did(Action::DeadLettersReplayed, wish.route.as_deref().unwrap_or_default())
        .with("plugin", wish.plugin.as_deref())
        .with("type", wish.event_type.as_deref())
        .with("kind", wish.kind.as_deref());
    let filter = DeadLetters {
        route: wish.route,
        plugin: wish.plugin,
        event_type: wish.event_type,
        since: wish.since,
        until: wish.until,
        kind: wish.kind,
        q: wish.q,
        limit: wish.limit,
        cursor: None,
    };
    let (letters, more) = whole_events(&runtime.store, filter.parsed(MAX_REPLAYS, MAX_REPLAYS)?).await?;
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
    Ok(Json(json!({ "replays": replayed, "refused": refused, "more": more })))
}

/// The letters that a filter finds, in the order in which their runs were accepted: replayed, those of one order key go in that order again.
/// The limit cuts no event in two. And whether there are more.
async fn whole_events(store: &Store, mut filter: DeadLetterFilter) -> Result<(Vec<DeadLetter>, bool), StoreError> {
    let page = store.dead_letters(&filter).await?;
    let (mut letters, mut more) = (page.letters, page.more);
    if let Some(last) = letters.last().filter(|_| more) {
        filter.after = Some((last.died_at, last.seq));
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
    Ok((letters, more))
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
async fn plans(runtime: &Runtime, group: &Group<'_>, wish: &Replay) -> Result<Vec<NewReplay>, Vec<Value>> {
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

fn refusal(letter: &DeadLetter, detail: &str) -> Value {
    json!({ "run": letter.run.id, "eid": letter.run.eid, "detail": detail })
}
