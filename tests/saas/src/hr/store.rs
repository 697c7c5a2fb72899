//! What the HR system holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::entry::Entry;
use super::hours::Hours;
use super::leave::Leave;

/// Employees, their hours and their leaves.
#[derive(Debug)]
pub struct Store {
    /// `{id, email, name, active}`.
    pub employees: Vec<Value>,
    /// Time entries by external id.
    pub entries: BTreeMap<String, Entry>,
    /// Leaves, in no order.
    pub leaves: Vec<Leave>,
    /// Hours of the other shape.
    pub hours: Hours,
    /// Last day of the pay periods that are closed.
    pub closed_through: Option<Date>,
    leaves_added: u64,
}

impl Store {
    /// Three employees and their leaves.
    pub fn seed() -> Store {
        let employee = |id: &str, email: &str, name: &str| json!({ "id": id, "email": email, "name": name, "active": true });
        let leave = |id: &str, employee: &str, kind: &str, status: &str, start: &str, end: &str, at: &str| {
            let leave = json!({
                "id": id, "employee_ref": employee, "kind": kind, "status": status,
                "start": start, "end": end, "half_day": start == end, "updated_at": at,
            });
            serde_json::from_value(leave).expect("seeded leaves are well-formed")
        };
        Store {
            employees: vec![
                employee("emp-1", "tom.field@acme.example", "Tom Field"),
                employee("emp-2", "ana.ruiz@acme.example", "Ana Ruiz"),
                employee("emp-3", "lee.park@acme.example", "Lee Park"),
            ],
            entries: BTreeMap::new(),
            leaves: vec![
                leave("lv-1", "emp-1", "vacation", "approved", "2026-11-23", "2026-11-27", "2026-10-01T08:00:00Z"),
                leave("lv-2", "emp-2", "sick", "approved", "2026-11-19", "2026-11-20", "2026-11-19T06:30:00Z"),
                leave("lv-3", "emp-3", "vacation", "requested", "2026-12-21", "2026-12-31", "2026-11-10T12:00:00Z"),
                leave("lv-4", "emp-2", "vacation", "cancelled", "2026-12-01", "2026-12-04", "2026-11-15T09:00:00Z"),
                leave("lv-5", "emp-1", "other", "approved", "2026-12-11", "2026-12-11", "2026-11-18T16:45:00Z"),
            ],
            hours: Hours::default(),
            closed_through: None,
            leaves_added: 0,
        }
    }

    /// Adds a leave, or replaces the one with its id; gives it as it is then.
    pub fn add_leave(&mut self, mut leave: Leave, now: Timestamp) -> Leave {
        if leave.id.is_empty() {
            self.leaves_added += 1;
            leave.id = format!("lv-added-{}", self.leaves_added);
        }
        leave.updated_at.get_or_insert(now);
        self.leaves.retain(|own| own.id != leave.id);
        self.leaves.push(leave.clone());
        leave
    }

    /// All of it, for reading back.
    pub fn state(&self) -> Value {
        let entries: Map<String, Value> = self.entries.iter().map(|(id, entry)| (id.clone(), entry.shown(id))).collect();
        json!({
            "employees": self.employees,
            "time_entries": entries,
            "leaves": self.leaves,
            "hours": self.hours.rows(),
        })
    }
}
