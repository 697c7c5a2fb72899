//! `sangam schema`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{ConfigArg, Failure};
use crate::api;
use crate::asyncapi::{self, Described};
use crate::catalogue::{self, Entry};
use crate::config::{self, Access, Loaded};
use crate::event::{Data, Event};
use crate::registry::Component;
use crate::schema::Schema as Compiled;
use crate::telemetry::{chain, plain};

/// Schemas that are not about events: what plugins describe themselves with, what they are called with, and what their test cases look like.
const OTHERS: [(&str, &str, &str); 3] = [
    ("descriptor", "what a plugin says of itself", include_str!("../../../wit/descriptor.schema.json")),
    ("context", "what a plugin is told of a call", include_str!("../../../wit/context.schema.json")),
    ("case", "a test case of a plugin", crate::rehearsal::CASE_SCHEMA),
];

/// The document of the HTTP API, and where a host is reached that no configuration says.
const OPENAPI: &str = "openapi";
const HERE: &str = "http://127.0.0.1:7070";

/// Prints a published JSON Schema: of business events (the catalogue), of what plugins describe themselves with and are called with, of their test cases.
/// Without a name: which ones there are.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Which one: a type of events such as job.completed, or descriptor, context, case, openapi
    name: Option<String>,
    /// Which version of it; by default the newest
    #[arg(long, value_name = "NUMBER", requires = "name")]
    version: Option<u32>,
    /// Says whether an event fits: a CloudEvent as JSON, or with a NAME its data alone; `-` is standard input
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// As JSON
    #[arg(long, conflicts_with_all = ["name", "check"])]
    json: bool,
    /// What events come in and go out by the configuration: an AsyncAPI 3.0 document
    #[arg(long, conflicts_with_all = ["name", "check", "json"])]
    asyncapi: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Schema {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.asyncapi {
            return describe(&self.config).await;
        }
        if self.name.as_deref() == Some(OPENAPI) && self.check.is_none() && self.version.is_none() {
            anstream::println!("{:#}", api::openapi_document(HERE));
            return Ok(());
        }
        let named = self.name.as_deref().map(|name| named(name, self.version)).transpose()?;
        match (&self.check, named) {
            (Some(file), named) => check(&read(file)?, named.as_ref()),
            (None, Some(named)) => {
                anstream::println!("{}", named.text().trim_end());
                Ok(())
            }
            (None, None) => {
                list(self.json);
                Ok(())
            }
        }
    }
}

/// Prints the AsyncAPI document of a configuration file.
async fn describe(config: &ConfigArg) -> Result<(), Failure> {
    let loaded = config::load(&config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let document = asyncapi::document(&Described {
        content: loaded.revision_content(),
        rules: &loaded.config.events,
        streams: &streams(&loaded).await,
        url: &loaded.config.server.outside_url(),
        tokens: loaded.config.server.access == Access::Tokens,
    });
    anstream::println!("{document:#}");
    Ok(())
}

/// Types that the streams of plugins bring in. One that can't be looked at is named; then nothing is known of its types.
async fn streams(loaded: &Loaded) -> BTreeMap<(String, String), Vec<String>> {
    let content = loaded.revision_content()["sources"].as_array();
    let used: Vec<&str> = content.into_iter().flatten().filter_map(|source| source["uses"].as_str()).collect();
    let sources = super::sources(&loaded.config);
    let mut streams = BTreeMap::new();
    for plugin in loaded.config.plugins.values().filter(|plugin| used.contains(&plugin.name.as_str())) {
        let Some((_, source, pinned)) = plugin.components().next() else { continue };
        let described = match Component::fetch(&sources, source, pinned).await {
            Ok(component) => super::plugin::descriptor(&component).await.map(|(descriptor, _)| descriptor),
            Err(error) => Err(chain(&error)),
        };
        match described {
            Ok(descriptor) => {
                streams.extend(descriptor.streams.into_iter().map(|stream| ((plugin.name.clone(), stream.name), stream.types)));
            }
            Err(why) => anstream::eprintln!("what plugin {} brings in is not known: {}", plugin.name, plain(&why)),
        }
    }
    streams
}

/// A schema that has a name.
enum Named {
    Event(&'static Entry),
    Other(&'static str),
}

impl Named {
    fn text(&self) -> String {
        match self {
            Named::Event(entry) => format!("{:#}", entry.schema()),
            Named::Other(text) => (*text).to_owned(),
        }
    }
}

fn named(name: &str, version: Option<u32>) -> Result<Named, Failure> {
    let other = OTHERS.iter().find(|(other, ..)| *other == name && version.is_none());
    if let Some((.., text)) = other {
        return Ok(Named::Other(text));
    }
    let (event_type, written) = catalogue::parse(name).unwrap_or((name, None));
    if let Some(entry) = catalogue::find(event_type, version.or(written)) {
        return Ok(Named::Event(entry));
    }
    let why = match catalogue::find(event_type, None) {
        Some(newest) => format!("the catalogue has no such version of {event_type}; its newest is {}", newest.version),
        None => {
            let known = OTHERS.iter().map(|(name, ..)| *name).chain([OPENAPI]).chain(catalogue::types());
            let near = config::near_name(event_type, known).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            format!("there is no schema {:?}; {near}`sangam schema` lists them", plain(name))
        }
    };
    Err(Failure::Usage(why))
}

fn list(as_json: bool) {
    if as_json {
        let events = catalogue::all()
            .iter()
            .map(|entry| json!({ "type": entry.event_type, "version": entry.version, "dataschema": entry.urn(), "title": entry.title() }));
        anstream::println!("{:#}", json!({ "events": events.collect::<Vec<_>>() }));
        return;
    }
    let width = catalogue::types().map(str::len).max().unwrap_or_default();
    anstream::println!("Events (the catalogue):");
    for entry in catalogue::all() {
        let version = if entry.version == 1 { String::new() } else { format!(" (version {})", entry.version) };
        anstream::println!("  {:width$}  {}{version}", entry.event_type, entry.title());
    }
    anstream::println!("\nPlugins:");
    for (name, title, _) in OTHERS {
        anstream::println!("  {name:width$}  {title}");
    }
    anstream::println!("\nThe HTTP API:\n  {OPENAPI:width$}  its OpenAPI 3.1 document, as a host answers it at /openapi.json");
    anstream::println!("\n`sangam schema NAME` prints one, `sangam schema --check FILE` holds an event against its own.");
}

fn read(file: &PathBuf) -> Result<Value, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", plain(&file.display().to_string())));
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|error| failed(&error))?
    } else {
        std::fs::read_to_string(file).map_err(|error| failed(&error))?
    };
    serde_json::from_str(&text).map_err(|error| failed(&format!("it is not JSON: {error}")))
}

/// Holds an event against the schema of its type, or data against a named one.
fn check(value: &Value, named: Option<&Named>) -> Result<(), Failure> {
    let is_event = value.get("specversion").is_some();
    if let Some(Named::Other(text)) = named {
        let schema: Value = serde_json::from_str(text).map_err(Failure::failed)?;
        return judge(&schema, value, "it");
    }
    let event = if is_event { Some(Event::from_structured(value.clone())) } else { None };
    let event = event.transpose().map_err(|error| Failure::Failed(format!("it is no CloudEvent: {error}")))?;
    let entry =
        match (named, &event) {
            (Some(Named::Event(entry)), _) => *entry,
            (_, Some(event)) => of_event(event)?,
            _ => return Err(Failure::Usage(
                "this is no CloudEvent (it has no `specversion`); for data alone name its type: `sangam schema job.completed --check FILE`"
                    .to_owned(),
            )),
        };
    let data = match event.map(|event| event.data) {
        None => value.clone(),
        Some(Data::Json(data)) => data.to_value(),
        Some(Data::None) => Value::Null,
        Some(Data::Binary(_)) => return Err(Failure::Failed("its data is bytes, not JSON".to_owned())),
    };
    judge(&entry.schema(), &data, &format!("{} (version {})", entry.event_type, entry.version))
}

fn of_event(event: &Event) -> Result<&'static Entry, Failure> {
    let by_name = event.dataschema.as_deref().filter(|name| name.starts_with(catalogue::URN)).and_then(catalogue::parse);
    let (event_type, version) = by_name.unwrap_or((&event.event_type, None));
    catalogue::find(event_type, version).ok_or_else(|| {
        let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
        Failure::Failed(format!("the catalogue has no schema for events of type {}{version}", plain(event_type)))
    })
}

fn judge(schema: &Value, value: &Value, what: &str) -> Result<(), Failure> {
    let violations = Compiled::compile(schema).map_err(|error| Failure::error(&error))?.check(value);
    if violations.is_empty() {
        anstream::println!("{what}: it fits");
        return Ok(());
    }
    let place = |pointer: &str| if pointer.is_empty() { "the data".to_owned() } else { plain(pointer) };
    let lines: Vec<String> = violations.iter().map(|violation| format!("{}: {}", place(&violation.pointer), violation.message)).collect();
    Err(Failure::Failed(format!("{what}: it does not fit\n{}", lines.join("\n"))))
}
