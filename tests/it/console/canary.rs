//! A plugin with another version on trial, in a browser.

use sangam_tests::{BrowserTests, guest};

use super::Watched;
use crate::scene::{SCRIPT, configuration, sink};

#[tokio::test]
async fn a_version_on_trial_is_watched_until_it_is_taken_back() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let sink = sink().await?;
    let canary = format!("canary = {{ component = {:?}, share = 0.5, max-error-rate = 0.2 }}", guest("misbehaving"));
    let text = configuration(&sink.url(), "", &SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).replacen(
        "[plugins.m]",
        &format!("{canary}\n[plugins.m]"),
        1,
    );
    let watched = Watched::on(sink, &text, &[]).await?;
    let (viewer, admin) = (watched.token("viewer")?, watched.token("admin")?);
    browser.run("canary", &[("SANGAM_URL", &watched.host.client.url), ("SANGAM_TOKEN", &viewer), ("SANGAM_ADMIN", &admin)]).await
}
