//! Housecall Pro at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::Client;
use sangam_saas::{Saas, Stand, housecall};
use sangam_sdk::prelude::*;

use crate::HousecallPro;

pub type FarEnd = sangam_far_end::FarEnd<HousecallPro>;

impl System for HousecallPro {
    fn stand(saas: &Saas) -> &Stand {
        &saas.housecall
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        housecall::TOKEN.to_owned()
    }

    fn configuration() -> Value {
        json!({ "technicians": { "emp-1": "pro_1", "emp-2": "pro_2" } })
    }
}
