//! `sangam session`.

use jiff::Timestamp;
use serde_json::json;

use super::{ConfigArg, Failure, plain};
use crate::access::session;
use crate::audit::{Action, By};
use crate::config;
use crate::store::Store;

/// Looks at and ends the sessions of people who have logged in.
#[derive(Debug, clap::Args)]
pub(super) struct Session {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List who is logged in
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// End a session at once, on all hosts of the store
    Revoke {
        /// Its id, from `list`
        #[arg(required_unless_present = "subject")]
        id: Option<String>,
        /// End all sessions of that person instead
        #[arg(long, conflicts_with = "id")]
        subject: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Session {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List { json, config } => {
                let (store, idle) = open(&config).await?;
                let mut sessions = store.session_list().await.map_err(|error| Failure::error(&error))?;
                store.close().await;
                let now = Timestamp::now();
                sessions.retain(|row| !session::is_over(row, idle, now));
                if json {
                    let list: Vec<_> = sessions
                        .iter()
                        .map(|row| {
                            json!({
                                "id": row.id,
                                "name": row.name,
                                "subject": row.subject,
                                "issuer": row.issuer,
                                "role": row.role.as_str(),
                                "created_at": row.created_at.to_string(),
                                "seen_at": row.seen_at.to_string(),
                                "expires_at": row.expires_at.to_string(),
                            })
                        })
                        .collect();
                    anstream::println!("{:#}", json!({ "sessions": list }));
                } else {
                    for row in &sessions {
                        let (name, subject) = (plain(&row.name), plain(&row.subject));
                        anstream::println!(
                            "{}  {name:20} {:9} seen {}  ends {}  {subject}",
                            row.id,
                            row.role.as_str(),
                            row.seen_at,
                            row.expires_at
                        );
                    }
                }
            }
            Verb::Revoke { id, subject, config } => {
                let (store, _) = super::vault(&config).await?;
                let did = |whose: &str| By::shell().did(Action::Logout, whose);
                let (revoked, whose) = match (id, subject) {
                    (Some(id), _) => (store.session_revoke(&id, did(&id), Timestamp::now()).await, format!("session {id:?}")),
                    (None, subject) => {
                        let subject = subject.unwrap_or_default();
                        (store.sessions_revoke_of(&subject, did(&subject), Timestamp::now()).await, format!("session of {subject:?}"))
                    }
                };
                store.close().await;
                if !revoked.map_err(|error| Failure::error(&error))? {
                    return Err(Failure::Failed(format!("there is no {whose}")));
                }
                anstream::println!("revoked");
            }
        }
        Ok(())
    }
}

/// The store, and after how long a session is over by itself.
async fn open(config: &ConfigArg) -> Result<(Store, std::time::Duration), Failure> {
    let loaded = config::load(&config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let store = Store::open_beside(&loaded.config.store.url).await.map_err(|error| Failure::error(&error))?;
    Ok((store, loaded.config.server.oidc.map_or(std::time::Duration::MAX, |oidc| oidc.session_idle)))
}
