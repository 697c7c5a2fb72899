//! Time activities: hours worked by an employee or a vendor.

use rust_decimal::prelude::ToPrimitive as _;
use serde_json::json;

use super::answer::today;
use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};
use super::money;

const MAX_DESCRIPTION: usize = 4000;
const MAX_HOURS: u64 = 8760;

/// Checks a time activity and completes it.
pub(super) fn prepare(company: &Company, mut record: Fields, previous: Option<&Fields>) -> Result<Fields, Fault> {
    let (who, entity) = match field::text(&record, "NameOf", 20)?.ok_or_else(|| Fault::missing("NameOf"))? {
        "Employee" => ("EmployeeRef", Entity::Employee),
        "Vendor" => ("VendorRef", Entity::Vendor),
        other => {
            return Err(Fault::unsupported("NameOf", &format!("has no value {other}")));
        }
    };
    if field::refer(company, &mut record, who, entity)?.is_none() {
        return Err(Fault::missing(who));
    }
    let customer = field::refer(company, &mut record, "CustomerRef", Entity::Customer)?;
    if let Some(item) = field::refer(company, &mut record, "ItemRef", Entity::Item)? {
        let service = company.get(Entity::Item, &item).is_some_and(|item| item.get("Type") == Some(&json!("Service")));
        if !service {
            return Err(Fault::business("The item of a time activity must be a service."));
        }
    }
    field::text(&record, "Description", MAX_DESCRIPTION)?;
    duration(&record)?;
    let rate = field::figure(&record, "HourlyRate", 7)?;
    field::figure(&record, "CostRate", 7)?;
    let billed = previous.and_then(|previous| previous.get("BillableStatus")?.as_str()) == Some("HasBeenBilled");
    match field::text(&record, "BillableStatus", 20)?.unwrap_or("NotBillable") {
        "Billable" if customer.is_none() => return Err(Fault::missing("CustomerRef")),
        "Billable" if rate.is_none() => return Err(Fault::missing("HourlyRate")),
        "Billable" | "NotBillable" => {}
        "HasBeenBilled" if billed => {}
        "HasBeenBilled" => {
            return Err(Fault::business("BillableStatus HasBeenBilled is set by an invoice that links to the time activity."));
        }
        other => {
            return Err(Fault::unsupported("BillableStatus", &format!("has no value {other}")));
        }
    }
    let day = field::day(&record, "TxnDate")?.map_or_else(today, |day| day.to_string());
    record.insert("TxnDate".to_owned(), json!(day));
    record.insert("HourlyRate".to_owned(), money::number(rate.unwrap_or_default()));
    record.entry("BillableStatus").or_insert_with(|| json!("NotBillable"));
    record.entry("Taxable").or_insert_with(|| json!(false));
    Ok(record)
}

/// Hours and minutes, or start and end.
fn duration(record: &Fields) -> Result<(), Fault> {
    let (hours, minutes) = (whole(record, "Hours")?, whole(record, "Minutes")?);
    let (start, end) = (clock(record, "StartTime")?, clock(record, "EndTime")?);
    match (start, end) {
        (Some(start), Some(end)) if start < end => Ok(()),
        (Some(_), Some(_)) => Err(Fault::business("EndTime must be after StartTime.")),
        (Some(_), None) => Err(Fault::missing("EndTime")),
        (None, Some(_)) => Err(Fault::missing("StartTime")),
        (None, None) if hours.is_none() && minutes.is_none() => Err(Fault::missing("Hours")),
        (None, None) => {
            let (hours, minutes) = (hours.unwrap_or(0), minutes.unwrap_or(0));
            if minutes > 59 || hours > MAX_HOURS || (hours == MAX_HOURS && minutes > 0) {
                return Err(Fault::invalid_number("Hours", &format!("{hours}:{minutes:02}")));
            }
            Ok(())
        }
    }
}

/// A whole number that is not negative: `1.5` hours are refused.
fn whole(record: &Fields, name: &str) -> Result<Option<u64>, Fault> {
    let number = field::figure(record, name, 0)?;
    number.map(|number| number.to_u64().ok_or_else(|| Fault::invalid_number(name, &number.to_string()))).transpose()
}

/// Local date and time; a zone is not looked at, as documented.
fn clock(record: &Fields, name: &str) -> Result<Option<jiff::civil::DateTime>, Fault> {
    let Some(text) = field::text(record, name, 40)? else {
        return Ok(None);
    };
    let local = text.get(..19).and_then(|local| local.parse().ok());
    local.map(Some).ok_or_else(|| Fault::unsupported(name, "is not a dateTime"))
}
