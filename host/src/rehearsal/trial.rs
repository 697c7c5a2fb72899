//! Cases judged: what a connector did beside what it was to do.

use serde_json::{Value, json};

use super::case::{Case, OnDoubt, PollCase};
use super::difference::{differences, differences_within};
use super::fault::{Fault, Injection};
use super::openapi::{Described, Descriptions};
use super::pattern::Placeholders;
use super::reading::Read;
use super::script::{Script, Seen, Teaching};
use super::stage::{CLOCK, Cast, Play, Played, Stage, StageError};
use crate::telemetry::plain;

/// Attempts that a run gets to get over a fault.
pub const MOST_ATTEMPTS: u32 = 5;

/// What a case was played against, where that was a description.
const AS_DESCRIBED: &str = "as described";

/// How a case went.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The case.
    pub case: String,
    /// What was made to go wrong in it, or [`AS_DESCRIBED`].
    pub fault: Option<String>,
    /// What was not as it was to be; empty: all was.
    pub differences: Vec<String>,
    /// How the call ended, in a few words.
    pub outcome: String,
}

impl Verdict {
    /// Whether all was as it was to be.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether it is of a system that is only described.
    pub fn is_of_description(&self) -> bool {
        self.fault.as_deref() == Some(AS_DESCRIBED)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({ "case": self.case, "fault": self.fault, "passed": self.passed(), "outcome": self.outcome, "differences": self.differences })
    }
}

/// The casts that cases need, and which one each has.
pub fn casts(cases: &[Case]) -> (Vec<Cast>, Vec<usize>) {
    let mut casts: Vec<Cast> = Vec::new();
    let mut of = Vec::with_capacity(cases.len());
    for case in cases {
        let index = match casts.iter().position(|cast| cast.configuration == case.configuration) {
            Some(index) => index,
            None => {
                casts.push(Cast { configuration: case.configuration.clone(), origins: Vec::new(), holds: Vec::new() });
                casts.len() - 1
            }
        };
        casts[index].origins.extend(case.origins());
        if case.on_doubt == OnDoubt::Hold {
            casts[index].holds.push(case.action.clone());
        }
        of.push(index);
    }
    (casts, of)
}

/// A case as it was played.
#[derive(Debug)]
pub struct Performance {
    /// What came of it.
    pub played: Played,
    /// The system it was played against.
    pub script: std::sync::Arc<Script>,
    /// What placeholders stood for.
    pub placeholders: Placeholders,
}

/// How a case is played.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How closely requests must be the case's.
    pub teaching: Teaching,
    /// What goes wrong.
    pub injection: Option<Injection>,
    /// Most attempts.
    pub attempts: u32,
    /// It is undone afterwards.
    pub undo: bool,
}

/// Plays a case.
///
/// # Errors
/// When it can't be played at all.
pub async fn perform(stage: &Stage, cast: usize, case: &Case, manner: Manner) -> Result<Performance, StageError> {
    let root = stage.root(&case.name);
    let clock = case.context.clock.unwrap_or_else(|| CLOCK.parse().expect("a time"));
    let placeholders = stage.placeholders(&root, &case.names(), clock);
    let mut exchanges = case.exchanges.clone();
    if manner.undo {
        exchanges.extend(case.undo_exchanges.clone());
    }
    let mut script = Script::new(std::sync::Arc::new(exchanges), placeholders.clone(), manner.teaching);
    if let Some(injection) = manner.injection {
        script = script.with(injection);
    }
    let script = std::sync::Arc::new(script);
    if let Some(poll) = &case.poll {
        let read = read(cast, case, poll, clock, manner.attempts);
        let played = stage.read(read, script.clone(), script.crash()).await?;
        return Ok(Performance { played, script, placeholders });
    }
    let play = Play {
        cast,
        root,
        action: &case.action,
        input: &case.input,
        event: &case.context.event,
        clock,
        key_value: &case.context.key_value,
        keys: case.expect.key_value.keys().cloned().collect(),
        attempts: manner.attempts,
        undo: manner.undo,
        events: case.expect.events.is_some(),
    };
    let played = stage.play(play, script.clone(), script.crash()).await?;
    Ok(Performance { played, script, placeholders })
}

fn read<'a>(cast: usize, case: &'a Case, poll: &'a PollCase, clock: jiff::Timestamp, attempts: u32) -> Read<'a> {
    let keys = case.expect.key_value.keys().cloned().collect();
    Read { cast, poll, clock, key_value: &case.context.key_value, keys, attempts }
}

/// Plays a case to the letter and judges it.
///
/// # Errors
/// When it can't be played at all.
pub async fn case(stage: &Stage, cast: usize, case: &Case) -> Result<(Verdict, Performance), StageError> {
    let attempts = case.context.attempts.unwrap_or(1).max(1);
    let manner = Manner { teaching: Teaching::Strict, injection: None, attempts, undo: false };
    let performance = perform(stage, cast, case, manner).await?;
    let mut found = performance.script.trouble();
    found.extend(outcome(case, &performance));
    let verdict = Verdict { case: case.name.clone(), fault: None, differences: found, outcome: told(&performance.played) };
    Ok((verdict, performance))
}

/// Whether a case as it was played is a whole success, in which something can be made to go wrong. One that has faults of its own is none.
pub fn is_unharmed(case: &Case, verdict: &Verdict, performance: &Performance) -> bool {
    let Played { status, attempts, .. } = &performance.played;
    verdict.passed() && case.succeeds() && status == "succeeded" && attempts.len() == 1
}

/// How a call ended, in a few words.
fn told(played: &Played) -> String {
    match played.last() {
        Some(last) if last.outcome == "succeeded" => "succeeded".to_owned(),
        Some(last) => format!("{}: {}", last.outcome, plain(&played.reason())),
        None => played.status.clone(),
    }
}

fn outcome(case: &Case, performance: &Performance) -> Vec<String> {
    let Performance { played, placeholders, .. } = performance;
    let mut found = Vec::new();
    let failed = played.last().filter(|last| last.outcome != "succeeded");
    match (&case.expect.failure, failed) {
        (None, Some(last)) => found.push(format!("expected success, failed as {}: {}", last.outcome, plain(&played.reason()))),
        (Some(expected), None) => found.push(format!("expected a failure ({}), succeeded", expected.kind)),
        (Some(expected), Some(last)) => {
            if expected.kind != last.outcome {
                found.push(format!("failure: expected {}, got {}: {}", expected.kind, last.outcome, plain(&played.reason())));
            }
            if let Some(wanted) = expected.after_ms
                && played.again_ms != Some(wanted)
            {
                let actual = played.again_ms.map_or_else(|| "no further try".to_owned(), |again| format!("{again} ms"));
                found.push(format!("failure.after_ms: expected {wanted} ms, got {actual}"));
            }
            if let Some(reason) = &expected.reason
                && !placeholders.fits(&format!("${{any}}{reason}${{any}}"), &played.reason())
            {
                found.push(format!("failure.reason: expected {reason:?} in it, got {:?}", placeholders.spelled(&played.reason())));
            }
        }
        (None, None) => {}
    }
    if let (Some(expected), Some(actual)) = (&case.expect.output, &played.output) {
        found.extend(differences(placeholders, "output", expected, actual));
    }
    if let Some(expected) = &case.expect.logs {
        let logs: Vec<&Value> = played.attempts.iter().flat_map(|attempt| &attempt.logs).collect();
        let mut left = logs.iter();
        for line in expected {
            if !left.any(|actual| differences_within(placeholders, "log", line, actual).is_empty()) {
                found.push(format!("logs: no line (after the ones before) is {}", super::difference::shown(line)));
            }
        }
    }
    if let Some(expected) = &case.expect.events {
        if expected.len() != played.events.len() {
            found.push(format!("events: expected {}, got {}", expected.len(), played.events.len()));
        }
        for (index, (expected, actual)) in expected.iter().zip(&played.events).enumerate() {
            found.extend(differences_within(placeholders, &format!("events[{index}]"), expected, actual));
        }
    }
    if let Some(page) = &played.page {
        if let Some(expected) = &case.expect.cursor {
            let actual = page.cursor.clone().unwrap_or(Value::Null);
            found.extend(differences(placeholders, "cursor", expected, &actual));
        }
        if let Some(expected) = case.expect.more.filter(|expected| *expected != page.more) {
            found.push(format!("more: expected {expected}, got {}", page.more));
        }
        if let Some(expected) = &case.expect.set_aside {
            if expected.len() != page.set_aside.len() {
                found.push(format!("set_aside: expected {}, got {}", expected.len(), page.set_aside.len()));
            }
            for (index, (expected, actual)) in expected.iter().zip(&page.set_aside).enumerate() {
                found.extend(differences_within(placeholders, &format!("set_aside[{index}]"), expected, actual));
            }
        }
    }
    for (key, expected) in &case.expect.key_value {
        let place = format!("key_value[{key:?}]");
        match (expected, played.key_value.get(key).and_then(Option::as_deref)) {
            (Value::Null, None) => {}
            (Value::Null, Some(value)) => found.push(format!("{place}: expected not to be there, is {:?}", String::from_utf8_lossy(value))),
            (expected, None) => found.push(format!("{place}: expected {}, is not there", super::difference::shown(expected))),
            (Value::String(text), Some(value)) => {
                let value = String::from_utf8_lossy(value);
                if !placeholders.fits(text, &value) {
                    found.push(format!("{place}: expected {text:?}, got {:?}", placeholders.spelled(&plain(&value))));
                }
            }
            (expected, Some(value)) => match serde_json::from_slice(value) {
                Ok(actual) => found.extend(differences(placeholders, &place, expected, &actual)),
                Err(_) => found.push(format!("{place}: expected JSON, got {:?}", plain(&String::from_utf8_lossy(value)))),
            },
        }
    }
    found
}

/// Plays a case that succeeds with each fault at each of its requests, and judges what the connector made of it. `unharmed`: as it was
/// played without.
///
/// # Errors
/// When it can't be played at all.
pub async fn faults(
    stage: &Stage,
    cast: usize,
    case: &Case,
    unharmed: &Performance,
    kinds: &[Fault],
) -> Result<Vec<(Verdict, Played)>, StageError> {
    let mut verdicts = Vec::new();
    for (at, seen) in unharmed.script.seen().iter().enumerate() {
        for fault in kinds {
            // A crash at a read is one like any other; nothing was done by it.
            if seen.asked.reads && *fault == Fault::CrashAfter {
                continue;
            }
            verdicts.push(with_fault(stage, cast, case, unharmed, (at, seen), *fault).await?);
        }
    }
    Ok(verdicts)
}

async fn with_fault(
    stage: &Stage,
    cast: usize,
    case: &Case,
    unharmed: &Performance,
    (at, seen): (usize, &Seen),
    fault: Fault,
) -> Result<(Verdict, Played), StageError> {
    let injection = Injection { at, fault, lasts: false };
    let manner = Manner { teaching: Teaching::Again, injection: Some(injection), attempts: MOST_ATTEMPTS, undo: false };
    let performance = perform(stage, cast, case, manner).await?;
    let name = seen.asked.name.as_ref().map(|name| format!(" ({})", plain(name))).unwrap_or_default();
    let described = format!("{} at {} {}{name}", fault.as_str(), seen.asked.method, plain(seen.asked.url.path()));
    let differences = judged(case, seen, fault, &performance, unharmed);
    let outcomes: Vec<&str> = performance.played.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    let verdict = Verdict { case: case.name.clone(), fault: Some(described), differences, outcome: outcomes.join(", ") };
    Ok((verdict, performance.played))
}

/// Whether a difference is that the case has no answer to what was asked.
pub fn is_gap(difference: &str) -> bool {
    difference.contains(" was not expected")
}

/// What is wrong with how a connector took a fault.
fn judged(case: &Case, seen: &Seen, fault: Fault, performance: &Performance, unharmed: &Performance) -> Vec<String> {
    let (played, script) = (&performance.played, &performance.script);
    let mut found = script.trouble();
    let gaps = found.len();
    for trouble in &mut found {
        trouble.push_str("\n    (what later attempts look up belongs into the case as `optional` exchanges, with `after` for what is so once a write was done)");
    }
    let Some(first) = played.first() else {
        found.push("nothing was tried".to_owned());
        return found;
    };
    let reason = || {
        let reason = first.error.as_ref().and_then(|error| error["reason"].as_str()).unwrap_or_default();
        if reason.is_empty() { String::new() } else { format!(": {}", plain(reason)) }
    };
    let demands = fault.demands();
    let as_demanded = demands.is_empty() || demands.iter().any(|kind| kind.as_str() == first.outcome);
    if first.outcome != "succeeded" && !as_demanded {
        let kinds: Vec<&str> = demands.iter().map(|kind| kind.as_str()).collect();
        found.push(format!("misclassified: expected {}, got {}{}", kinds.join(" or "), first.outcome, reason()));
    }
    let diverged = played.attempts.iter().find(|attempt| attempt.outcome == "diverged");
    if let Some(diverged) = diverged {
        let reason = diverged.error.as_ref().and_then(|error| error["reason"].as_str()).unwrap_or_default();
        found.push(format!("diverged on a further attempt: {}", plain(reason)));
    }
    let succeeded = played.status == "succeeded";
    // Where the case has no answer to what was asked, that is told already.
    // Held, it is as it was to be: nobody can know whether it was done, and a person decides.
    if fault.is_passing() && !succeeded && !played.held && as_demanded && gaps == 0 && diverged.is_none() {
        found.push(format!("a further attempt did not succeed: {}", plain(&played.reason())));
    }
    let (wanted, done) = (unharmed.script.done(), script.done());
    for (write, times) in &done {
        match wanted.get(write) {
            Some(once) if times > once => found.push(format!("doubled: write {:?} was done {times} times", plain(write))),
            Some(_) => {}
            // What the case says may be asked.
            None if case.exchanges.iter().any(|exchange| exchange.optional && exchange.request.name.as_ref() == Some(write)) => {}
            None => found.push(format!("doubled: write {:?} was done too, which nobody asks for where nothing goes wrong", plain(write))),
        }
    }
    if succeeded {
        for write in wanted.keys().filter(|write| !done.contains_key(*write)) {
            // A page where an answer should be: nobody can say what it was.
            if !matches!(fault, Fault::NotJson | Fault::OtherShape) {
                found.push(format!("lost: it succeeded, and write {:?} was never done", plain(write)));
            }
        }
        if !seen.asked.reads
            && first.outcome == "succeeded"
            && !fault.is_done()
            && !done.contains_key(&super::script::identity(&seen.asked))
        {
            found.push("it took a write that failed for done".to_owned());
        }
    }
    found
}

/// Holds what a case asked against what is described, and plays it once more against a system that answers from that.
///
/// # Errors
/// When it can't be played at all.
pub async fn described(
    stage: &Stage,
    cast: usize,
    case: &Case,
    unharmed: &Performance,
    descriptions: &std::sync::Arc<Descriptions>,
) -> Result<Verdict, StageError> {
    let mut found = Vec::new();
    for seen in unharmed.script.seen() {
        let asked = format!("{} {}", seen.asked.method, plain(seen.asked.url.path()));
        found.extend(descriptions.refusals(&seen.asked).into_iter().map(|refusal| format!("{asked}: {refusal}")));
    }
    let system = std::sync::Arc::new(Described::new(descriptions.clone()));
    let clock = case.context.clock.unwrap_or_else(|| CLOCK.parse().expect("a time"));
    let played = if let Some(poll) = &case.poll {
        stage.read(read(cast, case, poll, clock, 1), system.clone(), std::sync::Arc::default()).await?
    } else {
        let play = Play {
            cast,
            root: stage.root(&case.name),
            action: &case.action,
            input: &case.input,
            event: &case.context.event,
            clock,
            key_value: &case.context.key_value,
            keys: Vec::new(),
            attempts: 1,
            undo: false,
            events: false,
        };
        stage.play(play, system.clone(), std::sync::Arc::default()).await?
    };
    for trouble in system.trouble() {
        if !found.contains(&trouble) {
            found.push(trouble);
        }
    }
    let ends = ["trap", "timeout", "invalid-output", "diverged"];
    if let Some(last) = played.last().filter(|last| ends.contains(&last.outcome.as_str())) {
        found.push(format!("{}: {}", last.outcome, plain(&played.reason())));
    }
    let outcome = format!("{} requests, {}", system.asked(), told(&played));
    Ok(Verdict { case: case.name.clone(), fault: Some(AS_DESCRIBED.to_owned()), differences: found, outcome })
}
