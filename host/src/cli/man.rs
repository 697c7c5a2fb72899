//! `sangam man`.

use std::path::PathBuf;

use super::Failure;

/// Writes the manual pages, one for each command, as `man` shows them: sangam.1, sangam-up.1, sangam-plugin-test.1 and so on.
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Folder for the pages; made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self, command: clap::Command) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(command, &self.folder).map_err(failed)?;
        let pages = std::fs::read_dir(&self.folder).map_err(failed)?.count();
        anstream::println!("wrote {pages} pages to {}", self.folder.display());
        Ok(())
    }
}
