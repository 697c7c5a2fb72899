//! Credentials at the edge: where they go, what never shows, and that each refresh token is used once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::oauth::{self, OAuth};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Client, Host, HostFolder, TestStore, postgres};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, configuration, outcomes, reason, results, script, sink, step};

mod connect;
mod health;
mod hosts;
mod idle;

/// A vendor that echoes, and has tokens of its own.
async fn vendor() -> anyhow::Result<Stand> {
    Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(OAuth::new())).await
}

/// A credential of `[credentials.NAME]` at the vendor's origin, with what all OAuth2 types need.
fn oauth_credential(name: &str, vendor: &Stand, more: &str) -> String {
    format!(
        "[credentials.{name}]\nhosts = [\"{url}\"]\ntoken-url = \"{url}/token\"\nclient-id = \"{id}\"\nclient-secret = \"${{secret:client}}\"\n{more}\n",
        url = vendor.url(),
        id = oauth::CLIENT_ID,
    )
}

/// Every spelling of a secret that a system may send back, and some that it would be odd to.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let json = json!(secret).to_string();
    vec![secret.to_owned(), hex.to_uppercase(), hex, percent.to_lowercase(), percent, json.trim_matches('"').to_owned()]
}

/// Looks for the longest runs of a secret's base64 that do not depend on what stands before it.
fn base64_runs(secret: &str) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let run = |shift: usize| {
        let bits: Vec<u8> = secret.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).skip(shift).collect();
        let value = |six: &[u8]| six.iter().fold(0usize, |value, bit| value << 1 | usize::from(*bit));
        bits.chunks_exact(6).map(|six| char::from(ALPHABET[value(six)])).collect::<String>()
    };
    // With 0, 1 or 2 bytes before it, the first whole character begins 0, 4 or 2 bits in.
    let runs: Vec<String> = [0, 4, 2].into_iter().map(run).collect();
    let url_safe = runs.iter().map(|run| run.replace('+', "-").replace('/', "_")).collect::<Vec<_>>();
    [runs, url_safe].concat()
}

fn assert_not_in(text: &str, secret: &str, place: &str) {
    for spelling in spellings(secret).into_iter().chain(base64_runs(secret)) {
        assert!(!text.contains(&spelling), "{place} shows {secret:?} as {spelling:?}: {text}");
    }
}

/// One credential of every type that a value of ours is in, each for the vendor's echo.
const TYPES: [(&str, &str); 6] = [
    ("bearer", "type = \"bearer\"\ntoken = \"${secret:value}\""),
    ("basic", "type = \"basic\"\nusername = \"kim\"\npassword = \"${secret:value}\""),
    ("header", "type = \"header\"\nname = \"X-Api-Key\"\nvalue = \"Key ${secret:value}\""),
    ("query", "type = \"query\"\nname = \"api_key\"\nvalue = \"${secret:value}\""),
    (
        "hmac",
        "type = \"hmac\"\nkey = \"${secret:value}\"\nsigned = \"{method}{target}{body}\"\nheader = \"X-Signature\"\nformat = \"v1={signature}\"",
    ),
    ("placeholder", "type = \"placeholder\"\nvalue = \"${secret:value}\"\nin = [\"path\", \"query:k\", \"body:k\", \"header:x-k\"]"),
];

const VALUE: &str = "s3cr3t/8Zt4+hunter2&Qw9==";

#[tokio::test]
async fn no_plugin_sees_a_credential_that_a_system_echoes() -> anyhow::Result<()> {
    for (name, keys) in TYPES {
        let vendor = vendor().await?;
        let credential = format!("[credentials.c]\nhosts = [\"{}\"]\n{keys}\n", vendor.url());
        // A reused instance remembers what it saw: nothing.
        let text = configuration(&vendor.url(), "credentials = [\"c\"]\ninstances = \"reuse\"", &format!("{SCRIPT}{credential}"));
        let folder = HostFolder::new(&text)?;
        folder.secret("value", VALUE)?;
        let host = folder.start().await?;
        let url = format!("{}/echo/x", vendor.url());
        let filled = format!("{url}?k={{{{credential:c}}}}");
        let (url, body) = if name == "placeholder" { (filled.as_str(), json!({ "n": 1 })) } else { (url.as_str(), json!({ "n": 1 })) };
        let lines = json!([
            { "do": "write", "name": "w", "url": url, "body": body },
            { "do": "read", "url": url },
            { "do": "fail", "kind": "rejected", "key": "shows all it has" },
        ]);
        let document = host.client.send_and_wait(&script(name, lines)).await?;
        assert_eq!(document["status"], "dead", "{name}: {document:#}");
        let seen = &step(&document, "run")?["error"]["details"]["results"];
        let sent = vendor.requests();
        assert_eq!(sent.len(), 2, "{name}");
        assert!(seen[0].to_string().contains("[redacted]"), "{name}: the echo came back: {seen}");
        // It was there, …
        let carried = match name {
            "bearer" => sent[0].headers["authorization"] == format!("Bearer {VALUE}"),
            // `kim:` and the value.
            "basic" => sent[0].headers["authorization"] == "Basic a2ltOnMzY3IzdC84WnQ0K2h1bnRlcjImUXc5PT0=",
            "header" => sent[0].headers["x-api-key"] == format!("Key {VALUE}"),
            "query" => sent[0].path == "/echo/x?api_key=s3cr3t%2F8Zt4%2Bhunter2%26Qw9%3D%3D",
            // `POST/echo/x{"n":1}` under the value.
            "hmac" => sent[0].headers["x-signature"] == "v1=c094b7c0db1edd14b3c62ea998973ed47d9457bbaaebffb1ec67fe7fde1acd9c",
            _ => sent[0].path == "/echo/x?k=s3cr3t%2F8Zt4%2Bhunter2%26Qw9%3D%3D",
        };
        assert!(carried, "{name}: {:?}", sent[0]);
        // … and the plugin, the API, the log and the files know nothing of it.
        let shown = folder_texts(&folder, &host, &document).await?;
        let also = if name == "hmac" { sent[0].headers["x-signature"].trim_start_matches("v1=").to_owned() } else { VALUE.to_owned() };
        for (place, text) in &shown {
            assert_not_in(text, VALUE, &format!("{name}: {place}"));
            assert_not_in(text, &also, &format!("{name}: {place}"));
            assert_not_in(text, "s3cr3t%2F8Zt4%2Bhunter2%26Qw9%3D%3D", &format!("{name}: {place}"));
        }
        host.kill().await?;
    }
    Ok(())
}

/// All that a host shows and keeps in clear text.
async fn folder_texts(folder: &HostFolder, host: &Host, document: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = vec![("the document".to_owned(), document.to_string()), ("the log".to_owned(), host.log())];
    let paths = ["/v1/events", "/v1/dead-letters", "/v1/routes", "/v1/plugins", "/v1/credentials", "/metrics", "/asyncapi.json"];
    for path in paths {
        texts.push((path.to_owned(), host.client.get(path).await?.text));
    }
    let mut folders = vec![folder.path().to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts.push((path.display().to_string(), String::from_utf8_lossy(&std::fs::read(&path)?).into_owned()));
            }
        }
    }
    Ok(texts)
}

#[tokio::test]
async fn a_compressed_answer_to_a_request_with_a_credential_is_not_handed_on() -> anyhow::Result<()> {
    let sink = sink().await?;
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{secret:value}}\"\n", sink.url());
    let folder = HostFolder::new(&configuration(&sink.url(), "credentials = [\"c\"]", &format!("{SCRIPT}{credential}")))?;
    folder.secret("value", VALUE)?;
    let host = folder.start().await?;
    let packed = FaultAct::Status {
        status: 200,
        headers: [("content-encoding".to_owned(), "gzip".to_owned())].into(),
        body: "\u{1f}...".to_owned(),
    };
    sink.fault(Fault { times: 9, ..Fault::once("/packed", packed) });
    let read = json!([{ "do": "read", "url": format!("{}/packed", sink.url()) }]);
    let document = host.client.send_and_wait(&script("1", read)).await?;
    assert!(reason(&document)?.contains("compressed"), "{document:#}");
    assert!(sink.requests().iter().all(|request| request.headers["accept-encoding"] == "identity"));
    host.kill().await
}

#[tokio::test]
async fn a_grant_that_is_wider_than_the_credential_carries_no_token_elsewhere() -> anyhow::Result<()> {
    let (own, other) = (sink().await?, sink().await?);
    let (port, other_port) = (own.addr.port(), other.addr.port());
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"http://localhost:{port}\"]\ntoken = \"${{secret:value}}\"\n");
    let hosts = [format!("http://localhost:{port}"), format!("http://localhost:{other_port}"), format!("http://127.0.0.1:{port}")];
    let grants = "credentials = [\"c\"]";
    let text = configuration(&hosts.join("\", \""), grants, &format!("{SCRIPT}{credential}"))
        .replace("\"127.0.0.0/8\"", "\"127.0.0.0/8\", \"::1/128\"");
    let folder = HostFolder::new(&text)?;
    folder.secret("value", VALUE)?;
    let host = folder.start().await?;
    for (number, (url, at, has_token)) in [
        (format!("http://localhost:{port}/a"), Some(&own), true),
        (format!("HTTP://LOCALHOST:{port}/b"), Some(&own), true),
        (format!("http://127.0.0.1:{port}/c"), Some(&own), false),
        (format!("http://2130706433:{port}/d"), Some(&own), false),
        (format!("http://localhost:{other_port}/e"), Some(&other), false),
        (format!("http://localhost.:{port}/f"), Some(&own), false),
        (format!("http://me:pw@localhost:{port}/g"), None, false),
        (format!("http://localhost:{port}@127.0.0.1:{port}/h"), None, false),
        (format!("http://x.localhost:{port}/i"), None, false),
        (format!("https://localhost:{port}/j"), None, false),
    ]
    .into_iter()
    .enumerate()
    {
        let before = at.map_or(0, |at| at.requests().len());
        let lines = json!([{ "do": "write", "name": "w", "url": url, "whatever": true }]);
        host.client.send_and_wait(&script(&number.to_string(), lines)).await?;
        let Some(at) = at else {
            assert!(own.requests().iter().chain(&other.requests()).all(|request| !request.path.ends_with(['g', 'h', 'i', 'j'])), "{url}");
            continue;
        };
        let requests = at.requests();
        // An absolute name with its dot is a host of its own, and may not be granted at all.
        if requests.len() == before {
            assert!(url.contains("localhost."), "{url} did not arrive");
            continue;
        }
        assert_eq!(requests[before].headers.contains_key("authorization"), has_token, "{url}");
    }
    host.kill().await
}

#[tokio::test]
async fn a_placeholder_is_filled_in_where_it_is_declared_and_text_of_others_gets_nothing() -> anyhow::Result<()> {
    let (own, foreign) = (sink().await?, sink().await?);
    let credential = format!(
        "[credentials.key]\ntype = \"placeholder\"\nhosts = [\"{}\"]\nvalue = \"${{secret:value}}\"\nin = [\"path\", \"body:auth\", \"query\"]\n",
        own.url()
    );
    let hosts = format!("{}\", \"{}", own.url(), foreign.url());
    let folder = HostFolder::new(&configuration(&hosts, "credentials = [\"key\"]", &format!("{SCRIPT}{credential}")))?;
    folder.secret("value", VALUE)?;
    let host = folder.start().await?;
    let written = "{{credential:key}}";
    let encoded = "s3cr3t%2F8Zt4%2Bhunter2%26Qw9%3D%3D";
    let lines = json!([
        { "do": "write", "name": "path", "url": format!("{}/rest/1/{written}/note", own.url()), "body": { "note": written } },
        { "do": "write", "name": "body", "url": format!("{}/b", own.url()), "body": { "auth": written, "note": written } },
        { "do": "write", "name": "foreign", "url": format!("{}/rest/{written}", foreign.url()), "body": { "auth": written } },
        { "do": "write", "name": "twice", "url": format!("{}/t?a={written}", own.url()), "body": { "auth": written }, "whatever": true },
    ]);
    let document = host.client.send_and_wait(&script("1", lines)).await?;
    let results = results(&document)?;
    assert!(results[3]["failure"].as_str().is_some_and(|why| why.contains("more than once")), "{results}");
    let bodies: Vec<Value> = own.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap_or_default()).collect();
    assert_eq!(own.requests().len(), 2, "what stands twice is not sent");
    assert_eq!(own.requests()[0].path, format!("/rest/1/{encoded}/note"));
    assert_eq!((&bodies[0], &bodies[1]), (&json!({ "note": written }), &json!({ "auth": VALUE, "note": written })));
    let elsewhere = &foreign.requests()[0];
    assert!(!elsewhere.path.contains("s3cr3t") && elsewhere.body.contains(written), "{elsewhere:?}");
    // The journal shows what the plugin wrote.
    assert!(document.to_string().contains("/rest/1/%7B%7Bcredential:key%7D%7D/note"), "{document:#}");
    for (place, text) in folder_texts(&folder, &host, &document).await? {
        assert_not_in(&text, VALUE, &place);
    }
    host.kill().await
}

#[tokio::test]
async fn a_secret_that_changes_between_attempts_makes_no_write_another_one() -> anyhow::Result<()> {
    let sink = sink().await?;
    let credential = format!(
        "[credentials.key]\ntype = \"placeholder\"\nhosts = [\"{url}\"]\nvalue = \"${{secret:value}}\"\nin = [\"path\", \"body\"]\n\
         [credentials.q]\ntype = \"query\"\nhosts = [\"{url}\"]\nname = \"k\"\nvalue = \"${{secret:value}}\"\n",
        url = sink.url()
    );
    // Long enough for the new value to count.
    let script_route = SCRIPT.replace("\"10ms\"", "\"6s\"");
    let text = configuration(&sink.url(), "credentials = [\"key\", \"q\"]", &format!("{script_route}{credential}"));
    let folder = HostFolder::new(&text)?;
    folder.secret("value", "first-value-1")?;
    let host = folder.start().await?;
    let url = format!("{}/w/{{{{credential:key}}}}", sink.url());
    sink.fault(Fault::once("/w/*", FaultAct::LoseAnswer));
    let eid = host.client.send(&script("1", json!([{ "do": "write", "url": url, "body": { "n": 1 } }]))).await?;
    let first = async {
        while sink.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), first).await?;
    folder.secret("value", "second-value-2")?;
    let document = host.client.until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    let requests = sink.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/w/first-value-1?k=first-value-1", "/w/second-value-2?k=second-value-2"]);
    assert_eq!(requests[0].headers["idempotency-key"], requests[1].headers["idempotency-key"]);
    host.kill().await
}

/// Starts a host with the strict vendor's refresh token and these routes.
async fn refreshing(store: TestStore, vendor: &Stand, routes: &str) -> anyhow::Result<HostFolder> {
    let keys = "type = \"oauth2-refresh-token\"\nrefresh-token = \"${secret:first}\"";
    let credential = oauth_credential("books", vendor, keys);
    let text = configuration(&vendor.url(), "credentials = [\"books\"]", &format!("{routes}{credential}"));
    let folder = HostFolder::on(store, &text)?;
    folder.secret("client", oauth::CLIENT_SECRET)?;
    folder.secret("first", oauth::REFRESH_TOKEN)?;
    Ok(folder)
}

/// The state of a credential at a host.
async fn state(client: &Client, name: &str) -> anyhow::Result<Value> {
    let listed = client.get("/v1/credentials").await?;
    let list = listed.json["credentials"].as_array().context("a list")?;
    list.iter().find(|credential| credential["name"] == name).cloned().with_context(|| format!("no credential {name}: {}", listed.text))
}
