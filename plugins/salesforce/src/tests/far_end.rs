//! Salesforce at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::{Client, Method};
use sangam_saas::{FaultAct, Saas, Stand, salesforce};
use sangam_sdk::{prelude::*, testing::Host};

use crate::Salesforce;

impl System for Salesforce {
    fn stand(saas: &Saas) -> &Stand {
        &saas.salesforce
    }

    async fn log_in(client: &Client, stand: &Stand) -> String {
        let form =
            [("grant_type", "client_credentials"), ("client_id", salesforce::CLIENT_ID), ("client_secret", salesforce::CLIENT_SECRET)];
        let request = client.post(format!("{}/services/oauth2/token", stand.url())).form(&form);
        let granted: Value = request.send().await.expect("answered").json().await.expect("JSON");
        granted["access_token"].as_str().expect("a token").to_owned()
    }

    fn configuration() -> Value {
        json!({
            "case-external-id-field": "Job_Id__c",
            "preference-fields": ["Preferred_Channel__c", "Preferred_Technician__c"],
            "contract-fields": ["Response_Hours__c", "Hourly_Rate__c"],
        })
    }
}

/// The stand-in, in the words of its tests.
pub struct FarEnd(sangam_far_end::FarEnd<Salesforce>);

impl FarEnd {
    pub fn start() -> FarEnd {
        FarEnd(sangam_far_end::FarEnd::start())
    }

    pub fn stand(&self) -> &Stand {
        self.0.stand()
    }

    /// A host whose requests go to the stand-in: one step.
    pub fn step(&self) -> Host {
        self.0.host(json!({}))
    }

    /// The next write to that path fails so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        self.0.fault(method, path, act);
    }

    pub fn refuse(&self, method: &str, path: &str, status: u16, body: Value) {
        let act = FaultAct::Status { status, headers: Default::default(), body: body.to_string() };
        self.fault(method, path, act);
    }

    /// The records of an object, without deleted ones.
    pub fn records(&self, object: &str) -> Vec<Value> {
        self.stand().state()["records"][object].as_array().cloned().unwrap_or_default()
    }

    pub fn record(&self, object: &str, field: &str, value: &str) -> Value {
        let found = self.records(object).into_iter().find(|record| record[field] == value);
        found.unwrap_or_else(|| panic!("a record of {object} with {field} = {value}"))
    }

    /// Writes a record as somebody else would.
    pub fn send(&self, method: Method, path: &str, fields: Value) {
        self.0.ask(|client, url| client.request(method, format!("{url}/services/data/v66.0/{path}")).json(&fields));
    }
}
