//! Items: what invoices sell.

use serde_json::{Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};

const MAX_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 4000;

/// Checks an item and completes it.
pub(super) fn prepare(company: &Company, mut record: Fields, id: Option<&str>) -> Result<Fields, Fault> {
    let name = field::text(&record, "Name", MAX_NAME)?.ok_or_else(|| Fault::missing("Name"))?.trim().to_owned();
    if name.contains([':', '\t', '\n']) {
        return Err(Fault::invalid_text("Name"));
    }
    if company.named(Entity::Item, &name).is_some_and(|(_, holder)| Some(holder.as_str()) != id) {
        return Err(Fault::duplicate_name());
    }
    let of_type = field::text(&record, "Type", 20)?.unwrap_or("Service").to_owned();
    if !matches!(of_type.as_str(), "Service" | "NonInventory" | "Inventory") {
        return Err(Fault::unsupported("Type", &format!("has no value {of_type}")));
    }
    field::text(&record, "Description", MAX_DESCRIPTION)?;
    field::figure(&record, "UnitPrice", 7)?;
    if field::refer(company, &mut record, "IncomeAccountRef", Entity::Account)?.is_none() {
        return Err(Fault::missing("IncomeAccountRef"));
    }
    field::refer(company, &mut record, "ExpenseAccountRef", Entity::Account)?;
    if of_type == "Inventory" {
        for needed in ["AssetAccountRef", "ExpenseAccountRef", "QtyOnHand", "InvStartDate"] {
            if record.get(needed).is_none_or(Value::is_null) {
                return Err(Fault::missing(needed));
            }
        }
    }
    record.insert("Name".to_owned(), json!(name));
    record.insert("FullyQualifiedName".to_owned(), json!(name));
    record.insert("Type".to_owned(), json!(of_type));
    for (field, otherwise) in [
        ("Active", json!(true)),
        ("Taxable", json!(false)),
        ("UnitPrice", json!(0)),
        ("PurchaseCost", json!(0)),
        ("TrackQtyOnHand", json!(of_type == "Inventory")),
    ] {
        record.entry(field).or_insert(otherwise);
    }
    Ok(record)
}
