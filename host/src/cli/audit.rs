//! `sangam audit`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ConfigArg, Failure, plain};
use crate::audit::{Action, Anchor, Broken, By, NOTHING_BEFORE, PublicKey, Record, Rotation, Verified, Verifier};
use crate::store::AuditFilter;

/// Looks at the audit log: who did what, when and from where. Opens the store, beside a running host.
#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List entries, newest first
    List {
        /// Id or name of who did it
        #[arg(long)]
        actor: Option<String>,
        /// What was done, such as secret.set
        #[arg(long)]
        action: Option<String>,
        /// What it was done to
        #[arg(long)]
        object: Option<String>,
        /// At or after (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// Before (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Find out whether an entry was changed, removed, put in, moved or cut off
    Verify {
        /// An export; default: the store
        #[arg(requires = "key")]
        file: Option<PathBuf>,
        /// The log's public key, for an export; `verify` on the store prints it
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
        /// Hash of an entry, kept elsewhere, that must still be there
        #[arg(long, value_name = "HASH")]
        anchor: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Write the whole log to standard output, one JSON document a line, oldest first
    Export {
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Audit {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List { actor, action, object, since, until, limit, json, config } => {
                if let Some(action) = action.as_deref().filter(|action| Action::ALL.iter().all(|known| known.as_str() != *action)) {
                    let known: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
                    return Err(Failure::Usage(format!("--action {action:?} is none of {}", known.join(", "))));
                }
                let (store, _) = super::vault(&config).await?;
                let filter = AuditFilter { actor, action, object, since, until, before: None, limit };
                let (records, more) = store.audit_page(&filter).await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                if json {
                    let entries: Vec<Value> = records.iter().map(Record::document).collect();
                    anstream::println!("{:#}", json!({ "entries": entries }));
                } else {
                    records.iter().for_each(draw);
                    if more {
                        anstream::println!(
                            "… there are more; --limit shows them, --actor, --action, --object and --since narrow the list down"
                        );
                    }
                }
                Ok(())
            }
            Verb::Verify { file, key, anchor, json, config } => {
                let anchor = anchor
                    .map(|text| Anchor::parse(&text).ok_or_else(|| Failure::Usage("--anchor: a hash has 64 hexadecimal digits".to_owned())))
                    .transpose()?;
                let (verified, key) = match (file, key) {
                    (Some(file), Some(key)) => {
                        let key = PublicKey::parse(&key)
                            .ok_or_else(|| Failure::Usage("--key: a public key has 64 hexadecimal digits".to_owned()))?;
                        (export_verified(&file, key, anchor)?, key)
                    }
                    _ => store_verified(&config, anchor).await?,
                };
                report(verified, key, json)
            }
            Verb::Export { config } => {
                let (store, _) = super::vault(&config).await?;
                let failed = |error: &dyn std::error::Error| Failure::error(error);
                // On record first, so that the export tells of itself.
                let act = By::shell().did(Action::AuditExported, "audit");
                store.audit(act, Timestamp::now()).await.map_err(|error| failed(&error))?;
                let mut out = std::io::BufWriter::new(std::io::stdout().lock());
                let mut last = 0;
                loop {
                    let page = store.audit_after(last).await.map_err(|error| failed(&error))?;
                    let Some(end) = page.last() else { break };
                    last = last.max(end.seq);
                    for record in &page {
                        writeln!(out, "{}", record.document()).map_err(|error| failed(&error))?;
                    }
                    if page.iter().all(|record| record.seq < last) {
                        break;
                    }
                }
                out.flush().map_err(|error| failed(&error))?;
                store.close().await;
                Ok(())
            }
        }
    }
}

async fn store_verified(config: &ConfigArg, anchor: Option<Anchor>) -> Result<(Result<Verified, Broken>, PublicKey), Failure> {
    let (store, _) = super::vault(config).await?;
    let verified = store.audit_verify(anchor).await.map_err(|error| Failure::error(&error))?;
    let key = store.audit_key().map_err(|error| Failure::error(&error))?;
    // A host that has served has said so.
    let served = store.latest_revision().await.map_err(|error| Failure::error(&error))? > 0;
    store.close().await;
    match verified {
        Ok(verified) if verified.entries == 0 && served => {
            Err(Failure::Failed("the audit log was emptied: a host has served on this store".to_owned()))
        }
        other => Ok((other, key)),
    }
}

/// Twice through the file: where the key changed must be known before the entries that went before.
fn export_verified(file: &std::path::Path, key: PublicKey, anchor: Option<Anchor>) -> Result<Result<Verified, Broken>, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", file.display()));
    let lines = || std::fs::File::open(file).map(|file| BufReader::new(file).lines()).map_err(failed);
    let mut changes = Vec::new();
    for line in lines()? {
        changes.extend(Record::parse(&line.map_err(failed)?).ok().and_then(|record| Rotation::of(&record)));
    }
    let mut verifier = Verifier::new(key, changes, anchor);
    for (number, line) in (1..).zip(lines()?) {
        let record = match Record::parse(&line.map_err(failed)?) {
            Ok(record) => record,
            Err(_) => return Ok(Err(Broken::Unreadable(number))),
        };
        if let Err(broken) = verifier.take(&record) {
            return Ok(Err(broken));
        }
    }
    Ok(verifier.finish(None))
}

fn report(verified: Result<Verified, Broken>, key: PublicKey, json: bool) -> Result<(), Failure> {
    match verified {
        Ok(verified) => {
            if json {
                anstream::println!("{:#}", json!({ "entries": verified.entries, "head": verified.head, "key": key.to_string() }));
            } else if verified.head == NOTHING_BEFORE {
                anstream::println!("no entries yet");
            } else {
                anstream::println!("{} entries, each as it was written", verified.entries);
                anstream::println!("head {}\nkey  {key}", verified.head);
                anstream::eprintln!(
                    "keep the head elsewhere: `sangam audit verify --anchor HEAD` finds out later whether the log still holds it"
                );
            }
            Ok(())
        }
        Err(broken) => {
            if json {
                anstream::println!("{:#}", json!({ "broken": broken.to_string() }));
            }
            Err(Failure::Failed(format!("the audit log is not what was written: {broken}")))
        }
    }
}

fn draw(record: &Record) {
    let name = if record.actor_name.is_empty() { &record.actor_id } else { &record.actor_name };
    let details = if record.details.is_empty() { String::new() } else { format!("  {}", Value::Object(record.details.clone())) };
    anstream::println!(
        "{:>6}  {}  {:22} {}  by {} {}{}{}",
        record.seq,
        record.at,
        plain(&record.action),
        plain(&record.object),
        plain(&record.actor_kind),
        plain(name),
        if record.from.is_empty() { String::new() } else { format!(" from {}", plain(&record.from)) },
        plain(&details)
    );
}
