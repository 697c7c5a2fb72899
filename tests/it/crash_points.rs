//! The host killed at every named point of its work, one after another; and what stands at the sink and in the store afterwards.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Client, HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{configuration, event, sink};

/// SIGKILL.
const KILLED: i32 = 9;
/// Events of the order key.
const CHAIN: u64 = 5;
/// Increments of the counter.
const COUNT: u64 = 4;
/// Points that the load passes often enough to be killed at a later passage too.
const OFTEN: &[&str] =
    &["accepting", "accepted", "claiming", "intending", "intended", "answered", "recorded", "recording", "returned", "settling", "settled"];

/// Points that no host passes, but `sangam secret rotate-key`: `secrets.rs` has it killed there.
const OF_A_VERB: &[&str] = &["rekeying", "rekeyed"];
/// Points of batches, which this load has none of either: `batches.rs` has hosts killed there.
const OF_BATCHES: &[&str] = &["batching", "batched", "sharing", "shared"];
/// Points of sources, which this load has none of: `polling.rs` and `schedules.rs` have hosts killed there.
const OF_SOURCES: &[&str] = &["sourcing", "polled", "gathering", "gathered", "firing", "fired"];

const ROUTES: &str = r#"
[[routes]]
name = "chain"
on = { type = "chain" }
order-by = ".event.data.key"
deadline = "{deadline}s"
[[routes.steps]]
name = "first"
uses = "s.run"
with = { lines = "${ .event.data.first }" }
{retry}
[[routes.steps]]
name = "last"
uses = "s.run"
with = { lines = "${ .event.data.last }" }
{retry}
[[routes]]
name = "simple"
on = { type = ["script", "child", "frail"] }
[[routes.steps]]
name = "run"
uses = "s.run"
{retry}
[[routes]]
name = "patient"
on = { type = "patient" }
[[routes.steps]]
name = "ask"
uses = "s.run"
with = { lines = "${ .event.data.ask }" }
{retry}
[[routes.steps]]
name = "answer"
uses = "sangam.wait"
with = { event = { type = "answer", where = ".event.data.to == .run.event.id" }, timeout = "1h" }
[[routes.steps]]
name = "rounds"
uses = "s.run"
with = { lines = "${ .event.data.round }" }
repeat = { until = ".round == 1", every = "1s", max = 5 }
{retry}
[[routes.steps]]
name = "told"
uses = "sangam.emit"
with = { type = "child", data = "${ .event.data.child }" }
[[routes]]
name = "later"
on = { type = "later" }
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 3, initial = "10m" }
"#;

/// The same routes under another revision for each number.
fn routes(number: usize) -> String {
    let routes = ROUTES.replace("{retry}", r#"retry = { max-attempts = 50, initial = "10ms", factor = 1, jitter = 0 }"#);
    routes.replace("{deadline}", &(100_000 + number).to_string())
}

/// What happens between two starts, told so that it can be told again to a host that was killed in the middle.
struct Round {
    number: usize,
    sink: String,
}

impl Round {
    fn write(&self, name: &str) -> Value {
        json!({ "do": "write", "name": "w", "url": format!("{}/r{}/{name}", self.sink, self.number) })
    }

    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.number)
    }

    /// A write that takes its time, and is under way when the host is killed for the first time.
    fn slow(&self) -> Value {
        event(&self.id("slow"), "script", json!({ "lines": [self.write("slow")] }))
    }

    /// Its second write is refused once; a replay must not repeat the first.
    fn frail(&self) -> Value {
        let mut second = self.write("frail/second");
        second["name"] = json!("second");
        event(&self.id("frail"), "frail", json!({ "lines": [self.write("frail/first"), second] }))
    }

    /// Writes, waits for its answer, writes in two rounds, and tells somebody.
    fn patient(&self) -> Value {
        let [ask, round, told] = ["ask", "round", "told"].map(|name| self.write(&format!("patient/{name}")));
        event(&self.id("patient"), "patient", json!({ "ask": [ask], "round": [round], "child": { "lines": [told] } }))
    }

    fn answer(&self) -> Value {
        event(&self.id("answer"), "answer", json!({ "to": self.id("patient") }))
    }

    /// Writes, and would go on in ten minutes: it is cancelled meanwhile.
    fn later(&self) -> Value {
        event(&self.id("later"), "later", json!({ "lines": [self.write("later"), { "do": "fail", "key": "not yet" }] }))
    }

    fn chain(&self, place: u64) -> Value {
        let first = json!([self.write(&format!("chain/{place}/first")), { "do": "fail", "key": "once more", "on": [1] }]);
        let emit = json!({ "do": "emit", "key": "child", "body": { "lines": [self.write(&format!("child/{place}"))] } });
        let last = json!([self.write(&format!("chain/{place}/last")), emit]);
        event(&self.id(&format!("chain-{place}")), "chain", json!({ "key": self.number, "first": first, "last": last }))
    }

    fn count(&self, place: u64) -> Value {
        let lines = json!([{ "do": "increment", "key": format!("r{}", self.number), "amount": 1 }, self.write(&format!("count/{place}"))]);
        event(&self.id(&format!("count-{place}")), "script", json!({ "lines": lines }))
    }

    /// Everything that goes on while the host may die. What fails is done again by the next life.
    async fn play(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        let mut eids = vec![client.send(&self.patient()).await?];
        // One after another: the order of acceptance is that of the chain.
        for place in 0..CHAIN {
            eids.push(client.send(&self.chain(place)).await?);
        }
        let counts = futures_of((0..COUNT).map(|place| {
            let (client, event) = (client.clone(), self.count(place));
            async move { client.send(&event).await }
        }));
        eids.extend(counts.await?);
        client.send(&self.answer()).await?;
        let later = client.send(&self.later()).await?;
        // Until it has been tried: from then on it only waits.
        until(client, &later, |document| {
            document["status"] == "cancelled" || document["runs"][0]["steps"][0]["attempts"][0]["outcome"].is_string()
        })
        .await?;
        let cancelled = client.post(&format!("/v1/events/{later}/cancel"), &json!({})).await?;
        ensure!(matches!(cancelled.status, 200 | 409), "{}", cancelled.text);
        let erased = client.post(&format!("/v1/events/{later}/erase"), &json!({})).await?;
        ensure!(erased.status == 202, "{}", erased.text);
        ensure!(client.post("/v1/reload", &json!({})).await?.status == 200, "the configuration is as good as before");
        let frail = client.send(&self.frail()).await?;
        let document = until(client, &frail, |document| document["status"] == "dead" || document["status"] == "succeeded").await?;
        if document["status"] == "dead" {
            let replayed = client.post(&format!("/v1/events/{frail}/replay"), &json!({})).await?;
            ensure!(replayed.status == 200 || replayed.status == 202, "{}", replayed.text);
        }
        eids.push(frail);
        eids.push(client.send(&self.slow()).await?);
        Ok(eids)
    }

    /// What each of it did, once, and in order.
    fn check(&self, sink: &Stand) -> anyhow::Result<()> {
        let mut expected: BTreeMap<String, u64> = ["slow", "frail/first", "frail/second"].map(|name| (name.to_owned(), 1)).into();
        for place in 0..CHAIN {
            expected
                .extend([format!("chain/{place}/first"), format!("chain/{place}/last"), format!("child/{place}")].map(|name| (name, 1)));
        }
        expected.extend([("patient/ask".to_owned(), 1), ("patient/round".to_owned(), 2), ("patient/told".to_owned(), 1)]);
        expected.extend((0..COUNT).map(|place| (format!("count/{place}"), 1)));
        let state = sink.state();
        let prefix = format!("/r{}/", self.number);
        let by_path = state["by_path"].as_object().context("the sink counts by path")?;
        let mut seen: BTreeMap<String, u64> =
            by_path.iter().filter_map(|(path, count)| Some((path.strip_prefix(&prefix)?.to_owned(), count.as_u64()?))).collect();
        // Killed before it left, and cancelled before it was tried again: then it was not done.
        let later = seen.remove("later").unwrap_or(0);
        ensure!(later <= 1, "done {later} times, and then cancelled");
        ensure!(seen == expected, "{seen:#?}\ninstead of\n{expected:#?}");
        let effects = state["effects"].as_array().context("the sink keeps effects")?;
        let chain: Vec<&str> =
            effects.iter().filter_map(|effect| effect["path"].as_str()?.strip_prefix(&format!("{prefix}chain/"))).collect();
        ensure!(chain.is_sorted_by(|one, next| one <= next), "out of order: {chain:?}");
        Ok(())
    }
}

/// All of them at once; the first failure if one fails.
async fn futures_of<F: Future<Output = anyhow::Result<String>> + Send + 'static>(
    all: impl Iterator<Item = F>,
) -> anyhow::Result<Vec<String>> {
    let mut set = tokio::task::JoinSet::new();
    all.for_each(|one| {
        set.spawn(one);
    });
    let mut done = Vec::new();
    while let Some(one) = set.join_next().await {
        done.push(one.context("a sender")??);
    }
    Ok(done)
}

/// The document of an event once it is as wanted.
async fn until(client: &Client, eid: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let document = client.event(eid).await?;
            if wanted(&document) {
                return anyhow::Ok(document);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), look).await.with_context(|| format!("event {eid} does not get there"))?
}

/// The points, as a host that knows no such one names them.
fn points(folder: &HostFolder) -> anyhow::Result<Vec<String>> {
    let output = std::process::Command::new(sangam_tests::sangam())
        .arg("up")
        .current_dir(folder.path())
        .env("SANGAM_CRASH_AT", "nowhere")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(2), "an unknown point is bad usage: {:?} {said}", output.status);
    let names = said.trim().rsplit_once("one of: ").context("the points are listed")?.1;
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

async fn killed_at(folder: &HostFolder, sink: &Stand, number: usize, at: &str) -> anyhow::Result<()> {
    let round = Round { number, sink: sink.url() };
    // A first life leaves something behind: a write under way, and a lease.
    sink.fault(Fault::once(format!("/r{number}/slow"), FaultAct::Delay { ms: 300 }));
    sink.fault(Fault::once(format!("/r{number}/frail/second"), FaultAct::Status { status: 422, headers: [].into(), body: String::new() }));
    let host = folder.start().await?;
    host.client.send(&round.slow()).await?;
    let path = format!("/r{number}/slow");
    let arrived = async {
        while !sink.requests().iter().rev().any(|request| request.path == path) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrived).await.context("the slow write never left")?;
    host.kill().await?;
    folder.configure(&configuration(&sink.url(), "emits = [\"child\"]", &routes(number)))?;
    if at == "pruning" {
        // A component that was brought in and that no run was accepted on: nobody needs it any more.
        let extra = format!("[plugins.extra]\ncomponent = {:?}\nallow-hosts = []\n", sangam_tests::plugin("http"));
        folder.configure(&(configuration(&sink.url(), "emits = [\"child\"]", &routes(number)) + &extra))?;
        folder.start().await?.kill().await?;
        folder.configure(&configuration(&sink.url(), "emits = [\"child\"]", &routes(number)))?;
    }
    // The second dies where it is told to, in its start or later.
    match folder.start_with(&[("SANGAM_CRASH_AT", at)]).await {
        Err(error) => ensure!(format!("{error:#}").contains("signal: 9"), "it ended for another reason: {error:#}"),
        Ok(mut host) => {
            let client = host.client.clone();
            let signal = tokio::select! {
                signal = host.died() => signal?,
                // What of it fails is done again below; what remains to be done by the host alone may bring it to the point.
                played = round.play(&client) => host.died().await.with_context(|| format!("it passed on: {played:?}"))?,
            };
            ensure!(signal == Some(KILLED), "it ended with {signal:?}");
        }
    }
    let host = folder.start().await?;
    for eid in round.play(&host.client).await? {
        host.client.until(&eid, "succeeded").await?;
    }
    // What the chain brought in has identities of its own: wait until nothing is open.
    for status in ["running", "pending", "waiting"] {
        let open = async {
            while host.client.get(&format!("/v1/events?status={status}&limit=1")).await?.json["events"] != json!([]) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), open).await.with_context(|| format!("something stays {status}"))??;
    }
    let asked = host
        .client
        .send_and_wait(&event(&round.id("ask"), "script", json!({ "lines": [{ "do": "get", "key": format!("r{number}") }] })))
        .await?;
    ensure!(asked["runs"][0]["steps"][0]["output"]["results"][0] == json!(COUNT.to_string()), "the counter: {asked:#}");
    host.terminate().await?;
    round.check(sink)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_everything_is_done_once_and_in_order() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "emits = [\"child\"]", &routes(0)))?;
    let points = points(&folder)?;
    ensure!(points.len() >= 20, "{points:?}");
    let elsewhere = |point: &str| OF_A_VERB.contains(&point) || OF_SOURCES.contains(&point) || OF_BATCHES.contains(&point);
    let first = points.iter().filter(|point| !elsewhere(point)).map(String::clone);
    let later = OFTEN.iter().map(|point| format!("{point}:4"));
    for (number, at) in first.chain(later).enumerate() {
        killed_at(&folder, &sink, number + 1, &at).await.with_context(|| format!("killed at {at}, round {}", number + 1))?;
    }
    Ok(())
}

#[test]
fn a_point_that_nobody_knows_is_refused_with_those_there_are() -> anyhow::Result<()> {
    let folder = HostFolder::on(TestStore::Sqlite, "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n")?;
    let points = points(&folder)?;
    for known in ["accepting", "intended", "settled"] {
        ensure!(points.iter().any(|point| point == known), "{points:?}");
    }
    ensure!(!folder.path().join("data").exists(), "it refuses before it touches anything");
    Ok(())
}
