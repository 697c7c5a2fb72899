//! Customers, vendors and employees: one list of names.

use serde_json::{Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};

const PARTS: [&str; 5] = ["Title", "GivenName", "MiddleName", "FamilyName", "Suffix"];
const MAX_NAME: usize = 500;
const MAX_PART: usize = 100;

/// Checks a record and completes it.
pub(super) fn prepare(company: &Company, entity: Entity, mut record: Fields, id: Option<&str>) -> Result<Fields, Fault> {
    let mut parts = Vec::new();
    for part in PARTS {
        parts.extend(field::text(&record, part, MAX_PART)?.map(str::to_owned));
    }
    let given = field::text(&record, "DisplayName", MAX_NAME)?.map(|name| name.trim().to_owned());
    let needed = if entity == Entity::Employee { "GivenName or FamilyName" } else { "DisplayName" };
    let mut name = match given {
        Some(name) if !name.is_empty() && (entity != Entity::Employee || !parts.is_empty()) => name,
        _ if !parts.is_empty() => parts.join(" "),
        _ => return Err(Fault::missing(needed)),
    };
    if name.contains([':', '\t', '\n']) {
        return Err(Fault::invalid_text("DisplayName"));
    }
    field::email(&record, "PrimaryEmailAddr")?;
    let active = record.get("Active") != Some(&Value::Bool(false));
    if !active && !name.ends_with(" (deleted)") {
        // Frees the name: what QuickBooks does to a record that is made inactive.
        name.push_str(" (deleted)");
    }
    if company.named(entity, &name).is_some_and(|(of, holder)| (*of, Some(holder.as_str())) != (entity, id)) {
        return Err(Fault::duplicate_name());
    }
    record.insert("DisplayName".to_owned(), json!(name));
    record.entry("PrintOnCheckName").or_insert_with(|| json!(name));
    record.insert("Active".to_owned(), json!(active));
    match entity {
        Entity::Customer => {
            record.insert("FullyQualifiedName".to_owned(), json!(name));
            for (field, otherwise) in [
                ("Taxable", json!(true)),
                ("Job", json!(false)),
                ("BillWithParent", json!(false)),
                ("Balance", json!(0)),
                ("BalanceWithJobs", json!(0)),
                ("CurrencyRef", json!({ "value": "USD", "name": "United States Dollar" })),
                ("PreferredDeliveryMethod", json!("None")),
                ("IsProject", json!(false)),
            ] {
                record.entry(field).or_insert(otherwise);
            }
        }
        Entity::Vendor => {
            record.entry("Balance").or_insert_with(|| json!(0));
            record.entry("Vendor1099").or_insert_with(|| json!(false));
        }
        _ => {
            record.entry("BillableTime").or_insert_with(|| json!(false));
        }
    }
    Ok(record)
}
