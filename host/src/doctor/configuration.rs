//! The configuration file, its components and their lock, and who may read and change what lies on the disk.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Patient;
use super::components::{Compared, compare};
use super::finding::{Check, Finding, shown};
use crate::amount::count;
use crate::config::{ComponentSource, Loaded, Problem, Problems};
use crate::registry::{Component, Sources, Supply};
use crate::telemetry;

/// What is wrong with a file that can't be used.
pub(super) fn problems(problems: &Problems) -> Vec<Finding> {
    let mut findings: Vec<Finding> = problems.list.iter().map(|problem| Check::Configuration.problem(&problems.file, problem)).collect();
    for (source, place) in &problems.components {
        if let Some(Err(error)) = Component::here(source) {
            let problem = Problem { message: format!("this is no plugin: {}", telemetry::chain(&error)), ..place.clone() };
            findings.push(Check::Components.problem(&problems.file, &problem));
        }
    }
    findings
}

/// What is allowed but probably not meant; or that nothing is.
pub(super) fn warnings(loaded: &Loaded) -> Vec<Finding> {
    if loaded.warnings.is_empty() {
        let config = &loaded.config;
        let things = [
            count(config.plugins.len() as u64, "plugin", "plugins"),
            count(config.routes.len() as u64, "route", "routes"),
            count(config.sources.len() as u64, "source", "sources"),
        ];
        return vec![Check::Configuration.ok(&loaded.file, format!("{}; no mistakes", things.join(", ")))];
    }
    loaded.warnings.iter().map(|problem| Check::Configuration.problem(&loaded.file, problem)).collect()
}

/// What is at hand, against file and lock. Nothing is fetched and nothing is run: what says nothing of itself unasked is left to `sangam check`.
pub(super) async fn components(patient: &Patient) -> Vec<Finding> {
    let Some(loaded) = &patient.loaded else { return Vec::new() };
    let supply = match Supply::of(loaded) {
        Ok(supply) => supply,
        Err(problems) => return problems.list.iter().map(|problem| Check::Lock.problem(&problems.file, problem)).collect(),
    };
    let Compared { found, problems, unapproved, absent } = compared(loaded, &supply).await;
    let mut findings: Vec<Finding> = problems
        .iter()
        .map(|problem| if unapproved.contains(problem) { (Check::Lock, problem) } else { (Check::Components, problem) })
        .map(|(check, problem)| check.problem(&loaded.file, problem))
        .collect();
    if findings.is_empty() && !found.is_empty() {
        findings.push(
            Check::Components.ok("", format!("{} looked at: they fit the file", count(found.len() as u64, "component", "components"))),
        );
    }
    for name in absent {
        let message = "it was not looked at: it is not on this machine yet, or says what it does only when it is asked";
        findings.push(Check::Components.ok(&name, format!("{message}; `sangam check` fetches and asks it")));
    }
    let lock = shown(&loaded.lock_file(), &loaded.config.base);
    match (supply.lock(), supply.warning(loaded)) {
        (_, Some(problem)) => findings.push(Check::Lock.problem(&loaded.file, &problem)),
        (Some(lock_content), None) if unapproved.is_empty() => {
            let known: Vec<String> = loaded.config.plugins.values().flat_map(|plugin| plugin.components()).map(|(name, ..)| name).collect();
            let stale: Vec<&str> = lock_content.pins.keys().filter(|name| !known.contains(name)).map(String::as_str).collect();
            findings.push(match stale.as_slice() {
                [] => Check::Lock.ok(&lock, "the components are those that were approved"),
                stale => Check::Lock.warning(
                    &lock,
                    format!("it approves what the configuration no longer has: {}", stale.join(", ")),
                    "`sangam plugin approve` writes it anew; keep it in version control beside the configuration",
                ),
            });
        }
        _ => {}
    }
    findings
}

pub(super) async fn compared(loaded: &Loaded, supply: &Supply) -> Compared {
    let sources = Sources::new(&loaded.config, None, Arc::new(|_: &str, _: u64| {}));
    let find = async |source: &ComponentSource, pinned: Option<&str>| {
        let found = sources.at_hand(source, pinned).await?;
        Some(found.map_err(|error| telemetry::chain(&error)))
    };
    let ask = async |component: &Component| Some(Ok((component.inspection.descriptor.clone()?, false)));
    compare(loaded, supply, find, ask).await
}

/// Who may read and change the file and the store.
pub(super) async fn permissions(patient: &Patient) -> Vec<Finding> {
    let base = &patient.config.base;
    let mut findings = Vec::new();
    // Whoever can change the file decides what plugins may do.
    for path in [patient.file.clone(), patient.loaded.as_ref().map(Loaded::lock_file).unwrap_or_default()] {
        if let Some(mode) = mode(&path).filter(|mode| mode & 0o022 != 0) {
            let (who, name) = (if mode & 0o002 != 0 { "everybody" } else { "its group" }, shown(&path, base));
            findings.push(Check::Permissions.warning(
                &name,
                format!("{who} on this machine may change it (mode {:04o}), and with it what plugins are granted", mode & 0o777),
                format!("`chmod go-w {name}`"),
            ));
        }
    }
    if let Some(path) = patient.config.store.url.strip_prefix("sqlite://") {
        for path in ["", "-wal"].map(|ending| PathBuf::from(format!("{path}{ending}"))) {
            if let Some(mode) = mode(&path).filter(|mode| mode & 0o077 != 0) {
                let name = shown(&path, base);
                findings.push(Check::Permissions.warning(
                    &name,
                    format!("other users of this machine may read or change it (mode {:04o}); it holds events in clear text", mode & 0o777),
                    format!("`chmod 600 {name}`"),
                ));
            }
        }
        findings.extend(other_owner(Path::new(path), base));
    }
    if findings.is_empty() {
        findings.push(Check::Permissions.ok("", "nobody else may change the configuration, or read the store"));
    }
    findings
}

/// A store whose files belong to somebody else than its folder was once used by another user, often root: the host then can't write it.
fn other_owner(database: &Path, base: &Path) -> Option<Finding> {
    let (file, folder) = (database.metadata().ok()?, database.parent()?.metadata().ok()?);
    let differs = |file: &Metadata| file.uid() != folder.uid();
    let strange = ["-wal", "-shm", ".lock"].iter().map(|ending| PathBuf::from(format!("{}{ending}", database.display())));
    let strange = strange.filter(|path| path.metadata().is_ok_and(|file| differs(&file)));
    let strange: Vec<String> = strange.chain(differs(&file).then(|| database.to_owned())).map(|path| shown(&path, base)).collect();
    let name = shown(database.parent()?, base);
    (!strange.is_empty()).then(|| {
        Check::Permissions.warning(
            &name,
            format!(
                "{} belong to another user than the folder: somebody else has used the store, and the host may not be able to",
                strange.join(", ")
            ),
            format!("`chown -R --reference={name} {name}` while no host runs, and run verbs as the host's user"),
        )
    })
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|metadata| metadata.permissions().mode())
}
