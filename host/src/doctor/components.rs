//! The components of a configuration, held against lock, trust, grants and the file: what `sangam check` and `sangam doctor` both look for.

use std::collections::BTreeMap;

use crate::builtin;
use crate::config::{self, ComponentSource, Loaded, Problem};
use crate::registry::{Component, Descriptor, Supply};

/// What was found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Components with what they say of themselves, and whether they had to be asked for it.
    pub found: Vec<(String, Component, Descriptor, bool)>,
    /// What is wrong, with its places in the file.
    pub problems: Vec<Problem>,
    /// Of these, what lock and trust have against components.
    pub unapproved: Vec<Problem>,
    /// Components that were not looked at, by name.
    pub absent: Vec<String>,
}

/// Looks at each component that `find` finds (`None`: it is not to be had here) and that says what it does, be it by itself or asked by `ask`
/// (`None`: it is not asked).
pub async fn compare(
    loaded: &Loaded,
    supply: &Supply,
    find: impl AsyncFn(&ComponentSource, Option<&str>) -> Option<Result<Component, String>>,
    ask: impl AsyncFn(&Component) -> Option<Result<(Descriptor, bool), String>>,
) -> Compared {
    let mut facts = BTreeMap::from([(builtin::NAME.to_owned(), builtin::facts())]);
    let mut compared = Compared::default();
    for (name, source, pinned) in loaded.config.plugins.values().flat_map(|plugin| plugin.components()) {
        let component = match find(source, supply.pinned(&name, source, pinned)).await {
            Some(Ok(component)) => component,
            Some(Err(why)) => {
                compared.problems.push(loaded.component_problem(&name, &why));
                continue;
            }
            None => {
                compared.absent.push(name);
                continue;
            }
        };
        // What is not taken is not asked either: asking runs it.
        if let Err(problem) = supply.judge(loaded, &name, &component, None) {
            compared.unapproved.push(problem);
            continue;
        }
        match ask(&component).await {
            Some(Ok((descriptor, described))) => {
                compared.unapproved.extend(supply.judge(loaded, &name, &component, Some(&descriptor)).err());
                facts.insert(name.clone(), component.facts(&descriptor));
                compared.found.push((name, component, descriptor, described));
            }
            Some(Err(why)) => compared.problems.push(loaded.component_problem(&name, &why)),
            None => compared.absent.push(name),
        }
    }
    compared.problems.extend(compared.unapproved.iter().cloned());
    compared.problems.extend(config::check_plugins(loaded, &facts));
    compared.problems.extend(config::check_grants(loaded, &facts));
    compared
}
