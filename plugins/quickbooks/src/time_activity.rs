//! Actions `record-time` and `delete-time-activity`.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use sangam_sdk::{Effect, EffectState, Undo, prelude::*};

use crate::{
    Cx,
    amount::Amount,
    client::{clip, made_by, quote, read, record, select, write},
    customer::CustomerRef,
    fault::{is_validation, ok},
    item::Items,
};

const ENTITY: &str = "TimeActivity";
/// Name of the write.
const WRITE: &str = "time-activity";
const DELETE: &str = "delete";
/// Characters that QuickBooks takes of a description.
const MAX_DESCRIPTION: usize = 4000;
/// The longest time that QuickBooks takes: 8760 hours.
const MAX_MINUTES: u32 = 8760 * 60;

/// Records hours worked by an employee or a subcontractor (vendor). Billable time can be put on an invoice:
/// `time_activity_id` of `create-invoice`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordTime {
    /// Name as QuickBooks displays it, or id, of an employee or else of a vendor.
    employee: String,
    /// Such as `2.5`; rounded to minutes together with `minutes`.
    #[serde(default)]
    hours: Amount,
    /// On top of the hours.
    #[serde(default)]
    minutes: Amount,
    /// Day of the work, `YYYY-MM-DD`.
    date: String,
    /// For whom; needed for billable time.
    customer: Option<CustomerRef>,
    /// Price of an hour; needed for billable time.
    rate: Option<Amount>,
    /// Whether the customer pays for it.
    #[serde(default)]
    billable: bool,
    /// What was done.
    description: Option<String>,
}

/// The time activity.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedTime {
    /// Id in QuickBooks.
    time_activity_id: String,
    /// Minutes recorded.
    minutes: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeActivity {
    id: String,
    sync_token: String,
}

pub fn record_time(input: RecordTime, cx: &Cx) -> Result<RecordedTime, Failure> {
    let minutes = input.minutes()?;
    let made = create(&input, cx, &cx.key(WRITE))?;
    log::info("recorded time", &[("time-activity", &made.id)]);
    Ok(RecordedTime { time_activity_id: made.id, minutes })
}

pub fn delete_time_activity(undo: Undo<RecordTime, RecordedTime>, cx: &Cx) -> Result<(), Failure> {
    let Some(id) = made(&undo, cx)? else {
        return Ok(());
    };
    let Some(time) = read::<TimeActivity>(cx, ENTITY, &id)? else {
        return Ok(()); // deleted before
    };
    let requestid = format!("{}-{}", cx.key(DELETE), time.sync_token);
    let version = json!({ "Id": time.id, "SyncToken": time.sync_token });
    let request = write(cx, ENTITY, DELETE, &requestid, &version);
    request.query("operation", "delete").send().and_then(ok)?;
    log::info("deleted a time activity", &[("time-activity", &time.id)]);
    Ok(())
}

/// Id of what the step made, even if it failed or its answer was lost.
fn made(undo: &Undo<RecordTime, RecordedTime>, cx: &Cx) -> Result<Option<String>, Failure> {
    if let Some(output) = &undo.output {
        return Ok(Some(output.time_activity_id.clone()));
    }
    match undo.effect(WRITE) {
        Some(effect) if effect.state != EffectState::Failed => match made_by(effect, ENTITY) {
            Some(id) => Ok(Some(id)),
            None => asked_again(&undo.input, cx, effect),
        },
        _ => Ok(None),
    }
}

/// Sends a write in doubt again under its own request id: QuickBooks answers what it made the first time. If it made
/// nothing then, it does now, and the caller deletes it: no trace is left either way.
fn asked_again(input: &RecordTime, cx: &Cx, effect: &Effect) -> Result<Option<String>, Failure> {
    let Some(key) = &effect.key else {
        return Ok(None);
    };
    match create(input, cx, key) {
        Ok(made) => Ok(Some(made.id)),
        Err(failure) if is_validation(&failure) => Ok(None), // so it never was made
        Err(failure) => Err(failure),
    }
}

fn create(input: &RecordTime, cx: &Cx, requestid: &str) -> Result<TimeActivity, Failure> {
    let body = input.body(cx)?;
    let request = write(cx, ENTITY, WRITE, requestid, &body);
    record(request.send().and_then(ok)?, ENTITY)
}

impl RecordTime {
    fn body(&self, cx: &Cx) -> Result<Value, Failure> {
        let minutes = self.minutes()?;
        if self.billable && (self.customer.is_none() || self.rate.is_none()) {
            return Err(Failure::rejected("Billable time needs a `customer` and a `rate`"));
        }
        let (name_of, id) = worker(cx, &self.employee)?;
        let mut body = json!({
            "NameOf": name_of,
            format!("{name_of}Ref"): { "value": id },
            "TxnDate": self.date,
            "Hours": minutes / 60,
            "Minutes": minutes % 60,
            "BillableStatus": if self.billable { "Billable" } else { "NotBillable" },
        });
        if let Some(name) = cx.config.labour_item.as_deref() {
            let items = Items::find(cx, &[name], &[])?;
            if let Some(item) = items.named(name) {
                body["ItemRef"] = json!({ "value": item.id });
            }
        }
        if let Some(rate) = self.rate {
            body["HourlyRate"] = json!(rate.factor());
        }
        if let Some(text) = &self.description {
            body["Description"] = clip(text, MAX_DESCRIPTION).into();
        }
        if let Some(customer) = &self.customer {
            body["CustomerRef"] = json!({ "value": customer.find_or_create(cx)?.id });
        }
        Ok(body)
    }

    /// All of it in whole minutes: QuickBooks takes no fractions.
    fn minutes(&self) -> Result<u32, Failure> {
        let hours = self.hours.0.checked_mul(Decimal::from(60));
        let exact = hours.and_then(|minutes| minutes.checked_add(self.minutes.0));
        let whole = exact.map(|minutes| minutes.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero));
        whole
            .and_then(|minutes| minutes.to_u32())
            .filter(|minutes| (1..=MAX_MINUTES).contains(minutes))
            .ok_or_else(|| Failure::rejected("`hours` and `minutes` together must be one minute to 8760 hours"))
    }
}

/// `Employee` or `Vendor`, and the id.
fn worker(cx: &Cx, who: &str) -> Result<(&'static str, String), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Worker {
        id: String,
    }
    let is_id = !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_digit());
    let field = if is_id { "Id" } else { "DisplayName" };
    for entity in ["Employee", "Vendor"] {
        let found: Vec<Worker> = select(cx, entity, &format!("WHERE {field} = {}", quote(who.trim())))?;
        if let Some(worker) = found.into_iter().next() {
            return Ok((entity, worker.id));
        }
    }
    Err(Failure::rejected(format!("QuickBooks has no active employee or vendor `{who}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rounded_to_minutes() {
        for (hours, minutes, whole) in [
            ("2.5", "0", Some(150)),
            ("1", "30", Some(90)),
            ("0.3333333333333333", "0", Some(20)),
            ("0", "0.5", Some(1)),
            ("8760", "0", Some(525_600)),
            ("8760", "1", None),
            ("0", "0", None),
            ("-1", "0", None),
            ("79228162514264337593543950335", "0", None),
        ] {
            let input = json!({ "employee": "60", "date": "2026-11-20", "hours": hours, "minutes": minutes });
            let input: RecordTime = serde_json::from_value(input).expect("an input");
            assert_eq!(input.minutes().ok(), whole, "{hours} h {minutes} min");
        }
    }
}
