//! `sangam`: see [`sangam::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    sangam::cli::run().await
}
