//! `sangam try`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::Client;
use super::{Failure, dry_run, plain_json};

/// Largest file that is read.
const MAX_FILE: u64 = 4 << 20;

/// Tries an expression or routes on a sample event at a running host. Plugins run, reads are refused or live, writes are shown and not sent, and nothing
/// is stored.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sangam try event.json
  sangam try event.json --route job-completed --reads live
  sangam try event.json --toml new-route.toml --answers answers.json
  sangam try event.json --expression '.event.data.amount > 10'")]
pub(super) struct Try {
    /// File with the event (JSON; `-` is the standard input); `specversion`, `id` and `source` may be left out
    #[arg(value_name = "FILE", required_unless_present_any = ["expression", "event"])]
    file: Option<PathBuf>,
    /// An event that was taken in, instead of a file
    #[arg(long, value_name = "EID", conflicts_with_all = ["file", "expression"])]
    event: Option<String>,
    /// Only this route
    #[arg(long, value_name = "NAME", conflicts_with = "expression")]
    route: Option<String>,
    /// File with [[routes]] that are tried instead of those that are configured
    #[arg(long, value_name = "FILE", conflicts_with = "expression")]
    toml: Option<PathBuf>,
    /// How reads are answered
    #[arg(long, value_enum, default_value = "none", conflicts_with = "expression")]
    reads: Reads,
    /// File with what systems answer: a JSON list of {"method", "url", "status", "body"}
    #[arg(long, value_name = "FILE", conflicts_with = "expression")]
    answers: Option<PathBuf>,
    /// The value of this expression
    #[arg(long, value_name = "JQ")]
    expression: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: Client,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Reads {
    /// A step ends where it would ask
    None,
    /// By asking the systems
    Live,
    /// As they were kept of the runs of --event
    Recorded,
}

impl Try {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let event: Option<Value> = self.file.as_deref().map(json_of).transpose()?;
        if let Some(expression) = &self.expression {
            let mut order = json!({ "expression": expression });
            if let Some(event) = event {
                order["event"] = event;
            }
            let answer = self.client.post("/v1/try/expression", order).await?;
            let value = if self.json { &answer } else { &answer["value"] };
            anstream::println!("{}", plain_json(&format!("{value:#}")));
            return Ok(());
        }
        let reads = match self.reads {
            Reads::None => "none",
            Reads::Live => "live",
            Reads::Recorded => "recorded",
        };
        let mut order = json!({ "reads": reads });
        let answers = self.answers.as_deref().map(json_of).transpose()?;
        let toml = self.toml.as_deref().map(text_of).transpose()?.map(Value::from);
        let given = [
            ("event", event),
            ("eid", self.event.map(Value::from)),
            ("route", self.route.map(Value::from)),
            ("toml", toml),
            ("answers", answers),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                order[name] = value;
            }
        }
        let answer = self.client.post("/v1/try/route", order).await?;
        if self.json {
            anstream::println!("{}", plain_json(&format!("{answer:#}")));
        } else {
            anstream::print!("{}", dry_run::draw_tried(&answer));
        }
        Ok(())
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::Usage(format!("can't read {}: {error}", path.display()));
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_FILE).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text)).map_err(unreadable)?;
    }
    Ok(text)
}

fn json_of(path: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(path)?).map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", path.display())))
}
