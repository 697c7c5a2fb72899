//! A canary: a share of runs on another component, and its end when it fails too often.

use std::collections::{BTreeMap, BTreeSet};

use sangam_tests::{fresh_guest, guest};
use serde_json::{Value, json};

use crate::components::patched;
use crate::scene::{SCRIPT, Scene, script, step};

/// What is added to the plugins' sections, where only `s` has the canary.
fn canary(component: &str, share: &str, max_error_rate: &str) -> String {
    format!("canary = {{ component = {component:?}, share = {share}, max-error-rate = {max_error_rate} }}")
}

/// A configuration in which `s` tries a component.
fn with(text: &str, canary: &str) -> String {
    text.replacen("[plugins.m]", &format!("{canary}\n[plugins.m]"), 1)
}

impl Scene {
    /// Writes the usual configuration with that canary and applies it.
    async fn try_out(&self, canary: &str) -> anyhow::Result<()> {
        self.folder.configure(&with(&crate::scene::configuration(&self.sink.url(), "", SCRIPT), canary))?;
        let answer = self.reload().await?;
        anyhow::ensure!(answer.status == 200, "the configuration was refused: {}", answer.text);
        Ok(())
    }

    /// The plugin `s` as the API shows it.
    async fn plugin(&self) -> anyhow::Result<Value> {
        let plugins = self.client().get("/v1/plugins").await?.json;
        Ok(plugins["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "s").cloned().unwrap_or_default())
    }
}

/// The digests that the attempts of a step used.
fn digests(document: &Value) -> anyhow::Result<BTreeSet<String>> {
    let attempts = step(document, "run")?["attempts"].as_array().cloned().unwrap_or_default();
    Ok(attempts.iter().map(|attempt| attempt["digest"].as_str().unwrap_or("none").to_owned()).collect())
}

/// `scripted` with a custom section more: another digest, the same behaviour.
fn sibling(scene: &Scene) -> anyhow::Result<String> {
    let mut bytes = fresh_guest("scripted");
    bytes.extend_from_slice(&[0, 5, 4, b'm', b'o', b'r', b'e']);
    let path = scene.folder.path().join("sibling.wasm");
    std::fs::write(&path, bytes)?;
    Ok(path.display().to_string())
}

#[tokio::test]
async fn a_share_of_runs_uses_the_canary_and_each_run_stays_on_its_component() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let sibling = sibling(&scene)?;
    scene.try_out(&canary(&sibling, "0.5", "0.5")).await?;
    let mut used = BTreeSet::new();
    for number in 0..40 {
        let lines = json!([{ "do": "fail", "kind": "retry", "key": "again", "on": [1, 2] }]);
        let document = scene.play(&number.to_string(), lines).await?;
        assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
        let digests = digests(&document)?;
        assert_eq!(digests.len(), 1, "a run changed its component between attempts: {digests:?}");
        used.extend(digests);
    }
    let plugin = scene.plugin().await?;
    let both = [&plugin["digest"], &plugin["canary"]["digest"]].map(|digest| digest.as_str().unwrap_or("").to_owned());
    assert_eq!(used, BTreeSet::from(both), "both components are used");
    let calls = |of: &str| plugin["canary"][of]["calls"].as_u64().unwrap_or(0);
    assert_eq!(calls("canary") + calls("stable"), 40, "tries that are followed by another say nothing: {plugin:#}");
    assert!(calls("canary") >= 8 && calls("stable") >= 8, "{}", plugin["canary"]);
    assert_eq!(plugin["canary"]["state"], "on-trial");
    assert_eq!([&plugin["canary"]["asks_more"], &plugin["canary"]["asks_less"]], [&json!([]), &json!([])], "its sibling asks for the same");
    Ok(())
}

#[tokio::test]
async fn a_canary_that_fails_too_often_is_rolled_back_for_good() -> anyhow::Result<()> {
    let route = SCRIPT.replace("max-attempts = 3", "max-attempts = 1");
    let scene = Scene::start(&route).await?;
    // The same action, with a mistake.
    let broken = guest("misbehaving").display().to_string();
    scene.try_out(&canary(&broken, "0.5", "0.2")).await?;
    let mut sent = 0;
    while scene.plugin().await?["canary"]["state"] == "on-trial" {
        let batch: Vec<Value> = (sent..sent + 10).map(|number| script(&number.to_string(), json!([]))).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "?wait=30s").await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        sent += 10;
        assert!(sent < 400, "the canary goes on: {:#}", scene.plugin().await?["canary"]);
    }
    let shown = scene.plugin().await?["canary"].clone();
    assert_eq!(shown["state"], "rolled-back");
    let asks_less = shown["asks_less"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|what| what.contains("stream feed"));
    assert!(asks_less, "it has no streams: {shown:#}");
    assert!(shown["canary"]["failures"].as_u64().is_some_and(|failures| failures >= 20), "{shown:#}");
    assert!(shown["reason"].as_str().is_some_and(|reason| reason.contains("max-error-rate")), "{shown:#}");
    assert!(scene.client().get("/metrics").await?.text.contains("sangam_canary_rollbacks_total{plugin=\"s\"} 1"));
    assert!(scene.host.log().contains("the canary is rolled back"));
    let all_well = async |scene: &Scene, from: usize| -> anyhow::Result<()> {
        let batch: Vec<Value> = (from..from + 30).map(|number| script(&format!("after-{number}"), json!([]))).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "?wait=30s").await?;
        let ended: Vec<&Value> = answer.json["events"].as_array().into_iter().flatten().collect();
        assert_eq!(ended.len(), 30);
        for document in ended {
            assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
        }
        Ok(())
    };
    all_well(&scene, 0).await?;
    // Neither a restart nor a change of something else starts it again.
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    all_well(&scene, 100).await?;
    let text = with(&crate::scene::configuration(&scene.sink.url(), "", &route), &canary(&broken, "0.5", "0.2"));
    scene.folder.configure(
        &(text + "\n[[routes]]\nname = \"other\"\non = { type = \"other\" }\n[[routes.steps]]\nname = \"x\"\nuses = \"m.fine\"\n"),
    )?;
    assert_eq!(scene.reload().await?.status, 200);
    all_well(&scene, 200).await?;
    assert_eq!(scene.plugin().await?["canary"]["state"], "rolled-back");
    // Taken out and put in again it is a new trial.
    scene.try_out("").await?;
    assert!(scene.plugin().await?["canary"].is_null());
    scene.try_out(&canary(&broken, "0.5", "0.2")).await?;
    assert_eq!(scene.plugin().await?["canary"]["state"], "on-trial");
    Ok(())
}

#[tokio::test]
async fn check_compares_a_canary_with_the_component_it_may_replace() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let text = crate::scene::configuration(&scene.sink.url(), "", &SCRIPT.replace("s.run", "s.greet"));
    let broken = guest("misbehaving").display().to_string();
    scene.folder.configure(&with(&text, &canary(&broken, "0.5", "0.2")))?;
    let output = scene.folder.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: the canary of plugin `s` has no action `greet`, which a route uses"), "{said}");
    let text = crate::scene::configuration(&scene.sink.url(), "", SCRIPT);
    scene.folder.configure(&with(&text, &canary(&broken, "0.5", "0.2")))?;
    let output = scene.folder.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warning: the canary of plugin `s` describes the input of `run` otherwise"), "{said}");
    for (wrong, why) in [
        ("share = 0, max-error-rate = 0.1", "`share` is 0, but must be from"),
        ("share = 0.5, max-error-rate = 1", "`max-error-rate` is 1, but must be from"),
        ("share = 0.5", "`max-error-rate` is missing"),
    ] {
        scene.folder.configure(&with(&text, &format!("canary = {{ component = {broken:?}, {wrong} }}")))?;
        let output = scene.folder.run(&["check"], "")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_canary_that_refuses_the_input_is_rolled_back_too() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    // The same plugin, which takes no numbers any more.
    let stricter = scene.folder.path().join("stricter.wasm");
    std::fs::write(&stricter, patched(fresh_guest("scripted"), "integer", "boolean"))?;
    scene.try_out(&canary(&stricter.display().to_string(), "0.5", "0.2")).await?;
    let numbered = |id: String| script(&id, json!([{ "do": "log", "key": "x", "amount": 1 }]));
    let mut refused = 0;
    for round in 0..40 {
        let batch: Vec<Value> = (0..10).map(|number| numbered(format!("{round}-{number}"))).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "?wait=30s").await?;
        for document in answer.json["events"].as_array().into_iter().flatten().filter(|document| document["status"] == "dead") {
            assert_eq!(step(document, "run")?["error"]["kind"], "invalid-input", "{document:#}");
            assert_eq!(digests(document)?, BTreeSet::from([scene.plugin().await?["canary"]["digest"].as_str().unwrap_or("").to_owned()]));
            refused += 1;
        }
        if scene.plugin().await?["canary"]["state"] == "rolled-back" {
            break;
        }
    }
    let shown = scene.plugin().await?["canary"].clone();
    assert_eq!(shown["state"], "rolled-back", "{refused} inputs were refused: {shown:#}");
    let after = scene.client().send_and_wait(&numbered("after".to_owned())).await?;
    assert_eq!(after["status"], "succeeded", "{}", after["status_reason"]);
    Ok(())
}

#[tokio::test]
async fn a_replay_uses_the_component_of_its_line_for_as_long_as_the_canary_lasts() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let sibling = sibling(&scene)?;
    scene.try_out(&canary(&sibling, "0.5", "0.99")).await?;
    let lines = json!([{ "do": "fail", "kind": "rejected", "key": "no" }]);
    let mut lines_of: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..40 {
        let dead = scene.play(&number.to_string(), lines.clone()).await?;
        let used = digests(&dead)?.into_iter().next().unwrap_or_default();
        lines_of.insert(used, dead["eid"].as_str().unwrap_or("").to_owned());
        if lines_of.len() == 2 {
            break;
        }
    }
    assert_eq!(lines_of.len(), 2, "both components are used");
    let replayed = async |eid: &str| -> anyhow::Result<BTreeSet<String>> {
        let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text);
        digests(&scene.client().until(eid, "dead").await?)
    };
    for (digest, eid) in &lines_of {
        assert_eq!(replayed(eid).await?, BTreeSet::from([digest.clone()]), "a replay changed its component");
    }
    scene.try_out("").await?;
    let stable = BTreeSet::from([scene.plugin().await?["digest"].as_str().unwrap_or("").to_owned()]);
    for eid in lines_of.values() {
        assert_eq!(replayed(eid).await?, stable, "the canary is gone");
    }
    Ok(())
}
