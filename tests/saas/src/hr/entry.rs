//! Time entries: hours of one employee on one day, named by the client.

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::store::Store;

/// Minutes of a day.
const DAY: u64 = 24 * 60;
/// Longest external id and reference.
const MAX_NAME: usize = 64;
/// Longest note.
const MAX_NOTE: usize = 1_000;
/// The fields that hold minutes.
const MINUTES: [&str; 4] = ["break_minutes", "regular_minutes", "overtime_minutes", "doubletime_minutes"];

/// A time entry as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What the client sent, checked.
    pub fields: Map<String, Value>,
    /// Counts the changes; the entity tag is made of it.
    pub version: u64,
    /// Last change.
    pub updated_at: Timestamp,
}

/// A condition on what is there: `If-Match` and `If-None-Match`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// One of these entity tags, or `*` for any.
    pub matches: Option<String>,
    /// `If-None-Match: *`: nothing is there yet.
    pub absent: bool,
}

impl Entry {
    /// The entity tag, with its quotes.
    pub fn tag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// As answers show it.
    pub fn shown(&self, external_id: &str) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("external_id".into(), external_id.into());
        shown.insert("version".into(), self.version.into());
        shown.insert("updated_at".into(), self.updated_at.to_string().into());
        shown.into()
    }

    /// Whether it is in the list asked for; days are included.
    pub fn listed(&self, employee: Option<&str>, from: Option<Date>, to: Option<Date>) -> bool {
        let day = self.day();
        employee.is_none_or(|employee| self.fields["employee_ref"] == employee)
            && from.is_none_or(|from| day.is_some_and(|day| day >= from))
            && to.is_none_or(|to| day.is_some_and(|day| day <= to))
    }

    fn day(&self) -> Option<Date> {
        self.fields["work_date"].as_str()?.parse().ok()
    }
}

impl Condition {
    /// 412 unless it holds for what is there.
    pub fn check(&self, present: Option<&Entry>) -> Result<(), Problem> {
        let matches = self
            .matches
            .as_deref()
            .is_none_or(|tags| present.is_some_and(|entry| tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == entry.tag())));
        if matches && !(self.absent && present.is_some()) {
            return Ok(());
        }
        let detail = match present {
            Some(entry) => format!("the entry has the tag {}", entry.tag()),
            None => "there is no such entry".to_owned(),
        };
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "Precondition failed", detail))
    }
}

impl Store {
    /// Creates or replaces an entry; the same again changes nothing. Returns it, and whether it is new.
    pub fn put(&mut self, external_id: &str, fields: Value, condition: &Condition, now: Timestamp) -> Result<(Entry, bool), Problem> {
        let fields = self.checked(external_id, fields)?;
        let present = self.entries.get(external_id);
        condition.check(present)?;
        let entry = match present {
            Some(entry) if entry.fields == fields => return Ok((entry.clone(), false)),
            Some(entry) => {
                self.open_period(entry.day())?;
                Entry { fields, version: entry.version + 1, updated_at: now }
            }
            None => Entry { fields, version: 1, updated_at: now },
        };
        self.open_period(entry.day())?;
        let created = self.entries.insert(external_id.to_owned(), entry.clone()).is_none();
        Ok((entry, created))
    }

    /// Deletes an entry.
    pub fn delete(&mut self, external_id: &str, condition: &Condition) -> Result<(), Problem> {
        let entry = self.entries.get(external_id).ok_or_else(|| Problem::not_found("such time entry"))?;
        condition.check(Some(entry))?;
        self.open_period(entry.day())?;
        self.entries.remove(external_id);
        Ok(())
    }

    /// 409 when the day is in a period that has been paid.
    fn open_period(&self, day: Option<Date>) -> Result<(), Problem> {
        match (day, self.closed_through) {
            (Some(day), Some(closed)) if day <= closed => {
                let detail = format!("pay periods up to {closed} are closed");
                Err(Problem::new(StatusCode::CONFLICT, "Period closed", detail))
            }
            _ => Ok(()),
        }
    }

    fn checked(&self, external_id: &str, fields: Value) -> Result<Map<String, Value>, Problem> {
        let Value::Object(mut sent) = fields else {
            return Err(Problem::malformed("a time entry is an object"));
        };
        let mut errors = Vec::new();
        if external_id.is_empty() || external_id.len() > MAX_NAME {
            errors.push(("external_id", format!("must have 1 to {MAX_NAME} bytes")));
        }
        let mut kept = Map::new();
        let mut keep = |name: &'static str, value: Option<Value>, check: &dyn Fn(&Value) -> Result<(), String>| {
            let value = value.unwrap_or_default();
            if let Err(error) = check(&value) {
                errors.push((name, error));
            }
            kept.insert(name.to_owned(), value);
        };
        keep("employee_ref", sent.remove("employee_ref"), &|value| match value.as_str() {
            Some(employee) if self.employees.iter().any(|own| own["id"] == employee) => Ok(()),
            Some(employee) => Err(format!("there is no employee {employee}")),
            None => Err("is required".to_owned()),
        });
        keep("work_date", sent.remove("work_date"), &|value| match value.as_str().map(str::parse::<Date>) {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) => Err("must be a date, YYYY-MM-DD".to_owned()),
            None => Err("is required".to_owned()),
        });
        for name in ["start", "end"] {
            keep(name, sent.remove(name), &|value| match value.as_str().map(str::parse::<Timestamp>) {
                Some(Ok(_)) => Ok(()),
                None if value.is_null() => Ok(()),
                _ => Err("must be a date and time with an offset".to_owned()),
            });
        }
        for name in MINUTES {
            let value = sent.remove(name).unwrap_or_else(|| json!(0));
            keep(name, Some(value), &|value| match value.as_u64() {
                Some(minutes) if minutes <= DAY => Ok(()),
                _ => Err(format!("must be a whole number from 0 to {DAY}")),
            });
        }
        for (name, limit) in [("job_ref", MAX_NAME), ("note", MAX_NOTE)] {
            keep(name, sent.remove(name), &|value| match value.as_str() {
                Some(text) if text.chars().count() <= limit => Ok(()),
                None if value.is_null() => Ok(()),
                _ => Err(format!("must be text of at most {limit} characters")),
            });
        }
        let possible = |name: &str| kept[name].as_u64().filter(|minutes| *minutes <= DAY);
        let minutes: u64 = MINUTES.iter().filter_map(|name| possible(name)).sum();
        if minutes > DAY {
            errors.push(("regular_minutes", format!("all minutes together are {minutes}: more than a day")));
        }
        let instant = |name: &str| kept[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if let (Some(start), Some(end)) = (instant("start"), instant("end"))
            && end < start
        {
            errors.push(("end", "is before the start".to_owned()));
        }
        if let Some(unknown) = sent.keys().find(|name| *name != "external_id") {
            errors.push(("", format!("there is no field {unknown}")));
        }
        if errors.is_empty() { Ok(kept) } else { Err(Problem::invalid(errors)) }
    }
}
