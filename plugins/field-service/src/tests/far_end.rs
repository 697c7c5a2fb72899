//! Field-service software at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::{Client, RequestBuilder};
use sangam_saas::{Saas, Stand, fieldservice};
use sangam_sdk::testing::Sent;

use crate::FieldService;

pub type FarEnd = sangam_far_end::FarEnd<FieldService>;

impl System for FieldService {
    fn stand(saas: &Saas) -> &Stand {
        &saas.fieldservice
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        fieldservice::TOKEN.to_owned()
    }

    fn attach(request: RequestBuilder, sent: &Sent, token: &str) -> RequestBuilder {
        let request = request.bearer_auth(token);
        match &sent.key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        }
    }
}
