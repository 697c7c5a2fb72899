use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing};

use super::books::{Books, status};
use crate::QuickBooks;

fn job() -> Value {
    // 2.5 × 85 + 1.005 + 3 × 12.335 (taxable) + 40.10
    json!({
        "customer": { "display_name": "Berg & Sons", "email": "pay@berg.example" },
        "job_id": "4711",
        "time": [{ "hours": "2.50", "rate": 85, "description": "Pump replaced", "date": "2026-11-20" }],
        "parts": [
            { "name": "Gasket", "quantity": 1, "unit_price": "1.005", "taxable": false },
            { "sku": "F-12", "quantity": 3, "unit_price": 12.335, "description": "Filter" },
        ],
        "expenses": [{ "description": "Parking", "amount": "40.10" }],
        "due_in_days": 14,
        "memo": "Thank you",
    })
}

#[test]
fn an_invoice_is_exact_and_sent() {
    let books = Books::open();
    let output = books.host().invoke::<QuickBooks>("create-invoice", job()).expect("an invoice");
    // 212.50 + 1.01 + 37.01 + 40.10 = 290.62; 8.25 % of 37.01 = 3.05
    assert_eq!(output.to_string(), r#"{"customer_id":"64","doc_number":"1038","invoice_id":"130","sent":true,"tax":3.05,"total":293.67}"#);
    let state = books.state();
    let invoice = &state["invoices"][0];
    let amounts: Vec<_> = (0..4).map(|line| invoice["Line"][line]["Amount"].to_string()).collect();
    assert_eq!(amounts, ["212.5", "1.01", "37.01", "40.1"]);
    let codes: Vec<_> = (0..4).map(|line| invoice["Line"][line]["SalesItemLineDetail"]["TaxCodeRef"]["value"].clone()).collect();
    assert_eq!(codes, ["NON", "NON", "TAX", "NON"]);
    assert_eq!(invoice["Line"][0]["SalesItemLineDetail"]["ServiceDate"], "2026-11-20");
    assert_eq!(invoice["Line"][1]["Description"], "Gasket");
    assert_eq!(invoice["PrivateNote"], format!("Job 4711\n[{}]", testing::key("invoice")));
    assert_eq!(invoice["CustomerMemo"]["value"], "Thank you");
    assert_eq!(state["emails_sent"], json!([{ "invoice": "130", "to": "pay@berg.example" }]));
}

#[test]
fn whatever_is_lost_there_is_one_customer_one_invoice_and_one_email() {
    for act in [FaultAct::LoseAnswer, FaultAct::Reset, FaultAct::Truncate { bytes: 20 }, status(503), status(429), status(401)] {
        for path in ["customer", "invoice", "invoice/*/send"] {
            let books = Books::open();
            books.fault("POST", path, act.clone());
            let mut host = books.host();
            let (output, attempts) = host.insist::<QuickBooks>("create-invoice", &job());
            assert_eq!((attempts, &output["sent"]), (2, &json!(true)), "{path} {act:?}");
            let counts = ["customers", "invoices", "emails_sent"].map(|list| books.count(list));
            assert_eq!(counts, [3, 1, 1], "{path} {act:?}");
            assert_eq!(output["invoice_id"], "130");
        }
    }
}

#[test]
fn reads_that_fail_cost_an_attempt_and_nothing_else() {
    let books = Books::open();
    books.fault("GET", "query", FaultAct::LoseAnswer);
    books.fault("GET", "invoice/*", status(500));
    let (_, attempts) = books.host().insist::<QuickBooks>("create-invoice", &job());
    assert_eq!(attempts, 3);
    assert_eq!(["customers", "invoices", "emails_sent"].map(|list| books.count(list)), [3, 1, 1]);
}

#[test]
fn an_invoice_need_not_be_sent_and_can_be_sent_later() {
    let books = Books::open();
    let mut input = job();
    input["send"] = false.into();
    let output = books.host().invoke::<QuickBooks>("create-invoice", input).expect("an invoice");
    assert_eq!((&output["sent"], books.count("emails_sent")), (&json!(false), 0));
    books.fault("POST", "invoice/*/send", FaultAct::LoseAnswer);
    let send = json!({ "invoice_id": output["invoice_id"], "email": "boss+1@berg.example" });
    let (sent, attempts) = books.host().insist::<QuickBooks>("send-invoice", &send);
    assert_eq!((attempts, sent), (2, json!({ "invoice_id": "130", "doc_number": "1038", "sent": true })));
    assert_eq!(books.state()["emails_sent"], json!([{ "invoice": "130", "to": "boss+1@berg.example" }]));
    let missing = books.host().invoke::<QuickBooks>("send-invoice", json!({ "invoice_id": "9" }));
    assert_eq!(missing.expect_err("no such invoice").reason, "QuickBooks has no invoice 9");
}

#[test]
fn an_invoice_that_can_not_be_right_is_refused_before_it_is_written() {
    let books = Books::open();
    for (change, reason) in [
        (json!({ "time": [], "parts": [], "expenses": [] }), "There is nothing to invoice"),
        (json!({ "customer": { "id": "999" } }), "QuickBooks has no customer 999"),
        (json!({ "customer": { "display_name": "Nobody" } }), "Neither the input nor the customer has an e-mail address"),
        (json!({ "customer": { "email": "no@one.example" } }), "No such customer; to create one"),
        (json!({ "date": "20.11.2026" }), "input.date: `20.11.2026` is not a day"),
    ] {
        let mut input = job();
        input.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let failure = books.host().invoke::<QuickBooks>("create-invoice", input).expect_err(reason);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.reason.starts_with(reason), "{}", failure.reason);
    }
    let mut host = books.host();
    host.config["labour-item"] = "Magic".into();
    let failure = host.invoke::<QuickBooks>("create-invoice", job()).expect_err("no such item");
    assert_eq!(failure.reason, "configuration.labour-item: QuickBooks has no active item `Magic`, or several");
    assert_eq!(books.count("invoices"), 0);
}

#[test]
fn a_job_has_one_living_invoice_where_it_gives_the_number() {
    let books = Books::open();
    let host = || {
        let mut host = books.host();
        host.config["doc-number-prefix"] = "J-".into();
        host
    };
    books.fault("POST", "invoice", FaultAct::LoseAnswer);
    let (output, attempts) = host().insist::<QuickBooks>("create-invoice", &job());
    assert_eq!((attempts, &output["doc_number"]), (2, &json!("J-4711")));
    // Not ours: without our mark.
    books.post(
        "invoice",
        &json!({
            "DocNumber": "J-4712", "CustomerRef": { "value": "58" },
            "Line": [{ "DetailType": "SalesItemLineDetail", "Amount": 1, "SalesItemLineDetail": { "ItemRef": { "value": "21" } } }],
        }),
    );
    let mut other = job();
    other["job_id"] = "4712".into();
    let failure = host().invoke::<QuickBooks>("create-invoice", other).expect_err("taken");
    assert!(failure.reason.starts_with("Invoice J-4712 is in QuickBooks already"), "{}", failure.reason);
    assert_eq!(books.count("invoices"), 2);
}

#[test]
fn undoing_voids_the_invoice_once() {
    for act in [None, Some(FaultAct::LoseAnswer), Some(status(503))] {
        let books = Books::open();
        let output = books.host().invoke::<QuickBooks>("create-invoice", job()).expect("an invoice");
        if let Some(act) = act {
            books.fault("POST", "invoice", act);
        }
        let undo = json!({ "input": job(), "output": output, "effects": [] });
        let mut host = books.host();
        host.insist::<QuickBooks>("void-invoice", &undo);
        books.host().insist::<QuickBooks>("void-invoice", &undo);
        let invoice = &books.state()["invoices"][0];
        assert_eq!((&invoice["TotalAmt"], &invoice["SyncToken"]), (&json!(0), &json!("2")));
    }
}

#[test]
fn a_step_that_failed_half_way_is_undone_by_what_it_wrote() {
    let key = testing::key("invoice");
    let request = json!({ "method": "POST", "body": json!({ "CustomerRef": { "value": "64" } }).to_string() });
    let effect =
        |state: &str, response: Value| json!([{ "name": "invoice", "key": key, "state": state, "request": request, "response": response }]);
    let answer = json!({ "status": 200, "headers": [], "body": r#"{"Invoice":{"Id":"130"}}"# });
    for (effects, voided) in [
        (json!([]), false),
        (effect("failed", json!({ "status": 400, "body": "" })), false),
        (effect("done", answer), true),
        (effect("in-doubt", Value::Null), true),
    ] {
        let books = Books::open();
        books.host().invoke::<QuickBooks>("create-invoice", job()).expect("an invoice");
        let undo = json!({ "input": job(), "output": null, "effects": effects });
        books.host().insist::<QuickBooks>("void-invoice", &undo);
        assert_eq!(books.state()["invoices"][0]["TotalAmt"] == json!(0), voided, "{effects}");
    }
}

#[test]
fn a_stale_version_is_read_again() {
    let books = Books::open();
    let output = books.host().invoke::<QuickBooks>("create-invoice", job()).expect("an invoice");
    let body = json!({ "Fault": { "Error": [{ "Message": "Stale Object Error", "code": "5010" }] } }).to_string();
    books.fault("POST", "invoice", FaultAct::Status { status: 400, headers: Default::default(), body });
    let undo = json!({ "input": job(), "output": output, "effects": [] });
    let (_, attempts) = books.host().insist::<QuickBooks>("void-invoice", &undo);
    assert_eq!((attempts, &books.state()["invoices"][0]["TotalAmt"]), (2, &json!(0)));
}
