//! What the four systems hold of a morning's jobs.

use anyhow::{Context as _, ensure};
use sangam_saas::Saas;
use sangam_tests::morning::{JOBS, Morning, TECHNICIANS, records};
use serde_json::Value;

/// What the customers pay, with 8.25 % tax on the parts, by job.
pub const TOTALS: [&str; 8] = ["467.07", "164.31", "351.03", "392.00", "249.77", "435.32", "166.50", "575.14"];

/// An amount in cents.
///
/// # Panics
/// When it has parts of a cent.
pub fn cents_of(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    assert!(part.len() <= 2, "{amount} has parts of a cent");
    format!("{whole}{part:0<2}").parse().expect("digits")
}

/// Checks that a job has left exactly what it should in each system. How often the invoice was sent is another matter:
/// [`mails`].
pub fn check_job(saas: &Saas, morning: &Morning, index: usize) -> anyhow::Result<()> {
    check_records(saas, morning, index)?;
    let mails = mails(saas, morning, index)?;
    ensure!(mails == 1, "{}: {mails} mails", morning.job_id(index));
    Ok(())
}

/// The same without its mail.
pub fn check_records(saas: &Saas, morning: &Morning, index: usize) -> anyhow::Result<()> {
    let job = morning.job_id(index);
    let crm = saas.salesforce.state()["records"].clone();
    let case = one(&crm["Case"], &format!("cases of {job}"), |case| case["Job_Id__c"] == job.as_str())?;
    ensure!(case["Status"] == "Closed", "{job}: the case is {}", case["Status"]);
    one(&crm["CaseComment"], &format!("comments of {job}"), |comment| comment["ParentId"] == case["Id"])?;

    let desk = saas.hubspot.state();
    if let Some(ticket) = morning.ticket(index) {
        let record = one(&desk["tickets"], &format!("tickets of {job}"), |record| record["id"] == ticket)?;
        ensure!(
            record["properties"]["hs_pipeline_stage"] == "4",
            "{job}: the ticket is in stage {}",
            record["properties"]["hs_pipeline_stage"]
        );
        let from = format!("tickets/{ticket}");
        one(&desk["associations"], &format!("notes of {job}"), |link| link["from"] == from.as_str() && starts(&link["to"], "notes/"))?;
    }
    one_or_none(&desk["notes"], morning.ticket(index).is_some(), |note| {
        contains(&note["properties"]["hs_note_body"], &format!("finished job {job}:"))
    })
    .with_context(|| format!("notes of {job}"))?;

    let books = saas.quickbooks.state();
    let invoice = invoice(&books, &job)?;
    let total = invoice["TotalAmt"].to_string();
    ensure!(cents_of(&total) == cents_of(TOTALS[index]), "{job}: the invoice is over {total}");

    let hr = saas.hr.state();
    let entry = one(&hr["time_entries"], &format!("entries of {job}"), |entry| entry["job_ref"] == job.as_str())?;
    let minutes = entry["regular_minutes"].as_u64().unwrap_or(0) + entry["overtime_minutes"].as_u64().unwrap_or(0);
    let hours: f64 = JOBS[index].hours.parse()?;
    ensure!(minutes == (hours * 60.0) as u64, "{job}: {minutes} minutes");
    ensure!(entry["employee_ref"] == TECHNICIANS[JOBS[index].technician].0, "{job}: {}", entry["employee_ref"]);
    Ok(())
}

/// How often a job's invoice went out.
pub fn mails(saas: &Saas, morning: &Morning, index: usize) -> anyhow::Result<usize> {
    let books = saas.quickbooks.state();
    let invoice = invoice(&books, &morning.job_id(index))?;
    Ok(records(&books["emails_sent"]).filter(|mail| mail["invoice"] == invoice["Id"]).count())
}

/// Regular and overtime minutes of an employee on the morning's day.
pub fn hours_of(saas: &Saas, morning: &Morning, employee: &str) -> (u64, u64) {
    let hr = saas.hr.state();
    let entries: Vec<&Value> =
        records(&hr["time_entries"]).filter(|entry| entry["employee_ref"] == employee && entry["work_date"] == morning.date()).collect();
    let sum = |name: &str| entries.iter().filter_map(|entry| entry[name].as_u64()).sum();
    (sum("regular_minutes"), sum("overtime_minutes"))
}

fn invoice<'a>(books: &'a Value, job: &str) -> anyhow::Result<&'a Value> {
    let note = format!("Job {job}\n");
    one(&books["invoices"], &format!("invoices of {job}"), |invoice| starts(&invoice["PrivateNote"], &note))
}

fn one<'a>(list: &'a Value, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<&'a Value> {
    let found: Vec<&Value> = records(list).filter(|record| wanted(record)).collect();
    ensure!(found.len() == 1, "{} {what} instead of one", found.len());
    Ok(found[0])
}

fn one_or_none(list: &Value, one: bool, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let found = records(list).filter(|record| wanted(record)).count();
    ensure!(found == usize::from(one), "{found} instead of {}", usize::from(one));
    Ok(())
}

fn starts(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|value| value.starts_with(text))
}

fn contains(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|value| value.contains(text))
}
