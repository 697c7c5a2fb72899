//! What the host refuses before it gets into trouble, and how it stops.

use std::time::Duration;

use reqwest::Method;
use sangam_saas::FaultAct;
use sangam_tests::HostFolder;
use serde_json::json;

use crate::scene::{SCRIPT, Scene, configuration, event, outcomes, script, sink};

/// A scene whose configuration is changed first.
async fn scene(change: impl Fn(&str) -> String) -> anyhow::Result<Scene> {
    let sink = sink().await?;
    let folder = HostFolder::new(&change(&configuration(&sink.url(), "", SCRIPT)))?;
    let host = folder.start().await?;
    Ok(Scene { sink, folder, host })
}

fn retry_after(answer: &sangam_tests::Answer) -> Option<u64> {
    answer.header("retry-after").and_then(|seconds| seconds.parse().ok())
}

#[tokio::test]
async fn more_at_once_than_there_is_memory_for_is_refused_and_the_rest_is_taken_in() -> anyhow::Result<()> {
    let scene = scene(|text| text.replace("[server]", "[server]\nmax-event-size = \"64KiB\"\nmax-intake-memory = \"64KiB\"")).await?;
    // Room is taken by what a request says of itself, before its body comes: this one holds all of it and sends nothing.
    let address = scene.client().url.trim_start_matches("http://").to_owned();
    let mut slow = tokio::net::TcpStream::connect(&address).await?;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/cloudevents+json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        64 << 10
    );
    tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes()).await?;
    let mut go_on = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut slow, &mut go_on).await?;
    assert_eq!(&go_on, b"HTTP/1.1 100", "the host waits for the body now");
    let refused = scene.client().send_raw(&script("1", json!([])), "").await?;
    assert_eq!((refused.status, retry_after(&refused)), (429, Some(1)), "{}", refused.text);
    assert!(refused.text.contains("max-intake-memory"), "{}", refused.text);
    drop(slow);
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while scene.client().send_raw(&script("2", json!([])), "").await?.status != 202 {
        assert!(tokio::time::Instant::now() < end, "room is not given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn the_backlog_has_its_bound_also_within_a_burst() -> anyhow::Result<()> {
    let scene = scene(|text| text.replace("[server]", "[server]\nmax-backlog = 20")).await?;
    scene.fault("/w", FaultAct::Delay { ms: 20_000 }, u32::MAX);
    let batch = |start: usize, count: usize| {
        let one = |number| script(&format!("{start}-{number}"), json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]));
        serde_json::Value::Array((0..count).map(one).collect())
    };
    let mut accepted = 0;
    let mut burst = tokio::task::JoinSet::new();
    for start in 0..20 {
        let (client, batch) = (scene.client().clone(), batch(start, 3));
        burst.spawn(async move { client.send_raw(&batch, "").await });
    }
    while let Some(answer) = burst.join_next().await {
        let answer = answer??;
        match answer.status {
            202 => accepted += 3,
            503 => assert!(retry_after(&answer).is_some() && answer.text.contains("max-backlog"), "{}", answer.text),
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!(accepted, 18, "as many batches of three as fit into twenty");
    assert_eq!(scene.client().send_raw(&batch(100, 3), "").await?.status, 503);
    assert_eq!(scene.client().send_raw(&batch(101, 2), "").await?.status, 202, "there is room for two");
    assert_eq!(scene.client().get("/readyz").await?.status, 503, "a host that takes nothing in is not ready");
    Ok(())
}

#[tokio::test]
async fn runs_that_wait_by_design_are_no_part_of_the_backlog_and_have_a_bound_of_their_own() -> anyhow::Result<()> {
    const WAITS: &str = "[[routes]]\nname = \"remind\"\non = { type = \"sent\" }\n[[routes.steps]]\nname = \"wait\"\nuses = \"sangam.wait\"\n\
                         with = { event = { type = \"paid\", where = \".event.data == .run.event.data\" }, timeout = \"30d\" }\n";
    let text = |bounds: &str| {
        let server = format!("[server]\n{bounds}");
        move |text: &str| format!("{}\n{WAITS}", text.replace("[server]", &server))
    };
    let scene = scene(text("max-backlog = 3\nmax-waiting = 12")).await?;
    let invoice = |number: usize| event(&format!("i-{number}"), "sent", json!(number));
    // Four times as many as the backlog may have.
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    for number in 0..12 {
        let eid = loop {
            let answer = scene.client().send_raw(&invoice(number), "").await?;
            match answer.status {
                202 => break answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned(),
                // What came in a moment ago is still on its way into its wait.
                503 if tokio::time::Instant::now() < end => tokio::time::sleep(Duration::from_millis(20)).await,
                other => panic!("{other}: {}", answer.text),
            }
        };
        scene.client().until(&eid, "waiting").await?;
    }
    let metrics = scene.client().get("/metrics").await?.text;
    let gauge = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
    assert_eq!((gauge("sangam_queue_depth ").as_deref(), gauge("sangam_runs_asleep ").as_deref()), (Some("0"), Some("12")));
    // Beyond a bound of their own the host takes in no more, and says which.
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    let refused = loop {
        let answer = scene.client().send_raw(&invoice(12), "").await?;
        if answer.status == 503 && answer.text.contains("max-waiting") {
            break answer;
        }
        assert!(tokio::time::Instant::now() < end && answer.status == 503, "{}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(retry_after(&refused).is_some(), "{}", refused.text);
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    folder.configure(&text("max-backlog = 3")(&configuration(&sink.url(), "", SCRIPT)))?;
    let host = folder.start().await?;
    // Nobody else's intake is closed, and the event that ends a wait comes in.
    assert_eq!(host.client.get("/readyz").await?.status, 200);
    assert_eq!(host.client.send_and_wait(&script("fine", json!([]))).await?["status"], "succeeded");
    let eid = host.client.get("/v1/events?type=sent&limit=1").await?.json["events"][0]["eid"].as_str().unwrap_or("").to_owned();
    host.client.send(&event("paid", "paid", json!(11))).await?;
    host.client.until(&eid, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn without_room_on_the_disk_nothing_is_taken_in_but_what_is_there_is_finished() -> anyhow::Result<()> {
    if sangam_tests::TestStore::wanted()? == sangam_tests::TestStore::Postgres {
        // A server's disk is not the host's to look at.
        return Ok(());
    }
    let mut scene = scene(str::to_owned).await?;
    assert_eq!(scene.client().get("/readyz").await?.status, 200);
    let done = scene.url("/done");
    // Tried again a while later: when the host is another one.
    let lines = json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 1500, "on": [1] }, { "do": "write", "name": "w", "url": done }]);
    let eid = scene.client().send(&script("1", lines)).await?;
    scene.client().until(&eid, "pending").await?;
    let text = configuration(&scene.sink.url(), "", SCRIPT) + "\n[store]\nmin-free-space = \"4000000GiB\"\n";
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    folder.configure(&text)?;
    let host = folder.start().await?;
    scene = Scene { sink, folder, host };
    let refused = scene.client().send_raw(&script("2", json!([])), "").await?;
    assert_eq!(refused.status, 503);
    assert!(retry_after(&refused).is_some() && refused.text.contains("min-free-space"), "{}", refused.text);
    let ready = scene.client().get("/readyz").await?;
    assert!(ready.status == 503 && ready.text.contains("min-free-space"), "{}", ready.text);
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!(scene.effects("/done"), 1);
    Ok(())
}

#[tokio::test]
async fn a_host_that_stops_says_so_and_hands_back_what_it_breaks_off() -> anyhow::Result<()> {
    let scene = scene(|text| text.replace("[server]", "[server]\nshutdown-grace = \"2s\"")).await?;
    scene.fault("/hangs", FaultAct::Delay { ms: 8_000 }, 1);
    let hangs = script("1", json!([{ "do": "write", "name": "w", "url": scene.url("/hangs") }]));
    let waiter = scene.client().clone();
    let waiting = tokio::spawn(async move { waiter.send_raw(&hangs, "?wait=30s").await });
    scene.arrived("/hangs").await?;
    let Scene { sink, folder, host } = scene;
    let client = host.client.clone();
    let stopping = tokio::spawn(host.terminate());
    let answer = waiting.await??;
    assert_eq!(answer.status, 202, "who waits learns where to look later: {}", answer.text);
    let eid = answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned();
    let ready = client.get("/readyz").await?;
    assert_eq!((ready.status, retry_after(&ready)), (503, Some(5)), "{}", ready.text);
    let refused = client.send_raw(&event("2", "script", json!({ "lines": [] })), "").await?;
    assert_eq!((refused.status, retry_after(&refused)), (503, Some(5)), "{}", refused.text);
    assert_eq!(client.ask(Method::GET, "/healthz", &[], Vec::new()).await?.status, 200, "it still lives");
    assert_eq!(stopping.await??, Some(0));
    let host = folder.start().await?;
    assert!(!host.log().contains("runs that were under way when the host stopped go on"), "a lease was left to the next start");
    let scene = Scene { sink, folder, host };
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["interrupted", "succeeded"]);
    assert_eq!(scene.effects("/hangs"), 1, "the same key, so one effect");
    Ok(())
}
