//! The recipes of docs/sources.md: what the page shows works as it stands there.

use std::path::Path;

use anyhow::Context as _;
use reqwest::Method;
use sangam_tests::HostFolder;
use serde_json::json;

use super::{SERVER, post, taken};

/// The first TOML below a heading of the page.
fn recipe(heading: &str) -> anyhow::Result<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sources.md"))?;
    let (_, section) = page.split_once(&format!("### {heading}\n")).with_context(|| format!("no {heading:?} on the page"))?;
    let (_, block) = section.split_once("```toml\n").context("a recipe has its TOML")?;
    Ok(block.split_once("```").context("a block ends")?.0.to_owned())
}

#[tokio::test]
async fn a_landing_pages_form_is_a_lead_at_once() -> anyhow::Result<()> {
    let folder = HostFolder::new(&format!("{SERVER}{}", recipe("A form on a landing page")?))?;
    let host = folder.start().await?;
    let form = "name=Ann+B&email=ann%40example.com&phone=%2B49+30&message=Heat+pump%3F&consent=on";
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://www.acme.example"),
        ("referer", "https://www.acme.example/heat-pumps"),
        ("sec-fetch-site", "cross-site"),
    ];
    for _click in 0..2 {
        let answer = host.client.ask(Method::POST, "/hooks/landing-page", &headers, form.as_bytes().to_vec()).await?;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{}", answer.text);
        assert!(answer.text.contains("Thank you"), "{}", answer.text);
    }
    let events = taken(&host.client, "landing-page").await?;
    assert_eq!(events.len(), 1, "two clicks are one lead");
    assert_eq!(events[0]["type"], "lead.captured");
    assert_eq!(
        events[0]["data"],
        json!({
            "name": "Ann B", "email": "ann@example.com", "phone": "+49 30", "message": "Heat pump?", "consent": true,
            "page": "https://www.acme.example/heat-pumps",
        })
    );
    Ok(())
}

#[tokio::test]
async fn a_missed_call_is_an_event_and_an_answered_one_is_not() -> anyhow::Result<()> {
    let folder = HostFolder::new(&format!("{SERVER}{}", recipe("Missed calls of a telephone system")?))?;
    let host = folder.start().await?;
    let call = |id: &str, event: &str, answered: &str| {
        format!("/hooks/telephone?event={event}&callId={id}&from=%2B4930111&to=%2B4930999&answered={answered}")
    };
    for path in
        [call("1", "ring", "0"), call("1", "hangup", "1"), call("2", "ring", "0"), call("2", "hangup", "0"), call("2", "hangup", "0")]
    {
        let answer = host.client.get(&path).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let events = taken(&host.client, "telephone").await?;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((&events[0]["type"], &events[0]["id"], &events[0]["subject"]), (&json!("call.missed"), &json!("2"), &json!("+4930111")));
    assert_eq!(events[0]["data"], json!({ "call_id": "2", "from": "+4930111", "to": "+4930999", "direction": "in" }));
    let odd = post(&host.client, "/hooks/telephone", "application/json", "{}").await?;
    assert_eq!(odd.status, 200, "{}", odd.text);
    Ok(())
}
