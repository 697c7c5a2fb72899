//! Webhooks signed by their vendors' own libraries come in; the same with any part of them touched do not.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use sangam_tests::{Answer, Host, HostFolder, Signed, WebhookSigner};
use serde_json::{Value, json};

/// What the outside sees of the host: some vendors sign the whole URL.
const OUTSIDE: &str = "https://hooks.acme.example";
const BODY: &str = r#"{"object":"invoice","number":"R-1007","total":189.90,"note":"grün & 100 %"}"#;
/// The secrets of every source: one to come, and the one that is in use.
const NEXT: &str = "whsec_bmV4dC1zZWNyZXQtb2YtdGhlLXNvdXJjZQ==";
const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1zb3VyY2UtbjE=";
/// Nobody's.
const OTHER: &str = "whsec_bm9ib2R5LXNpZ25lZC10aGlzLWV2ZXI=";

/// One scheme, and what of a delivery it has to protect.
#[derive(Debug, Clone)]
struct Case {
    /// Name of the source.
    name: &'static str,
    /// `verify` of the source.
    verify: String,
    /// What the signer is asked for.
    order: Value,
    /// The header with the signature.
    signature: &'static str,
    /// The header with the time, where there is one.
    time: Option<&'static str>,
    /// The header with the id of the delivery, where it is signed.
    id: Option<&'static str>,
    /// Whether the URL is signed.
    url: bool,
    /// Whether it has a secret, rather than a key pair.
    secret: bool,
}

const RFC9421: [&str; 6] = ["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256"];

fn case(name: &'static str, signature: &'static str) -> Case {
    let verify = format!("{{ scheme = \"{name}\", secret = [\"${{env:HOOK_NEXT}}\", \"${{env:HOOK_SECRET}}\"] }}");
    let order = json!({ "scheme": name });
    Case { name, verify, order, signature, time: None, id: None, url: false, secret: true }
}

/// All schemes for which there is a library, and those that Node.js signs as their documentation says.
async fn cases(signer: &mut WebhookSigner, folder: &HostFolder) -> anyhow::Result<Vec<Case>> {
    let standard = |name: &'static str, signature, time, id| {
        let verify = case("standard-webhooks", "").verify;
        Case { verify, time: Some(time), id: Some(id), ..case(name, signature) }
    };
    let (_, raw) = signer.public_key("ed25519").await?;
    let raw = raw.context("Ed25519 keys have 32 bytes")?;
    let form = json!({ "Body": "on our way & soon", "Digits": "", "From": "+14158675309", "To": ["+18005551212", "+18005551211"] });
    let mut cases = vec![
        standard("standard-webhooks", "webhook-signature", "webhook-timestamp", "webhook-id"),
        standard("svix", "svix-signature", "svix-timestamp", "svix-id"),
        Case {
            verify: format!("{{ scheme = \"standard-webhooks\", public-key = \"whpk_{raw}\" }}"),
            secret: false,
            ..standard("standard-webhooks-v1a", "webhook-signature", "webhook-timestamp", "webhook-id")
        },
        case("github", "x-hub-signature-256"),
        case("meta", "x-hub-signature-256"),
        Case { time: Some("stripe-signature"), ..case("stripe", "stripe-signature") },
        case("shopify", "x-shopify-hmac-sha256"),
        Case { time: Some("x-slack-request-timestamp"), ..case("slack", "x-slack-signature") },
        Case { time: Some("x-hubspot-request-timestamp"), url: true, ..case("hubspot-v3", "x-hubspot-signature-v3") },
        Case { order: json!({ "scheme": "twilio", "form": form }), url: true, ..case("twilio", "x-twilio-signature") },
        Case { verify: case("twilio", "").verify, url: true, ..case("twilio-json", "x-twilio-signature") },
        case("intuit", "intuit-signature"),
        case("jobber", "x-jobber-hmac-sha256"),
        Case { time: Some("api-timestamp"), ..case("housecall-pro", "api-signature") },
    ];
    for key in RFC9421 {
        let with = if key == "hmac-sha256" {
            "secret = \"${env:HOOK_SECRET}\"".to_owned()
        } else {
            std::fs::write(folder.path().join(format!("{key}.pem")), signer.public_key(key).await?.0)?;
            format!("public-key = \"${{file:{key}.pem}}\"")
        };
        cases.push(Case {
            verify: format!("{{ scheme = \"rfc9421\", keys = [{{ id = \"{key}\", algorithm = \"{key}\", {with} }}] }}"),
            order: json!({ "scheme": "rfc9421", "key": key }),
            id: Some("signature-input"),
            time: Some("signature-input"),
            url: true,
            secret: key == "hmac-sha256",
            ..case(key, "signature")
        });
    }
    Ok(cases)
}

/// A host with a source for each case.
async fn scene() -> anyhow::Result<Option<(WebhookSigner, Vec<Case>, HostFolder, Host)>> {
    if !WebhookSigner::is_there()? {
        return Ok(None);
    }
    let mut signer = WebhookSigner::start()?;
    let folder = HostFolder::new("")?.env("HOOK_NEXT", NEXT).env("HOOK_SECRET", SECRET);
    let cases = cases(&mut signer, &folder).await?;
    let source = |case: &Case| {
        let name = source_name(case);
        format!("[[sources]]\nname = \"{name}\"\ntype = \"webhook\"\nevent-type = \"peer.sent\"\nverify = {}\n", case.verify)
    };
    let sources: String = cases.iter().map(source).collect();
    folder.configure(&format!("[server]\nlisten = \"127.0.0.1:0\"\npublic-url = \"{OUTSIDE}\"\n{sources}"))?;
    let made = folder.run(&["token", "create", "--role", "admin"], "")?;
    let token = String::from_utf8(made.stdout)?.trim().to_owned();
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut host = folder.start().await?;
    host.client.token = Some(token);
    Ok(Some((signer, cases, folder, host)))
}

fn source_name(case: &Case) -> String {
    case.name.replace('_', "-")
}

fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?)
}

/// A delivery, signed at that time with that secret.
async fn signed(signer: &mut WebhookSigner, case: &Case, id: &str, at: i64, secret: &str) -> anyhow::Result<Signed> {
    let mut order = case.order.clone();
    let given = json!({
        "secret": secret,
        "method": "POST",
        "url": format!("{OUTSIDE}/hooks/{}?tenant=acme%20co&v=1", source_name(case)),
        "id": id,
        "timestamp": at,
        "body": BODY,
    });
    for (name, value) in given.as_object().context("an object")? {
        order[name] = value.clone();
    }
    signer.sign(&order).await
}

async fn send(host: &Host, signed: &Signed) -> anyhow::Result<Answer> {
    let kind = if signed.body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    let mut headers: Vec<(&str, &str)> = signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type", kind));
    }
    // Without the API's token, which vendors don't have.
    sangam_tests::Client::new(&host.client.url).ask(Method::POST, signed.target(), &headers, signed.body.clone().into_bytes()).await
}

async fn events(host: &Host, case: &Case) -> anyhow::Result<Vec<Value>> {
    let answer = host.client.get(&format!("/v1/events?source=/sources/{}&limit=100", source_name(case))).await?;
    Ok(answer.json["events"].as_array().with_context(|| answer.text.clone())?.clone())
}

async fn taken(host: &Host, case: &Case, signed: &Signed) -> anyhow::Result<()> {
    let answer = send(host, signed).await?;
    ensure!((200..300).contains(&answer.status), "{}: {} {}\n{signed:#?}\n{}", case.name, answer.status, answer.text, host.log());
    Ok(())
}

async fn refused(host: &Host, case: &Case, what: &str, signed: &Signed) -> anyhow::Result<()> {
    let answer = send(host, signed).await?;
    ensure!(answer.status == 401, "{}: {what} was answered {} {}\n{signed:#?}", case.name, answer.status, answer.text);
    Ok(())
}

#[tokio::test]
async fn what_a_vendors_own_library_signs_comes_in_once_however_often_it_is_sent() -> anyhow::Result<()> {
    let Some((mut signer, cases, _folder, host)) = scene().await? else { return Ok(()) };
    for case in &cases {
        for id in ["delivery-1", "delivery-2"] {
            let delivery = signed(&mut signer, case, id, now()?, SECRET).await?;
            taken(&host, case, &delivery).await?;
            taken(&host, case, &delivery).await?;
        }
        let events = events(&host, case).await?;
        // Where nothing in a delivery says which one it is, the same body is the same delivery.
        let has_id = delivery_id(case);
        ensure!(events.len() == if has_id { 2 } else { 1 }, "{}: {} events", case.name, events.len());
        let stored = events[0].to_string();
        ensure!(!stored.contains(SECRET) && !stored.contains("whsec_"), "{}: {stored}", case.name);
    }
    Ok(())
}

/// Whether the vendor says which delivery it is, signed or not.
fn delivery_id(case: &Case) -> bool {
    case.id.is_some() || ["github", "shopify", "twilio", "twilio-json"].contains(&case.name)
}

#[tokio::test]
async fn a_delivery_of_which_any_part_was_touched_is_refused() -> anyhow::Result<()> {
    let Some((mut signer, cases, _folder, host)) = scene().await? else { return Ok(()) };
    for case in &cases {
        let good = signed(&mut signer, case, "delivery-1", now()?, SECRET).await?;
        let place = good.place(case.signature)?;
        let touched = |change: &dyn Fn(&mut Signed)| {
            let mut other = good.clone();
            change(&mut other);
            assert_ne!(other, good, "{}: nothing was touched", case.name);
            other
        };
        let swapped = |text: &str, at: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            String::from_utf8(bytes).expect("ASCII was swapped for ASCII")
        };
        let mut tries = vec![
            ("a byte of the body", touched(&|s| s.body = swapped(&s.body, 1))),
            ("the last byte of the body", touched(&|s| s.body = swapped(&s.body, s.body.len() - 1))),
            ("a body with a byte more", touched(&|s| s.body.push(' '))),
            ("a body with a byte less", touched(&|s| s.body.truncate(s.body.len() - 1))),
            ("no body", touched(&|s| s.body.clear())),
            ("no signature", touched(&|s| drop(s.headers.remove(place)))),
            ("an empty signature", touched(&|s| s.headers[place].1.clear())),
            ("a doubled header", touched(&|s| s.headers.push(s.headers[place].clone()))),
            (
                "a forged signature in front",
                touched(&|s| {
                    let (name, value) = s.headers[place].clone();
                    s.headers.insert(0, (name, swapped(&value, value.len() - 6)));
                }),
            ),
        ];
        let value = &good.headers[place].1;
        // Where the signature itself begins and ends in its header.
        let end = value.trim_end_matches([':', '=']).len();
        let start = end - value[..end].rsplit([',', '=', ':']).next().map_or(0, str::len);
        for at in [start, start + 5, end - 2] {
            tries.push(("a character of the signature", touched(&|s| s.headers[place].1 = swapped(value, at))));
        }
        for end in [end - 1, end - 4, start + 8] {
            tries.push(("a truncated signature", touched(&|s| s.headers[place].1.truncate(end))));
        }
        if let Some(time) = case.time {
            let place = good.place(time)?;
            let text = &good.headers[place].1;
            let begins = ["created=", "t="].iter().find_map(|mark| text.find(mark).map(|at| at + mark.len()));
            let digit = begins.unwrap_or(0) + 9;
            tries.push(("a digit of the time", touched(&|s| s.headers[place].1 = swapped(text, digit))));
            tries.push(("no time", touched(&|s| drop(s.headers.remove(place)))));
        }
        if let Some(id) = case.id {
            let place = good.place(id)?;
            let text = &good.headers[place].1;
            let digit = text.rfind("delivery-1").context("the id is there")? + "delivery-".len();
            tries.push(("the id", touched(&|s| s.headers[place].1 = swapped(text, digit))));
        }
        if case.url {
            tries.push(("the query", touched(&|s| s.url = s.url.replace("v=1", "v=2"))));
            tries.push(("a parameter more", touched(&|s| s.url.push_str("&more=1"))));
        }
        if case.secret {
            tries.push(("another secret", signed(&mut signer, case, "delivery-1", now()?, OTHER).await?));
        }
        for (what, delivery) in &tries {
            refused(&host, case, what, delivery).await?;
        }
        ensure!(events(&host, case).await?.is_empty(), "{}: something of it came in", case.name);
        // Untouched it is good: nothing but what was touched was in the way.
        taken(&host, case, &good).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_delivery_signed_too_long_ago_or_ahead_of_time_is_refused() -> anyhow::Result<()> {
    let Some((mut signer, cases, _folder, host)) = scene().await? else { return Ok(()) };
    for case in cases.iter().filter(|case| case.time.is_some()) {
        for off in [-3600, -330, 330, 3600] {
            let delivery = signed(&mut signer, case, "delivery-1", now()? + off, SECRET).await?;
            refused(&host, case, &format!("a time {off} s from now"), &delivery).await?;
        }
        for off in [-240, 240] {
            let delivery = signed(&mut signer, case, "delivery-1", now()? + off, SECRET).await?;
            taken(&host, case, &delivery).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn while_a_secret_is_replaced_the_old_and_the_new_one_are_good() -> anyhow::Result<()> {
    let Some((mut signer, cases, _folder, host)) = scene().await? else { return Ok(()) };
    for case in cases.iter().filter(|case| case.verify.contains("HOOK_NEXT")) {
        for secret in [SECRET, NEXT] {
            let delivery = signed(&mut signer, case, "delivery-1", now()?, secret).await?;
            taken(&host, case, &delivery).await?;
        }
        let delivery = signed(&mut signer, case, "delivery-1", now()?, OTHER).await?;
        refused(&host, case, "a third secret", &delivery).await?;
    }
    Ok(())
}

#[test]
fn every_scheme_is_read_as_the_documents_show_it() -> anyhow::Result<()> {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/webhooks.md"))?;
    let blocks: Vec<&str> = document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    ensure!(blocks.len() > 15, "{} blocks", blocks.len());
    let folder = HostFolder::new(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{}", blocks.concat()))?;
    let checked = folder.run(&["check"], "")?;
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    ensure!(checked.status.success() && !said.contains("warning"), "{said}");
    Ok(())
}
