//! A shift: who worked when, and how long.

use chrono::{DateTime, NaiveDate};
use sangam_sdk::{
    prelude::*,
    serde::{Deserializer, de::Error as _},
};

const DAY: i64 = 24 * 60;

/// Logs the hours that an employee worked on a day, split into regular time, overtime and doubletime by the configured
/// rules and by what was logged before for that day and week. Repeating it logs nothing twice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The employee's id in the HR system.
    pub employee_ref: String,
    /// The day that the hours count for, `YYYY-MM-DD`, also where the shift goes on past midnight.
    pub date: String,
    /// When the shift began, RFC 3339 with an offset.
    pub start: Option<String>,
    /// When it ended.
    pub end: Option<String>,
    /// Minutes worked, without breaks; by default what lies between `start` and `end`, less `break_minutes`.
    pub minutes: Option<Minutes>,
    /// Breaks that were not worked.
    pub break_minutes: Option<Minutes>,
    /// What was worked on.
    pub job_ref: Option<String>,
    /// A note.
    pub note: Option<String>,
    /// Names the entry in the HR system. Logging under the same name again corrects it, as long as it stays in its week,
    /// where the system can replace entries (`PUT`). By default a key of this step.
    pub external_id: Option<String>,
}

/// Minutes; an expression may give them as `150.0`. Rounded to whole ones.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(transparent)]
pub struct Minutes(#[schemars(with = "f64", range(min = 0, max = 1440))] pub u32);

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let minutes = given.as_f64().filter(|minutes| (0.0..=1440.0).contains(minutes));
        // Between 0 and 1440, so that nothing is cut off.
        let whole = minutes.map(|minutes| Self(minutes.round() as u32));
        whole.ok_or_else(|| D::Error::custom(format!("{given} is not a number of minutes from 0 to 1440")))
    }
}

impl Shift {
    /// The day.
    pub fn day(&self) -> Result<NaiveDate, Failure> {
        let wrong = |_| Failure::rejected(format!("input.date: `{}` is not a day, YYYY-MM-DD", self.date));
        self.date.parse().map_err(wrong)
    }

    /// Minutes that were not worked.
    pub fn break_minutes(&self) -> u32 {
        self.break_minutes.map_or(0, |Minutes(minutes)| minutes)
    }

    /// Minutes worked.
    pub fn worked(&self) -> Result<u32, Failure> {
        let span = match (&self.start, &self.end) {
            (Some(start), Some(end)) => Some(moment("end", end)? - moment("start", start)?),
            (None, None) => None,
            _ => return Err(Failure::rejected("`start` and `end` go together")),
        };
        if let Some(Minutes(minutes)) = self.minutes {
            return Ok(minutes);
        }
        let span = span.ok_or_else(|| Failure::rejected("Say how long it was: `start` and `end`, or `minutes`"))?;
        let minutes = (span.num_seconds() + 30).div_euclid(60);
        if !(0..=DAY).contains(&minutes) {
            return Err(Failure::rejected("`end` must follow `start` within a day"));
        }
        let worked = minutes - i64::from(self.break_minutes());
        u32::try_from(worked).map_err(|_| Failure::rejected("`break_minutes` is longer than the shift"))
    }
}

fn moment(name: &str, text: &str) -> Result<DateTime<chrono::FixedOffset>, Failure> {
    DateTime::parse_from_rfc3339(text)
        .map_err(|_| Failure::rejected(format!("input.{name}: `{text}` is not a date and time with an offset (RFC 3339)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(more: Value) -> Result<u32, Failure> {
        let mut shift = json!({ "employee_ref": "e", "date": "2026-11-20" });
        shift.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let shift: Shift = serde_json::from_value(shift)?;
        shift.worked()
    }

    #[test]
    fn minutes_are_given_or_counted() {
        for (shift, minutes) in [
            (json!({ "minutes": 150 }), Some(150)),
            (json!({ "minutes": 150.5 }), Some(151)),
            (json!({ "minutes": 0 }), Some(0)),
            (json!({ "minutes": 1441 }), None),
            (json!({ "minutes": "150" }), None),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T16:30:00Z" }), Some(510)),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T16:30:29Z", "break_minutes": 30 }), Some(480)),
            (json!({ "start": "2026-11-20T22:00:00+01:00", "end": "2026-11-21T06:00:00+01:00" }), Some(480)),
            // The night the clocks change has an hour more.
            (json!({ "start": "2026-10-24T22:00:00+02:00", "end": "2026-10-25T06:00:00+01:00" }), Some(540)),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T16:00:00Z", "minutes": 400 }), Some(400)),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T07:00:00Z" }), None),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-22T08:00:00Z" }), None),
            (json!({ "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T08:10:00Z", "break_minutes": 11 }), None),
            (json!({ "start": "2026-11-20T08:00:00Z" }), None),
            (json!({ "start": "8:00", "end": "16:00" }), None),
            (json!({}), None),
        ] {
            assert_eq!(worked(shift.clone()).ok(), minutes, "{shift}");
        }
    }
}
