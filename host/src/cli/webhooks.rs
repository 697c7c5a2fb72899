//! `sangam webhooks`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::Client;
use super::{ConfigArg, Failure, plain};
use crate::audit::By;
use crate::builtin;
use crate::config;

/// Looks at and handles endpoints of webhooks.
#[derive(Debug, clap::Args)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// How each endpoint is doing
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Send to an endpoint again that was disabled
    Enable {
        /// Its name
        name: String,
        /// Replay what died meanwhile, at most 1000 deliveries
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Send an endpoint something to see whether it is well
    Test {
        /// Its name
        name: String,
        #[command(flatten)]
        client: Client,
    },
    /// Make an endpoint a new secret, shown once; the present one signs beside it for a while
    Rotate {
        /// Its name
        name: String,
        /// How long the present one goes on signing
        #[arg(long, default_value = "24h", value_name = "TIME")]
        keep: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Webhooks {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List { json, client } => list(json, &client).await,
            Verb::Enable { name, replay, client } => enable(&name, replay, &client).await,
            Verb::Test { name, client } => test(&name, &client).await,
            Verb::Rotate { name, keep, config } => rotate(&name, &keep, &config).await,
        }
    }
}

async fn list(json: bool, client: &Client) -> Result<(), Failure> {
    let listed = client.get("/v1/webhooks", &[]).await?;
    if json {
        anstream::println!("{listed:#}");
        return Ok(());
    }
    let list = listed["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        anstream::println!("no webhooks are configured");
        return Ok(());
    }
    anstream::println!("{:24} {:10} {:>8} {:>8} {:>8}  URL", "NAME", "STATE", "WAITING", "SENT", "DEAD");
    for webhook in list {
        let text = |key: &str| plain(webhook[key].as_str().unwrap_or("-"));
        let count = |status: &str| webhook["runs"][status].as_u64().unwrap_or(0);
        let waiting = count("pending") + count("running") + count("waiting");
        anstream::println!(
            "{:24} {:10} {:>8} {:>8} {:>8}  {}",
            text("name"),
            text("state"),
            waiting,
            count("succeeded"),
            count("dead"),
            text("url")
        );
        if let Some(reason) = webhook["reason"].as_str() {
            anstream::println!("  {}", plain(reason));
        }
    }
    Ok(())
}

async fn enable(name: &str, replay: bool, client: &Client) -> Result<(), Failure> {
    let enabled = client.post(&format!("/v1/webhooks/{name}/enable"), json!({})).await?;
    anstream::println!("enabled {name}");
    if replay {
        let replayed = client.post("/v1/dead-letters/replay", json!({ "route": enabled["route"], "limit": 1000 })).await?;
        anstream::println!("{replayed:#}");
    }
    Ok(())
}

async fn test(name: &str, client: &Client) -> Result<(), Failure> {
    let tried = client.post(&format!("/v1/webhooks/{name}/test"), json!({})).await?;
    let status = tried["status"].as_u64().map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let text = format!("{name}: {status} after {} ms", tried["duration_ms"]);
    if tried["ok"] == Value::Bool(true) {
        anstream::println!("{text}");
        return Ok(());
    }
    Err(Failure::Failed(format!("{text}: {}", plain(tried["reason"].as_str().unwrap_or_default()))))
}

async fn rotate(name: &str, keep: &str, arg: &ConfigArg) -> Result<(), Failure> {
    let keep = config::parse_duration(keep).map_err(|error| Failure::Usage(format!("--keep: {error}")))?;
    let loaded = config::load(&arg.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let Some(subscriber) = loaded.config.webhooks.get(name) else {
        return Err(Failure::Usage(format!("{} has no [webhooks.{name}]", arg.config.display())));
    };
    let (store, vault) = super::vault(arg).await?;
    let until = SignedDuration::try_from(keep).ok().and_then(|keep| Timestamp::now().checked_add(keep).ok());
    let until = until.ok_or_else(|| Failure::Usage("--keep: that is too long".to_owned()))?;
    let fresh = builtin::rotate_webhook(&vault, subscriber, until, &By::shell()).await.map_err(Failure::Failed)?;
    store.close().await;
    // Alone on standard output, so that a script can take it.
    anstream::println!("{}", fresh.expose());
    anstream::eprintln!("this is shown once: give it to whoever runs {}; the former one signs too until {until}", plain(&subscriber.url));
    Ok(())
}
