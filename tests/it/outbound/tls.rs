//! Systems that can't show who they are, and authorities of one's own.

use std::net::{Ipv4Addr, SocketAddr};

use sangam_tests::HostFolder;
use sangam_tests::authority::{Authority, Identity};
use sangam_tests::wire::{Act, Wire, answer};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Way, allow, configuration};

/// An alert of TLS 1.1: protocol_version. What a server says that knows no newer one.
const OLD_ALERT: &[u8] = b"\x15\x03\x02\0\x02\x02\x46";
/// A server that takes no notice of what it was offered: the ServerHello of TLS 1.1, RSA with AES-128-CBC.
const OLD_HELLO: &[u8] = b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02\
    0123456789abcdef0123456789abcdef\0\0\x2f\0";
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// Answers whatever comes with these bytes.
async fn mute(bytes: &'static [u8]) -> anyhow::Result<(String, JoinHandle<()>)> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.read(&mut hello).await;
        }
    });
    Ok((url, serving))
}

async fn serve(config: rustls::ServerConfig) -> anyhow::Result<Wire> {
    Wire::tls(config, |_| Act::answer("over TLS")).await
}

#[tokio::test]
async fn an_authority_of_ones_own_is_good_for_the_plugin_that_names_it() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let system = serve(authority.identity(&["127.0.0.1", "localhost"])?.server()?).await?;
    let by_name = format!("https://localhost:{}", system.addr.port());
    let granted = allow(&[&system.url(), &by_name]);
    let folder = HostFolder::new(&configuration(&format!("{granted}ca-file = \"hr-ca.pem\"\n"), &granted))?;
    std::fs::write(folder.path().join("hr-ca.pem"), authority.pem())?;
    let checked = folder.run(&["check"], "")?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let way = Way::within(folder).await?;
    assert_eq!(way.body("m", &system.url()).await?, "over TLS");
    assert_eq!(way.body("m", &by_name).await?, "over TLS");
    way.refused("n", json!({ "url": system.url() }), "connection", "ca-file").await?;
    // Another authority under the same name of a file, applied by a reload.
    std::fs::write(way.folder.path().join("hr-ca.pem"), Authority::new()?.pem())?;
    assert_eq!(way.client.post("/v1/reload", &json!({})).await?.status, 200);
    way.refused("m", json!({ "url": system.url() }), "connection", "ca-file").await?;
    // A file that is none is refused, and what runs goes on.
    std::fs::write(way.folder.path().join("hr-ca.pem"), "no certificate")?;
    let refused = way.client.post("/v1/reload", &json!({})).await?;
    assert!(refused.status == 422 || refused.status == 400, "{}", refused.text);
    assert!(refused.text.contains("there is no certificate in it"), "{}", refused.text);
    assert_eq!(system.seen().len(), 2);
    Ok(())
}

#[tokio::test]
async fn who_cannot_show_who_it_is_gets_no_request() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let names = ["127.0.0.1"];
    let other_name = serve(authority.identity(&["hr.example", "10.0.0.1"])?.server()?).await?;
    let expired = serve(authority.expired(&names)?.server()?).await?;
    let self_signed = serve(Identity::self_signed(&names)?.server()?).await?;
    let foreign = serve(Authority::new()?.identity(&names)?.server()?).await?;
    let itself = serve(authority.as_server(&names)?.server()?).await?;
    let mutual = serve(authority.mutual(&authority.identity(&names)?)?).await?;
    let (old, _old) = mute(OLD_ALERT).await?;
    let (older, _older) = mute(OLD_HELLO).await?;
    let (plain, _plain) = mute(PLAIN).await?;
    let cases = [
        (other_name.url(), "for other names"),
        (expired.url(), "has expired"),
        (self_signed.url(), "ca-file"),
        (foreign.url(), "ca-file"),
        (itself.url(), "an authority's own"),
        (mutual.url(), "asks for a certificate of ours"),
        (old, "neither TLS 1.2 nor 1.3"),
        (older, "neither TLS 1.2 nor 1.3"),
        (plain, "is not TLS"),
    ];
    let urls: Vec<&str> = cases.iter().map(|(url, _)| url.as_str()).collect();
    let folder = HostFolder::new(&configuration(&format!("{}ca-file = \"ca.pem\"\n", allow(&urls)), ""))?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    let way = Way::within(folder).await?;
    for (url, why) in &cases {
        way.refused("m", json!({ "method": "POST", "name": "w", "url": url, "body": "secret" }), "connection", why).await?;
    }
    for wire in [&other_name, &expired, &self_signed, &foreign, &itself, &mutual] {
        assert!(wire.seen().is_empty(), "a request was sent to {}", wire.url());
    }
    Ok(())
}

#[tokio::test]
async fn a_system_that_asks_is_shown_the_plugins_certificate() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let asks = Wire::tls(authority.mutual(&authority.identity(&["127.0.0.1"])?)?, |_| Act::answer("known")).await?;
    let (ours, another) = (authority.identity(&["sangam.example"])?, authority.identity(&["sangam.example"])?);
    let own = format!("{}ca-file = \"ca.pem\"\n", allow(&[&asks.url()]));
    let certificate = "client-certificate = { file = \"client.pem\", key = \"${secret:hr-key}\" }\n";
    let folder = HostFolder::new(&configuration(&format!("{own}{certificate}"), &own))?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    std::fs::write(folder.path().join("client.pem"), ours.pem())?;
    let way = Way::within(folder).await?;
    let request = json!({ "url": asks.url() });
    way.refused("m", request.clone(), "unavailable", "hr-key").await?;
    way.folder.secret("hr-key", &another.key_pem())?;
    way.refused("m", request.clone(), "unavailable", "does not belong").await?;
    // It counts without a reload.
    way.folder.secret("hr-key", &ours.key_pem())?;
    assert_eq!(way.body("m", &asks.url()).await?, "known");
    way.refused("n", request, "connection", "asks for a certificate of ours").await?;
    assert_eq!(asks.seen().len(), 1);
    let key = ours.key_pem();
    let line = key.lines().nth(1).expect("a key has lines");
    for path in ["/v1/plugins", "/v1/events", "/metrics"] {
        assert!(!way.client.get(path).await?.text.contains(line), "{path} shows the key");
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_not_followed() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let plain = Wire::start(|_| Act::answer("in the clear")).await?;
    let target = plain.url();
    let system = Wire::tls(authority.identity(&["127.0.0.1"])?.server()?, move |_| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {target}/\r\nContent-Length: 0\r\n\r\n");
        Act::Send([head.into_bytes(), answer("", "unasked")].concat())
    })
    .await?;
    let granted = format!("{}ca-file = \"ca.pem\"\n", allow(&[&system.url(), &plain.url()]));
    let folder = HostFolder::new(&configuration(&granted, ""))?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    let way = Way::within(folder).await?;
    for _ in 0..2 {
        let got = way.get("m", &system.url()).await?;
        assert_eq!(got["status"], 302, "{got}");
    }
    assert_eq!(plain.opened(), 0, "the host went on in the clear");
    Ok(())
}
