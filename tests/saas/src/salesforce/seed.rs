//! What the org holds before a test: a few customers with contracts and open cases.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::id::Id;
use super::org::Org;
use super::schema::Object;

/// The case statuses of a new org, and whether a case in one is closed.
pub const CASE_STATUSES: [(&str, bool); 4] = [("New", false), ("Working", false), ("Escalated", false), ("Closed", true)];

/// The seeded org.
pub fn seed(now: Timestamp) -> Org {
    let mut org = Org::new();
    let statuses = CASE_STATUSES.map(|(name, closed)| (name.to_owned(), closed));
    org.set_case_statuses(&statuses, now);
    let mut add = |object: &str, fields: Value| -> Id {
        let object = Object::named(object).expect("seeded objects are in the schema");
        org.seed(object, fields, now)
    };

    let acme = add(
        "Account",
        json!({
            "Name": "Acme Heating", "AccountNumber": "A-100", "Type": "Customer", "Phone": "+1 555 0100",
            "BillingStreet": "1 Boiler Way", "BillingCity": "Springfield", "BillingPostalCode": "01101",
            "BillingCountry": "US", "External_Id__c": "cust-100",
        }),
    );
    let blue = add(
        "Account",
        json!({
            "Name": "Blue Lake Hotel", "AccountNumber": "A-200", "Type": "Customer", "Phone": "+1 555 0200",
            "BillingStreet": "20 Shore Road", "BillingCity": "Blue Lake", "BillingPostalCode": "95525",
            "BillingCountry": "US", "External_Id__c": "cust-200",
        }),
    );
    add("Account", json!({ "Name": "O'Hara & Sons", "AccountNumber": "A-300", "External_Id__c": "cust-300" }));

    let ada = add(
        "Contact",
        json!({
            "AccountId": acme.as_str(), "FirstName": "Ada", "LastName": "Stone", "Email": "ada.stone@acme.example",
            "Phone": "+1 555 0101", "MobilePhone": "+1 555 0102", "Title": "Facility manager",
            "Preferred_Channel__c": "Email", "Preferred_Language__c": "en",
            "Preferred_Technician__c": "Tom Field", "External_Id__c": "contact-101",
        }),
    );
    add(
        "Contact",
        json!({
            "AccountId": acme.as_str(), "FirstName": "Ben", "LastName": "Reed", "Email": "ben.reed@acme.example",
            "DoNotCall": true, "Preferred_Channel__c": "SMS", "Preferred_Language__c": "es",
            "External_Id__c": "contact-102",
        }),
    );
    let cleo = add(
        "Contact",
        json!({
            "AccountId": blue.as_str(), "FirstName": "Cleo", "LastName": "Marsh", "Email": "cleo@bluelake.example",
            "Phone": "+1 555 0201", "HasOptedOutOfEmail": true, "Preferred_Channel__c": "Phone",
            "Preferred_Language__c": "fr", "External_Id__c": "contact-201",
        }),
    );

    add(
        "Contract",
        json!({
            "AccountId": acme.as_str(), "Status": "Activated", "StartDate": "2026-01-01", "ContractTerm": 24,
            "Description": "Yearly boiler service", "SpecialTerms": "Parts at cost", "Hourly_Rate__c": 95,
            "Response_Hours__c": 4, "External_Id__c": "contract-100",
        }),
    );
    add(
        "Contract",
        json!({
            "AccountId": blue.as_str(), "Status": "Activated", "StartDate": "2026-06-01", "ContractTerm": 12,
            "Description": "Ventilation, all wings", "Hourly_Rate__c": 110, "Response_Hours__c": 24,
            "External_Id__c": "contract-200",
        }),
    );

    add(
        "Case",
        json!({
            "AccountId": acme.as_str(), "ContactId": ada.as_str(), "Subject": "Boiler loses pressure",
            "Description": "Drops below 1 bar overnight.", "Status": "Working", "Priority": "High",
            "Origin": "Phone", "Job_Id__c": "job-1001",
        }),
    );
    add(
        "Case",
        json!({
            "AccountId": blue.as_str(), "ContactId": cleo.as_str(), "Subject": "Noise in the east wing duct",
            "Status": "New", "Origin": "Email", "Job_Id__c": "job-1002",
        }),
    );
    add(
        "Case",
        json!({
            "AccountId": acme.as_str(), "Subject": "Filter change", "Status": "Escalated", "Origin": "Web",
        }),
    );
    org
}
