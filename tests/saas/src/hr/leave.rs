//! Leaves: an employee's absences, to be polled.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// An absence of whole days, or of a half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Chosen by the system when absent.
    #[serde(default)]
    pub id: String,
    /// The employee's id.
    pub employee_ref: String,
    /// Why.
    pub kind: Kind,
    /// How far it is.
    #[serde(default)]
    pub status: Status,
    /// First day.
    pub start: Date,
    /// Last day.
    pub end: Date,
    /// Only half of the day.
    #[serde(default)]
    pub half_day: bool,
    /// Last change; now when absent.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
}

/// Why an employee is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Holiday.
    Vacation,
    /// Illness.
    Sick,
    /// Anything else.
    Other,
}

/// How far a leave is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for.
    Requested,
    /// Granted.
    #[default]
    Approved,
    /// Refused.
    Declined,
    /// Taken back.
    Cancelled,
}

/// Which leaves are asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Ending on this day or later.
    pub from: Option<Date>,
    /// Starting on this day or before.
    pub to: Option<Date>,
    /// Changed at this instant or later.
    pub updated_since: Option<Timestamp>,
}

/// The leaves asked for, by their last change, from a cursor on; and the cursor of the next page, if there is one.
///
/// The order is by change, so that one who polls misses nothing that changes between two pages.
pub fn page(leaves: &[Leave], wanted: &Wanted, cursor: Option<&str>, size: usize) -> Result<(Vec<Leave>, Option<String>), Problem> {
    let after = cursor.map(position).transpose()?;
    let mut found: Vec<&Leave> = leaves
        .iter()
        .filter(|leave| wanted.from.is_none_or(|from| leave.end >= from))
        .filter(|leave| wanted.to.is_none_or(|to| leave.start <= to))
        .filter(|leave| wanted.updated_since.is_none_or(|since| leave.updated_at.is_some_and(|at| at >= since)))
        .filter(|leave| after.as_ref().is_none_or(|after| key(leave) > *after))
        .collect();
    found.sort_by_key(|leave| key(leave));
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|last| {
        let (at, id) = key(last);
        URL_SAFE_NO_PAD.encode(format!("{at} {id}"))
    });
    Ok((found.into_iter().cloned().collect(), next))
}

fn key(leave: &Leave) -> (i64, String) {
    (leave.updated_at.map_or(0, |at| at.as_microsecond()), leave.id.clone())
}

fn position(cursor: &str) -> Result<(i64, String), Problem> {
    let position = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (at, id) = text.split_once(' ')?;
        Some((at.parse().ok()?, id.to_owned()))
    };
    position().ok_or_else(|| Problem::malformed("`cursor` is not one of this system"))
}
