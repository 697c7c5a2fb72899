//! What people answer, and what became of messages: WhatsApp's and Twilio's webhooks through real sources into events, and an answer back.

use reqwest::Method;
use sangam_saas::messages::TWILIO_TOKEN;

use super::messages::host;
use super::*;

const APP_SECRET: &str = "whatsapp-app-secret";

const SOURCES: &str = r#"
[[sources]]
name = "whatsapp"
type = "webhook"
uses = "whatsapp"
stream = "messages"
handshake = { kind = "meta", token = "${secret:verify-token}" }
verify = { scheme = "meta", secret = "${secret:app}" }

[[sources]]
name = "sms"
type = "webhook"
uses = "sms"
stream = "messages"
verify = { scheme = "twilio", secret = "${secret:twilio}" }

[[routes]]
name = "reply"
on = { type = "message.received", source = "/sources/whatsapp" }
[[routes.steps]]
name = "do"
uses = "whatsapp.send-text"
with = { to = "${ .event.data.from }", text = "Thank you, ${ .event.data.name }.", reply_to = "${ .event.data.message_id }" }
"#;

/// The events of a source, oldest first, once there are so many.
async fn taken(client: &Client, source: &str, count: usize) -> anyhow::Result<Vec<Value>> {
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let listed = client.get(&format!("/v1/events?source=/sources/{source}&limit=100")).await?.json;
        let events = listed["events"].as_array().cloned().unwrap_or_default();
        if events.len() >= count {
            let mut documents = Vec::new();
            for event in events.iter().rev() {
                documents.push(client.event(event["eid"].as_str().context("an eid")?).await?["event"].clone());
            }
            return Ok(documents);
        }
        ensure!(tokio::time::Instant::now() < end, "{} of {count} came: {:#}", events.len(), client.get("/v1/sources").await?.json);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Deliveries that a vendor has made, with how they were answered.
fn answered(stand: &Stand, channel: &str) -> Vec<Value> {
    stand.state()["webhooks"][channel].as_array().into_iter().flatten().map(|sent| sent["status"].clone()).collect()
}

fn set(stand: &Stand, setting: &str, value: Value) -> anyhow::Result<()> {
    stand.set(setting, value).map_err(anyhow::Error::msg)
}

#[tokio::test]
async fn answers_of_people_and_what_became_of_messages_come_in_over_webhooks_and_are_answered() -> anyhow::Result<()> {
    let (stand, folder, running) = host().await?;
    running.terminate().await?;
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    std::fs::write(folder.path().join("sangam.toml"), format!("{text}\n{SOURCES}"))?;
    for (name, value) in [("app", APP_SECRET), ("verify-token", "our own word"), ("twilio", TWILIO_TOKEN)] {
        folder.secret(name, value)?;
    }
    let host = folder.start().await?;
    let client = &host.client;
    // Meta asks before it sends anything.
    let ask = async |token: &str| {
        let path = format!("/hooks/whatsapp?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        client.ask(Method::GET, &path, &[], Vec::new()).await
    };
    let (right, wrong) = (ask("our+own+word").await?, ask("another").await?);
    assert_eq!((right.status, right.text.as_str(), wrong.status), (200, "1158201444", 403));

    set(&stand, "whatsapp-webhook", json!({ "url": format!("{}/hooks/whatsapp", client.url), "secret": APP_SECRET }))?;
    set(&stand, "sms-webhook", json!({ "url": format!("{}/hooks/sms", client.url), "secret": TWILIO_TOKEN }))?;
    // Somebody writes; the vendor tells it twice. It is one event, and one answer goes back.
    let hello = json!({ "channel": "whatsapp", "id": "wamid.in-1", "from": "+436641234567", "name": "Anna", "text": "Grüß Gott 👋" });
    set(&stand, "writes", hello.clone())?;
    set(&stand, "writes", hello)?;
    let received = taken(client, "whatsapp", 1).await?;
    assert_eq!((&received[0]["type"], &received[0]["id"]), (&json!("message.received"), &json!("wamid.in-1")));
    let data = &received[0]["data"];
    assert_eq!(
        (&data["from"], &data["name"], &data["text"]),
        (&json!("+436641234567"), &json!("Anna"), &json!("Grüß Gott 👋")),
        "{data:#}"
    );
    let reply = async {
        while stand.state()["whatsapp"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), reply).await.context("nobody answered")?;
    let sent = stand.state()["whatsapp"][0].clone();
    assert_eq!((&sent["to"], &sent["message"]["text"]["body"]), (&json!("436641234567"), &json!("Thank you, Anna.")), "{sent:#}");
    // What became of it is known by the key of the write that sent it.
    set(&stand, "becomes", json!({ "id": sent["id"], "status": "delivered" }))?;
    let events = taken(client, "whatsapp", 2).await?;
    let status = &events[1];
    assert_eq!((&status["type"], &status["data"]["status"]), (&json!("message.status"), &json!("delivered")), "{status:#}");
    assert_eq!(status["data"]["reference"], sent["message"]["biz_opaque_callback_data"]);
    assert!(status["data"]["reference"].as_str().is_some_and(|key| key.len() == 36), "{status:#}");

    // A text goes out, fails, and is answered by its recipient.
    let out = client.send_and_wait(&event("t-1", "sms.send", json!({ "to": "+43 664 7654321", "text": "Your invoice is due." }))).await?;
    assert_eq!(out["status"], "succeeded", "{out:#}");
    let sid = stand.state()["sms"][0]["sid"].clone();
    set(&stand, "becomes", json!({ "id": sid, "status": "undelivered" }))?;
    set(&stand, "writes", json!({ "channel": "sms", "id": "SM-in-1", "from": "+436647654321", "text": "Paid & done + thanks" }))?;
    let texts = taken(client, "sms", 2).await?;
    let of = |kind: &str| texts.iter().find(|event| event["type"] == kind).map(|event| event["data"].clone()).unwrap_or_default();
    let failed = of("message.status");
    assert_eq!(
        (&failed["message_id"], &failed["status"], &failed["error"]["code"]),
        (&sid, &json!("failed"), &json!("30005")),
        "{failed:#}"
    );
    assert_eq!(of("message.received")["text"], "Paid & done + thanks");

    // Somebody else who knows the addresses, and not the secrets.
    set(&stand, "whatsapp-webhook", json!({ "url": format!("{}/hooks/whatsapp", client.url), "secret": "guessed" }))?;
    set(&stand, "sms-webhook", json!({ "url": format!("{}/hooks/sms", client.url), "secret": "guessed" }))?;
    set(&stand, "writes", json!({ "channel": "whatsapp", "id": "wamid.forged", "from": "+436641234567", "text": "x" }))?;
    set(&stand, "writes", json!({ "channel": "sms", "id": "SM-forged", "from": "+436641234567", "text": "x" }))?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !["whatsapp", "sms"].iter().all(|channel| answered(&stand, channel).contains(&json!(401))) {
        ensure!(tokio::time::Instant::now() < end, "{:#}", stand.state()["webhooks"]);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((taken(client, "whatsapp", 0).await?.len(), taken(client, "sms", 0).await?.len()), (2, 2), "none of it came in");
    assert_eq!(stand.state()["whatsapp"].as_array().map(Vec::len), Some(1), "and nobody answered it");
    host.terminate().await?;
    Ok(())
}
