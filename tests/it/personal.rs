//! Personal data: hidden from those who may not see it, found, given out, and erased so that no byte of it is left, while everything goes on.

mod aside;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::Saas;
use sangam_tests::morning::{CUSTOMERS, Morning};
use sangam_tests::{Client, Host, HostFolder, TestStore, company};
use serde_json::{Value, json};

use crate::scene::{configuration, event, script, sink};

/// Of one customer; each is looked for in all spellings.
const NAME: &str = "Ann Özdemir";
const EMAIL: &str = "ann.oezdemir@acme.example";
const PHONE: &str = "+49 30 1234567";
/// No part of it can stand in a UUID by chance.
const NUMBER: &str = "cust-17";
const ALL: [&str; 4] = [NAME, EMAIL, PHONE, NUMBER];

/// Of another one.
const OTHER: &str = "bob.stone@other.example";

const ROUTES: &str = r#"
[[events]]
type = "script"
schema = "schemas/script.json"
personal = [".data.echo.customer.phone"]

[[events]]
type = "child"
personal = [".data.echo.to"]

[[routes]]
name = "script"
on = { type = "script" }
order-by = ".event.data.echo.customer.id"
[[routes.steps]]
name = "run"
uses = "s.run"
record-reads = "7d"
retry = { max-attempts = 2, initial = "10ms", factor = 1, jitter = 0 }

[[routes]]
name = "child"
on = { type = ["child", "plain"] }
[[routes.steps]]
name = "run"
uses = "s.run"
"#;

fn schema() -> Value {
    let person = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "x-subject": true },
            "name": { "type": "string", "x-personal": true },
            "email": { "type": "string", "x-personal": true },
            "phone": { "type": "string" },
        },
    });
    json!({
        "type": "object",
        "required": ["lines"],
        "properties": {
            "lines": { "type": "array" },
            "echo": { "type": "object", "properties": { "customer": person.clone(), "technician": person, "notes": { "type": "string" } } },
        },
    })
}

/// A folder with that configuration and the schema that it names.
fn folder(text: &str) -> anyhow::Result<HostFolder> {
    let folder = HostFolder::new(text)?;
    std::fs::create_dir(folder.path().join("schemas"))?;
    std::fs::write(folder.path().join("schemas/script.json"), schema().to_string())?;
    Ok(folder)
}

fn ann() -> Value {
    json!({ "id": NUMBER, "name": NAME, "email": EMAIL, "phone": PHONE })
}

/// A script about a customer.
fn about(id: &str, customer: &Value, lines: Value) -> Value {
    event(id, "script", json!({ "lines": lines, "echo": { "customer": customer, "technician": { "id": "emp-1", "name": "Tom Field" } } }))
}

/// What the connectors of a customer's job do: write, read, log, remember, pass on.
fn job(sink: &str) -> Value {
    let mail: String = url_encoded(EMAIL);
    json!([
        { "do": "get", "key": format!("contact/{EMAIL}") },
        { "do": "write", "name": format!("contact/{EMAIL}"), "url": format!("{sink}/contacts?mail={mail}"), "body": { "displayName": NAME, "phone": PHONE } },
        { "do": "write", "url": format!("{sink}/notes"), "body": format!("{{\"text\": \"call {NAME}\"}}") },
        { "do": "read", "url": format!("{sink}/search/{}", url_encoded(NAME)) },
        { "do": "log", "key": format!("wrote {NAME} <{EMAIL}>") },
        { "do": "set", "key": format!("contact/{EMAIL}"), "value": "42" },
        { "do": "set", "key": "latest", "value": json!({ "who": NAME, "count": 3 }).to_string() },
        { "do": "emit", "key": "child", "body": { "lines": [], "echo": { "to": EMAIL } } },
    ])
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A text as it may stand in bytes.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let json = Value::from(text).to_string();
    let ascii: String = text.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    let plain = [text.to_owned(), json[1..json.len() - 1].to_owned(), ascii, url_encoded(text), url_encoded(text).to_lowercase()];
    let hex = text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    plain.into_iter().chain([hex]).map(String::into_bytes).collect()
}

/// Where one of the texts stands in bytes.
fn found(bytes: &[u8], texts: &[&str]) -> Option<String> {
    // A number is another one with a further digit.
    let ends = |end: usize| !bytes.get(end).is_some_and(u8::is_ascii_digit);
    let holds = |needle: &[u8]| bytes.windows(needle.len()).enumerate().any(|(at, window)| window == needle && ends(at + needle.len()));
    texts.iter().find(|text| spellings(text).iter().any(|needle| holds(needle))).map(|text| (*text).to_owned())
}

/// All files of the folder that the host or a store has written, and all rows of a server.
fn written(folder: &HostFolder) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut all = vec![("host.log".to_owned(), std::fs::read(folder.path().join("host.log"))?)];
    let mut folders = vec![folder.path().join("data")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    if let Some(database) = folder.database() {
        all.push(("the server's rows".to_owned(), database.dump()?.into_bytes()));
    }
    Ok(all)
}

pub fn nothing_is_left(folder: &HostFolder, texts: &[&str]) -> anyhow::Result<()> {
    for (name, bytes) in written(folder)? {
        ensure!(found(&bytes, texts).is_none(), "{:?} stands in {name}", found(&bytes, texts));
    }
    Ok(())
}

/// Every answer of the API about events.
async fn answers(client: &Client) -> anyhow::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    let list = client.get("/v1/events?limit=500").await?;
    for event in list.json["events"].as_array().context("a list")? {
        let path = format!("/v1/events/{}", event["eid"].as_str().context("an eid")?);
        all.push((path.clone(), client.get(&path).await?.text));
    }
    for path in [
        "/v1/events?limit=500",
        "/v1/dead-letters",
        "/v1/dead-letters/groups",
        "/v1/routes",
        "/v1/plugins",
        "/v1/data/erasures",
        "/metrics",
    ] {
        all.push((path.to_owned(), client.get(path).await?.text));
    }
    Ok(all)
}

/// The erasure once it is in that state.
pub async fn until(client: &Client, id: &str, state: &str) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let erasure = client.get(&format!("/v1/data/erasures/{id}")).await?.json;
            if erasure["state"] == state {
                return anyhow::Ok(erasure);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.with_context(|| format!("the erasure is not {state}"))?
}

async fn erase(client: &Client, body: &Value) -> anyhow::Result<String> {
    let asked = client.post("/v1/data/erase", body).await?;
    ensure!(asked.status == 202, "{}", asked.text);
    Ok(asked.json["erasure"].as_str().context("an erasure has an id")?.to_owned())
}

/// The lines of a search.
async fn lines(client: &Client, path: &str, body: &Value) -> anyhow::Result<Vec<Value>> {
    let answer = client.post(path, body).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    let lines = answer.text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    ensure!(lines.last().is_some_and(|line| line["kind"] == "end"), "it is not whole: {}", answer.text);
    Ok(lines)
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

fn verified(folder: &HostFolder) -> anyhow::Result<()> {
    let done = folder.run(&["store", "verify"], "")?;
    ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok(())
}

fn token(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<String> {
    let done = folder.run(&[&["token", "create"], arguments].concat(), "")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

fn with(host: &Host, token: &str) -> Client {
    let mut client = host.client.clone();
    client.token = Some(token.to_owned());
    client
}

#[tokio::test]
async fn no_byte_of_a_person_is_left_after_an_erasure_and_everything_goes_on() -> anyhow::Result<()> {
    let sink = sink().await?;
    let url = sink.url();
    let folder = folder(&configuration(&url, "emits = [\"child\"]", ROUTES))?;
    let host = folder.start().await?;
    let client = &host.client;
    let done = about("done", &ann(), job(&url));
    let done_eid = client.send(&done).await?;
    client.until(&done_eid, "succeeded").await?;
    let reason = format!("{NAME} has no account");
    let dead = about("dead", &ann(), json!([{ "do": "fail", "kind": "rejected", "key": reason }]));
    let dead_eid = client.send(&dead).await?;
    client.until(&dead_eid, "dead").await?;
    let bob = json!({ "id": "cust-171", "name": "Bob Stone", "email": OTHER });
    let others = about("bob", &bob, json!([{ "do": "write", "name": "x", "url": format!("{url}/bob"), "body": { "mail": OTHER } }]));
    let others_eid = client.send(&others).await?;
    client.until(&others_eid, "succeeded").await?;
    // Not hers by any mark, and it names her.
    let mention = event("mention", "plain", json!({ "lines": [], "echo": { "ref": NUMBER, "next": "cust-171" } }));
    let mention_eid = client.send(&mention).await?;
    client.until(&mention_eid, "succeeded").await?;
    // Its run goes on in a while.
    let later = json!([
        { "do": "fail", "kind": "rate-limited", "key": "later", "amount": 4000, "on": [1] },
        { "do": "write", "name": "late", "url": format!("{url}/late"), "body": { "mail": EMAIL } },
    ]);
    let later_eid = client.send(&about("later", &ann(), later)).await?;
    ensure!(found(&serde_json::to_vec(&client.event(&done_eid).await?)?, &ALL).is_some(), "the search can find");

    let whose = json!({ "subjects": [NUMBER] });
    let seen = lines(client, "/v1/data/find", &whose).await?;
    let events = of_kind(&seen, "event");
    let how = |eid: &str| events.iter().find(|event| event["eid"] == eid).map(|event| (event["how"].clone(), event["over"].clone()));
    assert_eq!(how(&done_eid), Some((json!("own"), json!(true))), "{seen:#?}");
    assert_eq!(how(&dead_eid), Some((json!("own"), json!(true))));
    assert_eq!(how(&later_eid), Some((json!("own"), json!(false))));
    assert_eq!(how(&mention_eid), Some((json!("mention"), json!(true))));
    assert_eq!(how(&others_eid), None, "another customer's");
    assert_eq!(events.iter().filter(|event| event["how"] == "caused").count(), 1, "the event that a step brought in");
    assert_eq!(of_kind(&seen, "key-value").len(), 2, "{seen:#?}");

    let exported = folder.run(&["data", "export", "--subject", NUMBER, "--output", "ann.ndjson", "--url", &client.url], "")?;
    ensure!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let export = std::fs::read_to_string(folder.path().join("ann.ndjson"))?;
    for text in [NAME, EMAIL, PHONE, "displayName", "has no account"] {
        ensure!(export.contains(text), "{text} is missing in {export}");
    }
    ensure!(!export.contains("Tom Field") && !export.contains(OTHER), "others' data is in {export}");
    std::fs::remove_file(folder.path().join("ann.ndjson"))?;

    let id = erase(client, &whose).await?;
    let waiting = until(client, &id, "waiting").await?;
    assert_eq!(waiting["waits_for"], json!([later_eid]), "{waiting:#}");
    let left = client.event(&later_eid).await?;
    ensure!(found(left.to_string().as_bytes(), &[EMAIL]).is_some(), "what has not ended is left whole: {left:#}");
    let over = client.event(&done_eid).await?;
    ensure!(found(over.to_string().as_bytes(), &ALL).is_none(), "what has ended is erased at once: {over:#}");

    client.until(&later_eid, "succeeded").await?;
    let late = sink.requests().into_iter().find(|request| request.path == "/late").context("the delivery was made")?;
    ensure!(late.body.contains(EMAIL), "and whole: {late:?}");
    let ended = until(client, &id, "done").await?;
    assert_eq!((&ended["events"], &ended["waiting"]), (&json!(5), &json!(0)), "{ended:#}");

    for (path, text) in answers(client).await? {
        ensure!(found(text.as_bytes(), &ALL).is_none(), "{:?} stands in {path}: {text}", found(text.as_bytes(), &ALL));
    }
    assert_eq!(of_kind(&lines(client, "/v1/data/find", &json!({ "subjects": ALL })).await?, "end")[0]["records"], 0);
    let untouched = client.event(&others_eid).await?;
    assert_eq!(untouched["event"]["data"], others["data"], "another customer's event is as it was");
    assert_eq!(client.event(&mention_eid).await?["event"]["data"]["echo"], json!({ "ref": "[erased]", "next": "cust-171" }));
    let echo = client.event(&done_eid).await?["event"]["data"]["echo"].clone();
    assert_eq!(echo["technician"]["name"], "Tom Field", "what is another's stays");

    let again = client.send_raw(&done, "").await?;
    assert_eq!(again.json["accepted"][0]["duplicate"], true, "its identity is remembered: {}", again.text);
    for eid in [&dead_eid, &done_eid] {
        let replay = client.post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
        ensure!(replay.status == 409 && replay.text.contains("was erased"), "{}", replay.text);
        let dry = client.post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start", "dry_run": true })).await?;
        ensure!(dry.status == 409, "{}", dry.text);
    }
    let bulk = client.post("/v1/dead-letters/replay", &json!({})).await?;
    ensure!(bulk.json["replays"] == json!([]) && bulk.text.contains("was erased"), "{}", bulk.text);
    let fresh = client.send_and_wait(&about("fresh", &bob, json!([{ "do": "get", "key": "latest" }]))).await?;
    assert_eq!(fresh["status"], "succeeded");
    assert_eq!(fresh["runs"][0]["steps"][0]["output"]["results"], json!([r#"{"count":3,"who":"[erased]"}"#]));
    // While the host runs, and after it.
    nothing_is_left(&folder, &ALL)?;
    host.terminate().await?;
    verified(&folder)?;
    nothing_is_left(&folder, &ALL)?;
    let all = written(&folder)?;
    ensure!(all.iter().any(|(_, bytes)| found(bytes, &[OTHER]).is_some()), "the search can find what is there");
    Ok(())
}

#[tokio::test]
async fn an_erasure_that_was_broken_off_by_a_crash_is_brought_to_its_end() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&configuration(&sink.url(), "emits = [\"child\"]", ROUTES))?;
    for (round, at) in ["erasing:2", "erased:3"].into_iter().enumerate() {
        let mut host = folder.start_with(&[("SANGAM_CRASH_AT", at)]).await?;
        for number in 0..4 {
            let event = about(&format!("{round}-{number}"), &ann(), job(&sink.url()));
            ensure!(host.client.send_and_wait(&event).await?["status"] == "succeeded");
        }
        let id = erase(&host.client, &json!({ "subjects": [NUMBER] })).await?;
        assert_eq!(host.died().await?, Some(9), "at {at}");
        let host = folder.start().await?;
        until(&host.client, &id, "done").await?;
        for (path, text) in answers(&host.client).await? {
            ensure!(found(text.as_bytes(), &ALL).is_none(), "after {at}: {:?} in {path}", found(text.as_bytes(), &ALL));
        }
        host.terminate().await?;
        verified(&folder)?;
        nothing_is_left(&folder, &ALL)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_marked_is_hidden_from_roles_that_may_not_see_it_and_a_search_does_not_tell() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = configuration(&sink.url(), "emits = [\"child\"]", ROUTES).replace("\"open\"", "\"tokens\"");
    let folder = folder(&text)?;
    let host = folder.start().await?;
    let admin = with(&host, &token(&folder, &[])?);
    let viewer = with(&host, &token(&folder, &["--role", "viewer"])?);
    let seeing = with(&host, &token(&folder, &["--role", "viewer", "--personal"])?);
    let operator = with(&host, &token(&folder, &["--role", "operator"])?);
    let sender = with(&host, &token(&folder, &["--role", "sender"])?);
    let marked = [NAME, EMAIL, PHONE, "Tom Field"];
    let hidden = |text: &str| found(text.as_bytes(), &marked).is_none();

    let waited = sender.send_raw(&about("done", &ann(), job(&sink.url())), "?wait=30s").await?;
    ensure!(waited.status == 200 && hidden(&waited.text) && waited.text.contains(NUMBER), "{}", waited.text);
    let eid = waited.json["events"][0]["eid"].as_str().context("an eid")?;
    let failing = json!([{ "do": "fail", "kind": "rejected", "key": format!("no account for {NAME}") }]);
    let dead = admin.send(&about("dead", &ann(), failing)).await?;
    admin.until(&dead, "dead").await?;
    for path in [
        format!("/v1/events/{eid}"),
        format!("/v1/events/{dead}"),
        "/v1/events".to_owned(),
        "/v1/dead-letters".to_owned(),
        "/v1/dead-letters/groups".to_owned(),
    ] {
        for client in [&viewer, &operator] {
            let answer = client.get(&path).await?;
            ensure!(answer.status == 200 && hidden(&answer.text), "{path}: {}", answer.text);
        }
        for client in [&admin, &seeing] {
            let answer = client.get(&path).await?;
            ensure!(!hidden(&answer.text), "{path}: {}", answer.text);
        }
    }
    let dry = json!({ "from": "start", "dry_run": true });
    let tried = operator.post(&format!("/v1/events/{eid}/replay"), &dry).await?;
    ensure!(tried.status == 200 && hidden(&tried.text), "{}", tried.text);
    ensure!(!hidden(&admin.post(&format!("/v1/events/{eid}/replay"), &dry).await?.text));

    // A search finds what is seen, and says of nothing else whether it is there.
    let search = |what: &str, text: &str| format!("/v1/{what}?limit=1&q={}", url_encoded(text));
    for what in ["events", "dead-letters"] {
        let nowhere = viewer.get(&search(what, "not in any event")).await?.text;
        for text in [NAME, EMAIL, PHONE] {
            assert_eq!(viewer.get(&search(what, text)).await?.text, nowhere, "{what} {text}");
            ensure!(what == "dead-letters" || seeing.get(&search(what, text)).await?.text != nowhere);
        }
        let own = viewer.get(&search(what, NUMBER)).await?.json;
        assert_eq!(own[what.replace('-', "_").as_str()].as_array().map(Vec::len), Some(1), "{own}");
    }
    let bulk = operator.post("/v1/dead-letters/replay", &json!({ "q": NAME })).await?;
    ensure!(bulk.status == 403, "{}", bulk.text);
    ensure!(operator.get(&format!("/v1/dead-letters/groups?q={}", url_encoded(NAME))).await?.status == 403);
    // Nor may they ask for it.
    for path in ["/v1/data/find", "/v1/data/export", "/v1/data/erase"] {
        assert_eq!(operator.post(path, &json!({ "subjects": [NUMBER] })).await?.status, 403, "{path}");
    }
    assert_eq!(operator.post(&format!("/v1/events/{eid}/erase"), &json!({})).await?.status, 403);

    // The marks of its own configuration count on, also when their file has changed or gone, and the present one marks nothing.
    std::fs::remove_file(folder.path().join("schemas/script.json"))?;
    folder.configure(&text.replace(&ROUTES[..ROUTES.find("[[routes]]").context("routes")?], ""))?;
    ensure!(admin.post("/v1/reload", &json!({})).await?.status == 200);
    host.terminate().await?;
    // Who saw marked fields is on record, with the events, and who saw none is not. A host that stops loses nothing of it.
    let exported = folder.run(&["audit", "export"], "")?;
    let text = String::from_utf8(exported.stdout)?;
    let entries: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let readings: Vec<&Value> = entries.iter().filter(|entry| entry["action"] == "data.read").collect();
    let readers: BTreeSet<&str> = readings.iter().filter_map(|entry| entry["actor"]["id"].as_str()).collect();
    assert_eq!(readers.len(), 2, "administrator and the viewer who may: {readings:#?}");
    for reader in &readers {
        let seen = |eid: &str| {
            let theirs = readings.iter().filter(|entry| entry["actor"]["id"] == *reader);
            theirs.flat_map(|entry| entry["details"]["events"].as_array()).flatten().any(|seen| seen == eid)
        };
        ensure!(seen(eid) && seen(&dead), "{reader}: {readings:#?}");
    }
    ensure!(hidden(&text), "a person's data is in the audit log");
    let host = folder.start().await?;
    let answer = with(&host, viewer.token.as_deref().unwrap_or("")).get(&format!("/v1/events/{eid}")).await?;
    ensure!(answer.status == 200 && hidden(&answer.text), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn an_event_that_does_not_fit_its_schema_is_refused_with_the_place() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&configuration(&sink.url(), "emits = [\"script\"]", ROUTES))?;
    let host = folder.start().await?;
    let client = &host.client;
    let wrong = about("wrong", &json!({ "id": NUMBER, "email": 7 }), json!([]));
    let refused = client.send_raw(&wrong, "").await?;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.json["errors"][0]["pointer"], "/data/echo/customer/email", "{}", refused.text);
    ensure!(!refused.text.contains('7') || !refused.json["detail"].to_string().contains('7'), "no value is quoted: {}", refused.text);
    let batch = client.send_raw(&json!([script("right", json!([])), wrong, event("also", "script", json!("text"))]), "").await?;
    assert_eq!((batch.status, &batch.json["errors"][0]["index"], &batch.json["errors"][1]["index"]), (422, &json!(1), &json!(2)));
    assert_eq!(client.get("/v1/events").await?.json["events"], json!([]), "a batch is refused whole");
    let bytes = client
        .ask(
            reqwest::Method::POST,
            "/v1/events",
            &[
                ("ce-specversion", "1.0"),
                ("ce-id", "b"),
                ("ce-source", "/b"),
                ("ce-type", "script"),
                ("content-type", "application/octet-stream"),
            ],
            vec![0xff, 0],
        )
        .await?;
    assert_eq!(bytes.status, 422, "{}", bytes.text);
    // A plugin's events too.
    let emits = script("emits", json!([{ "do": "emit", "key": "script", "body": { "no": "lines" } }]));
    let document = client.send_and_wait(&emits).await?;
    assert_eq!(document["status"], "dead");
    ensure!(document["status_reason"].to_string().contains("`lines` is missing"), "{document:#}");
    Ok(())
}

#[tokio::test]
async fn one_event_is_erased_whole_and_its_runs_are_cancelled_if_asked() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&configuration(&sink.url(), "", ROUTES))?;
    let host = folder.start().await?;
    let client = &host.client;
    let waits = json!([{ "do": "write", "name": EMAIL, "url": format!("{}/x", sink.url()), "body": { "n": NAME } }, { "do": "fail", "kind": "rate-limited", "key": "later", "amount": 3_600_000 }]);
    let eid = client.send(&about("one", &ann(), waits)).await?;
    let behind = client.send(&about("two", &ann(), json!([]))).await?;
    while sink.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ensure!(!folder.run(&["events", "erase", &eid, "--url", &client.url], "")?.status.success(), "it asks first");
    let done = folder.run(&["events", "erase", &eid, "--cancel", "--yes", "--url", &client.url], "")?;
    ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let document = client.event(&eid).await?;
    assert_eq!(document["event"], json!({ "specversion": "1.0", "id": "one", "source": "/test", "type": "script", "data": "[erased]" }));
    ensure!(document["erased_at"].is_string() && document["status"] == "cancelled", "{document:#}");
    ensure!(found(document.to_string().as_bytes(), &ALL).is_none(), "{document:#}");
    // The order that it kept goes on.
    ensure!(found(client.until(&behind, "succeeded").await?.to_string().as_bytes(), &ALL).is_some(), "the other one is as it was");
    let unknown = client.post("/v1/events/0190/erase", &json!({})).await?;
    assert_eq!(unknown.status, 404);
    host.terminate().await?;
    verified(&folder)
}

/// The demo's job, with its customer marked by the configuration.
#[tokio::test]
async fn a_customer_who_went_through_four_systems_is_erased_here() -> anyhow::Result<()> {
    let marks = "\n[[events]]\ntype = \"job.completed\"\npersonal = [\".data.customer.name\", \".data.customer.email\"]\nsubject = [\".data.customer.email\", \".data.technician.id\"]\n";
    let saas = Saas::start().await?;
    let folder = company::folder(&saas, &format!("{}{marks}", company::CONFIGURATION))?;
    let morning = Morning::open(&saas, 7001, "2026-11-16").await?;
    let host = folder.start().await?;
    for index in [0, 1] {
        let document = host.client.send_and_wait(&morning.event(index)).await?;
        ensure!(document["status"] == "succeeded", "{document:#}");
    }
    let (name, email) = CUSTOMERS[0];
    let exported = folder.run(&["data", "export", "--subject", email, "--url", &host.client.url], "")?;
    let export = String::from_utf8(exported.stdout)?;
    ensure!(exported.status.success() && export.contains(email) && export.contains("DisplayName"), "{export}");
    for secret in ["hs-token", "qbo-secret", "qbo-refresh", "hr-token", "PRIVATE KEY", "Bearer "] {
        ensure!(!export.contains(secret), "{secret} is in the export");
    }
    let tried = folder.run(&["data", "erase", "--subject", email, "--dry-run", "--url", &host.client.url], "")?;
    ensure!(String::from_utf8_lossy(&tried.stdout).contains("would be erased: 1 events"), "{tried:?}");
    let refused = folder.run(&["data", "erase", "--subject", email, "--url", &host.client.url], "")?;
    assert_eq!(refused.status.code(), Some(2), "nobody was there to say yes");
    let done = folder.run(&["data", "erase", "--subject", "-", "--yes", "--url", &host.client.url], &format!("{email}\n"))?;
    ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    for (path, text) in answers(&host.client).await? {
        ensure!(found(text.as_bytes(), &[name, email]).is_none(), "{path}: {text}");
        ensure!(
            !path.starts_with("/v1/events/") || text.contains(&format!("\"{}", morning.job_id(0))) || text.contains(CUSTOMERS[1].0),
            "{path}: {text}"
        );
    }
    // Deliveries go on: the same customer's next job.
    let document = host.client.send_and_wait(&morning.event(6)).await?;
    ensure!(document["status"] == "succeeded", "{document:#}");
    let id = erase(&host.client, &json!({ "subjects": [email] })).await?;
    until(&host.client, &id, "done").await?;
    host.terminate().await?;
    verified(&folder)?;
    nothing_is_left(&folder, &[name, email])
}

#[tokio::test]
async fn a_route_keeps_its_events_as_long_as_it_says() -> anyhow::Result<()> {
    const KEEPING: &str = r#"
[[routes]]
name = "short"
on = { type = ["short", "both"] }
retention = "1d"
dead-letter-retention = "2d"
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 1 }
[[routes]]
name = "long"
on = { type = ["long", "both"] }
retention = "60d"
[[routes.steps]]
name = "run"
uses = "s.run"
"#;
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", KEEPING))?;
    let host = folder.start().await?;
    let mut eids = Vec::new();
    for kind in ["short", "long", "both", "nobody"] {
        eids.push(host.client.send_and_wait(&event(kind, kind, json!({ "lines": [] }))).await?["eid"].as_str().unwrap_or("").to_owned());
    }
    let dead = event("dead", "short", json!({ "lines": [{ "do": "fail", "kind": "rejected", "key": "never" }] }));
    eids.push(host.client.send_and_wait(&dead).await?["eid"].as_str().unwrap_or("").to_owned());
    host.terminate().await?;
    // By then: what is still there of short, long, both, nobody, and the dead letter.
    for (ahead, there) in [("36h", [0, 1, 1, 1, 1]), ("3d", [0, 1, 1, 1, 0]), ("40d", [0, 1, 1, 0, 0]), ("61d", [0, 0, 0, 0, 0])] {
        let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", ahead)]).await?;
        let look = async {
            loop {
                let mut present = [0; 5];
                for (place, eid) in present.iter_mut().zip(&eids) {
                    *place = i32::from(host.client.get(&format!("/v1/events/{eid}")).await?.status == 200);
                }
                if present == there {
                    return anyhow::Ok(());
                }
                ensure!(present.iter().zip(there).all(|(is, should)| *is >= should), "after {ahead}: {present:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look)
            .await
            .with_context(|| format!("after {ahead} something is kept too long"))??;
        host.terminate().await?;
    }
    if TestStore::wanted()? == TestStore::Sqlite {
        verified(&folder)?;
    }
    Ok(())
}
