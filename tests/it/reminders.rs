//! The accountant's reminders, as they are shipped: `tests/demo/scenarios/reminders.toml`, with a mail server and a text-message gateway at their ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::ToSpan as _;
use jiff::civil::Weekday;
use sangam_saas::Stand;
use sangam_saas::messages::{ACCOUNT, Messages, TWILIO_TOKEN};
use sangam_tests::{Host, HostFolder, MailServer, plugin};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

/// The office: its host, and where its messages end.
struct Office {
    server: MailServer,
    sms: Stand,
    folder: HostFolder,
    /// How far the host's clock is ahead on the Tuesday, ten o'clock in Vienna, on which a test begins.
    tuesday: i64,
}

async fn office() -> anyhow::Result<Option<Office>> {
    if !MailServer::is_there()? {
        return Ok(None);
    }
    let server = MailServer::start(json!({ "tls": "none" })).await?;
    let sms = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(Messages::new())).await?;
    let folder = HostFolder::new(&configuration(&server, &sms)?)?.env("TWILIO", TWILIO_TOKEN);
    let now = jiff::Timestamp::now();
    let local = now.in_tz("Europe/Vienna")?;
    let day = local.date().nth_weekday(1, Weekday::Tuesday)?;
    let tuesday = day.at(10, 0, 0, 0).in_tz("Europe/Vienna")?.timestamp();
    Ok(Some(Office { server, sms, folder, tuesday: tuesday.as_second() - now.as_second() }))
}

fn configuration(server: &MailServer, sms: &Stand) -> anyhow::Result<String> {
    let scenario = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/scenarios/reminders.toml"))?;
    // Events come from the tests; the scenario's play has accounting tell them.
    let scenario = scenario.split("\n[[sources]]").next().unwrap_or_default();
    Ok(format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[mail.office]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"Acme <office@acme.example>\"\n\n\
         [plugins.sms]\ncomponent = {:?}\nallow-hosts = [\"{url}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\ncredentials = [\"sms\"]\nemits = [\"message.*\"]\n\
         config = {{ base-url = \"{url}\", account-sid = \"{ACCOUNT}\", from = \"+4312345\" }}\n\n\
         [credentials.sms]\ntype = \"basic\"\nhosts = [\"{url}\"]\nusername = \"{ACCOUNT}\"\npassword = \"${{env:TWILIO}}\"\n\n{scenario}",
        server.port,
        plugin("sms"),
        url = sms.url()
    ))
}

impl Office {
    /// A host, so many days after the Tuesday.
    async fn day(&self, days: i64) -> anyhow::Result<Host> {
        // A little more than whole days: what is due on the dot has come.
        let ahead = self.tuesday + days * DAY + if days > 0 { 600 } else { 0 };
        self.folder.start_with(&[("SANGAM_CLOCK_AHEAD", &format!("{ahead}s"))]).await
    }

    /// An invoice that was due yesterday, as the host's clock has it.
    fn invoice(&self) -> anyhow::Result<Value> {
        let now = jiff::Timestamp::now().checked_add(self.tuesday.seconds())?;
        let yesterday = now.checked_sub(24.hours())?.strftime("%Y-%m-%d").to_string();
        Ok(json!({
            "specversion": "1.0", "id": "i-1/sent", "source": "/books", "type": "invoice.sent", "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "data": {
                "invoice_id": "i-1", "number": "4711", "total": 189.90, "balance": 189.90, "currency": "EUR", "due_date": yesterday,
                "customer": { "name": "Anna Berg", "email": "anna@client.example", "mobile_phone": "+43 664 1234567", "language": "de-AT" }
            }
        }))
    }

    fn texts(&self) -> usize {
        self.sms.state()["sms"].as_array().map_or(0, Vec::len)
    }
}

/// Waits until the run waits for what a sentence says, or has ended.
async fn until(host: &Host, eid: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let document = host.client.event(eid).await?;
            if wanted(&document) {
                return anyhow::Ok(document);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(60), look).await {
        Ok(found) => found,
        Err(_) => anyhow::bail!("it never came to that: {:#}", host.client.event(eid).await?),
    }
}

fn waits(document: &Value) -> bool {
    document["status"] == "waiting"
}

fn paid(of: &str) -> Value {
    json!({ "specversion": "1.0", "id": format!("{of}/paid"), "source": "/books", "type": "invoice.paid", "data": { "invoice_id": of } })
}

#[tokio::test]
async fn a_client_is_reminded_until_the_invoice_is_paid_through_restarts_and_upgrades() -> anyhow::Result<()> {
    let Some(mut office) = office().await? else { return Ok(()) };
    let host = office.day(0).await?;
    let eid = host.client.send(&office.invoice()?).await?;
    let first = office.server.mail().await?;
    assert_eq!(
        (&first["to"], &first["headers"]["subject"][0]),
        (&json!(["anna@client.example"]), &json!(format!("Rechnung 4711 war am {} fällig", due(&office)?)))
    );
    assert!(
        first["parts"][0]["text"].as_str().is_some_and(|text| text.contains("Guten Tag Anna Berg") && text.contains("189.9")),
        "{first:#}"
    );
    until(&host, &eid, waits).await?;

    // The host dies in the middle of its wait; three days later there is another.
    host.kill().await?;
    let host = office.day(3).await?;
    let second = office.server.mail().await?;
    assert_ne!(first["headers"]["message-id"], second["headers"]["message-id"]);
    until(&host, &eid, waits).await?;

    // Meanwhile the configuration is another: this run ends as it began.
    let text = std::fs::read_to_string(office.folder.path().join("sangam.toml"))?;
    std::fs::write(office.folder.path().join("sangam.toml"), text.replace("settled\" end }'", "settled, says the new one\" end }'"))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    ensure!(answer.status == 200, "{}", answer.text);

    host.client.send(&paid("another")).await?;
    host.client.send(&paid("i-1")).await?;
    let document = until(&host, &eid, |document| document["status"] == "succeeded").await?;
    let told = office.server.mail().await?;
    assert_eq!(
        (&told["to"], &told["headers"]["subject"][0]),
        (&json!(["accountant@acme.example"]), &json!("4711: settled")),
        "{document:#}"
    );
    assert!(told["parts"][0]["text"].as_str().is_some_and(|text| text.contains("2 reminders went to Anna Berg")), "{told:#}");

    host.terminate().await?;
    let host = office.day(30).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((office.server.mails().await?, office.texts()), (Vec::new(), 0), "nobody is reminded of what is paid");
    host.terminate().await?;
    Ok(())
}

fn due(office: &Office) -> anyhow::Result<String> {
    Ok(office.invoice()?["data"]["due_date"].as_str().context("a day")?.to_owned())
}

#[tokio::test]
async fn after_five_reminders_in_working_hours_the_accountant_is_told() -> anyhow::Result<()> {
    let Some(mut office) = office().await? else { return Ok(()) };
    let host = office.day(0).await?;
    let eid = host.client.send(&office.invoice()?).await?;
    office.server.mail().await?;
    until(&host, &eid, waits).await?;
    host.terminate().await?;
    // Friday: the second mail. Monday, Thursday: two texts.
    let host = office.day(3).await?;
    office.server.mail().await?;
    until(&host, &eid, waits).await?;
    host.terminate().await?;
    for (day, texts) in [(6, 1), (9, 2)] {
        let host = office.day(day).await?;
        until(&host, &eid, |document| waits(document) && office.texts() == texts).await?;
        host.terminate().await?;
    }
    // On Sunday nobody is written to.
    let host = office.day(12).await?;
    let document = until(&host, &eid, |document| document["status_reason"].as_str().is_some_and(|reason| reason.contains("quiet"))).await?;
    assert_eq!((office.texts(), &document["status"]), (2, &json!("waiting")), "{document:#}");
    host.terminate().await?;
    let host = office.day(13).await?;
    until(&host, &eid, |document| waits(document) && office.texts() == 3).await?;
    host.terminate().await?;
    let host = office.day(17).await?;
    until(&host, &eid, |document| document["status"] == "succeeded").await?;
    let told = office.server.mail().await?;
    assert_eq!((&told["to"], &told["headers"]["subject"][0]), (&json!(["accountant@acme.example"]), &json!("4711: still not settled")));
    assert!(told["parts"][0]["text"].as_str().is_some_and(|text| text.contains("5 reminders") && text.contains("please call")), "{told:#}");
    assert_eq!(office.texts(), 3);
    Ok(())
}

#[tokio::test]
async fn an_invoice_that_is_paid_in_time_reminds_nobody() -> anyhow::Result<()> {
    let Some(mut office) = office().await? else { return Ok(()) };
    let host = office.day(0).await?;
    let mut invoice = office.invoice()?;
    let later = jiff::Timestamp::now().checked_add((60 * 24).hours())?.strftime("%Y-%m-%d").to_string();
    invoice["data"]["due_date"] = json!(later);
    let eid = host.client.send(&invoice).await?;
    until(&host, &eid, waits).await?;
    host.client.send(&paid("i-1")).await?;
    until(&host, &eid, |document| document["status"] == "succeeded").await?;
    assert_eq!(office.server.mails().await?, Vec::<Value>::new());
    Ok(())
}
