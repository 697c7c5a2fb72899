//! `sangam plugin keygen`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::cli::Failure;
use crate::registry::SigningKey;

#[derive(Debug, clap::Args)]
pub(super) struct Keygen {
    /// Where to write the private key: for its owner only, and nothing is overwritten
    file: PathBuf,
}

impl Keygen {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (key, pem) = SigningKey::generate().map_err(|error| Failure::error(&error))?;
        let file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&self.file);
        let written = file.and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|error| Failure::Usage(format!("can't write {}: {error}", self.file.display())))?;
        // Alone on standard output, so that a script can take it.
        anstream::println!("{}", key.public());
        anstream::eprintln!("whoever trusts it writes this line as `key` into [trust.keys.NAME]; keep {} to yourself", self.file.display());
        Ok(())
    }
}
