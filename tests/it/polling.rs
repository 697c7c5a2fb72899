//! Streams that are polled: what a page brings is kept with its cursor, or not at all.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::feed::Feed;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Client, Host, HostFolder, TestStore, guest, postgres};
use serde_json::{Value, json};

/// SIGKILL.
const KILLED: i32 = 9;

/// What most sources here have: quick turns and quick tries.
const QUICK: &str = "every = \"1s\"\nretry = { initial = \"20ms\", factor = 1, jitter = 0 }";

/// A feed, and a host whose plugin `s` reads it.
struct Scene {
    feed: Arc<Feed>,
    stand: Stand,
    folder: HostFolder,
}

impl Scene {
    async fn new(source: &str) -> anyhow::Result<Scene> {
        Scene::on(TestStore::wanted()?, source, "").await
    }

    async fn on(store: TestStore, source: &str, more: &str) -> anyhow::Result<Scene> {
        let feed = Arc::new(Feed::new());
        let system: Arc<dyn sangam_saas::System> = feed.clone();
        let stand = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), system).await?;
        let folder = HostFolder::on(store, &configuration(&stand.url(), source, more))?;
        Ok(Scene { feed, stand, folder })
    }

    /// Adds records with these ids, a minute apart.
    fn add(&self, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            self.feed.add(record(id));
        }
    }
}

fn record(id: u32) -> Value {
    json!({ "type": "fed.item", "id": format!("r{id}"), "time": time(id), "data": { "n": id }, "count": "seen" })
}

fn time(id: u32) -> String {
    format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + id / 1440, id / 60 % 24, id % 60)
}

fn configuration(feed: &str, source: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\nlease = \"1s\"\n{more}\n\
         [plugins.s]\ncomponent = {:?}\nallow-hosts = [\"{feed}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\nemits = [\"fed.*\"]\n\
         config = {{ feed = \"{feed}\" }}\n\
         [[sources]]\nname = \"in\"\ntype = \"poll\"\nuses = \"s\"\nstream = \"feed\"\n{source}\n",
        guest("scripted")
    )
}

async fn source(client: &Client) -> anyhow::Result<Value> {
    let answer = client.get("/v1/sources/in").await?;
    ensure!(answer.status == 200, "{}", answer.text);
    Ok(answer.json)
}

/// The source once it is as wanted.
async fn until(client: &Client, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let mut last = Value::Null;
    for _ in 0..1200 {
        // A host that is just dying does not answer.
        last = source(client).await?;
        if wanted(&last) {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("the source never {what}: {last:#}")
}

async fn until_events(client: &Client, count: u64) -> anyhow::Result<Value> {
    until(client, &format!("brought {count} events"), |source| source["events"].as_u64() >= Some(count)).await
}

/// Ids of all events of the source, and how often each is there.
async fn ids(client: &Client) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut ids = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/events?source=/sources/in&limit=500{cursor}")).await?.json;
        for event in page["events"].as_array().context("a list of events")? {
            *ids.entry(event["event"]["id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(ids),
        }
    }
}

fn each_once(ids: impl IntoIterator<Item = u32>) -> BTreeMap<String, u32> {
    ids.into_iter().map(|id| (format!("r{id}"), 1)).collect()
}

async fn order(client: &Client, what: &str, body: Value) -> anyhow::Result<Value> {
    let answer = client.post(&format!("/v1/sources/in/{what}"), &body).await?;
    ensure!(answer.status < 300, "{what}: {}", answer.text);
    Ok(answer.json)
}

#[tokio::test]
async fn a_stream_is_read_page_by_page_and_goes_on_after_a_restart() -> anyhow::Result<()> {
    let scene = Scene::new(&format!("{QUICK}\nlimit = 4\nsince = \"2026-01-01T00:02:00Z\"")).await?;
    scene.add(0..12);
    let host = scene.folder.start().await?;
    let shown = until_events(&host.client, 10).await?;
    assert_eq!(ids(&host.client).await?, each_once(2..12));
    let event = host.client.get("/v1/events?source=/sources/in&limit=1").await?.json["events"][0]["event"].clone();
    assert_eq!((&event["source"], &event["type"], &event["data"]), (&json!("/sources/in"), &json!("fed.item"), &json!({ "n": 11 })));
    // Page after page at once, as long as there is more: not one in a second.
    assert_eq!((shown["state"].as_str(), shown["turns"].as_u64() >= Some(3)), (Some("active"), true), "{shown:#}");
    assert_eq!(shown["reached_at"], "2026-01-01T00:11:00Z");
    let pages = scene.stand.requests();
    let asked: Vec<&str> = pages.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(asked[0], "/feed?limit=4&since=2026-01-01T00%3A02%3A00Z");
    assert!(asked[1].contains("cursor=6"), "{asked:?}");
    host.kill().await?;
    scene.add(12..15);
    let host = scene.folder.start().await?;
    let shown = until_events(&host.client, 13).await?;
    assert_eq!(ids(&host.client).await?, each_once(2..15));
    assert_eq!(shown["duplicates"], 0, "nothing was read again");
    let last = &shown["last"];
    assert_eq!((&last["outcome"], &last["requests"][0]["status"]), (&json!("succeeded"), &json!(200)), "{last:#}");
    assert_eq!(last["logs"][0]["message"], "a page");
    host.kill().await
}

#[tokio::test]
async fn a_stream_may_only_read() -> anyhow::Result<()> {
    let scene = Scene::new(QUICK).await?;
    let write = format!("{}/written", scene.stand.url());
    scene.feed.add(json!({ "type": "fed.item", "id": "w", "write": write }));
    let host = scene.folder.start().await?;
    until_events(&host.client, 1).await?;
    let event = host.client.get("/v1/events?source=/sources/in").await?.json["events"][0]["event"].clone();
    let refused = event["data"]["refused"].as_str().context("it was refused")?;
    assert!(refused.contains("poll and receive may only read"), "{refused}");
    assert!(scene.stand.requests().iter().all(|request| request.method == "GET"));
    host.kill().await
}

/// What the counter says, asked of an action of the plugin.
async fn counter(host: &Host) -> anyhow::Result<Value> {
    let lines = json!({ "lines": [{ "do": "get", "key": "seen" }] });
    let ask = json!({ "specversion": "1.0", "id": format!("ask-{}", uuid()), "source": "/test", "type": "ask", "data": lines });
    let event = host.client.send_and_wait(&ask).await?;
    Ok(event["runs"][0]["steps"][0]["output"]["results"][0].clone())
}

fn uuid() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

const ASK: &str = "\n[[routes]]\nname = \"ask\"\non = { type = \"ask\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n\
                   [[routes]]\nname = \"fed\"\non = { type = \"fed.*\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.greet\"\nwith = { name = \"x\" }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_a_poller_neither_loses_nor_repeats() -> anyhow::Result<()> {
    let scene = Scene::new(&format!("{QUICK}\nlimit = 5\n{ASK}")).await?;
    let mut count = 0;
    for at in ["sourcing", "polled", "gathering", "gathered", "sourcing:2", "polled:2", "gathering:3", "gathered:2"] {
        scene.add(count..count + 20);
        count += 20;
        if let Some(mut host) = scene.folder.start_armed(at).await? {
            ensure!(host.died().await? == Some(KILLED), "at {at}");
        }
        let host = scene.folder.start().await?;
        until_events(&host.client, u64::from(count)).await.with_context(|| format!("after {at}"))?;
        assert_eq!(ids(&host.client).await?, each_once(0..count), "after {at}");
        // Key-value writes went with the events: each record was counted once.
        assert_eq!(counter(&host).await?, json!(count.to_string()), "after {at}");
        assert_eq!(source(&host.client).await?["duplicates"], 0, "after {at}: the cursor went with the events");
        host.kill().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hosts_on_one_store_read_each_page_once() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let scene = Scene::on(TestStore::Postgres, &format!("{QUICK}\nlimit = 5\n{ASK}"), "").await?;
    scene.add(0..200);
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(scene.folder.start().await?);
    }
    until_events(&hosts[2].client, 200).await?;
    let pages: Vec<String> =
        scene.stand.requests().iter().map(|request| request.path.clone()).filter(|path| !path.contains("cursor=200")).collect();
    let different: std::collections::BTreeSet<&String> = pages.iter().collect();
    assert_eq!(pages.len(), different.len(), "a page was read twice: {pages:?}");
    // Whoever has it is killed in the middle of a page: another goes on when its lease ends.
    scene.stand.fault(Fault::once("/feed", FaultAct::Delay { ms: 10_000 }));
    scene.add(200..230);
    let held = until(&hosts[0].client, "was at it", |source| source["host"].is_string()).await?;
    let holder = held["host"].as_str().context("who has it")?;
    // The log has them in the order in which they began, the last first.
    let begun = hosts[0].client.get("/v1/audit?action=host.started").await?.json;
    let names = begun["entries"].as_array().with_context(|| format!("entries: {begun:#}"))?;
    let place = names.iter().rev().position(|entry| entry["actor"]["id"] == holder).with_context(|| format!("{holder} in {begun:#}"))?;
    hosts.remove(place).kill().await?;
    let left = hosts;
    let survivor = left.first().context("a host is left")?;
    until_events(&survivor.client, 230).await?;
    assert_eq!(ids(&survivor.client).await?, each_once(0..230));
    assert_eq!(counter(survivor).await?, json!("230"));
    for host in left {
        host.kill().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_record_is_set_aside_and_the_stream_goes_on() -> anyhow::Result<()> {
    let scene = Scene::new(&format!("{QUICK}\nlimit = 3")).await?;
    scene.add(0..2);
    scene.feed.add(json!({ "type": "fed.item", "id": "bad", "bad": "it has no date", "data": { "n": 2 } }));
    scene.feed.add(json!({ "type": "other.kind", "id": "ungranted", "data": {} }));
    scene.feed.add(json!({ "type": "", "id": "typeless", "data": {} }));
    scene.add(5..8);
    let host = scene.folder.start().await?;
    let shown = until_events(&host.client, 5).await?;
    assert_eq!(ids(&host.client).await?, each_once([0, 1, 5, 6, 7]));
    assert_eq!(shown["set_aside"], 3, "{shown:#}");
    let aside = host.client.get("/v1/sources/in/set-aside").await?.json["set_aside"].clone();
    let told: Vec<(&str, &str)> = aside
        .as_array()
        .context("a list")?
        .iter()
        .map(|one| (one["kind"].as_str().unwrap_or(""), one["reason"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(told[0], ("record", "it has no date"));
    assert!(told[1].0 == "event" && told[1].1.contains("may not bring in events of type \"other.kind\""), "{told:?}");
    assert!(told[2].0 == "event" && told[2].1.contains("no CloudEvent"), "{told:?}");
    assert_eq!(aside[0]["data"]["data"]["n"], 2, "as it came");
    // The command line shows it, and what to do.
    let said = scene.folder.run(&["sources", "show", "in", "--url", &host.client.url], "")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for part in ["in  poll  active", "3 set aside", "it has no date", "sangam sources retry in"] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    // The record is mended, the type is granted: both come in, the third does not.
    scene.feed.replace(2, json!({ "type": "fed.item", "id": "r2", "data": { "n": 2 } }));
    let text = configuration(&scene.stand.url(), &format!("{QUICK}\nlimit = 3"), "").replace("\"fed.*\"]", "\"fed.*\", \"other.*\"]");
    scene.folder.configure(&text)?;
    ensure!(host.client.post("/v1/reload", &json!({})).await?.status == 200, "it is as good as before");
    let tried = order(&host.client, "retry", json!({})).await?;
    assert_eq!((&tried["accepted"], &tried["still_set_aside"], &tried["to_be_read_again"]), (&json!(1), &json!(1), &json!(1)), "{tried}");
    until(&host.client, "took the mended record in", |source| source["set_aside"] == 1).await?;
    let ids = ids(&host.client).await?;
    assert_eq!((ids.get("r2"), ids.get("ungranted"), ids.len()), (Some(&1), Some(&1), 7), "{ids:?}");
    assert_eq!(order(&host.client, "discard", json!({})).await?["discarded"], 1);
    assert_eq!(source(&host.client).await?["set_aside"], 0);
    let acts = host.client.get("/v1/audit?object=in").await?.text;
    assert!(acts.contains("set-aside.retried") && acts.contains("set-aside.discarded"), "{acts}");
    host.kill().await
}

#[tokio::test]
async fn a_source_that_sets_aside_too_much_waits_for_somebody() -> anyhow::Result<()> {
    let scene = Scene::new(&format!("{QUICK}\nlimit = 2\nset-aside-most = 3")).await?;
    for id in 0..10 {
        scene.feed.add(json!({ "type": "fed.item", "id": format!("b{id}"), "bad": format!("bad {id}") }));
    }
    scene.add(10..12);
    let host = scene.folder.start().await?;
    let shown =
        until(&host.client, "waited", |source| source["reason"].as_str().is_some_and(|reason| reason.contains("set-aside-most"))).await?;
    assert_eq!((&shown["set_aside"], &shown["state"]), (&json!(4), &json!("active")), "{shown:#}");
    for _ in 0..3 {
        order(&host.client, "discard", json!({})).await?;
        order(&host.client, "resume", json!({})).await?;
        until(&host.client, "went on", |source| source["set_aside"].as_u64() >= Some(2) || source["events"] == 2).await?;
    }
    until_events(&host.client, 2).await?;
    assert_eq!(ids(&host.client).await?, each_once(10..12));
    host.kill().await
}

#[tokio::test]
async fn failures_are_told_apart() -> anyhow::Result<()> {
    let scene = Scene::new(QUICK).await?;
    let status = |status, headers: &[(&str, &str)]| FaultAct::Status {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: String::new(),
    };
    // It may work later: tried again by the policy.
    scene.stand.fault(Fault { times: 3, ..Fault::once("/feed", status(503, &[])) });
    scene.add(0..1);
    let host = scene.folder.start().await?;
    let shown = until_events(&host.client, 1).await?;
    assert_eq!((&shown["failures"], &shown["last_failure"]["kind"]), (&json!(0), &json!("retry")), "{shown:#}");
    // The system asks for patience.
    scene.stand.fault(Fault::once("/feed", status(429, &[("retry-after", "2")])));
    let shown = until(&host.client, "was asked for patience", |source| source["last_failure"]["kind"] == "rate-limited").await?;
    let wait = shown["next_at"].as_str().zip(shown["last_failure"]["at"].as_str()).context("times")?;
    let wait = wait.0.parse::<jiff::Timestamp>()?.duration_since(wait.1.parse()?);
    assert!(wait.as_millis() >= 2000, "{wait:?}");
    // The credential is refused, and there is no other: it waits for one, and a change of configuration lets it try.
    scene.stand.fault(Fault::once("/feed", status(401, &[])));
    until(&host.client, "waited for its credential", |source| source["state"] == "waiting").await?;
    scene.add(1..2);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(source(&host.client).await?["events"], 1, "it does nothing by itself");
    ensure!(host.client.post("/v1/reload", &json!({})).await?.status == 200);
    until_events(&host.client, 2).await?;
    // Trying again can't help: it stops, and says so, until somebody resumes it.
    scene.stand.fault(Fault::once("/feed", status(404, &[])));
    let shown = until(&host.client, "stopped", |source| source["state"] == "stopped").await?;
    assert!(shown["reason"].as_str().is_some_and(|reason| reason.contains("404")), "{shown:#}");
    scene.add(2..3);
    order(&host.client, "resume", json!({})).await?;
    until_events(&host.client, 3).await?;
    assert_eq!(ids(&host.client).await?, each_once(0..3));
    host.kill().await
}

#[tokio::test]
async fn a_full_backlog_pauses_polling_and_loses_nothing() -> anyhow::Result<()> {
    let route = "\n[[routes]]\nname = \"slow\"\non = { type = \"fed.*\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n\
                 with = { lines = [{ do = \"fail\", kind = \"rate-limited\", key = \"later\", amount = 1500 }] }\n";
    let scene = Scene::on(TestStore::wanted()?, &format!("{QUICK}\nlimit = 4\n{route}"), "max-backlog = 10").await?;
    scene.add(0..40);
    let host = scene.folder.start().await?;
    let shown =
        until(&host.client, "was held", |source| source["reason"].as_str().is_some_and(|reason| reason.contains("max-backlog"))).await?;
    let taken = shown["events"].as_u64().context("a number")?;
    assert!((4..=10).contains(&taken), "{shown:#}");
    assert_eq!(shown["state"], "active");
    let eids = host.client.get("/v1/events?limit=100").await?.json;
    for event in eids["events"].as_array().context("a list")? {
        let eid = event["eid"].as_str().unwrap_or_default();
        host.client.post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    }
    order(&host.client, "resume", json!({})).await?;
    until_events(&host.client, taken + 4).await?;
    let ids = ids(&host.client).await?;
    let expected = each_once(0..u32::try_from(ids.len())?);
    assert_eq!(ids, expected, "without a gap");
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_reads_an_earlier_time_beside_what_is_new_and_survives_a_kill() -> anyhow::Result<()> {
    let scene = Scene::new(&format!("{QUICK}\nlimit = 10\nbackfill-every = \"100ms\"\nsince = \"2026-01-01T05:00:00Z\"")).await?;
    // 05:00 is record 300.
    scene.add(0..320);
    let host = scene.folder.start().await?;
    until_events(&host.client, 20).await?;
    assert_eq!(ids(&host.client).await?, each_once(300..320));
    let wrong = host.client.post("/v1/sources/in/backfill", &json!({ "from": "yesterday" })).await?;
    assert!(wrong.status == 400 && wrong.text.contains("2026-01-01"), "{}", wrong.text);
    let said = scene.folder.run(
        &["sources", "backfill", "in", "--url", &host.client.url, "--from", "2026-01-01T01:00:00Z", "--to", "2026-01-01T05:05:00Z"],
        "",
    )?;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let again = host.client.post("/v1/sources/in/backfill", &json!({ "from": "2026-01-01" })).await?;
    assert!(again.status == 409 && again.text.contains("under way"), "{}", again.text);
    until(&host.client, "was half through", |source| source["backfill"]["events"].as_u64() >= Some(50)).await?;
    // What is new comes in meanwhile.
    scene.add(320..325);
    until(&host.client, "brought what is new", |source| source["events"] == 25).await?;
    let progress = source(&host.client).await?["backfill"]["progress"].as_f64().context("progress")?;
    assert!((0.1..1.0).contains(&progress), "{progress}");
    host.kill().await?;
    let host = scene.folder.start().await?;
    let shown = until(&host.client, "ended its backfill", |source| source["backfill"]["state"] == "done").await?;
    // 60 to 299, and 300 to 304 that were known.
    assert_eq!((&shown["backfill"]["events"], &shown["backfill"]["duplicates"]), (&json!(240), &json!(5)), "{shown:#}");
    assert_eq!(shown["backfill"]["progress"], 1.0);
    assert_eq!(ids(&host.client).await?, each_once(60..325));
    let asked = scene.stand.requests();
    let first = asked
        .iter()
        .filter(|request| request.path.contains("since=2026-01-01T01"))
        .filter(|request| !request.path.contains("cursor"))
        .count();
    assert_eq!(first, 1, "it went on where it was");
    // Another one can be given up.
    order(&host.client, "backfill", json!({ "from": "2026-01-01" })).await?;
    until(&host.client, "began anew", |source| source["backfill"]["turns"].as_u64() >= Some(1)).await?;
    order(&host.client, "backfill/cancel", json!({})).await?;
    let shown = source(&host.client).await?;
    assert_eq!(shown["backfill"]["state"], "cancelled", "{shown:#}");
    host.kill().await
}

#[tokio::test]
async fn a_source_can_be_paused_and_resumed() -> anyhow::Result<()> {
    let scene = Scene::new(QUICK).await?;
    scene.add(0..1);
    let host = scene.folder.start().await?;
    until_events(&host.client, 1).await?;
    order(&host.client, "pause", json!({ "reason": "their maintenance" })).await?;
    scene.add(1..2);
    let asked = scene.stand.requests().len();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let shown = source(&host.client).await?;
    assert_eq!(
        (&shown["state"], &shown["reason"], &shown["next_at"]),
        (&json!("paused"), &json!("their maintenance"), &Value::Null),
        "{shown:#}"
    );
    assert!(scene.stand.requests().len() <= asked + 1, "it was asked while it was paused");
    // A restart and another configuration leave it so.
    host.kill().await?;
    let host = scene.folder.start().await?;
    assert_eq!(source(&host.client).await?["state"], "paused");
    order(&host.client, "resume", json!({})).await?;
    until_events(&host.client, 2).await?;
    let missing = host.client.post("/v1/sources/nowhere/pause", &json!({})).await?;
    assert!(missing.status == 404 && missing.text.contains("sangam sources list"), "{}", missing.text);
    host.kill().await
}

#[tokio::test]
async fn another_stream_under_the_same_name_begins_anew_and_an_earlier_host_writes_nothing() -> anyhow::Result<()> {
    let scene = Scene::new(QUICK).await?;
    scene.add(0..5);
    let host = scene.folder.start().await?;
    until_events(&host.client, 5).await?;
    let renamed =
        configuration(&scene.stand.url(), QUICK, "").replace("[plugins.s]", "[plugins.t]").replace("uses = \"s\"", "uses = \"t\"");
    scene.folder.configure(&renamed)?;
    ensure!(host.client.post("/v1/reload", &json!({})).await?.status == 200);
    let shown = until(&host.client, "began anew", |source| source["duplicates"] == 5).await?;
    assert_eq!(shown["uses"], "t");
    assert_eq!(ids(&host.client).await?, each_once(0..5));
    host.kill().await
}

#[test]
fn mistakes_in_a_polled_source_are_told_with_their_place() -> anyhow::Result<()> {
    let text = configuration("http://127.0.0.1:1", "every = \"1s\"\nlimit = 5000\nsince = \"last week\"\n", "");
    let folder = HostFolder::on(TestStore::Sqlite, &text)?;
    let said = folder.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("\"last week\" is neither a day"), "{said}");
    let text = configuration("http://127.0.0.1:1", "every = \"1s\"\nlimit = 5000\n", "").replace("emits = [\"fed.*\"]", "emits = []");
    folder.configure(&text)?;
    let said = folder.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("`limit` is 5000, but plugin `s` may bring in only 1000 events"), "{said}");
    assert!(said.contains("fed.*"), "{said}");
    Ok(())
}

#[test]
fn a_case_may_read_a_page_of_a_stream() -> anyhow::Result<()> {
    let folder = HostFolder::on(TestStore::Sqlite, "")?;
    let cases = folder.path().join("cases");
    std::fs::create_dir(&cases)?;
    let case = |name: &str, poll: Value, response: Value, expect: Value| {
        let query = if poll["cursor"].is_null() { "limit=100" } else { "limit=100&cursor=3" };
        let url = format!("https://feed.example/feed?{query}");
        let exchange = json!({ "request": { "method": "GET", "url": url }, "response": response });
        let case = json!({ "poll": poll, "configuration": { "feed": "https://feed.example" }, "context": { "key_value": { "seen": "4" } },
            "exchanges": [exchange], "expect": expect });
        std::fs::write(cases.join(format!("{name}.json")), case.to_string())
    };
    let records = json!([{ "type": "fed.item", "id": "a", "data": { "n": 1 }, "count": "seen" }, { "bad": "no date" }]);
    let page = json!({ "status": 200, "body": { "records": records, "next": 5, "more": false } });
    let expect = json!({ "events": [{ "id": "a", "data": { "n": 1 } }], "cursor": 5, "more": false, "set_aside": [{ "reason": "no date" }],
        "key_value": { "seen": "5" } });
    case("page", json!({ "stream": "feed", "cursor": 3 }), page.clone(), expect)?;
    let patience = json!({ "status": 429, "headers": { "retry-after": "7" } });
    case("patience", json!({ "stream": "feed" }), patience, json!({ "failure": { "kind": "rate-limited", "after_ms": 7000 } }))?;
    let test = |more: &[&str]| {
        let (guest, cases) = (guest("scripted"), cases.display().to_string());
        let guest = guest.display().to_string();
        folder.run(&[&["plugin", "test", &guest, "--cases", &cases], more].concat(), "")
    };
    let told = test(&["--faults"])?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success() && text.contains("ok      page  succeeded") && text.contains("faults got over"), "{text}");
    case("other", json!({ "stream": "feed", "cursor": 3 }), page, json!({ "cursor": 6, "more": true, "set_aside": [] }))?;
    let told = test(&["--case", "other"])?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    for difference in ["cursor: expected 6, got 5", "more: expected true, got false", "set_aside: expected 0, got 1"] {
        assert!(told.status.code() == Some(1) && text.contains(difference), "no {difference:?} in {text}");
    }
    Ok(())
}
