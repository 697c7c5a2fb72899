//! Deliveries that prove where they come from, and those that don't. The schemes have tests of their own; here it is what a proof and its lack lead to.

use reqwest::Method;
use sangam_tests::authority::Authority;
use sangam_tests::{Answer, Client, HostFolder};
use serde_json::{Value, json};

use super::{SERVER, post, shown, taken};

/// GitHub's own example: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &str = "Hello, World!";
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

async fn github(client: &Client, signature: &str, body: &str, id: &str) -> anyhow::Result<Answer> {
    let headers =
        [("content-type", "text/plain"), ("x-hub-signature-256", signature), ("x-github-delivery", id), ("x-github-event", "ping")];
    client.ask(Method::POST, "/hooks/github", &headers, body.as_bytes().to_vec()).await
}

#[tokio::test]
async fn a_delivery_counts_only_with_its_proof_and_its_sender_learns_no_more() -> anyhow::Result<()> {
    let source = "\n[[sources]]\nname = \"github\"\ntype = \"webhook\"\nverify = { scheme = \"github\", secret = \"${secret:hub}\" }\nbody = \"text\"\n\
                  event = { type = \"github.${ .headers[\\\"x-github-event\\\"] }\", data = { said = \"${ .body }\", headers = \"${ .headers }\" } }\n";
    let folder = HostFolder::new(&format!("{SERVER}{source}"))?;
    folder.secret("hub", SECRET)?;
    let host = folder.start().await?;
    let client = &host.client;
    for _again in 0..2 {
        let answer = github(client, SIGNATURE, BODY, "72d3162e").await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let events = taken(client, "github").await?;
    assert_eq!(events.len(), 1, "sent again it is known by its id");
    assert_eq!(
        (&events[0]["id"], &events[0]["type"], &events[0]["data"]["said"]),
        (&json!("72d3162e"), &json!("github.ping"), &json!(BODY))
    );
    assert!(events[0]["data"]["headers"].get("x-hub-signature-256").is_none(), "{:#}", events[0]);
    let tampered = [
        (SIGNATURE, "Hello, World?"),
        ("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18", BODY),
        ("sha256=", BODY),
        ("", BODY),
    ];
    for (signature, body) in tampered {
        let answer = github(client, signature, body, "other").await?;
        assert_eq!(answer.status, 401, "{signature}: {}", answer.text);
        assert_eq!(answer.json["detail"], "the delivery could not be verified", "one who looks for a key learns nothing");
    }
    assert_eq!(post(client, "/hooks/github", "text/plain", BODY).await?.status, 401, "no signature at all");
    assert_eq!(taken(client, "github").await?.len(), 1);
    let counts = shown(client, "github").await?["counts"].clone();
    let refused: u64 = counts["refused"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    assert_eq!(refused, 5, "{counts}");
    assert!(counts["refused"]["signature"].as_u64() >= Some(2) && counts["refused"]["missing"] == 1, "{counts}");
    // With the host's end, if not before, it is on record: who, how often and why, and nothing of what came.
    assert_eq!(host.terminate().await?, Some(0));
    let audit = folder.run(&["audit", "list", "--json"], "")?;
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("delivery.refused") && audit.contains("\"signature\""), "{audit}");
    assert!(!audit.contains("Hello"), "{audit}");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_comes_within_a_body_is_not_kept_with_it() -> anyhow::Result<()> {
    let source = "\n[[sources]]\nname = \"b24\"\ntype = \"webhook\"\nverify = { scheme = \"token\", in = \"form:auth[application_token]\", value = \"${secret:b24}\" }\n\
                  event = { type = \"${ .body.event }\", data = \"${ .body }\" }\n";
    let folder = HostFolder::new(&format!("{SERVER}{source}"))?;
    folder.secret("b24", "51856fefc120afa4b628cc82d3935cce/+")?;
    let host = folder.start().await?;
    let form = |event: &str, token: &str| format!("{event}auth%5Bapplication_token%5D={token}&id=7");
    let right = "51856fefc120afa4b628cc82d3935cce%2F%2B";
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(post(&host.client, "/hooks/b24", kind, form("event=ONCRMLEADADD&", right)).await?.status, 200);
    assert_eq!(post(&host.client, "/hooks/b24", kind, form("", right)).await?.status, 200, "set aside");
    assert_eq!(post(&host.client, "/hooks/b24", kind, form("event=ONCRMLEADADD&", "51856fef")).await?.status, 401);
    let events = taken(&host.client, "b24").await?;
    assert_eq!((events.len(), &events[0]["data"]["id"]), (1, &json!("7")));
    let aside = host.client.get("/v1/sources/b24/set-aside").await?.text;
    for text in [events[0].to_string(), aside] {
        assert!(!text.contains("51856fefc120afa4b628cc82d3935cce"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn who_guesses_a_secret_has_to_wait_and_keeps_no_other_sender_out() -> anyhow::Result<()> {
    let sources = "\n[[sources]]\nname = \"crm\"\ntype = \"webhook\"\nverify = { scheme = \"bearer\", token = [\"${secret:crm}\", \"${secret:next}\"] }\nevent-type = \"t\"\n\
                   [[sources]]\nname = \"form\"\ntype = \"webhook\"\nverify = { scheme = \"token\", in = \"body:/token\", value = \"${secret:crm}\" }\nevent-type = \"t\"\n\
                   [[sources]]\nname = \"github\"\ntype = \"webhook\"\nverify = { scheme = \"github\", secret = \"${secret:crm}\" }\nbody = \"text\"\nevent-type = \"t\"\n";
    let server = SERVER.replace("access = \"open\"", "max-wrong-tokens = 3");
    let folder = HostFolder::new(&format!("{server}{sources}"))?;
    folder.secret("crm", "right")?;
    folder.secret("next", "the next one")?;
    let host = folder.start().await?;
    let client = &host.client;
    let bearer = async |token: &str| {
        let headers = [("content-type", "application/json"), ("authorization", &*format!("Bearer {token}"))];
        client.ask(Method::POST, "/hooks/crm", &headers, b"{}".to_vec()).await
    };
    assert_eq!(bearer("right").await?.status, 200);
    for guess in ["a", "b", "c"] {
        assert_eq!(bearer(guess).await?.status, 401);
    }
    let refused = bearer("the next one").await?;
    assert_eq!(refused.status, 429, "nobody learns whether this one was right: {}", refused.text);
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{}", refused.text);
    assert_eq!(bearer("right").await?.status, 200, "a secret that was good before is good still");
    // The address has to wait at every source whose secret can be guessed, wherever that stands, and nowhere else.
    assert_eq!(post(client, "/hooks/form", "application/json", r#"{"token":"right"}"#).await?.status, 429);
    assert_eq!(github(client, SIGNATURE, BODY, "1").await?.status, 401, "a signature can't be tried out one by one");
    let mut reader = client.clone();
    let done = folder.run(&["token", "create", "--role", "viewer"], "")?;
    reader.token = Some(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    assert_eq!(reader.get("/v1/sources").await?.status, 200, "and the API is another matter");
    let counts = shown(&reader, "crm").await?["counts"]["refused"].clone();
    assert_eq!((&counts["secret"], &counts["too-often"]), (&json!(3), &json!(1)), "{counts}");
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while bearer("the next one").await?.status != 200 {
        assert!(tokio::time::Instant::now() < end, "it is kept out for ever");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_clients_certificate_is_a_proof_if_it_is_the_right_one() -> anyhow::Result<()> {
    let (authority, clients) = (Authority::new()?, Authority::new()?);
    let server = authority.identity(&["localhost", "127.0.0.1"])?;
    let tls = "[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\nclient-ca = \"clients.pem\"\nclient-auth = \"optional\"\n";
    let source = "\n[[sources]]\nname = \"bank\"\ntype = \"webhook\"\nverify = { scheme = \"mtls\", san = \"dns:hooks.bank.example\" }\nevent-type = \"payment.received\"\n";
    let folder = HostFolder::new(&format!("{SERVER}{tls}{source}"))?;
    for (name, text) in [("cert.pem", server.pem()), ("key.pem", server.key_pem()), ("clients.pem", clients.pem())] {
        std::fs::write(folder.path().join(name), text)?;
    }
    let host = folder.start().await?;
    let ask = async |name: Option<&str>| {
        let identity = name.map(|name| clients.identity(&[name])).transpose()?;
        let pems = identity.map(|identity| (identity.pem(), identity.key_pem()));
        let pair = pems.as_ref().map(|(certificate, key)| (certificate.as_str(), key.as_str()));
        let client = Client::trusting(&host.client.url, &authority.pem(), pair)?;
        anyhow::Ok(post(&client, "/hooks/bank", "application/json", "{}").await?.status)
    };
    assert_eq!(ask(Some("hooks.bank.example")).await?, 200);
    assert_eq!(ask(Some("hooks.bank.example.evil.example")).await?, 401, "vouched for by the same authority, and somebody else");
    assert_eq!(ask(None).await?, 401);
    let client = Client::trusting(&host.client.url, &authority.pem(), None)?;
    let refused: Value = shown(&client, "bank").await?["counts"]["refused"].clone();
    assert_eq!(refused, json!({ "no-certificate": 1, "other-certificate": 1 }));
    Ok(())
}
