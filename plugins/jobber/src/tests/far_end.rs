//! Jobber at the far end.

use sangam_far_end::System;
use sangam_far_end::reqwest::Client;
use sangam_saas::{Saas, Stand, jobber};
use sangam_sdk::prelude::*;

use crate::Jobber;

pub type FarEnd = sangam_far_end::FarEnd<Jobber>;

impl System for Jobber {
    fn stand(saas: &Saas) -> &Stand {
        &saas.jobber
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        jobber::TOKEN.to_owned()
    }

    fn configuration() -> Value {
        json!({ "technicians": { "emp-1": "VTE=", "emp-2": "VTI=" } })
    }
}
