//! `sangam secret`.

use std::io::Read as _;

use serde_json::json;

use super::{ConfigArg, Failure};
use crate::audit::By;
use crate::credentials::Secret as SecretValue;

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
                let mut value = zeroize::Zeroizing::new(String::new());
                std::io::stdin().read_to_string(&mut value).map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
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
