//! The connectors through a real host, against stand-ins of their vendors. What counts is counted at the far end.

mod answers;
mod custom_hr;
mod echoes;
mod hubspot;
mod messages;
mod office;
mod quickbooks;
mod salesforce;
mod scenario;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Recorded, Saas, Stand};
use sangam_tests::morning::records;
use sangam_tests::{Client, Host, HostFolder, company};
use serde_json::{Value, json};

use crate::scene::{event, outcomes, step};

/// The step of a route of [`action`].
const STEP: &str = "do";

/// A route that gives an event's data to an action of the same name as the event's type: `crm.resolve-case`.
fn action(uses: &str, attempts: u32) -> String {
    format!(
        "[[routes]]\nname = {:?}\non = {{ type = {uses:?} }}\n[[routes.steps]]\nname = {STEP:?}\nuses = {uses:?}\n\
         retry = {{ max-attempts = {attempts}, initial = \"50ms\", factor = 1, jitter = 0 }}\n",
        uses.replace('.', "-")
    )
}

/// A host with some of the connectors, and the systems.
struct Office {
    saas: Saas,
    folder: HostFolder,
    host: Host,
}

impl Office {
    /// With those plugins of the demo and these routes.
    async fn start(plugins: &[&str], routes: &str) -> anyhow::Result<Office> {
        Office::configured(&(company::plugins(plugins) + routes)).await
    }

    async fn configured(configuration: &str) -> anyhow::Result<Office> {
        let saas = Saas::start().await?;
        let folder = company::folder(&saas, configuration)?;
        let host = folder.start().await?;
        Ok(Office { saas, folder, host })
    }

    fn client(&self) -> &Client {
        &self.host.client
    }

    /// Sends an event for an action; gives its `eid`.
    async fn send(&self, uses: &str, id: &str, input: Value) -> anyhow::Result<String> {
        self.client().send(&event(id, uses, input)).await
    }

    /// Does an action and waits until it has ended, well or not.
    async fn act(&self, uses: &str, id: &str, input: Value) -> anyhow::Result<Value> {
        self.client().send_and_wait(&event(id, uses, input)).await
    }

    /// Does an action that succeeds; gives its output.
    async fn done(&self, uses: &str, id: &str, input: Value) -> anyhow::Result<Value> {
        let document = self.act(uses, id, input).await?;
        ensure!(document["status"] == "succeeded", "{uses} did not succeed: {document:#}");
        Ok(step(&document, STEP)?["output"].clone())
    }

    /// Does an action that ends as a dead letter; gives it with its error.
    async fn dead(&self, uses: &str, id: &str, input: Value) -> anyhow::Result<(String, Value)> {
        let document = self.act(uses, id, input).await?;
        ensure!(document["status"] == "dead", "{uses} is no dead letter: {document:#}");
        let eid = document["eid"].as_str().context("a document has an eid")?;
        Ok((eid.to_owned(), step(&document, STEP)?["error"].clone()))
    }

    /// Replays what is dead, until it has succeeded.
    async fn replay(&self, eid: &str) -> anyhow::Result<Value> {
        let replayed = self.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
        ensure!(replayed.status == 200, "no replay: {} {}", replayed.status, replayed.text);
        self.client().until(eid, "succeeded").await
    }

    /// Waits until an attempt of the step has ended so; gives the step.
    async fn attempted(&self, eid: &str, outcome: &str) -> anyhow::Result<Value> {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let document = self.client().event(eid).await?;
            let tried = step(&document, STEP)?;
            // Until it is known when the next attempt is, the document was read in the middle of a change.
            if outcomes(&document, STEP)?.iter().any(|ended| ended == outcome) && patience(tried).is_ok() {
                return Ok(tried.clone());
            }
            ensure!(tokio::time::Instant::now() < end, "no attempt was {outcome}: {document:#}");
            // Bounded by the 20 s above.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// A client of the books with the host's own token: another refresh would end the host's.
    fn books(&self) -> anyhow::Result<Client> {
        let requests = self.saas.quickbooks.requests();
        let bearer = requests.iter().rev().find_map(|request| request.headers.get("authorization")?.strip_prefix("Bearer "));
        let mut books = Client::new(&self.saas.quickbooks.url());
        books.token = Some(bearer.context("the host has asked the books")?.to_owned());
        Ok(books)
    }
}

/// A fault as a test asks for it, and a name for it.
fn ways_to_fail() -> [(&'static str, FaultAct); 4] {
    let unavailable = FaultAct::Status { status: 503, headers: BTreeMap::new(), body: String::new() };
    [("lost", FaultAct::LoseAnswer), ("reset", FaultAct::Reset), ("down", unavailable), ("cut", FaultAct::Truncate { bytes: 1 })]
}

/// An answer with a status, as a fault.
fn answered(status: u16, headers: &[(&str, &str)], body: &Value) -> FaultAct {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FaultAct::Status { status, headers, body: body.to_string() }
}

/// Does an action once unharmed, and then once for each of its requests that a fault meets; all of them succeed. `input` makes the
/// input under a tag that tells the runs apart. Gives the tags.
async fn each_request_fails_once(
    office: &Office,
    (stand, prefix): (&Stand, &str),
    uses: &str,
    input: impl AsyncFn(&str) -> anyhow::Result<Value>,
) -> anyhow::Result<Vec<String>> {
    let asked = || stand.requests().iter().filter(|request| request.path.starts_with(prefix)).count();
    let first = input("whole").await?;
    let before = asked();
    office.done(uses, &format!("{uses}-whole"), first).await?;
    let requests = asked() - before;
    ensure!(requests > 0, "{uses} asks nothing below {prefix}");
    let mut tags = vec!["whole".to_owned()];
    for (name, act) in ways_to_fail() {
        let mut harmed = 0;
        for skip in 0..requests {
            let tag = format!("{name}-{skip}");
            let input = input(&tag).await?;
            let skip = u32::try_from(skip)?;
            stand.fault(Fault { skip, ..Fault::once(format!("{prefix}*"), act.clone()) });
            let document = office.act(uses, &format!("{uses}-{tag}"), input).await?;
            let outcomes = outcomes(&document, STEP)?;
            // An answer without a body can't be cut: such a request succeeds at once.
            let once = outcomes == ["succeeded"] && name == "cut";
            ensure!(once || outcomes == ["retry", "succeeded"], "{uses}, {tag}: {outcomes:?} {document:#}");
            harmed += usize::from(!once);
            tags.push(tag);
        }
        // Of requests that are all answered without a body none can be cut.
        ensure!(harmed > 0, "{uses}: no request was harmed ({name})");
    }
    Ok(tags)
}

/// Requests that were refused, other than those expected.
fn refused(stand: &Stand, expected: &[u16]) -> Vec<Recorded> {
    let unexpected = |request: &Recorded| request.status.is_some_and(|status| (400..500).contains(&status) && !expected.contains(&status));
    stand.requests().into_iter().filter(unexpected).collect()
}

/// Requests to a path that begins so.
fn requests(stand: &Stand, method: &str, prefix: &str) -> usize {
    stand.requests().iter().filter(|request| request.method == method && request.path.starts_with(prefix)).count()
}

/// The records of a list that are wanted.
fn those<'a>(list: &'a Value, wanted: impl Fn(&Value) -> bool + 'a) -> Vec<&'a Value> {
    records(list).filter(|record| wanted(record)).collect()
}

/// The only record that is wanted.
fn only<'a>(list: &'a Value, wanted: impl Fn(&Value) -> bool + 'a) -> anyhow::Result<&'a Value> {
    let found = those(list, wanted);
    ensure!(found.len() == 1, "{} records instead of one: {found:#?}", found.len());
    Ok(found[0])
}

/// Time from the end of an attempt until the next, seconds: as planned, or as it was.
fn patience(step: &Value) -> anyhow::Result<f64> {
    let time = |value: &Value| -> anyhow::Result<jiff::Timestamp> { Ok(value.as_str().context("a time is text")?.parse()?) };
    let attempts = step["attempts"].as_array().context("a step has attempts")?;
    let (before, next) = match (attempts.as_slice(), step["next_attempt_at"].is_string()) {
        ([.., last], true) => (last, time(&step["next_attempt_at"])?),
        ([.., before, last], false) => (before, time(&last["started_at"])?),
        _ => anyhow::bail!("the step is not to be tried again: {step:#}"),
    };
    let took = before["duration_ms"].as_f64().unwrap_or(0.0) / 1000.0;
    Ok(next.duration_since(time(&before["started_at"])?).as_secs_f64() - took)
}
