use sangam_sdk::{
    prelude::*,
    testing::{self, Sent},
};

use crate::QuickBooks;

/// Books with every item and customer that is asked for.
fn answer(request: &Sent) -> Response {
    let query = request.query("query").unwrap_or_default();
    if query.contains("FROM%20Item") {
        let item = json!({ "Id": "1", "Name": "Hours", "Type": "Service", "Taxable": true });
        return testing::json(200, json!({ "QueryResponse": { "Item": [item] } }));
    }
    if request.path().contains("/customer/") {
        return testing::json(200, json!({ "Customer": { "Id": "58", "DisplayName": "Acme" } }));
    }
    testing::json(200, json!({ "Invoice": { "Id": "7", "SyncToken": "0", "TotalAmt": 90.00, "EmailStatus": "NotSet" } }))
}

fn body(config: Value, more: Value) -> Value {
    let mut input = json!({ "customer": { "id": "58" }, "job_id": "J/1", "send": false, "time": [{ "hours": 1, "rate": 90 }] });
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let mut host = testing::Host::new(answer);
    host.config = json!({ "realm-id": "1", "labour-item": "Hours" });
    host.config.as_object_mut().expect("an object").extend(config.as_object().expect("an object").clone());
    host.invoke::<QuickBooks>("create-invoice", input).expect("an invoice");
    let write = host.sent.iter().find(|sent| sent.name.as_deref() == Some("invoice")).expect("written");
    assert_eq!(write.query("requestid"), write.key.as_deref());
    assert_eq!(write.header("accept"), Some("application/json"));
    assert!(write.url.starts_with("https://quickbooks.api.intuit.com/v3/company/1/invoice?"), "{}", write.url);
    write.json()
}

#[test]
fn dates_and_terms() {
    let plain = body(json!({}), json!({}));
    assert_eq!((&plain["TxnDate"], &plain["DueDate"], &plain["SalesTermRef"]), (&Value::Null, &Value::Null, &Value::Null));
    let terms = body(json!({ "terms": "3" }), json!({ "date": "2026-11-20" }));
    assert_eq!((&terms["TxnDate"], &terms["SalesTermRef"]["value"]), (&json!("2026-11-20"), &json!("3")));
    let due = body(json!({ "terms": "3" }), json!({ "date": "2028-02-20", "due_in_days": 10 }));
    assert_eq!((&due["DueDate"], &due["SalesTermRef"]), (&json!("2028-03-01"), &Value::Null));
    let today = body(json!({}), json!({ "due_in_days": 0 }));
    assert_eq!(today["TxnDate"], today["DueDate"]);
    assert_eq!(today["TxnDate"].as_str().map(str::len), Some(10));
}

#[test]
fn taxes_of_other_countries() {
    let config = json!({
        "tax-code": "5", "exempt-tax-code": "6", "sales-tax-code": "2", "global-tax-calculation": "TaxExcluded", "currency": "EUR",
    });
    let body = body(config, json!({ "memo": "x".repeat(1001) }));
    assert_eq!(body["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"]["value"], "5");
    assert_eq!(body["TxnTaxDetail"]["TxnTaxCodeRef"]["value"], "2");
    assert_eq!((&body["GlobalTaxCalculation"], &body["CurrencyRef"]["value"]), (&json!("TaxExcluded"), &json!("EUR")));
    assert_eq!(body["CustomerMemo"]["value"].as_str().map(|memo| memo.chars().count()), Some(1000));
}
