use sangam_saas::FaultAct;
use sangam_sdk::prelude::*;

use super::books::{Books, status};
use crate::QuickBooks;

const ACTION: &str = "find-or-create-customer";

#[test]
fn a_customer_is_found_by_name_then_by_address() {
    let books = Books::open();
    let mut host = books.host();
    for input in [
        json!({ "display_name": "acme facilities" }),
        json!({ "display_name": " Acme Facilities ", "email": "someone@else.example" }),
        json!({ "display_name": "Acme Facilities Inc", "email": "billing@acme.example" }),
    ] {
        let found = host.invoke::<QuickBooks>(ACTION, input).expect("found");
        assert_eq!(
            found,
            json!({ "customer_id": "58", "display_name": "Acme Facilities", "email": "billing@acme.example", "created": false })
        );
    }
    assert_eq!(books.count("customers"), 2);
}

#[test]
fn a_customer_is_created_once_though_answers_are_lost() {
    for (act, attempts) in [(FaultAct::LoseAnswer, 2), (FaultAct::Reset, 2), (FaultAct::Truncate { bytes: 9 }, 2), (status(503), 2)] {
        let books = Books::open();
        books.fault("POST", "customer", act.clone());
        let mut host = books.host();
        let input = json!({ "display_name": "O'Neil & Co", "email": "ann@oneil.example", "phone": "+1 555 0100" });
        let (found, took) = host.insist::<QuickBooks>(ACTION, &input);
        assert_eq!((took, &found["display_name"]), (attempts, &json!("O'Neil & Co")), "{act:?}");
        assert_eq!(books.count("customers"), 3, "{act:?}");
        let created = &books.state()["customers"][2];
        assert_eq!(created["PrimaryEmailAddr"]["Address"], "ann@oneil.example");
        assert_eq!(created["PrimaryPhone"]["FreeFormNumber"], "+1 555 0100");
    }
}

#[test]
fn a_name_that_a_vendor_has_is_refused_with_advice() {
    let books = Books::open();
    let refused = books.host().invoke::<QuickBooks>(ACTION, json!({ "display_name": "Northside Subcontracting" }));
    let failure = refused.expect_err("a vendor has it");
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.reason.contains("6240") && failure.reason.contains("vendor"), "{}", failure.reason);
}

#[test]
fn an_address_of_several_customers_says_nothing() {
    let books = Books::open();
    for name in ["Acme South", "Acme North"] {
        books.post("customer", &json!({ "DisplayName": name, "PrimaryEmailAddr": { "Address": "shared@acme.example" } }));
    }
    let mut host = books.host();
    let unnamed = json!({ "customer": { "email": "shared@acme.example" }, "job_id": "1", "expenses": [{ "amount": 1 }] });
    let failure = host.invoke::<QuickBooks>("create-invoice", unnamed).expect_err("which one?");
    assert!(failure.reason.starts_with("Several customers"), "{}", failure.reason);
    let named = json!({ "display_name": "Acme West", "email": "shared@acme.example" });
    assert_eq!(host.invoke::<QuickBooks>(ACTION, named).expect("a third")["created"], true);
}

#[test]
fn tokens_and_limits_are_told_apart() {
    let books = Books::open();
    let input = json!({ "display_name": "Acme Facilities" });
    books.set("requests-per-minute", 0);
    let failure = books.host().invoke::<QuickBooks>(ACTION, input.clone()).expect_err("throttled");
    assert_eq!((failure.kind, failure.after), (FailureKind::RateLimited, Some(Duration::from_secs(60))));
    books.set("requests-per-minute", Value::Null);
    let mut host = books.host();
    host.config["realm-id"] = "1".into();
    let failure = host.invoke::<QuickBooks>(ACTION, input.clone()).expect_err("another company");
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.reason.contains("120"), "{}", failure.reason);
    books.set("expire-tokens", true);
    let failure = books.host().invoke::<QuickBooks>(ACTION, input).expect_err("expired");
    assert_eq!(failure.kind, FailureKind::Unauthorized);
}
