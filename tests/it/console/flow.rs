//! Flow in a browser.

use sangam_tests::BrowserTests;
use serde_json::json;

use super::Watched;
use crate::scene::event;

/// A route whose runs wait by design.
const WAITS: &str = r#"
[[routes]]
name = "waits"
on = { type = "waits" }
[[routes.steps]]
name = "pause"
uses = "sangam.wait"
with = { for = "1h" }
"#;

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
    let watched = Watched::start(&format!("{}{WAITS}", many())).await?;
    watched.succeed("well").await?;
    watched.sink.fault(super::refusal("/refused"));
    watched.write("ill", "/refused").await?;
    let waits = watched.admin.send(&event("waits", "waits", json!({}))).await?;
    watched.admin.until(&waits, "waiting").await?;
    let viewer = watched.token("viewer")?;
    browser.run("flow", &[("SANGAM_URL", &watched.host.client.url), ("SANGAM_TOKEN", &viewer)]).await
}
