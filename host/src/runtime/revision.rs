//! One numbered configuration, ready to run: its components loaded, its schemas compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::task::AbortOnDropHandle;

use super::ApplyError;
use crate::builtin;
use crate::config::{self, Config, Excerpt, Loaded, PluginFacts, Problem, Route, Severity};
use crate::engine::{Engine, EngineError, LoadedComponent, loads_at_once};
use crate::registry::{Component, ComponentError, Descriptor, DescriptorError, Sources, Supply};
use crate::schema::{self, Schema, SchemaError};
use crate::telemetry;

/// Components that are fetched side by side: each may take the memory of the largest twice.
const AT_A_TIME: usize = 4;

/// A configuration that can run.
#[derive(Debug)]
pub struct Revision {
    /// From 1; 0 before it is stored.
    pub number: i64,
    /// The configuration.
    pub config: Config,
    /// Its plugins by name.
    pub plugins: BTreeMap<String, Arc<LoadedPlugin>>,
    /// The configuration as it is written, without secrets: what it is described from.
    pub content: Value,
    /// Its routes as they stand in the file that it was applied from. None where this host took it from the store, which keeps no text.
    pub written: BTreeMap<String, WrittenRoute>,
    /// What is allowed in that file but probably not meant.
    pub warnings: Vec<Problem>,
}

/// A route as somebody wrote it.
#[derive(Debug, Clone)]
pub struct WrittenRoute {
    /// Its lines.
    pub excerpt: Excerpt,
    /// The file as it was named.
    pub file: String,
    /// What is allowed in it but probably not meant.
    pub warnings: Vec<Problem>,
}

/// A plugin of a revision.
#[derive(Debug)]
pub struct LoadedPlugin {
    /// Its configuration in this revision.
    pub config: Arc<config::Plugin>,
    /// Its bytes.
    pub component: Component,
    /// Ready to be called.
    pub code: LoadedComponent,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// The descriptor was not embedded: `describe` had to be run.
    pub described: bool,
    /// Schemas of its actions.
    pub actions: BTreeMap<String, ActionSchemas>,
    /// The component that a share of runs tries; it has no canary of its own.
    pub canary: Option<Arc<LoadedPlugin>>,
}

/// Compiled schemas of an action.
#[derive(Debug)]
pub struct ActionSchemas {
    /// Of its input.
    pub input: Arc<Schema>,
    /// Of its output, where that marks personal data: nothing else is asked of it.
    pub output: Option<Arc<Schema>>,
    /// Invocations that the action takes at once; `None`: one.
    pub batch: Option<u32>,
}

/// Why a plugin can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No component.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// It can't be compiled, or does not describe itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its descriptor is not valid.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The embedded descriptor is not what it says.
    #[error("its embedded descriptor and what it says when asked differ; build it again")]
    OtherDescriptor,
    /// It says that it takes what it has no function for.
    #[error("its action {0} takes several invocations at once (batch), but it does not export batches")]
    NoBatches(String),
    /// One of its schemas can't be used.
    #[error("the {what} schema of its action {action} can't be used")]
    Schema {
        /// `input` or `output`.
        what: &'static str,
        /// The action.
        action: String,
        /// Why not.
        #[source]
        source: SchemaError,
    },
    /// The work was broken off.
    #[error("loading was broken off")]
    Broken,
}

impl Revision {
    /// A configuration with nothing in it, before the first is applied.
    pub(super) fn empty(config: &Config) -> Revision {
        let config = Config {
            credentials: BTreeMap::new(),
            plugins: BTreeMap::new(),
            mail: BTreeMap::new(),
            templates: BTreeMap::new(),
            routes: Vec::new(),
            events: Vec::new(),
            sources: Vec::new(),
            nats: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            ..config.clone()
        };
        Revision { number: 0, config, plugins: BTreeMap::new(), content: Value::Null, written: BTreeMap::new(), warnings: Vec::new() }
    }

    /// What its plugins and the host's own steps say of themselves.
    pub fn facts(&self) -> BTreeMap<String, PluginFacts> {
        let of = |(name, plugin): (&String, &Arc<LoadedPlugin>)| (name.clone(), plugin.component.facts(&plugin.descriptor));
        self.plugins.iter().map(of).chain([(builtin::NAME.to_owned(), builtin::facts())]).collect()
    }

    /// The action that undoes a step, where its plugin declares one.
    pub fn undo_action(&self, step: &config::Step) -> Option<String> {
        let actions = &self.plugins.get(&step.plugin)?.descriptor.actions;
        actions.iter().find(|action| action.name == step.action)?.undo.clone()
    }

    /// A route of this revision.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.config.routes.iter().find(|route| route.name == name)
    }

    /// A source of this revision.
    pub fn source(&self, name: &str) -> Option<&Arc<config::Source>> {
        self.config.sources.iter().find(|source| source.name == name)
    }

    /// SHA-256 of the content and the components.
    pub(super) fn digest(&self, loaded: &Loaded) -> String {
        let mut hasher = Sha256::new();
        hasher.update(loaded.revision_digest());
        hasher.update(self.component_digests());
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn component_digests(&self) -> String {
        let digests: BTreeMap<String, &str> = self.components().map(|(name, component)| (name, component.digest.as_str())).collect();
        serde_json::to_string(&digests).expect("a map of strings is JSON")
    }

    pub(super) fn component_bytes(&self) -> Vec<(String, Arc<Vec<u8>>)> {
        self.components().map(|(_, component)| (component.digest.clone(), component.bytes.clone())).collect()
    }

    /// All components, those of canaries as `NAME/canary`.
    fn components(&self) -> impl Iterator<Item = (String, &Component)> {
        self.plugins.iter().flat_map(|(name, plugin)| {
            let canary = plugin.canary.as_ref().map(|canary| (config::canary_of(name), &canary.component));
            std::iter::once((name.clone(), &plugin.component)).chain(canary)
        })
    }
}

/// Fetches the components of a file side by side, those of canaries as `NAME/canary`, and judges them: what is not taken is neither
/// compiled nor run. Nothing has changed if one can't be had.
pub(super) async fn fetch(loaded: &Loaded, sources: &Sources, supply: &Supply) -> Result<BTreeMap<String, Component>, ApplyError> {
    let mut fetches = Vec::new();
    for (name, source, pinned) in loaded.config.plugins.values().flat_map(|plugin| plugin.components()) {
        let (source, pinned) = (source.clone(), supply.pinned(&name, source, pinned).map(str::to_owned));
        fetches.push(async move { (name, Component::fetch(sources, &source, pinned.as_deref()).await) });
    }
    let fetched: Vec<(String, Result<Component, ComponentError>)> =
        futures::stream::iter(fetches).buffer_unordered(AT_A_TIME).collect().await;
    let mut components = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, component) in fetched {
        match component {
            Ok(component) => match supply.judge(loaded, &name, &component, None) {
                Ok(()) => drop(components.insert(name, component)),
                Err(problem) => problems.push(problem),
            },
            Err(error) => problems.push(problem(loaded, &name, &error.into())),
        }
    }
    if problems.is_empty() { Ok(components) } else { Err(loaded.problems(problems).into()) }
}

/// Loads the components of a configuration and checks it against what they say of themselves. `supply`: of a file that is to be applied;
/// a stored revision was approved, and what it was granted is not asked again, since the present grants count.
pub(super) async fn build(
    engine: &Engine,
    loaded: &Loaded,
    components: BTreeMap<String, Component>,
    supply: Option<&Supply>,
) -> Result<Revision, ApplyError> {
    let mut loaded_plugins = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, plugin) in load_all(engine, loaded, components).await {
        match plugin {
            Ok(plugin) => {
                let judged = supply
                    .filter(|_| plugin.described)
                    .map(|supply| supply.judge(loaded, &name, &plugin.component, Some(&plugin.descriptor)));
                problems.extend(judged.and_then(Result::err));
                loaded_plugins.insert(name, plugin);
            }
            Err(error) => problems.push(problem(loaded, &name, &error)),
        }
    }
    let mut facts: BTreeMap<String, PluginFacts> =
        loaded_plugins.iter().map(|(name, plugin)| (name.clone(), plugin.component.facts(&plugin.descriptor))).collect();
    facts.insert(builtin::NAME.to_owned(), builtin::facts());
    let mut found = config::check_plugins(loaded, &facts);
    if supply.is_some() {
        found.extend(config::check_grants(loaded, &facts));
    }
    for warning in found.iter().filter(|problem| problem.severity == Severity::Warning) {
        tracing::warn!(file = loaded.file, line = warning.line, "{}", warning.message);
    }
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) = found.into_iter().partition(|problem| problem.severity == Severity::Error);
    problems.extend(errors);
    if !problems.is_empty() {
        // Who mends it sees at once what else is odd.
        problems.extend(loaded.warnings.iter().cloned().chain(warnings));
        return Err(loaded.problems(problems).into());
    }
    let mut plugins = BTreeMap::new();
    for name in loaded.config.plugins.keys() {
        let canary = loaded_plugins.remove(&config::canary_of(name)).map(Arc::new);
        if let Some(plugin) = loaded_plugins.remove(name) {
            plugins.insert(name.clone(), Arc::new(LoadedPlugin { canary, ..plugin }));
        }
    }
    // What comes out of the store has lost its text.
    let (written, warnings) = match supply {
        Some(_) => {
            let warnings: Vec<Problem> = loaded.warnings.iter().cloned().chain(warnings).collect();
            (written(loaded, &warnings), warnings)
        }
        None => (BTreeMap::new(), Vec::new()),
    };
    Ok(Revision { number: 0, config: loaded.config.clone(), plugins, content: loaded.revision_content().clone(), written, warnings })
}

fn written(loaded: &Loaded, all: &[Problem]) -> BTreeMap<String, WrittenRoute> {
    let route = |(name, excerpt): (String, Excerpt)| {
        let warnings = all.iter().filter(|problem| excerpt.has_line(problem.line)).cloned().collect();
        (name, WrittenRoute { excerpt, file: loaded.file.clone(), warnings })
    };
    loaded.excerpts().into_iter().map(route).collect()
}

/// Side by side, those that take longest first; in the order of their names.
async fn load_all(
    engine: &Engine,
    loaded: &Loaded,
    components: BTreeMap<String, Component>,
) -> BTreeMap<String, Result<LoadedPlugin, BuildError>> {
    let mut components: Vec<(String, Component)> = components.into_iter().collect();
    components.sort_by_key(|(_, component)| std::cmp::Reverse(component.bytes.len()));
    let loads = components.into_iter().filter_map(|(name, component)| {
        let config = loaded.config.plugins.get(config::plugin_of(&name))?.clone();
        let (engine, label) = (engine.clone(), name.clone());
        Some(async move {
            // On a task of its own, so that several processors are used; it ends with this.
            let load = AbortOnDropHandle::new(tokio::spawn(async move { load(&engine, &label, config, component).await }));
            (name, load.await.unwrap_or(Err(BuildError::Broken)))
        })
    });
    futures::stream::iter(loads).buffer_unordered(loads_at_once(&loaded.config.engine)).collect().await
}

async fn load(engine: &Engine, name: &str, config: Arc<config::Plugin>, component: Component) -> Result<LoadedPlugin, BuildError> {
    let code = engine.load(name, &component.digest, &component.bytes).await?;
    let said = Descriptor::parse(&engine.describe(&code, &config.limits).await?)?;
    let described = match &component.inspection.descriptor {
        Some(embedded) if *embedded != said => return Err(BuildError::OtherDescriptor),
        Some(_) => false,
        None => true,
    };
    if let Some(action) = said.batching()
        && !code.takes_batches()
    {
        return Err(BuildError::NoBatches(action.name.clone()));
    }
    let mut actions = BTreeMap::new();
    for action in &said.actions {
        let compile = |what, schema| {
            Schema::compile(schema).map(Arc::new).map_err(|source| BuildError::Schema { what, action: action.name.clone(), source })
        };
        let marks = |schema: &Value| [schema::PERSONAL, schema::SUBJECT].iter().any(|keyword| schema.to_string().contains(keyword));
        let output = if marks(&action.output) { Some(compile("output", &action.output)?) } else { None };
        actions.insert(action.name.clone(), ActionSchemas { input: compile("input", &action.input)?, output, batch: action.batch });
    }
    Ok(LoadedPlugin { config, component, code, descriptor: said, described, actions, canary: None })
}

/// A component's problem, where the file names it.
fn problem(loaded: &Loaded, component: &str, error: &BuildError) -> Problem {
    loaded.component_problem(component, &telemetry::chain(error))
}
