//! Flow in a browser.

use sangam_tests::BrowserTests;

use super::Watched;

/// Thirty routes of two steps.
fn many() -> String {
    (0..30)
        .map(|n| {
            format!(
                "[[routes]]\nname = \"many-{n}\"\non = {{ type = \"many.{n}\" }}\n[[routes.steps]]\nname = \"first\"\nuses = \"s.run\"\n\
                 [[routes.steps]]\nname = \"second\"\nuses = \"s.run\"\nneeds = [\"first\"]\n"
            )
        })
        .collect()
}

#[tokio::test]
async fn the_flow_of_thirty_routes_is_looked_through_by_mouse_and_keyboard() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start(&many()).await?;
    watched.succeed("well").await?;
    watched.sink.fault(super::refusal("/refused"));
    watched.write("ill", "/refused").await?;
    let viewer = watched.token("viewer")?;
    browser.run("flow", &[("SANGAM_URL", &watched.host.client.url), ("SANGAM_TOKEN", &viewer)]).await
}
