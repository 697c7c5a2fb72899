//! `sangam token`.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{ConfigArg, Failure};
use crate::audit::{Action, By};
use crate::config;
use crate::credentials::{Role, api_token};
use crate::store::Store;

/// Makes and revokes API tokens.
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token; it is shown once
    Create {
        /// For people: who or what uses it
        #[arg(long, default_value = "unnamed")]
        name: String,
        /// admin, operator, sender or viewer
        #[arg(long, default_value = "admin")]
        role: String,
        /// It also sees fields that are marked as personal data, as admin does
        #[arg(long)]
        personal: bool,
        /// How long it is good for, such as 90d
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List tokens, without their values
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Revoke a token at once
    Revoke {
        /// Its id, from `list`
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Token {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Create { name, role, personal, expires, config } => {
                let role: Role = role.parse().map_err(|error: api_token::UnknownRole| Failure::Usage(error.to_string()))?;
                let now = Timestamp::now();
                let expires_at = expires
                    .map(|text| config::parse_duration(&text).map_err(|error| Failure::Usage(format!("--expires: {error}"))))
                    .transpose()?
                    .and_then(|length| SignedDuration::try_from(length).ok())
                    .and_then(|length| now.checked_add(length).ok());
                let (token, mut row) = api_token::issue(&name, role, now, expires_at);
                row.personal = personal;
                let store = open(&config).await?;
                let act = By::shell()
                    .did(Action::TokenCreated, &row.id)
                    .with("name", row.name.as_str())
                    .with("role", role.as_str())
                    .with("expires_at", expires_at.map(|time| time.to_string()));
                store.token_insert(row, act).await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                // Alone on standard output, so that a script can take it.
                anstream::println!("{}", token.expose());
                anstream::eprintln!("this is shown once; give it as SANGAM_TOKEN or --token");
            }
            Verb::List { json, config } => {
                let store = open(&config).await?;
                let tokens = store.token_list().await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                if json {
                    let list: Vec<_> = tokens
                        .iter()
                        .map(|token| {
                            json!({
                                "id": token.id,
                                "name": token.name,
                                "role": token.role.as_str(),
                                "personal": token.personal || token.role == Role::Admin,
                                "created_at": token.created_at.to_string(),
                                "expires_at": token.expires_at.map(|time| time.to_string()),
                            })
                        })
                        .collect();
                    anstream::println!("{:#}", json!({ "tokens": list }));
                } else {
                    for token in &tokens {
                        let expires = token.expires_at.map_or("never".to_owned(), |time| time.to_string());
                        let sees = if token.personal { "  sees personal data" } else { "" };
                        anstream::println!(
                            "{}  {:20} {:9} expires {expires}{sees}",
                            token.id,
                            super::plain(&token.name),
                            token.role.as_str()
                        );
                    }
                }
            }
            Verb::Revoke { id, config } => {
                let store = open(&config).await?;
                let revoked = store
                    .token_revoke(&id, By::shell().did(Action::TokenRevoked, &id), Timestamp::now())
                    .await
                    .map_err(|error| Failure::error(&error))?;
                store.close().await;
                if !revoked {
                    return Err(Failure::Failed(format!("there is no token {id:?}")));
                }
                anstream::println!("revoked {id}");
            }
        }
        Ok(())
    }
}

async fn open(config: &ConfigArg) -> Result<Store, Failure> {
    super::vault(config).await.map(|(store, _)| store)
}
