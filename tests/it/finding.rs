//! Events, found by what people know of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene};

/// Ids of the events that a query finds, in their order.
async fn ids(scene: &Scene, query: &str) -> anyhow::Result<String> {
    let answer = scene.client().get(&format!("/v1/events{query}")).await?;
    anyhow::ensure!(answer.status == 200, "{query}: {}", answer.text);
    let events = answer.json["events"].as_array().cloned().unwrap_or_default();
    Ok(events.iter().map(|event| event["event"]["id"].as_str().unwrap_or("-")).collect::<Vec<_>>().join(""))
}

#[tokio::test]
async fn by_every_column_and_by_several_values_of_one() -> anyhow::Result<()> {
    let ordered = SCRIPT.replace("on = { type = \"script\" }", "on = { type = \"script\" }\norder-by = \".subject\"");
    let trap =
        SCRIPT.replace("name = \"script\"", "name = \"trap\"").replace("type = \"script\"", "type = \"trap\"").replace("s.run", "m.trap");
    let scene = Scene::start(&format!("{}{trap}", ordered.replace(".subject", ".event.subject"))).await?;
    // In this order, each of them ended before the next.
    let fail = |kind: &str| json!({ "lines": [{ "do": "fail", "kind": kind, "key": "no" }] });
    for (id, source, kind, subject, data) in [
        ("a", "/one", "script", "ann \"x\"", json!({ "lines": [] })),
        ("b", "/two", "script", "bob", fail("rejected")),
        ("c", "/one", "other", "ann", json!({ "subject": "bob" })),
        ("d", "/two", "trap", "dan", json!({})),
        ("e", "/one", "script", "bob", fail("retry")),
    ] {
        let event = json!({ "specversion": "1.0", "id": id, "source": source, "type": kind, "subject": subject, "data": data });
        scene.client().send_and_wait(&event).await?;
    }
    // The same id of another sender.
    scene.client().send_and_wait(&json!({ "specversion": "1.0", "id": "a", "source": "/two", "type": "other" })).await?;
    for (query, wanted) in [
        ("", "aedcba"),
        ("?id=a", "aa"),
        ("?id=a&source=/one", "a"),
        ("?id=a&source=/three", ""),
        ("?id=nope", ""),
        ("?subject=bob", "eb"),
        ("?subject=ann%20%22x%22", "a"),
        ("?subject=nope", ""),
        ("?order_key=bob", "eb"),
        ("?plugin=m", "d"),
        ("?plugin=s", "eba"),
        ("?failure=rejected", "b"),
        ("?failure=trap", "d"),
        ("?status=dead", "edb"),
        ("?status=succeeded", "a"),
        ("?status=dead,unrouted", "aedcb"),
        ("?status=waiting,dead&source=/two", "db"),
        ("?status=succeeded,%20dead&type=script", "eba"),
        ("?status=running,pending,waiting", ""),
        ("?type=trap,other", "adc"),
        ("?route=script,trap", "edba"),
        ("?route=script&failure=retry", "e"),
    ] {
        assert_eq!(ids(&scene, query).await?, wanted, "{query}");
    }
    // Page by page, by a status that is looked up.
    let mut seen = Vec::new();
    let mut query = "?status=dead&limit=1".to_owned();
    for _ in 0..4 {
        let page = scene.client().get(&format!("/v1/events{query}")).await?.json;
        seen.extend(page["events"].as_array().into_iter().flatten().map(|event| event["event"]["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?status=dead&limit=1&cursor={cursor}");
    }
    assert_eq!(seen, [json!("e"), json!("d"), json!("b")]);
    for (query, says) in [("?status=dead,lost", "lost"), ("?failure=nope", "rejected"), ("?colour=red", "colour")] {
        let answer = scene.client().get(&format!("/v1/events{query}")).await?;
        assert_eq!((answer.status, answer.text.contains(says)), (400, true), "{query}: {}", answer.text);
    }
    let url = scene.client().url.clone();
    let listed = scene.folder.run(&["events", "list", "--id", "a", "--status", "succeeded,unrouted", "--json", "--url", &url], "")?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let sources: BTreeSet<&str> =
        listed["events"].as_array().into_iter().flatten().filter_map(|event| event["event"]["source"].as_str()).collect();
    assert_eq!(sources, BTreeSet::from(["/one", "/two"]), "{listed:#}");
    Ok(())
}
