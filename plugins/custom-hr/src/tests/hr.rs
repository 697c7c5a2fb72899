//! An HR system at the far end, in both of the stand-in's shapes.

use sangam_far_end::System;
use sangam_far_end::reqwest::Client;
use sangam_saas::{FaultAct, Saas, Stand, hr};
use sangam_sdk::prelude::*;

use crate::CustomHr;

pub type Hr = sangam_far_end::FarEnd<CustomHr>;

impl System for CustomHr {
    fn stand(saas: &Saas) -> &Stand {
        &saas.hr
    }

    async fn log_in(_: &Client, _: &Stand) -> String {
        hr::TOKEN.to_owned()
    }
}

/// The usual rules.
pub fn rules() -> Value {
    json!({ "daily-after": "8h", "weekly-after": "40h", "daily-doubletime-after": "12h" })
}

/// The proposed shape, which needs nothing said.
pub fn plain() -> Value {
    json!({ "overtime": rules() })
}

/// The stand-in's other shape, with another header.
pub fn other() -> Value {
    json!({
        "overtime": rules(),
        "headers": { "x-tenant": "acme" },
        "entries": {
            "method": "POST",
            "path": "/hr/api/hours",
            "fields": { "employee_ref": "emp", "date": "day", "regular_hours": "hrs", "overtime_hours": "ot", "external_id": "ref", "note": "memo" },
            "lookup": { "path": "/hr/api/hours?emp={employee_ref}&ref={external_id}", "list": "rows" },
            "delete-path": "/hr/api/hours/{entry_id}",
        },
    })
}

/// An answer without a body.
pub fn status(status: u16) -> FaultAct {
    FaultAct::Status { status, headers: Default::default(), body: String::new() }
}
