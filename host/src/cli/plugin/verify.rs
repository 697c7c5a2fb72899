//! `sangam plugin verify`.

use std::path::PathBuf;

use serde_json::json;

use super::read;
use crate::cli::Failure;
use crate::config::PublicKey;

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The component
    file: PathBuf,
    /// A key that must have signed it, `ed25519:…`; several: one of them
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let wanted: Result<Vec<PublicKey>, String> = self.key.iter().map(|key| PublicKey::parse(key)).collect();
        let wanted = wanted.map_err(|error| Failure::Usage(format!("--key: {error}")))?;
        // Signatures that don't fit are no component at all.
        let component = read(&self.file)?;
        let signed_by = &component.inspection.signed_by;
        if self.json {
            let keys: Vec<String> = signed_by.iter().map(ToString::to_string).collect();
            anstream::println!("{:#}", json!({ "digest": component.digest, "signed_by": keys }));
        }
        let file = self.file.display();
        if signed_by.is_empty() {
            return Err(Failure::Failed(format!("{file}: it is not signed")));
        }
        if !wanted.is_empty() && !signed_by.iter().any(|key| wanted.contains(key)) {
            let by: Vec<String> = signed_by.iter().map(ToString::to_string).collect();
            return Err(Failure::Failed(format!("{file}: it is signed by {}, and by none that was asked for", by.join(", "))));
        }
        if !self.json {
            for key in signed_by {
                anstream::println!("{file}: signed by {key}, and unchanged since");
            }
            if wanted.is_empty() {
                anstream::println!("whom a host trusts is said by [trust.keys] of its configuration");
            }
        }
        Ok(())
    }
}
