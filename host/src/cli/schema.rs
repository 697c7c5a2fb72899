//! `sangam schema`.

use super::Failure;

/// Prints a published JSON Schema: what plugins describe themselves with, what they are called with, and what their test
/// cases look like.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Which one
    #[arg(value_parser = ["descriptor", "context", "case"])]
    name: String,
}

impl Schema {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = match self.name.as_str() {
            "descriptor" => include_str!("../../../wit/descriptor.schema.json"),
            "case" => crate::rehearsal::CASE_SCHEMA,
            _ => include_str!("../../../wit/context.schema.json"),
        };
        anstream::print!("{text}");
        Ok(())
    }
}
