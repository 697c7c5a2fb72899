//! Action `client-context`.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

use crate::{
    case::{self, Case, CaseKey},
    client::{first, query, quoted, text},
    config::{Config, FieldName},
};

/// Open cases in a context; the newest.
const OPEN_CASES: u32 = 20;

/// Reads what a technician needs to know before a visit: who the client is, how they want to be treated, what the contract
/// promises, and what else is open. Ask by one of the three; by account there is no contact and there are no preferences.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientContextInput {
    /// Your id of the contact.
    contact_external_id: Option<String>,
    /// Your id of the account.
    account_external_id: Option<String>,
    /// Salesforce id of a case: its contact and account.
    case_id: Option<String>,
}

/// A client.
#[derive(Serialize, JsonSchema)]
pub struct ClientContext {
    account: Option<Account>,
    contact: Option<Contact>,
    /// `do_not_call`, `email_opt_out`, and the configured `preference-fields` by API name; null without a contact.
    preferences: Option<BTreeMap<String, Value>>,
    /// The contract in force that began last.
    contract: Option<Contract>,
    /// The account's, or without an account the contact's; at most 20, newest first.
    open_cases: Vec<Case>,
}

/// A company.
#[derive(Serialize, JsonSchema)]
struct Account {
    account_id: String,
    name: Option<String>,
    phone: Option<String>,
    billing_street: Option<String>,
    billing_city: Option<String>,
    billing_postal_code: Option<String>,
    billing_country: Option<String>,
}

/// A person.
#[derive(Serialize, JsonSchema)]
struct Contact {
    contact_id: String,
    name: Option<String>,
    title: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    mobile_phone: Option<String>,
}

/// What was promised.
#[derive(Serialize, JsonSchema)]
struct Contract {
    contract_id: String,
    contract_number: Option<String>,
    /// RFC 3339 date.
    start_date: Option<String>,
    /// RFC 3339 date.
    end_date: Option<String>,
    description: Option<String>,
    special_terms: Option<String>,
    /// The configured `contract-fields` by API name.
    fields: BTreeMap<String, Value>,
}

pub fn client_context(input: ClientContextInput, cx: &Context<Config>) -> Result<ClientContext, Failure> {
    let config = &cx.config;
    let ClientContextInput { contact_external_id, account_external_id, case_id } = input;
    let (contact, account_id) = match (contact_external_id, account_external_id, case_id) {
        (Some(id), None, None) => {
            let contact = contact(cx, &config.contact_external_id_field.to_string(), &id)?;
            let account_id = text(&contact, "AccountId");
            (Some(contact), account_id)
        }
        (None, Some(id), None) => {
            let condition = format!("{} = {}", config.account_external_id_field, quoted(&id));
            let account = the(cx, "Id", "Account", &condition)?;
            (None, text(&account, "Id"))
        }
        (None, None, Some(id)) => {
            let case = case::find(cx, &CaseKey::Id(id))?;
            let contact = case.contact_id.map(|id| contact(cx, "Id", &id)).transpose()?;
            let of_contact = contact.as_ref().and_then(|contact| text(contact, "AccountId"));
            (contact, case.account_id.or(of_contact))
        }
        _ => {
            let reason = "Give one of `contact_external_id`, `account_external_id` and `case_id`, the others null or not at all";
            return Err(Failure::rejected(reason));
        }
    };
    let of = match (&account_id, &contact) {
        (Some(id), _) => Some(format!("AccountId = {}", quoted(id))),
        (None, Some(contact)) => text(contact, "Id").map(|id| format!("ContactId = {}", quoted(&id))),
        (None, None) => None,
    };
    Ok(ClientContext {
        account: account_id.as_deref().map(|id| account(cx, id)).transpose()?,
        preferences: contact.as_ref().map(|contact| preferences(contact, config)),
        contact: contact.as_ref().map(Contact::of),
        contract: account_id.as_deref().map(|id| contract(cx, id)).transpose()?.flatten(),
        open_cases: of.map(|of| open_cases(cx, &of)).transpose()?.unwrap_or_default(),
    })
}

fn account(cx: &Context<Config>, id: &str) -> Result<Account, Failure> {
    let fields = "Id, Name, Phone, BillingStreet, BillingCity, BillingPostalCode, BillingCountry";
    let record = the(cx, fields, "Account", &format!("Id = {}", quoted(id)))?;
    Ok(Account {
        account_id: id.to_owned(),
        name: text(&record, "Name"),
        phone: text(&record, "Phone"),
        billing_street: text(&record, "BillingStreet"),
        billing_city: text(&record, "BillingCity"),
        billing_postal_code: text(&record, "BillingPostalCode"),
        billing_country: text(&record, "BillingCountry"),
    })
}

fn contact(cx: &Context<Config>, field: &str, value: &str) -> Result<Value, Failure> {
    let standard = "Id, AccountId, Name, Title, Email, Phone, MobilePhone, DoNotCall, HasOptedOutOfEmail";
    let fields = select(standard, &cx.config.preference_fields);
    the(cx, &fields, "Contact", &format!("{field} = {}", quoted(value)))
}

impl Contact {
    fn of(record: &Value) -> Self {
        Self {
            contact_id: text(record, "Id").unwrap_or_default(),
            name: text(record, "Name"),
            title: text(record, "Title"),
            email: text(record, "Email"),
            phone: text(record, "Phone"),
            mobile_phone: text(record, "MobilePhone"),
        }
    }
}

fn preferences(contact: &Value, config: &Config) -> BTreeMap<String, Value> {
    let mut preferences = named(contact, &config.preference_fields);
    preferences.insert("do_not_call".to_owned(), contact["DoNotCall"].clone());
    preferences.insert("email_opt_out".to_owned(), contact["HasOptedOutOfEmail"].clone());
    preferences
}

fn contract(cx: &Context<Config>, account_id: &str) -> Result<Option<Contract>, Failure> {
    let standard = "Id, ContractNumber, StartDate, EndDate, Description, SpecialTerms";
    let fields = select(standard, &cx.config.contract_fields);
    let soql = format!(
        "SELECT {fields} FROM Contract WHERE AccountId = {} AND Status = {} ORDER BY StartDate DESC LIMIT 1",
        quoted(account_id),
        quoted(&cx.config.contract_status)
    );
    Ok(first(cx, &soql)?.map(|record| Contract {
        contract_id: text(&record, "Id").unwrap_or_default(),
        contract_number: text(&record, "ContractNumber"),
        start_date: text(&record, "StartDate"),
        end_date: text(&record, "EndDate"),
        description: text(&record, "Description"),
        special_terms: text(&record, "SpecialTerms"),
        fields: named(&record, &cx.config.contract_fields),
    }))
}

fn open_cases(cx: &Context<Config>, of: &str) -> Result<Vec<Case>, Failure> {
    let fields = case::FIELDS;
    let soql = format!("SELECT {fields} FROM Case WHERE {of} AND IsClosed = false ORDER BY CreatedDate DESC LIMIT {OPEN_CASES}");
    Ok(query(cx, &soql)?.records.iter().map(Case::of).collect())
}

/// The first record of that condition; rejected if there is none.
fn the(cx: &Context<Config>, fields: &str, object: &str, condition: &str) -> Result<Value, Failure> {
    let found = first(cx, &format!("SELECT {fields} FROM {object} WHERE {condition} LIMIT 1"))?;
    found.ok_or_else(|| Failure::rejected(format!("Salesforce has no {object} with {condition}")))
}

fn select(standard: &str, further: &[FieldName]) -> String {
    further.iter().fold(standard.to_owned(), |fields, field| format!("{fields}, {field}"))
}

fn named(record: &Value, fields: &[FieldName]) -> BTreeMap<String, Value> {
    fields.iter().map(FieldName::to_string).map(|name| (name.clone(), record[&name].clone())).collect()
}
