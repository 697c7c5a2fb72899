//! The frame in a browser.

use sangam_tests::BrowserTests;

use super::Watched;
use crate::scene::SCRIPT;

#[tokio::test]
async fn people_sign_in_find_their_way_and_read_in_their_language() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start("").await?;
    assert!(SCRIPT.contains("name = \"script\""), "the spec looks at the route of this name");
    let eid = watched.succeed("seen").await?;
    watched.sink.fault(super::refusal("/refused"));
    watched.write("refused", "/refused").await?;
    let (viewer, admin) = (watched.token("viewer")?, watched.token("admin")?);
    let variables =
        [("SANGAM_URL", watched.host.client.url.as_str()), ("SANGAM_TOKEN", &viewer), ("SANGAM_ADMIN", &admin), ("SANGAM_EID", &eid)];
    browser.run("frame", &variables).await
}
