//! `sangam sources`: what brings events in, how it is doing, and what people order of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::events::{confirmed, print_json};
use super::{Failure, one_line, plain};

/// How often a backfill is looked at that somebody waits for.
const LOOK: Duration = Duration::from_secs(1);
/// Things set aside that `show` lists.
const SHOWN: u32 = 10;

/// Look at and handle the sources that bring events in.
#[derive(Debug, clap::Args)]
pub(super) struct Sources {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List sources and how they are doing
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Show a source: its last turn, where it has come to, and what it has set aside
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Stop a source (and its backfill) until it is resumed; what is under way may finish
    Pause {
        /// Its name
        name: String,
        /// Shown to others
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        client: Client,
    },
    /// Let a source go on at once, whatever kept it: paused, waiting, stopped, or not due yet
    Resume {
        /// Its name
        name: String,
        #[command(flatten)]
        client: Client,
    },
    /// Read an earlier time of a polled source, beside what is new. Goes on after a restart; what is known already comes in once
    Backfill {
        /// Its name
        name: String,
        /// From this day (2026-01-01) or time (RFC 3339) on
        #[arg(long, value_name = "TIME", required_unless_present = "cancel")]
        from: Option<String>,
        /// Up to this day or time; now if absent
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// Wait until it has ended, and show how far it is
        #[arg(long, conflicts_with = "cancel")]
        wait: bool,
        /// Give the one up that is under way; what it brought in stays
        #[arg(long, conflicts_with_all = ["from", "to"])]
        cancel: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Try again what a source has set aside, all of it or one
    Retry {
        /// Its name
        name: String,
        /// Which; `show` lists them
        id: Option<String>,
        #[command(flatten)]
        client: Client,
    },
    /// Let go of what a source has set aside, all of it or one
    Discard {
        /// Its name
        name: String,
        /// Which; `show` lists them
        id: Option<String>,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: Client,
    },
}

impl Sources {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List { json, client } => list(&client, json).await,
            Verb::Show { name, json, client } => show(&client, &name, json).await,
            Verb::Pause { name, reason, client } => {
                client.post(&path(&name, "/pause"), json!({ "reason": reason })).await?;
                anstream::println!("{} is paused; `sangam sources resume {0}` lets it go on", one_line(&name));
                Ok(())
            }
            Verb::Resume { name, client } => {
                client.post(&path(&name, "/resume"), json!({})).await?;
                anstream::println!("{} goes on", one_line(&name));
                Ok(())
            }
            Verb::Backfill { name, cancel: true, client, .. } => {
                client.post(&path(&name, "/backfill/cancel"), json!({})).await?;
                anstream::println!("the backfill of {} is given up; what it brought in stays", one_line(&name));
                Ok(())
            }
            Verb::Backfill { name, from, to, wait, client, .. } => backfill(&client, &name, from, to, wait).await,
            Verb::Retry { name, id, client } => retry(&client, &name, id).await,
            Verb::Discard { name, id, yes, client } => discard(&client, &name, id, yes).await,
        }
    }
}

fn path(name: &str, rest: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("/v1/sources/{name}{rest}")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => plain(&other.to_string()),
    }
}

async fn list(client: &Client, json: bool) -> Result<(), Failure> {
    let answer = client.get("/v1/sources", &[]).await?;
    if json {
        print_json(&answer);
        return Ok(());
    }
    let sources = answer["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    if sources.is_empty() {
        anstream::println!("no sources are configured: [[sources]] in the configuration");
        return Ok(());
    }
    for source in sources {
        anstream::println!("{}  {}{}", text(&source["name"]), text(&source["type"]), doing(source));
        if let Some(reason) = source["reason"].as_str() {
            anstream::println!("    {}", one_line(reason));
        }
        if source["backfill"]["state"] == "active" {
            anstream::println!("    {}", backfill_line(&source["backfill"]));
        }
    }
    Ok(())
}

/// How a source is doing, in a line.
fn doing(source: &Value) -> String {
    let mut line = String::new();
    if let Some(state) = source["state"].as_str() {
        line.push_str(&format!("  {}", plain(state)));
    }
    if source["failures"].as_u64().is_some_and(|failures| failures > 0) {
        line.push_str(&format!("  {} failures in a row", source["failures"]));
    }
    if let Some(events) = source["events"].as_u64() {
        line.push_str(&format!("  {events} events, {} known", source["duplicates"].as_u64().unwrap_or(0)));
    }
    if source["set_aside"].as_u64().is_some_and(|count| count > 0) {
        line.push_str(&format!("  {} set aside", source["set_aside"]));
    }
    if let Some(next) = source["next_at"].as_str() {
        line.push_str(&format!("  next {}", plain(next)));
    }
    line
}

fn backfill_line(backfill: &Value) -> String {
    let share = backfill["progress"].as_f64().map(|share| format!(" {:.0}%", share * 100.0)).unwrap_or_default();
    let reached = backfill["reached_at"].as_str().map(|at| format!(", at {}", plain(at))).unwrap_or_default();
    format!(
        "backfill {} to {}: {}{share}, {} events, {} known, {} set aside{reached}",
        text(&backfill["from"]),
        text(&backfill["to"]),
        text(&backfill["state"]),
        text(&backfill["events"]),
        text(&backfill["duplicates"]),
        text(&backfill["set_aside"]),
    )
}

async fn show(client: &Client, name: &str, json: bool) -> Result<(), Failure> {
    let source = client.get(&path(name, ""), &[]).await?;
    let aside = client.get(&path(name, "/set-aside"), &[("limit", SHOWN.to_string())]).await?;
    if json {
        let mut whole = source;
        whole["set_aside_first"] = aside["set_aside"].clone();
        print_json(&whole);
        return Ok(());
    }
    anstream::println!("{}  {}{}", text(&source["name"]), text(&source["type"]), doing(&source));
    for (label, value) in [
        ("stream", source["uses"].as_str().map(|uses| format!("{uses}.{}", text(&source["stream"])))),
        ("cron", source["cron"].as_str().map(|cron| format!("{cron} ({})", text(&source["time_zone"])))),
        ("reason", source["reason"].as_str().map(str::to_owned)),
        ("cursor", source["cursor"].as_str().map(str::to_owned)),
        ("reached", source["reached_at"].as_str().map(str::to_owned)),
        ("last success", source["last_success_at"].as_str().map(str::to_owned)),
    ] {
        if let Some(value) = value {
            anstream::println!("  {label}: {}", one_line(&value));
        }
    }
    let failure = &source["last_failure"];
    if failure.is_object() {
        anstream::println!("  last failure: {} {}: {}", text(&failure["at"]), text(&failure["kind"]), text(&failure["reason"]));
    }
    for at in source["upcoming"].as_array().into_iter().flatten() {
        anstream::println!("  fires at {}", text(at));
    }
    if source["backfill"].is_object() {
        anstream::println!("  {}", backfill_line(&source["backfill"]));
    }
    last_turn(&source["last"]);
    let listed = aside["set_aside"].as_array().map(Vec::as_slice).unwrap_or_default();
    for one in listed {
        let times = one["times"].as_u64().filter(|times| *times > 1).map(|times| format!(", {times} times")).unwrap_or_default();
        anstream::println!("  set aside {} ({}{times}): {}", text(&one["id"]), text(&one["kind"]), text(&one["reason"]));
        anstream::println!("    {}", cut(&text(&one["data"])));
    }
    if !aside["next_cursor"].is_null() {
        anstream::println!("  … there are more");
    }
    if !listed.is_empty() {
        anstream::println!("`sangam sources retry {0} [ID]` tries again, `sangam sources discard {0} [ID]` lets go", one_line(name));
    }
    Ok(())
}

/// The requests and log lines of the last turn.
fn last_turn(last: &Value) {
    if !last.is_object() {
        return;
    }
    anstream::println!(
        "  last turn: {} {}, {} events, {} set aside",
        text(&last["at"]),
        text(&last["outcome"]),
        text(&last["events"]),
        text(&last["set_aside"])
    );
    for request in last["requests"].as_array().into_iter().flatten() {
        let answer = if request["status"].is_null() { text(&request["error"]) } else { text(&request["status"]) };
        anstream::println!("    {} {} {answer} {} ms", text(&request["method"]), text(&request["url"]), text(&request["duration_ms"]));
    }
    for line in last["logs"].as_array().into_iter().flatten() {
        anstream::println!("    {} {}", text(&line["level"]), text(&line["message"]));
    }
}

fn cut(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

async fn backfill(client: &Client, name: &str, from: Option<String>, to: Option<String>, wait: bool) -> Result<(), Failure> {
    let begun = client.post(&path(name, "/backfill"), json!({ "from": from, "to": to })).await?;
    anstream::println!("{} is read from {} to {}", one_line(name), text(&begun["from"]), text(&begun["to"]));
    if !wait {
        anstream::println!("`sangam sources show {}` tells how far it is", one_line(name));
        return Ok(());
    }
    let mut said = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let source = client.get(&path(name, ""), &[]).await?;
        let backfill = &source["backfill"];
        let line = backfill_line(backfill);
        if line != said {
            anstream::eprintln!("{line}");
            said = line;
        }
        match backfill["state"].as_str() {
            Some("done") => return Ok(()),
            Some("active") => {}
            other => {
                let why = backfill["reason"].as_str().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
                return Err(Failure::Failed(format!("the backfill is {}{why}", plain(other.unwrap_or("gone")))));
            }
        }
    }
}

async fn retry(client: &Client, name: &str, id: Option<String>) -> Result<(), Failure> {
    let answer = client.post(&path(name, "/retry"), json!({ "id": id })).await?;
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    anstream::println!("{} came in, {} were known, {} stay set aside", count("accepted"), count("duplicates"), count("still_set_aside"));
    if count("to_be_read_again") > 0 {
        anstream::println!("{} are read again with the next turn of {}", count("to_be_read_again"), one_line(name));
    }
    Ok(())
}

async fn discard(client: &Client, name: &str, id: Option<String>, yes: bool) -> Result<(), Failure> {
    let what = id.as_deref().map_or_else(|| "everything that is".to_owned(), |id| format!("{} that is", one_line(id)));
    if !yes && !confirmed(&format!("This lets go of {what} set aside from {}; it can't be taken back. Go on? [y/N] ", one_line(name))) {
        return Err(Failure::Usage("nothing was let go; --yes goes on without asking".to_owned()));
    }
    let answer = client.post(&path(name, "/discard"), json!({ "id": id })).await?;
    anstream::println!("{} let go", answer["discarded"].as_u64().unwrap_or(0));
    Ok(())
}
