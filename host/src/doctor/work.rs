//! What there is to do: runs that wait, dead letters, and whatever brings nothing in or is sent nothing.

use jiff::SignedDuration;

use super::Patient;
use super::finding::{Check, Finding};
use super::host::{Seen, alive};
use crate::amount::{count, span};
use crate::clock::later;
use crate::store::{Lane, SourceRow, SourceState, Store, StoreError};
use crate::telemetry;

/// A run that is due and not taken for so long is one that nobody takes.
const UNTAKEN: SignedDuration = SignedDuration::from_secs(30);
/// One that waits for so long in line says that the host can't keep up.
const LONG: SignedDuration = SignedDuration::from_mins(5);

fn failed(check: Check, error: &StoreError) -> Vec<Finding> {
    vec![check.error("", telemetry::chain(error), "see what is said of the store")]
}

fn none_of(number: usize, one: &str, many: &str, ill: &str) -> String {
    match number {
        0 => "none are configured".to_owned(),
        number => format!("{} configured; none is {ill}", count(number as u64, one, many)),
    }
}

/// Runs that are due: whether somebody can take them, how long they have waited, how many there are.
pub(super) async fn waiting(patient: &Patient, store: &Store, seen: &Seen) -> Vec<Finding> {
    match waiting_runs(patient, store, seen).await {
        Ok(findings) => findings,
        Err(error) => failed(Check::Pending, &error),
    }
}

async fn waiting_runs(patient: &Patient, store: &Store, seen: &Seen) -> Result<Vec<Finding>, StoreError> {
    let now = patient.now();
    let hosts: Vec<_> = if store.is_shared() { store.hosts().await? } else { Vec::new() };
    let hosts: Vec<_> = hosts.into_iter().filter(|host| alive(host, now)).collect();
    let is_running = if store.is_shared() { !hosts.is_empty() } else { seen.is_running() };
    let open = store.unfinished().await?;
    let mut findings = Vec::new();
    let untaken = store.revisions_due(now.checked_sub(UNTAKEN).unwrap_or(now)).await?;
    for revision in untaken {
        // One that some host can load is only late, which is said below.
        let nobody = !hosts.is_empty() && hosts.iter().all(|host| host.cannot_serve.contains(&revision));
        if nobody {
            findings.push(Check::Unserved.error(
                &format!("revision {revision}"),
                "runs of this configuration wait, and no host can load it; their deadlines count meanwhile",
                "`sangam events list --status pending` has the reason; give a host what it lacks, or cancel the runs and send their events again",
            ));
        }
    }
    let oldest = store.due_routes().await?.into_iter().min_by_key(|(_, due)| *due).filter(|(_, due)| *due <= now);
    match oldest {
        Some((route, _)) if !is_running => {
            let message =
                format!("{} not ended, of route {route} among others, and no host runs", count(open.backlog, "run has", "runs have"));
            findings.push(Check::Pending.warning("", message, "start a host: `sangam up`"));
        }
        Some((route, due)) if now.duration_since(due) > LONG => {
            let since = span(now.duration_since(due).as_secs());
            let advice = "`sangam top` shows what is busy: more `concurrency` for its plugins, a slow system, a rate limit, or another host (PostgreSQL)";
            findings.push(Check::Pending.warning("", format!("a run of route {route} has waited for {since}"), advice));
        }
        _ if findings.is_empty() => findings.push(Check::Pending.ok("", "no run has waited for long")),
        _ => {}
    }
    let server = &patient.config.server;
    findings.push(full("", open.backlog, server.max_backlog, "not ended", "max-backlog"));
    if open.asleep > 0 {
        findings.push(full("waiting", open.asleep, server.max_waiting, "not ended and wait by design", "max-waiting"));
    }
    Ok(findings)
}

/// A number of runs against what there may be.
fn full(subject: &str, runs: u64, most: u64, what: &str, option: &str) -> Finding {
    let told = format!("{} {what}; at most {most} may (server.{option})", count(runs, "run has", "runs have"));
    let advice = format!("see what holds them up (`sangam top`); raise {option} only if there is room on the disk");
    if runs >= most {
        Check::Backlog.error(subject, format!("events are refused (503): {told}"), advice)
    } else if runs >= most / 5 * 4 && most >= 5 {
        Check::Backlog.warning(subject, told, advice)
    } else {
        Check::Backlog.ok(subject, told)
    }
}

/// Dead letters, by what died the most.
pub(super) async fn dead_letters(patient: &Patient, store: &Store) -> Vec<Finding> {
    let dead = match store.dead_letter_count().await {
        Ok(0) => return vec![Check::DeadLetters.ok("", "there are none")],
        Ok(dead) => dead,
        Err(error) => return failed(Check::DeadLetters, &error),
    };
    let ever = later(jiff::Timestamp::UNIX_EPOCH, std::time::Duration::ZERO);
    let most = match store.dead_by_action(ever).await {
        Ok(most) => most,
        Err(error) => return failed(Check::DeadLetters, &error),
    };
    let of = most.first().map_or(String::new(), |most| {
        let ago = span(patient.now().duration_since(most.died_at).as_secs());
        format!(", {} of them at {}.{} ({}, the last {ago} ago)", most.count, most.plugin, most.action, most.kind)
    });
    let advice =
        "`sangam events dead --group` says what they died of; `sangam events replay EID` does one again, the console all of a cause";
    vec![Check::DeadLetters.warning(
        "",
        format!("{}{of}", count(dead, "dead letter waits for somebody", "dead letters wait for somebody")),
        advice,
    )]
}

/// Sources that are stopped, paused, or fail; and what they have set aside.
pub(super) async fn sources(patient: &Patient, store: &Store) -> Vec<Finding> {
    let rows = match store.sources().await {
        Ok(rows) => rows,
        Err(error) => return failed(Check::Sources, &error),
    };
    let configured = |row: &&SourceRow| patient.config.sources.iter().any(|source| source.name == row.name);
    let mut findings: Vec<Finding> = rows.iter().filter(configured).flat_map(source).collect();
    if findings.is_empty() {
        findings.push(Check::Sources.ok("", none_of(patient.config.sources.len(), "source", "sources", "stopped, paused or failing")));
    }
    findings
}

fn source(row: &SourceRow) -> Vec<Finding> {
    let lane = if row.lane == Lane::Backfill { " (its backfill)" } else { "" };
    let name = format!("{}{lane}", row.name);
    let show = format!("`sangam sources show {}` has the last turn", row.name);
    let resume = format!("`sangam sources resume {}`", row.name);
    let why = row.reason.as_deref().or(row.failed.as_ref().map(|(_, why)| why.as_str())).map_or(String::new(), |why| format!(": {why}"));
    let mut findings = Vec::new();
    match row.state {
        SourceState::Stopped => findings.push(Check::Sources.error(
            &name,
            format!("stopped, since trying again can't help{why}"),
            format!("mend that, then {resume}"),
        )),
        SourceState::Waiting => {
            findings.push(Check::Sources.error(&name, format!("it waits for its credential to change{why}"), "see the credentials above"));
        }
        SourceState::Paused => findings.push(Check::Sources.warning(
            &name,
            format!("somebody paused it: nothing comes in{why}"),
            format!("{resume} when it may go on"),
        )),
        SourceState::Active if row.failures > 0 => {
            let times = count(u64::from(row.failures), "turn has failed", "turns in a row have failed");
            findings.push(Check::Sources.warning(&name, format!("{times}{why}"), format!("it is tried again by itself; {show}")));
        }
        SourceState::Active | SourceState::Done | SourceState::Cancelled => {}
    }
    if row.set_aside > 0 && row.lane != Lane::Backfill {
        let things = count(
            row.set_aside,
            "thing was set aside that no event could be made of",
            "things were set aside that no event could be made of",
        );
        findings.push(Check::Sources.warning(
            &name,
            things,
            format!("{show}; mend its expressions, then `sangam sources retry {}`", row.name),
        ));
    }
    findings
}

/// Endpoints of webhooks that fail or are sent nothing.
pub(super) async fn webhooks(patient: &Patient, store: &Store) -> Vec<Finding> {
    let rows = match store.subscribers().await {
        Ok(rows) => rows,
        Err(error) => return failed(Check::Webhooks, &error),
    };
    let now = patient.now();
    let mut findings = Vec::new();
    for row in rows.iter().filter(|row| patient.config.webhooks.contains_key(&row.name)) {
        let why = row.reason.as_deref().map_or(String::new(), |why| format!(": {why}"));
        if let Some(at) = row.disabled_at {
            let since = span(now.duration_since(at).as_secs());
            let advice = format!("when its owner says that it is well: `sangam webhooks enable {} --replay`", row.name);
            findings.push(Check::Webhooks.error(&row.name, format!("disabled for {since}, nothing is sent to it{why}"), advice));
        } else if let Some(at) = row.failing_since {
            let since = span(now.duration_since(at).as_secs());
            let advice = format!("`sangam webhooks test {}` tries it; tell its owner before it is disabled", row.name);
            findings.push(Check::Webhooks.warning(&row.name, format!("it has been failing for {since}{why}"), advice));
        }
    }
    if findings.is_empty() {
        findings.push(Check::Webhooks.ok("", none_of(patient.config.webhooks.len(), "endpoint", "endpoints", "failing or disabled")));
    }
    findings
}

/// Hosts that are left alone since they failed too often. Known of shared stores; each host of a file knows its own.
pub(super) async fn breakers(patient: &Patient, store: &Store) -> Vec<Finding> {
    if !store.is_shared() {
        return Vec::new();
    }
    let rows = match store.breakers().await {
        Ok(rows) => rows,
        Err(error) => return failed(Check::Breakers, &error),
    };
    let open = rows.iter().filter(|row| patient.config.plugins.contains_key(&row.plugin));
    let mut findings: Vec<Finding> = open
        .map(|row| {
            let failures = count(u64::from(row.failures), "failure", "failures in a row");
            let advice = "it is tried again by itself after its cooldown; see whether the system is well";
            Check::Breakers.warning(&format!("{} {}", row.plugin, row.host), format!("left alone after {failures}"), advice)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Check::Breakers.ok("", "no system is left alone"));
    }
    findings
}
