//! An event drawn as a timeline that a person reads at a glance.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;

use super::plain;
use crate::amount;

/// Width of the part that holds names.
const NAMES: usize = 44;
/// Log lines shown of an attempt.
const LOG_LINES: usize = 6;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// The whole event: runs, steps, attempts, effects.
pub fn draw(event: &Value) -> String {
    let mut text = String::new();
    let body = &event["event"];
    let _ = writeln!(text, "{} {BOLD}{}{BOLD:#}  {}", mark(&event["status"]), string(&body["type"]), string(&body["id"]));
    let _ = writeln!(text, "  {DIM}eid      {DIM:#} {}", string(&event["eid"]));
    let _ = writeln!(text, "  {DIM}source   {DIM:#} {}", string(&body["source"]));
    let _ = writeln!(text, "  {DIM}received {DIM:#} {}", string(&event["received_at"]));
    let _ = writeln!(text, "  {DIM}status   {DIM:#} {}", status(&event["status"]));
    if let Some(reason) = event["status_reason"].as_str() {
        let _ = writeln!(text, "  {DIM}because  {DIM:#} {}", plain(reason));
    }
    if event["erased_at"].is_string() {
        let _ = writeln!(text, "  {DIM}erased   {DIM:#} personal data, {}: it can't be replayed", string(&event["erased_at"]));
    }
    if event["cause"].is_object() {
        let _ =
            writeln!(text, "  {DIM}cause    {DIM:#} step {} of event {}", string(&event["cause"]["step"]), string(&event["cause"]["eid"]));
    }
    for run in items(&event["runs"]) {
        draw_run(&mut text, run);
    }
    text
}

/// One line of a list.
pub fn line(event: &Value) -> String {
    let body = &event["event"];
    let received = string(&event["received_at"]);
    let reason =
        event["status_reason"].as_str().filter(|_| event["status"] != "succeeded").map(|reason| format!("  {DIM}{}{DIM:#}", plain(reason)));
    format!(
        "{} {}  {DIM}{}{DIM:#}  {:9}  {BOLD}{}{BOLD:#}  {}{}",
        mark(&event["status"]),
        string(&event["eid"]),
        received.get(..19).unwrap_or(&received),
        string(&event["status"]),
        string(&body["type"]),
        string(&body["id"]),
        reason.unwrap_or_default()
    )
}

fn draw_run(text: &mut String, run: &Value) {
    let _ = writeln!(
        text,
        "\n  {BOLD}route {}{BOLD:#}  {}  {DIM}run {} revision {}{DIM:#}",
        string(&run["route"]),
        status(&run["status"]),
        string(&run["id"]),
        run["revision"]
    );
    if let Some(of) = run["replay_of"].as_str() {
        let _ = writeln!(text, "  {DIM}replay of {of}{DIM:#}");
    }
    if let Some(key) = run["order_key"].as_str() {
        let _ = writeln!(text, "  {DIM}ordered by {}{DIM:#}", plain(key));
    }
    if let Some(reason) = run["status_reason"].as_str() {
        let _ = writeln!(text, "  {}", plain(reason));
    }
    draw_queue(text, run);
    if let Some(next) = run["next_attempt_at"].as_str() {
        let _ = writeln!(text, "  next attempt at {next}");
    }
    let start = parse(&run["created_at"]);
    let steps: Vec<&Value> = items(&run["steps"]).collect();
    let last = steps.len().saturating_sub(1);
    for (index, step) in steps.into_iter().enumerate() {
        draw_step(text, step, start, index == last);
    }
}

/// Who waits behind a run that holds its order key.
fn draw_queue(text: &mut String, run: &Value) {
    let behind = run["waiting_behind"].as_u64().unwrap_or(0);
    let waiting = amount::count(behind, "run waits", "runs wait");
    if run["keeps_key"] == true {
        let _ = writeln!(text, "  keeps its order key, {waiting} behind it: a replay goes on in its place, cancel gives the key up");
    } else if behind > 0 {
        let _ = writeln!(text, "  {DIM}{waiting} behind it{DIM:#}");
    }
}

fn draw_step(text: &mut String, step: &Value, start: Option<Timestamp>, last: bool) {
    let undo = Some(&step["undo"]).filter(|undo| undo.is_object());
    draw_task(text, step, start, last && undo.is_none());
    match undo {
        Some(undo) if undo["name"].is_string() => draw_task(text, undo, start, last),
        Some(undo) => {
            let rail = if last { "└─" } else { "├─" };
            let _ = writeln!(text, "  {rail} {} not undone: {}", mark(&Value::from("undo-failed")), string(&undo["error"]["reason"]));
        }
        None => {}
    }
}

/// A step, or the undo of one.
fn draw_task(text: &mut String, step: &Value, start: Option<Timestamp>, last: bool) {
    let (corner, rail) = if last { ("└─", "   ") } else { ("├─", "│  ") };
    let name = format!("{} {DIM}{}{DIM:#}", string(&step["name"]), string(&step["uses"]));
    let took: i64 = items(&step["attempts"]).filter_map(|attempt| attempt["duration_ms"].as_i64()).sum();
    let _ = writeln!(text, "  {corner} {} {name}  {}  {DIM}{}{DIM:#}", mark(&step["status"]), status(&step["status"]), millis(took));
    let tries = items(&step["attempts"]).count();
    for attempt in items(&step["attempts"]) {
        let offset = match (start, parse(&attempt["started_at"])) {
            (Some(start), Some(at)) => format!("+{}", millis(at.duration_since(start).as_millis().try_into().unwrap_or(i64::MAX))),
            _ => String::new(),
        };
        let outcome = attempt["outcome"].as_str().unwrap_or("under way");
        let took = attempt["duration_ms"].as_i64().map(millis).unwrap_or_default();
        if tries > 1 || outcome != "succeeded" {
            let _ = writeln!(
                text,
                "  {rail}  {DIM}{offset:>8}{DIM:#}  attempt {}: {} {DIM}{took}{DIM:#}",
                attempt["number"],
                status(&Value::from(outcome))
            );
        }
        if let Some(reason) = attempt["error"]["reason"].as_str() {
            let _ = writeln!(text, "  {rail}            {}", plain(reason));
        }
        for effect in items(&attempt["effects"]) {
            draw_effect(text, effect, rail);
        }
        draw_logs(text, attempt, rail);
    }
    for held in items(&step["held"]) {
        let _ = writeln!(
            text,
            "  {rail}            held: was {} {} done? `sangam events decide EID --outcome done|not-done`",
            string(&held["method"]),
            path(&string(&held["url"]))
        );
    }
    draw_rounds(text, step, rail);
    if step["status"] == "pending"
        && let Some(next) = step["next_attempt_at"].as_str()
    {
        let _ = writeln!(text, "  {rail}            tried again at {next}");
    }
}

/// What a step waits for, and how often it was repeated.
fn draw_rounds(text: &mut String, step: &Value, rail: &str) {
    let waits = &step["waits"];
    let until = waits["until"].as_str().map(|until| format!(" until {until}")).unwrap_or_default();
    if let Some(events) = waits["events"].as_array() {
        let types: Vec<String> = events.iter().map(string).collect();
        let _ = writeln!(text, "  {rail}            waits for an event {}{until}", types.join(" or "));
        if let Some(condition) = waits["where"].as_str() {
            let _ = writeln!(text, "  {rail}            where {}", plain(condition));
        }
        if let Some(eid) = waits["where_failed_for"].as_str() {
            let _ = writeln!(text, "  {rail}            `where` failed for event {}, which is not taken for the one", plain(eid));
        }
    } else if waits.is_object() {
        let _ = writeln!(text, "  {rail}            waits{until}");
    }
    let rounds = step["rounds"].as_u64().unwrap_or(0);
    let stopped = step["stopped_by"]["type"].as_str().map(|kind| format!(", ended by an event {}", plain(kind)));
    let exhausted = (step["exhausted"] == true).then(|| ", and what it was repeated for did not come".to_owned());
    if let Some(end) = stopped.or(exhausted).or_else(|| (rounds > 1).then(String::new)) {
        let rounds = amount::count(rounds, "round", "rounds");
        let _ = writeln!(text, "  {rail}            {rounds}{end}");
    }
}

/// The log lines of an attempt.
pub(super) fn draw_logs(text: &mut String, attempt: &Value, rail: &str) {
    for log in items(&attempt["logs"]).take(LOG_LINES) {
        let fields: Vec<String> =
            log["fields"].as_object().into_iter().flatten().map(|(name, value)| format!("{}={}", plain(name), string(value))).collect();
        let _ =
            writeln!(text, "  {rail}            {DIM}{}: {} {}{DIM:#}", string(&log["level"]), string(&log["message"]), fields.join(" "));
    }
}

/// One effect on one line.
pub(super) fn draw_effect(text: &mut String, effect: &Value, rail: &str) {
    let target = if effect["kind"] == "key-value" { string(&effect["name"]) } else { path(&string(&effect["url"])) };
    let answer = effect["status"].as_u64().map_or_else(|| string(&effect["state"]), |status| status.to_string());
    let style = match effect["state"].as_str() {
        Some("done") => color(AnsiColor::Green),
        Some("failed") => color(AnsiColor::Red),
        _ => color(AnsiColor::Yellow),
    };
    let mut notes = Vec::new();
    // Reads have no key.
    if effect["replayed"] == true {
        notes.push(if effect["key"].is_null() { "as recorded" } else { "replayed, not sent again" }.to_owned());
    }
    if effect["unrepeated"] == true {
        notes.push("done by an earlier attempt, no longer asked for".to_owned());
    }
    if effect["dropped"] == true {
        notes.push("not carried out".to_owned());
    }
    if effect["body_digest"].is_string() {
        notes.push("body kept by digest".to_owned());
    }
    match effect["decided"].as_str() {
        Some(decided) => notes.push(format!("in doubt, a person says {}", plain(decided))),
        None if effect["state"] == "in-doubt" => notes.push("in doubt".to_owned()),
        None => {}
    }
    if effect["kind"] != "key-value"
        && let Some(name) = effect["name"].as_str()
    {
        notes.push(format!("“{}”", plain(name)));
    }
    if let Some(error) = effect["error"].as_str() {
        notes.push(plain(error));
    }
    let what = format!("{} {target}", string(&effect["method"]));
    let took = effect["duration_ms"].as_i64().filter(|_| effect["kind"] != "key-value").map(millis).unwrap_or_default();
    let _ = writeln!(text, "  {rail}            {style}{answer:>4}{style:#} {what:NAMES$} {DIM}{took:>8}  {}{DIM:#}", notes.join(", "));
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn string(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn parse(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Host and path; the query tells little and is long.
fn path(url: &str) -> String {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = without_scheme.split_once('/').map_or("/".to_owned(), |(_, path)| format!("/{path}"));
    path.split('?').next().unwrap_or("").to_owned()
}

fn millis(millis: i64) -> String {
    match millis {
        ..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}

fn style_of(status: &str) -> Style {
    match status {
        "succeeded" | "done" => color(AnsiColor::Green),
        "dead" | "failed" | "undo-failed" | "rejected" | "diverged" | "trap" | "timeout" | "invalid-input" | "expression" => {
            color(AnsiColor::Red)
        }
        "running" | "under way" => color(AnsiColor::Cyan),
        "pending" | "waiting" | "retry" | "rate-limited" | "unauthorized" | "conflict" | "busy" | "interrupted" | "undoing" => {
            color(AnsiColor::Yellow)
        }
        _ => Style::new().dimmed(),
    }
}

fn status(value: &Value) -> String {
    let text = string(value);
    let style = style_of(&text);
    format!("{style}{text}{style:#}")
}

fn mark(value: &Value) -> String {
    let text = string(value);
    let sign = match text.as_str() {
        "succeeded" => "✓",
        "dead" | "failed" | "undo-failed" => "✗",
        "undone" => "↩",
        "skipped" | "cancelled" | "unrouted" => "-",
        "running" => "▸",
        _ => "…",
    };
    let style = style_of(&text);
    format!("{style}{sign}{style:#}")
}
