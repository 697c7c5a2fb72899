//! The crash campaign, bounded: `cargo xtask crash` is the long one.

use anyhow::ensure;
use sangam_tests::campaign::Campaign;
use sangam_tests::{TestStore, postgres};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_again_and_again_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let campaign = Campaign { kills: 25, seed: 7, store: TestStore::wanted()?, hosts: 1, kill_database: false, progress: false };
    let report = campaign.run().await?;
    ensure!(report.is_right(), "\n{report}");
    ensure!(report.kills == 25 && report.accepted > 25 && report.seen > 50, "too little happened:\n{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hosts_on_one_database_that_is_killed_too_lose_and_double_nothing() -> anyhow::Result<()> {
    // Not twice: the store is PostgreSQL in any case.
    if TestStore::wanted()? == TestStore::Sqlite || !postgres::is_there()? {
        return Ok(());
    }
    let campaign = Campaign { kills: 15, seed: 8, store: TestStore::Postgres, hosts: 3, kill_database: true, progress: false };
    let report = campaign.run().await?;
    ensure!(report.is_right(), "\n{report}");
    ensure!(report.kills == 15 && report.accepted > 15, "too little happened:\n{report}");
    Ok(())
}
