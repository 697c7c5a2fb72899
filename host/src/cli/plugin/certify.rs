//! `sangam plugin certify`: a connector put to the proof.

use std::path::PathBuf;

use super::rehearsed;
use crate::cli::Failure;
use crate::rehearsal::{Case, Certificate, Effort};
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Certify {
    /// The connector's project, or its component
    #[arg(default_value = ".", value_name = "DIR|FILE")]
    what: PathBuf,
    /// Folder of the cases; `tests` beside the component if absent
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Write the certificate there, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Also hold every request against this description of the system (OpenAPI or Swagger, YAML or JSON). May be given several times
    #[arg(long, value_name = "SPEC")]
    openapi: Vec<PathBuf>,
    /// Inputs made from each schema, valid ones and invalid ones each
    #[arg(long, value_name = "COUNT", default_value_t = Effort::default().inputs)]
    inputs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Certify {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let project = rehearsed::project(&self.what).await?;
        let folder = self.cases.clone().unwrap_or_else(|| rehearsed::cases_folder(&self.what));
        let found =
            if folder.is_dir() { Case::all(&folder).map_err(|error| Failure::Usage(error.to_string()))? } else { Default::default() };
        if let Some(error) = found.errors.first() {
            return Err(Failure::Usage(error.to_string()));
        }
        let certificate = Certificate::of(&project, &found.cases, rehearsed::descriptions(&self.openapi)?, Effort { inputs: self.inputs })
            .await
            .map_err(|error| Failure::Failed(telemetry::chain(&error)))?;
        let json = format!("{:#}\n", certificate.json());
        if let Some(report) = &self.report {
            super::write(report, json.as_bytes())?;
        }
        anstream::print!("{}", if self.json { json } else { certificate.text() });
        if certificate.is_granted() { Ok(()) } else { Err(Failure::Failed("the connector is not certified".to_owned())) }
    }
}
