//! `sangam.wait`: for a time and for an event, through restarts, new configurations and several hosts.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use sangam_tests::{Client, Hand, HostFolder, TestStore, postgres};
use serde_json::{Value, json};

use crate::scene::{Scene, configuration, event, sink, step};

/// A route that writes, waits as `with` says, and writes again.
fn waiting(with: &str, rest: &str) -> String {
    format!(
        r#"
[[routes]]
name = "r"
on = {{ type = "t" }}
{rest}
[[routes.steps]]
name = "before"
uses = "s.run"
with = {{ lines = [{{ do = "write", name = "w", url = "{{sink}}/before", body = "${{ .event.id }}" }}] }}
[[routes.steps]]
name = "wait"
uses = "sangam.wait"
with = {with}
[[routes.steps]]
name = "after"
uses = "s.run"
with = {{ lines = [{{ do = "write", name = "w", url = "{{sink}}/after", body = {{ id = "${{ .event.id }}", got = "${{ .steps.wait.output }}" }} }}] }}
"#
    )
}

const PAID: &str = r#"{ event = { type = "paid", where = ".event.data.invoice == .run.event.data.invoice" }, timeout = "30d" }"#;

fn invoice(id: &str, invoice: u32) -> Value {
    event(id, "t", json!({ "invoice": invoice }))
}

fn paid(id: &str, invoice: u32) -> Value {
    event(id, "paid", json!({ "invoice": invoice }))
}

/// Waits until the event's run is asleep.
async fn asleep(client: &Client, eid: &str) -> anyhow::Result<Value> {
    client.until(eid, "waiting").await
}

#[tokio::test]
async fn a_run_waits_for_a_time_and_says_until_when() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(r#"{ for = "1500ms" }"#, "deadline = \"1s\"")).await?;
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    let document = asleep(scene.client(), &eid).await?;
    let waits = &step(&document, "wait")?["waits"];
    assert!(waits["until"].is_string(), "{document:#}");
    assert!(document["status_reason"].as_str().is_some_and(|why| why.contains("step wait: waits until")), "{document:#}");
    let document = scene.client().until(&eid, "succeeded").await?;
    let wait = step(&document, "wait")?;
    assert!(wait["attempts"][0]["duration_ms"].as_i64().is_some_and(|took| took >= 1500), "the run's deadline is shorter: {wait:#}");
    assert_eq!(wait["output"]["until"], waits["until"]);
    assert_eq!((scene.effects("/before"), scene.effects("/after")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_time_that_has_passed_is_not_waited_for() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(r#"{ until = "${ .event.data.until }" }"#, "")).await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "until": "2020-01-01T00:00:00+01:00" }))).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    let document = scene.client().send_and_wait(&event("2", "t", json!({ "until": "some day" }))).await?;
    let error = &step(&document, "wait")?["error"];
    assert_eq!(error["kind"], "invalid-input");
    assert!(error["reason"].as_str().is_some_and(|why| why.contains("RFC 3339")), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_event_that_is_meant_ends_a_wait_and_no_other() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "")).await?;
    let one = scene.client().send(&invoice("1", 1)).await?;
    let two = scene.client().send(&invoice("2", 2)).await?;
    asleep(scene.client(), &one).await?;
    asleep(scene.client(), &two).await?;
    scene.client().send(&paid("p2", 2)).await?;
    let document = scene.client().until(&two, "succeeded").await?;
    assert_eq!(step(&document, "wait")?["output"]["event"]["id"], "p2", "{document:#}");
    assert_eq!(asleep(scene.client(), &one).await?["status"], "waiting", "the other still waits");
    // A second one of the same kind finds nobody.
    scene.client().send(&paid("p2-again", 2)).await?;
    scene.client().send(&paid("p1", 1)).await?;
    scene.client().until(&one, "succeeded").await?;
    assert_eq!(scene.effects("/after"), 2);
    Ok(())
}

#[tokio::test]
async fn an_event_that_came_before_the_wait_began_counts() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "")).await?;
    // Not what came before the run was accepted.
    scene.client().send(&paid("early", 1)).await?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    scene.fault("/before", FaultAct::Delay { ms: 800 }, 1);
    let eid = scene.client().send(&invoice("1", 1)).await?;
    scene.arrived("/before").await?;
    scene.client().send(&paid("meanwhile", 1)).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(step(&document, "wait")?["output"]["event"]["id"], "meanwhile");
    Ok(())
}

#[tokio::test]
async fn a_wait_without_its_event_times_out_and_says_so() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(&PAID.replace("30d", "300ms"), "")).await?;
    let document = scene.client().send_and_wait(&invoice("1", 1)).await?;
    assert_eq!(step(&document, "wait")?["output"], json!({ "timed_out": true }));
    Ok(())
}

#[tokio::test]
async fn a_condition_that_fails_for_an_event_is_shown_and_the_wait_goes_on() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(
        r#"{ event = { type = ["paid", "void"], where = '(.event.data.sum + 1) > (.run.event.data.invoice | tonumber)' } }"#,
        "",
    ))
    .await?;
    let eid = scene.client().send(&invoice("1", 1)).await?;
    asleep(scene.client(), &eid).await?;
    let bad = scene.client().send(&event("bad", "void", json!({ "sum": "a lot" }))).await?;
    let look = async {
        loop {
            let document = scene.client().event(&eid).await?;
            if step(&document, "wait")?["waits"]["where_failed_for"] == json!(bad) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.context("the failure is never shown")??;
    let shown = scene.folder.run(&["events", "show", &eid, "--url", &scene.client().url], "")?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("waits for an event paid or void") && shown.contains(&bad), "{shown}");
    scene.client().send(&event("good", "paid", json!({ "sum": 10 }))).await?;
    scene.client().until(&eid, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn a_wait_of_days_survives_a_kill_and_its_time_does_not_count() -> anyhow::Result<()> {
    let sink = sink().await?;
    let routes = waiting(r#"{ for = "40d" }"#, "deadline = \"1h\"\nretention = \"2d\"");
    let folder = HostFolder::new(&configuration(&sink.url(), "", &routes))?;
    let host = folder.start().await?;
    let eid = host.client.send(&event("1", "t", json!({}))).await?;
    asleep(&host.client, &eid).await?;
    host.kill().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "39d")]).await?;
    let document = host.client.event(&eid).await?;
    assert_eq!(document["status"], "waiting", "neither pruned nor over: {document:#}");
    host.kill().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "41d")]).await?;
    let document = host.client.until(&eid, "succeeded").await?;
    assert_eq!(document["runs"].as_array().map(Vec::len), Some(1));
    host.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_ends_on_its_own_configuration() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "")).await?;
    let eid = scene.client().send(&invoice("1", 1)).await?;
    asleep(scene.client(), &eid).await?;
    let other = waiting(PAID, "").replace("/after", "/other").replace("invoice == ", "invoice != ");
    scene.change("", &other).await?;
    scene.client().send(&paid("p", 1)).await?;
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.effects("/after"), scene.effects("/other")), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_run_that_was_cancelled_waits_no_more() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "")).await?;
    let eid = scene.client().send(&invoice("1", 1)).await?;
    asleep(scene.client(), &eid).await?;
    let answer = scene.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    scene.client().send(&paid("p", 1)).await?;
    let document = scene.client().until(&eid, "cancelled").await?;
    assert!(step(&document, "after")?["attempts"].as_array().is_some_and(Vec::is_empty));
    let verified = scene.folder.run(&["store", "verify"], "")?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(scene.effects("/after"), 0);
    // Replayed, it waits again: and what came since its event did counts.
    scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "r" })).await?;
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.effects("/before"), scene.effects("/after")), (1, 1));
    Ok(())
}

fn keyed(id: &str, key: &str) -> Value {
    event(id, "t", json!({ "key": key, "invoice": id.parse::<u32>().unwrap_or(0) }))
}

/// Ids in the order in which they were written there.
fn bodies(scene: &Scene, path: &str) -> Vec<String> {
    let state = scene.sink.state();
    let effects = state["effects"].as_array().cloned().unwrap_or_default();
    let body = |effect: &Value| effect["body"]["id"].as_str().or(effect["body"].as_str()).unwrap_or("").to_owned();
    effects.iter().filter(|effect| effect["path"] == path).map(body).collect()
}

#[tokio::test]
async fn a_run_that_waits_gives_its_key_up_and_takes_it_again_before_all_others() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "order-by = \".event.data.key\"")).await?;
    let one = scene.client().send(&keyed("1", "k")).await?;
    asleep(scene.client(), &one).await?;
    // The second goes on, and holds the key when the first is woken; the third is in line before that.
    scene.fault("/before", FaultAct::Delay { ms: 1500 }, 1);
    let two = scene.client().send(&keyed("2", "k")).await?;
    let three = scene.client().send(&keyed("3", "k")).await?;
    let look = async {
        while scene.requests("/before").len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await?;
    scene.client().send(&paid("p1", 1)).await?;
    let look = async {
        loop {
            let document = scene.client().event(&one).await?;
            if document["runs"][0]["waits_behind"]["eid"] == json!(two) {
                return anyhow::Ok(());
            }
            ensure!(document["status"] != "succeeded", "it went on although another run holds its key: {document:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.context("it is not seen in line")??;
    scene.client().until(&one, "succeeded").await?;
    asleep(scene.client(), &two).await?;
    asleep(scene.client(), &three).await?;
    let state = scene.sink.state();
    let order: Vec<&str> = state["effects"].as_array().into_iter().flatten().filter_map(|effect| effect["path"].as_str()).collect();
    assert_eq!(order, ["/before", "/before", "/after", "/before"], "the first goes on before the third begins");
    for (id, eid) in [(3, &three), (2, &two)] {
        scene.client().send(&paid(&format!("p{id}"), id)).await?;
        scene.client().until(eid, "succeeded").await?;
    }
    let verified = scene.folder.run(&["store", "verify"], "")?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    Ok(())
}

#[tokio::test]
async fn with_order_while_waiting_a_run_keeps_its_key() -> anyhow::Result<()> {
    let scene = Scene::start(&waiting(PAID, "order-by = \".event.data.key\"\norder-while-waiting = true")).await?;
    let one = scene.client().send(&keyed("1", "k")).await?;
    asleep(scene.client(), &one).await?;
    let two = scene.client().send(&keyed("2", "k")).await?;
    let other = scene.client().send(&keyed("3", "other")).await?;
    asleep(scene.client(), &other).await?;
    assert_eq!(scene.client().event(&two).await?["status"], "pending");
    assert_eq!(bodies(&scene, "/before"), ["1", "3"]);
    scene.client().send(&paid("p1", 1)).await?;
    scene.client().until(&one, "succeeded").await?;
    asleep(scene.client(), &two).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_accepted_while_the_wait_begins_is_never_missed() -> anyhow::Result<()> {
    const RUNS: u32 = 150;
    // Without a step before: the wait begins as soon as the run does.
    let routes = waiting(PAID, "").replace("name = \"before\"", "name = \"before\"\nwhen = \"false\"");
    let scene = Scene::start(&routes).await?;
    let mut sending = tokio::task::JoinSet::new();
    for id in 0..RUNS {
        let client = scene.client().clone();
        sending.spawn(async move {
            let eid = client.send(&invoice(&id.to_string(), id)).await?;
            // Sometimes before, sometimes in the middle, sometimes after.
            tokio::time::sleep(Duration::from_micros(u64::from(id % 15) * 700)).await;
            client.send(&paid(&format!("p{id}"), id)).await?;
            anyhow::Ok(eid)
        });
    }
    while let Some(sent) = sending.join_next().await {
        scene.client().until(&sent??, "succeeded").await?;
    }
    assert_eq!(scene.effects("/after"), u64::from(RUNS));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_share_a_store_wake_each_others_runs() -> anyhow::Result<()> {
    const RUNS: u32 = 60;
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let routes = waiting(PAID, "").replace("name = \"before\"", "name = \"before\"\nwhen = \"false\"");
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&sink.url(), "", &routes))?;
    let (one, two) = (folder.start().await?, folder.start().await?);
    let mut sending = tokio::task::JoinSet::new();
    for id in 0..RUNS {
        let (one, two) = (one.client.clone(), two.client.clone());
        sending.spawn(async move {
            let run = invoice(&id.to_string(), id);
            let answer = paid(&format!("p{id}"), id);
            let eid = one.send(&run).await?;
            tokio::time::sleep(Duration::from_micros(u64::from(id % 15) * 700)).await;
            two.send(&answer).await?;
            anyhow::Ok(eid)
        });
    }
    while let Some(sent) = sending.join_next().await {
        one.client.until(&sent??, "succeeded").await?;
    }
    assert_eq!(sink.state()["by_path"]["/after"], RUNS);
    // One that is gone leaves its waits to the other.
    let eid = one.client.send(&invoice("last", 9_999)).await?;
    asleep(&one.client, &eid).await?;
    one.kill().await?;
    two.client.send(&paid("at-last", 9_999)).await?;
    two.client.until(&eid, "succeeded").await?;
    two.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_wait_cost_an_event_nothing() -> anyhow::Result<()> {
    const RUNS: u32 = 2_000;
    let routes = waiting(PAID, "").replace("name = \"before\"", "name = \"before\"\nwhen = \"false\"");
    let scene = Scene::start(&routes).await?;
    let mut eids = Vec::new();
    for hundred in 0..RUNS / 100 {
        let batch: Vec<Value> = (0..100).map(|one| invoice(&format!("{hundred}-{one}"), hundred * 100 + one)).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "").await?;
        eids.extend(answer.json["accepted"].as_array().into_iter().flatten().filter_map(|one| one["eid"].as_str().map(str::to_owned)));
    }
    for eid in eids.iter().rev().step_by(50) {
        asleep(scene.client(), eid).await?;
    }
    let started = std::time::Instant::now();
    scene.client().send(&paid("p", 777)).await?;
    let document = scene.client().until(&eids[777], "succeeded").await?;
    eprintln!("one of {RUNS} woken and done in {:?}", started.elapsed());
    assert_eq!(step(&document, "wait")?["output"]["event"]["id"], "p");
    assert_eq!(scene.effects("/after"), 1);
    Ok(())
}

#[tokio::test]
async fn what_the_awaited_event_says_of_a_person_is_hidden_like_the_event_itself() -> anyhow::Result<()> {
    let sink = sink().await?;
    let marks = "[[events]]\ntype = \"paid\"\npersonal = [\".data.payer\"]\n";
    let routes = waiting(PAID, "").replace("got = \"${ .steps.wait.output }\"", "got = \"${ .steps.wait.output.event.data.payer }\"");
    let text = configuration(&sink.url(), "", &format!("{marks}{routes}")).replace("access = \"open\"", "access = \"tokens\"");
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let client = |arguments: &[&str]| {
        let made = folder.run(&[&["token", "create"], arguments].concat(), "")?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut client = host.client.clone();
        client.token = Some(String::from_utf8(made.stdout)?.trim().to_owned());
        anyhow::Ok(client)
    };
    let (reader, all) = (client(&["--role", "viewer"])?, client(&["--role", "viewer", "--personal"])?);
    let sender = client(&["--role", "sender"])?;
    let eid = sender.send(&invoice("1", 1)).await?;
    reader.until(&eid, "waiting").await?;
    sender.send(&event("p", "paid", json!({ "invoice": 1, "payer": "Ann Payer" }))).await?;
    let shown = reader.until(&eid, "succeeded").await?;
    assert!(!shown.to_string().contains("Ann Payer"), "{shown:#}");
    assert_eq!(step(&shown, "wait")?["output"]["event"]["id"], "p");
    assert!(all.event(&eid).await?.to_string().contains("Ann Payer"), "who may see it does");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_another_host_takes_in_while_a_wait_is_being_written_is_not_missed() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let routes = waiting(PAID, "").replace("name = \"before\"", "name = \"before\"\nwhen = \"false\"");
    let sink = sink().await?;
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&sink.url(), "", &routes))?;
    let hosts = [folder.start().await?, folder.start().await?];
    // The transaction that begins a wait takes two seconds more, once the wait is in it and nobody else can see it.
    let mut hand = Hand::into(&folder).await?;
    hand.run(
        "create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return new; end $$; \
         create trigger slowly after insert on wait for each row execute function slowly()",
    )
    .await?;
    let eid = hosts[0].client.send(&invoice("1", 1)).await?;
    let begins = async {
        while hand.texts("select 'x' from pg_stat_activity where wait_event = 'PgSleep'").await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hand.texts("select lease_owner from run where lease_owner is not null").await
    };
    let owner = tokio::time::timeout(Duration::from_secs(30), begins).await.context("no wait begins")??;
    for host in &hosts {
        let name = host.client.get("/v1/system").await?.json["host"]["id"].clone();
        if owner.iter().all(|owner| name != json!(owner)) {
            host.client.send(&paid("p", 1)).await?;
            break;
        }
    }
    let document = hosts[0].client.until(&eid, "succeeded").await?;
    assert_eq!(step(&document, "wait")?["output"]["event"]["id"], "p", "{document:#}");
    Ok(())
}
