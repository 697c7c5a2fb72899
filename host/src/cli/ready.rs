//! `sangam ready`.

use http::Method;

use super::Failure;
use super::client::Client;

/// Asks a host whether it would take events in: for health checks of images without a shell. Exit code 0: it would; 1: it answers and would not, and
/// says why; 3: none answers.
#[derive(Debug, clap::Args)]
pub(super) struct Ready {
    #[command(flatten)]
    client: Client,
}

impl Ready {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.client.ask(Method::GET, "/readyz", &[], None).await?;
        anstream::println!("ready");
        Ok(())
    }
}
