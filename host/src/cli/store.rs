//! `sangam store`.

use std::path::PathBuf;

use serde_json::json;

use super::{ConfigArg, Failure};
use crate::amount;
use crate::clock::Clock;
use crate::config::{self, Loaded};
use crate::credentials::Vault;
use crate::store::{BackupError, Damage, Store as Database, StoreSize};

/// Looks after the store. Works beside a running host.
#[derive(Debug, clap::Args)]
pub(super) struct Store {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say how large it is, and with what
    Size {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Write a compact copy of a SQLite store to a new file, while the host works
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Look for damage in the store, or in a copy of it
    Verify {
        /// A copy that `backup` wrote; default: the store
        file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Store {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Size { json, config } => {
                let (store, _) = open(&config).await?;
                let size = store.size().await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                if json { anstream::println!("{:#}", size_json(&size)) } else { print_size(&size) }
            }
            Verb::Backup { file, config } => {
                let (store, loaded) = open(&config).await?;
                let bytes = match store.backup(&file).await {
                    Ok(bytes) => bytes,
                    Err(BackupError::Server) => {
                        return Err(Failure::Failed(
                            "this store is a PostgreSQL database: back it up with pg_dump, or with the server's own continuous archiving"
                                .to_owned(),
                        ));
                    }
                    Err(error) => return Err(Failure::error(&error)),
                };
                store.close().await;
                anstream::println!("wrote {} ({})", file.display(), amount::size(bytes));
                if let config::Secrets::File(key) = &loaded.config.secrets {
                    anstream::eprintln!("its secrets open only with the key in {}: keep a copy of that elsewhere", key.display());
                }
            }
            Verb::Verify { file, json, config } => {
                let (store, loaded) = match file {
                    Some(file) => (Database::open_copy(&file).await.map_err(|error| Failure::error(&error))?, None),
                    None => {
                        let (store, loaded) = open(&config).await?;
                        (store, Some(loaded))
                    }
                };
                let found = store.verify().await.map_err(|error| Failure::error(&error))?;
                let sealed = match &loaded {
                    Some(loaded) => closed_secrets(&store, loaded).await?,
                    None => Vec::new(),
                };
                store.close().await;
                report(&found, &sealed, json)?;
            }
        }
        Ok(())
    }
}

async fn open(config: &ConfigArg) -> Result<(Database, Loaded), Failure> {
    let loaded = config::load(&config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let store = Database::open_beside(&loaded.config.store.url).await.map_err(|error| Failure::error(&error))?;
    Ok((store, loaded))
}

/// What is sealed and does not open with this host's key.
async fn closed_secrets(store: &Database, loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let vault = Vault::open(store.clone(), &loaded.config.secrets, Clock::system()).await.map_err(|error| Failure::error(&error))?;
    vault.closed().await.map_err(|error| Failure::error(&error))
}

fn report(found: &[Damage], sealed: &[String], json: bool) -> Result<(), Failure> {
    if json {
        let damage: Vec<_> =
            found.iter().map(|damage| json!({ "what": damage.what, "count": damage.count, "examples": damage.examples })).collect();
        anstream::println!("{:#}", json!({ "damage": damage, "secrets": sealed }));
    } else {
        for damage in found {
            anstream::println!("{}: {} (such as {})", damage.count, damage.what, super::plain(&damage.examples.join(", ")));
        }
        for secret in sealed {
            anstream::println!("{}", super::plain(secret));
        }
    }
    if found.is_empty() && sealed.is_empty() {
        if !json {
            anstream::println!("no damage found");
        }
        return Ok(());
    }
    Err(Failure::Failed("the store is damaged; keep a copy of it as it is before anything else".to_owned()))
}

fn size_json(size: &StoreSize) -> serde_json::Value {
    let tables: Vec<_> = size.tables.iter().map(|(name, rows, bytes)| json!({ "table": name, "rows": rows, "bytes": bytes })).collect();
    json!({
        "bytes": size.bytes,
        "free_bytes": size.free_bytes,
        "open_runs": size.open_runs,
        "dead_letters": size.dead_letters,
        "oldest_event": size.oldest_event.map(|time| time.to_string()),
        "tables": tables,
    })
}

fn print_size(size: &StoreSize) {
    let free = size.free_bytes.map_or(String::new(), |free| format!(", of which {} free for new rows", amount::size(free)));
    anstream::println!("{}{free}", amount::size(size.bytes));
    let oldest = size.oldest_event.map_or("none".to_owned(), |time| time.to_string());
    anstream::println!("runs that have not ended: {}; dead letters: {}; oldest event: {oldest}\n", size.open_runs, size.dead_letters);
    anstream::println!("{:12} {:>12} {:>12}", "table", "rows", "size");
    for (name, rows, bytes) in &size.tables {
        anstream::println!("{name:12} {rows:>12} {:>12}", amount::size(*bytes));
    }
}
