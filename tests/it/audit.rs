//! The audit log: everything that changes something is on record, and whoever changes the record is found out.

use std::process::Output;

use anyhow::Context as _;
use sangam_tests::{Hand, HostFolder};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, script, sink};

/// What a verb that must succeed prints.
fn said(done: &Output) -> anyhow::Result<String> {
    anyhow::ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// What a verb that must fail says.
fn refused(done: &Output) -> anyhow::Result<String> {
    anyhow::ensure!(done.status.code() == Some(1), "it did not fail: {}", String::from_utf8_lossy(&done.stdout));
    Ok(String::from_utf8_lossy(&done.stderr).into_owned())
}

/// All entries, oldest first, as `export` writes them.
fn exported(folder: &HostFolder) -> anyhow::Result<Vec<Value>> {
    let text = said(&folder.run(&["audit", "export"], "")?)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// An entry of an action.
fn entry<'a>(entries: &'a [Value], action: &str) -> anyhow::Result<&'a Value> {
    entries.iter().find(|entry| entry["action"] == action).ok_or_else(|| anyhow::anyhow!("no entry {action} in {entries:#?}"))
}

/// A folder with a host's own configuration and some acts on record.
async fn folder_with_acts() -> anyhow::Result<HostFolder> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT))?;
    for number in 1..=6 {
        folder.secret(&format!("secret-{number}"), &format!("value-{number}"))?;
    }
    Ok(folder)
}

#[tokio::test]
async fn acts_are_on_record_with_who_did_them_and_from_where() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", SCRIPT).replace("access = \"open\"", "access = \"tokens\"");
    let folder = HostFolder::new(&text)?;
    let make = |name: &str, role: &str| said(&folder.run(&["token", "create", "--name", name, "--role", role], "")?);
    let (admin, viewer) = (make("anna", "admin")?, make("vera", "viewer")?);
    folder.secret("crm", "s3cr3t")?;
    let mut host = folder.start().await?;
    let anonymous = host.client.clone();
    host.client.token = Some(admin.trim().to_owned());

    sink.fault(sangam_saas::Fault {
        times: 3,
        ..sangam_saas::Fault::once("/dead", sangam_saas::FaultAct::Status { status: 400, headers: [].into(), body: String::new() })
    });
    let event =
        host.client.send_and_wait(&script("dead", json!([{ "do": "write", "name": "w", "url": format!("{}/dead", sink.url()) }]))).await?;
    let eid = event["eid"].as_str().unwrap_or_default().to_owned();
    assert_eq!(event["status"], "dead", "{event:#}");
    assert_eq!(host.client.post(&format!("/v1/events/{eid}/replay"), &json!({ "dry_run": true, "reads": "live" })).await?.status, 200);
    assert_eq!(host.client.post(&format!("/v1/events/{eid}/replay"), &json!({})).await?.status, 200);
    host.client.until(&eid, "dead").await?;
    assert_eq!(host.client.post("/v1/dead-letters/replay", &json!({ "route": "script" })).await?.status, 200);
    host.client.until(&eid, "dead").await?;
    folder.configure(&text.replace("name = \"script\"", "name = \"renamed\""))?;
    assert_eq!(host.client.post("/v1/reload", &json!({})).await?.status, 200);
    for _ in 0..3 {
        assert_eq!(anonymous.get("/v1/events").await?.status, 401);
    }
    let mut seer = host.client.clone();
    seer.token = Some(viewer.trim().to_owned());
    assert_eq!(seer.get("/v1/audit").await?.status, 403, "only administrators look at it");
    let listed: Value = serde_json::from_str(&said(&folder.run(&["token", "list", "--json"], "")?)?)?;
    let id = |name: &str| {
        let tokens = listed["tokens"].as_array().cloned().unwrap_or_default();
        tokens.iter().find(|token| token["name"] == name).map(|token| token["id"].clone()).unwrap_or_default()
    };
    said(&folder.run(&["token", "revoke", id("vera").as_str().unwrap_or_default()], "")?)?;
    said(&folder.run(&["secret", "remove", "crm"], "")?)?;
    assert_eq!(folder.run(&["secret", "remove", "crm"], "")?.status.code(), Some(1));

    // Refused requests are put on record together, within seconds.
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while host.client.get("/v1/audit?action=access.refused").await?.json["entries"].as_array().is_none_or(Vec::is_empty) {
        anyhow::ensure!(tokio::time::Instant::now() < end, "refused requests are not on record");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let page = host.client.get("/v1/audit?limit=2").await?.json;
    let cursor = page["next_cursor"].as_str().unwrap_or_default();
    let next = host.client.get(&format!("/v1/audit?limit=2&cursor={cursor}")).await?.json;
    assert_eq!(page["entries"][1]["seq"].as_i64(), next["entries"][0]["seq"].as_i64().map(|seq| seq + 1));
    assert_eq!(host.client.get("/v1/audit?since=yesterday").await?.status, 400);
    let actions = host.client.get("/v1/audit/actions").await?.json["actions"].clone();
    assert!(actions.as_array().is_some_and(|actions| actions.contains(&json!("dead-letters.replayed"))), "{actions}");
    // Those of the last moment before a stop, too.
    assert_eq!(anonymous.get("/v1/events").await?.status, 401);
    assert_eq!(host.terminate().await?, Some(0));

    let entries = exported(&folder)?;
    let refused: Vec<u64> = entries.iter().filter_map(|entry| entry["details"]["requests"]["127.0.0.1"].as_u64()).collect();
    assert_eq!(refused.iter().sum::<u64>(), 5, "four without a token, one without the role: {refused:?}");
    let of = |action: &str| entry(&entries, action);
    let by_anna = json!({ "kind": "token", "id": id("anna"), "name": "anna" });
    for action in ["event.dry-run", "event.replayed"] {
        assert_eq!((&of(action)?["actor"], &of(action)?["from"], &of(action)?["object"]), (&by_anna, &json!("127.0.0.1"), &json!(eid)));
    }
    assert_eq!(of("event.replayed")?["details"]["count"], 1);
    assert_eq!((&of("dead-letters.replayed")?["actor"], &of("dead-letters.replayed")?["object"]), (&by_anna, &json!("script")));
    let applied: Vec<&Value> = entries.iter().filter(|entry| entry["action"] == "configuration.applied").collect();
    assert_eq!((applied.len(), &applied[0]["actor"]["kind"], &applied[1]["actor"]), (2, &json!("host"), &by_anna));
    assert!(applied[1]["details"]["digest"].as_str().is_some_and(|digest| digest.len() >= 64), "{applied:#?}");
    for (action, object) in
        [("token.created", id("anna")), ("token.revoked", id("vera")), ("secret.set", json!("crm")), ("secret.removed", json!("crm"))]
    {
        assert_eq!((&of(action)?["object"], &of(action)?["actor"]["kind"]), (&object, &json!("shell")), "{action}");
        assert!(of(action)?["from"].as_str().is_some_and(|machine| !machine.is_empty()), "{action}");
    }
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "secret.removed").count(), 1, "what changed nothing is not on record");
    for action in ["host.started", "host.stopped", "audit.exported"] {
        of(action)?;
    }
    let all = json!(entries).to_string();
    assert!(!all.contains("s3cr3t") && !all.contains(admin.trim()), "a secret is on record");
    said(&folder.run(&["audit", "verify"], "")?)?;
    Ok(())
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_record() -> anyhow::Result<()> {
    let folder = folder_with_acts().await?;
    let mut hand = Hand::into(&folder).await?;
    for statement in ["update audit set object = 'x' where seq = 2", "delete from audit where seq = 2", "delete from audit"] {
        let error = hand.run(statement).await.expect_err(statement).to_string();
        assert!(error.contains("the audit log is append-only"), "{error}");
    }
    said(&folder.run(&["audit", "verify"], "")?)?;
    Ok(())
}

#[tokio::test]
async fn whoever_changes_the_record_by_hand_is_found_out_at_the_first_bad_entry() -> anyhow::Result<()> {
    const COLUMNS: &str = "at, actor_kind, actor_id, actor_name, origin, action, object, details, previous, hash, signature";
    let moved = String::from(
        "create table kept as select * from audit; \
         update audit set object = (select object from kept where seq = 5), hash = 'x' where seq = 3; \
         update audit set object = (select object from kept where seq = 3) where seq = 5; drop table kept",
    );
    let added = format!(
        "insert into audit (seq, {COLUMNS}) select 7, at, actor_kind, actor_id, actor_name, origin, action, 'mine', details, hash, \
         '{:064}', signature from audit where seq = 6",
        1
    );
    let attacks = [
        ("edited", "update audit set object = 'other' where seq = 3", "entry 3 was changed"),
        ("said to be somebody else's", "update audit set actor_name = 'eve', actor_id = '7' where seq = 4", "entry 4 was changed"),
        ("made unreadable", "update audit set details = 'no JSON' where seq = 4", "entry 4 was changed"),
        ("removed", "delete from audit where seq = 3", "entry 3 is missing: entry 4"),
        ("all removed", "delete from audit", "the end was cut off"),
        ("all removed, with the end", "delete from audit; delete from meta where key = 'audit-head'", "the anchor"),
        ("moved", &moved, "entry 3 was changed"),
        ("put in", &added, "entry 7 was changed"),
        ("cut", "delete from audit where seq > 4", "the end was cut off: the log ends with entry 4, its signed head is entry 6"),
        (
            "cut, with the end",
            "delete from audit where seq > 4; delete from meta where key = 'audit-head'",
            "the signed head of the log is missing",
        ),
    ];
    for (name, statements, expected) in attacks {
        let folder = folder_with_acts().await?;
        let before: Value = serde_json::from_str(&said(&folder.run(&["audit", "verify", "--json"], "")?)?)?;
        assert_eq!(before["entries"], 6, "{name}");
        let mut hand = Hand::into(&folder).await?;
        hand.disarm().await?;
        hand.run(statements).await?;
        let anchor = before["head"].as_str().unwrap_or_default();
        let said = refused(&folder.run(&["audit", "verify", "--anchor", anchor], "")?).with_context(|| name.to_owned())?;
        let expected = if expected == "the anchor" { "no entry has the hash that was kept as anchor" } else { expected };
        assert!(said.contains(expected), "{name}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn an_older_state_of_the_log_is_known_by_an_anchor_that_was_kept_elsewhere() -> anyhow::Result<()> {
    let folder = folder_with_acts().await?;
    let mut hand = Hand::into(&folder).await?;
    hand.run("create table kept as select * from meta where key = 'audit-head'").await?;
    folder.secret("secret-7", "value-7")?;
    let before: Value = serde_json::from_str(&said(&folder.run(&["audit", "verify", "--json"], "")?)?)?;
    hand.disarm().await?;
    hand.run("delete from audit where seq > 6; update meta set value = (select value from kept) where key = 'audit-head'").await?;
    // By itself it is what it was then.
    said(&folder.run(&["audit", "verify"], "")?)?;
    let anchor = before["head"].as_str().unwrap_or_default();
    assert!(refused(&folder.run(&["audit", "verify", "--anchor", anchor], "")?)?.contains("kept as anchor"));
    Ok(())
}

#[tokio::test]
async fn an_entry_of_another_history_of_the_same_store_does_not_fit_in() -> anyhow::Result<()> {
    let folder = folder_with_acts().await?;
    let mut hand = Hand::into(&folder).await?;
    hand.run("create table kept as select * from audit where seq = 6").await?;
    hand.disarm().await?;
    // The store as it was before its sixth act; then it goes on otherwise.
    hand.run("delete from audit where seq = 6; delete from meta where key = 'audit-head'").await?;
    for name in ["otherwise", "and-on"] {
        folder.secret(name, "value")?;
    }
    said(&folder.run(&["audit", "verify"], "")?)?;
    // The sixth act of the first history is signed, whole, and in its place.
    hand.run("delete from audit where seq = 6; insert into audit select * from kept; drop table kept").await?;
    let said = refused(&folder.run(&["audit", "verify"], "")?)?;
    assert!(said.contains("entry 7"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_export_verifies_without_the_store_by_its_public_key_alone() -> anyhow::Result<()> {
    let folder = folder_with_acts().await?;
    let known: Value = serde_json::from_str(&said(&folder.run(&["audit", "verify", "--json"], "")?)?)?;
    let text = said(&folder.run(&["audit", "export"], "")?)?;
    // An auditor's folder: no configuration, no store, no key.
    let elsewhere = tempfile::tempdir()?;
    let (file, key) = (elsewhere.path().join("audit.ndjson"), known["key"].as_str().unwrap_or_default());
    let verify = || folder.run(&["audit", "verify", &file.display().to_string(), "--key", key, "--config", "/nowhere"], "");
    std::fs::write(&file, &text)?;
    assert!(said(&verify()?)?.contains("7 entries"));
    for (changed, expected) in [
        (text.replacen("secret-3", "secret-4", 1), "entry 3 was changed"),
        (text.replacen("\"seq\":2", "\"more\":1,\"seq\":2", 1), "line 2 is not an entry"),
        (text.lines().skip(1).collect::<Vec<_>>().join("\n"), "entry 1 is missing"),
    ] {
        std::fs::write(&file, changed)?;
        let said = refused(&verify()?)?;
        assert!(said.contains(expected), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn hosts_and_people_that_act_at_the_same_time_write_one_chain() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let acts = 12;
    let tasks: Vec<_> = (0..acts)
        .map(|number| {
            let client = scene.client().clone();
            tokio::spawn(async move {
                let event = client.send_and_wait(&script(&format!("e{number}"), json!([]))).await?;
                let eid = event["eid"].as_str().unwrap_or_default().to_owned();
                client.post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await
            })
        })
        .collect();
    for number in 0..4 {
        scene.folder.secret(&format!("s{number}"), "value")?;
    }
    for task in tasks {
        let answer = task.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    said(&scene.folder.run(&["audit", "verify"], "")?)?;
    let entries = exported(&scene.folder)?;
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "event.replayed").count(), acts);
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "secret.set").count(), 4);
    Ok(())
}
