//! `sangam check`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ConfigArg, Failure, one_line};
use crate::builtin;
use crate::config::{self, Loaded, Problem, Problems, Severity, SourceKind};
use crate::registry::{Component, Descriptor, Supply};
use crate::telemetry;

/// Firings of a schedule that are shown.
const FIRINGS: usize = 3;

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
                let problems = with_components(problems);
                return Err(Failure::Usage(summed(&problems.to_string(), &problems.list)));
            }
        };
        let supply = match Supply::of(&loaded) {
            Ok(supply) => supply,
            Err(problems) => return Err(Failure::Usage(summed(&problems.to_string(), &problems.list))),
        };
        let mut problems = loaded.warnings.clone();
        problems.extend(supply.warning(&loaded));
        let mut facts = BTreeMap::from([(builtin::NAME.to_owned(), builtin::facts())]);
        let mut seen = Vec::new();
        let sources = super::sources(&loaded.config);
        for (name, source, pinned) in loaded.config.plugins.values().flat_map(|plugin| plugin.components()) {
            let pinned = supply.pinned(&name, source, pinned);
            let fetched = Component::fetch(&sources, source, pinned)
                .await
                .map_err(|error| loaded.component_problem(&name, &telemetry::chain(&error)));
            // What is not taken is not asked either: asking runs it.
            let taken = fetched.and_then(|component| supply.judge(&loaded, &name, &component, None).map(|()| component));
            let component = match taken {
                Ok(component) => component,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            match super::plugin::descriptor(&component).await {
                Ok((descriptor, described)) => {
                    problems.extend(supply.judge(&loaded, &name, &component, Some(&descriptor)).err());
                    facts.insert(name.clone(), component.facts(&descriptor));
                    seen.push((name, component, descriptor, described));
                }
                Err(why) => problems.push(loaded.component_problem(&name, &why)),
            }
        }
        problems.extend(config::check_plugins(&loaded, &facts));
        problems.extend(config::check_grants(&loaded, &facts));
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
fn with_components(problems: Problems) -> Problems {
    let mut more = Vec::new();
    for (source, place) in &problems.components {
        if let Some(Err(error)) = Component::here(source) {
            more.push(Problem { message: format!("this is no plugin: {}", telemetry::chain(&error)), ..place.clone() });
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

fn report(loaded: &Loaded, plugins: &[(String, Component, Descriptor, bool)]) {
    for (name, component, descriptor, described) in plugins {
        let how = if *described { ", described by running it" } else { "" };
        let signed = if component.inspection.signed_by.is_empty() { "" } else { ", signed" };
        anstream::println!(
            "plugin {name}: {} {} ({} KiB, {}{signed}{how})",
            one_line(&descriptor.title),
            one_line(&descriptor.version),
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
    for source in &loaded.config.sources {
        match (&source.kind, source.stream()) {
            (SourceKind::Schedule(schedule), _) => {
                let calendar = &schedule.calendar;
                anstream::println!("source {}: schedule {} ({})", source.name, one_line(calendar.line()), calendar.zone());
                for at in calendar.upcoming(Timestamp::now(), FIRINGS) {
                    anstream::println!("  fires at {}", calendar.local(at).strftime("%a %Y-%m-%d %H:%M:%S %:z"));
                }
            }
            (kind, Some(stream)) => anstream::println!("source {}: {} {}.{}", source.name, kind.word(), stream.plugin, stream.stream),
            (kind, None) => anstream::println!("source {}: {}", source.name, kind.word()),
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
