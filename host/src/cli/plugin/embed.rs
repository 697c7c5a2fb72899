//! `sangam plugin embed`.

use std::path::PathBuf;

use super::{about, describe, read, write};
use crate::cli::Failure;
use crate::registry::{self, Component, Descriptor};

#[derive(Debug, clap::Args)]
pub(super) struct Embed {
    /// The component as the toolchain made it
    file: PathBuf,
    /// Where to write the plugin
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

impl Embed {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Embed { file, output } = self;
        let component = read(&file)?;
        if component.inspection.descriptor.is_some() {
            return Err(Failure::Usage(format!("{} has its descriptor already", file.display())));
        }
        let text = describe(&component).await.map_err(Failure::Failed)?;
        Descriptor::parse(&text).map_err(|error| about(&file, &error))?;
        let bytes = registry::embed(&component.bytes, &text);
        // What is written must be what a host will take.
        Component::new(bytes.clone()).map_err(|error| about(&file, &error))?;
        write(&output, &bytes)?;
        anstream::println!("{}: {} KiB, {}", output.display(), bytes.len() >> 10, registry::digest(&bytes));
        Ok(())
    }
}
