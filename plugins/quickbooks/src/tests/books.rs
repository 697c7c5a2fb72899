//! A company's books at the far end.

use sangam_far_end::reqwest::Client;
use sangam_far_end::{FarEnd, System};
use sangam_saas::{FaultAct, Saas, Stand, quickbooks};
use sangam_sdk::{prelude::*, testing::Host};

use crate::QuickBooks;

impl System for QuickBooks {
    fn stand(saas: &Saas) -> &Stand {
        &saas.quickbooks
    }

    async fn log_in(client: &Client, stand: &Stand) -> String {
        let form = [("grant_type", "refresh_token"), ("refresh_token", quickbooks::REFRESH_TOKEN)];
        let request = client
            .post(format!("{}/oauth2/v1/tokens/bearer", stand.url()))
            .basic_auth(quickbooks::CLIENT_ID, Some(quickbooks::CLIENT_SECRET))
            .form(&form);
        let answer: Value = request.send().await.expect("answered").json().await.expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn configuration() -> Value {
        json!({
            "realm-id": quickbooks::REALM,
            "labour-item": "Labor hours",
            "parts-item": "Parts",
            "expense-item": "Travel expense",
        })
    }
}

/// The books, in the words of their tests.
pub struct Books(FarEnd<QuickBooks>);

impl Books {
    pub fn open() -> Self {
        Self(FarEnd::start())
    }

    /// A step's host whose requests go to the books.
    pub fn host(&self) -> Host {
        self.0.host(json!({}))
    }

    /// The next requests of that path fail so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        self.0.fault(method, &format!("/v3/company/*/{path}"), act);
    }

    pub fn state(&self) -> Value {
        self.0.stand().state()
    }

    /// How many of these there are.
    pub fn count(&self, list: &str) -> usize {
        self.0.list(list).len()
    }

    /// Someone else writes a record.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let path = format!("/v3/company/{}/{path}", quickbooks::REALM);
        self.0.ask(|client, url| client.post(format!("{url}{path}")).header("accept", "application/json").json(body))
    }

    pub fn set(&self, setting: &str, value: impl Into<Value>) {
        self.0.set(setting, value);
    }
}

/// An answer without a body.
pub fn status(status: u16) -> FaultAct {
    FaultAct::Status { status, headers: Default::default(), body: String::new() }
}
