//! Runs the stand-in business systems on loopback ports and prints where they are, as one line of JSON.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use clap::Parser;
use sangam_saas::{STANDS, Saas};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Stand-in business systems for tests and demonstrations.
#[derive(Parser)]
struct Options {
    /// First of as many ports in a row as there are stand-ins: Salesforce, HubSpot, QuickBooks, HR, sink, Slack, warehouse, files, field service, Jobber, ServiceTitan, Housecall Pro. Free ports when absent.
    #[arg(long, value_name = "PORT")]
    ports: Option<u16>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut end = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let saas = Saas::start_on(addresses(Options::parse().ports)?).await?;
    let origins = json!({
        "salesforce": saas.salesforce.url(),
        "hubspot": saas.hubspot.url(),
        "quickbooks": saas.quickbooks.url(),
        "hr": saas.hr.url(),
        "sink": saas.sink.url(),
        "slack": saas.slack.url(),
        "warehouse": saas.warehouse.url(),
        "files": saas.files.url(),
        "fieldservice": saas.fieldservice.url(),
        "jobber": saas.jobber.url(),
        "servicetitan": saas.servicetitan.url(),
        "housecall": saas.housecall.url(),
    });
    println!("{origins}");
    tokio::select! {
        _ = end.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listening for SIGINT"),
    }
}

fn addresses(first: Option<u16>) -> anyhow::Result<[SocketAddr; STANDS]> {
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); STANDS];
    if let Some(first) = first {
        for (offset, address) in (0..).zip(&mut addresses) {
            address.set_port(first.checked_add(offset).with_context(|| format!("no {STANDS} ports from there on"))?);
        }
    }
    Ok(addresses)
}
