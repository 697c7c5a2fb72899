//! A dry run drawn: what each step was given and gave, and what it would send first.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::plain;
use super::timeline::{BOLD, DIM, draw_effect, draw_logs, items, string};

/// Longest value shown on one line; `--json` has it whole.
const MAX_LINE: usize = 160;
/// Lines of a body that are shown.
const BODY_LINES: usize = 40;

/// All lines of a dry run.
pub(super) fn draw(answer: &Value) -> String {
    let mut text = String::new();
    let document = &answer["dry_run"];
    let _ = writeln!(text, "{BOLD}dry run{BOLD:#} of {}: nothing is written, reads are {}", string(&document["eid"]), reads(document));
    for run in items(&document["runs"]) {
        let _ = writeln!(
            text,
            "\n  {BOLD}route {}{BOLD:#}  {DIM}replay of {} on revision {}{DIM:#}",
            string(&run["route"]),
            string(&run["replay_of"]),
            run["revision"]
        );
        let last = items(&run["steps"]).count().saturating_sub(1);
        for (index, step) in items(&run["steps"]).enumerate() {
            draw_step(&mut text, step, index == last);
        }
    }
    text
}

/// All lines of routes that were tried on a sample.
pub(super) fn draw_tried(answer: &Value) -> String {
    let mut text = String::new();
    let event = &answer["event"];
    let _ = writeln!(text, "{BOLD}tried{BOLD:#} {} from {}: nothing is sent or stored", string(&event["type"]), string(&event["source"]));
    if let Some(reason) = answer["refused"]["reason"].as_str() {
        let style = color(AnsiColor::Red);
        let _ = writeln!(text, "\n  {style}✗{style:#} the event would be refused: {}", plain(reason));
    }
    for route in items(&answer["routes"]) {
        let name = string(&route["name"]);
        if route["wanted"] != true {
            let why = &route["why_not"];
            let why = match why["kind"].as_str() {
                Some("when") => format!("{} gives {}", string(&why["expression"]), why["gave"]),
                Some(kind) => {
                    let wants: Vec<String> = items(&why["wants"]).map(string).collect();
                    format!("it wants the {kind} {}", wants.join(" or "))
                }
                None => String::new(),
            };
            let _ = writeln!(text, "\n  {DIM}route {name}  does not want it: {why}{DIM:#}");
            continue;
        }
        let order = route["order_key"].as_str().map(|key| format!("in the order of {}", plain(key))).unwrap_or_default();
        let _ = writeln!(text, "\n  {BOLD}route {name}{BOLD:#}  {DIM}{order}{DIM:#}");
        if let Some(reason) = route["dead"]["reason"].as_str() {
            let style = color(AnsiColor::Red);
            let _ = writeln!(text, "  {style}✗{style:#} its run would be dead at once: {}", plain(reason));
        }
        let last = items(&route["steps"]).count().saturating_sub(1);
        for (index, step) in items(&route["steps"]).enumerate() {
            draw_step(&mut text, step, index == last);
        }
    }
    text
}

fn reads(document: &Value) -> &'static str {
    if document["reads"] == "live" { "live" } else { "answered as they were recorded" }
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}

fn draw_step(text: &mut String, step: &Value, last: bool) {
    let (corner, rail) = if last { ("└─", "   ") } else { ("├─", "│  ") };
    let (sign, style, says) = match step["status"].as_str().unwrap_or("") {
        "succeeded" if step["kept"] == true => ("✓", color(AnsiColor::Green), "succeeded before, kept"),
        "succeeded" => ("✓", color(AnsiColor::Green), "succeeds"),
        "skipped" => ("-", Style::new().dimmed(), "skipped"),
        "stopped" if step["would_send"].is_object() || unanswered(step) => ("▸", color(AnsiColor::Cyan), "would send"),
        "assumed" if step["output_from"] == "given" => ("▸", color(AnsiColor::Cyan), "would send; its output was given"),
        "assumed" => ("▸", color(AnsiColor::Cyan), "would send; its output is the example of its action"),
        "stopped" => ("▸", color(AnsiColor::Yellow), "stopped"),
        "failed" => ("✗", color(AnsiColor::Red), "fails"),
        _ => ("…", Style::new().dimmed(), "not reached"),
    };
    let name = format!("{} {DIM}{}{DIM:#}", string(&step["name"]), string(&step["uses"]));
    let _ = writeln!(text, "  {corner} {style}{sign}{style:#} {name}  {style}{says}{style:#}");
    if let Some(reason) = step["error"]["reason"].as_str() {
        let _ = writeln!(text, "  {rail}            {}: {}", string(&step["error"]["kind"]), plain(reason));
    }
    if step["kept"] == true {
        return;
    }
    for (what, value) in [("input", &step["input"]), ("output", &step["output"])] {
        if !value.is_null() {
            let _ = writeln!(text, "  {rail}            {DIM}{what:6}{DIM:#} {}", short(value));
        }
    }
    for effect in items(&step["effects"]) {
        draw_effect(text, effect, rail);
    }
    if step["would_send"].is_object() {
        draw_request(text, &step["would_send"], rail);
        draw_difference(text, step, rail);
    }
    for write in items(&step["writes"]) {
        draw_request(text, write, rail);
        if let Some(status) = write["answer"]["status"].as_u64() {
            let _ = writeln!(text, "  {rail}              {DIM}answered {status}, as given{DIM:#}");
        }
    }
    for event in items(&step["events"]) {
        let routes: Vec<String> = items(&event["routes"]).map(string).collect();
        let routes = if routes.is_empty() { "no route wants it".to_owned() } else { format!("for {}", routes.join(", ")) };
        let _ = writeln!(
            text,
            "  {rail}            brings in {} ({routes}): {}",
            string(&event["event"]["type"]),
            short(&event["event"]["data"])
        );
    }
    draw_logs(text, step, rail);
}

/// Whether a step of a try-out ended at a write that nobody had answered.
fn unanswered(step: &Value) -> bool {
    items(&step["writes"]).last().is_some_and(|write| write["answer"].is_null())
}

fn draw_request(text: &mut String, request: &Value, rail: &str) {
    let _ = writeln!(text, "  {rail}            {BOLD}{} {}{BOLD:#}", string(&request["method"]), string(&request["url"]));
    for header in items(&request["headers"]) {
        let _ = writeln!(text, "  {rail}              {DIM}{}: {}{DIM:#}", string(&header[0]), string(&header[1]));
    }
    for (what, value) in [("name", &request["name"]), ("key", &request["key"])] {
        if !value.is_null() {
            let _ = writeln!(text, "  {rail}              {DIM}{what} {}{DIM:#}", string(value));
        }
    }
    let body = match &request["body"] {
        Value::Null => return,
        Value::String(body) => super::plain_lines(body),
        body => format!("{body:#}"),
    };
    let lines = body.lines().count();
    for line in body.lines().take(BODY_LINES) {
        let _ = writeln!(text, "  {rail}              {line}");
    }
    if lines > BODY_LINES {
        let _ = writeln!(text, "  {rail}              … {} more lines; --json has them", lines - BODY_LINES);
    }
}

fn draw_difference(text: &mut String, step: &Value, rail: &str) {
    let difference = &step["difference"];
    if difference.is_null() {
        let _ = writeln!(text, "  {rail}            {DIM}nothing was sent then under this name{DIM:#}");
        return;
    }
    let against = &difference["against"];
    let answered = against["status"].as_u64().map_or_else(String::new, |status| format!(" {status}"));
    let changes = items(&difference["changes"]).count();
    let _ = writeln!(
        text,
        "  {rail}            {} what was sent at {} {DIM}({}{answered}){DIM:#}",
        if changes == 0 { "the same as" } else { "differs from" },
        string(&against["sent_at"]),
        string(&against["state"])
    );
    for change in items(&difference["changes"]) {
        let place = format!("{} {}", string(&change["part"]), string(&change["path"]));
        let _ = writeln!(text, "  {rail}              {}", place.trim_end());
        for (sign, side, shade) in [("-", "then", AnsiColor::Red), ("+", "now", AnsiColor::Green)] {
            if let Some(value) = change.get(side) {
                let shade = color(shade);
                let _ = writeln!(text, "  {rail}                {shade}{sign} {}{shade:#}", short(value));
            }
        }
    }
    if let Some(more) = difference["more_changes"].as_u64().filter(|more| *more > 0) {
        let _ = writeln!(text, "  {rail}              … and {more} more or further ones");
    }
}

fn short(value: &Value) -> String {
    let text = plain(&value.to_string());
    let end = text.char_indices().nth(MAX_LINE).map_or(text.len(), |(at, _)| at);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}
