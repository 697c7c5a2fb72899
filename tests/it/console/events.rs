//! Events and one event in a browser.

use anyhow::Context as _;
use sangam_saas::{Fault, FaultAct};
use sangam_tests::BrowserTests;
use serde_json::{Value, json};

use super::{Watched, refusal};
use crate::scene::event;

/// A route whose writes in doubt a person decides on.
const CAREFUL: &str = r#"
[[routes]]
name = "careful"
on = { type = "careful" }
[[routes.steps]]
name = "run"
uses = "s.run"
on-doubt = "hold"
"#;
/// Events that no route wants: more than anybody's screen has room for, in several pages.
const BULK: usize = 1000;

#[tokio::test]
async fn events_are_found_followed_understood_and_handled() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start(CAREFUL).await?;
    let bulk: Vec<Value> =
        (0..BULK).map(|n| event(&if n == 0 { "=1+1".to_owned() } else { format!("bulk-{n}") }, "bulk", json!({}))).collect();
    for batch in bulk.chunks(500) {
        let answer = watched.admin.send_raw(&Value::Array(batch.to_vec()), "").await?;
        anyhow::ensure!(answer.status == 202, "{}", answer.text);
    }

    let done = watched.succeed("done").await?;
    watched.sink.fault(refusal("/refused"));
    let lines = json!([
        { "do": "log", "key": "tries \u{202e} it" },
        { "do": "write", "name": "w", "url": format!("{}/refused", watched.sink.url()), "body": { "n": 1 } },
    ]);
    let dead = watched.admin.send_and_wait(&crate::scene::script("refused", lines)).await?;
    let dead = dead["eid"].as_str().context("an event has an eid")?;

    watched.sink.fault(Fault::once("/lost", FaultAct::LoseAnswer));
    let lines = json!([{ "do": "write", "name": "w", "url": format!("{}/lost", watched.sink.url()) }]);
    let held = watched.admin.send(&event("held", "careful", json!({ "lines": lines }))).await?;
    watched.admin.until(&held, "waiting").await?;

    let (operator, viewer, admin) = (watched.token("operator")?, watched.token("viewer")?, watched.token("admin")?);
    let variables = [
        ("SANGAM_URL", watched.host.client.url.as_str()),
        ("SANGAM_TOKEN", &operator),
        ("SANGAM_VIEWER", &viewer),
        ("SANGAM_ADMIN", &admin),
        ("SANGAM_DEAD", dead),
        ("SANGAM_DONE", &done),
        ("SANGAM_HELD", &held),
        ("SANGAM_BULK", &BULK.to_string()),
    ];
    browser.run("events", &variables).await?;
    for eid in [dead, &held] {
        assert_eq!(watched.admin.event(eid).await?["status"], "succeeded", "what was mended in the browser has succeeded");
    }
    assert!(watched.admin.event(&done).await?["erased_at"].is_string(), "what was erased in the browser is erased");
    Ok(())
}
