//! Steps of the host's own: `sangam.emit`, and what `check`, the API and a dry run say of them.

use sangam_tests::{HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{Scene, configuration, event, step};

/// An event that makes an event that makes a write.
const EMITS: &str = r#"
[[routes]]
name = "parent"
on = { type = "t" }
[[routes.steps]]
name = "tell"
uses = "sangam.emit"
with = { type = "child", subject = "${ .event.id }", data = { n = "${ .event.data.n }" }, extensions = { trace = "x" } }

[[routes]]
name = "child"
on = { type = "child", source = "/routes/parent" }
[[routes.steps]]
name = "write"
uses = "s.run"
with = { lines = [{ do = "write", name = "w", url = "{sink}/child", body = "${ .event.data.n }" }] }
"#;

async fn children(scene: &Scene) -> anyhow::Result<Vec<Value>> {
    let listed = scene.client().get("/v1/events?type=child").await?.json;
    Ok(listed["events"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn an_event_is_brought_in_once_in_the_name_of_its_route() -> anyhow::Result<()> {
    let scene = Scene::start(EMITS).await?;
    let parent = scene.client().send_and_wait(&event("1", "t", json!({ "n": 7 }))).await?;
    let tell = step(&parent, "tell")?;
    assert_eq!((&tell["output"]["source"], &tell["output"]["type"]), (&json!("/routes/parent"), &json!("child")));
    scene.arrived("/child").await?;
    let found = children(&scene).await?;
    let child = &found[0];
    assert_eq!(
        (&child["event"]["source"], &child["event"]["subject"], &child["event"]["trace"]),
        (&json!("/routes/parent"), &json!("1"), &json!("x"))
    );
    assert_eq!((&child["cause"]["eid"], &child["cause"]["step"]), (&parent["eid"], &json!("tell")));
    scene.client().until(child["eid"].as_str().unwrap_or(""), "succeeded").await?;
    // All of it again: the step's key names the event, so that it is known.
    let replayed = scene
        .client()
        .post(&format!("/v1/events/{}/replay", parent["eid"].as_str().unwrap_or("")), &json!({ "route": "parent", "from": "start" }))
        .await?;
    assert_eq!(replayed.status, 200, "{}", replayed.text);
    scene.client().until(parent["eid"].as_str().unwrap_or(""), "succeeded").await?;
    assert_eq!((children(&scene).await?.len(), scene.effects("/child")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn nobody_else_speaks_in_the_name_of_a_route() -> anyhow::Result<()> {
    let scene = Scene::start(EMITS).await?;
    let mut forged = event("1", "child", json!({ "n": 1 }));
    forged["source"] = json!("/routes/parent");
    let answer = scene.client().send_raw(&forged, "").await?;
    assert_eq!(answer.status, 400, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn events_that_lead_to_each_other_come_to_an_end() -> anyhow::Result<()> {
    let scene = Scene::start(
        "[[routes]]\nname = \"loop\"\non = { type = \"loop\" }\n[[routes.steps]]\nname = \"again\"\nuses = \"sangam.emit\"\nwith = { type = \"loop\" }\n",
    )
    .await?;
    scene.client().send(&event("1", "loop", json!({}))).await?;
    let look = async {
        loop {
            let dead = scene.client().get("/v1/events?type=loop&status=dead").await?.json["events"].clone();
            if let Some(last) = dead.as_array().and_then(|dead| dead.first()) {
                return anyhow::Ok(last.clone());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let last = tokio::time::timeout(std::time::Duration::from_secs(30), look).await??;
    assert!(last["status_reason"].as_str().is_some_and(|why| why.contains("more than 8")), "{last:#}");
    let all = scene.client().get("/v1/events?type=loop").await?.json;
    assert_eq!(all["events"].as_array().map(Vec::len), Some(9), "the first and eight more");
    Ok(())
}

#[tokio::test]
async fn a_type_of_the_hosts_own_and_an_unfit_input_are_refused() -> anyhow::Result<()> {
    let scene = Scene::start(
        "[[routes]]\nname = \"r\"\non = { type = \"t\" }\n[[routes.steps]]\nname = \"tell\"\nuses = \"sangam.emit\"\n\
         with = { type = \"${ .event.data.type }\" }\n",
    )
    .await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "type": "sangam.credential.broken" }))).await?;
    assert_eq!((&document["status"], &step(&document, "tell")?["error"]["kind"]), (&json!("dead"), &json!("rejected")), "{document:#}");
    let document = scene.client().send_and_wait(&event("2", "t", json!({ "type": 7 }))).await?;
    assert_eq!(step(&document, "tell")?["error"]["kind"], "invalid-input", "{document:#}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_event_and_brings_nothing_in() -> anyhow::Result<()> {
    let failing =
        EMITS.replace("type = \"child\", subject", "type = \"${ if .event.data.n == 1 then 7 else \\\"child\\\" end }\", subject");
    let scene = Scene::start(&failing).await?;
    let dead = scene.client().send_and_wait(&event("1", "t", json!({ "n": 1 }))).await?;
    assert_eq!(dead["status"], "dead");
    scene.change("", EMITS).await?;
    let eid = dead["eid"].as_str().unwrap_or("");
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "parent", "dry_run": true })).await?;
    let tell = &answer.json["dry_run"]["runs"][0]["steps"][0];
    assert_eq!((&tell["status"], &tell["events"][0]["event"]["type"]), (&json!("succeeded"), &json!("child")), "{}", answer.text);
    assert_eq!(tell["events"][0]["routes"], json!(["child"]));
    assert_eq!(children(&scene).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn check_knows_the_hosts_own_steps_and_the_api_lists_them() -> anyhow::Result<()> {
    let scene = Scene::start(EMITS).await?;
    let listed = scene.client().get("/v1/plugins").await?.json;
    let own =
        listed["plugins"].as_array().and_then(|all| all.iter().find(|plugin| plugin["name"] == "sangam")).cloned().unwrap_or_default();
    let actions: Vec<&str> = own["actions"].as_array().into_iter().flatten().filter_map(|action| action["name"].as_str()).collect();
    assert!(actions.contains(&"emit") && actions.contains(&"wait"), "{own:#}");
    let routes = r#"
[[routes]]
name = "r"
on = { type = "t" }
[[routes.steps]]
name = "a"
uses = "sangam.emitt"
[[routes.steps]]
name = "b"
uses = "sangam.emit"
with = { tipe = "x" }
[[routes.steps]]
name = "c"
uses = "sangam.wait"
with = { event = { type = "t", where = ".event ==" } }
"#;
    let folder = HostFolder::on(TestStore::Sqlite, &configuration("http://127.0.0.1:1", "", routes))?;
    let text = |routes: &str| {
        folder.configure(&configuration("http://127.0.0.1:1", "", routes))?;
        let checked = folder.run(&["check"], "")?;
        anyhow::ensure!(checked.status.code() == Some(2), "{checked:?}");
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&checked.stderr).into_owned())
    };
    let said = text(routes)?;
    assert!(said.contains("this expression does not compile"), "{said}");
    let said = text(&routes.replace(".event ==", ".event.x == 1"))?;
    for part in ["plugin `sangam` has no action `emitt`", "did you mean `emit`?", "`type` is missing", "`tipe` is not known here"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    Ok(())
}
