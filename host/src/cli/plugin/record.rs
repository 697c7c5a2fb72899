//! `sangam plugin test --record`: a case made of what a real system is asked and answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::rehearsed;
use crate::cli::{ConfigArg, Failure, vault};
use crate::config::{self, Loaded};
use crate::credentials::{Broker, TokenClient};
use crate::outbound::{FarEnd, Outbound};
use crate::registry::Component;
use crate::rehearsal::{Case, Cast, Context, Expectation, OnDoubt, Play, Project, Recorder, Stage, expectation};
use crate::{telemetry, tls};

/// What is to be recorded.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// Call the action at the real system, with the grants and credentials of --config, and write what it was asked and answered into the
    /// case that --case names. Writes are really made there
    #[arg(long, requires = "case")]
    record: bool,
    /// The action, where the case is new
    #[arg(long, value_name = "ACTION", requires = "record")]
    action: Option<String>,
    /// Its input, a JSON file, where the case is new
    #[arg(long, value_name = "FILE", requires = "record")]
    input: Option<PathBuf>,
    /// The plugin of --config that is meant, where it has several of the component
    #[arg(long, value_name = "NAME", requires = "record")]
    plugin: Option<String>,
    /// Write another origin in place of the one that was asked, such as http://127.0.0.1:8080=https://hr.example
    #[arg(long, value_name = "FROM=TO", requires = "record")]
    origin: Vec<String>,
    /// Replace exchanges that the case has already
    #[arg(long, requires = "record")]
    overwrite: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Record {
    pub(super) fn is_wanted(&self) -> bool {
        self.record
    }

    /// Records the case `name` of a folder.
    pub(super) async fn run(&self, project: &Project, folder: &Path, name: &str) -> Result<(), Failure> {
        let file = folder.join(format!("{name}.json"));
        let mut case = self.case(&file, name)?;
        let loaded = config::load(&self.config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
        let plugin = self.plugin(&loaded, project)?;
        let failed = |error: &dyn std::error::Error| Failure::Failed(telemetry::chain(error));
        let (store, vault) = vault(&self.config).await?;
        let tls = match plugin.grants.authorities.as_slice() {
            [] => tls::client_config(),
            own => tls::client_config_trusting(own),
        };
        let tls = tls.map_err(|error| failed(&error))?;
        let tokens = TokenClient::new(tls.clone()).map_err(|error| failed(&error))?;
        let broker = Arc::new(Broker::new(vault, loaded.config.credentials.clone(), tokens, "record"));
        let through = Outbound::new(&plugin, broker.clone(), tls, &store, None);
        let recorder = Recorder::new(through);

        case.configuration = plugin.config.clone();
        let clock = case.context.clock.unwrap_or_else(now);
        case.context.clock = Some(clock);
        let cast = Cast {
            configuration: case.configuration.clone(),
            origins: plugin.grants.hosts.iter().map(ToString::to_string).collect(),
            holds: Vec::new(),
        };
        let stage = Stage::open(project, &[cast]).await.map_err(|error| failed(&error))?;
        let root = stage.root(name);
        let play = Play {
            cast: 0,
            root: root.clone(),
            action: &case.action,
            input: &case.input,
            event: &case.context.event,
            clock,
            key_value: &case.context.key_value,
            keys: Vec::new(),
            attempts: 1,
            undo: false,
            events: true,
        };
        let far_end: Arc<dyn FarEnd> = recorder.clone();
        let played = stage.play(play, far_end, Arc::new(Notify::new())).await.map_err(|error| failed(&error))?;
        let placeholders = stage.placeholders(&root, &recorder.names(), clock);
        let mut kept = BTreeMap::new();
        let written = played.last().into_iter().flat_map(|last| &last.effects).filter(|effect| effect["kind"] == "key-value");
        for key in written.filter_map(|effect| effect["name"].as_str()) {
            let value = stage.value(0, key).await.map_err(|error| failed(&error))?;
            let json = |bytes: Vec<u8>| match serde_json::from_slice::<Value>(&bytes) {
                Ok(json) if json.is_object() || json.is_array() => json,
                _ => Value::from(String::from_utf8_lossy(&bytes).into_owned()),
            };
            kept.insert(key.to_owned(), value.map_or(Value::Null, json));
        }
        case.exchanges = recorder.exchanges(&placeholders);
        case.expect = expectation(&played, &placeholders, kept);
        let mut text = serde_json::to_string_pretty(&case).expect("a case is plain data");
        for pair in &self.origin {
            let (from, to) = pair.split_once('=').ok_or_else(|| Failure::Usage(format!("--origin {pair:?} is not FROM=TO")))?;
            text = text.replace(from.trim_end_matches('/'), to.trim_end_matches('/'));
        }
        // Whatever of a credential came back in some other way.
        broker.redact_text(&mut text);
        text.push('\n');
        std::fs::create_dir_all(folder).map_err(|error| Failure::failed(format!("can't write to {}: {error}", folder.display())))?;
        super::write(&file, text.as_bytes())?;
        let ended = played.last().map_or("nothing was called", |last| last.outcome.as_str());
        anstream::println!(
            "{}: {} exchanges, {ended}; look through it before you share it: names and amounts are as they came",
            file.display(),
            case.exchanges.len()
        );
        Ok(())
    }

    /// The case as it is, or a new one.
    fn case(&self, file: &Path, name: &str) -> Result<Case, Failure> {
        let usage = |text: String| Failure::Usage(text);
        let mut case = match std::fs::read_to_string(file) {
            Ok(text) => Case::parse(name, &text, &file.display().to_string()).map_err(|error| usage(error.to_string()))?,
            Err(_) => Case {
                name: name.to_owned(),
                schema: None,
                title: None,
                action: self
                    .action
                    .clone()
                    .ok_or_else(|| usage(format!("{} is not there yet: name its --action and its --input", file.display())))?,
                poll: None,
                configuration: Value::Object(Map::new()),
                input: Value::Object(Map::new()),
                context: Context::default(),
                on_doubt: OnDoubt::Resend,
                exchanges: Vec::new(),
                undo_exchanges: Vec::new(),
                expect: Expectation::default(),
            },
        };
        if case.poll.is_some() {
            return Err(usage(format!("{} reads a stream: what a real system answers is recorded of actions only", file.display())));
        }
        if !case.exchanges.is_empty() && !self.overwrite {
            return Err(usage(format!("{} has exchanges already; --overwrite replaces them and what is expected", file.display())));
        }
        if let Some(action) = &self.action {
            case.action.clone_from(action);
        }
        if let Some(input) = &self.input {
            let text = std::fs::read_to_string(input).map_err(|error| usage(format!("can't read {}: {error}", input.display())))?;
            case.input = serde_json::from_str(&text).map_err(|error| usage(format!("{}: {error}", input.display())))?;
        }
        Ok(case)
    }

    /// The plugin of the configuration that is this component.
    fn plugin(&self, loaded: &Loaded, project: &Project) -> Result<Arc<config::Plugin>, Failure> {
        let plugins = &loaded.config.plugins;
        let usage = |text: String| Failure::Usage(format!("{}: {text}", loaded.file));
        if let Some(name) = &self.plugin {
            return plugins.get(name).cloned().ok_or_else(|| usage(format!("there is no plugin {name:?}")));
        }
        let is_it = |plugin: &Arc<config::Plugin>| {
            let component = Component::here(&plugin.component).and_then(Result::ok);
            component.is_some_and(|component| component.digest == project.component.digest)
        };
        let mut found: Vec<&Arc<config::Plugin>> = plugins.values().filter(|plugin| is_it(plugin)).collect();
        if found.is_empty() {
            found = plugins.get(&project.descriptor.name).into_iter().collect();
        }
        match found[..] {
            [plugin] => Ok(plugin.clone()),
            [] => Err(usage("no plugin is this component: name the one that is meant with --plugin".to_owned())),
            _ => Err(usage("several plugins are this component: name the one that is meant with --plugin".to_owned())),
        }
    }
}

/// Now, in whole seconds: what is kept is read by people.
fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// Where the cases of what is tested are.
pub(super) fn folder(cases: Option<&PathBuf>, what: &Path) -> PathBuf {
    cases.cloned().unwrap_or_else(|| rehearsed::cases_folder(what))
}
