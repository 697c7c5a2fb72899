//! Clients and their properties, the addresses where work is done; and the action `update-customer`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    graphql::{mutate, query, taken, text},
};

const SEARCH: &str = "query Clients($term: String!) { clients(searchTerm: $term, first: 20) { nodes { id name firstName lastName companyName emails { id address } phones { id number } clientProperties(first: 50) { nodes { id address { street1 city } } } } } }";
const READ: &str = "query Client($id: EncodedId!) { client(id: $id) { id name firstName lastName companyName emails { id address } phones { id number } clientProperties(first: 50) { nodes { id address { street1 city } } } } }";
const CREATE: &str = "mutation ClientCreate($input: ClientCreateInput!) { clientCreate(input: $input) { client { id name clientProperties(first: 50) { nodes { id address { street1 city } } } } userErrors { message path } } }";
const EDIT: &str = "mutation ClientEdit($clientId: EncodedId!, $input: ClientEditInput!) { clientEdit(clientId: $clientId, input: $input) { client { id name } userErrors { message path } } }";
const PROPERTY: &str = "mutation PropertyCreate($clientId: EncodedId!, $input: PropertyCreateInput!) { propertyCreate(clientId: $clientId, input: $input) { properties { id } userErrors { message path } } }";

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
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Jobber's id of the client.
    pub id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub address: Option<Address>,
}

/// Keeps a client like a contact of another system: found by `customer_id`, by what `external_id` was written to first, by e-mail address or by name; created where there is none. What
/// is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCustomer {
    /// The contact's id in the other system.
    external_id: Option<String>,
    /// Jobber's id.
    customer_id: Option<String>,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<Address>,
    /// Whether a client that is not there is created.
    #[serde(default = "yes")]
    create: bool,
}

/// The client.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedCustomer {
    /// Jobber's id; null where there is none and none was to be created.
    customer_id: Option<String>,
    /// Whether this attempt made it.
    created: bool,
}

fn yes() -> bool {
    true
}

pub fn update_customer(input: UpdateCustomer, cx: &Cx) -> Result<UpdatedCustomer, Failure> {
    let link = input.external_id.as_ref().map(|id| format!("client/{}", encode(id)));
    let linked = match &link {
        Some(link) => kv::get(link)?.map(|id| String::from_utf8_lossy(&id).into_owned()),
        None => None,
    };
    let name = input.name.clone().or_else(|| joined(&input.first_name, &input.last_name));
    let wanted = Customer {
        id: input.customer_id.clone().or(linked),
        name: name.clone(),
        email: input.email.clone(),
        phone: input.phone.clone(),
        address: input.address.clone(),
    };
    let found = wanted.find(cx)?;
    let (first, last) = (input.first_name.clone(), input.last_name.clone().or(name));
    let mut fields = json!({});
    for (field, value) in [("firstName", first), ("lastName", last), ("companyName", input.company.clone())] {
        if let Some(value) = value {
            fields[field] = value.into();
        }
    }
    let (id, created) = match found {
        Some(client) => {
            let id = text(&client["id"]).unwrap_or_default();
            change(&client, &id, &input, fields, cx)?;
            (id, false)
        }
        None if !input.create => return Ok(UpdatedCustomer { customer_id: None, created: false }),
        None => {
            let client = wanted.create(cx, fields)?;
            (text(&client["id"]).unwrap_or_default(), true)
        }
    };
    if let Some(link) = link {
        kv::set(&link, &id)?;
    }
    let mut told = json!({});
    for (field, value) in [
        ("name", &input.name),
        ("first_name", &input.first_name),
        ("last_name", &input.last_name),
        ("company", &input.company),
        ("email", &input.email),
        ("phone", &input.phone),
    ] {
        if let Some(value) = value {
            told[field] = value.as_str().into();
        }
    }
    echo::wrote("client", &id, told.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)))?;
    log::info("kept a client", &[("client", &id)]);
    Ok(UpdatedCustomer { customer_id: Some(id), created })
}

/// Changes a client where it differs. Addresses and numbers are records of their own: the first one is the main one.
fn change(client: &Value, id: &str, input: &UpdateCustomer, mut fields: Value, cx: &Cx) -> Result<(), Failure> {
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, value| client[name] != *value);
    }
    if let Some(email) = input.email.as_deref().filter(|email| !has(client, "emails", "address", email)) {
        match text(&client["emails"][0]["id"]) {
            Some(main) => fields["emailsToEdit"] = json!([{ "id": main, "address": email }]),
            None => fields["emailsToAdd"] = json!([{ "description": "MAIN", "primary": true, "address": email }]),
        }
    }
    if let Some(phone) = input.phone.as_deref().filter(|phone| !has(client, "phones", "number", phone)) {
        match text(&client["phones"][0]["id"]) {
            Some(main) => fields["phonesToEdit"] = json!([{ "id": main, "number": phone }]),
            None => fields["phonesToAdd"] = json!([{ "description": "MAIN", "primary": true, "number": phone }]),
        }
    }
    if fields.as_object().is_some_and(|fields| !fields.is_empty()) {
        mutate(&cx.config, "client", EDIT, "clientEdit", json!({ "clientId": id, "input": fields }))?;
    }
    Ok(())
}

fn has(client: &Value, list: &str, field: &str, wanted: &str) -> bool {
    client[list].as_array().into_iter().flatten().any(|item| item[field].as_str().is_some_and(|own| own.eq_ignore_ascii_case(wanted)))
}

fn joined(first: &Option<String>, last: &Option<String>) -> Option<String> {
    let name = [first.as_deref(), last.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

impl Customer {
    /// The client, if there is one.
    pub fn find(&self, cx: &Cx) -> Result<Option<Value>, Failure> {
        if let Some(id) = &self.id {
            let found = taken(&mut query(&cx.config, READ, json!({ "id": id }))?, "/client");
            return if found.is_null() { Err(Failure::rejected(format!("Jobber has no client {id}"))) } else { Ok(Some(found)) };
        }
        for (term, by_email) in [(&self.email, true), (&self.name, false)] {
            let Some(term) = term.as_deref().filter(|term| !term.is_empty()) else { continue };
            let mut found = query(&cx.config, SEARCH, json!({ "term": term }))?;
            let Value::Array(nodes) = taken(&mut found, "/clients/nodes") else {
                return Err(Failure::rejected("Jobber answered the search of clients without nodes"));
            };
            // A search finds what is like it, too.
            let same = |client: &Value| {
                if by_email { has(client, "emails", "address", term) } else { client["name"] == term || client["companyName"] == term }
            };
            if let Some(client) = nodes.into_iter().find(same) {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// Creates the client.
    pub fn create(&self, cx: &Cx, mut fields: Value) -> Result<Value, Failure> {
        if fields.as_object().is_none_or(|fields| fields.is_empty()) {
            let name = self.name.as_deref().ok_or_else(|| Failure::rejected("Jobber has no such client; to create one it needs a name"))?;
            fields = json!({ "companyName": name });
        }
        if let Some(email) = &self.email {
            fields["emails"] = json!([{ "description": "MAIN", "primary": true, "address": email }]);
        }
        if let Some(phone) = &self.phone {
            fields["phones"] = json!([{ "description": "MAIN", "primary": true, "number": phone }]);
        }
        let mut payload = mutate(&cx.config, "new-client", CREATE, "clientCreate", json!({ "input": fields }))?;
        Ok(taken(&mut payload, "/client"))
    }

    /// Id of the property where the work is: the one with that street, else, where no street is said, the client's first; made if there is none.
    pub fn property(&self, client: &Value, at: Option<&Address>, cx: &Cx) -> Result<String, Failure> {
        let at = at.or(self.address.as_ref());
        let street = at.and_then(|at| at.street.as_deref());
        let nodes = client["clientProperties"]["nodes"].as_array().cloned().unwrap_or_default();
        let same = |property: &&Value| {
            street.is_none_or(|street| property["address"]["street1"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(street)))
        };
        if let Some(id) = nodes.iter().find(same).and_then(|property| text(&property["id"])) {
            return Ok(id);
        }
        let Some(at) = at.filter(|at| at.street.is_some()) else {
            return Err(Failure::rejected("The client has no property: say where the work is, with `address.street`"));
        };
        let address = json!({
            "street1": at.street, "city": at.city, "province": at.state, "postalCode": at.postal_code, "country": at.country,
        });
        let input = json!({ "properties": [{ "address": address }] });
        let payload = mutate(&cx.config, "property", PROPERTY, "propertyCreate", json!({ "clientId": client["id"], "input": input }))?;
        text(&payload["properties"][0]["id"]).ok_or_else(|| Failure::rejected("Jobber made a property without an id"))
    }
}
