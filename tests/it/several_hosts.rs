//! Hosts that share one database, as far as the loss of one of them goes.

use sangam_saas::{Fault, FaultAct};
use sangam_tests::{HostFolder, TestStore, postgres};
use serde_json::json;

use crate::scene::{SCRIPT, configuration, outcomes, script, sink};

#[tokio::test]
async fn a_host_that_does_not_come_back_is_stood_in_for_under_the_same_keys() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", SCRIPT).replace("[server]", "[server]\nlease = \"1s\"");
    let folder = HostFolder::on(TestStore::Postgres, &text)?;
    let gone = folder.start().await?;
    // Longer than another host takes to start.
    sink.fault(Fault::once("/w", FaultAct::Delay { ms: 5000 }));
    let write = json!([{ "do": "write", "name": "w", "url": format!("{}/w", sink.url()) }]);
    let eid = gone.client.send(&script("1", write)).await?;
    let arrived = async {
        while sink.requests().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrived).await?;
    // It is there before the other goes, and not by the same name.
    let left = folder.start().await?;
    gone.kill().await?;
    let document = left.client.until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["interrupted", "succeeded"]);
    let keys: Vec<_> = sink.requests().iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    assert_eq!(sink.state()["count"], 1, "done once");
    left.kill().await
}
