//! `cargo xtask demo`: a morning of a repair company, with real components, a real host, and stand-ins for its four systems.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Saas};
use sangam_tests::{Client, HostFolder, sangam};
use serde_json::{Value, json};

/// The jobs of the morning: technician, customer, hours at the customer's, what was done, parts (name, quantity, price), travel.
const JOBS: &[Job] = &[
    Job { technician: 0, customer: 0, hours: "2.5", notes: "Replaced the circulation pump and bled the system", parts: &[("Pump", "1", "189.90")], travel: "24.00" },
    Job { technician: 1, customer: 1, hours: "1.25", notes: "Cleaned the condenser, refilled 0.4 kg of R-290", parts: &[("Refrigerant, kg", "0.4", "62.50")], travel: "18.50" },
    Job { technician: 2, customer: 2, hours: "3", notes: "Rewired the control cabinet", parts: &[("Relay", "4", "11.35"), ("Terminal block", "2", "7.80")], travel: "0.00" },
    Job { technician: 0, customer: 1, hours: "4", notes: "Found the leak in the flow line, welded it", parts: &[], travel: "12.00" },
    Job { technician: 1, customer: 3, hours: "2", notes: "Yearly service; filter changed", parts: &[("Filter", "1", "34.20")], travel: "22.75" },
    Job { technician: 0, customer: 2, hours: "3.5", notes: "Emergency call: burst pipe in the cellar", parts: &[("Pipe, m", "6", "8.15"), ("Fitting", "5", "3.49")], travel: "31.00" },
    Job { technician: 2, customer: 0, hours: "1.5", notes: "Thermostat calibrated", parts: &[], travel: "24.00" },
    Job { technician: 1, customer: 2, hours: "5.5", notes: "Compressor exchanged under warranty", parts: &[("Gasket set", "1", "19.99")], travel: "31.00" },
];
const TECHNICIANS: &[(&str, &str)] = &[("emp-1", "Tom Field"), ("emp-2", "Ana Ruiz"), ("emp-3", "Lee Park")];
const CUSTOMERS: &[(&str, &str)] = &[
    ("Acme Heating", "ada.stone@acme.example"),
    ("Blue Lake Hotel", "desk@bluelake.example"),
    ("Harbour Cold Stores", "ops@harbour.example"),
    ("Mill Lane School", "office@milllane.example"),
];
const DATE: &str = "2026-11-16";

struct Job {
    technician: usize,
    customer: usize,
    hours: &'static str,
    notes: &'static str,
    parts: &'static [(&'static str, &'static str, &'static str)],
    travel: &'static str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stay = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--stay") => true,
        Some(other) => anyhow::bail!("no option {other:?}; there is --stay"),
    };
    let begun = Instant::now();
    let saas = Saas::start().await?;
    println!("\nThe company's systems (stand-ins on this machine):");
    for (name, url) in systems(&saas) {
        println!("  {name:22} {url}");
    }
    let tickets = prepare(&saas).await.context("opening cases and tickets")?;
    let folder = folder(&saas)?;
    let host = folder.start().await?;
    println!("The host                 {}  (ready after {:.1} s)\n", host.client.url, begun.elapsed().as_secs_f64());

    // Things go wrong on every morning: accounting is down for a moment, and one answer of the CRM is lost on its way.
    saas.quickbooks.fault(Fault::once("/v3/company/*/invoice*", FaultAct::Status { status: 503, headers: Default::default(), body: String::new() }));
    saas.salesforce.fault(Fault::once("/services/data/*/sobjects/CaseComment*", FaultAct::LoseAnswer));

    println!("Eight jobs are done this morning. Each is one event; on the way there are two faults.\n");
    let mut sent = Vec::new();
    for (index, job) in JOBS.iter().enumerate() {
        let eid = host.client.send(&event(index, job, &tickets)).await?;
        println!("  sent  job {}  {:12} at {}", job_id(index), TECHNICIANS[job.technician].1, CUSTOMERS[job.customer].0);
        sent.push(eid);
    }
    println!();
    let documents = watch(&host.client, &sent).await?;
    outcome(&documents);
    holdings(&saas);
    let ok = documents.iter().all(|document| document["status"] == "succeeded");
    if let Some(retried) = documents.iter().find(|document| retries(document) > 0) {
        println!("\nThe job whose invoice had to be tried twice:\n");
        let shown = folder.run(&["events", "show", retried["eid"].as_str().unwrap_or(""), "--url", &host.client.url], "")?;
        print!("{}", String::from_utf8_lossy(&shown.stdout));
    }
    look_further(&host.client.url, stay, &folder);
    if stay {
        tokio::signal::ctrl_c().await?;
    }
    let code = host.terminate().await?;
    ensure!(code == Some(0), "the host did not stop well: {code:?}");
    ensure!(ok, "not every job went through");
    Ok(())
}

fn systems(saas: &Saas) -> [(&'static str, String); 4] {
    [
        ("CRM: Salesforce", saas.salesforce.url()),
        ("service desk: HubSpot", saas.hubspot.url()),
        ("accounting: QuickBooks", saas.quickbooks.url()),
        ("HR: its own", saas.hr.url()),
    ]
}

fn job_id(index: usize) -> String {
    format!("job-{}", 2001 + index)
}

/// What was there before the morning: a case in the CRM for each job, and a ticket at the service desk for every other one.
async fn prepare(saas: &Saas) -> anyhow::Result<BTreeMap<usize, String>> {
    let mut crm = Client::new(&saas.salesforce.url());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"grant_type=client_credentials&client_id=sf-client&client_secret=sf-secret".to_vec();
    let token = crm.ask(reqwest::Method::POST, "/services/oauth2/token", &form, body).await?;
    crm.token = token.json["access_token"].as_str().map(str::to_owned);
    let mut desk = Client::new(&saas.hubspot.url());
    desk.token = Some("hs-token".to_owned());
    let mut tickets = BTreeMap::new();
    for (index, job) in JOBS.iter().enumerate() {
        let case = json!({ "Subject": job.notes, "Status": "Working", "Origin": "Phone", "Job_Id__c": job_id(index) });
        let made = crm.post("/services/data/v66.0/sobjects/Case", &case).await?;
        ensure!(made.status == 201, "the CRM refused a case: {}", made.text);
        if index % 2 == 0 {
            let ticket = json!({ "properties": { "subject": job.notes, "hs_pipeline": "0", "hs_pipeline_stage": "2" } });
            let made = desk.post("/crm/v3/objects/tickets", &ticket).await?;
            ensure!(made.status == 201, "the service desk refused a ticket: {}", made.text);
            tickets.insert(index, made.json["id"].as_str().context("a ticket has an id")?.to_owned());
        }
    }
    Ok(tickets)
}

/// A folder with the demo's configuration and secrets.
fn folder(saas: &Saas) -> anyhow::Result<HostFolder> {
    let plugins = sangam().parent().context("the program is in a folder")?.join("plugins");
    let folder = HostFolder::new(include_str!("../../demo/sangam.toml"))?
        .env("SALESFORCE", &saas.salesforce.url())
        .env("HUBSPOT", &saas.hubspot.url())
        .env("QUICKBOOKS", &saas.quickbooks.url())
        .env("HR", &saas.hr.url())
        .env("PLUGINS", &plugins.display().to_string());
    folder.secret("salesforce-key", Saas::salesforce_private_key_pem())?;
    folder.secret("hubspot-token", "hs-token")?;
    folder.secret("quickbooks-client", "qbo-secret")?;
    folder.secret("quickbooks-refresh", "qbo-refresh-1")?;
    folder.secret("hr-token", "hr-token")?;
    let check = folder.run(&["check"], "")?;
    ensure!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    print!("\n{}", String::from_utf8_lossy(&check.stdout));
    Ok(folder)
}

fn event(index: usize, job: &Job, tickets: &BTreeMap<usize, String>) -> Value {
    let (employee, technician) = TECHNICIANS[job.technician];
    let (customer, email) = CUSTOMERS[job.customer];
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let minutes = job.hours.parse::<f64>().map_or(0, |hours| (hours * 60.0).round() as u32);
    let parts: Vec<Value> = job
        .parts
        .iter()
        .map(|(name, quantity, price)| json!({ "description": name, "quantity": number(quantity), "unit_price": number(price), "taxable": true }))
        .collect();
    let expenses = if job.travel == "0.00" { json!([]) } else { json!([{ "description": "Travel", "amount": number(job.travel), "taxable": false }]) };
    json!({
        "specversion": "1.0",
        "id": format!("{}-completed", job_id(index)),
        "source": "/field-service/springfield",
        "type": "job.completed",
        "time": format!("{DATE}T{:02}:{:02}:00Z", 8 + index / 2, (index % 2) * 30),
        "data": {
            "job_id": job_id(index),
            "status": "completed",
            "date": DATE,
            "technician": { "id": employee, "name": technician },
            "customer": { "name": customer, "email": email },
            "ticket_id": tickets.get(&index),
            "notes": job.notes,
            "worked_minutes": minutes,
            "labour": [{ "hours": number(job.hours), "rate": number("95.00"), "description": job.notes, "date": DATE, "taxable": false }],
            "parts": parts,
            "expenses": expenses,
        },
    })
}

/// Follows the events until they have ended; shows how many have.
async fn watch(client: &Client, sent: &[String]) -> anyhow::Result<Vec<Value>> {
    use std::io::{IsTerminal as _, Write as _};
    let begun = Instant::now();
    loop {
        let mut documents = Vec::with_capacity(sent.len());
        for eid in sent {
            documents.push(client.event(eid).await?);
        }
        let ended = documents.iter().filter(|document| matches!(document["status"].as_str(), Some("succeeded" | "dead"))).count();
        if std::io::stdout().is_terminal() {
            print!("\r  {ended} of {} events are through after {:.1} s ", sent.len(), begun.elapsed().as_secs_f64());
            std::io::stdout().flush()?;
        }
        if ended == sent.len() {
            println!("\r  {ended} of {} events are through after {:.1} s \n", sent.len(), begun.elapsed().as_secs_f64());
            return Ok(documents);
        }
        ensure!(begun.elapsed() < Duration::from_secs(120), "not all events were through after two minutes: {documents:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn attempts(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let runs = document["runs"].as_array().into_iter().flatten();
    let steps = runs.flat_map(|run| run["steps"].as_array().into_iter().flatten());
    steps.flat_map(|step| {
        let name = step["name"].as_str().unwrap_or("");
        step["attempts"].as_array().into_iter().flatten().map(move |attempt| (name, attempt))
    })
}

fn retries(document: &Value) -> usize {
    attempts(document).filter(|(_, attempt)| attempt["outcome"] != "succeeded").count()
}

fn outcome(documents: &[Value]) {
    println!("  {:10} {:12} {:20} {:>9}  {}", "job", "technician", "customer", "took", "outcome");
    for document in documents {
        let data = &document["event"]["data"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let again: Vec<String> = attempts(document)
            .filter(|(_, attempt)| attempt["outcome"] != "succeeded")
            .map(|(step, attempt)| format!("{step}: {}", text(&attempt["outcome"])))
            .collect();
        let note = if again.is_empty() { String::new() } else { format!(" (tried again: {})", again.join(", ")) };
        println!(
            "  {:10} {:12} {:20} {:>6} ms  {}{note}",
            text(&data["job_id"]),
            text(&data["technician"]["name"]),
            text(&data["customer"]["name"]),
            took(document),
            text(&document["status"]),
        );
    }
}

/// From acceptance to the end of the last run, milliseconds.
fn took(document: &Value) -> i64 {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ended = document["runs"].as_array().into_iter().flatten().filter_map(|run| parse(&run["ended_at"])).max();
    match (parse(&document["received_at"]), ended) {
        (Some(received), Some(ended)) => ended.as_millisecond() - received.as_millisecond(),
        _ => 0,
    }
}

/// What each system holds now.
fn holdings(saas: &Saas) {
    let count = |value: &Value, keep: &dyn Fn(&Value) -> bool| values(value).filter(|record| keep(record)).count();
    let crm = saas.salesforce.state()["records"].clone();
    let jobs = |record: &Value| record["Job_Id__c"].as_str().is_some_and(|job| job.starts_with("job-20"));
    let cases = count(&crm["Case"], &|record| jobs(record) && record["Status"] == "Closed");
    let comments = count(&crm["CaseComment"], &|record| record["CommentBody"].as_str().is_some_and(|body| body.starts_with("Job job-20")));
    let desk = saas.hubspot.state();
    let closed = count(&desk["tickets"], &|record| record["properties"]["hs_pipeline_stage"] == "4");
    let notes = count(&desk["notes"], &|_| true);
    let books = saas.quickbooks.state();
    let invoices: Vec<&Value> = values(&books["invoices"]).collect();
    let total: f64 = invoices.iter().filter_map(|invoice| invoice["TotalAmt"].as_f64()).sum();
    let mails = books["emails_sent"].as_array().map_or(0, Vec::len);
    let hr = saas.hr.state();
    let entries: Vec<&Value> = values(&hr["time_entries"]).collect();
    let minutes = |name: &str| entries.iter().filter_map(|entry| entry[name].as_u64()).sum::<u64>();
    println!("\nWhat the systems hold now:\n");
    println!("  CRM           {cases} cases closed, {comments} comments of technicians");
    println!("  service desk  {closed} tickets closed, {notes} notes");
    println!("  accounting    {} invoices over {total:.2}, {mails} sent by e-mail", invoices.len());
    let (regular, overtime) = (minutes("regular_minutes"), minutes("overtime_minutes"));
    println!("  HR            {} entries: {}:{:02} h regular, {}:{:02} h overtime", entries.len(), regular / 60, regular % 60, overtime / 60, overtime % 60);
}

/// The records of a list, or of an object by id.
fn values(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn look_further(url: &str, stay: bool, folder: &HostFolder) {
    println!("\nWhere to look further:");
    if stay {
        println!("  the host is at {url}, its folder is {}", folder.path().display());
        println!("  sangam events list --url {url}");
        println!("  curl {url}/v1/plugins");
        println!("  Ctrl-C ends everything");
    } else {
        println!("  cargo xtask demo --stay     keeps everything running");
        println!("  tests/demo/sangam.toml      the configuration of this demo");
        println!("  plugins/                    the connectors, docs/connectors.md how to write one");
    }
}
