//! The API's document: others can read it, and the host does what it says. Pages of lists that change meanwhile.

use std::collections::BTreeSet;

use anyhow::ensure;
use reqwest::Method;
use sangam_tests::{Client, HostFolder, openapi};
use serde_json::{Value, json};

/// A route that takes events, one that makes dead letters of them, a source that has turns, and one that vendors send to.
const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"

[credentials.crm]
type = "bearer"
hosts = ["https://crm.example"]
token = "${env:CRM_TOKEN}"

[[routes]]
name = "kept"
on = { type = "job.*" }
order-by = ".event.data.customer"
[[routes.steps]]
name = "pause"
uses = "sangam.wait"
with = { for = "10ms" }

[[routes]]
name = "dead"
on = { type = "job.*" }
order-by = '.event.data.customer | error("no customer")'
[[routes.steps]]
name = "pause"
uses = "sangam.wait"
with = { for = "10ms" }

[[sources]]
name = "nightly"
type = "schedule"
cron = "0 3 * * *"
event-type = "night.came"

[[sources]]
name = "vendor"
type = "webhook"
verify = "none"
event-type = "vendor.sent"
"#;

fn folder() -> anyhow::Result<HostFolder> {
    Ok(HostFolder::new(CONFIGURATION)?.env("CRM_TOKEN", "nobodys"))
}

fn token(folder: &HostFolder) -> anyhow::Result<String> {
    let done = folder.run(&["token", "create", "--role", "admin", "--name", "asker"], "")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn event(id: usize) -> Value {
    json!({ "specversion": "1.0", "id": id.to_string(), "source": "/jobs", "type": "job.done", "data": { "customer": "c" } })
}

async fn send(client: &Client, ids: std::ops::Range<usize>) -> anyhow::Result<()> {
    let answer = client.send_raw(&ids.map(event).collect(), "?wait=20s").await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    Ok(())
}

#[tokio::test]
async fn the_document_of_the_api_passes_a_linter_of_others() -> anyhow::Result<()> {
    let folder = folder()?;
    let printed = folder.run(&["schema", "openapi"], "")?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let Some(wrong) = openapi::linted(&printed)? else { return Ok(()) };
    assert_eq!(wrong, Vec::<String>::new());
    // It finds what there is to find.
    let mut broken: Value = serde_json::from_str(&printed)?;
    broken["paths"]["/v1/events/{eid}"]["get"]["parameters"] = json!([]);
    assert_ne!(openapi::linted(&broken.to_string())?, Some(Vec::new()), "the document lacks a parameter");
    // A host answers with the same.
    let token = token(&folder)?;
    let mut host = folder.start().await?;
    host.client.token = Some(token);
    let answered = host.client.get("/openapi.json").await?.json;
    let printed: Value = serde_json::from_str(&printed)?;
    assert_eq!((&answered["paths"], &answered["components"]["schemas"]), (&printed["paths"], &printed["components"]["schemas"]));
    assert_eq!(answered["servers"][0]["url"], host.client.url.as_str());
    Ok(())
}

#[tokio::test]
async fn a_host_does_what_its_document_says_whatever_it_is_asked() -> anyhow::Result<()> {
    let folder = folder()?;
    let token = token(&folder)?;
    let mut host = folder.start().await?;
    host.client.token = Some(token.clone());
    send(&host.client, 0..12).await?;
    let url = host.client.url.clone();
    let asked = tokio::task::spawn_blocking(move || openapi::asked(&url, &token, ASKED)).await??;
    if let Some(Err(found)) = asked {
        panic!("{found}");
    }
    // It lives, and what was there is there.
    assert_eq!(host.client.get("/v1/dead-letters").await?.status, 200);
    Ok(())
}

/// So many questions, and of what they must not find anything.
const ASKED: &[&str] = &[
    "--phases",
    "examples,coverage,fuzzing,stateful",
    "--max-examples",
    "5",
    "--checks",
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth,negative_data_rejection,use_after_free",
    // Server-sent events have no end, and logging out no session.
    "--exclude-path",
    "/v1/stream",
    "--exclude-path-regex",
    "^/(hooks|login|oauth|logout)",
    // The token that asks would be revoked among others.
    "--exclude-operation-id",
    "revokeToken",
    "--warnings",
    "off",
];

#[tokio::test]
async fn pages_miss_nothing_and_say_nothing_twice_while_events_come_in() -> anyhow::Result<()> {
    let folder = folder()?;
    let token = token(&folder)?;
    let mut host = folder.start().await?;
    host.client.token = Some(token.clone());
    send(&host.client, 0..25).await?;
    for (path, list, key) in [("/v1/events?type=job.done&", "events", "eid"), ("/v1/dead-letters?route=dead&", "dead_letters", "run")] {
        let all = host.client.get(&format!("{path}limit=500")).await?.json;
        let before: Vec<Value> = all[list].as_array().into_iter().flatten().map(|one| one[key].clone()).collect();
        let (mut seen, mut cursor, mut next) = (Vec::new(), None::<String>, 100 * (1 + path.len()));
        loop {
            let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = host.client.get(&format!("{path}limit=7{more}")).await?;
            assert_eq!(page.status, 200, "{}", page.text);
            seen.extend(page.json[list].as_array().into_iter().flatten().map(|one| one[key].clone()));
            let Some(given) = page.json["next_cursor"].as_str() else { break };
            // Of another list, and of other filters, it is refused by name.
            for (other, why) in
                [("/v1/audit?", "not of audit entries"), (&*path.replace("job.done", "x").replace("=dead", "=x"), "other filters")]
            {
                let refused = host.client.get(&format!("{other}cursor={given}")).await?;
                assert_eq!((refused.status, refused.text.contains(why)), (400, true), "{other}: {}", refused.text);
            }
            cursor = Some(given.to_owned());
            send(&host.client, next..next + 3).await?;
            next += 3;
            // Another host goes on where this one ended.
            if seen.len() == 14 {
                host.kill().await?;
                host = folder.start().await?;
                host.client.token = Some(token.clone());
            }
        }
        let once: BTreeSet<String> = seen.iter().map(Value::to_string).collect();
        assert_eq!(once.len(), seen.len(), "{path}: something came twice");
        assert_eq!(seen, before, "{path}: what was there before, in the same order");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_known_is_refused_with_what_is() -> anyhow::Result<()> {
    let folder = folder()?;
    let token = token(&folder)?;
    let mut host = folder.start().await?;
    host.client.token = Some(token);
    let client = &host.client;
    let misspelt = client.get("/v1/events?stauts=dead").await?;
    assert_eq!(misspelt.status, 400);
    assert!(misspelt.text.contains("did you mean \\\"status\\\"?"), "{}", misspelt.text);
    assert!(client.get("/v1/routes?x=1").await?.text.contains("takes no query"));
    for (path, allowed) in [("/v1/events", "GET, HEAD, POST, OPTIONS"), ("/v1/reload", "POST, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS")]
    {
        let sorted = |text: &str| text.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        for (method, status) in [(Method::OPTIONS, 204), (Method::DELETE, 405)] {
            let answer = client.ask(method, path, &[], Vec::new()).await?;
            assert_eq!((answer.status, answer.header("allow").map(sorted)), (status, Some(sorted(allowed))), "{path}: {}", answer.text);
        }
    }
    let head = client.ask(Method::HEAD, "/v1/events", &[], Vec::new()).await?;
    assert_eq!((head.status, head.header("content-type"), head.text.as_str()), (200, Some("application/json"), ""));
    let problem = client.get("/v1/events/nobody").await?.json;
    assert_eq!((&problem["type"], &problem["title"], &problem["status"]), (&json!("about:blank"), &json!("Not Found"), &json!(404)));
    assert!(problem["instance"].as_str().is_some_and(|instance| instance.starts_with("urn:uuid:")), "{problem}");
    Ok(())
}
