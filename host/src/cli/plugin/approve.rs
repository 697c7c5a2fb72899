//! `sangam plugin approve`: an administrator accepts what there is, having seen what is new about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::{Action, By};
use crate::cli::events::confirmed;
use crate::cli::{ConfigArg, Failure, one_line, sources};
use crate::config::{self, ComponentSource, Loaded, Lock, Pin, Problem, plugin_of};
use crate::registry::{Component, Supply};
use crate::telemetry;

/// Shows what the plugins' components may ask for and how that differs from what was approved, asks, and writes it down beside the
/// configuration. From then on `check`, `up` and a reload refuse other components.
#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// Only this plugin, and its canary
    name: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON; nothing is approved without --yes
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// One component, before and now.
struct Change {
    component: String,
    was: Option<Pin>,
    is: Option<Pin>,
}

impl Approve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let usage = |problems: config::Problems| Failure::Usage(problems.to_string());
        let loaded = config::load(&self.config.config).map_err(usage)?;
        let supply = Supply::of(&loaded).map_err(usage)?;
        let found = found(&loaded, &supply, self.name.as_deref()).await?;
        let before = supply.lock().cloned().unwrap_or_default();
        let changes = changes(&before, found, self.name.as_deref());
        let file = loaded.lock_file();
        let written = before != after(&before, &changes) || supply.lock().is_none();
        if !written {
            match self.json {
                true => anstream::println!("{:#}", document(&changes, false)),
                false => anstream::println!("nothing to approve: {} has them as they are", file.display()),
            }
            return Ok(());
        }
        if !self.json {
            changes.iter().for_each(Change::show);
        }
        let approved = self.yes || (!self.json && confirmed("approve? [y/N] "));
        if approved {
            let failed = |error: std::io::Error| Failure::failed(format!("can't write {}: {error}", file.display()));
            after(&before, &changes).write(&file).map_err(failed)?;
            self.record(&loaded, &changes).await;
        }
        match (self.json, approved) {
            (true, _) => anstream::println!("{:#}", document(&changes, approved)),
            (false, true) => anstream::println!("wrote {}; a running host takes the components up with a reload", file.display()),
            (false, false) => return Err(Failure::Usage("nothing was approved; --yes goes on without asking".to_owned())),
        }
        Ok(())
    }
}

impl Approve {
    /// Puts it on record where a store of this configuration is at hand. An approval may be given where none is, such as beside a version
    /// control: there the file's own history says who gave it.
    async fn record(&self, loaded: &Loaded, changes: &[Change]) {
        let url = &loaded.config.store.url;
        if url.strip_prefix("sqlite://").is_some_and(|file| !std::path::Path::new(file).exists()) {
            return;
        }
        let recorded = async {
            let (store, _vault) = crate::cli::vault(&self.config).await.map_err(|failure| failure.to_string())?;
            for change in changes.iter().filter(|change| change.kind() != "same") {
                let digest = |pin: &Option<Pin>| pin.as_ref().map(|pin| pin.digest.clone());
                let act = By::shell()
                    .did(Action::PluginApproved, &change.component)
                    .with("was", digest(&change.was))
                    .with("is", digest(&change.is))
                    .with("more", change.difference().0);
                store.audit(act, Timestamp::now()).await.map_err(|error| telemetry::chain(&error))?;
            }
            store.close().await;
            Ok::<_, String>(())
        };
        if let Err(why) = recorded.await {
            anstream::eprintln!("the approval is not in the audit log: {why}");
        }
    }
}

/// The components as they are now. What is not trusted can't be approved.
async fn found(loaded: &Loaded, supply: &Supply, name: Option<&str>) -> Result<BTreeMap<String, Pin>, Failure> {
    if let Some(name) = name.filter(|name| !loaded.config.plugins.contains_key(*name)) {
        return Err(Failure::Usage(format!("there is no plugin {name:?} in {}", loaded.file)));
    }
    let mut pins = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    let sources = sources(&loaded.config);
    let plugins = loaded.config.plugins.values().filter(|plugin| name.is_none_or(|name| name == plugin.name));
    for (component, source, pinned) in plugins.flat_map(|plugin| plugin.components()) {
        if matches!(source, ComponentSource::Builtin(_)) {
            continue;
        }
        let pin = async {
            let found = match source {
                // What the tag leads to today: once it is approved, the lock says which one it was.
                ComponentSource::Oci(reference) if reference.digest.is_none() && pinned.is_none() => {
                    sources.fetch(reference).await.map(|pulled| pulled.component)
                }
                _ => Component::fetch(&sources, source, pinned).await,
            };
            let found = found.map_err(|error| telemetry::chain(&error))?;
            supply.trusted(&loaded.config, &component, &found).map_err(|error| error.to_string())?;
            let (descriptor, asked) = super::descriptor(&found).await?;
            if asked {
                anstream::eprintln!("{component}: no descriptor is embedded, so it was asked for one, with every import trapping");
            }
            Ok::<_, String>(found.pin(&loaded.written_source(&component), Some(&descriptor)))
        };
        match pin.await {
            Ok(pin) => drop(pins.insert(component, pin)),
            Err(why) => problems.push(loaded.component_problem(&component, &why)),
        }
    }
    if problems.is_empty() { Ok(pins) } else { Err(Failure::Usage(loaded.problems(problems).to_string())) }
}

fn changes(before: &Lock, found: BTreeMap<String, Pin>, name: Option<&str>) -> Vec<Change> {
    let gone =
        before.pins.iter().filter(|(component, _)| name.is_none_or(|name| plugin_of(component) == name) && !found.contains_key(*component));
    let mut changes: Vec<Change> =
        gone.map(|(component, pin)| Change { component: component.clone(), was: Some(pin.clone()), is: None }).collect();
    changes.extend(found.into_iter().map(|(component, pin)| Change {
        was: before.pins.get(&component).cloned(),
        component,
        is: Some(pin),
    }));
    changes
}

fn after(before: &Lock, changes: &[Change]) -> Lock {
    let mut lock = before.clone();
    for change in changes {
        match &change.is {
            Some(pin) => drop(lock.pins.insert(change.component.clone(), pin.clone())),
            None => drop(lock.pins.remove(&change.component)),
        }
    }
    lock
}

impl Change {
    /// What it wants beyond before, and what it no longer wants.
    fn difference(&self) -> (Vec<String>, Vec<String>) {
        let of = |pin: &Option<Pin>| pin.as_ref().map(|pin| pin.permissions.clone()).unwrap_or_default();
        let (was, is) = (of(&self.was), of(&self.is));
        (is.beyond(&was), was.beyond(&is))
    }

    fn kind(&self) -> &'static str {
        match (&self.was, &self.is) {
            (None, _) => "new",
            (_, None) => "gone",
            (Some(was), Some(is)) if was == is => "same",
            _ => "changed",
        }
    }

    fn show(&self) {
        let (more, less) = self.difference();
        match (&self.was, &self.is) {
            (Some(was), Some(is)) if was == is => {
                anstream::println!("{}: as approved", self.component);
                return;
            }
            (Some(was), Some(is)) => {
                anstream::println!("{}: {}", self.component, arrow(&named(was), &named(is)));
                line("source", &arrow(&was.source, &is.source));
                line("digest", &arrow(&was.digest, &is.digest));
                line("contract", &arrow(&was.contract, &is.contract));
                line("signed by", &arrow(&signers(was), &signers(is)));
                line("it wants", if more.is_empty() { "nothing more than what was approved" } else { "more than what was approved" });
            }
            (None, Some(is)) => {
                anstream::println!("{}: {}, not approved before", self.component, named(is));
                line("source", &is.source);
                line("digest", &is.digest);
                line("contract", &is.contract);
                line("signed by", &signers(is));
                line("it may", "ask to");
            }
            (_, None) => {
                anstream::println!("{}: no longer in the configuration", self.component);
                return;
            }
        }
        for (mark, words) in [("+", more), ("-", less)] {
            for word in words {
                anstream::println!("    {mark} {}", one_line(&word));
            }
        }
    }
}

fn named(pin: &Pin) -> String {
    one_line(&format!("{} {}", pin.plugin, pin.release))
}

fn signers(pin: &Pin) -> String {
    let keys: Vec<String> = pin.signed_by.iter().map(ToString::to_string).collect();
    if keys.is_empty() { "nobody".to_owned() } else { keys.join(", ") }
}

fn arrow(was: &str, is: &str) -> String {
    if was == is { is.to_owned() } else { format!("{was} -> {is}") }
}

fn line(name: &str, value: &str) {
    anstream::println!("  {name:10} {}", one_line(value));
}

fn document(changes: &[Change], approved: bool) -> Value {
    let pin = |pin: &Option<Pin>| {
        pin.as_ref().map(|pin| {
            let keys: Vec<String> = pin.signed_by.iter().map(ToString::to_string).collect();
            json!({ "source": pin.source, "digest": pin.digest, "plugin": pin.plugin, "release": pin.release, "contract": pin.contract, "signed_by": keys })
        })
    };
    let plugins: Vec<Value> = changes
        .iter()
        .map(|change| {
            let (more, less) = change.difference();
            json!({ "name": change.component, "change": change.kind(), "was": pin(&change.was), "is": pin(&change.is), "more": more, "less": less })
        })
        .collect();
    json!({ "approved": approved, "plugins": plugins })
}
