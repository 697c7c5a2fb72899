//! `sangam check`.

use std::collections::BTreeMap;

use super::{ConfigArg, Failure, plain};
use crate::config::{self, Loaded, Problem, Problems, Severity};
use crate::registry::{Component, ComponentError, Descriptor, Sources};
use crate::telemetry;

/// Validates the configuration: every expression, every plugin and its grants. Reports all mistakes at once; runs no plugin code (a component
/// without an embedded descriptor is asked once to describe itself, with every import trapping).
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArg,
}

impl Check {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let loaded = match config::load(&self.config.config) {
            Ok(loaded) => loaded,
            Err(problems) => {
                let problems = with_components(problems).await;
                return Err(Failure::Usage(summed(&problems.to_string(), &problems.list)));
            }
        };
        let mut problems = loaded.warnings.clone();
        let mut facts = BTreeMap::new();
        let mut seen = Vec::new();
        let sources = super::sources(&loaded.config);
        for (name, source, pinned) in loaded.config.plugins.values().flat_map(|plugin| plugin.components()) {
            match look(&sources, source, pinned).await {
                Ok((component, descriptor, described)) => {
                    facts.insert(name.clone(), descriptor.facts());
                    seen.push((name, component, descriptor, described));
                }
                Err(why) => problems.push(loaded.component_problem(&name, &why)),
            }
        }
        problems.extend(config::check_plugins(&loaded, &facts));
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let shown = loaded.problems(problems.clone());
        if errors > 0 {
            return Err(Failure::Usage(summed(&shown.to_string(), &shown.list)));
        }
        anstream::eprint!("{shown}");
        report(&loaded, &seen);
        Ok(())
    }
}

/// A file with mistakes names components all the same: what is wrong with them is told too.
async fn with_components(problems: Problems) -> Problems {
    let mut more = Vec::new();
    for (source, place) in &problems.components {
        let Some(component) = Component::here(source) else { continue };
        if let Err(why) = described(component).await {
            more.push(Problem { message: format!("this is no plugin: {why}"), ..place.clone() });
        }
    }
    problems.and(more)
}

fn summed(text: &str, list: &[Problem]) -> String {
    let count = |severity| list.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let plural = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let warnings = if warnings > 0 { format!(", {}", plural(warnings, "warning")) } else { String::new() };
    format!("{}\n{}{warnings}", text.trim_end(), plural(errors, "error"))
}

async fn look(sources: &Sources, source: &config::ComponentSource, pinned: Option<&str>) -> Result<(Component, Descriptor, bool), String> {
    described(Component::fetch(sources, source, pinned).await).await
}

async fn described(component: Result<Component, ComponentError>) -> Result<(Component, Descriptor, bool), String> {
    let component = component.map_err(|error| telemetry::chain(&error))?;
    if let Some(descriptor) = &component.inspection.descriptor {
        let descriptor = descriptor.clone();
        return Ok((component, descriptor, false));
    }
    let descriptor = super::plugin::describe(&component).await?;
    Ok((component, descriptor, true))
}

fn report(loaded: &Loaded, plugins: &[(String, Component, Descriptor, bool)]) {
    for (name, component, descriptor, described) in plugins {
        let how = if *described { ", described by running it" } else { "" };
        anstream::println!(
            "plugin {name}: {} {} ({} KiB, {}{how})",
            plain(&descriptor.title),
            plain(&descriptor.version),
            component.inspection.size >> 10,
            &component.digest[..19],
        );
    }
    for route in &loaded.config.routes {
        anstream::println!("route {}", route.name);
        for step in &route.steps {
            let needs: Vec<&str> = step.needs.iter().map(|&need| route.steps[need].name.as_str()).collect();
            let after = if needs.is_empty() { "at once".to_owned() } else { format!("after {}", needs.join(", ")) };
            anstream::println!("  {} {}.{}, {after}", step.name, step.plugin, step.action);
        }
    }
    let count = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    anstream::println!(
        "{}: {}, {}, no mistakes",
        loaded.file,
        count(loaded.config.plugins.len(), "plugin"),
        count(loaded.config.routes.len(), "route")
    );
}
