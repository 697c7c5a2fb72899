//! Action `update-customer`.

use sangam_sdk::{path::fill, prelude::*};

use crate::{
    Cx,
    client::{list, write},
    config::Method,
    job::Address,
    shape::{text, theirs},
};

/// Name of the write.
const WRITE: &str = "customer";

/// Keeps a customer like a contact of another system. It is named by the system's id, or found by our id of it or its e-mail address, as the configuration's look-up says;
/// where there is none it is created. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCustomer {
    /// The system's id.
    #[serde(skip_serializing)]
    customer_id: Option<String>,
    /// Our id of it.
    external_id: Option<String>,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    mobile_phone: Option<String>,
    address: Option<Address>,
    /// Whether a customer that is not there is created.
    #[serde(default = "yes", skip_serializing)]
    create: bool,
}

/// The customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedCustomer {
    /// The system's id; null where there is none and none was to be created.
    customer_id: Option<String>,
    /// Whether this attempt made it.
    created: bool,
}

fn yes() -> bool {
    true
}

pub fn update_customer(input: UpdateCustomer, cx: &Cx) -> Result<UpdatedCustomer, Failure> {
    let customers = &cx.config.customers;
    let customer_id = match &input.customer_id {
        Some(id) => Some(id.clone()),
        None => find(&input, cx)?,
    };
    let body = Value::Object(theirs(&serde_json::to_value(&input)?, &customers.fields));
    match customer_id {
        Some(id) => {
            let path = fill(&customers.record_path, &[("customer_id", &id)])?;
            write(&cx.config, customers.update_method, &path, WRITE, &body)?;
            log::info("changed a customer", &[("customer", &id)]);
            Ok(UpdatedCustomer { customer_id: Some(id), created: false })
        }
        None if !input.create => Ok(UpdatedCustomer { customer_id: None, created: false }),
        None => {
            let answer = write(&cx.config, Method::Post, &customers.path, "new-customer", &body)?;
            let id = text(&answer["id"]);
            log::info("created a customer", &[("customer", &id.as_deref().unwrap_or_default())]);
            Ok(UpdatedCustomer { customer_id: id, created: true })
        }
    }
}

/// The system's id of the customer that the look-up finds.
fn find(input: &UpdateCustomer, cx: &Cx) -> Result<Option<String>, Failure> {
    let lookup = cx.config.customers.lookup.as_ref();
    let lookup = lookup.ok_or_else(|| Failure::rejected("Give `customer_id`: the configuration has no `customers.lookup`"))?;
    let given = [("external_id", input.external_id.as_deref()), ("email", input.email.as_deref())];
    let given: Vec<(&str, &str)> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if given.is_empty() {
        return Err(Failure::rejected("Give `customer_id`, `external_id` or `email`"));
    }
    let found = list(&cx.config, &fill(&lookup.path, &given)?, &lookup.list)?;
    Ok(found.first().and_then(|customer| text(&customer["id"])))
}
