//! Messages to people: WhatsApp, text messages, Teams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sangam_saas::messages::{ACCOUNT, Messages, PHONE_NUMBER_ID, SIGNATURE, TWILIO_TOKEN, WHATSAPP_TOKEN};
use sangam_tests::plugin;

use super::*;

/// A host with the three connectors, and the stand-in at whose one origin their vendors are.
pub(super) async fn host() -> anyhow::Result<(Stand, HostFolder, Host)> {
    let stand = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(Messages::new())).await?;
    let url = stand.url();
    let plugin = |name: &str, file: &str, credential: &str, config: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {:?}\nallow-hosts = [\"{url}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\ncredentials = [\"{name}\"]\n\
             emits = [\"message.*\"]\nconfig = {{ base-url = \"{url}\", {config} }}\n[credentials.{name}]\nhosts = [\"{url}\"]\n{credential}\n",
            plugin(file)
        )
    };
    let teams = plugin(
        "teams",
        "teams",
        "type = \"query\"\nname = \"sig\"\nvalue = \"${env:TEAMS_SIG}\"",
        "path = \"/workflows/abc/invoke?api-version=2016-06-01\"",
    )
    .replace("emits = [\"message.*\"]\n", "");
    let configuration = [
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n".to_owned(),
        plugin(
            "whatsapp",
            "whatsapp",
            "type = \"bearer\"\ntoken = \"${env:WHATSAPP}\"",
            &format!("phone-number-id = \"{PHONE_NUMBER_ID}\""),
        ),
        plugin(
            "sms",
            "sms",
            &format!("type = \"basic\"\nusername = \"{ACCOUNT}\"\npassword = \"${{env:TWILIO}}\""),
            &format!("account-sid = \"{ACCOUNT}\", from = \"+4312345\""),
        ),
        teams,
        action("whatsapp.send-template", 4).replace("retry =", "on-doubt = \"hold\"\nretry ="),
        action("whatsapp.send-text", 4),
        action("sms.send", 4),
        action("teams.post-message", 4),
    ];
    let folder =
        HostFolder::new(&configuration.concat())?.env("WHATSAPP", WHATSAPP_TOKEN).env("TWILIO", TWILIO_TOKEN).env("TEAMS_SIG", SIGNATURE);
    let host = folder.start().await?;
    Ok((stand, folder, host))
}

#[tokio::test]
async fn each_message_arrives_once_or_waits_for_a_person() -> anyhow::Result<()> {
    let (stand, _folder, host) = host().await?;
    let client = &host.client;
    let template = |id: &str| {
        let data = json!({ "to": "+43 664 1234567", "template": "reminder", "language": "de", "parameters": ["Anna", "4711"] });
        event(id, "whatsapp.send-template", data)
    };
    let sent = client.send_and_wait(&template("1")).await?;
    ensure!(sent["status"] == "succeeded", "{sent:#}");
    let message = &stand.state()["whatsapp"][0];
    let key = step(&sent, STEP)?["attempts"][0]["effects"][0]["key"].clone();
    assert_eq!((&message["to"], &message["message"]["biz_opaque_callback_data"]), (&json!("436641234567"), &key));

    // Nobody can ask WhatsApp: what may have been sent is not sent again.
    stand.fault(Fault::once("/v26.0/*/messages", FaultAct::LoseAnswer));
    let eid = client.send(&template("2")).await?;
    let held = client.until(&eid, "waiting").await?;
    ensure!(held["status_reason"].as_str().is_some_and(|reason| reason.contains("is held")), "{held:#}");
    assert_eq!(stand.state()["whatsapp"].as_array().map(Vec::len), Some(2));

    // Twilio can be asked.
    stand.fault(Fault::once("/2010-04-01/*", FaultAct::LoseAnswer));
    let text = event("3", "sms.send", json!({ "to": "0043 664 1234567", "text": "Grüße & Dank" }));
    let sent = client.send_and_wait(&text).await?;
    ensure!(sent["status"] == "succeeded", "{sent:#}");
    let state = stand.state();
    assert_eq!((state["sms"].as_array().map(Vec::len), &state["sms"][0]["body"]), (Some(1), &json!("Grüße & Dank")));
    assert_eq!(step(&sent, STEP)?["output"]["message_id"], state["sms"][0]["sid"]);

    let card = event("4", "teams.post-message", json!({ "title": "Invoice 4711", "text": "Still not paid." }));
    let posted = client.send_and_wait(&card).await?;
    ensure!(posted["status"] == "succeeded", "{posted:#}");
    assert_eq!(stand.state()["cards"][0]["body"][1]["text"], "Still not paid.");
    ensure!(!posted.to_string().contains(SIGNATURE), "the signature is shown");
    Ok(())
}

#[tokio::test]
async fn what_the_vendors_refuse_is_said_with_what_to_do() -> anyhow::Result<()> {
    let (stand, _folder, host) = host().await?;
    let client = &host.client;
    let control = Client::new(&stand.url());
    control.post("/__stand/settings", &json!({ "stopped": "+436641234567" })).await?;
    for (kind, data, why) in [
        ("whatsapp.send-text", json!({ "to": "+436641234567", "text": "Hello" }), "only a template may be sent"),
        (
            "whatsapp.send-template",
            json!({ "to": "+436641234567", "template": "x", "language": "de" }),
            "no approved template of that name",
        ),
        ("sms.send", json!({ "to": "+436641234567", "text": "x" }), "asked for no more messages (STOP)"),
    ] {
        let document = client.send_and_wait(&event(kind, kind, data)).await?;
        let error = step(&document, STEP)?["error"].clone();
        ensure!(document["status"] == "dead" && error["kind"] == "rejected", "{document:#}");
        ensure!(error["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{error:#}");
    }
    Ok(())
}
