//! Stand-in business systems for tests and demonstrations.
//!
//! Each system is written from its vendor's specification and shares no type with any connector: it takes the vendor's
//! documented requests, refuses what the vendor refuses, and words its errors as the vendor does. State is in memory
//! and can be read back. Every system listens on its own loopback port, since access tokens are bound to origins.
//!
//! A request travels: [`stand`] takes the connection, answers the test's own [`control`] calls, records the request and
//! applies a [`fault`] if one was asked for; then the [`system`] answers.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let saas = sangam_saas::Saas::start().await?;
//! println!("{}", saas.salesforce.url());
//! # Ok(()) }
//! ```

pub mod stand;

pub mod control;
pub mod fault;
pub mod quota;
pub mod system;
pub mod webhook;

pub mod salesforce;

pub mod hubspot;

pub mod quickbooks;

pub mod hr;

pub mod messages;

pub mod slack;

pub mod warehouse;

pub mod feed;

pub mod files;

pub mod fieldservice;

pub mod jobber;

pub mod servicetitan;

pub mod housecall;

pub mod oauth;

pub mod sink;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;

pub use fault::{Fault, FaultAct};
pub use stand::{Recorded, Stand};
pub use system::System;

/// All stand-ins, each at its own origin; they serve until this is dropped.
pub struct Saas {
    /// Salesforce.
    pub salesforce: Stand,
    /// HubSpot CRM.
    pub hubspot: Stand,
    /// QuickBooks Online.
    pub quickbooks: Stand,
    /// The custom HR system.
    pub hr: Stand,
    /// Slack's Web API.
    pub slack: Stand,
    /// A warehouse.
    pub warehouse: Stand,
    /// The folder of the payroll office.
    pub files: Stand,
    /// Field-service software of no particular vendor.
    pub fieldservice: Stand,
    /// Jobber.
    pub jobber: Stand,
    /// ServiceTitan.
    pub servicetitan: Stand,
    /// Housecall Pro.
    pub housecall: Stand,
    /// A receiver of anything.
    pub sink: Stand,
}

/// How many stand-ins there are.
pub const STANDS: usize = 12;

impl Saas {
    /// Starts all of them on free loopback ports.
    ///
    /// # Errors
    /// When a port can't be listened on.
    pub async fn start() -> anyhow::Result<Saas> {
        Saas::start_on([SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); STANDS]).await
    }

    /// Starts Salesforce, HubSpot, QuickBooks, HR, the sink, Slack, the warehouse, the files, the field-service software, Jobber, ServiceTitan and Housecall Pro, in this order, on the given addresses.
    ///
    /// # Errors
    /// When an address is no loopback address, or can't be listened on.
    pub async fn start_on(addresses: [SocketAddr; STANDS]) -> anyhow::Result<Saas> {
        let [salesforce, hubspot, quickbooks, hr, sink, slack, warehouse, files, fieldservice, jobber, servicetitan, housecall] = addresses;
        Ok(Saas {
            salesforce: stand(salesforce, Arc::new(salesforce::Salesforce::new())).await?,
            hubspot: stand(hubspot, Arc::new(hubspot::HubSpot::new())).await?,
            quickbooks: stand(quickbooks, Arc::new(quickbooks::QuickBooks::new())).await?,
            hr: stand(hr, Arc::new(hr::Hr::new())).await?,
            slack: stand(slack, Arc::new(slack::Slack::new())).await?,
            warehouse: stand(warehouse, Arc::new(warehouse::Warehouse::new())).await?,
            files: stand(files, Arc::new(files::Files::new())).await?,
            fieldservice: stand(fieldservice, Arc::new(fieldservice::FieldService::new())).await?,
            jobber: stand(jobber, Arc::new(jobber::Jobber::new())).await?,
            servicetitan: stand(servicetitan, Arc::new(servicetitan::ServiceTitan::new())).await?,
            housecall: stand(housecall, Arc::new(housecall::Housecall::new())).await?,
            sink: stand(sink, Arc::new(sink::Sink::new())).await?,
        })
    }

    /// The private half of the test key pair whose public half Salesforce trusts, as PKCS #8 PEM.
    pub fn salesforce_private_key_pem() -> &'static str {
        salesforce::PRIVATE_KEY_PEM
    }
}

async fn stand(address: SocketAddr, system: Arc<dyn System>) -> anyhow::Result<Stand> {
    let name = system.name();
    Stand::start(address, system).await.with_context(|| format!("starting the {name} stand-in on {address}"))
}
