//! A route's page in a browser: its text, and the box it is tried in.

use sangam_tests::BrowserTests;

use super::Watched;
use crate::scene::event;

/// `worth` writes, and reads what came of it; its condition has a field that the catalogue's schema does not know.
const ROUTES: &str = r#"
[[events]]
type = "job.*"
schema = "catalogue"

# Jobs that are paid for.
[[routes]]
name = "worth"
on = { type = "job.completed", source = "/crm/*" }
when = '.event.data.customer.emial == null and .event.data.job_id != "gift"'
order-by = ".event.data.job_id"
[[routes.steps]]
name = "first"
uses = "s.run"
with = { lines = [{ do = "write", name = "w", url = "{sink}/w", body = { job = "${ .event.data.job_id }" } }] }
[[routes.steps]]
name = "last"
uses = "s.run"
needs = ["first"]
with = { lines = [{ do = "write", name = "l", url = "{sink}/l", body = "${ .steps.first.output }" }] }
"#;

#[tokio::test]
async fn a_route_is_read_and_tried_without_anything_being_sent() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start(ROUTES).await?;
    let mut job = event("past", "job.completed", serde_json::json!({ "job_id": "j-1" }));
    job["source"] = "/crm/east".into();
    let done = watched.admin.send_and_wait(&job).await?;
    anyhow::ensure!(done["status"] == "succeeded", "{done:#}");
    let sent = watched.sink.requests().len();
    let (operator, viewer, sink) = (watched.token("operator")?, watched.token("viewer")?, watched.sink.url());
    let variables =
        [("SANGAM_URL", watched.host.client.url.as_str()), ("SANGAM_TOKEN", &operator), ("SANGAM_VIEWER", &viewer), ("SANGAM_SINK", &sink)];
    browser.run("try-out", &variables).await?;
    assert_eq!(watched.sink.requests().len(), sent, "a try-out sent something");
    let events = watched.admin.get("/v1/events").await?.json;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "a try-out left an event");
    Ok(())
}
