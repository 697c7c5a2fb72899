//! `lead-form`.

use anyhow::ensure;

use super::{Stage, appears};

const FORM: &str = "name=Mary+Ann+Cole&email=mary.cole%40orchard.example&phone=%2B1+555+0144&company=Orchard+House&message=Our+boiler+is+20+years+old.&page=%2Fboilers&consent=on";

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let desk = &stage.saas.hubspot;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    // The browser sends it twice: somebody clicked again.
    for _ in 0..2 {
        let answer = stage.client().ask(reqwest::Method::POST, "/hooks/landing-page", &form, FORM.as_bytes().to_vec()).await?;
        ensure!((200..300).contains(&answer.status), "the form was refused with {}: {}", answer.status, answer.text);
    }
    let contact = appears(desk, "contacts", "a contact", |contact| contact["properties"]["email"] == "mary.cole@orchard.example").await?;
    let note = appears(desk, "notes", "what they wrote", |note| {
        note["properties"]["hs_note_body"].as_str().is_some_and(|body| body.contains("20 years"))
    })
    .await?;
    stage.settled().await?;
    let events = stage.events("landing-page").await?;
    ensure!(events.len() == 1, "the same form twice is one lead, and {} came in: {events:#?}", events.len());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    ensure!(contact["properties"]["firstname"] == "Mary Ann", "the name is split wrongly: {contact:#}");
    Ok(vec![
        "website        Mary Ann Cole fills in the form, and clicks twice".to_owned(),
        format!(
            "CRM            {} {} is a contact, with her number",
            text(&contact["properties"]["firstname"]),
            text(&contact["properties"]["lastname"])
        ),
        format!("CRM            a note says: {}", text(&note["properties"]["hs_note_body"]).split("<br>").next().unwrap_or_default()),
    ])
}
