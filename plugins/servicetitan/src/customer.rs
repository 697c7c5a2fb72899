//! Customers and their locations.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{get, id, list, write},
};

/// An address.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// For whom a job is: by `id`, else by exactly that name; created if there is none.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// ServiceTitan's id of the customer.
    id: Option<String>,
    /// ServiceTitan's id of the location; by default the customer's first.
    location_id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<Address>,
}

impl Customer {
    /// Ids of the customer and of the location.
    pub fn find_or_create(&self, at: Option<&Address>, cx: &Cx) -> Result<(u64, u64), Failure> {
        let at = at.or(self.address.as_ref());
        let customer = match (&self.id, &self.name) {
            (Some(id), _) => Some(number("customer.id", id)?),
            (None, Some(name)) => {
                let found = list(get(&cx.config, "crm", "customers").query("name", name))?;
                found.iter().find(|customer| customer["name"] == name.as_str()).and_then(|customer| customer["id"].as_u64())
            }
            (None, None) => return Err(Failure::rejected("Give the customer's `id` or `name`")),
        };
        match customer {
            Some(customer) => Ok((customer, self.location(customer, at, cx)?)),
            None => self.create(at, cx),
        }
    }

    fn location(&self, customer: u64, at: Option<&Address>, cx: &Cx) -> Result<u64, Failure> {
        if let Some(id) = &self.location_id {
            return number("customer.location_id", id);
        }
        let found = list(get(&cx.config, "crm", "locations").query("customerId", customer))?;
        let street = at.and_then(|at| at.street.as_deref());
        let same = |location: &&Value| {
            street.is_none_or(|street| location["address"]["street"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(street)))
        };
        if let Some(id) = found.iter().find(same).and_then(|location| location["id"].as_u64()) {
            return Ok(id);
        }
        let at = address(at)?;
        let name = self.name.clone().unwrap_or_else(|| at["street"].as_str().unwrap_or_default().to_owned());
        let body = json!({ "customerId": customer, "name": name, "address": at });
        let made = write(&cx.config, "POST", "crm", "locations", "location", &body)?;
        made["id"].as_u64().ok_or_else(|| Failure::rejected("ServiceTitan made a location without an id"))
    }

    fn create(&self, at: Option<&Address>, cx: &Cx) -> Result<(u64, u64), Failure> {
        let at = address(at)?;
        let contacts = [("Email", &self.email), ("Phone", &self.phone)];
        let contacts: Vec<Value> =
            contacts.into_iter().filter_map(|(kind, value)| Some(json!({ "type": kind, "value": value.as_ref()? }))).collect();
        let body = json!({ "name": self.name, "address": at, "locations": [{ "name": self.name, "address": at }], "contacts": contacts });
        let made = write(&cx.config, "POST", "crm", "customers", "customer", &body)?;
        let ids = made["id"].as_u64().zip(made["locations"][0]["id"].as_u64());
        log::info("created a customer", &[("customer", &id(&made["id"]).unwrap_or_default())]);
        ids.ok_or_else(|| Failure::rejected("ServiceTitan made a customer without ids of itself and its location"))
    }
}

fn address(at: Option<&Address>) -> Result<Value, Failure> {
    let at = at.filter(|at| at.street.is_some()).ok_or_else(|| Failure::rejected("Say where the work is, with `address.street`"))?;
    Ok(json!({ "street": at.street, "city": at.city, "state": at.state, "zip": at.postal_code, "country": at.country }))
}

/// An id of theirs, which is a number.
pub fn number(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::rejected(format!("`{name}` is no id of ServiceTitan, which are numbers: {text}")))
}
