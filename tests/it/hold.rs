//! `on-doubt = "hold"`: nothing that is in doubt goes out again before a person has said whether it was done.

use sangam_saas::FaultAct;
use sangam_tests::HostFolder;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, results, script, sink, step};

fn holding() -> String {
    SCRIPT.replace("uses = \"s.run\"", "uses = \"s.run\"\non-doubt = \"hold\"")
}

fn write(scene: &Scene, name: &str) -> Value {
    json!({ "do": "write", "name": name, "url": scene.url(&format!("/{name}")) })
}

/// Sends a script and waits until it is held; gives eid and run.
async fn held(scene: &Scene, lines: Value) -> anyhow::Result<(String, String)> {
    let eid = scene.client().send(&script("1", lines)).await?;
    let event = scene.client().until(&eid, "waiting").await?;
    Ok((eid, event["runs"][0]["id"].as_str().unwrap_or("").to_owned()))
}

fn cli(scene: &Scene, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let mut all = vec!["events", "decide"];
    all.extend(arguments);
    all.extend(["--url", &scene.client().url]);
    let output = scene.folder.run(&all, "")?;
    Ok((output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
}

#[tokio::test]
async fn what_was_done_is_answered_from_then_on() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    let (eid, run) =
        held(&scene, json!([{ "do": "log", "key": "x" }, write(&scene, "w"), { "do": "fail", "on": [2], "key": "again" }])).await?;
    let event = scene.client().event(&eid).await?;
    let reason = event["status_reason"].as_str().unwrap_or("");
    assert!(reason.contains("step run is held") && reason.contains("/w “w”") && reason.contains("sangam events decide"), "{reason}");
    let doubt = &step(&event, "run")?["held"][0];
    let seq = doubt["seq"].clone();
    assert_eq!((&doubt["method"], &doubt["key"]), (&json!("POST"), &json!(scene.keys("/w")[0])));
    assert_eq!(step(&event, "run")?["attempts"][0]["effects"][0]["seq"], seq, "the document shows the same number");

    let said = json!({ "outcome": "done", "response": { "status": 201, "headers": { "x": "y" }, "body": { "received": 7 } } });
    let answer = scene.client().post(&format!("/v1/runs/{run}/steps/run/effects/{seq}"), &said).await?;
    assert_eq!((answer.status, &answer.json["left"]), (200, &json!(0)), "{}", answer.text);
    let done = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(results(&done)?[1]["received"], 7);
    assert_eq!(scene.requests("/w").len(), 1, "it was not sent again, by none of the attempts");
    assert_eq!(step(&done, "run")?["attempts"][0]["effects"][0]["decided"], "done");
    assert_eq!(step(&done, "run")?["attempts"][1]["effects"][0]["replayed"], true);
    Ok(())
}

#[tokio::test]
async fn what_was_not_done_goes_out_under_a_new_key() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.answer("/w", 503, 1);
    let (eid, _) = held(&scene, json!([write(&scene, "w")])).await?;
    let (code, said) = cli(&scene, &[&eid, "--outcome", "not-done"])?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("step run goes on"), "{said}");
    scene.client().until(&eid, "succeeded").await?;
    let keys = scene.keys("/w");
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    Ok(())
}

#[tokio::test]
async fn all_that_is_in_doubt_is_decided_before_the_step_goes_on() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.fault("/a", FaultAct::LoseAnswer, 1);
    scene.fault("/b", FaultAct::LoseAnswer, 1);
    let whatever = |name| {
        let mut line = write(&scene, name);
        line["whatever"] = json!(true);
        line
    };
    let lines = json!([whatever("a"), whatever("b"), { "do": "fail", "on": [1], "kind": "rejected", "key": "no answers" }]);
    let (eid, _) = held(&scene, lines).await?;
    // Which one?
    let (code, said) = cli(&scene, &[&eid, "--outcome", "done"])?;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--effect 1") && said.contains("--effect 2"), "{said}");
    let answer = scene.folder.path().join("answer.json");
    std::fs::write(&answer, r#"{"status": 202}"#)?;
    let (code, said) = cli(&scene, &[&eid, "--effect", "1", "--outcome", "done", "--response", &answer.to_string_lossy()])?;
    assert_eq!((code, said.contains("held for 1 more")), (Some(0), true), "{said}");
    let event = scene.client().until(&eid, "waiting").await?;
    assert_eq!(step(&event, "run")?["held"].as_array().map(Vec::len), Some(1));
    assert_eq!((scene.requests("/a").len(), scene.requests("/b").len()), (1, 1), "nothing goes on with one of two decided");
    let (code, said) = cli(&scene, &[&eid, "--outcome", "not-done"])?;
    assert_eq!(code, Some(0), "one is left, so it is meant: {said}");
    let done = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(results(&done)?[0]["status"], 202);
    assert_eq!((scene.requests("/a").len(), scene.requests("/b").len()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn decisions_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    let scene =
        Scene::start(&format!("{}{}", holding(), SCRIPT.replace("script", "other").replace("name = \"run\"", "name = \"go\""))).await?;
    scene.answer("/w", 503, 1);
    let (eid, run) = held(&scene, json!([{ "do": "read", "url": scene.url("/r") }, write(&scene, "w")])).await?;
    let decide = async |path: String, said: Value, status: u16, words: &str| -> anyhow::Result<()> {
        let answer = scene.client().post(&path, &said).await?;
        anyhow::ensure!(answer.status == status && answer.text.contains(words), "{path} {said}: {} {}", answer.status, answer.text);
        Ok(())
    };
    let path = |run: &str, step: &str, seq: u32| format!("/v1/runs/{run}/steps/{step}/effects/{seq}");
    let done = json!({ "outcome": "done" });
    decide(path("019a0000-0000-7000-8000-000000000000", "run", 2), done.clone(), 404, "no run").await?;
    decide(path(&run, "nope", 2), done.clone(), 404, "no step").await?;
    decide(path(&run, "run", 9), done.clone(), 404, "no write with seq 9").await?;
    decide(path(&run, "run", 1), done.clone(), 404, "no write with seq 1").await?;
    decide(path(&run, "run", 2), json!({ "outcome": "maybe" }), 400, "maybe").await?;
    decide(path(&run, "run", 2), json!({}), 400, "outcome").await?;
    decide(path(&run, "run", 2), json!({ "outcome": "done", "response": { "status": 404 } }), 400, "404").await?;
    decide(path(&run, "run", 2), json!({ "outcome": "not-done", "response": {} }), 400, "no response").await?;
    assert_eq!(scene.client().event(&eid).await?["status"], "waiting", "none of these changed anything");
    decide(path(&run, "run", 2), done.clone(), 200, "").await?;
    scene.client().until(&eid, "succeeded").await?;
    decide(path(&run, "run", 2), done.clone(), 409, "has ended").await?;

    // A step that is not held: its write is sent again by itself.
    scene.fault("/slow", FaultAct::Delay { ms: 300 }, 1);
    let eid = scene.client().send(&crate::scene::event("2", "other", json!({ "lines": [write(&scene, "slow")] }))).await?;
    scene.arrived("/slow").await?;
    let run = scene.client().event(&eid).await?["runs"][0]["id"].as_str().unwrap_or("").to_owned();
    decide(path(&run, "go", 1), done, 409, "").await?;
    scene.client().until(&eid, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_write_holds_too() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.fault("/w", FaultAct::Delay { ms: 300 }, 1);
    let eid = scene.client().send(&script("1", json!([write(&scene, "w")]))).await?;
    scene.arrived("/w").await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.client().until(&eid, "waiting").await?;
    // Another start, and a replay after cancelling, release nothing.
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.client().until(&eid, "waiting").await?;
    assert_eq!(scene.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?.status, 200);
    assert_eq!(scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "script" })).await?.status, 200);
    let event = scene.client().until(&eid, "waiting").await?;
    assert_eq!(scene.requests("/w").len(), 1, "nobody has decided yet");
    let run = event["runs"][1]["id"].as_str().unwrap_or("").to_owned();
    let answer = scene.client().post(&format!("/v1/runs/{run}/steps/run/effects/1"), &json!({ "outcome": "done" })).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    scene.client().until(&eid, "succeeded").await?;
    // Whether the first one was done nobody knows: the sink lost its sender in the middle of it.
    assert_eq!(scene.requests("/w").len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_several_runs_of_a_line_left_in_doubt_is_told_apart() -> anyhow::Result<()> {
    // Both runs leave a write in doubt as the first of their first attempt.
    let writes = |name: &str, url: &str| {
        let with = format!("uses = \"s.run\"\nwith = {{ lines = [{{ do = \"write\", name = \"{name}\", url = \"{url}/{name}\" }}] }}");
        SCRIPT.replace("uses = \"s.run\"", &with).replace("max-attempts = 3", "max-attempts = 1")
    };
    let scene = Scene::start(&writes("a", "{sink}")).await?;
    scene.answer("/a", 503, 1);
    scene.answer("/b", 503, 1);
    let dead = scene.play("1", json!([])).await?;
    let eid = dead["eid"].as_str().unwrap_or("").to_owned();
    let replay = async || scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await;
    scene.change("", &writes("b", "{sink}")).await?;
    assert_eq!(replay().await?.status, 200);
    scene.client().until(&eid, "dead").await?;
    scene.change("", &writes("b", "{sink}").replace("[[routes.steps]]", "[[routes.steps]]\non-doubt = \"hold\"")).await?;
    assert_eq!(replay().await?.status, 200);
    let event = scene.client().until(&eid, "waiting").await?;
    let run = event["runs"][2]["id"].as_str().unwrap_or("").to_owned();
    let held = step(&event, "run")?["held"].as_array().cloned().unwrap_or_default();
    let place = |held: &Value| (held["seq"].clone(), held["attempt"].clone());
    assert_eq!((held.len(), place(&held[0])), (2, place(&held[1])), "{held:#?}");
    let path = format!("/v1/runs/{run}/steps/run/effects/{}", held[0]["seq"]);
    let answer = scene.client().post(&path, &json!({ "outcome": "done", "attempt": held[0]["attempt"] })).await?;
    assert_eq!((answer.status, answer.text.contains("say which with `key`")), (409, true), "{}", answer.text);
    let (code, said) = cli(&scene, &[&eid, "--outcome", "done", "--effect", "1"])?;
    assert_eq!((code, said.contains("--key")), (Some(2), true), "{said}");
    let key = held[1]["key"].as_str().unwrap_or("");
    let (code, said) = cli(&scene, &[&eid, "--outcome", "done", "--key", key])?;
    assert_eq!((code, said.contains("held for 1 more")), (Some(0), true), "{said}");
    let (code, said) = cli(&scene, &[&eid, "--outcome", "done"])?;
    assert_eq!((code, said.contains("goes on")), (Some(0), true), "{said}");
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.requests("/a").len(), scene.requests("/b").len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_run_that_waited_has_its_time_where_its_configuration_cannot_be_loaded() -> anyhow::Result<()> {
    let routes = holding().replace("on = { type = \"script\" }", "on = { type = \"script\" }\ndeadline = \"1s\"");
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", &routes);
    let greeting = "[plugins.s]\nconfig = { greeting = \"${file:greeting.txt}\" }\n";
    let folder = HostFolder::new(&text.replace("[plugins.s]\n", greeting))?;
    let file = folder.path().join("greeting.txt");
    std::fs::write(&file, "hello")?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    let (eid, _) = held(&scene, json!([write(&scene, "w")])).await?;
    // Another one's deadline passes, and so has that of the first by the clock on the wall.
    let late = scene.play("2", json!([{ "do": "sleep", "amount": 3_600_000 }])).await?;
    assert_eq!(late["status"], "dead");
    scene.change("", &routes).await?;
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    std::fs::remove_file(&file)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let (code, said) = cli(&scene, &[&eid, "--outcome", "not-done"])?;
    assert_eq!(code, Some(0), "{said}");
    let event = scene.client().until(&eid, "pending").await?;
    let reason = event["runs"][0]["status_reason"].as_str().unwrap_or("");
    assert!(reason.contains("greeting.txt"), "{event:#}");
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_sends_it_again_at_once_is_broken_off() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.answer("/w", 503, 1);
    let mut first = write(&scene, "w");
    first["whatever"] = json!(true);
    first["on"] = json!([1]);
    let (eid, _) = held(&scene, json!([first, write(&scene, "w"), write(&scene, "after")])).await?;
    assert_eq!((scene.requests("/w").len(), scene.requests("/after").len()), (1, 0), "sent again before anybody has spoken");
    let event = scene.client().event(&eid).await?;
    let attempt = &step(&event, "run")?["attempts"][0];
    assert!(attempt["error"]["reason"].as_str().is_some_and(|reason| reason.contains("“w” is in doubt")), "{attempt:#}");
    assert_eq!(step(&event, "run")?["held"].as_array().map(Vec::len), Some(1), "{event:#}");
    let (code, said) = cli(&scene, &[&eid, "--outcome", "not-done"])?;
    assert_eq!(code, Some(0), "{said}");
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.requests("/w").len(), scene.requests("/after").len()), (2, 1), "once more, after the decision");
    Ok(())
}

#[tokio::test]
async fn an_output_given_in_spite_of_the_doubt_is_no_success() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    scene.answer("/w", 503, 1);
    let mut swallowed = write(&scene, "w");
    swallowed["whatever"] = json!(true);
    let lines = json!([{ "do": "set", "key": "k", "value": "v" }, swallowed]);
    let (eid, _) = held(&scene, lines).await?;
    let event = scene.client().event(&eid).await?;
    assert!(step(&event, "run")?["output"].is_null(), "{event:#}");
    let reason = step(&event, "run")?["error"]["reason"].as_str().unwrap_or("").to_owned();
    assert!(reason.contains("an output although POST") && reason.contains("“w” is in doubt"), "{reason}");
    let (code, said) = cli(&scene, &[&eid, "--outcome", "done"])?;
    assert_eq!(code, Some(0), "{said}");
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!(scene.requests("/w").len(), 1);
    Ok(())
}
