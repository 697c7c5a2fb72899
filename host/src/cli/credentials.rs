//! `sangam credentials`.

use serde_json::Value;

use super::client::Client;
use super::{Failure, plain};

/// Looks at credentials.
#[derive(Debug, clap::Args)]
pub(super) struct Credentials {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// How each credential is doing on the host that answers, never its value
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
}

impl Credentials {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Verb::List { json, client } = self.verb;
        let listed = client.get("/v1/credentials", &[]).await?;
        if json {
            anstream::println!("{listed:#}");
            return Ok(());
        }
        let list = listed["credentials"].as_array().map(Vec::as_slice).unwrap_or_default();
        if list.is_empty() {
            anstream::println!("no credentials are configured");
            return Ok(());
        }
        anstream::println!("{:24} {:28} {:14} {:22} {:>9} {:>8}", "NAME", "TYPE", "STATE", "EXPIRES", "REFRESHES", "FAILURES");
        for credential in list {
            let text = |key: &str| plain(credential[key].as_str().unwrap_or("-"));
            let count = |key: &str| credential[key].as_u64().unwrap_or(0);
            anstream::println!(
                "{:24} {:28} {:14} {:22} {:>9} {:>8}",
                text("name"),
                text("type"),
                text("state"),
                seconds(&credential["expires_at"]),
                count("refreshes"),
                count("failures")
            );
            if let Some(error) = credential["last_error"].as_str() {
                anstream::println!("  {}", plain(error));
            }
        }
        Ok(())
    }
}

/// A time without the fraction that nobody reads.
fn seconds(value: &Value) -> String {
    let text = value.as_str().unwrap_or("-");
    match (text.split_once('.'), text.ends_with('Z')) {
        (Some((whole, _)), true) => format!("{whole}Z"),
        _ => plain(text),
    }
}
