//! Instances made before their call comes: there when it does, each for one call, with nothing in them that differs from a fresh one; and big
//! components beside small ones.

use std::time::Duration;

use anyhow::Context as _;
use sangam_tests::{HostFolder, built_guest, fresh_guest, guest};
use serde_json::{Value, json};

use crate::assembled::{big, hostile};
use crate::scene::{SCRIPT, Scene, event, outcomes, results, sink, step};

/// How many instances of a plugin are ready.
async fn ready(scene: &Scene, plugin: &str) -> anyhow::Result<u64> {
    let answer = scene.client().get("/v1/plugins").await?;
    let plugins = answer.json["plugins"].as_array().context("plugins are a list")?.clone();
    let plugin = plugins.into_iter().find(|found| found["name"] == plugin).with_context(|| format!("no {plugin}: {}", answer.text))?;
    plugin["instances_ahead"].as_u64().context("it is a number")
}

/// Waits until there are so many.
async fn until_ready(scene: &Scene, plugin: &str, count: u64) -> anyhow::Result<()> {
    let look = async {
        while ready(scene, plugin).await? != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.with_context(|| format!("{plugin} never has {count} instances ahead"))?
}

#[tokio::test]
async fn an_instance_made_ahead_serves_one_call_and_sees_what_a_fresh_one_would() -> anyhow::Result<()> {
    let route = "[[routes]]\nname = \"m\"\non = { type = \"m\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.remember\"\nwith = {}\n";
    let scene = Scene::granting("ahead = 1", &format!("{SCRIPT}\n{route}")).await?;
    let lines = json!([{ "do": "clock" }, { "do": "random" }, { "do": "fail", "kind": "retry", "key": "again", "on": [1, 2] }, { "do": "attempt" }]);
    let mut seen = Vec::new();
    for id in ["a", "b"] {
        until_ready(&scene, "s", 1).await?;
        let event = scene.play(id, lines.clone()).await?;
        seen.push((results(&event)?[1].clone(), event));
    }
    assert_ne!(seen[0].0, seen[1].0, "two runs draw different random bytes");
    // The instance in which the first call ran is gone with what it remembered, and so is every other one.
    for id in ["c", "d", "e"] {
        until_ready(&scene, "m", 1).await?;
        let event = scene.client().send_and_wait(&event(id, "m", json!({}))).await?;
        assert_eq!(step(&event, "run")?["output"], json!(0), "{event:#}");
    }
    Ok(())
}

#[tokio::test]
async fn every_attempt_draws_the_same_whether_its_instance_was_made_ahead_or_not() -> anyhow::Result<()> {
    let lines = json!([{ "do": "clock" }, { "do": "random" }, { "do": "random" }, { "do": "fail", "on": [1, 2] }]);
    for ahead in [0, 2] {
        let scene = Scene::granting(&format!("ahead = {ahead}"), SCRIPT).await?;
        until_ready(&scene, "s", ahead).await?;
        let event = scene.play("a", lines.clone()).await?;
        assert_eq!(outcomes(&event, "run")?, ["retry", "retry", "succeeded"]);
        let drawn = json!(results(&event)?.as_array().context("results are a list")?[..3]);
        for attempt in 0..2 {
            assert_eq!(step(&event, "run")?["attempts"][attempt]["error"]["details"]["results"], drawn, "{ahead} ahead: {event:#}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_component_that_reads_a_clock_before_its_call_is_given_none_made_ahead() -> anyhow::Result<()> {
    let scene = Scene::granting("ahead = 1", SCRIPT).await?;
    for (file, guest) in [("early.wasm", "early"), ("late.wasm", "random")] {
        std::fs::write(scene.folder.path().join(file), big(hostile(guest)?))?;
    }
    scene
        .change("ahead = 1", &format!("{SCRIPT}\n[plugins.early]\ncomponent = \"early.wasm\"\n[plugins.late]\ncomponent = \"late.wasm\"\n"))
        .await?;
    until_ready(&scene, "late", 1).await?;
    until_ready(&scene, "s", 1).await?;
    assert_eq!(ready(&scene, "early").await?, 0);
    Ok(())
}

#[tokio::test]
async fn big_components_have_one_ready_and_give_it_back_when_nobody_calls() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    std::fs::write(scene.folder.path().join("big.wasm"), big(fresh_guest("scripted")))?;
    let routes = format!(
        "{SCRIPT}\n[plugins.big]\ncomponent = \"big.wasm\"\n\n[[routes]]\nname = \"b\"\non = {{ type = \"b\" }}\n\
         [[routes.steps]]\nname = \"run\"\nuses = \"big.run\"\n"
    );
    let scene = restarted(scene, &format!("{routes}\n[engine]\nahead-idle = \"300ms\"\n")).await?;
    until_ready(&scene, "big", 1).await?;
    assert_eq!(ready(&scene, "s").await?, 0, "what is small is made as quickly as it is taken");
    until_ready(&scene, "big", 0).await?;
    let done = scene.client().send_and_wait(&event("1", "b", json!({ "lines": [{ "do": "attempt" }] }))).await?;
    assert_eq!(results(&done)?, &json!([1]));
    until_ready(&scene, "big", 1).await?;
    // There is a bound for all of them together.
    let scene = restarted(scene, &format!("{routes}\n[engine]\nahead-memory = \"1KiB\"\n")).await?;
    let done = scene.client().send_and_wait(&event("2", "b", json!({ "lines": [{ "do": "attempt" }] }))).await?;
    assert_eq!(results(&done)?, &json!([1]));
    assert_eq!(ready(&scene, "big").await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_an_interpreter_keeps_between_calls_is_given_back_when_nobody_calls() -> anyhow::Result<()> {
    /// Calls at a time, each in a memory of 16 MiB.
    const CALLS: usize = 6;
    let Some(component) = built_guest("scripted-python")? else { return Ok(()) };
    // Longer than start and calls take together: else some of it is given back before it is looked at.
    let folder = HostFolder::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[engine]\nahead-idle = \"15s\"\n\n[plugins.s]\ncomponent = {component:?}\n{SCRIPT}"
    ))?;
    let host = folder.start().await?;
    let scene = Scene { sink: sink().await?, folder, host };
    let mut sent = Vec::new();
    for id in 0..CALLS {
        let lines = json!([{ "do": "sleep", "amount": 2000 }]);
        sent.push(scene.client().send(&event(&format!("{id}"), "script", json!({ "lines": lines }))).await?);
    }
    under_way(&scene, "s", CALLS).await?;
    for eid in &sent {
        scene.client().until(eid, "succeeded").await?;
    }
    let (used, most) = (resident(&scene).await?, CALLS as u64 * (16 << 20));
    let given_back = async {
        while resident(&scene).await? + most * 3 / 4 > used {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), given_back)
        .await
        .with_context(|| format!("{used} bytes were in use, and still are"))??;
    let again = scene.play("again", json!([{ "do": "attempt" }])).await?;
    assert_eq!(results(&again)?, &json!([1]));
    Ok(())
}

/// Bytes of memory that the host has.
async fn resident(scene: &Scene) -> anyhow::Result<u64> {
    let metrics = scene.client().get("/metrics").await?.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).context("the host says what it has")?;
    Ok(line.parse::<f64>()? as u64)
}

async fn restarted(scene: Scene, routes: &str) -> anyhow::Result<Scene> {
    scene.configure("", routes)?;
    let (sink, folder) = (scene.sink, scene.folder);
    anyhow::ensure!(scene.host.terminate().await? == Some(0), "the host did not stop well");
    let host = folder.start().await?;
    Ok(Scene { sink, folder, host })
}

#[tokio::test]
async fn big_components_take_no_places_of_small_ones() -> anyhow::Result<()> {
    // Each may hold as many places as are free: seven of them all of the 128 but one, which is the last one's.
    const BIG: usize = 7;
    let sink = sink().await?;
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[plugins.s]\ncomponent = {:?}\n[plugins.last]\ncomponent = \"big.wasm\"\nahead = 0\n",
        guest("scripted")
    );
    let route = |name: &str| {
        format!(
            "\n[[routes]]\nname = \"{name}\"\non = {{ type = \"{name}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"{name}.run\"\n\
             retry = {{ max-attempts = 3, initial = \"10ms\", factor = 1, jitter = 0 }}\n"
        )
    };
    text += &[route("s"), route("last")].concat();
    for number in 0..BIG {
        text += &format!("\n[plugins.b{number}]\ncomponent = \"big.wasm\"\nconcurrency = 100\nahead = 0\n{}", route(&format!("b{number}")));
    }
    let folder = HostFolder::new(&text)?;
    std::fs::write(folder.path().join("big.wasm"), big(fresh_guest("scripted")))?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let sleep = json!({ "lines": [{ "do": "sleep", "amount": 20_000 }] });
    for number in 0..BIG {
        // As many as it can have, each for longer than this takes.
        let share = 64 >> number;
        let events: Vec<Value> = (0..share).map(|id| event(&format!("{number}-{id}"), &format!("b{number}"), sleep.clone())).collect();
        for event in &events {
            scene.client().send(event).await?;
        }
        under_way(&scene, &format!("b{number}"), share).await?;
    }
    scene.client().send(&event("last-1", "last", sleep)).await?;
    under_way(&scene, "last", 1).await?;
    let short = json!({ "lines": [{ "do": "attempt" }] });
    let answer = scene.client().send(&event("last-2", "last", short.clone())).await?;
    let small = scene.client().send_and_wait(&event("small", "s", short)).await?;
    assert_eq!(outcomes(&small, "run")?, ["succeeded"]);
    let last = scene.client().event(&answer).await?;
    assert!(outcomes(&last, "run")?.iter().all(|outcome| outcome == "busy"), "{last:#}");
    Ok(())
}

async fn under_way(scene: &Scene, plugin: &str, count: usize) -> anyhow::Result<()> {
    let look = async {
        loop {
            let answer = scene.client().get("/v1/plugins").await?;
            let found = answer.json["plugins"].as_array().and_then(|all| all.iter().find(|found| found["name"] == plugin).cloned());
            if found.is_some_and(|found| found["calls_under_way"].as_u64() >= Some(count as u64)) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.with_context(|| format!("{plugin} never has {count} calls under way"))?
}
