//! Webhooks, from the sender's side and the administrator's: what is answered, what becomes of it, and what of it is kept.

use reqwest::Method;
mod received;
mod recipes;
mod verified;

use sangam_tests::{Answer, Client, Host, HostFolder, TestStore};
use serde_json::{Value, json};

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n";

async fn host(sources: &str) -> anyhow::Result<(HostFolder, Host)> {
    let folder = HostFolder::new(&format!("{SERVER}{sources}"))?;
    let host = folder.start().await?;
    Ok((folder, host))
}

/// A webhook that nobody verifies.
fn source(name: &str, more: &str) -> String {
    format!("\n[[sources]]\nname = {name:?}\ntype = \"webhook\"\nverify = \"none\"\n{more}\n")
}

async fn post(client: &Client, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<Answer> {
    client.ask(Method::POST, path, &[("content-type", kind)], body.into()).await
}

/// The events of a source, oldest first, as they were taken in.
async fn taken(client: &Client, name: &str) -> anyhow::Result<Vec<Value>> {
    let list = client.get(&format!("/v1/events?source=/sources/{name}")).await?.json;
    let eids: Vec<String> =
        list["events"].as_array().into_iter().flatten().filter_map(|event| event["eid"].as_str().map(str::to_owned)).collect();
    let mut events = Vec::new();
    for eid in eids.iter().rev() {
        events.push(client.get(&format!("/v1/events/{eid}")).await?.json["event"].clone());
    }
    Ok(events)
}

async fn shown(client: &Client, name: &str) -> anyhow::Result<Value> {
    let list = client.get("/v1/sources").await?.json;
    let found = list["sources"].as_array().into_iter().flatten().find(|source| source["name"] == name).cloned();
    found.ok_or_else(|| anyhow::anyhow!("no source {name} in {list}"))
}

#[tokio::test]
async fn a_delivery_is_an_event_once_its_sender_is_answered_and_a_repetition_is_known() -> anyhow::Result<()> {
    let (_folder, host) = host(&source("crm", "event-type = \"contact.changed\"")).await?;
    let body = r#"{"id":12345678901234567890,"total":10.10}"#;
    let answer = post(&host.client, "/hooks/crm", "application/json", body).await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let again = post(&host.client, "/hooks/crm", "application/json", body).await?;
    assert_eq!(again.status, 200);
    let events = taken(&host.client, "crm").await?;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((&events[0]["type"], &events[0]["source"]), (&json!("contact.changed"), &json!("/sources/crm")));
    assert_eq!(events[0]["data"].to_string(), body, "numbers keep their digits");
    let shown = shown(&host.client, "crm").await?;
    assert_eq!(
        (&shown["type"], &shown["webhook"]["verify"], &shown["webhook"]["path"]),
        (&json!("webhook"), &json!("none"), &json!("/hooks/crm"))
    );
    assert_eq!(
        (&shown["counts"]["deliveries"], &shown["counts"]["events"], &shown["counts"]["duplicates"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let metrics = host.client.get("/metrics").await?.text;
    assert!(metrics.contains("sangam_source_deliveries_total{source=\"crm\",outcome=\"taken\"} 2"), "{metrics}");
    assert!(metrics.contains("sangam_events_accepted_total{source=\"/sources/crm\"} 1"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn an_array_becomes_events_with_ids_of_their_own() -> anyhow::Result<()> {
    let more = "each = '.body[]'\nevent = { type = \"${ \\\"hubspot.\\\" + .item.subscriptionType }\", id = \"${ .item.eventId }\", \
                subject = \"contact/${ .item.objectId }\", time = \"${ .item.occurredAt / 1000 | todate }\", \
                data = { item = \"${ .item }\", topic = \"${ .headers[\\\"x-topic\\\"] }\", shop = \"${ .query.shop }\", path = \"${ .path }\" } }";
    let (_folder, host) = host(&source("hub", more)).await?;
    let body = json!([
        { "eventId": 1, "subscriptionType": "contact.creation", "objectId": 77, "occurredAt": 1_700_000_000_000_i64 },
        { "subscriptionType": "contact.deletion", "objectId": 78, "occurredAt": 1_700_000_001_000_i64 },
    ]);
    let headers = [("content-type", "application/json"), ("x-topic", "contacts"), ("authorization", "Bearer s3cr3t")];
    let answer = host.client.ask(Method::POST, "/hooks/hub/eu?shop=a%26b", &headers, body.to_string().into_bytes()).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let events = taken(&host.client, "hub").await?;
    assert_eq!(events.len(), 2);
    let first = events.iter().find(|event| event["id"] == "1").cloned().unwrap_or_default();
    assert_eq!(
        (&first["type"], &first["subject"], &first["time"]),
        (&json!("hubspot.contact.creation"), &json!("contact/77"), &json!("2023-11-14T22:13:20Z"))
    );
    assert_eq!(
        (&first["data"]["topic"], &first["data"]["shop"], &first["data"]["path"]),
        (&json!("contacts"), &json!("a&b"), &json!("/hooks/hub/eu"))
    );
    let second = events.iter().find(|event| event["id"] != "1").cloned().unwrap_or_default();
    let id = second["id"].as_str().unwrap_or_default();
    assert!(id.len() == 66 && id.ends_with("/1"), "the digest of the body and the position: {id}");
    Ok(())
}

#[tokio::test]
async fn forms_files_xml_and_text_come_in_as_json() -> anyhow::Result<()> {
    let sources = [
        source("form", "event-type = \"lead.captured\"\nmax-file-size = \"1KiB\"\non-unreadable = \"refuse\""),
        source("soap", "event-type = \"case.changed\"\neach = '.body.Envelope.Body.n | if type == \"array\" then .[] else . end'"),
    ]
    .concat();
    let (_folder, host) = host(&sources).await?;
    let client = &host.client;
    let form = "name=Ann+B&interest=heat+pump&interest=solar&email=ann%40example.com";
    assert_eq!(post(client, "/hooks/form", "application/x-www-form-urlencoded", form).await?.status, 200);
    let file = |size: usize| {
        let file = "x".repeat(size);
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n+49 30\r\n--B\r\nContent-Disposition: form-data; name=\"plan\"; \
             filename=\"plan.txt\"\r\nContent-Type: text/plain\r\n\r\n{file}\r\n--B--\r\n"
        )
    };
    assert_eq!(post(client, "/hooks/form", "multipart/form-data; boundary=B", file(3)).await?.status, 200);
    let refused = post(client, "/hooks/form", "multipart/form-data; boundary=B", file(1025)).await?;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.json["detail"].as_str().is_some_and(|detail| detail.contains("max-file-size")), "{}", refused.text);
    let data: Vec<Value> = taken(client, "form").await?.into_iter().map(|event| event["data"].clone()).collect();
    assert_eq!(
        data,
        [
            json!({ "name": "Ann B", "interest": ["heat pump", "solar"], "email": "ann@example.com" }),
            json!({ "phone": "+49 30", "plan": { "name": "plan.txt", "content_type": "text/plain", "size": 3, "base64": "eHh4" } }),
        ]
    );
    let xml = "<s:Envelope xmlns:s=\"u\"><s:Body><n><Id>1</Id></n><n><Id>2</Id></n></s:Body></s:Envelope>";
    assert_eq!(post(client, "/hooks/soap", "text/xml; charset=utf-8", xml).await?.status, 200);
    let mut data: Vec<Value> = taken(client, "soap").await?.into_iter().map(|event| event["data"].clone()).collect();
    data.sort_by_key(|data| data["Id"].to_string());
    assert_eq!(data, [json!({ "Id": "1" }), json!({ "Id": "2" })]);
    Ok(())
}

#[tokio::test]
async fn cloud_events_keep_what_they_say_and_get_the_source_of_the_host() -> anyhow::Result<()> {
    let (_folder, host) = host(&source("ce", "body = \"cloudevents\"\non-unreadable = \"refuse\"")).await?;
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/plugins/crm", "type": "invoice.paid", "dept": "x", "data": { "n": id } });
    let client = &host.client;
    assert_eq!(post(client, "/hooks/ce", "application/cloudevents+json", event("1").to_string()).await?.status, 200);
    let batch = json!([event("2"), event("3"), event("1")]).to_string();
    assert_eq!(post(client, "/hooks/ce", "application/cloudevents-batch+json", batch).await?.status, 200);
    let headers = [("content-type", "application/json"), ("ce-specversion", "1.0"), ("ce-id", "4"), ("ce-source", "/x"), ("ce-type", "t")];
    assert_eq!(client.ask(Method::POST, "/hooks/ce", &headers, b"{}".to_vec()).await?.status, 200);
    let events = taken(client, "ce").await?;
    let mut ids: Vec<&Value> = events.iter().map(|event| &event["id"]).collect();
    ids.sort_by_key(|id| id.to_string());
    assert_eq!(ids, ["1", "2", "3", "4"]);
    assert!(events.iter().all(|event| event["source"] == "/sources/ce"), "{events:#?}");
    assert_eq!(post(client, "/hooks/ce", "application/json", "{}").await?.status, 422);
    let reserved = json!({ "specversion": "1.0", "id": "9", "source": "/x", "type": "sangam.credential.broken" }).to_string();
    assert_eq!(post(client, "/hooks/ce", "application/cloudevents+json", reserved).await?.status, 422, "nobody speaks for the host");
    Ok(())
}

#[tokio::test]
async fn senders_get_the_answer_that_they_expect() -> anyhow::Result<()> {
    let sources = [
        source("plain", "event-type = \"t\"\nanswer = 204"),
        source("text", "event-type = \"t\"\nanswer = { status = 202, content-type = \"application/json\", body = '{\"ok\":true}' }"),
        source("sf", "event-type = \"t\"\nanswer = \"salesforce\""),
    ]
    .concat();
    let (_folder, host) = host(&sources).await?;
    let plain = post(&host.client, "/hooks/plain", "application/json", "{}").await?;
    assert_eq!((plain.status, plain.text.as_str()), (204, ""));
    let text = post(&host.client, "/hooks/text", "application/json", "{}").await?;
    assert_eq!((text.status, text.header("content-type"), &text.json), (202, Some("application/json"), &json!({ "ok": true })));
    let salesforce = post(&host.client, "/hooks/sf", "text/xml", "<a/>").await?;
    assert_eq!((salesforce.status, salesforce.header("content-type")), (200, Some("text/xml; charset=utf-8")));
    assert!(
        salesforce.text.contains("<Ack>true</Ack>") && salesforce.text.contains("http://soap.sforce.com/2005/09/outbound"),
        "{}",
        salesforce.text
    );
    Ok(())
}

#[tokio::test]
async fn handshakes_are_answered_and_bring_no_events() -> anyhow::Result<()> {
    let sources = [
        source("slack", "event-type = \"t\"\nhandshake = \"slack\""),
        source("wa", "event-type = \"message.received\"\nhandshake = { kind = \"meta\", token = \"${secret:wa}\" }"),
        source("grid", "body = \"cloudevents\"\nhandshake = { kind = \"cloudevents\", origins = [\"eventgrid.azure.net\"], rate = 120 }"),
        source("graph", "event-type = \"t\"\nhandshake = \"microsoft-graph\""),
    ]
    .concat();
    let folder = HostFolder::new(&format!("{SERVER}{sources}"))?;
    folder.secret("wa", "v3rify-me")?;
    let host = folder.start().await?;
    let client = &host.client;
    let slack = post(client, "/hooks/slack", "application/json", r#"{"type":"url_verification","token":"x","challenge":"c0"}"#).await?;
    assert_eq!((slack.status, slack.text.as_str(), slack.header("content-type")), (200, "c0", Some("text/plain; charset=utf-8")));
    let asked = |token: &str| format!("/hooks/wa?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
    let meta = client.get(&asked("v3rify-me")).await?;
    assert_eq!((meta.status, meta.text.as_str()), (200, "1158201444"));
    let wrong = client.get(&asked("v3rify-m")).await?;
    assert_eq!(wrong.status, 403);
    assert!(!wrong.text.contains("1158201444"), "{}", wrong.text);
    assert_eq!(client.get("/hooks/wa").await?.status, 405, "a GET that is no handshake");
    let options = async |origin: &str| client.ask(Method::OPTIONS, "/hooks/grid", &[("webhook-request-origin", origin)], Vec::new()).await;
    let allowed = options("eventgrid.azure.net").await?;
    assert_eq!(
        (allowed.status, allowed.header("webhook-allowed-origin"), allowed.header("webhook-allowed-rate")),
        (200, Some("eventgrid.azure.net"), Some("120"))
    );
    let stranger = options("evil.example").await?;
    assert_eq!((stranger.status, stranger.header("webhook-allowed-origin")), (403, None));
    let graph = client.ask(Method::POST, "/hooks/graph?validationToken=Validation%3A+x%3Cb%3E", &[], Vec::new()).await?;
    assert_eq!(
        (graph.status, graph.text.as_str(), graph.header("content-type")),
        (200, "Validation: x<b>", Some("text/plain; charset=utf-8"))
    );
    for name in ["slack", "wa", "grid", "graph"] {
        assert_eq!(taken(client, name).await?, Vec::<Value>::new(), "{name}");
    }
    assert_eq!(shown(client, "wa").await?["counts"]["refused"], json!({ "handshake": 1 }));
    Ok(())
}

#[tokio::test]
async fn a_source_takes_the_methods_that_it_names_and_no_others() -> anyhow::Result<()> {
    let sources = [
        source("calls", "event-type = \"call.missed\"\nmethods = [\"GET\", \"POST\"]\nevent = { data = \"${ .query }\" }"),
        source("crm", "event-type = \"t\""),
    ]
    .concat();
    let (_folder, host) = host(&sources).await?;
    let client = &host.client;
    for caller in ["%2B4930111", "%2B4930222", "%2B4930111"] {
        assert_eq!(client.get(&format!("/hooks/calls?event=missed&from={caller}")).await?.status, 200);
    }
    let mut from: Vec<Value> = taken(client, "calls").await?.into_iter().map(|event| event["data"]["from"].clone()).collect();
    from.sort_by_key(Value::to_string);
    assert_eq!(from, ["+4930111", "+4930222"], "without a body the query tells deliveries apart");
    assert_eq!(client.get("/hooks/crm").await?.status, 405);
    assert_eq!(client.ask(Method::DELETE, "/hooks/crm", &[], Vec::new()).await?.status, 405);
    assert_eq!(post(client, "/hooks/nobody", "application/json", "{}").await?.status, 404);
    assert_eq!(post(client, "/hooks/crmx", "application/json", "{}").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn deliveries_are_bounded_as_events_are_and_pages_elsewhere_do_not_matter() -> anyhow::Result<()> {
    let sources =
        [source("small", "event-type = \"t\"\nmax-size = \"1KiB\""), source("large", "event-type = \"t\"\nmax-size = \"4MiB\"")].concat();
    let folder = HostFolder::new(&format!("{SERVER}max-event-size = \"64KiB\"\n{sources}"))?;
    let host = folder.start().await?;
    let client = &host.client;
    let text = |size: usize| serde_json::to_vec(&json!({ "text": "x".repeat(size) })).unwrap_or_default();
    assert_eq!(post(client, "/hooks/small", "application/json", text(900)).await?.status, 200);
    let refused = post(client, "/hooks/small", "application/json", text(1100)).await?;
    assert_eq!(refused.status, 413, "{}", refused.text);
    assert!(refused.text.contains("max-size"), "{}", refused.text);
    assert_eq!(post(client, "/hooks/large", "application/json", text(3 << 20)).await?.status, 200, "a source's own bound");
    let headers = [
        ("content-type", "application/json"),
        ("origin", "https://shop.example"),
        ("sec-fetch-site", "cross-site"),
        ("host", "hooks.acme.example"),
    ];
    assert_eq!(client.ask(Method::POST, "/hooks/small", &headers, b"{\"a\":1}".to_vec()).await?.status, 200, "judged by `verify` alone");
    Ok(())
}

#[tokio::test]
async fn a_full_backlog_is_told_to_the_sender() -> anyhow::Result<()> {
    let route = "\n[plugins.http]\ncomponent = \"builtin:http\"\nallow-hosts = [\"http://127.0.0.1:9\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\n[[routes]]\nname = \"r\"\non = { type = \"t\" }\n\
                 [[routes.steps]]\nname = \"s\"\nuses = \"http.request\"\nwith = { method = \"POST\", url = \"http://127.0.0.1:9/\" }\nretry = { initial = \"1h\", max = \"1h\" }\n";
    let folder = HostFolder::new(&format!("{SERVER}max-backlog = 2\n{}{route}", source("crm", "event-type = \"t\"")))?;
    let host = folder.start().await?;
    for number in 0..2 {
        assert_eq!(post(&host.client, "/hooks/crm", "application/json", number.to_string()).await?.status, 200);
    }
    let refused = post(&host.client, "/hooks/crm", "application/json", "3").await?;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").is_some());
    Ok(())
}

#[tokio::test]
async fn what_can_not_be_read_is_set_aside_and_nothing_of_it_is_lost() -> anyhow::Result<()> {
    let broken = source("crm", "event = { type = \"${ .body.kind }\", id = \"${ .body.id }\" }");
    let (folder, host) = host(&broken).await?;
    let client = &host.client;
    let answer = post(client, "/hooks/crm?tenant=7", "application/json", r#"{"id":"a","data":{"type":"contact.changed"}}"#).await?;
    assert_eq!(answer.status, 200, "the sender has done its part: {}", answer.text);
    let shown = shown(client, "crm").await?;
    assert_eq!((&shown["counts"]["set_aside"], &shown["counts"]["events"]), (&json!(1), &json!(0)), "{shown}");
    let aside = client.get("/v1/sources/crm/set-aside").await?;
    assert_eq!(aside.status, 200, "{}", aside.text);
    assert!(aside.text.contains("nothing says of which type the event is"), "{}", aside.text);
    // Mended, it comes in as if it had just come.
    folder.configure(&format!(
        "{SERVER}{}",
        source("crm", "event = { type = \"${ .body.data.type }\", id = \"${ .body.id }\", subject = \"${ .query.tenant }\" }")
    ))?;
    assert_eq!(client.post("/v1/reload", &json!({})).await?.status, 200);
    let again = client.post("/v1/sources/crm/retry", &json!({})).await?;
    assert_eq!(again.status, 200, "{}", again.text);
    let events = taken(client, "crm").await?;
    assert_eq!(events.len(), 1, "{}", again.text);
    assert_eq!((&events[0]["type"], &events[0]["id"], &events[0]["subject"]), (&json!("contact.changed"), &json!("a"), &json!("7")));
    let aside = client.get("/v1/sources/crm/set-aside").await?;
    assert!(!aside.text.contains("nothing says"), "{}", aside.text);
    Ok(())
}

#[tokio::test]
async fn what_is_answered_well_survives_a_kill() -> anyhow::Result<()> {
    let folder = HostFolder::on(TestStore::Sqlite, &format!("{SERVER}{}", source("crm", "event-type = \"t\"")))?;
    let host = folder.start().await?;
    for number in 0..20 {
        assert_eq!(post(&host.client, "/hooks/crm", "application/json", number.to_string()).await?.status, 200);
    }
    host.kill().await?;
    let host = folder.start().await?;
    assert_eq!(taken(&host.client, "crm").await?.len(), 20);
    Ok(())
}
