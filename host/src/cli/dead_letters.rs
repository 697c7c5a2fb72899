//! Dead letters of `sangam events dead` and `sangam events replay --dead`.

use serde_json::{Value, json};

use super::client::Client;
use super::events::{confirmed, print_json, replays};
use super::{Failure, plain};

/// Dead letters that the host replays at once.
const MOST: u32 = 1000;
/// Dead letters that are asked for at once.
const PAGE: u32 = 500;

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Of one route
    #[arg(long)]
    route: Option<String>,
    /// Of which a step of this plugin failed
    #[arg(long)]
    plugin: Option<String>,
    /// Exact event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Died at or after (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Died before (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Kind of failure, such as rejected, retry, diverged or deadline
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Text within the event or the reason
    #[arg(long = "search", short = 'q', value_name = "TEXT")]
    text: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<u32>,
}

impl Which {
    /// Whether it says anything.
    pub(super) fn is_all(&self) -> bool {
        self.filters().iter().all(|(_, value)| value.is_none()) && self.limit.is_none()
    }

    /// Of the filters only the route, which also chooses among the lines of one event.
    pub(super) fn route_alone(&self) -> Result<Option<&String>, Failure> {
        if self.filters()[1..].iter().any(|(_, value)| value.is_some()) || self.limit.is_some() {
            return Err(Failure::Usage(
                "an event needs no filter but --route; with --dead the filters choose among all dead letters".to_owned(),
            ));
        }
        Ok(self.route.as_ref())
    }

    fn filters(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("route", &self.route),
            ("plugin", &self.plugin),
            ("type", &self.event_type),
            ("since", &self.since),
            ("until", &self.until),
            ("kind", &self.kind),
            ("q", &self.text),
        ]
    }

    async fn page(&self, client: &Client, limit: u32, cursor: Option<&str>) -> Result<Value, Failure> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(self.filters().into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))));
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        client.get("/v1/dead-letters", &query).await
    }

    /// How many there are, and whether there are more than the host replays at once.
    async fn count(&self, client: &Client) -> Result<(u32, bool), Failure> {
        let most = self.limit.unwrap_or(MOST).min(MOST);
        let (mut found, mut cursor) = (0, None);
        loop {
            let page = self.page(client, PAGE.min(most - found), cursor.as_deref()).await?;
            found += u32::try_from(page["dead_letters"].as_array().map_or(0, Vec::len)).unwrap_or(u32::MAX);
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || found >= most {
                return Ok((found, cursor.is_some()));
            }
        }
    }

    /// Lists them.
    pub(super) async fn list(&self, client: &Client, unless_limited: u32, json: bool) -> Result<(), Failure> {
        let letters = self.page(client, self.limit.unwrap_or(unless_limited), None).await?;
        if json {
            print_json(&letters);
        } else {
            draw(&letters);
        }
        Ok(())
    }

    /// Replays them, once a person has seen how many there are.
    pub(super) async fn replay(&self, client: &Client, plugins: &str, yes: bool, json: bool) -> Result<(), Failure> {
        if !yes {
            let (found, more) = self.count(client).await?;
            if found == 0 {
                anstream::println!("no dead letters");
                return Ok(());
            }
            let rest = if more { " (there are more: replay again afterwards)" } else { "" };
            let all = if self.is_all() { "all " } else { "" };
            if !confirmed(&format!("This replays {all}{found} dead letters{rest}. Go on? [y/N] ")) {
                return Err(Failure::Usage(format!("nothing was replayed: {found} dead letters{rest}; --yes goes on without asking")));
            }
        }
        let mut body = json!({ "plugins": plugins, "limit": self.limit });
        for (name, value) in self.filters() {
            body[name] = json!(value);
        }
        let answer = client.post("/v1/dead-letters/replay", body).await?;
        if json {
            print_json(&answer);
        } else {
            replays(&answer);
            let count = |name: &str| answer[name].as_array().map_or(0, Vec::len);
            anstream::println!("{} replayed, {} refused", count("replays"), count("refused"));
            if answer["more"] == true {
                anstream::println!("… there are more: replay again");
            }
        }
        Ok(())
    }
}

fn draw(letters: &Value) {
    let shown = letters["dead_letters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if shown.is_empty() {
        anstream::println!("no dead letters");
        return;
    }
    for letter in shown {
        let text = |name: &str| plain(letter[name].as_str().unwrap_or(""));
        anstream::println!("{}  {}  {}  {} {}", text("eid"), text("died_at"), text("route"), text("type"), text("id"));
        let erased = if letter["erased_at"].is_string() { " (its personal data was erased: it can't be replayed)" } else { "" };
        anstream::println!("    {}{erased}", text("reason"));
    }
    if !letters["next_cursor"].is_null() {
        anstream::println!("… there are more; --limit shows them, --route, --plugin, --kind, --since and --search narrow the list down");
    }
    anstream::println!(
        "`sangam events show EID` shows all attempts, `sangam events replay EID --dry-run` what a replay would do,\n\
         `sangam events replay EID` tries again, `sangam events replay --dead` all of them"
    );
}
