//! `sangam init`.

use std::path::PathBuf;

use super::Failure;
use crate::config::init;

/// Writes a working `sangam.toml`, an example event and a first route; works in an empty folder.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Folder to write into; made if it is not there
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let files = init::files();
        // Nothing of somebody's is overwritten, and nothing is written if something is in the way.
        for (name, _) in files {
            let path = self.folder.join(name);
            if path.exists() {
                return Err(Failure::Usage(format!("{} is there already; nothing was written", path.display())));
            }
        }
        for (name, content) in files {
            let path = self.folder.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| Failure::failed(format!("can't make {}: {error}", folder.display())))?;
            }
            std::fs::write(&path, content).map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))?;
            anstream::println!("wrote {}", path.display());
        }
        let step = if self.folder.as_os_str() == "." { String::new() } else { format!("cd {} && ", self.folder.display()) };
        anstream::println!(
            "\nnext:\n  {step}sangam check\n  {step}sangam up\n  {step}sangam send events/job-completed.json --wait   # in another terminal"
        );
        Ok(())
    }
}
