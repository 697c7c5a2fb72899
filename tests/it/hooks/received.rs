//! Deliveries that a plugin turns into events.

use std::time::Duration;

use sangam_tests::{Host, HostFolder, guest};
use serde_json::{Value, json};

use super::{SERVER, post, shown, taken};
use crate::scene::sink;

async fn host(sink: &str, more: &str) -> anyhow::Result<(HostFolder, Host)> {
    let plugin = format!(
        "\n[plugins.p]\ncomponent = {:?}\nallow-hosts = [\"{sink}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\nemits = [\"streamed.*\"]\n\
         config = {{ greeting = \"hi\" }}\nlimits = {{ time = \"30s\", cpu = \"300ms\" }}\n",
        guest("streamed")
    );
    let source =
        format!("\n[[sources]]\nname = \"crm\"\ntype = \"webhook\"\nverify = \"none\"\nuses = \"p\"\nstream = \"hooks\"\n{more}\n");
    let folder = HostFolder::new(&format!("{SERVER}{plugin}{source}"))?;
    let host = folder.start().await?;
    Ok((folder, host))
}

async fn deliver(host: &Host, script: &Value) -> anyhow::Result<sangam_tests::Answer> {
    post(&host.client, "/hooks/crm", "application/json", script.to_string()).await
}

#[tokio::test]
async fn a_plugin_turns_deliveries_into_events_and_has_its_sender_answered() -> anyhow::Result<()> {
    let sink = sink().await?;
    let (_folder, host) = host(&sink.url(), "").await?;
    let script = json!({
        "lines": [{ "read": format!("{}/r", sink.url()) }, { "write": format!("{}/w", sink.url()) }, { "count": "n" }],
        "events": [{ "type": "streamed.a", "id": "e1", "data": { "n": 1 } }, { "type": "streamed.b", "data": 2 }],
        "status": 201,
        "headers": [["x-vendor", "yes"], ["set-cookie", "a=b"]],
    });
    let headers = [("content-type", "application/json"), ("x-topic", "t"), ("authorization", "Bearer s3cr3t"), ("cookie", "c=d")];
    let answer = host.client.ask(reqwest::Method::POST, "/hooks/crm/x?y=z", &headers, script.to_string().into_bytes()).await?;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!((answer.header("x-vendor"), answer.header("set-cookie")), (Some("yes"), None));
    assert_eq!(
        (&answer.json["path"], &answer.json["source"], &answer.json["greeting"]),
        (&json!("/hooks/crm/x?y=z"), &json!("crm"), &json!("hi"))
    );
    let seen = answer.json["headers"].to_string();
    assert!(seen.contains("x-topic") && !seen.contains("authorization") && !seen.contains("cookie"), "{seen}");
    assert_eq!(answer.json["results"][0], 200, "it may read");
    assert!(answer.json["results"][1].as_str().is_some_and(|said| said.contains("may only read")), "{}", answer.text);
    assert!(sink.requests().iter().all(|request| request.path != "/w"), "a write never leaves");
    let events = taken(&host.client, "crm").await?;
    let mut said: Vec<(Value, Value)> = events.iter().map(|event| (event["type"].clone(), event["source"].clone())).collect();
    said.sort_by_key(|(kind, _)| kind.to_string());
    assert_eq!(said, [(json!("streamed.a"), json!("/sources/crm")), (json!("streamed.b"), json!("/sources/crm"))]);
    // The same again: known events, and its key-value write took effect with them.
    let again = host.client.ask(reqwest::Method::POST, "/hooks/crm/x?y=z", &headers, script.to_string().into_bytes()).await?;
    assert_eq!(again.json["results"][2], 2, "{}", again.text);
    assert_eq!(taken(&host.client, "crm").await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_says_of_a_failure_tells_the_sender_whether_to_come_again() -> anyhow::Result<()> {
    let sink = sink().await?;
    let (_folder, host) = host(&sink.url(), "").await?;
    for (kind, after, status, wait) in [
        ("retry", None, 503, "10"),
        ("retry", Some(90_000), 503, "90"),
        ("rate-limited", Some(30_000), 429, "30"),
        ("unauthorized", None, 503, "10"),
    ] {
        let answer = deliver(&host, &json!({ "lines": [{ "count": "n" }], "fail": { "kind": kind, "after_ms": after } })).await?;
        assert_eq!((answer.status, answer.header("retry-after")), (status, Some(wait)), "{kind}: {}", answer.text);
    }
    assert_eq!(shown(&host.client, "crm").await?["counts"]["set_aside"], 0);
    for script in [json!({ "fail": { "kind": "rejected" } }), json!({ "lines": ["trap"] }), json!("no script"), json!({ "status": 302 })] {
        let answer = deliver(&host, &script).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{script}");
    }
    assert_eq!(shown(&host.client, "crm").await?["counts"]["set_aside"], 4, "nothing verified is lost");
    let counted = deliver(&host, &json!({ "lines": [{ "count": "n" }] })).await?;
    assert_eq!(counted.json["results"][0], 1, "what failed has written nothing");
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_never_ends_is_stopped_and_others_are_served_meanwhile() -> anyhow::Result<()> {
    let sink = sink().await?;
    let (_folder, host) = host(&sink.url(), "on-unreadable = \"refuse\"").await?;
    let spin = json!({ "lines": ["spin"] });
    let (spun, served) = tokio::join!(deliver(&host, &spin), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        deliver(&host, &json!({ "events": [{ "type": "streamed.a", "data": 1 }] })).await
    });
    assert_eq!(served?.status, 200);
    let spun = spun?;
    assert_eq!(spun.status, 422, "{}", spun.text);
    assert!(spun.text.contains("cpu"), "{}", spun.text);
    Ok(())
}

#[tokio::test]
async fn events_that_the_plugin_may_not_bring_in_are_set_aside_and_the_others_come_in() -> anyhow::Result<()> {
    let sink = sink().await?;
    let (_folder, host) = host(&sink.url(), "").await?;
    let script = json!({ "events": [{ "type": "streamed.a", "data": 1 }, { "type": "invoice.paid", "data": 2 }, { "type": "sangam.x", "data": 3 }] });
    assert_eq!(deliver(&host, &script).await?.status, 200);
    let types: Vec<Value> = taken(&host.client, "crm").await?.into_iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["streamed.a"]);
    assert_eq!(shown(&host.client, "crm").await?["counts"]["set_aside"], 2);
    Ok(())
}

#[tokio::test]
async fn deliveries_at_the_same_time_count_every_one_of_them() -> anyhow::Result<()> {
    let sink = sink().await?;
    let (_folder, host) = host(&sink.url(), "").await?;
    let one = |number: usize| {
        let host = &host;
        async move {
            deliver(
                host,
                &json!({ "lines": [{ "count": "n" }], "events": [{ "type": "streamed.a", "id": number.to_string(), "data": null }] }),
            )
            .await
        }
    };
    let mut taken_in = 0;
    for answer in futures::future::join_all((0..12).map(one)).await {
        match answer?.status {
            200 => taken_in += 1,
            other => assert_eq!(other, 503, "one that meets too many others comes again"),
        }
    }
    let counted = deliver(&host, &json!({ "lines": [{ "count": "n" }] })).await?;
    assert_eq!(counted.json["results"][0], taken_in + 1, "a count for each delivery that was answered well, and none for the others");
    assert_eq!(taken(&host.client, "crm").await?.len(), taken_in);
    Ok(())
}
