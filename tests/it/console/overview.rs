//! Overview in a browser.

use sangam_tests::BrowserTests;

use super::Watched;

#[tokio::test]
async fn a_failing_plugin_is_found_from_the_overview_and_its_dead_letters_are_replayed() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start("").await?;
    watched.succeed("well").await?;
    for id in ["a", "b", "c"] {
        watched.sink.fault(super::refusal("/refused"));
        watched.write(id, "/refused").await?;
    }
    let (operator, viewer, sender) = (watched.token("operator")?, watched.token("viewer")?, watched.token("sender")?);
    let variables = [
        ("SANGAM_URL", watched.host.client.url.as_str()),
        ("SANGAM_TOKEN", &operator),
        ("SANGAM_VIEWER", &viewer),
        ("SANGAM_SENDER", &sender),
    ];
    browser.run("overview", &variables).await?;
    let left = watched.admin.get("/v1/dead-letters").await?.json;
    assert_eq!(left["dead_letters"], serde_json::json!([]), "what was replayed in the browser has succeeded");
    Ok(())
}
