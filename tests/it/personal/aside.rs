//! Personal data beside events: what a source set aside, and an erasure while hosts that share a store are at work.

use anyhow::ensure;
use reqwest::Method;
use sangam_tests::{Client, Hand, HostFolder, TestStore, postgres};
use serde_json::{Value, json};

use super::{
    ALL, EMAIL, NAME, NUMBER, OTHER, ROUTES, about, ann, erase, found, job, lines, nothing_is_left, of_kind, schema, until, verified,
};
use crate::scene::{configuration, event, sink};

const SOURCE: &str = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[[sources]]\nname = \"crm\"\ntype = \"webhook\"\nverify = \"none\"\n\
                      event = { type = \"${ .body.kind }\", data = \"${ .body }\" }\n";

/// What the source has set aside.
async fn aside(client: &Client) -> anyhow::Result<Vec<Value>> {
    Ok(client.get("/v1/sources/crm/set-aside").await?.json["set_aside"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn what_a_source_set_aside_is_found_given_out_and_erased_with_the_rest() -> anyhow::Result<()> {
    let folder = HostFolder::new(SOURCE)?;
    let host = folder.start().await?;
    let client = &host.client;
    let post = async |path: &str, kind: &str, body: String| {
        let answer = client.ask(Method::POST, path, &[("content-type", kind)], body.into_bytes()).await?;
        ensure!(answer.status == 200, "{}", answer.text);
        Ok(())
    };
    // Nothing says of which type these are. In the first she stands in the body, in the second in a form, in the third beside the body.
    post("/hooks/crm", "application/json", json!({ "customer": { "number": NUMBER, "email": EMAIL, "name": NAME } }).to_string()).await?;
    post("/hooks/crm", "application/x-www-form-urlencoded", format!("number={NUMBER}&mail={}", EMAIL.replace('@', "%40"))).await?;
    post(&format!("/hooks/crm?customer={NUMBER}"), "application/json", json!({ "note": "rang twice" }).to_string()).await?;
    post("/hooks/crm", "application/json", json!({ "customer": { "number": "cust-171", "email": OTHER } }).to_string()).await?;
    ensure!(aside(client).await?.len() == 4, "{:#?}", aside(client).await?);

    let whose = json!({ "subjects": [NUMBER] });
    let seen = lines(client, "/v1/data/find", &whose).await?;
    assert_eq!(of_kind(&seen, "set-aside").len(), 3, "{seen:#?}");
    let exported = lines(client, "/v1/data/export", &whose).await?;
    let exported = of_kind(&exported, "set-aside").iter().map(|line| line.to_string()).collect::<String>();
    for text in [NAME, EMAIL, "rang twice"] {
        ensure!(exported.contains(text), "{text} is missing in {exported}");
    }
    ensure!(!exported.contains(OTHER), "another's is in {exported}");
    let told = folder.run(&["data", "erase", "--subject", NUMBER, "--dry-run", "--url", &client.url], "")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    ensure!(told.contains("3 things that sources set aside"), "{told}");

    let id = erase(client, &whose).await?;
    let ended = until(client, &id, "done").await?;
    assert_eq!(ended["set_aside"], 3, "{ended:#}");
    let left = aside(client).await?;
    assert_eq!(left.len(), 1, "{left:#?}");
    nothing_is_left(&folder, &ALL)?;
    ensure!(found(&client.get("/v1/sources/crm/set-aside").await?.text.into_bytes(), &[OTHER]).is_some(), "another's is as it was");
    host.terminate().await?;
    nothing_is_left(&folder, &ALL)?;
    Ok(())
}

#[tokio::test]
async fn an_erasure_while_two_hosts_are_at_work_erases_all_that_came_before_it_and_disturbs_nobody() -> anyhow::Result<()> {
    const EACH: usize = 25;
    const SENDERS: usize = 4;
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let url = sink.url();
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&url, "emits = [\"child\"]", ROUTES))?;
    std::fs::create_dir(folder.path().join("schemas"))?;
    std::fs::write(folder.path().join("schemas/script.json"), schema().to_string())?;
    let (one, two) = (folder.start().await?, folder.start().await?);
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let (client, asked) = ([&one, &two][sender % 2].client.clone(), asked.clone());
        let (url, bob) = (url.clone(), json!({ "id": format!("cust-9{sender}"), "name": "Bob Stone", "email": OTHER }));
        senders.spawn(async move {
            let (mut before, mut others) = (Vec::new(), Vec::new());
            for number in 0..EACH {
                let hers = client.send(&about(&format!("ann-{sender}-{number}"), &ann(), job(&url))).await?;
                // Answered before anybody asked: it is meant. One in between may be or not.
                if !asked.load(std::sync::atomic::Ordering::SeqCst) {
                    before.push(hers);
                }
                let write = json!([{ "do": "write", "name": "x", "url": format!("{url}/bob"), "body": { "mail": OTHER } }]);
                others.push(client.send(&about(&format!("bob-{sender}-{number}"), &bob, write)).await?);
            }
            anyhow::Ok((before, others))
        });
    }
    // In the middle of it, at the other host than most of its events came in.
    while sink.state()["by_path"]["/bob"].as_u64().unwrap_or(0) < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    asked.store(true, std::sync::atomic::Ordering::SeqCst);
    let id = erase(&two.client, &json!({ "subjects": [NUMBER] })).await?;
    let (mut before, mut others) = (Vec::new(), Vec::new());
    while let Some(sent) = senders.join_next().await {
        let (hers, theirs) = sent??;
        before.extend(hers);
        others.extend(theirs);
    }
    ensure!(!before.is_empty() && before.len() < EACH * SENDERS, "it was asked for in the middle: {} came before", before.len());
    let ended = until(&one.client, &id, "done").await?;
    ensure!(ended["events"].as_u64() >= Some(before.len() as u64), "{ended:#}");
    for eid in &before {
        let document = one.client.event(eid).await?;
        ensure!(document["status"] == "succeeded", "erased only when it has ended: {document:#}");
        ensure!(found(document.to_string().as_bytes(), &ALL).is_none(), "{document:#}");
    }
    for eid in &others {
        let document = two.client.until(eid, "succeeded").await?;
        assert_eq!(document["event"]["data"]["echo"]["customer"]["email"], OTHER, "another customer's");
    }
    // What came after it is erased by the next one; then nothing of her is left, and every delivery was made, once.
    let id = erase(&one.client, &json!({ "subjects": [NUMBER] })).await?;
    until(&two.client, &id, "done").await?;
    assert_eq!((sink.state()["by_path"]["/bob"].as_u64(), sink.state()["by_path"]["/notes"].as_u64()), (Some(100), Some(100)));
    one.terminate().await?;
    two.terminate().await?;
    verified(&folder)?;
    nothing_is_left(&folder, &ALL)?;
    Ok(())
}

#[tokio::test]
async fn what_an_erasure_is_to_erase_can_not_be_swapped_by_hand_with_anothers() -> anyhow::Result<()> {
    const ROUTE: &str = "[[routes]]\nname = \"r\"\non = { type = \"visit\" }\n[[routes.steps]]\nname = \"wait\"\nuses = \"sangam.wait\"\nwith = { for = \"30d\" }\n";
    let folder = HostFolder::new(&format!("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{ROUTE}"))?;
    let host = folder.start().await?;
    // Each waits for the run of its person's event.
    let (mut eids, mut ids) = (Vec::new(), Vec::new());
    for (id, text) in [("a", EMAIL), ("b", OTHER)] {
        eids.push(host.client.send(&event(id, "visit", json!({ "mail": text }))).await?);
        host.client.until(&eids[eids.len() - 1], "waiting").await?;
        ids.push(erase(&host.client, &json!({ "subjects": [text] })).await?);
        until(&host.client, &ids[ids.len() - 1], "waiting").await?;
    }
    host.terminate().await?;
    let mut hand = Hand::into(&folder).await?;
    hand.run("create table kept as select id, sealed from erasure; update erasure set sealed = (select sealed from kept where kept.id <> erasure.id); drop table kept").await?;
    drop(hand);
    let host = folder.start().await?;
    for (id, eid) in ids.iter().zip(&eids) {
        let cancelled = host.client.post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
        ensure!(cancelled.status == 200, "{}", cancelled.text);
        let ended = until(&host.client, id, "done").await?;
        ensure!(ended["note"].as_str().is_some_and(|note| note.contains("ask for it again")) && ended["events"] == 0, "{ended:#}");
    }
    for (eid, text) in eids.iter().zip([EMAIL, OTHER]) {
        assert_eq!(host.client.event(eid).await?["event"]["data"]["mail"], text, "nothing was erased of anybody");
    }
    host.terminate().await?;
    Ok(())
}
