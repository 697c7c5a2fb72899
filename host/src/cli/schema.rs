//! `sangam schema`.

use super::Failure;

/// Prints a published JSON Schema: what plugins describe themselves with, and what they are called with.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Which one
    #[arg(value_parser = ["descriptor", "context"])]
    name: String,
}

impl Schema {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = match self.name.as_str() {
            "descriptor" => include_str!("../../../wit/descriptor.schema.json"),
            _ => include_str!("../../../wit/context.schema.json"),
        };
        anstream::print!("{text}");
        Ok(())
    }
}
