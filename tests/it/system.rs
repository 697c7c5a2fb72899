//! The host asked about itself: what it is, how much room it has, and which configurations it had.

use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene};

#[tokio::test]
async fn a_host_says_what_it_is_and_how_much_room_it_has() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.play("1", json!([])).await?;
    let answer = scene.client().get("/v1/system").await?;
    anyhow::ensure!(answer.status == 200, "{}", answer.text);
    let system = answer.json;
    assert_eq!((&system["version"], &system["contract"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("0.1.0")), "{system:#}");
    assert_eq!((&system["revision"], &system["access"]), (&json!(1), &json!("open")));
    let hosts = system["hosts"].as_array().cloned().unwrap_or_default();
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    assert_eq!((&hosts[0]["id"], &hosts[0]["alive"], &hosts[0]["revision"]), (&system["host"]["id"], &json!(true), &json!(1)));
    let store = &system["store"];
    let events = store["parts"].as_array().into_iter().flatten().find(|part| part["name"] == "event").cloned().unwrap_or_default();
    assert_eq!(events["rows"], 1, "{store:#}");
    assert!(events["size_bytes"].as_u64() > Some(0) && store["size_bytes"].as_u64() > events["size_bytes"].as_u64(), "{store:#}");
    // 30 days, and for ever: the defaults.
    assert_eq!((&store["retention_ms"], &store["dead_letter_retention_ms"]), (&json!(30_u64 * 24 * 3600 * 1000), &Value::Null));
    assert_eq!(system["limits"]["max_event_size"], 1 << 20);
    assert_eq!(system["key"]["id"].as_str().map(str::len), Some(8), "{system:#}");
    if store["kind"] == "sqlite" {
        assert!(system["disk"]["free_bytes"].as_u64() > system["disk"]["min_free_bytes"].as_u64(), "{system:#}");
    }
    // A measurement is believed for a while: looking again and again costs nothing.
    scene.play("2", json!([])).await?;
    let again = scene.client().get("/v1/system?parts=true").await?.json;
    assert_eq!((&again["store"]["measured_at"], &again["store"]["parts"]), (&store["measured_at"], &store["parts"]));
    assert_eq!(scene.client().get("/v1/system?colour=red").await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn what_a_configuration_changed_is_told_against_any_other() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.change("", &SCRIPT.replace("max-attempts = 3", "max-attempts = 5")).await?;
    let second = SCRIPT.replace("name = \"script\"", "name = \"other\"");
    scene.change("emits = [\"child\"]", &format!("{second}{}", SCRIPT.replace("max-attempts = 3", "max-attempts = 5"))).await?;
    let page = scene.client().get("/v1/revisions?limit=2").await?.json;
    let line = |revision: &Value| format!("{} {} {}", revision["number"], revision["by"]["kind"], revision["present"]);
    let shown: Vec<String> = page["revisions"].as_array().into_iter().flatten().map(line).collect();
    assert_eq!(shown, ["3 \"anyone\" true", "2 \"anyone\" false"], "{page:#}");
    assert_eq!(page["revisions"][0]["hosts"].as_array().map(Vec::len), Some(1), "{page:#}");
    let cursor = page["next_cursor"].as_str().unwrap_or_default();
    let rest = scene.client().get(&format!("/v1/revisions?limit=2&cursor={cursor}")).await?.json;
    let shown: Vec<String> = rest["revisions"].as_array().into_iter().flatten().map(line).collect();
    assert_eq!((shown.as_slice(), &rest["next_cursor"]), (["1 \"host\" false".to_owned()].as_slice(), &Value::Null));

    let third = scene.client().get("/v1/revisions/3?against=1").await?.json;
    let changes = third["difference"]["changes"].as_array().cloned().unwrap_or_default();
    let places: Vec<&str> = changes.iter().filter_map(|change| change["path"].as_str()).collect();
    for place in ["plugins.s.emits", "plugins.m.emits", "routes[script].steps[run].retry.max-attempts", "routes[other]"] {
        assert!(places.contains(&place), "{place} is not in {places:?}");
    }
    assert_eq!(places.len(), 4, "{places:?}");
    let retry = changes.iter().find(|change| change["path"] == "routes[script].steps[run].retry.max-attempts");
    assert_eq!(retry.map(|change| (&change["then"], &change["now"])), Some((&json!(3), &json!(5))));
    assert!(third["toml"].as_str().is_some_and(|toml| toml.contains("max-attempts = 5") && toml.contains("name = \"other\"")), "{third:#}");
    assert_eq!(third["components"].as_object().map(serde_json::Map::len), Some(2), "{third:#}");
    for path in ["/v1/revisions/9", "/v1/revisions/1?against=9", "/v1/revisions/x"] {
        assert_eq!(scene.client().get(path).await?.status, 404, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_plugin_is_seen_beside_its_limits_and_what_it_asks_for() -> anyhow::Result<()> {
    let scene = Scene::granting("emits = [\"child\"]", SCRIPT).await?;
    let plugin = async || -> anyhow::Result<Value> {
        let answer = scene.client().get("/v1/plugins/s").await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text);
        Ok(answer.json)
    };
    let before = plugin().await?;
    assert_eq!((&before["use"]["calls"], &before["use"]["p50_ms"]), (&json!(0), &Value::Null), "{before:#}");
    let write = |name: &str| json!({ "do": "write", "name": name, "url": scene.url("/w"), "body": "x" });
    scene.play("1", json!([write("a"), write("b")])).await?;
    scene.play("2", json!([{ "do": "fail", "kind": "rejected", "key": "no" }])).await?;
    let after = plugin().await?;
    let used = &after["use"];
    assert_eq!((&used["calls"], &used["failures"], &used["peak_http_calls"]), (&json!(2), &json!(1), &json!(2)), "{used:#}");
    let limits = &after["limits"];
    for (peak, limit) in [
        ("peak_memory", "memory"),
        ("peak_time_ms", "time_ms"),
        ("peak_response_size", "response_size"),
        ("peak_output_size", "output_size"),
        ("p50_ms", "time_ms"),
        ("p99_ms", "time_ms"),
    ] {
        let (peak, limit) = (used[peak].as_f64().unwrap_or(-1.0), limits[limit].as_f64().unwrap_or(-1.0));
        assert!(0.0 < peak && peak < limit, "{peak} of {limit}: {used:#}");
    }
    // A configuration that comes later forgets nothing of it.
    scene.change("", SCRIPT).await?;
    assert_eq!(plugin().await?["use"]["calls"], 2);
    assert_eq!(after["used_by"]["steps"], json!([{ "route": "script", "step": "run", "action": "run" }]));
    let words = after["permissions"]["words"].as_array().cloned().unwrap_or_default();
    assert!(after["permissions"]["sends"] == true && words.iter().any(|word| word.as_str().is_some_and(|word| word.contains("requests"))));
    // The list says the same of it, and the host's own steps have no limits to be seen beside.
    let listed = scene.client().get("/v1/plugins").await?.json;
    let of = |name: &str| listed["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == name).cloned();
    assert_eq!(of("s").map(|plugin| plugin["use"]["calls"].clone()), Some(json!(2)));
    assert_eq!(scene.client().get("/v1/plugins/sangam").await?.json["use"], Value::Null);
    assert_eq!(scene.client().get("/v1/plugins/nope").await?.status, 404);
    Ok(())
}
