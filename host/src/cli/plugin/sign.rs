//! `sangam plugin sign`.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{about, read, write};
use crate::cli::Failure;
use crate::registry::{self, Component, SigningKey};
use crate::telemetry;

/// No key is longer.
const MAX_KEY: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The component; its signature becomes a part of it
    file: PathBuf,
    /// Private key in PEM, such as `sangam plugin keygen` makes; `-` reads it from standard input, such as from a vault
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write the signed component; by default in place
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self) -> Result<(), Failure> {
        let key = key(&self.key)?;
        let component = read(&self.file)?;
        if component.inspection.descriptor.is_none() {
            let why = "its descriptor is not embedded, and can't be any more once it is signed: `sangam plugin embed` first";
            return Err(Failure::Usage(format!("{}: {why}", self.file.display())));
        }
        let bytes = registry::sign(&component.bytes, &key).map_err(|error| about(&self.file, &error))?;
        // What is written must be what a host will take.
        let signed = Component::new(bytes).map_err(|error| about(&self.file, &error))?;
        let output = self.output.unwrap_or(self.file);
        write(&output, &signed.bytes)?;
        anstream::println!("{}: {}, signed by {}", output.display(), signed.digest, key.public());
        Ok(())
    }
}

fn key(file: &Path) -> Result<SigningKey, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let mut pem = Zeroizing::new(Vec::new());
    if file.as_os_str() == "-" {
        std::io::stdin().take(MAX_KEY).read_to_end(&mut pem).map_err(|error| failed(&error))?;
    } else {
        let source = std::fs::File::open(file).map_err(|error| failed(&error))?;
        let mode = source.metadata().map_err(|error| failed(&error))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = file.display();
            return Err(Failure::Usage(format!(
                "the key file {path} can be read by other users (mode {mode:04o}): run `chmod 600 {path}`"
            )));
        }
        source.take(MAX_KEY).read_to_end(&mut pem).map_err(|error| failed(&error))?;
    }
    SigningKey::from_pem(&pem).map_err(|error| failed(&telemetry::chain(&error)))
}
