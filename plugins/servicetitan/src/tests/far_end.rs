//! ServiceTitan at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::{Client, RequestBuilder};
use sangam_saas::{Saas, Stand, servicetitan};
use sangam_sdk::{prelude::*, testing::Sent};

use crate::ServiceTitan;

pub type FarEnd = sangam_far_end::FarEnd<ServiceTitan>;

impl System for ServiceTitan {
    fn stand(saas: &Saas) -> &Stand {
        &saas.servicetitan
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        servicetitan::TOKEN.to_owned()
    }

    fn attach(request: RequestBuilder, _: &Sent, token: &str) -> RequestBuilder {
        request.bearer_auth(token).header("ST-App-Key", servicetitan::APP_KEY)
    }

    fn configuration() -> Value {
        json!({
            "technicians": { "emp-1": "1017", "emp-2": "1018" },
            "tenant": servicetitan::TENANT,
            "application-guid": "6b7f7a5e-0000-4000-8000-000000000000",
            "business-unit-id": 1,
            "job-type-id": 2,
            "cancel-reason-id": 3,
        })
    }
}
