//! An entry of hours in the system's own words.

use std::collections::BTreeMap;

use sangam_sdk::{
    path::{at, fill, put, text_at},
    prelude::*,
    serde_json::{Map, Number},
};

use crate::{
    Cx,
    client::{dress, url},
    config::{Config, Entries},
    overtime::Split,
    shift::Shift,
};

/// What of an entry can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    ExternalId,
    EmployeeRef,
    Date,
    Start,
    End,
    BreakMinutes,
    WorkedMinutes,
    RegularMinutes,
    OvertimeMinutes,
    DoubletimeMinutes,
    WorkedHours,
    RegularHours,
    OvertimeHours,
    DoubletimeHours,
    JobRef,
    Note,
}

impl Field {
    /// The names of the plain shape.
    pub const PLAIN: [(Self, &'static str); 10] = [
        (Self::EmployeeRef, "employee_ref"),
        (Self::Date, "work_date"),
        (Self::Start, "start"),
        (Self::End, "end"),
        (Self::BreakMinutes, "break_minutes"),
        (Self::RegularMinutes, "regular_minutes"),
        (Self::OvertimeMinutes, "overtime_minutes"),
        (Self::DoubletimeMinutes, "doubletime_minutes"),
        (Self::JobRef, "job_ref"),
        (Self::Note, "note"),
    ];
}

/// An entry to be written.
#[derive(Debug)]
pub struct Entry<'a> {
    pub shift: &'a Shift,
    pub external_id: &'a str,
    pub split: Split,
}

impl Entry<'_> {
    /// The body, with the configured names.
    pub fn body(&self, entries: &Entries) -> Value {
        let sent = folded(self.split, &entries.fields);
        let mut body = Map::new();
        for (name, value) in &entries.constants {
            put(&mut body, name, value.clone());
        }
        for (field, name) in &entries.fields {
            let value = self.value(*field, sent, entries.hours_decimals);
            if !value.is_null() {
                put(&mut body, name, value);
            }
        }
        body.into()
    }

    fn value(&self, field: Field, sent: Split, decimals: u8) -> Value {
        let shift = self.shift;
        let hours = |minutes| hours(minutes, decimals);
        match field {
            Field::ExternalId => self.external_id.into(),
            Field::EmployeeRef => shift.employee_ref.as_str().into(),
            Field::Date => shift.date.as_str().into(),
            Field::Start => shift.start.as_deref().into(),
            Field::End => shift.end.as_deref().into(),
            Field::BreakMinutes => shift.break_minutes().into(),
            Field::WorkedMinutes => sent.worked().into(),
            Field::RegularMinutes => sent.regular.into(),
            Field::OvertimeMinutes => sent.overtime.into(),
            Field::DoubletimeMinutes => sent.doubletime.into(),
            Field::WorkedHours => hours(sent.worked()),
            Field::RegularHours => hours(sent.regular),
            Field::OvertimeHours => hours(sent.overtime),
            Field::DoubletimeHours => hours(sent.doubletime),
            Field::JobRef => shift.job_ref.as_deref().into(),
            Field::Note => shift.note.as_deref().into(),
        }
    }
}

/// Minutes of a kind that the system has no field for count as the next lower kind: none are lost.
fn folded(mut split: Split, fields: &BTreeMap<Field, String>) -> Split {
    let has = |wanted: [Field; 2]| wanted.iter().any(|field| fields.contains_key(field));
    if !has([Field::DoubletimeMinutes, Field::DoubletimeHours]) {
        split.overtime += std::mem::take(&mut split.doubletime);
    }
    if !has([Field::OvertimeMinutes, Field::OvertimeHours]) {
        split.regular += std::mem::take(&mut split.overtime);
    }
    split
}

/// Minutes as hours with so many decimals, half up.
fn hours(minutes: u32, decimals: u8) -> Value {
    let scale = 10_u64.pow(u32::from(decimals.min(6)));
    let scaled = (u64::from(minutes) * scale * 2 + 60) / 120;
    let (whole, rest) = (scaled / scale, scaled % scale);
    let digits = match decimals {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:0width$}", width = usize::from(decimals.min(6))),
    };
    let number: Number = digits.parse().expect("digits with a point are a number");
    Value::Number(number)
}

/// What may stand in the paths of an entry.
pub fn values<'a>(shift: &'a Shift, external_id: &'a str) -> [(&'static str, &'a str); 3] {
    [("external_id", external_id), ("employee_ref", &shift.employee_ref), ("date", &shift.date)]
}

/// Looks for an entry by its external id, where the system has a way; gives the system's id.
pub fn find(cx: &Cx, shift: &Shift, external_id: &str) -> Result<Option<String>, Failure> {
    let config: &Config = &cx.config;
    let Some(lookup) = &config.entries.lookup else {
        return Ok(None);
    };
    let path = fill(&lookup.path, &values(shift, external_id))?;
    let answer: Value = dress(config, cx.get(url(config, &path))).send()?.explained()?.json()?;
    let list = at(&answer, &lookup.list).as_array().ok_or_else(|| {
        Failure::rejected(format!("The answer to the look-up has no list at `{}`: see configuration.entries.lookup", lookup.list))
    })?;
    let Some(first) = list.first() else {
        return Ok(None);
    };
    let id = text_at(first, &lookup.id);
    id.map(Some).ok_or_else(|| Failure::rejected(format!("The entry that was found has no `{}`", lookup.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(entries: Value, split: (u32, u32, u32)) -> Value {
        let entries: Entries = serde_json::from_value(entries).expect("a configuration");
        let shift = json!({ "employee_ref": "emp-1", "date": "2026-11-20", "minutes": 600, "note": "Pump" });
        let shift: Shift = serde_json::from_value(shift).expect("a shift");
        let (regular, overtime, doubletime) = split;
        let split = Split { regular, overtime, doubletime };
        Entry { shift: &shift, external_id: "x-1", split }.body(&entries)
    }

    #[test]
    fn the_plain_shape_has_all_minutes_and_no_nulls() {
        assert_eq!(
            body(json!({}), (480, 60, 0)),
            json!({
                "employee_ref": "emp-1", "work_date": "2026-11-20", "break_minutes": 0, "note": "Pump",
                "regular_minutes": 480, "overtime_minutes": 60, "doubletime_minutes": 0,
            })
        );
    }

    #[test]
    fn other_shapes_have_other_names_and_units() {
        let entries = json!({
            "fields": { "employee_ref": "person.id", "regular_hours": "hours.normal", "overtime_hours": "hours.extra", "external_id": "ref" },
            "constants": { "type": "WORK", "person.kind": "employee" },
        });
        assert_eq!(
            body(entries, (480, 40, 5)).to_string(),
            r#"{"hours":{"extra":0.75,"normal":8.00},"person":{"id":"emp-1","kind":"employee"},"ref":"x-1","type":"WORK"}"#
        );
        let all = body(json!({ "fields": { "regular_minutes": "min" } }), (480, 40, 5));
        assert_eq!(all, json!({ "min": 525 }));
        let worked =
            body(json!({ "fields": { "worked_hours": "hrs", "doubletime_minutes": "double" }, "hours-decimals": 4 }), (480, 40, 5));
        assert_eq!(worked.to_string(), r#"{"double":5,"hrs":8.7500}"#);
    }

    #[test]
    fn hours_are_rounded_half_up() {
        for (minutes, decimals, text) in
            [(1, 2, "0.02"), (100, 2, "1.67"), (30, 0, "1"), (29, 0, "0"), (3, 1, "0.1"), (1440, 6, "24.000000"), (20, 9, "0.333333")]
        {
            assert_eq!(hours(minutes, decimals).to_string(), text);
        }
    }
}
