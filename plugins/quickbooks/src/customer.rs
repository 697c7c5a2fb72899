//! Customers, found by id, name or e-mail address, or created.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{quote, read, select, write, written},
    fault::{self, DUPLICATE_NAME, ok},
};

pub const ENTITY: &str = "Customer";
/// Name of the write.
const WRITE: &str = "customer";

/// A customer by `id`; or by `display_name`, else `email`, and created if there is none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerRef {
    /// Id in QuickBooks; then nothing else is looked at.
    pub id: Option<String>,
    /// Unique among customers, vendors and employees. Needed to create the customer.
    pub display_name: Option<String>,
    /// Finds the customer where nobody has the name and exactly one customer has the address.
    pub email: Option<String>,
    /// For a customer that is created.
    pub phone: Option<String>,
}

/// Finds the customer of that name, else the only one with that e-mail address, else creates one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindOrCreateCustomer {
    /// Unique among customers, vendors and employees.
    pub display_name: String,
    /// Of a new customer, and to find one that has another name.
    pub email: Option<String>,
    /// Of a new customer.
    pub phone: Option<String>,
}

/// The customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// Id in QuickBooks.
    customer_id: String,
    /// As QuickBooks has it.
    display_name: String,
    /// As QuickBooks has it.
    email: Option<String>,
    /// Whether it was created by this call.
    created: bool,
}

/// A customer as QuickBooks has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Customer {
    pub id: String,
    #[serde(default)]
    display_name: String,
    primary_email_addr: Option<Address>,
    #[serde(skip)]
    created: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Address {
    address: Option<String>,
}

impl Customer {
    /// Where invoices go that say nothing else.
    pub fn email(&self) -> Option<&str> {
        self.primary_email_addr.as_ref()?.address.as_deref()
    }
}

pub fn find_or_create_customer(input: FindOrCreateCustomer, cx: &Cx) -> Result<Found, Failure> {
    let wanted = CustomerRef { id: None, display_name: Some(input.display_name), email: input.email, phone: input.phone };
    let customer = wanted.find_or_create(cx)?;
    Ok(Found {
        email: customer.email().map(str::to_owned),
        customer_id: customer.id,
        display_name: customer.display_name,
        created: customer.created,
    })
}

impl CustomerRef {
    /// The customer, new or not.
    pub fn find_or_create(&self, cx: &Cx) -> Result<Customer, Failure> {
        if let Some(id) = &self.id {
            return read(cx, ENTITY, id)?.ok_or_else(|| Failure::rejected(format!("QuickBooks has no customer {id}")));
        }
        if let Some(found) = self.named(cx)? {
            return Ok(found);
        }
        if let Some(found) = self.addressed(cx)? {
            return Ok(found);
        }
        self.create(cx)
    }

    fn named(&self, cx: &Cx) -> Result<Option<Customer>, Failure> {
        let Some(name) = self.display_name() else {
            return Ok(None);
        };
        let found = select(cx, ENTITY, &format!("WHERE DisplayName = {}", quote(name)))?;
        Ok(found.into_iter().next())
    }

    /// The only customer with the address. Of several no one knows which is meant.
    fn addressed(&self, cx: &Cx) -> Result<Option<Customer>, Failure> {
        let Some(email) = self.email.as_deref().filter(|email| !email.is_empty()) else {
            return Ok(None);
        };
        let rest = format!("WHERE PrimaryEmailAddr = {} MAXRESULTS 2", quote(email));
        let mut found: Vec<Customer> = select(cx, ENTITY, &rest)?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ if self.display_name().is_some() => Ok(None),
            _ => Err(Failure::rejected("Several customers have this e-mail address: say which by `id` or `display_name`")),
        }
    }

    fn create(&self, cx: &Cx) -> Result<Customer, Failure> {
        let Some(name) = self.display_name() else {
            return Err(Failure::rejected("No such customer; to create one it needs a `display_name`"));
        };
        let mut body = json!({ "DisplayName": name });
        if let Some(email) = &self.email {
            body["PrimaryEmailAddr"] = json!({ "Address": email });
        }
        if let Some(phone) = &self.phone {
            body["PrimaryPhone"] = json!({ "FreeFormNumber": phone });
        }
        let response = write(cx, ENTITY, WRITE, &cx.key(WRITE), &body).send()?;
        if fault::code(&response).as_deref() == Some(DUPLICATE_NAME) {
            // Someone else created it since we looked; or a vendor or an employee has the name.
            if let Some(found) = self.named(cx)? {
                return Ok(found);
            }
        }
        let customer: Customer = written(ok(response)?, ENTITY)?;
        log::info("created a customer", &[("customer", &customer.id)]);
        Ok(Customer { created: true, ..customer })
    }

    /// Without the blanks that QuickBooks drops.
    fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }
}
