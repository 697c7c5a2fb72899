//! Dead letters of `sangam events dead` and `sangam events replay --dead`.

use serde_json::{Value, json};

use super::client::Client;
use super::events::{confirmed, print_json, replays};
use super::{Failure, plain};

/// Dead letters that the host replays at once.
const MOST: u32 = 1000;

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
    /// Of one cause, as --group shows it
    #[arg(long, value_name = "CAUSE")]
    cause: Option<String>,
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

    fn filters(&self) -> [(&'static str, &Option<String>); 8] {
        [
            ("route", &self.route),
            ("plugin", &self.plugin),
            ("type", &self.event_type),
            ("since", &self.since),
            ("until", &self.until),
            ("kind", &self.kind),
            ("cause", &self.cause),
            ("q", &self.text),
        ]
    }

    async fn page(&self, client: &Client, limit: u32, cursor: Option<&str>) -> Result<Value, Failure> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(self.filters().into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))));
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        client.get("/v1/dead-letters", &query).await
    }

    async fn groups(&self, client: &Client) -> Result<Value, Failure> {
        let mut query: Vec<(&str, String)> = Vec::new();
        query.extend(self.filters().into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))));
        client.get("/v1/dead-letters/groups", &query).await
    }

    /// Shows what they died of, the most frequent first.
    pub(super) async fn gathered(&self, client: &Client, json: bool) -> Result<(), Failure> {
        let groups = self.groups(client).await?;
        if json {
            print_json(&groups);
        } else {
            draw_groups(&groups);
        }
        Ok(())
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
            let found = self.groups(client).await?["total"].as_u64().unwrap_or(0).min(self.limit.map_or(u64::MAX, u64::from));
            if found == 0 {
                anstream::println!("no dead letters");
                return Ok(());
            }
            let all = if self.is_all() { "all " } else { "" };
            if !confirmed(&format!("This replays {all}{found} dead letters. Go on? [y/N] ")) {
                return Err(Failure::Usage(format!("nothing was replayed: {found} dead letters; --yes goes on without asking")));
            }
        }
        let (mut replayed, mut refused, mut cursor) = (Vec::new(), Vec::new(), None);
        let mut left = self.limit;
        loop {
            let mut body = json!({ "plugins": plugins, "limit": left.map(|left| left.min(MOST)), "cursor": cursor });
            for (name, value) in self.filters() {
                body[name] = json!(value);
            }
            let answer = client.post("/v1/dead-letters/replay", body).await?;
            if !json {
                replays(&answer);
            }
            let of = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
            let looked_at = u32::try_from(of("replays").len() + of("refused").len()).unwrap_or(u32::MAX);
            replayed.extend(of("replays"));
            refused.extend(of("refused"));
            cursor = answer["next_cursor"].as_str().map(str::to_owned);
            left = left.map(|left| left.saturating_sub(looked_at));
            if cursor.is_none() || left == Some(0) {
                break;
            }
            anstream::eprintln!("… {} replayed, {} refused so far", replayed.len(), refused.len());
        }
        if json {
            print_json(&json!({ "replays": replayed, "refused": refused, "more": cursor.is_some(), "next_cursor": cursor }));
        } else {
            anstream::println!("{} replayed, {} refused", replayed.len(), refused.len());
            if cursor.is_some() {
                anstream::println!("… there are more; --limit says how many");
            }
        }
        Ok(())
    }
}

fn draw_groups(groups: &Value) {
    let shown = groups["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    if shown.is_empty() {
        anstream::println!("no dead letters");
        return;
    }
    for group in shown {
        let text = |name: &str| plain(group[name].as_str().unwrap_or("-"));
        let place = format!("{} {} ({}.{})", text("route"), text("step"), text("plugin"), text("action"));
        let count = group["count"].as_u64().unwrap_or(0);
        anstream::println!("{count:>7}  {}  {}  {place}  last {}", text("cause"), text("kind"), text("last_at"));
        anstream::println!("         {}", text("pattern"));
        anstream::println!("         such as {}", plain(group["sample"]["eid"].as_str().unwrap_or("")));
    }
    let more = groups["causes"].as_u64().unwrap_or(0).saturating_sub(shown.len() as u64);
    if more > 0 {
        anstream::println!("… and {more} more causes; --route, --plugin, --kind and --since narrow them down");
    }
    anstream::println!(
        "`sangam events show EID` shows one of them, `sangam events dead --cause CAUSE` lists those of one cause,\n\
         `sangam events replay --dead --cause CAUSE` replays them"
    );
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
