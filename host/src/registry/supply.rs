//! What this host takes: components that are signed as `[trust]` asks, and that are those which were approved.

use std::path::PathBuf;

use super::trust::{self, TrustError};
use super::{Component, Descriptor};
use crate::config::{self, ComponentSource, Loaded, Lock, Problem, Problems, Severity, Trust, Unapproved};

/// The rules of one host, as its files have them now.
#[derive(Debug, Clone, Default)]
pub struct Supply {
    trust: Trust,
    lock: Option<Lock>,
    lock_file: PathBuf,
}

/// Why a component is not taken. It was neither compiled nor run then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupplyError {
    /// Nobody who is trusted for it has signed it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It is not what was approved.
    #[error(transparent)]
    Unapproved(#[from] Unapproved),
}

impl Supply {
    /// The rules that a configuration file and the lock beside it state.
    ///
    /// # Errors
    /// What is wrong with the lock.
    pub fn of(loaded: &Loaded) -> Result<Supply, Problems> {
        Ok(Supply { trust: loaded.config.trust.clone(), lock: loaded.lock()?, lock_file: loaded.lock_file() })
    }

    /// The lock, where there is one.
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// The digest that a component is looked for by: the pin of the file, else that of the lock where the source alone does not lead to
    /// one component for ever (a tag) or leads nowhere (a file that came in a bundle). A file that is there is read, and judged.
    pub fn pinned<'a>(&'a self, component: &str, source: &ComponentSource, written: Option<&'a str>) -> Option<&'a str> {
        let wanted = match source {
            ComponentSource::Builtin(_) => false,
            ComponentSource::Path(path) => !path.exists(),
            ComponentSource::Oci(reference) => reference.digest.is_none(),
        };
        let approved = || self.lock.as_ref()?.pins.get(component).map(|pin| pin.digest.as_str());
        written.or_else(|| approved().filter(|_| wanted))
    }

    /// Judges a component of a file that is to be applied, before anything of it is compiled or run; `component` is the name that
    /// [`config::canary_of`] gives. `descriptor`: what it said when it was asked, where none is embedded.
    ///
    /// # Errors
    /// A problem at the line that names the component.
    pub fn judge(&self, loaded: &Loaded, component: &str, found: &Component, descriptor: Option<&Descriptor>) -> Result<(), Problem> {
        let judged = self.trusted(&loaded.config, component, found).and_then(|()| Ok(self.approved(loaded, component, found, descriptor)?));
        judged.map_err(|error| {
            let mut problem = loaded.component_problem(component, &error.to_string());
            problem.help = Some(match &error {
                SupplyError::Trust(error) => error.help(),
                SupplyError::Unapproved(error) => error.help(component),
            });
            problem
        })
    }

    /// Judges a component's signatures alone: all there is to ask of a stored revision, whose components were approved where it was applied.
    ///
    /// # Errors
    /// [`SupplyError::Trust`].
    pub fn trusted(&self, config: &config::Config, component: &str, found: &Component) -> Result<(), SupplyError> {
        let Some(plugin) = config.plugins.get(config::plugin_of(component)) else { return Ok(()) };
        // What travels in the binary is trusted with it.
        if is_builtin(plugin, component) {
            return Ok(());
        }
        Ok(trust::judge(&self.trust, &plugin.name, plugin.require_signature, &found.inspection.signed_by)?)
    }

    fn approved(&self, loaded: &Loaded, component: &str, found: &Component, descriptor: Option<&Descriptor>) -> Result<(), Unapproved> {
        let Some(plugin) = loaded.config.plugins.get(config::plugin_of(component)) else { return Ok(()) };
        if is_builtin(plugin, component) {
            return Ok(());
        }
        let file = self.lock_file.display().to_string();
        let Some(lock) = &self.lock else {
            return if self.trust.require_lock { Err(Unapproved::NoLock(file)) } else { Ok(()) };
        };
        let whole = descriptor.is_some() || found.inspection.descriptor.is_some();
        lock.judge(&file, component, &found.pin(&loaded.written_source(component), descriptor), whole)
    }

    /// What `check` says where nothing pins the components.
    pub fn warning(&self, loaded: &Loaded) -> Option<Problem> {
        let pinned = |plugin: &&std::sync::Arc<config::Plugin>| !is_builtin(plugin, &plugin.name);
        let plugin = loaded.config.plugins.values().find(pinned).filter(|_| self.lock.is_none())?;
        let message = "nothing says which components were approved: one that is replaced or upgraded gets what its predecessor was granted";
        let mut problem = loaded.problem_at(&format!("plugins.{}.component", plugin.name), Severity::Warning, message);
        problem.help = Some(format!("`sangam plugin approve` shows what each may ask for, and writes {}", self.lock_file.display()));
        Some(problem)
    }
}

fn is_builtin(plugin: &config::Plugin, component: &str) -> bool {
    let mut components = plugin.components();
    components.any(|(name, source, _)| name == component && matches!(source, ComponentSource::Builtin(_)))
}
