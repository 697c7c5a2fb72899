//! The PostgreSQL that tests use: durable, killable, and gone with the process that asked for it.

use std::sync::Arc;

use anyhow::ensure;
use sangam_tests::postgres::{self, Cluster};

#[test]
fn a_cluster_comes_back_after_it_was_killed_or_stopped() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let cluster = Arc::new(Cluster::new()?);
    let first = cluster.database()?;
    ensure!(first.url().starts_with("postgres://"));
    cluster.kill()?;
    cluster.start()?;
    cluster.stop()?;
    ensure!(cluster.database().is_err(), "it was stopped");
    cluster.start()?;
    let second = cluster.database()?;
    assert_ne!(first.url(), second.url());
    Ok(())
}
