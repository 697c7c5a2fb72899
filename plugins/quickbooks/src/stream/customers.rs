//! Customers: `contact.created`, `contact.changed`, `contact.deleted`.

use sangam_sdk::prelude::*;

use super::{Entity, What, event_id, moment, version};
use crate::config::Config;

/// The types of events.
pub const TYPES: [&str; 3] = ["contact.created", "contact.changed", "contact.deleted"];

/// Customers.
pub const CUSTOMERS: Entity = Entity { name: "Customer", news, made_by_us: |_| false, event };

fn news(record: &Value) -> Vec<(&'static str, Value)> {
    let address = address_of(&record["BillAddr"]);
    vec![
        ("name", record["DisplayName"].clone()),
        ("first_name", record["GivenName"].clone()),
        ("last_name", record["FamilyName"].clone()),
        ("company", record["CompanyName"].clone()),
        ("email", record["PrimaryEmailAddr"]["Address"].clone()),
        ("phone", record["PrimaryPhone"]["FreeFormNumber"].clone()),
        ("mobile_phone", record["Mobile"]["FreeFormNumber"].clone()),
        ("street", address["street"].clone()),
        ("city", address["city"].clone()),
        ("state", address["state"].clone()),
        ("postal_code", address["postal_code"].clone()),
        ("country", address["country"].clone()),
        ("active", record["Active"].clone()),
    ]
}

/// An address of QuickBooks in our words; null where there is none.
pub fn address_of(address: &Value) -> Value {
    if !address.is_object() {
        return Value::Null;
    }
    json!({
        "street": address["Line1"], "city": address["City"], "state": address["CountrySubDivisionCode"],
        "postal_code": address["PostalCode"], "country": address["Country"],
    })
}

fn event(_: &Config, record: &Value, what: &What) -> Result<NewEvent, Failure> {
    let (id, changed_at) = version(record)?;
    let changed_at = moment::utc(&changed_at);
    // A customer is not deleted but made inactive, by a user's word that is the same.
    let kind = match what {
        What::Deleted => TYPES[2],
        _ if record["Active"] == false => TYPES[2],
        What::Created => TYPES[0],
        What::Changed(_) => TYPES[1],
    };
    let mut data = json!({
        "contact_id": id,
        "name": record["DisplayName"],
        "first_name": record["GivenName"],
        "last_name": record["FamilyName"],
        "email": record["PrimaryEmailAddr"]["Address"],
        "phone": record["PrimaryPhone"]["FreeFormNumber"],
        "mobile_phone": record["Mobile"]["FreeFormNumber"],
        "title": record["Title"],
        "company": record["CompanyName"].as_str().map(|name| json!({ "name": name })),
        "address": address_of(&record["BillAddr"]),
        "updated_at": changed_at,
        "version": record["SyncToken"],
        "origin": { "system": "quickbooks" },
    });
    if let What::Changed(fields) = what {
        data["changed"] = fields.clone().into();
    }
    Ok(NewEvent::new(kind, data)?.id(event_id(record, &id, &changed_at)).subject(id).time(changed_at))
}
