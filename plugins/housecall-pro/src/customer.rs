//! Customers and their addresses, and the action `update-customer`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{get, page, record, text, write},
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

/// For whom a job is: by `id`, else by e-mail address, else by name; created if there is none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Housecall Pro's id.
    pub id: Option<String>,
    /// Of a company, or first and last name of a person.
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub address: Option<Address>,
}

/// Keeps a customer like a contact of another system: found by `customer_id`, by what `external_id` was written to first, by e-mail address or by name; created where there is none. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCustomer {
    /// The contact's id in the other system.
    external_id: Option<String>,
    /// Housecall Pro's id.
    customer_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    /// The mobile number.
    phone: Option<String>,
    address: Option<Address>,
    /// Whether a customer that is not there is created.
    #[serde(default = "yes")]
    create: bool,
}

/// The customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedCustomer {
    /// Housecall Pro's id; null where there is none and none was to be created.
    customer_id: Option<String>,
    /// Whether this attempt made it.
    created: bool,
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
    let person = [input.first_name.as_deref(), input.last_name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = input.company.clone().or_else(|| (!person.is_empty()).then_some(person));
    let wanted = Customer {
        id: input.customer_id.clone().or(linked),
        name,
        email: input.email.clone(),
        phone: None,
        address: input.address.clone(),
    };
    let fields = [
        ("first_name", &input.first_name),
        ("last_name", &input.last_name),
        ("company", &input.company),
        ("email", &input.email),
        ("mobile_number", &input.phone),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let (id, created) = match wanted.find(cx)? {
        Some(customer) => {
            let id = text(&customer["id"]).unwrap_or_default();
            let changes: Value = given
                .filter(|(name, value)| customer[*name] != *value)
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            if changes.as_object().is_some_and(|changes| !changes.is_empty()) {
                write(&cx.config, "PUT", &format!("customers/{}", encode(&id)), "customer", &changes)?;
            }
            (id, false)
        }
        None if !input.create => return Ok(UpdatedCustomer { customer_id: None, created: false }),
        None => {
            let mut body: Value =
                given.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<serde_json::Map<_, _>>().into();
            if let Some(at) = &input.address {
                body["addresses"] = json!([address(at)]);
            }
            let made = write(&cx.config, "POST", "customers", "new-customer", &body)?;
            (text(&made["id"]).ok_or_else(|| Failure::rejected("Housecall Pro made a customer without an id"))?, true)
        }
    };
    if let Some(link) = link {
        kv::set(&link, &id)?;
    }
    for (name, value) in fields {
        if let Some(value) = value {
            let name = if name == "mobile_number" { "phone" } else { name };
            echo::wrote("customer", &id, [(name, &value.as_str().into())])?;
        }
    }
    log::info("kept a customer", &[("customer", &id)]);
    Ok(UpdatedCustomer { customer_id: Some(id), created })
}

impl Customer {
    /// The customer, if there is one.
    pub fn find(&self, cx: &Cx) -> Result<Option<Value>, Failure> {
        if let Some(id) = &self.id {
            let found = record(&cx.config, &format!("customers/{}", encode(id)))?;
            return found.map(Some).ok_or_else(|| Failure::rejected(format!("Housecall Pro has no customer {id}")));
        }
        for (term, by_email) in [(&self.email, true), (&self.name, false)] {
            let Some(term) = term.as_deref().filter(|term| !term.is_empty()) else { continue };
            let (found, _) = page(get(&cx.config, "customers").query("q", term).query("page_size", 50), "customers")?;
            // A search finds what is like it, too.
            let same = |customer: &Value| {
                let is = |value: &Value| value.as_str().is_some_and(|own| own.eq_ignore_ascii_case(term));
                if by_email {
                    is(&customer["email"])
                } else {
                    is(&customer["company"]) || full_name(customer).is_some_and(|name| name.eq_ignore_ascii_case(term))
                }
            };
            if let Some(customer) = found.into_iter().find(same) {
                return Ok(Some(customer));
            }
        }
        Ok(None)
    }

    /// Creates the customer. One name is a company's, unless it has several words and an address of a person's: then nobody knows, and a company's does no harm.
    pub fn create(&self, cx: &Cx) -> Result<Value, Failure> {
        let name =
            self.name.as_deref().ok_or_else(|| Failure::rejected("Housecall Pro has no such customer; to create one it needs a `name`"))?;
        let mut body = json!({ "company": name, "email": self.email, "mobile_number": self.phone });
        if let Some(at) = &self.address {
            body["addresses"] = json!([address(at)]);
        }
        let made = write(&cx.config, "POST", "customers", "new-customer", &body)?;
        if made["id"].is_string() { Ok(made) } else { Err(Failure::rejected("Housecall Pro made a customer without an id")) }
    }

    /// Id of the address where the work is: the one with that street, else, where no street is said, the customer's first; made if there is none.
    pub fn place(&self, customer: &Value, at: Option<&Address>, cx: &Cx) -> Result<String, Failure> {
        let at = at.or(self.address.as_ref());
        let street = at.and_then(|at| at.street.as_deref());
        let same =
            |place: &&Value| street.is_none_or(|street| place["street"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(street)));
        if let Some(id) = customer["addresses"].as_array().into_iter().flatten().find(same).and_then(|place| text(&place["id"])) {
            return Ok(id);
        }
        let Some(at) = at.filter(|at| at.street.is_some()) else {
            return Err(Failure::rejected("The customer has no address: say where the work is, with `address.street`"));
        };
        let path = format!("customers/{}/addresses", encode(customer["id"].as_str().unwrap_or_default()));
        let made = write(&cx.config, "POST", &path, "address", &address(at))?;
        text(&made["id"]).ok_or_else(|| Failure::rejected("Housecall Pro made an address without an id"))
    }
}

/// First and last name.
pub fn full_name(person: &Value) -> Option<String> {
    let name = [person["first_name"].as_str(), person["last_name"].as_str()]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    (!name.is_empty()).then_some(name)
}

fn address(at: &Address) -> Value {
    json!({ "street": at.street, "city": at.city, "state": at.state, "zip": at.postal_code, "country": at.country })
}
