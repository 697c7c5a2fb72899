//! `sangam events`.

use serde_json::{Value, json};

use super::client::Client;
use super::dead_letters::Which;
use super::{Failure, data, decide, dry_run, plain, timeline};

/// Events and dead letters listed unless asked otherwise.
const LISTED: u32 = 20;

/// Looks at and handles events.
#[derive(Debug, clap::Args)]
pub(super) struct Events {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List events, newest first
    List {
        /// unrouted, pending, running, waiting, succeeded, dead or cancelled; several with commas
        #[arg(long)]
        status: Option<String>,
        /// Exact event type; several with commas
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Exact event source
        #[arg(long)]
        source: Option<String>,
        /// The id that its sender gave it
        #[arg(long)]
        id: Option<String>,
        /// Exact subject
        #[arg(long)]
        subject: Option<String>,
        /// Events that a route wanted; several with commas
        #[arg(long)]
        route: Option<String>,
        /// Events of routes that use a plugin, or in which it failed
        #[arg(long)]
        plugin: Option<String>,
        /// Events with a run of that order key
        #[arg(long, value_name = "KEY")]
        order_key: Option<String>,
        /// Events with a dead letter of that kind of failure
        #[arg(long, value_name = "KIND")]
        failure: Option<String>,
        /// Received at or after (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Received before (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Text within the event
        #[arg(long = "search", short = 'q', value_name = "TEXT")]
        text: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = LISTED)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Show an event: its runs, steps, attempts and effects
    Show {
        /// The event
        eid: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Run an event again, or all dead letters: writes that were done are not done twice
    Replay {
        /// The event
        #[arg(required_unless_present = "dead", conflicts_with = "dead")]
        eid: Option<String>,
        /// All dead letters, or those that the filters choose
        #[arg(long, conflicts_with_all = ["from", "keys", "dry_run"])]
        dead: bool,
        #[command(flatten)]
        which: Which,
        /// Where to start: at the steps that failed, or from the start
        #[arg(long, default_value = "failed", value_parser = ["failed", "start"])]
        from: String,
        /// same: finished writes stay done; new: do everything all over again
        #[arg(long, default_value = "same", value_parser = ["same", "new"])]
        keys: String,
        /// present: with the configuration as it is now; pinned: with the run's own
        #[arg(long, default_value = "present", value_parser = ["present", "pinned"])]
        plugins: String,
        /// Show what it would do: plugins run, and nothing is written or sent but reads
        #[arg(long)]
        dry_run: bool,
        /// With --dry-run: answer reads as they were recorded, or ask anew
        #[arg(long, requires = "dry_run", value_parser = ["recorded", "live"])]
        reads: Option<String>,
        /// With --keys new or --dead: don't ask
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Cancel the runs of an event that have not ended; a dead one that keeps its order key gives it up
    Cancel {
        /// The event
        eid: String,
        #[command(flatten)]
        client: Client,
    },
    /// Say whether a write in doubt was done, for a run that is held (on-doubt = "hold")
    Decide {
        /// The event
        eid: String,
        /// done: further attempts are answered from the journal; not-done: it is sent again, under a new key
        #[arg(long, value_parser = ["done", "not-done"])]
        outcome: String,
        /// Of this run, where several are held
        #[arg(long)]
        run: Option<String>,
        /// Of this step, where several are held
        #[arg(long)]
        step: Option<String>,
        /// The write's seq, where several are in doubt
        #[arg(long, value_name = "SEQ")]
        effect: Option<u32>,
        /// The write with this idempotency key, where runs of one line have left several in doubt
        #[arg(long)]
        key: Option<String>,
        /// With done: what the system answered, JSON `{"status", "headers", "body"}`; 200 without a body if absent
        #[arg(long, value_name = "FILE")]
        response: Option<std::path::PathBuf>,
        #[command(flatten)]
        client: Client,
    },
    /// Erase all that came from outside of an event; its identity stays, so that it is not taken in again
    Erase {
        /// The event
        eid: String,
        /// Cancel its runs that have not ended, instead of waiting for them
        #[arg(long)]
        cancel: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: Client,
    },
    /// List dead letters, the latest first, or what they died of
    Dead {
        #[command(flatten)]
        which: Which,
        /// Gather those that died of the same, the most frequent first
        #[arg(long, conflicts_with = "limit")]
        group: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
}

impl Events {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List {
                status,
                kind,
                source,
                id,
                subject,
                route,
                plugin,
                order_key,
                failure,
                since,
                until,
                text,
                limit,
                json,
                client,
            } => {
                let mut query = vec![("limit", limit.to_string())];
                let filters = [
                    ("status", status),
                    ("type", kind),
                    ("source", source),
                    ("id", id),
                    ("subject", subject),
                    ("route", route),
                    ("plugin", plugin),
                    ("order_key", order_key),
                    ("failure", failure),
                    ("since", since),
                    ("until", until),
                    ("q", text),
                ];
                query.extend(filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
                let page = client.get("/v1/events", &query).await?;
                if json {
                    print_json(&page)
                } else {
                    list(&page)
                }
                Ok(())
            }
            Verb::Show { eid, json, client } => {
                let event = client.get(&format!("/v1/events/{}", segment(&eid)), &[]).await?;
                if json {
                    print_json(&event)
                } else {
                    anstream::print!("{}", timeline::draw(&event))
                }
                Ok(())
            }
            Verb::Replay { eid: None, which, plugins, yes, json, client, .. } => which.replay(&client, &plugins, yes, json).await,
            Verb::Replay { eid: Some(eid), which, from, keys, plugins, dry_run, reads, yes, json, client, .. } => {
                let again = "This does every write again, also those that were done. Go on? [y/N] ";
                if keys == "new" && !dry_run && !yes && !confirmed(again) {
                    return Err(Failure::Usage("nothing was replayed; --yes goes on without asking".to_owned()));
                }
                let route = which.route_alone()?;
                let body = json!({ "route": route, "from": from, "keys": keys, "plugins": plugins, "dry_run": dry_run, "reads": reads });
                let answer = client.post(&format!("/v1/events/{}/replay", segment(&eid)), body).await?;
                if json {
                    print_json(&answer);
                } else if dry_run {
                    anstream::print!("{}", dry_run::draw(&answer));
                } else {
                    replays(&answer);
                    anstream::println!("`sangam events show {eid}` shows how it goes");
                }
                Ok(())
            }
            Verb::Cancel { eid, client } => {
                let answer = client.post(&format!("/v1/events/{}/cancel", segment(&eid)), json!({})).await?;
                for run in answer["cancelled"].as_array().into_iter().flatten() {
                    anstream::println!("cancelled run {}", run.as_str().unwrap_or(""));
                }
                for run in answer["released"].as_array().into_iter().flatten() {
                    anstream::println!("dead run {} no longer keeps its order key", run.as_str().unwrap_or(""));
                }
                Ok(())
            }
            Verb::Decide { eid, outcome, run, step, effect, key, response, client } => {
                decide::decide(&client, &eid, &outcome, &decide::Choice { run, step, effect, key }, response.as_deref()).await
            }
            Verb::Erase { eid, cancel, yes, client } => data::erase_event(&client, &eid, cancel, yes).await,
            Verb::Dead { which, group: true, json, client } => which.gathered(&client, json).await,
            Verb::Dead { which, json, client, .. } => which.list(&client, LISTED, json).await,
        }
    }
}

pub(super) fn print_json(value: &Value) {
    anstream::println!("{}", super::plain_json(&format!("{value:#}")));
}

pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(super) fn confirmed(question: &str) -> bool {
    use std::io::{IsTerminal as _, Write as _};
    if !std::io::stdin().is_terminal() {
        return false;
    }
    anstream::eprint!("{question}");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn list(page: &Value) {
    let events = page["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    if events.is_empty() {
        anstream::println!("no events");
        return;
    }
    for event in events {
        anstream::println!("{}", timeline::line(event));
    }
    if !page["next_cursor"].is_null() {
        anstream::println!("… there are more; --limit shows them, --status, --type and --search narrow the list down");
    }
}

pub(super) fn replays(answer: &Value) {
    for replay in answer["replays"].as_array().into_iter().flatten() {
        anstream::println!(
            "run {} replays {} (route {}, revision {})",
            replay["run"].as_str().unwrap_or(""),
            replay["replay_of"].as_str().unwrap_or(""),
            plain(replay["route"].as_str().unwrap_or("")),
            replay["revision"]
        );
    }
    for refused in answer["refused"].as_array().into_iter().flatten() {
        anstream::println!("not replayed: {}: {}", refused["run"].as_str().unwrap_or(""), plain(refused["detail"].as_str().unwrap_or("")));
    }
}
