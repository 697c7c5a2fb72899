//! A frame as lines of text: figures, what fails, routes, plugins, sources, credentials. Made for any width.

use jiff::Timestamp;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::timeline::{items, string};
use super::seen::Seen;
use crate::amount;

/// How it looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// With colours.
    pub(super) color: bool,
}

impl Look {
    fn of(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// All of it, in `rows` lines at most: tables are cut before what comes first is. `selected`: which of what fails is marked.
pub(super) fn all(seen: &Seen, columns: u16, rows: Option<usize>, look: Look, selected: Option<usize>) -> Vec<Line<'static>> {
    let width = usize::from(columns);
    let mut lines = vec![title(seen, width, look)];
    if let Some(reason) = seen.overview["pressure"]["reason"].as_str() {
        lines.push(fitted(format!("! no events are taken in: {}", string(&Value::from(reason))), width, look.of(Color::Red)));
    }
    lines.extend(figures(seen, width, look));
    let tables = [
        failing(seen, width, look, selected),
        credentials(seen, width, look),
        routes(seen, width, look),
        plugins(seen, width, look),
        sources(seen, width, look),
    ];
    let mut left = rows.map_or(usize::MAX, |rows| rows.saturating_sub(lines.len()));
    for (index, table) in tables.into_iter().enumerate() {
        if table.is_empty() || left < 3 {
            continue;
        }
        // What fails comes first and may take half of it.
        let most = if index == 0 && left != usize::MAX { left.div_ceil(2).max(4) } else { left };
        lines.push(Line::default());
        let shown = table.len().min(most.saturating_sub(1).max(2));
        let hidden = table.len() - shown;
        let room = if hidden > 0 { shown - 1 } else { shown };
        // Below the heading what is selected is in sight.
        let skipped = selected.filter(|_| index == 0).map_or(0, |selected| (selected + 2).saturating_sub(room));
        let mut table = table.into_iter();
        lines.extend(table.next());
        lines.extend(table.skip(skipped).take(room - 1));
        if hidden > 0 {
            lines.push(fitted(format!("  … and {} more", hidden + 1), width, look.dim()));
        }
        left = left.saturating_sub(shown + 1);
    }
    lines
}

fn title(seen: &Seen, width: usize, look: Look) -> Line<'static> {
    let now = &seen.overview;
    let hosts = now["hosts"].as_array().map_or(0, Vec::len);
    let alive = items(&now["hosts"]).filter(|host| host["alive"] == true).count();
    let host: String = string(&now["host"]["id"]).chars().take(8).collect();
    let hosts = if hosts > 1 { format!("  {alive} of {hosts} hosts up") } else { String::new() };
    let at = string(&now["at"]);
    let text = format!(
        "sangam {}  host {host}{hosts}  revision {}  last {}  {}",
        string(&now["host"]["version"]),
        now["revision"],
        duration(now["window_ms"].as_u64().unwrap_or(0)),
        at.get(11..19).unwrap_or(&at)
    );
    fitted(text, width, look.head())
}

fn figures(seen: &Seen, width: usize, look: Look) -> Vec<Line<'static>> {
    let now = &seen.overview;
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (events, runs) = (&now["events"], &now["runs"]);
    let points: Vec<&Value> = items(&now["series"]["points"]).collect();
    let step = (now["series"]["step_ms"].as_u64().unwrap_or(1000) as f64 / 1000.0).max(0.001);
    // The last point is not over.
    let whole = points.get(points.len().saturating_sub(2)).copied().unwrap_or(&Value::Null);
    let rate = |name: &str| format!("{:.1}/s", number(&whole[name]) as f64 / step);
    let latest = |name: &str| points.iter().rev().find_map(|point| point[name].as_u64()).map_or("-".to_owned(), duration);
    let dead = number(&now["dead_letters"]);
    let oldest = now["oldest_pending_ms"].as_u64().map(|age| format!(", the oldest waits {}", duration(age))).unwrap_or_default();
    let chart = |name: &str, label: &str, color: Color| {
        let values: Vec<u64> = points.iter().map(|point| number(&point[name])).collect();
        let room = width.saturating_sub(11).min(values.len());
        let most = values.iter().rev().take(room).copied().max().unwrap_or(0);
        let bars: String = values[values.len() - room..].iter().map(|value| bar(*value, most)).collect();
        Line::from(vec![Span::styled(format!("{label:10} "), look.dim()), Span::styled(bars, look.of(color))])
    };
    let mut lines = vec![
        fitted(
            format!(
                "in         {}   {} events, {} known already",
                rate("accepted"),
                number(&events["accepted"]),
                number(&events["duplicates"])
            ),
            width,
            Style::new(),
        ),
        fitted(
            format!(
                "out        {}   {} succeeded, {} dead, {} cancelled   half within {}, 99 of 100 within {}",
                rate("succeeded"),
                number(&runs["succeeded"]),
                number(&runs["dead"]),
                number(&runs["cancelled"]),
                latest("p50_ms"),
                latest("p99_ms")
            ),
            width,
            Style::new(),
        ),
        fitted(
            format!(
                "backlog    {}   {} pending, {} running, {} waiting{oldest}",
                number(&now["backlog"]),
                number(&runs["pending"]),
                number(&runs["running"]),
                number(&runs["waiting"])
            ),
            width,
            Style::new(),
        ),
    ];
    let style = if dead > 0 { look.of(Color::Red) } else { Style::new() };
    lines.push(fitted(format!("dead       {}", amount::count(dead, "dead letter", "dead letters")), width, style));
    lines.push(chart("accepted", "events", Color::Green));
    lines.push(chart("failed_attempts", "failures", Color::Red));
    lines
}

/// A bar of eight heights; something is never nothing.
fn bar(value: u64, most: u64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if value == 0 || most == 0 {
        return ' ';
    }
    let index = (value.saturating_mul(8)).div_ceil(most).clamp(1, 8) - 1;
    usize::try_from(index).ok().and_then(|index| BARS.get(index)).copied().unwrap_or('█')
}

fn failing(seen: &Seen, width: usize, look: Look, selected: Option<usize>) -> Vec<Line<'static>> {
    let rows = seen.failing();
    if rows.is_empty() {
        return vec![fitted("FAILING  nothing".to_owned(), width, look.head())];
    }
    let at = time(&seen.overview["at"]);
    let since = |row: &Value| match (time(&row["since"]), at) {
        (Some(since), Some(at)) => duration(u64::try_from(at.duration_since(since).as_millis()).unwrap_or(0)),
        _ => "works again".to_owned(),
    };
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                format!("{}.{}", string(&row["plugin"]), string(&row["action"])),
                format!("{}/{}", row["failures"], row["attempts"]),
                row["dead_letters"].to_string(),
                since(row),
                string(&row["last"]["kind"]),
                seen.reason_of(row),
            ]
        })
        .collect();
    let mut lines = laid_out(&["FAILING", "FAILED", "DEAD", "FOR", "KIND", "WHY"], &table, width, look);
    for (index, (line, row)) in lines.iter_mut().skip(1).zip(rows).enumerate() {
        line.style = if row["since"].is_null() { look.of(Color::Yellow) } else { look.of(Color::Red) };
        if selected == Some(index) {
            line.style = line.style.add_modifier(Modifier::REVERSED);
            if let Some(first) = line.spans.first_mut() {
                *first = Span::styled(first.content.replacen("  ", "> ", 1), first.style);
            }
        }
    }
    lines
}

fn credentials(seen: &Seen, width: usize, look: Look) -> Vec<Line<'static>> {
    let rows: Vec<Vec<String>> =
        items(&seen.overview["credentials"]).map(|row| vec![string(&row["name"]), string(&row["state"]), string(&row["reason"])]).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines = laid_out(&["CREDENTIALS", "STATE", "WHY"], &rows, width, look);
    lines.iter_mut().skip(1).for_each(|line| line.style = look.of(Color::Red));
    lines
}

fn routes(seen: &Seen, width: usize, look: Look) -> Vec<Line<'static>> {
    let rows: Vec<Vec<String>> = items(&seen.flow["routes"])
        .map(|row| {
            let slowest = items(&row["steps"]).filter_map(|step| step["p99_ms"].as_u64()).max();
            let mut cells = vec![string(&row["name"])];
            cells.extend(["accepted", "running", "waiting", "succeeded", "dead"].map(|name| row[name].to_string()));
            cells.push(slowest.map(duration).unwrap_or_default());
            cells
        })
        .collect();
    laid_out(&["ROUTES", "IN", "RUNNING", "WAITING", "DONE", "DEAD", "SLOWEST STEP"], &rows, width, look)
}

fn plugins(seen: &Seen, width: usize, look: Look) -> Vec<Line<'static>> {
    let rows: Vec<Vec<String>> = items(&seen.flow["plugins"])
        .map(|row| {
            let hosts: Vec<String> =
                items(&row["hosts"]).map(|host| format!("{} {}/{}", string(&host["host"]), host["errors"], host["requests"])).collect();
            let breaker = string(&row["breaker"]);
            vec![string(&row["name"]), row["calls"].to_string(), row["failures"].to_string(), breaker, hosts.join(", ")]
        })
        .collect();
    laid_out(&["PLUGINS", "CALLS", "FAILED", "BREAKER", "ERRORS/REQUESTS"], &rows, width, look)
}

fn sources(seen: &Seen, width: usize, look: Look) -> Vec<Line<'static>> {
    let rows: Vec<Vec<String>> = items(&seen.flow["sources"])
        .map(|row| {
            let mut cells = vec![string(&row["name"]), string(&row["type"]), string(&row["state"])];
            cells.extend(["accepted", "refused", "set_aside"].map(|name| row[name].to_string()));
            cells
        })
        .collect();
    if rows.is_empty() { Vec::new() } else { laid_out(&["SOURCES", "TYPE", "STATE", "IN", "REFUSED", "SET ASIDE"], &rows, width, look) }
}

/// A table: columns as wide as they need to be; the first is cut where all do not fit, and the last gets what is left.
fn laid_out(head: &[&str], rows: &[Vec<String>], width: usize, look: Look) -> Vec<Line<'static>> {
    let mut widths: Vec<usize> = head.iter().map(|cell| wide(cell)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(wide(cell));
        }
    }
    let gaps = 2 * head.len();
    let last = widths.len() - 1;
    let rest: usize = widths[1..last].iter().sum();
    widths[0] = widths[0].min(width.saturating_sub(rest + gaps + 4).max(12));
    let line = |cells: &mut dyn Iterator<Item = String>, style: Style| {
        let mut text = String::from("  ");
        for (index, (cell, width)) in cells.zip(&widths).enumerate() {
            let cell = cut(&cell, *width);
            text.push_str(&cell);
            if index < last {
                text.push_str(&" ".repeat(width - wide(&cell) + 2));
            }
        }
        fitted(text, width, style)
    };
    let mut lines = vec![line(&mut head.iter().map(|cell| (*cell).to_owned()), look.head())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().cloned(), Style::new())));
    lines
}

fn fitted(text: String, width: usize, style: Style) -> Line<'static> {
    Line::from(Span::raw(cut(&text, width))).style(style)
}

/// Columns of a terminal.
fn wide(text: &str) -> usize {
    Span::raw(text).width()
}

/// What fits into so many columns, and a sign that there is more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if wide(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if wide(&short) + 1 > width {
            short.pop();
            break;
        }
    }
    if width > 0 {
        short.push('…');
    }
    short
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// In the unit that says it shortest.
fn duration(millis: u64) -> String {
    match millis {
        ..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        3_600_000..172_800_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} d", millis / 86_400_000),
    }
}
