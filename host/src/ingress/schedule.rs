//! A source of `type = "schedule"`: one turn of it. The id of an event is the moment that was meant, so that no firing comes in twice whatever happens
//! to hosts and leases; what was meant while no host looked is made up for as `missed` says.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::reading;
use super::shape::{self, Delivered};
use crate::config::{Schedule, Source};
use crate::crash::Point;
use crate::event::Event;
use crate::runtime::{Intake, Runtime};
use crate::source::{Firing, Firings};
use crate::store::{SetAsideKind, SourceRow, SourceSettlement, SourceSpec, SourceState, StoreError};

/// What identifies the moments that are decided already.
pub(super) fn spec(schedule: &Schedule) -> String {
    format!("schedule {} {}", schedule.calendar.line(), schedule.calendar.zone())
}

/// A schedule that begins now: what was meant before it was there does not fire.
pub(super) fn begins(source: &Source, schedule: &Schedule, now: Timestamp) -> SourceSpec {
    let Firings { cursor, next, .. } = schedule.calendar.firings(&schedule.policy, &source.name, now, now);
    SourceSpec { name: source.name.clone(), spec: spec(schedule), since: None, cursor: Some(cursor.to_string()), due_at: next }
}

/// Has one turn: takes in an event for each firing that is due, and says when the next one is.
///
/// # Errors
/// When the store fails, or the lease is gone: then nothing of it was kept, and it is had again.
pub(super) async fn turn(runtime: &Arc<Runtime>, source: &Source, schedule: &Schedule, row: SourceRow) -> Result<(), StoreError> {
    let now = runtime.clock.now();
    let cursor = row.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(now);
    let (calendar, policy, seed) = (schedule.calendar.clone(), schedule.policy, source.name.clone());
    // After a long time away there may be many moments to look at.
    let firings = tokio::task::spawn_blocking(move || calendar.firings(&policy, &seed, cursor, now)).await;
    let firings = firings.expect("a calendar does not panic");
    let mut events = Vec::new();
    let mut set_aside = Vec::new();
    let intake = Intake::new(runtime);
    for firing in &firings.now {
        match meant(runtime, source, schedule, *firing).await {
            Ok(meant) => {
                for event in meant {
                    match intake.prepare(&event, None).await {
                        Ok(event) => events.push(event),
                        Err(error) => {
                            let whole = event.to_text();
                            set_aside.push(reading::aside(runtime, source, SetAsideKind::Event, &whole, &error.to_string()));
                        }
                    }
                }
            }
            Err(reason) => {
                let text = scope(schedule, *firing).to_string();
                set_aside.push(reading::aside(runtime, source, SetAsideKind::Body, &text, &reason));
            }
        }
    }
    let fired = firings.now.last().map(|firing| firing.at);
    let last = fired.map(|at| {
        let missed = firings.now.iter().filter(|firing| firing.missed).count();
        let shown = json!({ "at": now.to_string(), "scheduled_at": schedule.calendar.local(at).timestamp().to_string(), "outcome": "succeeded",
            "firings": firings.now.len(), "missed": missed, "events": events.len(), "set_aside": set_aside.len() });
        shown.to_string()
    });
    let uri = source.uri();
    let settlement = SourceSettlement {
        name: source.name.clone(),
        lane: row.lane,
        fence: row.fence,
        events,
        keys: None,
        set_aside,
        tried_again: Vec::new(),
        cursor: Some(firings.cursor.to_string()),
        state: SourceState::Active,
        reason: None,
        due_at: firings.next,
        outcome: fired.map(|_| Ok(())),
        failures: 0,
        reached_at: fired.or(row.reached_at),
        last,
        now,
        point: Point::Firing,
    };
    let came = runtime.came(&settlement.events);
    let gathered = runtime.store.source_settle(settlement).await?;
    runtime.took_in(&came, &gathered.accepted, None);
    if fired.is_some() {
        runtime.store.crash().at(Point::Fired);
    }
    for accepted in &gathered.accepted {
        runtime.metrics.accepted(&uri, accepted.duplicate);
    }
    if !gathered.accepted.is_empty() {
        runtime.due.notify_one();
    }
    Ok(())
}

/// What expressions of a schedule see.
fn scope(schedule: &Schedule, firing: Firing) -> Value {
    let local = schedule.calendar.local(firing.at);
    json!({
        "scheduled_at": rfc3339(&local),
        "time_zone": schedule.calendar.zone(),
        "missed": firing.missed,
    })
}

/// On the clocks of the zone, with the offset that tells two hours of the same name apart.
fn rfc3339(local: &jiff::Zoned) -> String {
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

async fn meant(runtime: &Arc<Runtime>, source: &Source, schedule: &Schedule, firing: Firing) -> Result<Vec<Event>, String> {
    let data = scope(schedule, firing);
    let delivered = Delivered {
        scope: data.as_object().cloned().unwrap_or_default(),
        // The moment itself: two hours of the same name are two moments.
        id: firing.at.to_string(),
        size: 0,
        event: None,
        data,
    };
    let mut events = shape::events(&runtime.evaluator, source, delivered).await.map_err(|unreadable| unreadable.to_string())?;
    for event in events.iter_mut().filter(|event| event.time.is_none()) {
        event.time = Some(firing.at.to_string());
    }
    Ok(events)
}
