//! What comes in, goes through, and goes out: sources, routes and plugins with what passed by lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::now::{Asked, millis};
use super::shown::Time;
use crate::builtin;
use crate::config::{Route, Step};
use crate::live::{Key, Tally};
use crate::runtime::{OpenRuns, PresentPlugin, Revision, Runtime};

/// Sources that are not configured (whoever sends to the API says what it is), the busiest first.
const MOST_SENDERS: usize = 50;

/// Answer of `GET /v1/flow`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Flow {
    /// When this was so.
    at: Time,
    /// How far it looks back, ms.
    window_ms: u64,
    /// `store`: figures are of all hosts on the store; `sources[].refused`, `sources[].set_aside` and `plugins[].hosts` of this host only.
    scope: &'static str,
    /// Since when this host counts.
    since: Time,
    /// The configuration.
    revision: i64,
    sources: Vec<FlowSource>,
    routes: Vec<FlowRoute>,
    plugins: Vec<FlowPlugin>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlowSource {
    /// Its name; of one that is not configured the `source` of its events.
    name: String,
    /// `webhook`, `poll`, `schedule`, `nats`; `api` for one that is not configured.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `source` of its events.
    source: String,
    /// Types of its events, as far as the configuration says.
    types: Vec<String>,
    /// Events.
    accepted: u64,
    /// Requests that were refused.
    refused: u64,
    /// Requests that were set aside.
    set_aside: u64,
    /// `active`, `paused`, `waiting`, `stopped`; null: it has no turns.
    state: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlowRoute {
    name: String,
    types: Vec<String>,
    sources: Vec<String>,
    when: Option<String>,
    /// Events that it took in.
    accepted: u64,
    /// Runs now.
    pending: u64,
    /// Runs now.
    running: u64,
    /// Runs now.
    waiting: u64,
    succeeded: u64,
    dead: u64,
    steps: Vec<FlowStep>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlowStep {
    name: String,
    /// `PLUGIN.ACTION`
    uses: String,
    plugin: String,
    action: String,
    /// Steps that come before it.
    needs: Vec<String>,
    /// Runs that wait at it now.
    waiting: u64,
    attempts: u64,
    failures: u64,
    /// Runs that died of it.
    dead: u64,
    p50_ms: Option<u64>,
    p99_ms: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlowPlugin {
    name: String,
    title: String,
    /// Where its requests went.
    hosts: Vec<FarEnd>,
    /// Attempts.
    calls: u64,
    failures: u64,
    /// `closed`, `open`, `half-open`: the worst of its hosts, as this host sees them; null: it has none.
    breaker: Option<&'static str>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FarEnd {
    host: String,
    requests: u64,
    /// Answered by an error of the server's, or not at all.
    errors: u64,
}

/// The way of events through the host.
pub(super) async fn flow(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<Flow>, Problem> {
    let window = asked.window()?;
    let open = runtime.open_runs().await?;
    let states: BTreeMap<String, String> =
        runtime.store.sources().await?.into_iter().rev().map(|row| (row.name, row.state.as_str().to_owned())).collect();
    let now = runtime.clock.now();
    runtime.series.catch_up(now);
    let tallies = runtime.series.tallies(now, i64::try_from(window.as_secs()).unwrap_or(i64::MAX));
    let present = runtime.present();
    let revision = &present.revision;
    Ok(Json(Flow {
        at: now.into(),
        window_ms: millis(window),
        scope: "store",
        since: runtime.series.since().unwrap_or(runtime.started_at).into(),
        revision: revision.number,
        sources: sources(revision, &tallies, &states),
        routes: revision.config.routes.iter().map(|route| shown_route(route, &tallies, &open)).collect(),
        plugins: plugins(revision, &present.plugins, &tallies),
    }))
}

type Tallies = BTreeMap<Key, Tally>;

fn sources(revision: &Revision, tallies: &Tallies, states: &BTreeMap<String, String>) -> Vec<FlowSource> {
    let configured = revision.config.sources.iter().map(|source| {
        let uri = source.uri();
        let deliveries = tallies.get(&Key::Delivery(source.name.clone())).cloned().unwrap_or_default();
        let of_stream = source.stream().and_then(|stream| {
            let plugin = revision.plugins.get(&stream.plugin)?;
            plugin.descriptor.streams.iter().find(|one| one.name == stream.stream).map(|stream| stream.types.clone())
        });
        FlowSource {
            name: source.name.clone(),
            kind: source.kind.word(),
            types: source.shape.event_type.clone().map(|kind| vec![kind]).or(of_stream).unwrap_or_default(),
            accepted: tallies.get(&Key::Source(uri.clone())).map_or(0, |tally| tally.count),
            refused: deliveries.failed,
            set_aside: deliveries.dead,
            state: states.get(&source.name).cloned(),
            source: uri,
        }
    });
    let mut sources: Vec<FlowSource> = configured.collect();
    let known: BTreeSet<String> = sources.iter().map(|source| source.source.clone()).collect();
    let mut others: Vec<(&String, u64)> = tallies
        .iter()
        .filter_map(|(key, tally)| match key {
            Key::Source(uri) if !known.contains(uri) => Some((uri, tally.count)),
            _ => None,
        })
        .collect();
    others.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sources.extend(others.into_iter().take(MOST_SENDERS).map(|(uri, accepted)| FlowSource {
        name: uri.clone(),
        kind: "api",
        source: uri.clone(),
        types: Vec::new(),
        accepted,
        refused: 0,
        set_aside: 0,
        state: None,
    }));
    sources
}

fn shown_route(route: &Route, tallies: &Tallies, open: &OpenRuns) -> FlowRoute {
    let tally = tallies.get(&Key::Route(route.name.clone())).cloned().unwrap_or_default();
    let now = |status| open.of(&route.name, status);
    FlowRoute {
        name: route.name.clone(),
        types: route.types.iter().map(ToString::to_string).collect(),
        sources: route.sources.iter().map(ToString::to_string).collect(),
        when: route.when.as_ref().map(|when| when.source().to_owned()),
        accepted: tally.count,
        pending: now("pending"),
        running: now("running"),
        waiting: now("waiting"),
        succeeded: tally.succeeded,
        dead: tally.dead,
        steps: route.steps.iter().map(|step| shown_step(route, step, tallies, open)).collect(),
    }
}

fn shown_step(route: &Route, step: &Step, tallies: &Tallies, open: &OpenRuns) -> FlowStep {
    let key = Key::Step { route: route.name.clone(), step: step.name.clone() };
    let tally = tallies.get(&key).cloned().unwrap_or_default();
    let quantile = |share| tally.took.as_ref().and_then(|took| took.quantile(share));
    FlowStep {
        name: step.name.clone(),
        uses: format!("{}.{}", step.plugin, step.action),
        plugin: step.plugin.clone(),
        action: step.action.clone(),
        needs: step.needs.iter().map(|&need| route.steps[need].name.clone()).collect(),
        waiting: open.at(&route.name, &step.name),
        attempts: tally.count,
        failures: tally.failed,
        dead: tally.dead,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
    }
}

fn plugins(revision: &Revision, present: &BTreeMap<String, Arc<PresentPlugin>>, tallies: &Tallies) -> Vec<FlowPlugin> {
    let used = revision.config.routes.iter().flat_map(|route| &route.steps).any(|step| step.plugin == builtin::NAME);
    let own = used.then(|| (builtin::NAME.to_owned(), "Steps of the host itself".to_owned()));
    let loaded = revision.plugins.iter().map(|(name, plugin)| (name.clone(), plugin.descriptor.title.clone()));
    own.into_iter()
        .chain(loaded)
        .map(|(name, title)| {
            let (mut calls, mut failures, mut hosts) = (0, 0, Vec::new());
            for (key, tally) in tallies {
                match key {
                    Key::Action { plugin, .. } if *plugin == name => {
                        calls += tally.count;
                        failures += tally.failed;
                    }
                    Key::FarEnd { plugin, host } if *plugin == name => {
                        hosts.push(FarEnd { host: host.clone(), requests: tally.count, errors: tally.failed });
                    }
                    _ => {}
                }
            }
            let breakers = present.get(&name).and_then(|plugin| plugin.outbound.breaker());
            let breaker = breakers.map(|hosts| {
                let is = |state: &str| hosts.iter().any(|host| host.state == state);
                ["open", "half-open"].into_iter().find(|state| is(state)).unwrap_or("closed")
            });
            FlowPlugin { name, title, hosts, calls, failures, breaker }
        })
        .collect()
}
