//! Action `update-customer`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{quote, read, select, taken, write, written},
    customer::ENTITY,
    fault::{self, DUPLICATE_NAME, ok},
    stream::customers::address_of,
};

/// Name of the write.
const WRITE: &str = "customer";

/// Keeps a customer like a contact of another system. It is known by `external_id`, which is remembered with the customer it was first written to; before that it is found by
/// `customer_id`, `display_name` or, if only one has it, `email`; where there is none it is created. What is not given stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCustomer {
    /// The contact's id in the other system.
    external_id: Option<String>,
    /// Id in QuickBooks.
    customer_id: Option<String>,
    /// Unique among customers, vendors and employees; needed to create one.
    display_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    mobile_phone: Option<String>,
    address: Option<Address>,
    /// Whether a customer that is not there is created.
    #[serde(default = "yes")]
    create: bool,
}

/// Where bills go.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// The customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedCustomer {
    /// Id in QuickBooks; null where there is none and none was to be created.
    customer_id: Option<String>,
    display_name: Option<String>,
    /// Whether this attempt made it.
    created: bool,
    /// Whether anything was to be changed.
    changed: bool,
}

fn yes() -> bool {
    true
}

pub fn update_customer(input: UpdateCustomer, cx: &Cx) -> Result<UpdatedCustomer, Failure> {
    let link = input.external_id.as_ref().map(|id| format!("customer/{}", encode(id)));
    let linked = match &link {
        Some(link) => kv::get(link)?.map(|id| String::from_utf8_lossy(&id).into_owned()),
        None => None,
    };
    let present = input.find(linked.or(input.customer_id.clone()), cx)?;
    let body = input.body(present.as_ref());
    let Some(present) = present else {
        if !input.create {
            return Ok(UpdatedCustomer { customer_id: None, display_name: None, created: false, changed: false });
        }
        if input.display_name.is_none() {
            return Err(Failure::rejected("QuickBooks has no such customer; to create one it needs a `display_name`"));
        }
        let response = write(cx, ENTITY, WRITE, &cx.key(WRITE), &body).send()?;
        if fault::code(&response).as_deref() == Some(DUPLICATE_NAME) {
            // A vendor or an employee has the name; or somebody made the customer just now, and the next attempt finds it.
            let failure = ok(response).err().unwrap_or_else(|| Failure::retry("The name is taken"));
            let vendor_or_employee = input.find(None, cx)?.is_none();
            return Err(if vendor_or_employee { failure } else { Failure::retry(failure.reason) });
        }
        let created: Value = written(ok(response)?, ENTITY)?;
        return finish(&created, link, true, true);
    };
    if body.as_object().is_none_or(|changes| changes.is_empty()) {
        return finish(&present, link, false, false);
    }
    let mut body = body;
    let token = present["SyncToken"].as_str().unwrap_or_default().to_owned();
    body["Id"] = present["Id"].clone();
    body["SyncToken"] = present["SyncToken"].clone();
    body["sparse"] = true.into();
    // The version is part of the request's identity: after 5010 the next attempt asks anew, with the present version.
    let response = write(cx, ENTITY, WRITE, &format!("{}-{token}", cx.key(WRITE)), &body).send()?;
    finish(&written(ok(response)?, ENTITY)?, link, false, true)
}

fn finish(customer: &Value, link: Option<String>, created: bool, changed: bool) -> Result<UpdatedCustomer, Failure> {
    let text = |name: &str| customer[name].as_str().map(str::to_owned);
    let id = text("Id").ok_or_else(|| Failure::rejected("QuickBooks answered with a customer that has no Id"))?;
    if let Some(link) = link {
        kv::set(&link, &id)?;
    }
    log::info("kept a customer", &[("customer", &id)]);
    Ok(UpdatedCustomer { customer_id: Some(id), display_name: text("DisplayName"), created, changed })
}

impl UpdateCustomer {
    fn find(&self, id: Option<String>, cx: &Cx) -> Result<Option<Value>, Failure> {
        if let Some(id) = id {
            let found: Option<Value> = read(cx, ENTITY, &id)?;
            if found.as_ref().is_some_and(|found| !found["Id"].is_string()) {
                return Err(Failure::rejected("QuickBooks answered with a customer that has no Id"));
            }
            return found.map(Some).ok_or_else(|| Failure::rejected(format!("QuickBooks has no customer {id}")));
        }
        if let Some(name) = self.display_name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            let found: Vec<Value> = select(cx, ENTITY, &format!("WHERE DisplayName = {}", quote(name)))?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(found));
            }
        }
        let Some(email) = self.email.as_deref().filter(|email| !email.is_empty()) else {
            return Ok(None);
        };
        let mut found: Vec<Value> = select(cx, ENTITY, &format!("WHERE PrimaryEmailAddr = {} MAXRESULTS 2", quote(email)))?;
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// What is to be written: what is given and not there already.
    fn body(&self, present: Option<&Value>) -> Value {
        let mut body = json!({});
        let mut put = |field: &str, pointer: &str, given: &Option<String>| {
            let Some(given) = given else { return };
            let is = present.and_then(|present| present.pointer(pointer)).and_then(Value::as_str).unwrap_or_default();
            if is != given.trim() {
                let inner = pointer.trim_start_matches('/').split_once('/').map(|(_, inner)| inner);
                body[field] = inner.map_or_else(|| json!(given.trim()), |inner| json!({ inner: given.trim() }));
            }
        };
        put("DisplayName", "/DisplayName", &self.display_name);
        put("GivenName", "/GivenName", &self.first_name);
        put("FamilyName", "/FamilyName", &self.last_name);
        put("CompanyName", "/CompanyName", &self.company);
        put("PrimaryEmailAddr", "/PrimaryEmailAddr/Address", &self.email);
        put("PrimaryPhone", "/PrimaryPhone/FreeFormNumber", &self.phone);
        put("Mobile", "/Mobile/FreeFormNumber", &self.mobile_phone);
        if let Some(address) = &self.address {
            let mut bill = present.map_or(Value::Null, |present| present["BillAddr"].clone());
            let there = address_of(&bill);
            let mut changed = false;
            for (given, ours, theirs) in [
                (&address.street, "street", "Line1"),
                (&address.city, "city", "City"),
                (&address.state, "state", "CountrySubDivisionCode"),
                (&address.postal_code, "postal_code", "PostalCode"),
                (&address.country, "country", "Country"),
            ] {
                if let Some(given) = given.as_deref().filter(|given| there[ours].as_str().unwrap_or_default() != *given) {
                    if !bill.is_object() {
                        bill = json!({});
                    }
                    bill[theirs] = given.into();
                    changed = true;
                }
            }
            if changed {
                // A part of the address is not written without the others; its Id would make it somebody else's.
                let _ = taken(&mut bill, "/Id");
                if let Some(parts) = bill.as_object_mut() {
                    parts.retain(|_, part| !part.is_null());
                }
                body["BillAddr"] = bill;
            }
        }
        body
    }
}
