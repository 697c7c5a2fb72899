//! Credentials that nobody uses for a while.

use super::*;

/// Days in seconds.
const DAY: u64 = 24 * 3600;

fn refreshes(vendor: &Stand) -> usize {
    vendor.requests().iter().filter(|request| request.path == "/token").count()
}

/// A host whose clock is so many days ahead, on which the credential still works.
async fn works(folder: &HostFolder, vendor: &Stand, days: u64) -> anyhow::Result<Host> {
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", &format!("{days}d"))]).await?;
    let read = json!([{ "do": "read", "url": format!("{}/api/day-{days}", vendor.url()) }]);
    results(&host.client.send_and_wait(&script(&format!("day-{days}"), read)).await?)?;
    Ok(host)
}

#[tokio::test]
async fn a_refresh_token_is_used_as_often_as_keep_alive_says_though_nobody_needs_it() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    // Long before an access token has to be renewed.
    vendor.set("access-token-life-s", 400 * DAY).map_err(anyhow::Error::msg)?;
    let folder = refreshing(TestStore::wanted()?, &vendor, SCRIPT).await?;
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    let keeping = |value: &str| {
        std::fs::write(folder.path().join("sangam.toml"), text.replace("client-id =", &format!("keep-alive = {value}\nclient-id =")))
    };
    keeping("\"10d\"")?;
    works(&folder, &vendor, 0).await?.terminate().await?;
    assert_eq!(refreshes(&vendor), 1);
    works(&folder, &vendor, 9).await?.terminate().await?;
    assert_eq!(refreshes(&vendor), 1, "the access token is good, and ten days are not over");
    // Nobody sends anything: the host does it by itself.
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "11d")]).await?;
    let asked = async {
        while refreshes(&vendor) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.context("the refresh token would have ended for want of use")?;
    host.terminate().await?;
    works(&folder, &vendor, 12).await?.terminate().await?;
    assert_eq!((refreshes(&vendor), &vendor.state()["most_uses"]), (2, &json!(1)), "once, and its successor was kept");
    // Who does not want it switches it off.
    keeping("false")?;
    let host = works(&folder, &vendor, 60).await?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    host.terminate().await?;
    assert_eq!(refreshes(&vendor), 2);
    Ok(())
}
