//! Dead letters in a browser.

use sangam_saas::{Fault, FaultAct};
use sangam_tests::BrowserTests;
use serde_json::json;

use super::{Watched, refusal};

/// The next request to a path is told that what it is about is gone.
fn gone(path: &str) -> Fault {
    Fault::once(path, FaultAct::Status { status: 410, headers: [].into(), body: "it was deleted".to_owned() })
}

#[tokio::test]
async fn dead_letters_are_gathered_by_cause_and_replayed_with_progress() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let watched = Watched::start("").await?;
    // One that dies again whatever is done, for another reason than those that follow; the other causes are mended by themselves.
    watched.play("always", json!([{ "do": "fail", "kind": "rejected", "key": "this is never taken" }])).await?;
    for id in ["gone-0", "gone-1"] {
        watched.sink.fault(gone("/gone"));
        let eid = watched.write(id, "/gone").await?;
        if id == "gone-0" {
            let asked = watched.admin.post(&format!("/v1/events/{eid}/erase"), &json!({})).await?;
            anyhow::ensure!(asked.status == 202, "{}", asked.text);
            let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
            while !watched.admin.event(&eid).await?["erased_at"].is_string() {
                anyhow::ensure!(tokio::time::Instant::now() < end, "event {eid} is not erased");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
    for n in 0..3 {
        watched.sink.fault(refusal("/refused"));
        watched.write(&format!("refused-{n}"), "/refused").await?;
    }
    let (operator, viewer) = (watched.token("operator")?, watched.token("viewer")?);
    let variables = [("SANGAM_URL", watched.host.client.url.as_str()), ("SANGAM_TOKEN", &operator), ("SANGAM_VIEWER", &viewer)];
    browser.run("dead-letters", &variables).await?;
    let left = watched.admin.get("/v1/dead-letters").await?.json;
    let left: Vec<&str> = left["dead_letters"].as_array().into_iter().flatten().filter_map(|letter| letter["reason"].as_str()).collect();
    assert_eq!(left.len(), 2, "all but the one that dies again and the one that was erased have succeeded: {left:?}");
    Ok(())
}
