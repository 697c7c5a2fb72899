//! The host speaks TLS: with certificates that are renewed while it runs, and with clients that show theirs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::pki_types::ServerName;
use sangam_tests::authority::{Authority, Identity};
use sangam_tests::{Client, HostFolder, tls_trusting};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";

fn write(folder: &HostFolder, identity: &Identity) -> anyhow::Result<()> {
    std::fs::write(folder.path().join("cert.pem"), identity.pem())?;
    std::fs::write(folder.path().join("key.pem"), identity.key_pem())?;
    Ok(())
}

fn folder(more: &str, identity: &Identity) -> anyhow::Result<HostFolder> {
    let folder = HostFolder::new(&format!("{SERVER}{more}"))?;
    write(&folder, identity)?;
    Ok(folder)
}

/// The certificate that a new connection is shown.
async fn shown(address: &str, authority: &Authority) -> anyhow::Result<Vec<u8>> {
    let stream = connect(address, authority).await?;
    let certificates = stream.get_ref().1.peer_certificates().context("a certificate")?;
    Ok(certificates[0].to_vec())
}

async fn connect(address: &str, authority: &Authority) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let connector = TlsConnector::from(std::sync::Arc::new(tls_trusting(&authority.pem(), None)?));
    Ok(connector.connect(ServerName::try_from("localhost")?, TcpStream::connect(address).await?).await?)
}

async fn ask(stream: &mut tokio_rustls::client::TlsStream<TcpStream>) -> anyhow::Result<String> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut buffer = vec![0; 4096];
    let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await??;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

#[tokio::test]
async fn a_host_with_a_certificate_speaks_tls_and_nothing_else() -> anyhow::Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let folder = folder("", &authority.identity(&["localhost", "127.0.0.1"])?)?;
    let host = folder.start().await?;
    ensure!(host.client.url.starts_with("https://127.0.0.1:"), "{}", host.client.url);
    let client = Client::trusting(&host.client.url, &authority.pem(), None)?;
    let answer = client.get("/v1/events").await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert!(Client::trusting(&host.client.url, &stranger.pem(), None)?.get("/healthz").await.is_err(), "another authority's client");
    let plain = Client::new(&host.client.url.replace("https:", "http:"));
    assert!(plain.get("/healthz").await.is_err(), "plain HTTP was answered");
    // The verbs know it by the authority that they are given.
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    std::fs::write(folder.path().join("event.json"), json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "t" }).to_string())?;
    let send = |more: &[&str]| folder.run(&[&["send", "event.json", "--url", &host.client.url], more].concat(), "");
    let done = send(&["--ca-file", "ca.pem"])?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(send(&[])?.status.code(), Some(3), "nobody has vouched for the host");
    assert_eq!(send(&["--ca-file", "event.json"])?.status.code(), Some(2));
    // An origin without TLS is not the host's own.
    let origin = host.client.url.replace("https:", "http:");
    assert_eq!(client.ask(reqwest::Method::GET, "/v1/events", &[("origin", &origin)], Vec::new()).await?.status, 403);
    assert_eq!(client.ask(reqwest::Method::GET, "/v1/events", &[("origin", &host.client.url)], Vec::new()).await?.status, 200);
    assert_eq!(host.terminate().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_a_broken_one_never() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let names = ["localhost"];
    let folder = folder("", &authority.identity(&names)?)?;
    let host = folder.start().await?;
    let address = host.client.url.trim_start_matches("https://").to_owned();
    let client = Client::trusting(&host.client.url.replace("127.0.0.1", "localhost"), &authority.pem(), None)?;
    let first = shown(&address, &authority).await?;
    let mut open = connect(&address, &authority).await?;
    assert!(ask(&mut open).await?.starts_with("HTTP/1.1 200"));
    // By itself, soon after the files have changed.
    write(&folder, &authority.identity(&names)?)?;
    let changed = async {
        while shown(&address, &authority).await? == first {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), changed).await.context("the old certificate is still shown")??;
    assert!(ask(&mut open).await?.starts_with("HTTP/1.1 200"), "a connection that was open stays");
    // Reloaded: whole or not at all.
    let second = shown(&address, &authority).await?;
    std::fs::write(folder.path().join("key.pem"), authority.identity(&names)?.key_pem())?;
    let refused = client.post("/v1/reload", &json!({})).await?;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("sangam.toml:6:7: error: the key does not belong to the certificate"), "{}", refused.text);
    std::fs::write(folder.path().join("cert.pem"), "not a certificate")?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(shown(&address, &authority).await?, second, "what can't be used changes nothing");
    write(&folder, &authority.identity(&names)?)?;
    assert_eq!(client.post("/v1/reload", &json!({})).await?.status, 200);
    assert_ne!(shown(&address, &authority).await?, second, "at once");
    assert!(ask(&mut open).await?.starts_with("HTTP/1.1 200"));
    Ok(())
}

#[tokio::test]
async fn clients_show_a_certificate_where_that_is_asked_of_them() -> anyhow::Result<()> {
    let (authority, clients, stranger) = (Authority::new()?, Authority::new()?, Authority::new()?);
    let server = authority.identity(&["localhost", "127.0.0.1"])?;
    for (auth, without) in [("", false), ("client-auth = \"optional\"\n", true)] {
        let folder = folder(&format!("client-ca = \"clients.pem\"\n{auth}"), &server)?;
        std::fs::write(folder.path().join("clients.pem"), clients.pem())?;
        let host = folder.start().await?;
        let ask = async |identity: Option<Identity>| {
            let pems = identity.map(|identity| (identity.pem(), identity.key_pem()));
            let pair = pems.as_ref().map(|(certificate, key)| (certificate.as_str(), key.as_str()));
            let client = Client::trusting(&host.client.url, &authority.pem(), pair)?;
            anyhow::Ok(client.get("/v1/events").await.is_ok_and(|answer| answer.status == 200))
        };
        assert!(ask(Some(clients.identity(&["ann"])?)).await?, "{auth:?}");
        assert!(!ask(Some(stranger.identity(&["ann"])?)).await?, "{auth:?}: somebody else's");
        assert!(!ask(Some(clients.expired(&["ann"])?)).await?, "{auth:?}: an old one");
        assert!(!ask(Some(Identity::self_signed(&["ann"])?)).await?, "{auth:?}: its own");
        assert_eq!(ask(None).await?, without, "{auth:?}: none");
    }
    Ok(())
}

#[test]
fn certificates_that_can_not_be_used_are_refused_with_their_place() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (good, other, old) = (authority.identity(&["localhost"])?, authority.identity(&["localhost"])?, authority.expired(&["localhost"])?);
    for (what, certificate, key, place, word) in [
        ("good", good.pem(), good.key_pem(), "", ""),
        ("a chain", format!("{}{}", good.pem(), authority.pem()), good.key_pem(), "", ""),
        ("another's key", good.pem(), other.key_pem(), "6:7", "does not belong"),
        ("old", old.pem(), old.key_pem(), "5:15", "ended at 2021-01-01"),
        ("no certificate", good.key_pem(), good.key_pem(), "5:15", "no certificate"),
        ("no key", good.pem(), good.pem(), "6:7", "no private key"),
        ("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), good.key_pem(), "5:15", "certificate"),
        ("empty", String::new(), String::new(), "5:15", "no certificate"),
    ] {
        let folder = HostFolder::new(SERVER)?;
        std::fs::write(folder.path().join("cert.pem"), certificate)?;
        std::fs::write(folder.path().join("key.pem"), key)?;
        let done = folder.run(&["check"], "")?;
        let said = String::from_utf8_lossy(&done.stderr);
        if place.is_empty() {
            assert!(done.status.success(), "{what}: {said}");
            continue;
        }
        assert_eq!(done.status.code(), Some(2), "{what}: {said}");
        assert!(said.contains(&format!("sangam.toml:{place}: error:")) && said.contains(word), "{what}: {said}");
        assert!(!said.contains("PRIVATE KEY-----\nM"), "{what}: a key is shown");
        assert_eq!(folder.run(&["up"], "")?.status.code(), Some(2), "{what}");
    }
    let folder = HostFolder::new(SERVER)?;
    let done = folder.run(&["check"], "")?;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("5:15: error: can't read") && said.contains("6:7: error: can't read"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_key_may_be_a_secret_of_the_store() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (good, other) = (authority.identity(&["localhost", "127.0.0.1"])?, authority.identity(&["localhost"])?);
    let folder = HostFolder::new(&SERVER.replace("\"key.pem\"", "\"${secret:tls-key}\""))?;
    std::fs::write(folder.path().join("cert.pem"), good.pem())?;
    assert!(folder.run(&["check"], "")?.status.success(), "a secret is not known to `check`");
    folder.secret("tls-key", &other.key_pem())?;
    let done = folder.run(&["up"], "")?;
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("does not belong"), "{}", String::from_utf8_lossy(&done.stderr));
    folder.secret("tls-key", &good.key_pem())?;
    let host = folder.start().await?;
    assert_eq!(Client::trusting(&host.client.url, &authority.pem(), None)?.get("/healthz").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn clients_that_never_finish_their_handshake_hold_nobody_up() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let folder = folder("", &authority.identity(&["localhost", "127.0.0.1"])?)?;
    let host = folder.start().await?;
    let address = host.client.url.trim_start_matches("https://").to_owned();
    let mut silent = Vec::new();
    for index in 0..200 {
        let mut stream = TcpStream::connect(&address).await?;
        if index % 2 == 0 {
            // The beginning of a greeting.
            stream.write_all(&[0x16, 0x03, 0x01]).await?;
        }
        silent.push(stream);
    }
    let client = Client::trusting(&host.client.url, &authority.pem(), None)?;
    let begun = std::time::Instant::now();
    assert_eq!(client.get("/v1/events").await?.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    // They are sent away.
    let mut buffer = [0; 16];
    let count = tokio::time::timeout(Duration::from_secs(30), silent[1].read(&mut buffer)).await.context("still open")?;
    assert_eq!(count.unwrap_or(0), 0);
    Ok(())
}
