//! The streams against the books: what somebody books comes in once, what we write not at all.

use sangam_saas::quickbooks::REALM;
use sangam_sdk::{
    prelude::*,
    testing::{self, Host},
};

use super::books::Books;
use crate::QuickBooks;

/// Polls until there is no more.
fn sweep(host: &mut Host, stream: &str, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=40 {
        let page = host.poll::<QuickBooks>(stream, cursor.take(), limit).expect("a page");
        assert!(page.set_aside.is_empty(), "{:?}", page.set_aside);
        cursor = page.next_cursor;
        if !page.more {
            return cursor;
        }
    }
    panic!("the stream does not come to an end");
}

fn types(host: &Host) -> Vec<&str> {
    host.events.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// Runs an action with the stream's key-value, as at a real host.
fn act(books: &Books, host: &mut Host, action: &str, input: Value) -> Value {
    let mut step = books.host();
    step.store = std::mem::take(&mut host.store);
    let output = step.invoke::<QuickBooks>(action, input).expect("done");
    host.store = step.store;
    output
}

fn invoice(job: &str) -> Value {
    json!({
        "customer": { "display_name": "Acme Heating", "email": "ada.stone@acme.example" }, "job_id": job,
        "time": [{ "hours": 2.5, "rate": 95, "description": "Pump", "date": "2026-11-20" }],
    })
}

fn hook(body: &Value) -> Inbound {
    Inbound { method: "POST".into(), path: "/hooks/books".into(), body: body.to_string().into_bytes(), ..Inbound::default() }
}

#[test]
fn an_invoice_of_ours_is_no_news_until_it_is_paid() {
    let books = Books::open();
    let mut host = books.host();
    let mut cursor = sweep(&mut host, "invoices", None, 100);
    host.events.clear();
    let made = act(&books, &mut host, "create-invoice", invoice("J-1"));
    cursor = sweep(&mut host, "invoices", cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new(), "created and sent by us");
    books.set("pay", json!({ "invoice": made["invoice_id"], "amount": 100 }));
    cursor = sweep(&mut host, "invoices", cursor, 100);
    books.set("pay", json!({ "invoice": made["invoice_id"] }));
    cursor = sweep(&mut host, "invoices", cursor, 100);
    sweep(&mut host, "invoices", cursor, 100);
    assert_eq!(types(&host), ["invoice.changed", "invoice.paid"]);
    let paid = &host.events[1]["data"];
    assert_eq!(
        (&paid["invoice_id"], &paid["job_id"], &paid["balance"], &paid["status"]),
        (&made["invoice_id"], &json!("J-1"), &json!(0), &json!("paid"))
    );
    assert_eq!((&paid["customer"]["name"], &paid["customer"]["email"]), (&json!("Acme Heating"), &json!("ada.stone@acme.example")));
    assert_eq!(paid["changed"], json!(["balance", "status"]));
}

#[test]
fn a_webhook_that_comes_before_the_step_is_over_is_an_echo_too() {
    let books = Books::open();
    // The step has created the invoice and is not over: its key-value is not there yet.
    let made = act(&books, &mut books.host(), "create-invoice", invoice("J-1"));
    let mut host = books.host();
    let told = |id: &Value| json!([{ "type": "qbo.invoice.created.v1", "time": "2026-11-28T10:00:00Z", "intuitentityid": id, "intuitaccountid": REALM }]);
    host.receive::<QuickBooks>("invoices", hook(&told(&made["invoice_id"]))).expect("received");
    assert_eq!(types(&host), Vec::<&str>::new());
    books.set("pay", json!({ "invoice": made["invoice_id"] }));
    host.receive::<QuickBooks>("invoices", hook(&told(&made["invoice_id"]))).expect("received");
    // One that is paid when it is first heard of is news, whoever made it.
    let mut late = books.host();
    late.receive::<QuickBooks>("invoices", hook(&told(&made["invoice_id"]))).expect("received");
    assert_eq!((types(&host), types(&late)), (vec!["invoice.paid"], vec!["invoice.paid"]));
}

#[test]
fn both_formats_of_webhooks_bring_in_what_a_payment_changed() {
    let books = Books::open();
    let mut host = books.host();
    let made = act(&books, &mut host, "create-invoice", invoice("J-1"));
    books.set("pay", json!({ "invoice": made["invoice_id"] }));
    let payment = books.state()["payments"][0]["Id"].clone();
    let event = |entity: &str, id: &Value, realm: &str| json!({ "specversion": "1.0", "id": "e", "source": "s", "type": format!("qbo.{entity}.created.v1"), "time": "2026-11-28T10:00:00Z", "intuitentityid": id, "intuitaccountid": realm, "data": {} });
    // Another company's, then ours, twice.
    let events =
        json!([event("invoice", &made["invoice_id"], "999"), event("customer", &json!("1"), REALM), event("payment", &payment, REALM)]);
    host.receive::<QuickBooks>("invoices", hook(&events)).expect("received");
    let old = json!({ "eventNotifications": [{ "realmId": REALM, "dataChangeEvent": { "entities": [
        { "name": "Invoice", "id": made["invoice_id"], "operation": "Update", "lastUpdated": "2026-11-28T10:00:00Z" },
    ] } }] });
    host.receive::<QuickBooks>("invoices", hook(&old)).expect("received");
    assert_eq!(types(&host), ["invoice.paid"]);
    let gone = json!([{ "type": "qbo.invoice.deleted.v1", "time": "2026-11-28T11:00:00Z", "intuitentityid": made["invoice_id"], "intuitaccountid": REALM }]);
    host.receive::<QuickBooks>("invoices", hook(&gone)).expect("received");
    assert_eq!((types(&host)[1], &host.events[1]["data"]["deleted"]), ("invoice.voided", &json!(true)));
}

#[test]
fn pages_of_any_size_bring_each_customer_once_though_they_changed_in_one_second() {
    let books = Books::open();
    for number in 0..5 {
        books.set("edit", json!({ "entity": "Customer", "record": { "DisplayName": format!("Customer {number}") } }));
    }
    let all = books.count("customers");
    for limit in [1, 2, 100] {
        let mut host = books.host();
        let mut cursor = sweep(&mut host, "customers", None, limit);
        let ids: std::collections::BTreeSet<_> = host.events.iter().map(|event| event["subject"].to_string()).collect();
        assert_eq!((host.events.len(), ids.len()), (all, all), "{limit} at a time");
        host.events.clear();
        // From here on by change data capture.
        for number in 0..3 {
            books.set("edit", json!({ "entity": "Customer", "record": { "DisplayName": format!("Later {limit}-{number}") } }));
        }
        cursor = sweep(&mut host, "customers", cursor, limit);
        assert_eq!(types(&host), ["contact.created"; 3]);
        assert!(host.sent.iter().any(|sent| sent.path().ends_with("/cdc")));
        sweep(&mut host, "customers", cursor, limit);
        assert_eq!(host.events.len(), 3);
        for number in 0..3 {
            let found = books.state()["customers"]
                .as_array()
                .and_then(|all| all.iter().find(|one| one["DisplayName"] == format!("Later {limit}-{number}")).cloned());
            books.set("edit", json!({ "entity": "Customer", "record": { "Id": found.expect("there")["Id"], "Active": false } }));
        }
    }
}

#[test]
fn a_deleted_invoice_comes_in_by_change_data_capture() {
    let books = Books::open();
    let mut host = books.host();
    let made = act(&books, &mut host, "create-invoice", invoice("J-1"));
    let cursor = sweep(&mut host, "invoices", None, 100);
    books.set("edit", json!({ "entity": "Invoice", "delete": true, "record": { "Id": made["invoice_id"] } }));
    let before = host.events.len();
    let cursor = sweep(&mut host, "invoices", cursor, 100);
    sweep(&mut host, "invoices", cursor, 100);
    let ids: std::collections::BTreeSet<_> =
        host.events[before..].iter().map(|event| (event["type"].to_string(), event["id"].to_string())).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(host.events[before]["type"], "invoice.voided");
}

#[test]
fn a_contact_of_the_crm_keeps_one_customer_through_all_its_names_and_echoes_nothing() {
    let books = Books::open();
    let mut host = books.host();
    let cursor = sweep(&mut host, "customers", None, 100);
    host.events.clear();
    let contact = |name: &str, email: &str| json!({ "external_id": "003A", "display_name": name, "email": email, "phone": "+1 555 1", "address": { "street": "1 Way", "city": "Springfield" } });
    let first = act(&books, &mut host, "update-customer", contact("Nora New", "nora@x.example"));
    let second = act(&books, &mut host, "update-customer", contact("Nora Newer", "nora@y.example"));
    let third = act(&books, &mut host, "update-customer", contact("Nora Newer", "nora@y.example"));
    assert_eq!((&first["created"], &second["changed"], &third["changed"]), (&json!(true), &json!(true), &json!(false)));
    assert_eq!((&first["customer_id"], &third["display_name"]), (&second["customer_id"], &json!("Nora Newer")));
    let cursor = sweep(&mut host, "customers", cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    books.set(
        "edit",
        json!({ "entity": "Customer", "record": { "Id": first["customer_id"], "PrimaryPhone": { "FreeFormNumber": "+1 555 2" } } }),
    );
    sweep(&mut host, "customers", cursor, 100);
    assert_eq!(types(&host), ["contact.changed"]);
    assert_eq!(
        (&host.events[0]["data"]["changed"], &host.events[0]["data"]["address"]["city"]),
        (&json!(["phone"]), &json!("Springfield"))
    );
    let nobody = act(&books, &mut host, "update-customer", json!({ "external_id": "003B", "display_name": "Nobody", "create": false }));
    assert_eq!(nobody["customer_id"], Value::Null);
}

#[test]
fn more_than_change_data_capture_gives_come_in_without_a_gap() {
    // So many invoices change in one second, and perhaps one is deleted after them all.
    for (together, deleted) in [(10, 0), (1, 1)] {
        let record = move |number: usize| {
            let second = number / together;
            let at = format!("2999-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
            json!({ "Id": number.to_string(), "MetaData": { "CreateTime": at, "LastUpdatedTime": at } })
        };
        let live: Vec<Value> = (1..=1005).map(record).collect();
        let mut gone = record(1006);
        gone["status"] = "Deleted".into();
        let captured: Vec<Value> = live.iter().cloned().chain(std::iter::repeat_n(gone, deleted)).collect();
        let since = |records: &[Value], moment: &str| -> Vec<Value> {
            records.iter().filter(|record| record["MetaData"]["LastUpdatedTime"].as_str() >= Some(moment)).cloned().collect()
        };
        let mut host = Host::new(move |sent| {
            let value = |name| sent.query(name).unwrap_or_default().replace("%3A", ":").replace("%27", "'").replace("%20", " ");
            if sent.path().ends_with("/cdc") {
                let mut found = since(&captured, &value("changedSince"));
                found.drain(..found.len().saturating_sub(1000));
                return testing::json(200, json!({ "CDCResponse": [{ "QueryResponse": [{ "Invoice": found }] }] }));
            }
            let query = value("query");
            let number =
                |word| query.split(' ').skip_while(|found| *found != word).nth(1).and_then(|number| number.parse().ok()).expect("a number");
            let found = since(&live, query.split('\'').nth(1).expect("a moment"));
            let page: Vec<_> = found.into_iter().skip(number("STARTPOSITION") - 1).take(number("MAXRESULTS")).collect();
            testing::json(200, json!({ "QueryResponse": { "Invoice": page } }))
        });
        host.config = json!({ "realm-id": "1" });
        let begin = "2999-01-01T00:00:00Z";
        sweep(&mut host, "invoices", Some(json!({ "since": begin, "floor": begin, "taken": 0, "first": false })), 495);
        let ids: std::collections::BTreeSet<_> = host.events.iter().map(|event| event["subject"].to_string()).collect();
        let last = types(&host).iter().filter(|kind| **kind == "invoice.voided").count();
        assert_eq!((ids.len(), last), (1005 + deleted, deleted), "{together} in a second");
    }
}
