//! `sangam token`.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{ConfigArg, Failure};
use crate::audit::{Action, By};
use crate::credentials::{Role, api_token};
use crate::store::{ApiTokenRow, Store};

/// What expires within this time is pointed out.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

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
        /// With --role sender: sources of the events that it may send, such as '/field-service/*'; may be repeated
        #[arg(long = "source", value_name = "PATTERN")]
        sources: Vec<String>,
        /// It also sees fields that are marked as personal data, as admin does
        #[arg(long)]
        personal: bool,
        /// How long it is good for, such as 30d, or never [default: 365d for senders, 90d for others]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List tokens, without their values; those that were revoked for 90 days
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
            Verb::Create { name, role, sources, personal, expires, config } => {
                let role: Role = role.parse().map_err(|error: api_token::UnknownRole| Failure::Usage(error.to_string()))?;
                let sources = api_token::sources(role, &sources).map_err(|why| Failure::Usage(format!("--source: {why}")))?;
                let now = Timestamp::now();
                let expires =
                    api_token::expiry(role, expires.as_deref(), now).map_err(|why| Failure::Usage(format!("--expires: {why}")))?;
                let (token, mut row) = api_token::issue(&name, role, sources, now, expires);
                row.personal = personal;
                let store = open(&config).await?;
                let act = By::shell()
                    .did(Action::TokenCreated, &row.id)
                    .with("name", row.name.as_str())
                    .with("role", role.as_str())
                    .with("expires_at", row.expires_at.map(|time| time.to_string()));
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
                let now = Timestamp::now();
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
                                "expired": token.expires_at.is_some_and(|at| at <= now),
                                "sources": token.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
                                "used_at": token.used_at.map(|time| time.to_string()),
                                "revoked_at": token.revoked_at.map(|time| time.to_string()),
                                "state": token.state(now),
                            })
                        })
                        .collect();
                    anstream::println!("{:#}", json!({ "tokens": list }));
                } else {
                    for token in &tokens {
                        anstream::println!("{}", line(token, now));
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
                    return Err(Failure::Failed(format!("there is no token {id:?} that was not revoked yet")));
                }
                anstream::println!("revoked {id}");
            }
        }
        Ok(())
    }
}

/// One token, for people.
fn line(token: &ApiTokenRow, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let expires = match token.expires_at {
        _ if token.revoked_at.is_some() => format!("REVOKED {}", token.revoked_at.map(day).unwrap_or_default()),
        None => "never expires".to_owned(),
        Some(at) if at <= now => format!("EXPIRED {}", day(at)),
        Some(at) if at.duration_since(now) < SOON => format!("expires {} (in {} d)", day(at), at.duration_since(now).as_hours() / 24),
        Some(at) => format!("expires {}", day(at)),
    };
    let used = token.used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", day(at)));
    let sources: Vec<String> = token.sources.iter().map(ToString::to_string).collect();
    let sources = if sources.is_empty() { String::new() } else { format!("  from {}", super::plain(&sources.join(", "))) };
    let sees = if token.personal { "  sees personal data" } else { "" };
    format!("{}  {:20} {:9} {expires}  {used}{sources}{sees}", token.id, super::plain(&token.name), token.role.as_str())
}

async fn open(config: &ConfigArg) -> Result<Store, Failure> {
    super::vault(config).await.map(|(store, _)| store)
}
