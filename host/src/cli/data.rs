//! `sangam data`: what is kept of a person, for them or no more.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::events::{confirmed, print_json, segment};
use super::{Failure, plain};

/// How often the host is asked how far an erasure has come.
const LOOK: Duration = Duration::from_millis(200);
/// Looks after which progress is shown.
const QUIET: u32 = 10;
/// Looks at an erasure that only waits before it is left to the host.
const WAITING: u32 = 3;
/// Places shown of one event.
const PLACES: usize = 8;

/// Finds, exports and erases what is kept of a person. Needs the role admin.
#[derive(Debug, clap::Args)]
pub(super) struct Data {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what is kept of a person, and where
    Find {
        #[command(flatten)]
        whose: Whose,
        /// Print JSON, a line for each record
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Write all that is kept of a person, a JSON document a line
    Export {
        #[command(flatten)]
        whose: Whose,
        /// The new file; default: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        client: Client,
    },
    /// Erase a person's data; events whose runs have not ended follow when they have
    Erase {
        #[command(flatten)]
        whose: Whose,
        /// Of that person's events erase all that came from outside, not only marked fields and their copies
        #[arg(long)]
        whole: bool,
        /// Cancel runs that have not ended, instead of waiting for them
        #[arg(long)]
        cancel: bool,
        /// Say what would be erased
        #[arg(long)]
        dry_run: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// List erasures, the latest first: those that wait, and what the others did
    Erasures {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
}

/// Whose data.
#[derive(Debug, clap::Args)]
struct Whose {
    /// What identifies the person, such as a customer number or an address; several if they have several; `-`: lines of standard input
    #[arg(long = "subject", value_name = "VALUE", required = true)]
    subjects: Vec<String>,
    /// Only events that have it there, such as .data.customer.id
    #[arg(long, value_name = "PATH")]
    field: Option<String>,
    /// Exact event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Received at or after (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Received before (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Whose {
    fn body(&self) -> Result<Value, Failure> {
        let mut subjects = Vec::new();
        for subject in &self.subjects {
            if subject == "-" {
                let text = std::io::read_to_string(std::io::stdin()).map_err(Failure::failed)?;
                subjects.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            } else {
                subjects.push(subject.clone());
            }
        }
        let mut body = json!({ "subjects": subjects });
        for (name, value) in [("field", &self.field), ("type", &self.event_type), ("since", &self.since), ("until", &self.until)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        Ok(body)
    }
}

/// What a search has found so far.
#[derive(Debug, Default)]
struct Found {
    events: u64,
    unfinished: u64,
    mentions: u64,
    keys: u64,
    identities: u64,
    set_aside: u64,
    ended: bool,
}

impl Found {
    /// Counts a record; shows how far it is.
    fn take(&mut self, record: &Value) -> Result<(), Failure> {
        match record["kind"].as_str() {
            Some("event") => {
                self.events += 1;
                self.unfinished += u64::from(record["over"] == false);
                self.mentions += u64::from(record["how"] == "mention");
            }
            Some("key-value") => self.keys += 1,
            Some("identity") => self.identities += 1,
            Some("set-aside") => self.set_aside += 1,
            Some("progress") => {
                let up_to = record["up_to"].as_str().unwrap_or("now");
                anstream::eprintln!("looked at {} events, up to {up_to}", record["scanned"]);
            }
            Some("error") => return Err(Failure::Failed(plain(record["detail"].as_str().unwrap_or("the search broke off")))),
            _ => self.ended = true,
        }
        Ok(())
    }

    fn is_whole(&self) -> Result<(), Failure> {
        match self.ended {
            true => Ok(()),
            false => Err(Failure::Failed("the host broke off: this is not all; ask again".to_owned())),
        }
    }

    fn sum(&self) -> String {
        let mut parts = vec![format!("{} events", self.events)];
        if self.mentions > 0 {
            parts.push(format!("{} of them only name that person", self.mentions));
        }
        if self.unfinished > 0 {
            parts.push(format!("{} of them have runs that have not ended", self.unfinished));
        }
        parts.push(format!("{} keys of plugins", self.keys));
        if self.identities > 0 {
            parts.push(format!("{} identities of events, which are kept for deduplication", self.identities));
        }
        if self.set_aside > 0 {
            parts.push(format!("{} things that sources set aside", self.set_aside));
        }
        parts.join(", ")
    }
}

impl Data {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Find { whose, json, client } => {
                let found =
                    find(&client, &whose.body()?, |record| if json { anstream::println!("{record}") } else { draw(record) }).await?;
                if !json {
                    anstream::println!("{}", found.sum());
                }
                Ok(())
            }
            Verb::Export { whose, output, client } => export(&client, &whose.body()?, output).await,
            Verb::Erase { whose, whole, cancel, dry_run, yes, json, client } => {
                let mut body = whose.body()?;
                if dry_run || !yes {
                    let found = find(&client, &body, |record| {
                        if dry_run && !json {
                            draw(record)
                        }
                    })
                    .await?;
                    if dry_run {
                        anstream::println!("would be erased: {}", found.sum());
                        return Ok(());
                    }
                    let question = format!("This erases {}. It can't be taken back. Go on? [y/N] ", found.sum());
                    if !confirmed(&question) {
                        return Err(Failure::Usage(format!("nothing was erased: {}; --yes goes on without asking", found.sum())));
                    }
                }
                body["whole"] = json!(whole);
                body["cancel"] = json!(cancel);
                let answer = client.post("/v1/data/erase", body).await?;
                watch(&client, &answer, json).await
            }
            Verb::Erasures { json, client } => {
                let answer = client.get("/v1/data/erasures", &[]).await?;
                if json {
                    print_json(&answer);
                } else {
                    answer["erasures"].as_array().into_iter().flatten().for_each(draw_erasure);
                }
                Ok(())
            }
        }
    }
}

/// Erases one event whole.
pub(super) async fn erase_event(client: &Client, eid: &str, cancel: bool, yes: bool) -> Result<(), Failure> {
    let question = format!("This erases all that came from outside of event {}. It can't be taken back. Go on? [y/N] ", plain(eid));
    if !yes && !confirmed(&question) {
        return Err(Failure::Usage("nothing was erased; --yes goes on without asking".to_owned()));
    }
    let answer = client.post(&format!("/v1/events/{}/erase", segment(eid)), json!({ "cancel": cancel })).await?;
    watch(client, &answer, false).await
}

async fn find(client: &Client, body: &Value, mut show: impl FnMut(&Value)) -> Result<Found, Failure> {
    let mut found = Found::default();
    let take = |record: Value| {
        found.take(&record)?;
        if record["kind"] != "progress" {
            show(&record);
        }
        Ok(())
    };
    client.lines("/v1/data/find", body, take).await?;
    found.is_whole()?;
    Ok(found)
}

/// A file is there only when it is whole: it is written under another name first.
async fn export(client: &Client, body: &Value, output: Option<PathBuf>) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut found = Found::default();
    let begun = output.as_ref().map(|path| PathBuf::from(format!("{}.part", path.display())));
    let mut to: Box<dyn std::io::Write> = match (&output, &begun) {
        (Some(path), _) if path.exists() => {
            return Err(Failure::Usage(format!("{} is there already; an export overwrites nothing", path.display())));
        }
        (Some(_), Some(begun)) => {
            // Personal data: for its owner's eyes alone.
            let file = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(begun);
            let file = file.map_err(|error| Failure::failed(format!("can't write {}: {error}", begun.display())))?;
            Box::new(std::io::BufWriter::new(file))
        }
        _ => Box::new(std::io::stdout().lock()),
    };
    let take = |record: Value| {
        found.take(&record)?;
        if record["kind"] == "progress" {
            return Ok(());
        }
        writeln!(to, "{record}").map_err(|error| Failure::failed(format!("can't write the export: {error}")))
    };
    client.lines("/v1/data/export", body, take).await?;
    to.flush().map_err(|error| Failure::failed(format!("can't write the export: {error}")))?;
    found.is_whole()?;
    if let (Some(output), Some(begun)) = (&output, &begun) {
        std::fs::rename(begun, output).map_err(|error| Failure::failed(format!("can't write {}: {error}", output.display())))?;
        anstream::eprintln!("wrote {}: {}", output.display(), found.sum());
    }
    Ok(())
}

/// Follows an erasure until it is done, or only waits.
async fn watch(client: &Client, answer: &Value, json: bool) -> Result<(), Failure> {
    let id = answer["erasure"].as_str().ok_or_else(|| Failure::failed("the host did not say which erasure it is"))?;
    let (mut looks, mut waiting) = (0_u32, 0);
    loop {
        let erasure = client.get(&format!("/v1/data/erasures/{}", segment(id)), &[]).await?;
        let waits = erasure["state"] == "waiting" && (erasure["waiting"] != 0 || erasure["note"].is_string());
        waiting = if waits { waiting + 1 } else { 0 };
        if erasure["state"] == "done" || waiting >= WAITING {
            if json {
                print_json(&erasure);
            } else {
                draw_erasure(&erasure);
            }
            return Ok(());
        }
        looks += 1;
        if looks.is_multiple_of(QUIET) {
            let up_to = erasure["up_to"].as_str().unwrap_or("the beginning");
            anstream::eprintln!("looked at {} events, up to {up_to}; erased in {}", erasure["scanned"], erasure["events"]);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn draw(record: &Value) {
    let text = |name: &str| plain(record[name].as_str().unwrap_or(""));
    match record["kind"].as_str() {
        Some("event") => {
            let open = if record["over"] == false { ", not over" } else { "" };
            anstream::println!(
                "{}  {}  {}  {}{open}: {} places",
                text("eid"),
                text("received_at"),
                text("type"),
                text("how"),
                record["count"]
            );
            let places = record["places"].as_array().map(Vec::as_slice).unwrap_or_default();
            for place in places.iter().take(PLACES) {
                anstream::println!("    {}", plain(place.as_str().unwrap_or("")));
            }
            if places.len() > PLACES {
                anstream::println!("    … and others; --json names more");
            }
        }
        Some("key-value") => anstream::println!("key {:?} of plugin {}", text("key"), text("plugin")),
        Some("identity") => {
            anstream::println!("identity {} of {}, remembered until {} at least", text("id"), text("source"), text("until"));
        }
        Some("set-aside") => {
            anstream::println!(
                "set aside {} of source {}, {} times since {}",
                text("id"),
                text("source"),
                record["times"],
                text("first_at")
            );
        }
        _ => {}
    }
}

fn draw_erasure(erasure: &Value) {
    let text = |name: &str| plain(erasure[name].as_str().unwrap_or(""));
    let figure = |name: &str| erasure[name].as_u64().unwrap_or(0);
    anstream::println!(
        "{}  {}  {}: erased in {} events, {} keys",
        text("id"),
        text("requested_at"),
        text("state"),
        figure("events"),
        figure("key_values")
    );
    if figure("waiting") > 0 {
        anstream::println!(
            "    {} events have runs that have not ended: they are erased when they end, by themselves; --cancel does not wait",
            figure("waiting")
        );
    }
    if figure("identities") > 0 {
        anstream::println!("    {} identities stay for deduplication until they are forgotten (store.dedup-window)", figure("identities"));
    }
    if figure("set_aside") > 0 {
        anstream::println!("    {} things that sources set aside named that person, and are gone", figure("set_aside"));
    }
    if !text("note").is_empty() {
        anstream::println!("    {}", text("note"));
    }
}
