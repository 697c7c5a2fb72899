//! `sangam secret`.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use serde_json::json;
use zeroize::Zeroizing;

use super::rotate_key::RotateKey;
use super::{ConfigArg, Failure};
use crate::audit::By;
use crate::credentials::{MOST_SECRET, Secret as SecretValue};

/// Keeps secrets in the store, sealed. Values are read from standard input, never from the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Set a secret to what standard input holds: `sangam secret set crm-key < key.pem`
    Set {
        /// Its name: ${secret:NAME} in the configuration
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List names and ages
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Seal everything in the store with another key, while hosts run
    RotateKey(RotateKey),
    /// Remove a secret
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Secret {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Set { name, config } => {
                let value = from_standard_input()?;
                if value.trim().is_empty() {
                    return Err(Failure::Usage(
                        "standard input is empty: give the value there, such as `sangam secret set NAME < FILE`".to_owned(),
                    ));
                }
                let (store, vault) = super::vault(&config).await?;
                vault.put(&name, &SecretValue::from(value), &By::shell()).await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                anstream::println!("set {name}");
            }
            Verb::List { json, config } => {
                let (store, vault) = super::vault(&config).await?;
                let secrets = vault.list().await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                if json {
                    let list: Vec<_> =
                        secrets.iter().map(|secret| json!({ "name": secret.name, "updated_at": secret.updated_at.to_string() })).collect();
                    anstream::println!("{:#}", json!({ "secrets": list }));
                } else {
                    for secret in &secrets {
                        anstream::println!("{:30} {}", secret.name, secret.updated_at);
                    }
                }
            }
            Verb::RotateKey(verb) => verb.run().await?,
            Verb::Remove { name, config } => {
                let (store, vault) = super::vault(&config).await?;
                let removed = vault.remove(&name, &By::shell()).await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                if !removed {
                    return Err(Failure::Failed(format!("there is no secret {name:?}")));
                }
                anstream::println!("removed {name}");
            }
        }
        Ok(())
    }
}

/// The value. Typed at a terminal it is one line, which is not shown.
fn from_standard_input() -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| Failure::Usage(format!("standard input: {error}"));
    // Sized beforehand: a buffer that grows leaves its former self behind, unwiped.
    let mut value = Zeroizing::new(String::with_capacity(MOST_SECRET + 2));
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        anstream::eprint!("value (not shown; ends with the line): ");
        let quiet = echo(false);
        let read = stdin.lock().take(MOST_SECRET as u64 + 2).read_line(&mut value);
        if quiet {
            echo(true);
        }
        anstream::eprintln!();
        read.map_err(failed)?;
    } else {
        stdin.lock().take(MOST_SECRET as u64 + 2).read_to_string(&mut value).map_err(failed)?;
    }
    Ok(value)
}

/// Whether the terminal shows what is typed. The system's own program does it: one call is no reason for a library.
fn echo(on: bool) -> bool {
    let word = if on { "echo" } else { "-echo" };
    std::process::Command::new("stty").arg(word).status().is_ok_and(|status| status.success())
}
