//! HubSpot at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::{Client, Method};
use sangam_saas::{FaultAct, Saas, Stand, hubspot};
use sangam_sdk::{prelude::*, testing::Host};

use crate::HubSpot;

impl System for HubSpot {
    fn stand(saas: &Saas) -> &Stand {
        &saas.hubspot
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        hubspot::TOKEN.to_owned()
    }
}

/// The stand-in, in the words of its tests.
pub struct FarEnd(sangam_far_end::FarEnd<HubSpot>);

impl FarEnd {
    pub fn start() -> FarEnd {
        FarEnd(sangam_far_end::FarEnd::start())
    }

    pub fn stand(&self) -> &Stand {
        self.0.stand()
    }

    /// A host whose requests go to the stand-in with that bearer token: one step.
    pub fn step_with(&self, token: &str) -> Host {
        let mut host = self.0.host_with(token, json!({}));
        host.event["time"] = json!("2026-11-20T09:30:00Z");
        host
    }

    pub fn step(&self) -> Host {
        self.step_with(hubspot::TOKEN)
    }

    /// The next request of that kind fails so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        self.0.fault(method, path, act);
    }

    /// The live records of a type, such as `notes`.
    pub fn records(&self, object: &str) -> Vec<Value> {
        self.0.list(object)
    }

    /// The only record with that property.
    pub fn record(&self, object: &str, property: &str, value: &str) -> Value {
        let mut found = self.records(object);
        found.retain(|record| record["properties"][property] == value);
        assert_eq!(found.len(), 1, "records of {object} with {property} = {value}");
        found.remove(0)
    }

    /// Writes a record as somebody else would, and gives the answer.
    pub fn send(&self, method: Method, path: &str, body: Value) -> Value {
        self.0.ask(|client, url| client.request(method, format!("{url}{path}")).json(&body))
    }
}
