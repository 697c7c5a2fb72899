//! Actions `record-time`, for one run or for many, and `delete-time-activity`.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use sangam_sdk::{Effect, EffectState, Undo, prelude::*};

use crate::{
    Cx,
    amount::Amount,
    client::{clip, json, made_by, quote, quote_all, read, record, select, url, write},
    config::Config,
    customer::CustomerRef,
    fault::{is_validation, ok, refused},
    item::Items,
};

const ENTITY: &str = "TimeActivity";
/// Name of the write.
const WRITE: &str = "time-activity";
/// Name of the write for several runs.
const BATCH: &str = "time-activities";
/// Runs in a request: the most that QuickBooks takes.
pub const MOST: u32 = 30;
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

/// The same for several runs: one request for all, after at most six that look up whom and what they name.
pub fn record_times(items: &[Item<RecordTime, Config>]) -> Result<Vec<Result<RecordedTime, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let cx = &first.cx;
    let named = Named::find(cx, items)?;
    let bodies: Vec<Result<Value, Failure>> = items.iter().map(|item| named.body(&item.input)).collect();
    let asked = |(place, body): (usize, &Result<Value, Failure>)| {
        let body = body.as_ref().ok()?;
        Some(json!({ "bId": place.to_string(), "operation": "create", ENTITY: body }))
    };
    let requests: Vec<Value> = bodies.iter().enumerate().filter_map(asked).collect();
    let answer = if requests.is_empty() { Value::Null } else { send(cx, requests)? };
    let answers: Vec<&Value> = answer["BatchItemResponse"].as_array().into_iter().flatten().collect();
    let result = |place: usize, item: &Item<RecordTime, Config>, body: Result<Value, Failure>| {
        // What QuickBooks says counts first: it answers a repetition with what it did the first time.
        let answer = answers.iter().find(|answer| answer["bId"] == place.to_string().as_str());
        let Some(answer) = answer else {
            body?;
            return Err(Failure::retry("QuickBooks did not say what became of it").after(Duration::ZERO));
        };
        let Some(id) = answer[ENTITY]["Id"].as_str() else { return Err(refused(&answer["Fault"])) };
        Ok(RecordedTime { time_activity_id: id.to_owned(), minutes: item.input.minutes()? })
    };
    Ok(items.iter().zip(bodies).enumerate().map(|(place, (item, body))| result(place, item, body)).collect())
}

/// The batch. One that is refused as a whole is tried one by one, where it shows which of them it is.
fn send(cx: &Cx, requests: Vec<Value>) -> Result<Value, Failure> {
    let request = json(cx.post(url(cx, "batch")).name(BATCH)).query("requestid", cx.key(BATCH));
    let answer = request.json(&json!({ "BatchItemRequest": requests })).send().and_then(ok);
    match answer {
        Ok(response) => response.json(),
        Err(failure) if failure.kind == FailureKind::Rejected => {
            Err(Failure { kind: FailureKind::Retry, after: Some(Duration::ZERO), ..failure })
        }
        Err(failure) => Err(failure),
    }
}

/// What several inputs name, looked up together.
struct Named {
    /// `Employee` or `Vendor`, id and name.
    workers: Vec<(&'static str, String, String)>,
    /// Id and name.
    customers: Vec<(String, String)>,
    item: Option<String>,
}

impl Named {
    fn find(cx: &Cx, items: &[Item<RecordTime, Config>]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct One {
            id: String,
            #[serde(default)]
            display_name: String,
        }
        let find = |entity: &str, field: &str, mut values: Vec<&str>| -> Result<Vec<One>, Failure> {
            values.sort_unstable();
            values.dedup();
            if values.is_empty() {
                return Ok(Vec::new());
            }
            select(cx, entity, &format!("WHERE {field} IN {} MAXRESULTS 1000", quote_all(values)))
        };
        let mut workers = Vec::new();
        for entity in ["Employee", "Vendor"] {
            for (field, ids) in [("Id", true), ("DisplayName", false)] {
                let wanted = items.iter().map(|item| item.input.employee.trim()).filter(|who| is_id(who) == ids).collect();
                workers.extend(find(entity, field, wanted)?.into_iter().map(|one| (entity, one.id, one.display_name)));
            }
        }
        let customers = items.iter().filter_map(|item| item.input.customer.as_ref());
        let customers = customers.filter(|customer| customer.id.is_none()).filter_map(|customer| customer.display_name.as_deref());
        let customers = find(crate::customer::ENTITY, "DisplayName", customers.map(str::trim).collect())?;
        Ok(Self { workers, customers: customers.into_iter().map(|one| (one.id, one.display_name)).collect(), item: labour_item(cx)? })
    }

    fn body(&self, input: &RecordTime) -> Result<Value, Failure> {
        let minutes = input.checked()?;
        let who = input.employee.trim();
        let is = |(_, id, name): &&(&'static str, String, String)| if is_id(who) { id == who } else { name.eq_ignore_ascii_case(who) };
        let (name_of, id, _) = self.workers.iter().find(is).ok_or_else(|| nobody(&input.employee))?;
        let customer = match &input.customer {
            None => None,
            Some(customer) => {
                let name = customer.display_name.as_deref().map(str::trim).unwrap_or_default();
                let known = self.customers.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(id, _)| id.clone());
                // One that is found by its address, or made, is found or made by itself.
                let alone = || Failure::retry("Its customer is looked for by itself").after(Duration::ZERO);
                Some(customer.id.clone().or(known).ok_or_else(alone)?)
            }
        };
        Ok(input.written(minutes, (name_of, id), self.item.as_deref(), customer.as_deref()))
    }
}

fn create(input: &RecordTime, cx: &Cx, requestid: &str) -> Result<TimeActivity, Failure> {
    let body = input.body(cx)?;
    let request = write(cx, ENTITY, WRITE, requestid, &body);
    record(request.send().and_then(ok)?, ENTITY)
}

impl RecordTime {
    fn body(&self, cx: &Cx) -> Result<Value, Failure> {
        let minutes = self.checked()?;
        let (name_of, id) = worker(cx, &self.employee)?;
        let item = labour_item(cx)?;
        let customer = match &self.customer {
            Some(customer) => Some(customer.find_or_create(cx)?.id),
            None => None,
        };
        Ok(self.written(minutes, (name_of, &id), item.as_deref(), customer.as_deref()))
    }

    /// Minutes of an input that QuickBooks would not refuse at once.
    fn checked(&self) -> Result<u32, Failure> {
        let minutes = self.minutes()?;
        if self.billable && (self.customer.is_none() || self.rate.is_none()) {
            return Err(Failure::rejected("Billable time needs a `customer` and a `rate`"));
        }
        Ok(minutes)
    }

    fn written(&self, minutes: u32, (name_of, id): (&str, &str), item: Option<&str>, customer: Option<&str>) -> Value {
        let mut body = json!({
            "NameOf": name_of,
            format!("{name_of}Ref"): { "value": id },
            "TxnDate": self.date,
            "Hours": minutes / 60,
            "Minutes": minutes % 60,
            "BillableStatus": if self.billable { "Billable" } else { "NotBillable" },
        });
        if let Some(item) = item {
            body["ItemRef"] = json!({ "value": item });
        }
        if let Some(rate) = self.rate {
            body["HourlyRate"] = json!(rate.factor());
        }
        if let Some(text) = &self.description {
            body["Description"] = clip(text, MAX_DESCRIPTION).into();
        }
        if let Some(customer) = customer {
            body["CustomerRef"] = json!({ "value": customer });
        }
        body
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
    let field = if is_id(who) { "Id" } else { "DisplayName" };
    for entity in ["Employee", "Vendor"] {
        let found: Vec<Worker> = select(cx, entity, &format!("WHERE {field} = {}", quote(who.trim())))?;
        if let Some(worker) = found.into_iter().next() {
            return Ok((entity, worker.id));
        }
    }
    Err(nobody(who))
}

fn nobody(who: &str) -> Failure {
    Failure::rejected(format!("QuickBooks has no active employee or vendor `{who}`"))
}

fn is_id(who: &str) -> bool {
    !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_digit())
}

/// The item that time is sold as.
fn labour_item(cx: &Cx) -> Result<Option<String>, Failure> {
    let Some(name) = cx.config.labour_item.as_deref() else { return Ok(None) };
    Ok(Items::find(cx, &[name], &[])?.named(name).map(|item| item.id.clone()))
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
