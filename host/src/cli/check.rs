//! `sangam check`.

use jiff::Timestamp;

use super::{ConfigArg, Failure, one_line};
use crate::amount;
use crate::config::{self, ComponentSource, Loaded, Problem, Problems, Severity, SourceKind};
use crate::doctor::{self, Compared};
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
        let sources = super::sources(&loaded.config);
        let find = async |source: &ComponentSource, pinned: Option<&str>| {
            Some(Component::fetch(&sources, source, pinned).await.map_err(|error| telemetry::chain(&error)))
        };
        let ask = async |component: &Component| Some(super::plugin::descriptor(component).await);
        let Compared { found: seen, problems: compared, .. } = doctor::compare(&loaded, &supply, find, ask).await;
        let mut problems = loaded.warnings.clone();
        problems.extend(supply.warning(&loaded));
        problems.extend(compared);
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
    let warnings = if warnings > 0 { format!(", {}", amount::count(warnings as u64, "warning", "warnings")) } else { String::new() };
    format!("{}\n{}{warnings}", text.trim_end(), amount::count(errors as u64, "error", "errors"))
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
    anstream::println!(
        "{}: {}, {}, no mistakes",
        loaded.file,
        amount::count(loaded.config.plugins.len() as u64, "plugin", "plugins"),
        amount::count(loaded.config.routes.len() as u64, "route", "routes")
    );
}
