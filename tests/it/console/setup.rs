//! What is set up, and the pages of administrators, in a browser.

use anyhow::ensure;
use sangam_tests::BrowserTests;
use serde_json::json;

use super::Watched;
use crate::scene::{SCRIPT, configuration};

const PARTS: &str = r#"
[webhooks.partner]
url = "{sink}/partner"
allow-private-addresses = ["127.0.0.0/8"]
secret = "${secret:partner}"

[[sources]]
name = "nightly"
type = "schedule"
cron = "0 3 * * *"
event-type = "night"

[[sources]]
name = "deliveries"
type = "webhook"
verify = "none"
event-type = "delivered"
"#;

/// A step of a plugin that is not there.
const MISTAKE: &str = r#"
[[routes]]
name = "mistaken"
on = { type = "mistaken" }
[[routes.steps]]
name = "run"
uses = "no-such-plugin.run"
"#;

#[tokio::test]
async fn what_is_set_up_is_seen_and_handled_by_those_who_may() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start("").await?;
    watched.folder.secret("partner", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let with = |more: &str| configuration(&watched.sink.url(), "", &format!("{SCRIPT}{PARTS}{more}")).replace("access = \"open\"\n", "");
    watched.folder.configure(&with(""))?;
    let applied = watched.admin.post("/v1/reload", &json!({})).await?;
    ensure!(applied.status == 200, "{}", applied.text);
    // Before the file has its mistake: who makes a token here reads it.
    let (viewer, admin) = (watched.token("viewer")?, watched.token("admin")?);
    watched.folder.configure(&with(MISTAKE))?;
    watched.succeed("well").await?;
    watched.sink.fault(super::refusal("/refused"));
    watched.write("refused", "/refused").await?;
    let file = watched.folder.path().join("sangam.toml").display().to_string();
    let variables = [
        ("SANGAM_URL", watched.host.client.url.as_str()),
        ("SANGAM_TOKEN", &viewer),
        ("SANGAM_ADMIN", &admin),
        ("SANGAM_FILE", &file),
        ("SANGAM_MISTAKE", MISTAKE),
    ];
    browser.run("setup", &variables).await
}
