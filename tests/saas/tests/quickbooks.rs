//! The QuickBooks stand-in over HTTP, its answers checked against a description of the vendor's schemas.

mod client;
mod contract;

use contract::conforms;
use reqwest::{Client, Method, RequestBuilder, Response};
use sangam_saas::{Fault, FaultAct, Saas};
use serde_json::{Value, json};

const SPEC: &str = include_str!("../specs/quickbooks-online.json");

/// Seeded ids.
const ACME: &str = "58";
const DELTA: &str = "59";
const TOM: &str = "60";
const LABOR: &str = "21";
const PARTS: &str = "22";

struct Qbo {
    saas: Saas,
    client: Client,
    token: String,
}

impl Qbo {
    async fn start() -> Qbo {
        let saas = Saas::start().await.expect("free loopback ports");
        let mut qbo = Qbo { saas, client: client::client(), token: String::new() };
        let (_, granted) = qbo.refresh("qbo-refresh-1").await;
        qbo.token = text(&granted["access_token"]).to_owned();
        qbo
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        let url = format!("{}/oauth2/v1/tokens/bearer", self.saas.quickbooks.url());
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let request = self.client.post(url).basic_auth("qbo-client", Some("qbo-secret")).form(&form);
        read(request.send().await.expect("answered")).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/v3/company/4620816365/{path}", self.saas.quickbooks.url());
        self.client.request(method, url).bearer_auth(&self.token).header("accept", "application/json")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.expect("answered")).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json(&body).send().await.expect("answered")).await
    }

    async fn send(&self, id: &str, query: &str) -> (u16, Value) {
        let request = self.request(Method::POST, &format!("invoice/{id}/send{query}"));
        read(request.header("content-type", "application/octet-stream").send().await.expect("answered")).await
    }

    async fn query(&self, text: &str) -> (u16, Value) {
        let request = self.request(Method::GET, "query").query(&[("query", text)]);
        read(request.send().await.expect("answered")).await
    }

    /// Creates an invoice that must be good.
    async fn invoice(&self, body: Value) -> Value {
        conforms(SPEC, "InvoiceCreateObject", &body);
        let (status, mut answer) = self.post("invoice", body).await;
        assert_eq!(status, 200, "{answer}");
        conforms(SPEC, "InvoiceResponse", &answer);
        answer["Invoice"].take()
    }

    async fn refused(&self, path: &str, body: Value, code: &str) {
        let (status, answer) = self.post(path, body.clone()).await;
        assert_eq!((status, self::code(&answer)), (400, code), "{body} {answer}");
        assert_eq!(answer["Fault"]["type"], "ValidationFault");
    }
}

async fn read(response: Response) -> (u16, Value) {
    assert!(response.headers().contains_key("intuit_tid"));
    (response.status().as_u16(), response.json().await.expect("a JSON answer"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn code(answer: &Value) -> &str {
    answer["Fault"]["Error"][0]["code"].as_str().unwrap_or_default()
}

/// A sales line; figures as JSON text, so that their digits stay.
fn sale(item: &str, quantity: &str, price: &str, amount: &str, tax: &str) -> Value {
    let figure = |digits: &str| serde_json::from_str::<Value>(digits).expect("a number");
    json!({
        "DetailType": "SalesItemLineDetail",
        "Amount": figure(amount),
        "Description": "work",
        "SalesItemLineDetail": {
            "ItemRef": { "value": item }, "Qty": figure(quantity), "UnitPrice": figure(price), "TaxCodeRef": { "value": tax },
        },
    })
}

fn labor() -> Value {
    json!({ "CustomerRef": { "value": ACME }, "Line": [sale(LABOR, "1.5", "85", "127.50", "NON")] })
}

#[tokio::test]
async fn an_invoice_comes_to_its_lines_and_their_tax() {
    let qbo = Qbo::start().await;
    let lines = [sale(LABOR, "1.5", "85", "127.50", "NON"), sale(PARTS, "128.350", "14.50", "1861.08", "TAX")];
    let invoice = qbo.invoice(json!({ "CustomerRef": { "value": ACME }, "Line": lines, "DocNumber": "JOB-1001" })).await;
    // 127.50 + 1861.08 and 8.25 % of the latter, 153.5391
    let totals = ["TotalAmt", "Balance"].map(|field| invoice[field].to_string());
    assert_eq!(totals, ["2142.12", "2142.12"]);
    assert_eq!(invoice["TxnTaxDetail"]["TotalTax"].to_string(), "153.54");
    assert_eq!(invoice["Line"][0]["Amount"].to_string(), "127.5", "amounts are JSON numbers");
    assert_eq!(invoice["Line"][2]["DetailType"], "SubTotalLineDetail");
    assert_eq!((&invoice["SyncToken"], &invoice["CustomerRef"]["name"]), (&json!("0"), &json!("Acme Facilities")));

    let (_, read) = qbo.get(&format!("invoice/{}", text(&invoice["Id"]))).await;
    assert_eq!(read["Invoice"], invoice);
    conforms(SPEC, "InvoiceResponse", &read);
    let (_, customer) = qbo.get("customer/58").await;
    conforms(SPEC, "CustomerResponse", &customer);
    assert_eq!(customer["Customer"]["Balance"].to_string(), "2142.12");
}

#[tokio::test]
async fn invoices_against_the_rules_are_refused_by_code() {
    let qbo = Qbo::start().await;
    qbo.invoice(json!({ "CustomerRef": { "value": ACME }, "Line": labor()["Line"], "DocNumber": "JOB-1" })).await;
    let with = |name: &str, value: Value| {
        let mut body = labor();
        body[name] = value;
        body
    };
    let line = |line: Value| with("Line", json!([line]));
    let cases = [
        (with("CustomerRef", Value::Null), "2020"),
        (with("CustomerRef", json!({ "value": "9999" })), "2500"),
        (with("Line", json!([])), "2020"),
        (line(sale(LABOR, "1.5", "85", "127.51", "NON")), "6070"),
        (line(sale(PARTS, "128.350", "14.50", "1861.07", "TAX")), "6070"),
        (line(sale("9999", "1", "85", "85", "NON")), "2500"),
        (line(sale(LABOR, "1", "85", "85", "VAT")), "2500"),
        (line(sale(LABOR, "1", "85.001", "85.001", "NON")), "2090"),
        (with("DocNumber", json!("job-1")), "6140"),
        (with("DocNumber", json!("J".repeat(22))), "2050"),
        (with("EmailStatus", json!("NeedToSend")), "6000"),
        (with("BillEmail", json!({ "Address": "nobody" })), "2210"),
        (with("Colour", json!("red")), "2010"),
        (with("TxnDate", json!("21.11.2026")), "2010"),
        (with("PrivateNote", json!("n".repeat(4001))), "2050"),
        (with("Id", json!("9999")), "610"),
    ];
    for (body, code) in cases {
        qbo.refused("invoice", body, code).await;
    }
    assert_eq!(qbo.saas.quickbooks.state()["invoices"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_line_without_an_item_is_text_and_its_amount_counts_for_nothing() {
    let qbo = Qbo::start().await;
    let mut text_line = sale(LABOR, "1", "500", "500", "NON");
    text_line["SalesItemLineDetail"].as_object_mut().expect("fields").remove("ItemRef");
    let lines = [sale(LABOR, "1", "85", "85", "NON"), text_line];
    let invoice = qbo.invoice(json!({ "CustomerRef": { "value": ACME }, "Line": lines })).await;
    assert_eq!(invoice["TotalAmt"].to_string(), "85.0");
    assert_eq!(invoice["Line"][1]["DetailType"], "DescriptionOnly");
    assert!(invoice["Line"][1].get("Amount").is_none());
}

#[tokio::test]
async fn every_send_is_an_email_whatever_its_request_id() {
    let qbo = Qbo::start().await;
    let invoice = qbo.invoice(labor()).await;
    let id = text(&invoice["Id"]);
    let (status, answer) = qbo.send(id, "").await;
    assert_eq!((status, code(&answer)), (400, "2020"), "no address");
    let (status, sent) = qbo.send(id, "?sendTo=billing%40acme.example&requestid=r1").await;
    assert_eq!((status, &sent["Invoice"]["EmailStatus"]), (200, &json!("EmailSent")));
    assert_eq!(sent["Invoice"]["DeliveryInfo"]["DeliveryType"], "Email");
    assert_eq!((&sent["Invoice"]["BillEmail"]["Address"], &sent["Invoice"]["SyncToken"]), (&json!("billing@acme.example"), &json!("1")));
    conforms(SPEC, "InvoiceResponse", &sent);
    assert_eq!(qbo.send(id, "?requestid=r1").await.0, 200);
    let email = json!({ "invoice": id, "to": "billing@acme.example" });
    assert_eq!(qbo.saas.quickbooks.state()["emails_sent"], json!([email, email]));

    let path = format!("invoice/{id}/send");
    assert_eq!(qbo.post(&path, json!({})).await.0, 415);
    let full = qbo.request(Method::POST, &path).header("content-type", "application/octet-stream").body("x");
    assert_eq!(full.send().await.expect("answered").status(), 400);
    assert_eq!(code(&qbo.send("9999", "?sendTo=a@b.example").await.1), "610");
}

#[tokio::test]
async fn a_request_id_answers_its_first_outcome_again() {
    let qbo = Qbo::start().await;
    let first = qbo.post("invoice?requestid=job-1", labor()).await;
    assert_eq!(qbo.post("invoice?requestid=job-1", labor()).await, first);
    assert_eq!(qbo.saas.quickbooks.state()["invoices"].as_array().map(Vec::len), Some(1));
    assert_eq!(qbo.saas.quickbooks.state()["replayed"], 1);

    let refused = qbo.post("invoice?requestid=job-2", json!({})).await;
    assert_eq!(refused.0, 400);
    assert_eq!(qbo.post("invoice?requestid=job-2", labor()).await, refused, "a fault is an outcome too");
    let (_, answer) = qbo.post("customer?requestid=job-1", json!({ "DisplayName": "New" })).await;
    assert_eq!(code(&answer), "600");
    let long = format!("invoice?requestid={}", "r".repeat(51));
    assert_eq!(code(&qbo.post(&long, labor()).await.1), "2050");
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_request_id() {
    let qbo = Qbo::start().await;
    qbo.saas.quickbooks.fault(Fault::once("*/invoice", FaultAct::LoseAnswer));
    let lost = qbo.request(Method::POST, "invoice?requestid=job-1").json(&labor()).send().await;
    assert!(lost.is_err());
    let (status, answer) = qbo.post("invoice?requestid=job-1", labor()).await;
    let made = qbo.saas.quickbooks.state()["invoices"].clone();
    assert_eq!((status, json!([answer["Invoice"]])), (200, made));
}

#[tokio::test]
async fn sparse_updates_keep_what_full_updates_clear_and_both_need_the_present_token() {
    let qbo = Qbo::start().await;
    let mut body = labor();
    body["PrivateNote"] = json!("job 1");
    let invoice = qbo.invoice(body).await;
    let id = &invoice["Id"];
    let sparse = json!({ "Id": id, "SyncToken": "0", "sparse": true, "CustomerMemo": { "value": "Thanks" } });
    let (status, updated) = qbo.post("invoice", sparse.clone()).await;
    assert_eq!((status, &updated["Invoice"]["PrivateNote"]), (200, &json!("job 1")));
    assert_eq!((&updated["Invoice"]["SyncToken"], &updated["Invoice"]["TotalAmt"]), (&json!("1"), &invoice["TotalAmt"]));
    qbo.refused("invoice", sparse, "5010").await;

    let mut full = labor();
    full["Id"] = id.clone();
    full["SyncToken"] = json!("1");
    let (_, updated) = qbo.post("invoice", full).await;
    assert!(updated["Invoice"].get("PrivateNote").is_none() && updated["Invoice"].get("CustomerMemo").is_none());
}

#[tokio::test]
async fn voiding_leaves_a_zero_and_deleting_leaves_nothing() {
    let qbo = Qbo::start().await;
    let invoice = qbo.invoice(labor()).await;
    let named = |token: &str| json!({ "Id": invoice["Id"], "SyncToken": token });
    let (status, voided) = qbo.post("invoice?operation=void", named("0")).await;
    assert_eq!((status, &voided["Invoice"]["PrivateNote"]), (200, &json!("Voided")));
    assert_eq!((&voided["Invoice"]["TotalAmt"], &voided["Invoice"]["Balance"]), (&json!(0), &json!(0)));
    assert_eq!(voided["Invoice"]["Line"][0]["Amount"], 0);
    assert_eq!(qbo.get("customer/58").await.1["Customer"]["Balance"].to_string(), "0");
    qbo.refused("invoice?operation=delete", named("0"), "5010").await;
    let (_, deleted) = qbo.post("invoice?operation=delete", named("1")).await;
    assert_eq!(deleted["Invoice"], json!({ "Id": invoice["Id"], "domain": "QBO", "status": "Deleted" }));
    assert_eq!(code(&qbo.get(&format!("invoice/{}", text(&invoice["Id"]))).await.1), "610");
    qbo.refused("customer?operation=delete", json!({ "Id": ACME, "SyncToken": "0" }), "500").await;
}

#[tokio::test]
async fn names_are_unique_across_customers_vendors_and_employees() {
    let qbo = Qbo::start().await;
    let customer = json!({ "DisplayName": "Kite Works", "PrimaryEmailAddr": { "Address": "pay@kite.example" } });
    conforms(SPEC, "CustomerCreateObject", &customer);
    let (status, made) = qbo.post("customer", customer).await;
    assert_eq!(status, 200);
    conforms(SPEC, "CustomerResponse", &made);
    qbo.refused("vendor", json!({ "DisplayName": "kite works" }), "6240").await;
    qbo.refused("customer", json!({ "DisplayName": "Tom Field" }), "6240").await;
    qbo.refused("customer", json!({ "CompanyName": "No name" }), "2020").await;
    let gone = json!({ "Id": made["Customer"]["Id"], "SyncToken": "0", "sparse": true, "Active": false });
    assert_eq!(qbo.post("customer", gone).await.1["Customer"]["DisplayName"], "Kite Works (deleted)");
    let (status, vendor) = qbo.post("vendor", json!({ "DisplayName": "Kite Works" })).await;
    assert_eq!(status, 200);
    conforms(SPEC, "VendorResponse", &vendor);
    let invoice = json!({ "CustomerRef": made["Customer"]["Id"], "Line": labor()["Line"] });
    qbo.refused("invoice", invoice, "2010").await;
    let invoice = json!({ "CustomerRef": { "value": made["Customer"]["Id"] }, "Line": labor()["Line"] });
    qbo.refused("invoice", invoice, "2500").await;
}

#[tokio::test]
async fn queries_find_page_count_and_leave_out_the_key_of_nothing() {
    let qbo = Qbo::start().await;
    let (status, found) = qbo.query("SELECT * FROM Customer WHERE PrimaryEmailAddr = 'billing@acme.example'").await;
    assert_eq!((status, &found["QueryResponse"]["Customer"][0]["Id"]), (200, &json!(ACME)));
    assert_eq!((&found["QueryResponse"]["startPosition"], &found["QueryResponse"]["maxResults"]), (&json!(1), &json!(1)));
    conforms(SPEC, "CustomerResponse", &json!({ "Customer": found["QueryResponse"]["Customer"][0] }));
    let (_, nothing) = qbo.query("select * from Customer where DisplayName = 'Nobody'").await;
    assert_eq!(nothing["QueryResponse"], json!({}));

    for name in ["O'Hara", "Olsen", "Ortiz"] {
        assert_eq!(qbo.post("customer", json!({ "DisplayName": name })).await.0, 200);
    }
    let (_, quoted) = qbo.query(r"select Id, DisplayName from Customer where DisplayName = 'O\'Hara'").await;
    assert_eq!(quoted["QueryResponse"]["Customer"][0]["DisplayName"], "O'Hara");
    assert!(quoted["QueryResponse"]["Customer"][0].get("Balance").is_none());
    let page = "select * from Customer where DisplayName like 'O%' ORDERBY DisplayName DESC STARTPOSITION 2 MAXRESULTS 1";
    let posted = qbo.request(Method::POST, "query").header("content-type", "application/text").body(page);
    let (_, page) = read(posted.send().await.expect("answered")).await;
    assert_eq!(page["QueryResponse"]["Customer"][0]["DisplayName"], "Olsen");
    let (_, count) = qbo.query("select count(*) from Customer where DisplayName like 'O%'").await;
    assert_eq!(count["QueryResponse"], json!({ "totalCount": 3 }));
    for (entity, number) in
        [("Item", 3), ("Employee", 3), ("Vendor", 1), ("TaxCode", 3), ("Account", 4), ("TimeActivity", 0), ("Invoice", 0)]
    {
        let (_, count) = qbo.query(&format!("select count(*) from {entity}")).await;
        assert_eq!(count["QueryResponse"]["totalCount"], number, "{entity}");
    }
    for (query, code) in [
        ("select * from Customer where DisplayName = Bill", "4000"),
        ("select * from Customer where Id = '1' or Id = '2'", "4000"),
        ("select * from Invoice where PrivateNote = 'job 1'", "4001"),
        ("select * from Customer where Colour = 'red'", "4001"),
        ("select * from Spaceship", "4001"),
    ] {
        let (status, answer) = qbo.query(query).await;
        assert_eq!((status, self::code(&answer)), (400, code), "{query}");
    }
}

#[tokio::test]
async fn time_is_checked_and_billed_by_the_invoice_that_links_to_it() {
    let qbo = Qbo::start().await;
    let time = || {
        json!({
            "NameOf": "Employee", "EmployeeRef": { "value": TOM }, "TxnDate": "2026-11-20", "Hours": 1, "Minutes": 30,
            "CustomerRef": { "value": ACME }, "ItemRef": { "value": LABOR }, "HourlyRate": 85, "BillableStatus": "Billable",
        })
    };
    let without = |names: &[&str]| {
        let mut body = time();
        names.iter().for_each(|name| drop(body.as_object_mut().expect("fields").remove(*name)));
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = time();
        body[name] = value;
        body
    };
    let cases = [
        (without(&["NameOf"]), "2020"),
        (without(&["EmployeeRef"]), "2020"),
        (without(&["CustomerRef"]), "2020"),
        (without(&["HourlyRate"]), "2020"),
        (without(&["Hours", "Minutes"]), "2020"),
        (with("EmployeeRef", json!({ "value": ACME })), "2500"),
        (with("ItemRef", json!({ "value": PARTS })), "6000"),
        (with("Minutes", json!(60)), "2090"),
        (with("Hours", json!(1.5)), "2090"),
        (with("BillableStatus", json!("HasBeenBilled")), "6000"),
    ];
    for (body, code) in cases {
        qbo.refused("timeactivity", body, code).await;
    }
    let (status, made) = qbo.post("timeactivity", time()).await;
    assert_eq!((status, &made["TimeActivity"]["EmployeeRef"]["name"]), (200, &json!("Tom Field")));
    let id = &made["TimeActivity"]["Id"];

    let mut invoice = labor();
    invoice["LinkedTxn"] = json!([{ "TxnId": id, "TxnType": "TimeActivity" }]);
    let mut anothers = invoice.clone();
    anothers["CustomerRef"] = json!({ "value": DELTA });
    qbo.refused("invoice", anothers, "6000").await;
    let billed = qbo.invoice(invoice.clone()).await;
    let status = async || qbo.get(&format!("timeactivity/{}", text(id))).await.1["TimeActivity"]["BillableStatus"].clone();
    assert_eq!(status().await, "HasBeenBilled");
    qbo.refused("invoice", invoice, "6000").await;
    let void = json!({ "Id": billed["Id"], "SyncToken": "0" });
    assert_eq!(qbo.post("invoice?operation=void", void).await.0, 200);
    assert_eq!(status().await, "Billable");
}

#[tokio::test]
async fn a_batch_answers_each_item_for_itself() {
    let qbo = Qbo::start().await;
    let items = json!([
        { "bId": "a", "operation": "create", "Customer": { "DisplayName": "From a batch" } },
        { "bId": "b", "operation": "create", "Invoice": { "CustomerRef": { "value": "9999" }, "Line": labor()["Line"] } },
        { "bId": "c", "Query": "select count(*) from Customer" },
    ]);
    let (status, answer) = qbo.post("batch", json!({ "BatchItemRequest": items })).await;
    let answers = &answer["BatchItemResponse"];
    assert_eq!((status, &answers[0]["bId"], &answers[0]["Customer"]["DisplayName"]), (200, &json!("a"), &json!("From a batch")));
    assert_eq!(answers[1]["Fault"]["Error"][0]["code"], "2500");
    assert_eq!(answers[2]["QueryResponse"]["totalCount"], 3);
    let many: Vec<Value> = (0..31).map(|id| json!({ "bId": id.to_string(), "Query": "select * from Item" })).collect();
    qbo.refused("batch", json!({ "BatchItemRequest": many }), "1040").await;
}

#[tokio::test]
async fn refresh_tokens_rotate_and_an_old_one_used_again_ends_the_family() {
    let qbo = Qbo::start().await;
    let grant = async |token: &str| {
        let (status, body) = qbo.refresh(token).await;
        (status, body["refresh_token"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned())
    };
    let refused = || (400, "invalid_grant".to_owned());
    assert_eq!(grant("qbo-refresh-1").await, refused(), "used up by the start");
    assert_eq!(grant("qbo-refresh-2").await, (200, "qbo-refresh-3".to_owned()), "one step behind does no harm");
    assert_eq!(grant("qbo-refresh-1").await, refused());
    assert_eq!(grant("qbo-refresh-3").await, refused(), "two steps behind ended the family");
    assert_eq!(qbo.get("customer/58").await.0, 401);
    assert_eq!(qbo.saas.quickbooks.state()["tokens"]["revoked"], true);
    let url = format!("{}/oauth2/v1/tokens/bearer", qbo.saas.quickbooks.url());
    let stranger = qbo.client.post(url).basic_auth("qbo-client", Some("wrong")).send().await.expect("answered");
    assert_eq!(read(stranger).await, (401, json!({ "error": "invalid_client", "error_description": "client authentication failed" })));
}

#[tokio::test]
async fn strangers_other_companies_and_haste_are_refused_each_in_its_own_shape() {
    let qbo = Qbo::start().await;
    let url = format!("{}/v3/company/1/customer/58", qbo.saas.quickbooks.url());
    let other = qbo.client.get(url).bearer_auth(&qbo.token).header("accept", "application/json");
    let (status, answer) = read(other.send().await.expect("answered")).await;
    assert_eq!((status, code(&answer)), (403, "120"));

    qbo.saas.quickbooks.set("requests-per-minute", 1).expect("a setting");
    assert_eq!(qbo.get("customer/58").await.0, 200);
    let response = qbo.request(Method::GET, "customer/58").send().await.expect("answered");
    assert!(response.headers().get("retry-after").is_none());
    let (status, answer) = read(response).await;
    assert_eq!((status, code(&answer)), (429, "429"));
    qbo.saas.quickbooks.set("requests-per-minute", Value::Null).expect("a setting");

    qbo.saas.quickbooks.set("expire-tokens", true).expect("a setting");
    let (status, answer) = qbo.get("customer/58").await;
    assert_eq!((status, &answer["fault"]["error"][0]["code"]), (401, &json!("3200")));
    assert_eq!(answer["fault"]["type"], "AUTHENTICATION");
    assert!(answer.get("Fault").is_none());
}

#[tokio::test]
async fn an_answer_is_xml_unless_json_is_accepted() {
    let qbo = Qbo::start().await;
    let url = format!("{}/v3/company/4620816365/companyinfo/4620816365", qbo.saas.quickbooks.url());
    let response = qbo.client.get(url).bearer_auth(&qbo.token).send().await.expect("answered");
    assert_eq!(response.headers()["content-type"], "application/xml;charset=UTF-8");
    let body = response.text().await.expect("a text");
    assert!(body.contains("<CompanyInfo>") && body.contains("<CompanyName>Sangam Test Services</CompanyName>"), "{body}");
}
