//! What was logged for an employee in an ISO week, kept in key-value.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use sangam_sdk::prelude::*;

use crate::overtime::Split;

/// An employee's week. It holds the entries rather than their sums, so that one can be corrected or taken back.
#[derive(Debug)]
pub struct Week {
    key: String,
    logged: Logged,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Logged {
    /// By external id.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    date: String,
    split: Split,
}

impl Week {
    /// Reads the week of a day. Before the first write: the host then keeps others from the key until the step ends.
    pub fn read(employee: &str, day: NaiveDate) -> Result<Self, Failure> {
        let week = day.iso_week();
        let key = format!("week/{}/{}-W{:02}", encode(employee), week.year(), week.week());
        let logged = kv::get_json(&key)?.unwrap_or_default();
        Ok(Self { key, logged })
    }

    /// Minutes worked on a day, without an entry.
    pub fn worked(&self, day: NaiveDate, without: &str) -> u32 {
        let date = day.to_string();
        self.others(without).filter(|entry| entry.date == date).map(|entry| entry.split.worked()).sum()
    }

    /// Regular minutes of the week, without an entry.
    pub fn regular(&self, without: &str) -> u32 {
        self.others(without).map(|entry| entry.split.regular).sum()
    }

    fn others(&self, without: &str) -> impl Iterator<Item = &Entry> {
        self.logged.entries.iter().filter(move |(id, _)| *id != without).map(|(_, entry)| entry)
    }

    /// An entry's minutes as they were logged.
    pub fn logged(&self, external_id: &str) -> Option<Split> {
        self.logged.entries.get(external_id).map(|entry| entry.split)
    }

    /// Adds an entry, or corrects it.
    pub fn log(&mut self, external_id: &str, day: NaiveDate, split: Split) -> Result<(), Failure> {
        let entry = Entry { date: day.to_string(), split };
        self.logged.entries.insert(external_id.to_owned(), entry);
        kv::set_json(&self.key, &self.logged)
    }

    /// Takes an entry back; nothing happens if there is none.
    pub fn forget(&mut self, external_id: &str) -> Result<(), Failure> {
        match self.logged.entries.remove(external_id) {
            None => Ok(()),
            Some(_) if self.logged.entries.is_empty() => kv::delete(&self.key),
            Some(_) => kv::set_json(&self.key, &self.logged),
        }
    }
}
