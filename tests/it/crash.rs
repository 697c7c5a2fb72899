//! The plug pulled in the middle of a morning, and what stands in the four systems afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Saas, Stand};
use sangam_tests::morning::{JOBS, Morning};
use sangam_tests::{Client, Host, HostFolder, company};
use serde_json::Value;

use crate::outcome::{check_job, check_records, hours_of, mails};

/// Longest wait for a request to be under way, or answered.
const BOUND: Duration = Duration::from_secs(20);

/// The demo's configuration, with quick retries, and attempts for many crashes: each uses one.
fn configuration() -> String {
    let configuration = company::CONFIGURATION
        .replace(r#"max-attempts = 6, initial = "500ms", factor = 2"#, r#"max-attempts = 100, initial = "50ms", factor = 1"#);
    assert_ne!(configuration, company::CONFIGURATION, "the demo's retries are written otherwise now");
    configuration
}

async fn company() -> anyhow::Result<(Saas, HostFolder)> {
    let saas = Saas::start().await?;
    let folder = company::folder(&saas, &configuration())?;
    Ok((saas, folder))
}

/// A Monday of its own for each round, so that no week's hours add up with another's.
fn monday(round: usize) -> String {
    let first = jiff::civil::date(2026, 11, 16);
    first.saturating_add(jiff::Span::new().days(7 * i64::try_from(round).unwrap_or(0))).to_string()
}

/// Sends the jobs that were not accepted yet, all at once; those whose answer does not come stay missing.
async fn send_missing(client: &Client, morning: &Morning, accepted: &mut BTreeMap<usize, String>) {
    let mut sending = tokio::task::JoinSet::new();
    for index in (0..JOBS.len()).filter(|index| !accepted.contains_key(index)) {
        let (client, event) = (client.clone(), morning.event(index));
        sending.spawn(async move { (index, client.send(&event).await) });
    }
    while let Some(sent) = sending.join_next().await {
        if let Ok((index, Ok(eid))) = sent {
            accepted.insert(index, eid);
        }
    }
}

async fn all_succeed(client: &Client, accepted: &BTreeMap<usize, String>) -> anyhow::Result<()> {
    for eid in accepted.values() {
        client.until(eid, "succeeded").await?;
    }
    Ok(())
}

fn check_morning(saas: &Saas, morning: &Morning) -> anyhow::Result<()> {
    for index in 0..JOBS.len() {
        check_job(saas, morning, index)?;
    }
    for (employee, hours) in [("emp-1", (480, 120)), ("emp-2", (480, 45)), ("emp-3", (270, 0))] {
        let logged = hours_of(saas, morning, employee);
        ensure!(logged == hours, "{employee} on {}: {logged:?} instead of {hours:?}", morning.date());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_every_accepted_job_is_done_once() -> anyhow::Result<()> {
    let (saas, folder) = company().await?;
    let moments = [5, 10, 15, 20, 30, 40, 55, 70, 90, 120, 160, 200];
    // A quiet morning first. A refresh token that is good once, and whose answer is gone with the pulled plug, is a person's to replace: no host can help it, and
    // this is not about that.
    let host = folder.start().await?;
    let quiet = Morning::open(&saas, 9_000, &monday(moments.len())).await?;
    let mut accepted = BTreeMap::new();
    send_missing(&host.client, &quiet, &mut accepted).await;
    all_succeed(&host.client, &accepted).await.context("nobody was killed yet")?;
    host.kill().await?;
    for (round, moment) in moments.into_iter().enumerate() {
        let morning = Morning::open(&saas, 10_000 + 100 * round, &monday(round)).await?;
        let mut accepted = BTreeMap::new();
        // Three times: while they come in, while they are done, while the rest is taken up again.
        for moment in [moment, 205 - moment, moment / 2] {
            let host = folder.start().await?;
            let client = host.client.clone();
            let killing = async {
                tokio::time::sleep(Duration::from_millis(moment)).await;
                host.kill().await
            };
            let (killed, ()) = tokio::join!(killing, send_missing(&client, &morning, &mut accepted));
            killed?;
        }
        let host = folder.start().await?;
        for (index, eid) in &accepted {
            let event = host.client.event(eid).await.with_context(|| format!("{} was accepted", morning.job_id(*index)))?;
            ensure!(event["event"]["data"]["job_id"] == morning.job_id(*index), "{event:#}");
        }
        send_missing(&host.client, &morning, &mut accepted).await;
        ensure!(accepted.len() == JOBS.len(), "only {accepted:?} were accepted");
        all_succeed(&host.client, &accepted).await.with_context(|| format!("round {round}, killed after {moment} ms"))?;
        check_morning(&saas, &morning).with_context(|| format!("round {round}, killed after {moment} ms"))?;
        host.kill().await?;
    }
    let host = folder.start().await?;
    let listed = host.client.get("/v1/events?limit=500").await?;
    assert_eq!(listed.json["events"].as_array().map(Vec::len), Some((moments.len() + 1) * JOBS.len()));
    Ok(())
}

/// A write of the demo's route.
struct Write {
    stand: fn(&Saas) -> &Stand,
    method: &'static str,
    path: &'static str,
}

impl Write {
    fn delayed(&self, saas: &Saas, ms: u64) {
        (self.stand)(saas).fault(Fault { method: Some(self.method.to_owned()), ..Fault::once(self.path, FaultAct::Delay { ms }) });
    }

    /// Whether a path is this write's: `*` stands for a segment.
    fn is_at(&self, path: &str) -> bool {
        let (wanted, segments): (Vec<&str>, Vec<&str>) = (self.path.split('/').collect(), path.split('/').collect());
        wanted.len() == segments.len() && wanted.iter().zip(&segments).all(|(wanted, segment)| *wanted == "*" || wanted == segment)
    }

    /// Where such a request was recorded from a position on, and its status if it was answered.
    fn recorded(&self, saas: &Saas, from: usize) -> Option<(usize, Option<u16>)> {
        let requests = (self.stand)(saas).requests();
        let found = requests
            .iter()
            .enumerate()
            .skip(from)
            .find(|(_, request)| request.method == self.method && self.is_at(request.path.split('?').next().unwrap_or_default()));
        found.map(|(at, request)| (at, request.status))
    }

    /// Waits until a request is under way, or (`answered`) until the system has carried it out.
    async fn until(&self, saas: &Saas, from: usize, answered: bool) -> anyhow::Result<usize> {
        let end = tokio::time::Instant::now() + BOUND;
        loop {
            if let Some((at, status)) = self.recorded(saas, from)
                && (!answered || status.is_some())
            {
                return Ok(at);
            }
            ensure!(tokio::time::Instant::now() < end, "no {} {} came", self.method, self.path);
            // Bounded by the end above.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

const fn salesforce(method: &'static str, path: &'static str) -> Write {
    Write { stand: |saas| &saas.salesforce, method, path }
}

const fn hubspot(method: &'static str, path: &'static str) -> Write {
    Write { stand: |saas| &saas.hubspot, method, path }
}

const fn quickbooks(path: &'static str) -> Write {
    Write { stand: |saas| &saas.quickbooks, method: "POST", path }
}

const COMMENT: Write = salesforce("POST", "/services/data/*/sobjects/CaseComment");
const NOTE: Write = hubspot("POST", "/crm/v3/objects/notes");
const INVOICE: Write = quickbooks("/v3/company/*/invoice");
const SEND: Write = quickbooks("/v3/company/*/invoice/*/send");
const HOURS: Write = Write { stand: |saas| &saas.hr, method: "PUT", path: "/v1/time-entries/*" };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_a_write_is_under_way_it_is_done_once() -> anyhow::Result<()> {
    const WRITES: [Write; 8] = [
        quickbooks("/v3/company/*/customer"), // while the customer is new
        INVOICE,
        SEND,
        COMMENT,
        salesforce("PATCH", "/services/data/*/sobjects/Case/*"),
        NOTE,
        hubspot("PATCH", "/crm/v3/objects/tickets/*"),
        HOURS,
    ];
    let (saas, folder) = company().await?;
    for (round, write) in WRITES.iter().enumerate() {
        let morning = Morning::open(&saas, 20_000 + 100 * round, &monday(round)).await?;
        let from = (write.stand)(&saas).requests().len();
        write.delayed(&saas, 100);
        let host = folder.start().await?;
        let eid = host.client.send(&morning.event(0)).await?;
        write.until(&saas, from, false).await?;
        host.kill().await?;
        // The system ends what it has begun.
        write.until(&saas, from, true).await?;
        let host = folder.start().await?;
        let document = host.client.until(&eid, "succeeded").await?;
        ensure!(document.to_string().contains("\"interrupted\""), "{} {}: nothing was interrupted: {document:#}", write.method, write.path);
        check_job(&saas, &morning, 0).with_context(|| format!("killed during {} {}", write.method, write.path))?;
        host.kill().await?;
    }
    Ok(())
}

/// What is carried out only after the next attempt has looked: where the vendor knows the key, it is done once all the same; where
/// nothing but a look tells (comment, note, e-mail), it may be done twice. No connector can know of a request still to come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_system_does_late_is_done_once_where_it_knows_keys() -> anyhow::Result<()> {
    const LATE: u64 = 4_000;
    let (saas, folder) = company().await?;
    let morning = Morning::open(&saas, 30_000, &monday(0)).await?;
    for (index, writes) in [(0, &[COMMENT, NOTE, INVOICE, HOURS][..]), (2, &[SEND][..])] {
        let mut from = Vec::new();
        for write in writes {
            from.push((write.stand)(&saas).requests().len());
            write.delayed(&saas, LATE);
        }
        let host = folder.start().await?;
        let eid = host.client.send(&morning.event(index)).await?;
        for (write, from) in writes.iter().zip(&mut from) {
            *from = write.until(&saas, *from, false).await?;
        }
        host.kill().await?;
        let host = folder.start().await?;
        host.client.until(&eid, "succeeded").await?;
        for (write, from) in writes.iter().zip(&from) {
            write.until(&saas, *from, true).await?;
        }
        host.terminate().await?;
    }
    let crm = saas.salesforce.state()["records"].clone();
    let count = |list: &Value, begins: &str, at: &str| {
        let records = list.as_array().into_iter().flatten();
        records.filter(|record| record.pointer(at).and_then(Value::as_str).is_some_and(|text| text.contains(begins))).count()
    };
    let comments = count(&crm["CaseComment"], "Job job-30000,", "/CommentBody");
    let notes = count(&saas.hubspot.state()["notes"], "finished job job-30000:", "/properties/hs_note_body");
    let mails = mails(&saas, &morning, 2)?;
    for (what, found) in [("comments", comments), ("notes", notes), ("mails", mails)] {
        ensure!((1..=2).contains(&found), "{found} {what}");
    }
    // One invoice, one mail of the first job, one entry: the keys are honoured, whatever came when.
    let books = saas.quickbooks.state();
    assert_eq!(count(&books["invoices"], "Job job-30000\n", "/PrivateNote"), 1);
    assert_eq!(crate::outcome::mails(&saas, &morning, 0)?, 1);
    check_records(&saas, &morning, 2)?;
    assert_eq!(hours_of(&saas, &morning, "emp-1"), (150, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_asked_to_stop_finishes_what_it_has_begun() -> anyhow::Result<()> {
    let (saas, folder) = company().await?;
    for (round, writes) in [&[COMMENT][..], &[NOTE, INVOICE][..], &[SEND, HOURS][..]].into_iter().enumerate() {
        let morning = Morning::open(&saas, 40_000 + 100 * round, &monday(round)).await?;
        let mut from = Vec::new();
        for write in writes {
            from.push((write.stand)(&saas).requests().len());
            write.delayed(&saas, 500);
        }
        let host: Host = folder.start().await?;
        let mut accepted = BTreeMap::new();
        send_missing(&host.client, &morning, &mut accepted).await;
        ensure!(accepted.len() == JOBS.len(), "only {accepted:?} were accepted");
        for (write, from) in writes.iter().zip(from) {
            write.until(&saas, from, false).await?;
        }
        assert_eq!(host.terminate().await?, Some(0));
        let host = folder.start().await?;
        all_succeed(&host.client, &accepted).await?;
        for eid in accepted.values() {
            let document = host.client.event(eid).await?;
            ensure!(!document.to_string().contains("\"interrupted\""), "an attempt was broken off: {document:#}");
        }
        check_morning(&saas, &morning)?;
        assert_eq!(host.terminate().await?, Some(0));
    }
    Ok(())
}
