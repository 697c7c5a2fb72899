//! What happens, as it happens: the stream, and the figures made of it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::{Client, HostFolder, TestStore, Told, postgres};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::scene::{SCRIPT, Scene, configuration, event, script, sink};

/// What was told, in few words: kind, the event's eid, and what became of it.
fn words(told: &[Told]) -> Vec<String> {
    let word = |told: &Told| {
        let outcome = told.data["status"].as_str().or(told.data["outcome"].as_str()).unwrap_or("");
        format!("{} {} {outcome}", told.kind, told.data["eid"].as_str().unwrap_or("")).trim_end().to_owned()
    };
    told.iter().map(word).collect()
}

/// The life of an event with one run of one step.
fn life(eid: &str) -> Vec<String> {
    ["event.accepted EID", "run.changed EID running", "attempt.ended EID succeeded", "run.changed EID succeeded"]
        .map(|line| line.replace("EID", eid))
        .to_vec()
}

fn ended(eid: &str) -> impl Fn(&Told) -> bool {
    let eid = eid.to_owned();
    move |told| told.kind == "run.changed" && told.data["eid"] == eid.as_str() && told.data["took_ms"].is_number()
}

/// Asks until the answer is as wanted; gives it.
async fn until(client: &Client, path: &str, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let answer = client.get(path).await?;
            ensure!(answer.status == 200, "{path} is answered {}: {}", answer.status, answer.text);
            if is_it(&answer.json) {
                return Ok(answer.json);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.with_context(|| format!("{path} never was as it should be"))?
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_where_it_was() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let mut stream = scene.client().follow("/v1/stream", &[]).await?;
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!((stream.header("cache-control"), stream.header("x-accel-buffering")), (Some("no-store"), Some("no")));
    let begun = stream.begun().await?;
    let first = scene.play("1", json!([])).await?;
    let mut told = stream.until(|told| told.kind == "event.accepted").await?;
    let data = &told[0].data;
    assert_eq!(
        (&data["type"], &data["source"], &data["id"], &data["routes"]),
        (&json!("script"), &json!("/test"), &json!("1"), &json!(["script"]))
    );
    let place = stream.id.clone().context("a place")?;
    drop(stream);
    let second = scene.play("2", json!([])).await?;
    let mut stream = scene.client().follow("/v1/stream", &[("last-event-id", &place)]).await?;
    let third = scene.play("3", json!([])).await?;
    let eid = |event: &Value| event["eid"].as_str().unwrap_or("").to_owned();
    told.extend(stream.until(ended(&eid(&third))).await?);
    let all: Vec<String> = [&first, &second, &third].into_iter().flat_map(|event| life(&eid(event))).collect();
    assert_eq!(words(&told), all, "each once, in order");
    let attempt = &told[2].data;
    assert_eq!(
        (&attempt["route"], &attempt["step"], &attempt["plugin"], &attempt["action"]),
        (&json!("script"), &json!("run"), &json!("s"), &json!("run"))
    );
    // By the query too, for who can't send a header; and of some kinds only.
    let path = format!("/v1/stream?after={begun}&kinds=run.changed,event.accepted");
    let told = scene.client().follow(&path, &[]).await?.until(ended(&eid(&third))).await?;
    let some: Vec<String> = all.iter().filter(|line| !line.starts_with("attempt")).cloned().collect();
    assert_eq!(words(&told), some);
    let answer = scene.client().get("/v1/stream?kinds=run.changed,weather").await?;
    assert_eq!((answer.status, answer.text.contains("weather") && answer.text.contains("attempt.ended")), (400, true), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_resumed_begins_with_a_gap() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let place = scene.client().follow("/v1/stream", &[]).await?.begun().await?;
    let Scene { sink: _sink, folder, host } = scene;
    host.terminate().await?;
    let host = folder.start().await?;
    for place in [place.as_str(), "another.1", "nonsense"] {
        let mut stream = host.client.follow("/v1/stream", &[("last-event-id", place)]).await?;
        let eid = host.client.send_and_wait(&script(place, json!([]))).await?["eid"].as_str().context("an eid")?.to_owned();
        let told = words(&stream.until(ended(&eid)).await?);
        assert_eq!(told, [vec!["gap".to_owned()], life(&eid)].concat());
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_reader_misses_something_and_holds_nobody_up() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", SCRIPT).replace("[server]", "[server]\nstream-history = 64");
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let address = host.client.url.trim_start_matches("http://").to_owned();
    let socket = tokio::net::TcpSocket::new_v4()?;
    // So that little of what is not read lies on the way.
    socket.set_recv_buffer_size(4096)?;
    let mut slow = socket.connect(address.parse()?).await?;
    slow.write_all(format!("GET /v1/stream HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
    let mut head = [0; 256];
    let read = slow.read(&mut head).await?;
    ensure!(head[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    // Ten times what buffers hold.
    let long = "x".repeat(1_000);
    for batch in 0..60 {
        let events: Vec<Value> = (0..100).map(|number| event(&format!("{long}-{batch}-{number}"), "nobody", json!({}))).collect();
        ensure!(host.client.send_raw(&json!(events), "").await?.status == 202);
    }
    // Nobody else waits for it.
    let mut quick = host.client.follow("/v1/stream", &[]).await?;
    quick.begun().await?;
    let eid = host.client.send_and_wait(&script("last", json!([]))).await?["eid"].as_str().context("an eid")?.to_owned();
    assert_eq!(words(&quick.until(ended(&eid)).await?), life(&eid));
    let mut text = String::new();
    let catching_up = async {
        let mut bytes = vec![0; 64 << 10];
        while !(text.contains("event: gap") && text.contains(&eid)) {
            let read = slow.read(&mut bytes).await?;
            ensure!(read > 0, "the stream ended");
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), catching_up)
        .await
        .context("it is told that it missed something, and what came then")??;
    Ok(())
}

#[tokio::test]
async fn there_are_as_many_streams_as_configured() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT).replace("[server]", "[server]\nmax-streams = 1"))?;
    let host = folder.start().await?;
    let stream = host.client.follow("/v1/stream", &[]).await?;
    let answer = host.client.get("/v1/stream").await?;
    assert_eq!((answer.status, answer.text.contains("server.max-streams")), (429, true), "{}", answer.text);
    assert!(answer.header("retry-after").is_some());
    drop(stream);
    let again = async {
        while host.client.follow("/v1/stream", &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.context("a place is given back")?;
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_with_the_token_of_its_reader() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT).replace("\naccess = \"open\"", ""))?;
    let host = folder.start().await?;
    let with = |role: &str| {
        let done = folder.run(&["token", "create", "--role", role, "--name", role], "")?;
        let token = String::from_utf8(done.stdout)?.trim().to_owned();
        let mut client = host.client.clone();
        client.token = Some(token);
        anyhow::Ok(client)
    };
    let refused = with("sender")?.follow("/v1/stream", &[]).await.err().context("a sender may not read")?.to_string();
    assert!(refused.contains("403"), "{refused}");
    let mut stream = with("viewer")?.follow("/v1/stream", &[]).await?;
    stream.begun().await?;
    let listed = folder.run(&["token", "list", "--json"], "")?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let viewer = listed["tokens"].as_array().into_iter().flatten().find(|token| token["name"] == "viewer").context("the token")?;
    let done = folder.run(&["token", "revoke", viewer["id"].as_str().context("an id")?], "")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(stream.next().await?, None);
    // And with the host.
    let mut stream = with("operator")?.follow("/v1/stream", &[]).await?;
    stream.begun().await?;
    host.terminate().await?;
    assert_eq!(stream.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn hosts_on_one_store_see_what_the_others_do() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&sink.url(), "", SCRIPT))?;
    let (one, other) = (folder.start().await?, folder.start().await?);
    let mut stream = one.client.follow("/v1/stream", &[]).await?;
    stream.begun().await?;
    let mut of_other = other.client.follow("/v1/stream", &[]).await?;
    of_other.begun().await?;
    // Once each knows that the other is there.
    for (number, (teller, hearer)) in [(&other, &mut stream), (&one, &mut of_other)].into_iter().enumerate() {
        let known = async {
            for turn in 0.. {
                let eid = teller.client.send_and_wait(&script(&format!("hello-{number}-{turn}"), json!([]))).await?["eid"].clone();
                // By whichever host did it: both are to have told what they did.
                let told = tokio::time::timeout(
                    Duration::from_secs(1),
                    hearer.until(|told| told.data["eid"] == eid && told.kind == "event.accepted"),
                );
                if told.await.is_ok_and(|told| told.is_ok()) {
                    break;
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(Duration::from_secs(60), known).await.context("a host hears the other")??;
    }
    let mut eids = Vec::new();
    for number in 0..20 {
        let host = if number % 2 == 0 { &one } else { &other };
        eids.push(host.client.send_and_wait(&script(&number.to_string(), json!([]))).await?["eid"].as_str().context("an eid")?.to_owned());
    }
    let mut told = Vec::new();
    for eid in &eids {
        // One host may hear that a run has ended before it hears from the other that its event was accepted.
        let accepted = |told: &Told| told.kind == "event.accepted" && told.data["eid"] == eid.as_str();
        let over = |told: &[Told]| told.iter().any(ended(eid)) && told.iter().any(accepted);
        while !over(&told) {
            told.push(stream.next().await?.context("the stream goes on")?);
        }
    }
    assert!(told.iter().all(|told| told.kind != "gap"), "{:?}", words(&told));
    for eid in &eids {
        let of_it: Vec<Told> = told.iter().filter(|told| told.data["eid"] == eid.as_str()).cloned().collect();
        let mut lines = words(&of_it);
        // Whichever of the two did it: each in its own order.
        lines.sort();
        let mut wanted = life(eid);
        wanted.sort();
        assert_eq!(lines, wanted);
    }
    // The figures are sums.
    for host in [&one, &other] {
        let overview = until(&host.client, "/v1/overview?window=5m", |now| now["events"]["accepted"].as_u64() >= Some(21)).await?;
        assert_eq!(overview["scope"], "store");
        assert_eq!(overview["hosts"].as_array().map(Vec::len), Some(2));
    }
    Ok(())
}

/// `PLUGIN.ACTION` of what fails, the worst first.
fn failing(overview: &Value) -> Vec<String> {
    let name = |one: &Value| format!("{}.{}", one["plugin"].as_str().unwrap_or(""), one["action"].as_str().unwrap_or(""));
    overview["failing"].as_array().into_iter().flatten().map(name).collect()
}

#[tokio::test]
async fn the_overview_names_the_plugin_that_fails_and_where() -> anyhow::Result<()> {
    let more = "[[routes]]\nname = \"trap\"\non = { type = \"trap\" }\n[[routes.steps]]\nname = \"jump\"\nuses = \"m.trap\"\nretry = { max-attempts = 1 }\n";
    let scene = Scene::start(&format!("{SCRIPT}{more}")).await?;
    let client = scene.client();
    let overview = client.get("/v1/overview").await?.json;
    assert_eq!((failing(&overview).len(), &overview["window_ms"], &overview["pressure"]), (0, &json!(900_000), &Value::Null));
    assert_eq!(overview["series"]["points"].as_array().map(Vec::len), Some(180));
    for id in ["a", "b"] {
        client.send_and_wait(&event(id, "trap", json!({}))).await?;
    }
    // Fails once, then works.
    scene.answer("/w", 503, 1);
    let write = json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]);
    ensure!(scene.play("c", write).await?["status"] == "succeeded");
    client.send_raw(&script("c", json!([])), "").await?;
    let overview = until(client, "/v1/overview", |now| {
        now["runs"]["succeeded"] == 1
            && now["events"]["duplicates"] == 1
            && now["dead_letters"] == 2
            && now["failing"][0]["dead_letters"] == 2
    })
    .await?;
    assert_eq!(failing(&overview), ["m.trap", "s.run"], "{overview:#}");
    let [worst, other] = [&overview["failing"][0], &overview["failing"][1]];
    assert_eq!((&worst["attempts"], &worst["failures"], &worst["dead_letters"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!((&worst["last"]["kind"], &worst["last"]["route"], &worst["last"]["step"]), (&json!("trap"), &json!("trap"), &json!("jump")));
    ensure!(worst["since"].is_string(), "{worst:#}");
    // From here to the reason, and to the way out.
    let eid = worst["last"]["eid"].as_str().context("an eid")?;
    assert_eq!(client.event(eid).await?["runs"][0]["id"], worst["last"]["run"]);
    assert_eq!((&other["failures"], &other["dead_letters"], &other["since"]), (&json!(1), &json!(0), &Value::Null), "it works again");
    assert_eq!((&overview["events"]["accepted"], &overview["runs"]["dead"], &overview["dead_letters"]), (&json!(3), &json!(2), &json!(2)));
    let points = overview["series"]["points"].as_array().context("points")?;
    let sum = |name: &str| points.iter().filter_map(|point| point[name].as_u64()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("succeeded"), sum("dead"), sum("failed_attempts")), (3, 1, 2, 3));
    assert!(points.iter().any(|point| point["p99_ms"].is_number()));
    for (query, says) in [("?window=1s", "from 1m to 24h"), ("?window=soon", "window"), ("?period=1h", "period")] {
        let answer = client.get(&format!("/v1/overview{query}")).await?;
        assert_eq!((answer.status, answer.text.contains(says)), (400, true), "{query}: {}", answer.text);
    }
    // What failed before a start is named after it, until it was replayed.
    let Scene { sink: _sink, folder, host } = scene;
    host.terminate().await?;
    let host = folder.start().await?;
    let overview = host.client.get("/v1/overview").await?.json;
    assert_eq!(failing(&overview), ["m.trap"]);
    let worst = &overview["failing"][0];
    assert_eq!((&worst["dead_letters"], &worst["last"]["kind"], &worst["last"]["step"]), (&json!(2), &json!("trap"), &json!("jump")));
    ensure!(host.client.event(worst["last"]["eid"].as_str().context("an eid")?).await?["status"] == "dead");
    Ok(())
}

#[tokio::test]
async fn the_flow_shows_at_which_step_runs_wait() -> anyhow::Result<()> {
    const WAITING: &str = r#"
[[routes]]
name = "patient"
on = { type = "patient" }
[[routes.steps]]
name = "pause"
uses = "sangam.wait"
with = { for = "1h" }
[[routes.steps]]
name = "after"
uses = "s.run"
with = { lines = [] }
"#;
    let scene = Scene::start(WAITING).await?;
    for id in ["1", "2"] {
        scene.client().send(&event(id, "patient", json!({}))).await?;
    }
    let path = "/v1/flow?window=1h";
    let flow = until(scene.client(), path, |flow| flow["routes"][0]["steps"][0]["waiting"] == 2).await?;
    assert_eq!((&flow["routes"][0]["waiting"], &flow["routes"][0]["steps"][1]["waiting"]), (&json!(2), &json!(0)), "{flow:#}");
    let listed = scene.client().get("/v1/events?status=waiting").await?.json;
    for event in listed["events"].as_array().context("a list of events")? {
        let path = format!("/v1/events/{}/cancel", event["eid"].as_str().unwrap_or_default());
        ensure!(scene.client().post(&path, &json!({})).await?.status == 200, "{path}");
    }
    until(scene.client(), path, |flow| flow["routes"][0]["steps"][0]["waiting"] == 0).await?;
    Ok(())
}

#[tokio::test]
async fn the_flow_shows_what_passes_through_each_part() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let write = |path: &str| json!([{ "do": "write", "name": "w", "url": scene.url(path) }]);
    scene.answer("/w", 503, 1);
    scene.play("a", write("/w")).await?;
    scene.answer("/x", 422, 1);
    scene.play("b", write("/x")).await?;
    let flow =
        until(scene.client(), "/v1/flow?window=1h", |flow| flow["routes"][0]["dead"] == 1 && flow["routes"][0]["running"] == 0).await?;
    let route = &flow["routes"][0];
    assert_eq!(
        (&route["name"], &route["accepted"], &route["succeeded"], &route["running"]),
        (&json!("script"), &json!(2), &json!(1), &json!(0))
    );
    let step = &route["steps"][0];
    assert_eq!((&step["uses"], &step["attempts"], &step["failures"], &step["dead"]), (&json!("s.run"), &json!(3), &json!(2), &json!(1)));
    ensure!(step["p99_ms"].is_number(), "{step:#}");
    let source = flow["sources"].as_array().into_iter().flatten().find(|source| source["name"] == "/test").context("the sender")?;
    assert_eq!((&source["type"], &source["accepted"]), (&json!("api"), &json!(2)));
    let plugin = flow["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "s").context("the plugin")?;
    assert_eq!((&plugin["calls"], &plugin["failures"]), (&json!(3), &json!(2)));
    let far = &plugin["hosts"][0];
    assert_eq!((&far["host"], &far["requests"], &far["errors"]), (&json!("127.0.0.1"), &json!(3), &json!(1)));
    Ok(())
}
