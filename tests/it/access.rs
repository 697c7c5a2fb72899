//! Ways in: what each route needs, whom tokens let send what, who guesses, and what pages elsewhere make a browser ask.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use sangam_tests::{Answer, Client, Host, HostFolder, TestStore, postgres};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TOKENS: &str = "[server]\nlisten = \"127.0.0.1:0\"\n";
const ROLES: [&str; 4] = ["admin", "operator", "sender", "viewer"];

/// Every way in, and what it needs: by hand, so that a new one is thought about twice.
const WAYS: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "Nothing"),
    ("GET", "/readyz", "Nothing"),
    ("GET", "/", "Nothing"),
    ("GET", "/flow", "Nothing"),
    ("GET", "/events", "Nothing"),
    ("GET", "/events/{eid}", "Nothing"),
    ("GET", "/dead-letters", "Nothing"),
    ("GET", "/plugins", "Nothing"),
    ("GET", "/plugins/{name}", "Nothing"),
    ("GET", "/credentials", "Nothing"),
    ("GET", "/routes", "Nothing"),
    ("GET", "/routes/{name}", "Nothing"),
    ("GET", "/sources", "Nothing"),
    ("GET", "/sources/{name}", "Nothing"),
    ("GET", "/webhooks", "Nothing"),
    ("GET", "/audit", "Nothing"),
    ("GET", "/tokens", "Nothing"),
    ("GET", "/system", "Nothing"),
    ("GET", "/console/{*file}", "Nothing"),
    ("GET", "/login", "SameSite"),
    ("GET", "/login/callback", "SameSite"),
    ("GET", "/oauth/callback", "SameSite"),
    ("POST", "/hooks/{source}", "Proof"),
    ("POST", "/hooks/{source}/{*rest}", "Proof"),
    ("POST", "/logout", "Somebody"),
    ("GET", "/v1/me", "Somebody"),
    ("POST", "/v1/events", "A(Send)"),
    ("GET", "/v1/events", "A(Read)"),
    ("GET", "/v1/events/{eid}", "A(Read)"),
    ("POST", "/v1/events/{eid}/replay", "A(Operate)"),
    ("POST", "/v1/events/{eid}/cancel", "A(Operate)"),
    ("POST", "/v1/runs/{id}/steps/{name}/effects/{seq}", "A(Operate)"),
    ("GET", "/v1/overview", "A(Read)"),
    ("GET", "/v1/flow", "A(Read)"),
    ("GET", "/v1/stream", "A(Read)"),
    ("GET", "/v1/dead-letters", "A(Read)"),
    ("GET", "/v1/dead-letters/groups", "A(Read)"),
    ("POST", "/v1/dead-letters/replay", "A(Operate)"),
    ("GET", "/v1/routes", "A(Read)"),
    ("GET", "/v1/routes/{name}", "A(Read)"),
    ("POST", "/v1/try/expression", "A(Operate)"),
    ("POST", "/v1/try/route", "A(Operate)"),
    ("GET", "/v1/plugins", "A(Read)"),
    ("GET", "/v1/plugins/{name}", "A(Read)"),
    ("GET", "/v1/credentials", "A(Read)"),
    ("GET", "/v1/sources", "A(Read)"),
    ("GET", "/v1/sources/{name}", "A(Read)"),
    ("GET", "/v1/sources/{name}/set-aside", "A(Read)"),
    ("POST", "/v1/sources/{name}/pause", "A(Operate)"),
    ("POST", "/v1/sources/{name}/resume", "A(Operate)"),
    ("POST", "/v1/sources/{name}/backfill", "A(Operate)"),
    ("POST", "/v1/sources/{name}/backfill/cancel", "A(Operate)"),
    ("POST", "/v1/sources/{name}/retry", "A(Operate)"),
    ("POST", "/v1/sources/{name}/discard", "A(Operate)"),
    ("GET", "/v1/webhooks", "A(Read)"),
    ("POST", "/v1/webhooks/{name}/enable", "A(Operate)"),
    ("POST", "/v1/webhooks/{name}/test", "A(Operate)"),
    ("POST", "/v1/reload", "A(Administer)"),
    ("POST", "/v1/credentials/{name}/connect", "A(Administer)"),
    ("GET", "/v1/credentials/{name}/connect/{id}", "A(Administer)"),
    ("POST", "/v1/credentials/{name}/connect/{id}", "A(Administer)"),
    ("POST", "/v1/events/{eid}/erase", "A(Administer)"),
    ("GET", "/v1/system", "A(Read)"),
    ("GET", "/v1/revisions", "A(Read)"),
    ("GET", "/v1/revisions/{number}", "A(Read)"),
    ("GET", "/v1/tokens", "A(Administer)"),
    ("POST", "/v1/tokens", "A(Administer)"),
    ("POST", "/v1/tokens/{id}/revoke", "A(Administer)"),
    ("GET", "/v1/sessions", "A(Administer)"),
    ("POST", "/v1/sessions/{id}/revoke", "A(Administer)"),
    ("GET", "/v1/audit", "A(Administer)"),
    ("GET", "/v1/audit/actions", "A(Administer)"),
    ("POST", "/v1/data/find", "A(Administer)"),
    ("POST", "/v1/data/export", "A(Administer)"),
    ("POST", "/v1/data/erase", "A(Administer)"),
    ("GET", "/v1/data/erasures", "A(Administer)"),
    ("GET", "/v1/data/erasures/{id}", "A(Administer)"),
    ("GET", "/metrics", "A(Read)"),
    ("GET", "/asyncapi.json", "A(Read)"),
    ("GET", "/openapi.json", "Somebody"),
];

fn includes(role: &str, needs: &str) -> bool {
    match needs {
        "Somebody" => true,
        "A(Send)" => role != "viewer",
        "A(Read)" => role != "sender",
        "A(Operate)" => role == "operator" || role == "admin",
        _ => role == "admin",
    }
}

/// The table of the host, as its source writes it.
fn table() -> anyhow::Result<BTreeSet<(String, String, String)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/api/routes.rs");
    let text = std::fs::read_to_string(path)?;
    let line = |line: &str| {
        let (path, rest) = line.trim().strip_prefix("way(\"")?.split_once("\", ")?;
        let (needs, handler) = rest.split_once(", ")?;
        let method = if handler.starts_with("get(") { "GET" } else { "POST" };
        Some((method.to_owned(), path.to_owned(), needs.to_owned()))
    };
    Ok(text.lines().filter_map(line).collect())
}

fn token(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<String> {
    let done = folder.run(&[&["token", "create"], arguments].concat(), "")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn tokens(folder: &HostFolder) -> anyhow::Result<Vec<Value>> {
    let listed = folder.run(&["token", "list", "--json"], "")?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    Ok(listed["tokens"].as_array().cloned().unwrap_or_default())
}

fn with(host: &Host, token: &str) -> Client {
    let mut client = host.client.clone();
    client.token = Some(token.to_owned());
    client
}

fn event(id: &str, source: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": source, "type": "t" })
}

#[tokio::test]
async fn every_route_needs_what_its_line_says() -> anyhow::Result<()> {
    let known: BTreeSet<_> =
        WAYS.iter().map(|(method, path, needs)| ((*method).to_owned(), (*path).to_owned(), (*needs).to_owned())).collect();
    assert_eq!(table()?, known, "a way in that this test does not know: add it, with what it needs");
    let folder = HostFolder::new(TOKENS)?;
    let host = folder.start().await?;
    let mut clients = vec![(None, host.client.clone())];
    for role in ROLES {
        clients.push((Some(role), with(&host, &token(&folder, &["--role", role, "--name", role])?)));
    }
    for (method, path, needs) in WAYS {
        let concrete: String = path.split('/').map(|part| if part.starts_with('{') { "0" } else { part }).collect::<Vec<_>>().join("/");
        for (role, client) in &clients {
            // One that is let in would go on for ever.
            let concrete = concrete.replace("/v1/stream", "/v1/stream?kinds=none");
            let body = if *method == "POST" { b"{}".to_vec() } else { Vec::new() };
            let kind = if concrete == "/v1/events" { "application/cloudevents+json" } else { "application/json" };
            let answer = client.ask(method.parse()?, &concrete, &[("content-type", kind)], body).await?;
            let refused = match (needs, role) {
                (&"Nothing" | &"SameSite" | &"Proof", _) => None,
                (_, None) => Some(401),
                (needs, Some(role)) => (!includes(role, needs)).then_some(403),
            };
            match refused {
                Some(status) => assert_eq!(answer.status, status, "{method} {concrete} as {role:?}: {}", answer.text),
                None => assert!(![401, 403].contains(&answer.status), "{method} {concrete} as {role:?}: {}", answer.text),
            }
        }
        if *method == "GET" && needs.starts_with('A') {
            assert_eq!(host.client.ask(Method::HEAD, &concrete, &[], Vec::new()).await?.status, 401, "HEAD {concrete}");
        }
    }
    let me = clients[3].1.get("/v1/me").await?.json;
    assert_eq!(
        (&me["kind"], &me["name"], &me["role"], &me["permissions"]),
        (&json!("token"), &json!("sender"), &json!("sender"), &json!(["send"]))
    );
    Ok(())
}

#[tokio::test]
async fn a_sender_sends_events_of_its_own_sources_only() -> anyhow::Result<()> {
    let folder = HostFolder::new(TOKENS)?;
    let host = folder.start().await?;
    let bound = with(&host, &token(&folder, &["--role", "sender", "--source", "/field-service/*", "--source", "/hr"])?);
    for source in ["/field-service/berlin", "/field-service/", "/hr"] {
        assert_eq!(bound.send_raw(&event(source, source), "").await?.status, 202, "{source}");
    }
    for source in ["/field-service", "/hr/x", "/x/field-service/berlin", "/crm", "/HR"] {
        let answer = bound.send_raw(&event(source, source), "?wait=1s").await?;
        assert_eq!(answer.status, 403, "{source}: {}", answer.text);
        assert_eq!(answer.json["errors"], json!([{ "index": 0, "detail": answer.json["errors"][0]["detail"] }]));
        assert!(answer.text.contains("/field-service/*, /hr"), "{}", answer.text);
    }
    let batch = json!([event("b0", "/hr"), event("b1", "/crm"), event("b2", "/hr"), event("b3", "/erp")]);
    let answer = bound.send_raw(&batch, "").await?;
    let places: Vec<_> = answer.json["errors"].as_array().into_iter().flatten().map(|error| error["index"].clone()).collect();
    assert_eq!((answer.status, places), (403, vec![json!(1), json!(3)]), "{}", answer.text);
    // Binary mode: the source is in a header.
    let headers =
        [("ce-specversion", "1.0"), ("ce-id", "9"), ("ce-type", "t"), ("ce-source", "/crm"), ("content-type", "application/json")];
    assert_eq!(bound.ask(Method::POST, "/v1/events", &headers, b"{}".to_vec()).await?.status, 403);
    let all = with(&host, &token(&folder, &["--role", "viewer"])?).get("/v1/events").await?.json;
    let mut taken: Vec<_> = all["events"].as_array().into_iter().flatten().map(|event| event["event"]["id"].clone()).collect();
    taken.sort_by_key(Value::to_string);
    assert_eq!(taken, ["/field-service/", "/field-service/berlin", "/hr"], "a refused batch leaves nothing");
    assert_eq!(bound.get("/v1/me").await?.json["sources"], json!(["/field-service/*", "/hr"]));
    // Bound is what can only send.
    for role in ["admin", "operator", "viewer"] {
        assert_eq!(folder.run(&["token", "create", "--role", role, "--source", "/hr"], "")?.status.code(), Some(2), "{role}");
    }
    Ok(())
}

#[tokio::test]
async fn tokens_expire_unless_told_otherwise_and_say_when_they_were_used() -> anyhow::Result<()> {
    let folder = HostFolder::new(TOKENS)?;
    let host = folder.start().await?;
    let used = token(&folder, &["--name", "used", "--role", "viewer"])?;
    token(&folder, &["--name", "sender", "--role", "sender"])?;
    token(&folder, &["--name", "soon", "--expires", "3d"])?;
    token(&folder, &["--name", "for ever", "--expires", "never"])?;
    assert_eq!(folder.run(&["token", "create", "--expires", "soon"], "")?.status.code(), Some(2));
    assert_eq!(with(&host, &used).get("/v1/events").await?.status, 200);
    // A host that ends writes down what it has not yet.
    assert_eq!(host.terminate().await?, Some(0));
    let listed = tokens(&folder)?;
    let named = |name: &str| listed.iter().find(|token| token["name"] == name).cloned().unwrap_or_default();
    let days = |name: &str| -> anyhow::Result<i64> {
        let time = |key: &str| named(name)[key].as_str().unwrap_or_default().parse::<jiff::Timestamp>();
        Ok(time("expires_at")?.duration_since(time("created_at")?).as_hours() / 24)
    };
    assert_eq!((days("used")?, days("sender")?, days("soon")?), (90, 365, 3));
    assert_eq!(named("for ever")["expires_at"], Value::Null);
    assert!(named("used")["used_at"].is_string() && named("soon")["used_at"].is_null(), "{listed:?}");
    let shown = folder.run(&["token", "list"], "")?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("soon").contains("(in 2 d)") && !line("sender").contains("(in"), "{shown}");
    // The host warns of what ends soon.
    let host = folder.start().await?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while !host.log().contains("an API token expires soon") {
        assert!(tokio::time::Instant::now() < end, "no warning: {}", host.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!host.log().contains("for ever") && !host.log().contains(&used));
    Ok(())
}

#[tokio::test]
async fn an_administrator_makes_and_revokes_tokens_over_the_api() -> anyhow::Result<()> {
    let folder = HostFolder::new(TOKENS)?;
    let host = folder.start().await?;
    let admin = with(&host, &token(&folder, &["--name", "chief"])?);
    let wish = json!({ "name": "field service", "role": "sender", "sources": ["/field-service/*"], "expires": "30d" });
    let made = admin.post("/v1/tokens", &wish).await?;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = made.json["token"].as_str().unwrap_or_default().to_owned();
    let sender = with(&host, &text);
    let send = async |source: &str| {
        let kind = ("content-type", "application/cloudevents+json");
        sender.ask(Method::POST, "/v1/events", &[kind], event("1", source).to_string().into_bytes()).await
    };
    assert_eq!((send("/field-service/9").await?.status, send("/hr").await?.status), (202, 403));
    let listed = admin.get("/v1/tokens").await?;
    assert!(!listed.text.contains(&text) && listed.json["tokens"].as_array().map(Vec::len) == Some(2), "{}", listed.text);
    let named = |tokens: &Value, name: &str| {
        tokens["tokens"].as_array().into_iter().flatten().find(|token| token["name"] == name).cloned().unwrap_or_default()
    };
    let shown = named(&listed.json, "field service");
    assert_eq!((&shown["state"], &shown["own"], &shown["sources"]), (&json!("active"), &json!(false), &json!(["/field-service/*"])));
    let days = |token: &Value| -> anyhow::Result<i64> {
        let time = |key: &str| token[key].as_str().unwrap_or_default().parse::<jiff::Timestamp>();
        Ok(time("expires_at")?.duration_since(time("created_at")?).as_hours() / 24)
    };
    assert_eq!((days(&shown)?, days(&named(&listed.json, "chief"))?), (30, 90));
    assert_eq!(named(&listed.json, "chief")["own"], true);

    for (wish, says) in [
        (json!({ "role": "viewer" }), "name"),
        (json!({ "name": "a\nb", "role": "viewer" }), "line"),
        (json!({ "name": "x" }), "role"),
        (json!({ "name": "x", "role": "king" }), "king"),
        (json!({ "name": "x", "role": "viewer", "sources": ["/hr"] }), "sender"),
        (json!({ "name": "x", "role": "viewer", "expires": "soon" }), "never"),
        (json!({ "name": "x", "role": "viewer", "colour": "red" }), "colour"),
    ] {
        let answer = admin.post("/v1/tokens", &wish).await?;
        assert_eq!((answer.status, answer.text.contains(says)), (400, true), "{wish}: {}", answer.text);
    }

    let path = |token: &Value| format!("/v1/tokens/{}/revoke", token["id"].as_str().unwrap_or_default());
    let revoked = admin.post(&path(&shown), &json!({})).await?;
    assert_eq!((revoked.status, &revoked.json["state"]), (200, &json!("revoked")), "{}", revoked.text);
    assert_eq!(send("/field-service/9").await?.status, 401);
    assert_eq!(named(&admin.get("/v1/tokens").await?.json, "field service")["state"], "revoked");
    assert_eq!(admin.post(&path(&shown), &json!({})).await?.status, 409);
    assert_eq!(admin.post("/v1/tokens/nobody/revoke", &json!({})).await?.status, 404);
    let line = folder.run(&["token", "list"], "")?;
    assert!(String::from_utf8_lossy(&line.stdout).contains("REVOKED"));
    // It is on record who did it.
    let entries = admin.get("/v1/audit?actor=chief").await?.json["entries"].clone();
    let acts: Vec<(&str, &str)> = entries
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| (entry["action"].as_str().unwrap_or_default(), entry["object"].as_str().unwrap_or_default()))
        .collect();
    let id = shown["id"].as_str().unwrap_or_default();
    assert_eq!(acts, [("token.revoked", id), ("token.created", id)], "{entries}");
    // One's own is the last thing that it opens.
    let own = admin.post(&path(&named(&listed.json, "chief")), &json!({})).await?;
    assert_eq!((own.status, &own.json["own"]), (200, &json!(true)), "{}", own.text);
    assert_eq!(admin.get("/v1/me").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_all_hosts_of_the_store_at_once() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let folder = HostFolder::on(TestStore::Postgres, TOKENS)?;
    let (one, other) = (folder.start().await?, folder.start().await?);
    let text = token(&folder, &["--role", "viewer"])?;
    for host in [&one, &other] {
        assert_eq!(with(host, &text).get("/v1/events").await?.status, 200);
    }
    let id = tokens(&folder)?[0]["id"].as_str().unwrap_or_default().to_owned();
    ensure!(folder.run(&["token", "revoke", &id], "")?.status.success(), "revoke");
    for host in [&one, &other] {
        assert_eq!(with(host, &text).get("/v1/events").await?.status, 401);
    }
    Ok(())
}

#[tokio::test]
async fn who_guesses_has_to_wait_and_nobody_else_does() -> anyhow::Result<()> {
    let options = "max-wrong-tokens = 3\nmax-wrong-tokens-overall = 1000\ntrusted-proxies = [\"127.0.0.1\"]\n";
    let folder = HostFolder::new(&format!("{TOKENS}{options}"))?;
    let host = folder.start().await?;
    let (known, fresh) = (token(&folder, &["--role", "viewer"])?, token(&folder, &["--role", "viewer"])?);
    let wrong = format!("sgm_{}", "A".repeat(43));
    let ask = async |token: &str, from: &str| -> anyhow::Result<Answer> {
        with(&host, token).ask(Method::GET, "/v1/events", &[("x-forwarded-for", from)], Vec::new()).await
    };
    assert_eq!(ask(&known, "192.0.2.1").await?.status, 200);
    for _ in 0..3 {
        assert_eq!(ask(&wrong, "192.0.2.1").await?.status, 401);
    }
    let refused = ask(&wrong, "192.0.2.1").await?;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| (1..=2).contains(&seconds))));
    assert_eq!(ask(&fresh, "192.0.2.1").await?.status, 429, "it can't be told from a guess");
    // What the client itself writes before the proxy's entry changes nothing.
    assert_eq!(ask(&wrong, "198.51.100.7, 192.0.2.1").await?.status, 429);
    assert_eq!(ask(&known, "192.0.2.1").await?.status, 200, "a neighbour's guesses don't lock out who was let in before");
    assert_eq!(ask(&fresh, "192.0.2.2").await?.status, 200, "another address does not wait");
    // Then it may try again, and waits grow.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(ask(&wrong, "192.0.2.1").await?.status, 401);
    let refused = ask(&wrong, "192.0.2.1").await?;
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| (2..=3).contains(&seconds))));
    assert_eq!(host.client.get("/v1/events").await?.status, 401, "without a token there is nothing to guess");
    Ok(())
}

#[tokio::test]
async fn an_address_is_believed_of_a_trusted_proxy_only() -> anyhow::Result<()> {
    let folder = HostFolder::new(&format!("{TOKENS}max-wrong-tokens = 2\n"))?;
    let host = folder.start().await?;
    let wrong = with(&host, &format!("sgm_{}", "A".repeat(43)));
    let mut statuses = Vec::new();
    for index in 0..4 {
        let from = format!("192.0.2.{index}");
        let headers = [("x-forwarded-for", from.as_str()), ("forwarded", &format!("for={from}"))];
        statuses.push(wrong.ask(Method::GET, "/v1/events", &headers, Vec::new()).await?.status);
    }
    assert_eq!(statuses, [401, 401, 429, 429], "a client names itself anew each time");
    Ok(())
}

#[test]
fn open_mode_is_refused_wherever_others_could_come_in() -> anyhow::Result<()> {
    let open = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n";
    for (text, place, word) in [
        ("[server]\nlisten = \"0.0.0.0:0\"\naccess = \"open\"\n".to_owned(), "3:10", "0.0.0.0:0"),
        ("[server]\nlisten = \"[::]:0\"\naccess = \"open\"\n".to_owned(), "3:10", "[::]:0"),
        ("[server]\nlisten = \"192.0.2.1:0\"\naccess = \"open\"\n".to_owned(), "3:10", "192.0.2.1"),
        (format!("{open}public-url = \"https://sangam.acme.example\"\n"), "3:10", "sangam.acme.example"),
        (format!("{open}public-url = \"http://203.0.113.7\"\n"), "3:10", "203.0.113.7"),
        (format!("{open}trusted-proxies = [\"10.0.0.5\"]\n"), "3:10", "trusted-proxies"),
    ] {
        let folder = HostFolder::new(&text)?;
        for verb in ["check", "up"] {
            let done = folder.run(&[verb], "")?;
            let said = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{text}: {said}");
            assert!(
                said.contains(&format!("sangam.toml:{place}: error:")) && said.contains(word) && said.contains("token create"),
                "{said}"
            );
        }
    }
    for fine in ["", "public-url = \"http://localhost:7070\"\n", "public-url = \"http://[::1]:7070\"\n"] {
        let done = HostFolder::new(&format!("{open}{fine}"))?.run(&["check"], "")?;
        assert!(done.status.success(), "{fine}: {}", String::from_utf8_lossy(&done.stderr));
    }
    // Tokens over a network in clear text are worth a word.
    let done = HostFolder::new("[server]\nlisten = \"0.0.0.0:0\"\n")?.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("2:10: warning:") && said.contains("clear text"), "{said}");
    Ok(())
}

/// Sends bytes as they are and gives what came back, until the host closes or is silent for a while.
async fn raw(url: &str, request: &str) -> anyhow::Result<String> {
    let address = url.strip_prefix("http://").context("plain HTTP")?;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) = tokio::time::timeout(std::time::Duration::from_millis(500), stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn pages_elsewhere_make_a_browser_ask_in_vain() -> anyhow::Result<()> {
    let folder = HostFolder::new(&format!("{TOKENS}access = \"open\"\n"))?;
    let host = folder.start().await?;
    let own = host.client.url.clone();
    let port = own.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
    let name = format!("127.0.0.1:{port}");
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let host_line = format!("Host: {name}\r\n");
    // Names that lead here and are not ours; several at once; targets in absolute form.
    for (target, headers, expected) in [
        ("/v1/events", host_line.clone(), "200"),
        ("/v1/events", format!("Host: [::1]:{port}\r\n"), "200"),
        ("/v1/events", "Host: localhost.\r\n".to_owned(), "200"),
        ("/v1/events", "Host: LOCALHOST\r\n".to_owned(), "200"),
        ("/v1/events", format!("Host: rebound.example:{port}\r\n"), "403"),
        ("/v1/events", "Host: 127.0.0.1.rebound.example\r\n".to_owned(), "403"),
        ("/v1/events", "Host: 127.0.0.1@rebound.example\r\n".to_owned(), "403"),
        ("/v1/events", "Host: rebound.example@127.0.0.1\r\n".to_owned(), "403"),
        ("/v1/events", "Host: localhost/.rebound.example\r\n".to_owned(), "403"),
        ("/v1/events", "Host: \r\n".to_owned(), "403"),
        ("/v1/events", format!("{host_line}{host_line}"), "403"),
        ("/v1/events", format!("{host_line}Host: rebound.example\r\n"), "403"),
        ("/v1/events", format!("Host: rebound.example\r\n{host_line}"), "403"),
        ("http://rebound.example/v1/events", host_line.clone(), "403"),
        ("http://rebound.example/v1/events", "Host: rebound.example\r\n".to_owned(), "403"),
        (&format!("{own}/v1/events"), "Host: rebound.example\r\n".to_owned(), "403"),
        (&format!("{own}/v1/events"), host_line.clone(), "200"),
    ] {
        let answer = raw(&own, &get(target, &headers)).await?;
        assert!(status(&answer) == expected || (expected == "403" && status(&answer) == "400"), "{target} {headers:?}: {answer}");
    }
    // What a browser says of who made it ask.
    for (headers, expected) in [
        (format!("Origin: {own}\r\n"), "200"),
        ("Origin: null\r\n".to_owned(), "403"),
        (format!("Origin: https://{name}\r\n"), "403"),
        (format!("Origin: http://localhost:{port}\r\n"), "403"),
        (format!("Origin: http://127.0.0.1:{}\r\n", port.parse::<u32>()? ^ 1), "403"),
        ("Origin: http://127.0.0.1\r\n".to_owned(), "403"),
        ("Origin: \r\n".to_owned(), "403"),
        (format!("Origin: {own}\r\nOrigin: https://elsewhere.example\r\n"), "403"),
        ("Sec-Fetch-Site: same-origin\r\n".to_owned(), "200"),
        ("Sec-Fetch-Site: none\r\n".to_owned(), "200"),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n".to_owned(), "403"),
        ("Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n".to_owned(), "403"),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n".to_owned(), "403"),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n".to_owned(), "200"),
    ] {
        let answer = raw(&own, &get("/v1/events", &format!("{host_line}{headers}"))).await?;
        assert_eq!(status(&answer), expected, "{headers:?}: {answer}");
    }
    // What a form, or a script without permission, can send.
    let event = event("1", "/s").to_string();
    for (path, kind, more, expected) in [
        ("/v1/events", "text/plain", "", "415"),
        ("/v1/events", "application/x-www-form-urlencoded", "", "415"),
        ("/v1/events", "multipart/form-data; boundary=x", "", "415"),
        ("/v1/events", "Text/Plain;charset=UTF-8", "", "415"),
        ("/v1/reload", "text/plain", "", "415"),
        ("/v1/dead-letters/replay", "application/x-www-form-urlencoded", "", "415"),
        ("/v1/reload", "application/json", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", "403"),
        ("/v1/events", "application/cloudevents+json", "Origin: http://localhost:1\r\n", "403"),
        ("/v1/events", "application/cloudevents+json", "", "202"),
        ("/v1/events", "text/plain", "ce-specversion: 1.0\r\nce-id: b\r\nce-source: /s\r\nce-type: t\r\n", "202"),
    ] {
        let length = event.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\n{host_line}Content-Type: {kind}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{event}"
        );
        let answer = raw(&own, &request).await?;
        assert_eq!(status(&answer), expected, "{path} {kind} {more:?}: {answer}");
    }
    // Nobody elsewhere is given permission.
    let asked = [
        ("origin", "https://elsewhere.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    for path in ["/v1/events", "/v1/reload", "/healthz", "/login"] {
        let answer = host.client.ask(Method::OPTIONS, path, &asked, Vec::new()).await?;
        assert!(answer.status >= 400 && !answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{path}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() -> anyhow::Result<()> {
    let folder = HostFolder::new(TOKENS)?;
    let host = folder.start().await?;
    let admin = with(&host, &token(&folder, &[])?);
    let mut answers = Vec::new();
    for path in ["/healthz", "/v1/events", "/v1/routes", "/metrics", "/nothing", "/login", "/v1/events/none"] {
        answers.push((path, admin.get(path).await?));
        answers.push((path, host.client.get(path).await?));
    }
    answers.push(("405", admin.ask(Method::DELETE, "/v1/events", &[], Vec::new()).await?));
    answers.push(("400", admin.post("/v1/events", &json!({})).await?));
    for (what, answer) in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{what} ({}): {name}", answer.status);
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert_eq!(answer.header("strict-transport-security"), None, "plain HTTP promises nothing");
    }
    Ok(())
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_the_host_goes_on() -> anyhow::Result<()> {
    let folder = HostFolder::new(&format!("{TOKENS}max-event-size = \"64KiB\"\n"))?;
    let host = folder.start().await?;
    let admin = with(&host, &token(&folder, &[])?);
    let post =
        async |path: &str, body: Vec<u8>| admin.ask(Method::POST, path, &[("content-type", "application/cloudevents+json")], body).await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000)).into_bytes();
    for (what, body, status) in [
        ("deep lists", deep("[", "]"), 400),
        ("deep objects", b"{\"a\":".repeat(10_000), 400),
        ("too large", vec![b' '; (64 << 10) + 1], 413),
        ("no text", vec![0xff; 100], 400),
        ("a number of 60,000 digits", format!("{{\"specversion\":\"1.0\",\"id\":{}}}", "9".repeat(60_000)).into_bytes(), 400),
        ("nothing", Vec::new(), 400),
    ] {
        let answer = post("/v1/events", body).await?;
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")), "{what}: {}", answer.text);
        assert!(answer.text.len() < 2000, "{what}: an answer of {} bytes", answer.text.len());
    }
    for path in ["/v1/dead-letters/replay", "/v1/events/x/replay", "/v1/runs/x/steps/y/effects/1"] {
        let answer = post(path, deep("[", "]")).await?;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.text);
        assert_eq!(post(path, vec![b' '; (1 << 20) + 1]).await?.status, 413, "{path}");
    }
    assert_eq!(admin.send_raw(&event("1", "/s"), "").await?.status, 202);
    Ok(())
}
