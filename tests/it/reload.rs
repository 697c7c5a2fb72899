//! Configurations: applied whole or refused whole, and a run ends on its own, but with the present grants.

use sangam_saas::FaultAct;
use sangam_tests::{HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, event, outcomes, reason, results, script, step};

/// A second route, so that a configuration can be told by what it has.
const OTHER: &str =
    "[[routes]]\nname = \"other\"\non = { type = \"other\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\nwith = { lines = [] }\n";

async fn routes(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let answer = scene.client().get("/v1/routes").await?.json;
    Ok(answer["routes"].as_array().into_iter().flatten().filter_map(|route| route["name"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn a_bad_configuration_is_refused_whole_with_places() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let before = scene.client().get("/v1/routes").await?.json["revision"].clone();
    let bad =
        format!("{OTHER}{}", SCRIPT.replace("\"script\"", "\"renamed\"").replace("s.run", "s.rum").replace("max-attempts", "max-attemps"));
    scene.configure("", &bad)?;
    let answer = scene.reload().await?;
    assert_eq!((answer.status, answer.header("content-type")), (422, Some("application/problem+json")));
    let text = configuration(&scene.sink.url(), "", &bad);
    let problems = answer.json["problems"].as_array().cloned().unwrap_or_default();
    for words in ["max-attemps", "rum"] {
        let Some(problem) = problems.iter().find(|problem| problem["message"].as_str().is_some_and(|message| message.contains(words)))
        else {
            // A mistake in an action shows once the text is read without mistakes.
            assert_eq!(words, "rum", "{}", answer.text);
            continue;
        };
        let line = usize::try_from(problem["line"].as_u64().unwrap_or(0))?;
        assert!(text.lines().nth(line - 1).is_some_and(|line| line.contains(words)), "{problem}");
        assert!(problem["column"].as_u64() > Some(0));
    }
    assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains("sangam.toml:")), "{}", answer.text);
    assert_eq!(routes(&scene).await?, ["script"], "a part of a refused configuration was applied");
    assert_eq!(scene.client().get("/v1/routes").await?.json["revision"], before);
    results(&scene.play("1", json!([])).await?)?;

    scene.configure("", &bad.replace("max-attemps", "max-attempts"))?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("rum") && answer.text.contains("run"), "an unknown action comes with a near name: {}", answer.text);

    scene.folder.configure("[server\n")?;
    assert_eq!(scene.reload().await?.status, 422);
    results(&scene.play("2", json!([])).await?)?;
    Ok(())
}

#[tokio::test]
async fn what_is_only_odd_in_a_configuration_is_told_apart_from_what_is_wrong() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let severities = |told: &Value| -> Vec<(String, u64)> {
        let told = told.as_array().into_iter().flatten();
        told.map(|one| (one["severity"].as_str().unwrap_or_default().to_owned(), one["line"].as_u64().unwrap_or(0))).collect()
    };
    let line_of = |text: &str, words: &str| text.lines().position(|line| line.contains(words)).map_or(0, |line| line as u64 + 1);
    // Nobody asks for what is declined, and of what the step does nothing can be undone.
    let odd = SCRIPT.replace("uses = ", "on-failure = \"undo\"\nuses = ");
    let declines = "declines = [\"https://nobody.example\"]";
    let text = configuration(&scene.sink.url(), declines, &odd);
    scene.folder.configure(&text)?;
    let applied = scene.reload().await?;
    assert_eq!((applied.status, &applied.json["revision"]), (200, &json!(2)), "{}", applied.text);
    let warnings = severities(&applied.json["warnings"]);
    let warning = |line: u64| ("warning".to_owned(), line);
    assert!(warnings.contains(&warning(line_of(&text, declines))), "{}", applied.text);
    assert!(warnings.contains(&warning(line_of(&text, "on-failure"))), "{}", applied.text);
    // A route is told what is odd in its own lines.
    let route = scene.client().get("/v1/routes/script").await?.json;
    assert_eq!(severities(&route["warnings"]), [warning(line_of(&text, "on-failure"))], "{route:#}");
    let tried = json!({ "event": script("1", json!([])), "toml": odd, "reads": "none" });
    let tried = scene.client().post("/v1/try/route", &tried).await?;
    assert_eq!(severities(&tried.json["warnings"]), [warning(line_of(&odd, "on-failure"))], "{}", tried.text);
    // Beside a mistake the same is still no mistake.
    let wrong = text.replace("s.run", "s.rum");
    scene.folder.configure(&wrong)?;
    let refused = scene.reload().await?;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let (errors, others): (Vec<_>, Vec<_>) =
        severities(&refused.json["problems"]).into_iter().partition(|(severity, _)| severity == "error");
    assert_eq!(errors, [("error".to_owned(), line_of(&wrong, "s.rum"))], "{}", refused.text);
    assert!(others.contains(&warning(line_of(&wrong, declines))), "{}", refused.text);
    Ok(())
}

#[tokio::test]
async fn a_good_configuration_is_a_numbered_revision() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let first = scene.play("1", json!([])).await?["runs"][0]["revision"].clone();
    assert_eq!(first, 1);
    assert_eq!(scene.reload().await?.json["revision"], 1, "the same content is the same revision");
    scene.change("", &format!("{SCRIPT}{OTHER}")).await?;
    assert_eq!(routes(&scene).await?, ["script", "other"]);
    let document = scene.client().send_and_wait(&event("2", "other", json!({}))).await?;
    assert_eq!((&document["status"], &document["runs"][0]["revision"]), (&json!("succeeded"), &json!(2)));
    Ok(())
}

#[tokio::test]
async fn revoking_works_at_once_for_runs_under_way() -> anyhow::Result<()> {
    let route = SCRIPT.replace("10ms", "300ms");
    let scene = Scene::start(&route).await?;
    scene.answer("/w", 503, 1);
    let eid = scene.client().send(&script("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]))).await?;
    scene.arrived("/w").await?;
    // The host is no longer granted; the plugin needs some other to be granted at all.
    let text = configuration(&scene.sink.url(), "", &route)
        .replace(&format!("allow-hosts = [\"{}\"]", scene.sink.url()), "allow-hosts = [\"https://elsewhere.example\"]");
    scene.folder.configure(&text)?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let document = scene.client().until(&eid, "dead").await?;
    assert!(reason(&document)?.contains("not granted") && reason(&document)?.contains("allow-hosts"), "{}", reason(&document)?);
    assert_eq!(scene.requests("/w").len(), 1, "a request left after its grant was revoked");
    assert_eq!(document["runs"][0]["revision"], 1, "the run ends on its own revision");
    Ok(())
}

#[tokio::test]
async fn a_run_ends_on_the_revision_of_its_acceptance() -> anyhow::Result<()> {
    let two = |second: &str| {
        format!(
            "{}[[routes.steps]]\nname = \"second\"\nuses = \"s.run\"\nwith = {{ lines = [{{ do = \"write\", name = \"w\", url = \"{{sink}}/{second}\" }}] }}\n",
            SCRIPT
        )
    };
    let scene = Scene::start(&two("old")).await?;
    scene.fault("/slow", FaultAct::Delay { ms: 500 }, 1);
    let eid = scene.client().send(&script("1", json!([{ "do": "write", "name": "w", "url": scene.url("/slow") }]))).await?;
    scene.arrived("/slow").await?;
    scene.change("", &two("new")).await?;
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.effects("/old"), scene.effects("/new")), (1, 0));
    scene.play("2", json!([])).await?;
    assert_eq!((scene.effects("/old"), scene.effects("/new")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_run_whose_plugin_is_gone_is_dead_with_that_reason() -> anyhow::Result<()> {
    let route = SCRIPT.replace("10ms", "300ms");
    let scene = Scene::start(&route).await?;
    let eid =
        scene.client().send(&script("1", json!([{ "do": "read", "url": scene.url("/r") }, { "do": "fail", "key": "later" }]))).await?;
    scene.arrived("/r").await?;
    scene.folder.configure("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n")?;
    assert_eq!(scene.reload().await?.status, 200);
    let document = scene.client().until(&eid, "dead").await?;
    assert!(
        document["status_reason"].as_str().is_some_and(|why| why.contains("no longer has plugin \"s\"")),
        "{}",
        document["status_reason"]
    );
    Ok(())
}

#[tokio::test]
async fn an_earlier_file_does_not_undo_a_later_revision_at_start() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.change("", &format!("{SCRIPT}{OTHER}")).await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    folder.configure(&configuration(&sink.url(), "", SCRIPT))?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    assert_eq!(routes(&scene).await?, ["script", "other"], "the host runs the latest revision");
    assert!(scene.host.log().contains("earlier revision"), "and says so: {}", scene.host.log());
    results(&scene.play("1", json!([])).await?)?;
    assert_eq!(scene.reload().await?.json["revision"], 3, "going back takes a reload");
    assert_eq!(routes(&scene).await?, ["script"]);
    Ok(())
}

#[tokio::test]
async fn a_stored_revision_needs_no_component_file() -> anyhow::Result<()> {
    let scene = Scene::start("").await?;
    let component = std::fs::read(sangam_tests::guest("scripted"))?;
    std::fs::write(scene.folder.path().join("mine.wasm"), component)?;
    let own = format!("{}\n[plugins.mine]\ncomponent = \"mine.wasm\"\n", SCRIPT.replace("s.run", "mine.run").replace("10ms", "1s"));
    scene.change("", &own).await?;
    let eid = scene.client().send(&script("1", json!([{ "do": "fail", "on": [1] }]))).await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    std::fs::remove_file(folder.path().join("mine.wasm"))?;
    // The file cannot be applied, so the host says so and does not start; with a file that can be, the run goes on.
    let refused = folder.run(&["up"], "")?;
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    folder.configure(&configuration(&sink.url(), "", ""))?;
    let host = folder.start().await?;
    let document = host.client.until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    assert_eq!(step(&document, "run")?["uses"], "mine.run");
    Ok(())
}

#[tokio::test]
async fn only_one_host_works_on_a_file() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let folder = HostFolder::on(TestStore::Sqlite, &configuration(&sink.url(), "", SCRIPT))?;
    let host = folder.start().await?;
    let second = folder.run(&["up"], "")?;
    let text = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{text}");
    assert!(text.contains("sangam.db"), "{text}");
    results(&host.client.send_and_wait(&script("1", json!([]))).await?)?;
    Ok(())
}
