//! `cargo xtask demo`: a morning of a repair company, with real components, a real host, and stand-ins for its systems.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Saas};
use sangam_tests::morning::{CUSTOMERS, JOBS, Morning, TECHNICIANS, records};
use sangam_tests::scenario::{self, Scenario, Stage};
use sangam_tests::{Client, HostFolder, company};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let stay = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--stay"] => true,
        ["--scenario"] | ["--scenario", "list"] => {
            list();
            return Ok(());
        }
        ["--scenario", name] => return scenarios(name).await,
        other => anyhow::bail!("no option {other:?}; there are --stay and --scenario NAME|all|list"),
    };
    let begun = Instant::now();
    let saas = Saas::start().await?;
    println!("\nThe company's systems (stand-ins on this machine):");
    for (name, url) in systems(&saas) {
        println!("  {name:22} {url}");
    }
    let morning = Morning::open(&saas, 2001, "2026-11-16").await.context("opening cases and tickets")?;
    let (configuration, missing) = company::all();
    for section in &missing {
        println!("  (left out, since its connector could not be built here: {section}; `cargo xtask build` says what it needs)");
    }
    let folder = company::folder(&saas, &configuration)?;
    let check = folder.run(&["check"], "")?;
    ensure!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    print!("\n{}", String::from_utf8_lossy(&check.stdout));
    let host = folder.start().await?;
    println!("The host                 {}  (ready after {:.1} s)\n", host.client.url, begun.elapsed().as_secs_f64());

    // Things go wrong on every morning: accounting is down for a moment, and one answer of the CRM is lost on its way.
    saas.quickbooks
        .fault(Fault::once("/v3/company/*/invoice*", FaultAct::Status { status: 503, headers: Default::default(), body: String::new() }));
    saas.salesforce.fault(Fault::once("/services/data/*/sobjects/CaseComment*", FaultAct::LoseAnswer));

    println!("Eight jobs are done this morning. Each is one event; on the way there are two faults.\n");
    let mut sent = Vec::new();
    for (index, job) in JOBS.iter().enumerate() {
        let eid = host.client.send(&morning.event(index)).await?;
        println!("  sent  job {}  {:12} at {}", morning.job_id(index), TECHNICIANS[job.technician].1, CUSTOMERS[job.customer].0);
        sent.push(eid);
    }
    println!();
    let documents = watch(&host.client, &sent).await?;
    outcome(&documents);
    if configuration.contains("[plugins.payroll]") {
        let due = json!({
            "specversion": "1.0", "id": "payroll-2026-11", "source": "/office", "type": "payroll.due", "data": { "period": "2026-11" },
        });
        let document = host.client.send_and_wait(&due).await?;
        ensure!(document["status"] == "succeeded", "the payroll file was not written: {document:#}");
    }
    holdings(&saas);
    languages(&saas, &configuration, &documents);
    let ok = documents.iter().all(|document| document["status"] == "succeeded");
    if let Some(retried) = documents.iter().find(|document| retries(document) > 0) {
        println!("\nA job of which a step had to be tried twice:\n");
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

/// The scenarios that there are.
fn list() {
    println!("Scenarios (`cargo xtask demo --scenario NAME`, or `all`); their files are in tests/demo/scenarios:\n");
    println!("  job-completed      A finished job updates CRM, service desk, accounting and HR: the demo without `--scenario`.");
    for scenario in scenario::ALL {
        println!("  {:18} {}", scenario.name, scenario.title());
    }
}

/// Plays one scenario or all of them, each with a host of its own.
async fn scenarios(name: &str) -> anyhow::Result<()> {
    let wanted: Vec<&Scenario> = scenario::ALL.iter().filter(|scenario| name == "all" || scenario.name == name).collect();
    if wanted.is_empty() {
        list();
        anyhow::bail!("there is no scenario {name:?}");
    }
    for scenario in wanted {
        println!("\n── {} ──\n{}\n", scenario.name, scenario.title());
        if !scenario.can_be_played()? {
            ensure!(name == "all", "{name} can't be played here: what it needs is missing");
            continue;
        }
        let begun = Instant::now();
        let mut stage = Stage::start(scenario).await?;
        println!("  (host and systems were ready after {:.1} s)", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        for line in stage.play(scenario).await.with_context(|| format!("the scenario {}", scenario.name))? {
            println!("  {line}");
        }
        println!("  (took {:.1} s)", begun.elapsed().as_secs_f64());
        let code = stage.host.terminate().await?;
        ensure!(code == Some(0), "the host did not stop well: {code:?}");
    }
    println!("\nThe routes are in tests/demo/scenarios, ready to be taken over: docs/scenarios.md says what to change for your systems.");
    Ok(())
}

fn systems(saas: &Saas) -> [(&'static str, String); 7] {
    [
        ("CRM: Salesforce", saas.salesforce.url()),
        ("service desk: HubSpot", saas.hubspot.url()),
        ("accounting: QuickBooks", saas.quickbooks.url()),
        ("HR: its own", saas.hr.url()),
        ("warehouse: its own", saas.warehouse.url()),
        ("payroll: files", saas.files.url()),
        ("the office: Slack", saas.slack.url()),
    ]
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
    println!("  {:10} {:12} {:20} {:>9}  outcome", "job", "technician", "customer", "took");
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
    let count = |value: &Value, keep: &dyn Fn(&Value) -> bool| records(value).filter(|record| keep(record)).count();
    let crm = saas.salesforce.state()["records"].clone();
    let jobs = |record: &Value| record["Job_Id__c"].as_str().is_some_and(|job| job.starts_with("job-20"));
    let cases = count(&crm["Case"], &|record| jobs(record) && record["Status"] == "Closed");
    let comments = count(&crm["CaseComment"], &|record| record["CommentBody"].as_str().is_some_and(|body| body.starts_with("Job job-20")));
    let desk = saas.hubspot.state();
    let closed = count(&desk["tickets"], &|record| record["properties"]["hs_pipeline_stage"] == "4");
    let notes = count(&desk["notes"], &|_| true);
    let books = saas.quickbooks.state();
    let invoices: Vec<&Value> = records(&books["invoices"]).collect();
    let total: f64 = invoices.iter().filter_map(|invoice| invoice["TotalAmt"].as_f64()).sum();
    let mails = books["emails_sent"].as_array().map_or(0, Vec::len);
    let hr = saas.hr.state();
    let entries: Vec<&Value> = records(&hr["time_entries"]).collect();
    let minutes = |name: &str| entries.iter().filter_map(|entry| entry[name].as_u64()).sum::<u64>();
    println!("\nWhat the systems hold now:\n");
    println!("  CRM           {cases} cases closed, {comments} comments of technicians");
    println!("  service desk  {closed} tickets closed, {notes} notes");
    println!("  accounting    {} invoices over {total:.2}, {mails} sent by e-mail", invoices.len());
    let (regular, overtime) = (minutes("regular_minutes"), minutes("overtime_minutes"));
    println!(
        "  HR            {} entries: {}:{:02} h regular, {}:{:02} h overtime",
        entries.len(),
        regular / 60,
        regular % 60,
        overtime / 60,
        overtime % 60
    );
}

/// What the connectors in other languages than Rust did.
fn languages(saas: &Saas, configuration: &str, documents: &[Value]) {
    let has = |plugin: &str| configuration.contains(&format!("[plugins.{plugin}]"));
    if has("stock") {
        let state = saas.warehouse.state();
        let movements = state["movements"].as_array().map_or(0, Vec::len);
        println!("  warehouse     {movements} movements out of stock, {} pumps left  (Go)", state["stock"]["PUMP-15-60"]["main"]);
    }
    if has("overtime") {
        let splits = documents.iter().flat_map(|document| document["runs"].as_array().into_iter().flatten());
        let splits = splits.filter(|run| run["route"] == "working-time").map(|run| &run["steps"][0]["output"]);
        let minutes: u64 =
            splits.flat_map(|split| split["overtime"].as_array().into_iter().flatten()).filter_map(|part| part["minutes"].as_u64()).sum();
        println!("  overtime      {}:{:02} h beyond the policy's day  (Python)", minutes / 60, minutes % 60);
    }
    if has("payroll") {
        let files = saas.files.state();
        let lines = files["files"]["payroll-2026-11.txt"].as_str().map_or(0, |text| text.lines().count());
        println!("  payroll       payroll-2026-11.txt with {lines} lines  (C)");
    }
    if has("chat") {
        let messages = saas.slack.state()["messages"]["C0FIELD01"].as_array().map_or(0, Vec::len);
        println!("  Slack         {messages} messages in #field-service  (TypeScript)");
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
        println!("  cargo xtask demo --scenario all   what else the systems can do for one another");
        println!("  tests/demo/                 the configuration of this demo");
        println!("  plugins/                    the connectors, docs/book how to write one");
    }
}
