//! Another system's shape of the same things: other paths, other names, hours rather than minutes, and a create that
//! does it again when it is sent again. Its errors are `{"error": "…"}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// Rows by number.
#[derive(Debug, Default)]
pub struct Hours {
    added: u64,
    rows: BTreeMap<u64, Value>,
}

/// Why a row isn't added or found.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(pub StatusCode, pub String);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl Hours {
    /// All rows.
    pub fn rows(&self) -> Vec<&Value> {
        self.rows.values().collect()
    }

    /// Adds `{emp, day, hrs, ot, ref?, memo?}`; hours are numbers or text from 0 to 24, other fields are ignored.
    pub fn add(&mut self, employees: &[Value], sent: &Map<String, Value>) -> Result<u64, Fault> {
        let bad = |detail: String| Fault(StatusCode::BAD_REQUEST, detail);
        let text = |name: &str| sent.get(name).and_then(Value::as_str);
        let employee = text("emp").ok_or_else(|| bad("emp is missing".to_owned()))?;
        if !employees.iter().any(|own| own["id"] == employee) {
            return Err(bad(format!("emp {employee} is unknown")));
        }
        let day = text("day").filter(|day| day.parse::<Date>().is_ok());
        let day = day.ok_or_else(|| bad("day must be YYYY-MM-DD".to_owned()))?;
        let hours = |name: &str| {
            let value = sent.get(name).cloned().unwrap_or_else(|| json!(0));
            let hours = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            match hours {
                Some(hours) if (0.0..=24.0).contains(&hours) => Ok(value),
                _ => Err(bad(format!("{name} must be hours from 0 to 24"))),
            }
        };
        let (hrs, ot) = (hours("hrs")?, hours("ot")?);
        self.added += 1;
        let row = json!({
            "id": self.added, "emp": employee, "day": day, "hrs": hrs, "ot": ot,
            "ref": text("ref"), "memo": text("memo"),
        });
        self.rows.insert(self.added, row);
        Ok(self.added)
    }

    /// The rows of an employee, or with a reference, or both.
    pub fn find(&self, employee: Option<&str>, reference: Option<&str>) -> Vec<&Value> {
        let found = self.rows.values();
        found
            .filter(|row| employee.is_none_or(|employee| row["emp"] == employee))
            .filter(|row| reference.is_none_or(|reference| row["ref"] == reference))
            .collect()
    }

    /// Removes a row.
    pub fn remove(&mut self, id: u64) -> Result<(), Fault> {
        let removed = self.rows.remove(&id);
        removed.map(|_| ()).ok_or_else(|| Fault(StatusCode::NOT_FOUND, format!("no hours {id}")))
    }
}
