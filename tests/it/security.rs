//! Nobody gets in, nothing gets out.

use std::path::Path;

use reqwest::Method;
use sangam_saas::FaultAct;
use sangam_tests::{Client, HostFolder};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, event, results, script, sink, step};

const SECRET: &str = "s3cr3t-8Zt4-hunter2-Qw9";
const VARIABLE: &str = "v4r14ble-77-Xk2-pl3nty";

/// Files of a folder, whatever their depth, that hold a text.
fn holding(folder: &Path, text: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(holding(&path, text)?);
        } else if std::fs::read(&path)?.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_secret_reaches_its_own_origin_and_nothing_else() -> anyhow::Result<()> {
    let (own, other, foreign) = (sink().await?, sink().await?, sink().await?);
    let hosts = format!("{}\", \"{}\", \"{}", own.url(), other.url(), foreign.url());
    let credentials = format!(
        "[credentials.c]\ntype = \"bearer\"\nhosts = [\"{own}\"]\ntoken = \"${{secret:token}}\"\n\
         [credentials.h]\ntype = \"header\"\nhosts = [\"{other}\"]\nname = \"X-Api-Key\"\nvalue = \"${{env:SANGAM_TEST_VALUE}}\"\n",
        own = own.url(),
        other = other.url()
    );
    let text = configuration(&hosts, "credentials = [\"c\", \"h\"]", &format!("{SCRIPT}{credentials}"));
    let folder = HostFolder::new(&text)?.env("SANGAM_TEST_VALUE", VARIABLE);
    folder.secret("token", SECRET)?;
    let host = folder.start().await?;
    let lines = json!([
        { "do": "read", "url": format!("{}/r", own.url()) },
        { "do": "write", "name": "foreign", "url": format!("{}/w", foreign.url()) },
        { "do": "write", "name": "own", "url": format!("{}/w", own.url()) },
        { "do": "write", "name": "other", "url": format!("{}/w", other.url()) },
    ]);
    let document = host.client.send_and_wait(&script("1", lines)).await?;
    results(&document)?;
    for request in own.requests() {
        assert_eq!(request.headers.get("authorization").map(String::as_str), Some(format!("Bearer {SECRET}").as_str()));
        assert!(!request.headers.contains_key("x-api-key"));
    }
    assert_eq!(own.requests().len(), 2);
    let request = &other.requests()[0];
    assert_eq!(request.headers.get("x-api-key").map(String::as_str), Some(VARIABLE));
    assert!(!request.headers.contains_key("authorization"));
    let elsewhere = &foreign.requests()[0];
    assert!(!elsewhere.headers.contains_key("authorization") && !elsewhere.headers.contains_key("x-api-key"), "{elsewhere:?}");

    // A system that answers with what it was sent.
    let act = FaultAct::Status {
        status: 400,
        headers: [("x-echo".to_owned(), format!("Bearer {SECRET}"))].into(),
        body: format!("you sent {SECRET} and {VARIABLE}"),
    };
    own.fault(sangam_saas::Fault::once("/echo", act));
    let document =
        host.client.send_and_wait(&script("2", json!([{ "do": "write", "name": "w", "url": format!("{}/echo", own.url()) }]))).await?;
    assert_eq!(document["status"], "dead");
    assert!(step(&document, "run")?["error"]["details"]["body"].as_str().is_some_and(|body| body.starts_with("you sent ")), "{document:#}");
    for path in [
        "/v1/events",
        "/v1/dead-letters",
        "/v1/dead-letters/groups",
        "/v1/routes",
        "/v1/plugins",
        "/v1/credentials",
        "/v1/sources",
        "/metrics",
        &format!("/v1/events/{}", document["eid"].as_str().unwrap_or("")),
    ] {
        let answer = host.client.get(path).await?;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains(SECRET) && !answer.text.contains(VARIABLE), "{path} shows a secret");
    }
    let listed = folder.run(&["secret", "list"], "")?;
    assert!(String::from_utf8_lossy(&listed.stdout).contains("token") && !String::from_utf8_lossy(&listed.stdout).contains(SECRET));
    assert_eq!(host.terminate().await?, Some(0));
    for secret in [SECRET, VARIABLE] {
        assert_eq!(holding(folder.path(), secret)?, Vec::<String>::new(), "a file holds a secret in clear text");
    }
    Ok(())
}

#[tokio::test]
async fn a_plugin_reaches_granted_hosts_at_public_addresses_only() -> anyhow::Result<()> {
    let sink = sink().await?;
    let port = sink.addr.port();
    let granted = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.1.2.3"]
        .map(|host| format!("http://{host}:{port}"));
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[plugins.m]\ncomponent = {:?}\nallow-hosts = {granted:?}\n\
         [[routes]]\nname = \"r\"\non = {{ type = \"r\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"m.request\"\n",
        sangam_tests::guest("misbehaving")
    );
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let client = host.client.clone();
    let ask = async |url: &str| -> anyhow::Result<Value> {
        let document = client.send_and_wait(&event(&format!("to {url}"), "r", json!({ "url": url }))).await?;
        Ok(step(&document, "run")?["output"].clone())
    };
    let mut private: Vec<String> = granted.to_vec();
    private.push(format!("http://2130706433:{port}"));
    private.push(format!("http://0x7f.1:{port}"));
    for url in private {
        let answer = ask(&format!("{url}/private")).await?;
        assert_eq!(answer["error"], "denied", "{url}: {answer}");
    }
    for url in [
        format!("http://127.0.0.1:{}/", port ^ 1),
        "https://example.com/".to_owned(),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost.:{}/", port ^ 1),
    ] {
        let answer = ask(&url).await?;
        assert_eq!(answer["error"], "denied", "{url}: {answer}");
        assert!(answer["why"].as_str().is_some_and(|why| why.contains("allow-hosts")), "{answer}");
    }
    for url in [
        format!("http://me:pw@127.0.0.1:{port}/"),
        "ftp://127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        String::new(),
    ] {
        let answer = ask(&url).await?;
        assert!(["denied", "invalid-request"].contains(&answer["error"].as_str().unwrap_or("")), "{url}: {answer}");
    }
    assert_eq!(sink.requests().len(), 0, "a request reached a private address");
    Ok(())
}

#[tokio::test]
async fn requests_are_what_the_host_lets_them_be() -> anyhow::Result<()> {
    let scene =
        Scene::start("[[routes]]\nname = \"r\"\non = { type = \"r\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.request\"\n").await?;
    let ask = async |id: &str, mut request: Value| -> anyhow::Result<Value> {
        request["url"] = json!(scene.url("/x"));
        let document = scene.client().send_and_wait(&event(id, "r", request)).await?;
        Ok(step(&document, "run")?["output"].clone())
    };
    for name in [
        "host",
        "Connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "expect",
        "proxy-authorization",
    ] {
        let answer = ask(name, json!({ "headers": { name: "x" } })).await?;
        assert_eq!(answer["error"], "denied", "{name}: {answer}");
        assert!(answer["why"].as_str().is_some_and(|why| why.contains(&name.to_lowercase())), "{answer}");
    }
    for (id, request, error) in [
        ("split", json!({ "headers": { "x-a": "b\r\nx-c: d" } }), "invalid-request"),
        ("name", json!({ "headers": { "x a": "b" } }), "invalid-request"),
        ("connect", json!({ "method": "CONNECT" }), "denied"),
        ("trace", json!({ "method": "TRACE" }), "denied"),
        ("method", json!({ "method": "G ET" }), "invalid-request"),
        ("long name", json!({ "method": "POST", "name": "n".repeat(257) }), "invalid-request"),
    ] {
        assert_eq!(ask(id, request).await?["error"], error, "{id}");
    }
    assert_eq!(scene.sink.requests().len(), 0);
    assert_eq!(ask("fine", json!({ "headers": { "x-a": "b" } })).await?["status"], 200);
    // A redirect is an answer like another.
    let act = FaultAct::Status { status: 302, headers: [("location".to_owned(), scene.url("/elsewhere"))].into(), body: String::new() };
    scene.fault("/x", act, 1);
    assert_eq!(ask("redirect", json!({})).await?["status"], 302);
    assert_eq!(scene.requests("/elsewhere").len(), 0);
    // A POST that says it only reads is a write where the administrator has not agreed.
    assert_eq!(ask("mark", json!({ "method": "POST", "name": "w", "read_only": true })).await?["status"], 200);
    assert!(scene.keys("/x").last().is_some_and(|key| key.len() == 36));
    Ok(())
}

#[tokio::test]
async fn there_is_nothing_behind_wasi() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let document = scene.play("1", json!([{ "do": "outside" }])).await?;
    let outside = &results(&document)?[0];
    assert_eq!(outside["environment"], json!([]));
    assert!(outside["arguments"].as_array().is_some_and(Vec::is_empty), "{outside}");
    for what in ["file", "folder", "written", "socket", "datagram", "name", "process"] {
        assert_eq!(outside[what], false, "{what}: {outside}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_opens_what_its_role_says_and_nothing_once_revoked() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT).replace("\"open\"", "\"tokens\""))?;
    let host = folder.start().await?;
    let create = |arguments: &[&str]| -> anyhow::Result<String> {
        let done = folder.run(&[&["token", "create"], arguments].concat(), "")?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    let with = |token: &str| {
        let mut client: Client = host.client.clone();
        client.token = Some(token.to_owned());
        client
    };
    let asks: [(Method, &str, &str); 5] = [
        (Method::POST, "/v1/events", r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#),
        (Method::GET, "/v1/events", ""),
        (Method::GET, "/metrics", ""),
        (Method::POST, "/v1/dead-letters/replay", "{}"),
        (Method::POST, "/v1/reload", "{}"),
    ];
    let statuses = async |client: &Client| -> anyhow::Result<Vec<u16>> {
        let mut statuses = Vec::new();
        for (method, path, body) in &asks {
            let answer =
                client.ask(method.clone(), path, &[("content-type", "application/cloudevents+json")], body.as_bytes().to_vec()).await?;
            if answer.status >= 400 {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            }
            statuses.push(answer.status);
        }
        Ok(statuses)
    };
    assert_eq!(statuses(&host.client).await?, [401; 5], "without a token");
    assert_eq!(host.client.get("/v1/events").await?.header("www-authenticate"), Some("Bearer"));
    assert_eq!((host.client.get("/healthz").await?.status, host.client.get("/readyz").await?.status), (200, 200));
    let mut tokens = Vec::new();
    for (role, expected) in [
        ("admin", [202, 200, 200, 200, 200]),
        ("operator", [202, 200, 200, 200, 403]),
        ("sender", [202, 403, 403, 403, 403]),
        ("viewer", [403, 200, 200, 403, 403]),
    ] {
        let token = create(&["--role", role, "--name", role])?;
        assert!(token.starts_with("sgm_"), "{token}");
        assert_eq!(statuses(&with(&token)).await?, expected, "{role}");
        tokens.push(token);
    }
    for wrong in ["", "sgm_", "x", &tokens[0][..tokens[0].len() - 1], &tokens[0].to_uppercase()] {
        assert_eq!(statuses(&with(wrong)).await?, [401; 5], "{wrong:?}");
    }
    let listed = folder.run(&["token", "list", "--json"], "")?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let admin = listed["tokens"].as_array().into_iter().flatten().find(|token| token["name"] == "admin").cloned().unwrap_or_default();
    assert!(tokens.iter().all(|token| !listed.to_string().contains(token.as_str())), "a list shows a token");
    let revoked = folder.run(&["token", "revoke", admin["id"].as_str().unwrap_or("")], "")?;
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    assert_eq!(statuses(&with(&tokens[0])).await?, [401; 5], "a revoked token");
    assert_eq!(statuses(&with(&tokens[1])).await?, [202, 200, 200, 200, 403], "the others stay");
    let brief = create(&["--expires", "1s"])?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while with(&brief).get("/v1/events").await?.status != 401 {
        assert!(tokio::time::Instant::now() < end, "a token outlives its expiry");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(host.terminate().await?, Some(0));
    for token in &tokens {
        assert_eq!(holding(folder.path(), token)?, Vec::<String>::new(), "a file holds a token in clear text");
    }
    Ok(())
}

#[test]
fn a_host_in_open_mode_listens_on_loopback_only() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"0.0.0.0:0\"\naccess = \"open\"\n")?;
    for verb in ["up", "check"] {
        let done = folder.run(&[verb], "")?;
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{text}");
        assert!(text.contains("sangam.toml:3:10: error:") && text.contains("tokens"), "{text}");
    }
    Ok(())
}

#[test]
fn a_host_with_another_key_does_not_start() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\n")?;
    folder.secret("token", SECRET)?;
    std::fs::remove_file(folder.path().join("sangam.key"))?;
    let done = folder.run(&["up"], "")?;
    let text = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{text}");
    assert!(text.contains("key"), "{text}");
    assert_eq!(holding(folder.path(), SECRET)?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_post_only_reads_where_the_administrator_agrees() -> anyhow::Result<()> {
    let route = "[[routes]]\nname = \"r\"\non = { type = \"r\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.request\"\n";
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", route).replace("[plugins.m]", "[plugins.m]\nread-only = [\"POST /crm/*/search\"]");
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let reads = async |path: &str, marked: bool| -> anyhow::Result<bool> {
        let before = scene.sink.requests().len();
        let request = json!({ "method": "POST", "url": scene.url(path), "name": "w", "read_only": marked });
        let document = scene.client().send_and_wait(&event(&format!("{path} {marked}"), "r", request)).await?;
        assert_eq!(step(&document, "run")?["output"]["status"], 200, "{path}: {document:#}");
        let sent = scene.sink.requests();
        assert_eq!(sent.len(), before + 1, "{path}");
        Ok(!sent[before].headers.contains_key("idempotency-key"))
    };
    assert!(reads("/crm/contacts/search", true).await?);
    assert!(reads("/crm/contacts/search?limit=1", true).await?);
    for (path, marked) in [
        ("/crm/contacts/search", false),
        ("/crm/contacts", true),
        ("/crm/contacts/search/x", true),
        ("/crm/a%2Fb/search", true),
        ("/crm//search", true),
        ("//crm/contacts/search", true),
        ("/crm/contacts/search/", true),
    ] {
        assert!(!reads(path, marked).await?, "{path} (marked: {marked}) was taken for a read");
    }
    Ok(())
}
