//! Connections: slow ones, many, and bytes that two programs could read differently.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sangam_tests::{Host, HostFolder};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;

fn configuration(more: &str) -> String {
    format!("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{more}")
}

async fn connect(host: &Host) -> anyhow::Result<TcpStream> {
    Ok(TcpStream::connect(host.client.url.trim_start_matches("http://")).await?)
}

/// Everything that comes until the host closes, within 20 s.
async fn rest(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut text = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await.context("the connection stays open")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whatever came within half a second, or until the host closed.
async fn exchange(host: &Host, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = connect(host).await?;
    stream.write_all(bytes).await?;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn slow_heads_and_bodies_end_and_hold_nobody_up() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration("header-timeout = \"1s\"\nbody-timeout = \"1s\"\n"))?;
    let host = folder.start().await?;
    let mut idle = connect(&host).await?;
    let mut head = connect(&host).await?;
    head.write_all(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nX-A: ").await?;
    let mut body = connect(&host).await?;
    let begin = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 100\r\n\r\n{";
    body.write_all(begin.as_bytes()).await?;
    let mut chunks = connect(&host).await?;
    let begin = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
    chunks.write_all(begin.as_bytes()).await?;
    // A byte now and then does not buy more time.
    let drip = tokio::spawn(async move {
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if head.write_all(b"a").await.is_err() {
                break;
            }
        }
        let mut text = Vec::new();
        let _ = head.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    });
    let begun = Instant::now();
    assert_eq!(host.client.get("/v1/events").await?.status, 200, "others are served meanwhile");
    let said = rest(&mut body).await?;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("body-timeout"), "{said}");
    assert!(rest(&mut chunks).await?.starts_with("HTTP/1.1 408"));
    let said = rest(&mut idle).await?;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let said = drip.await?;
    assert!(!said.contains("200") && !said.contains("202"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_places_come_back() -> anyhow::Result<()> {
    for limit in ["max-connections = 4\n", "max-connections-per-address = 4\n"] {
        let folder = HostFolder::new(&configuration(&format!("{limit}header-timeout = \"2s\"\n")))?;
        let host = folder.start().await?;
        let mut held = Vec::new();
        for _ in 0..4 {
            let mut stream = connect(&host).await?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\n").await?;
            held.push(stream);
        }
        let mut refused = connect(&host).await?;
        let _ = refused.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(rest(&mut refused).await?, "", "{limit}");
        // Who is slow loses the place, and others get it.
        let end = Instant::now() + Duration::from_secs(20);
        while !exchange(&host, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap_or_default()
            .starts_with("HTTP/1.1 200")
        {
            assert!(Instant::now() < end, "{limit}: no place comes back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn heads_have_a_size() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration("max-header-size = \"8KiB\"\n"))?;
    let host = folder.start().await?;
    let one = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: a\r\n".repeat(500));
    let line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(20_000));
    for request in [one, many, line] {
        let answer = exchange(&host, request.as_bytes()).await.unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(host.client.get("/healthz").await?.status, 200);
    Ok(())
}

/// Each is one request that a proxy in front could take for two, or two for one. The host takes at most what is before the trick, and nothing of
/// what was smuggled.
#[tokio::test]
async fn nothing_can_be_smuggled_past_a_proxy() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration(""))?;
    let host = folder.start().await?;
    let smuggled = |id: &str| {
        let body = EVENT.replace("\"1\"", &format!("\"{id}\""));
        format!(
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n";
    let tricks = [
        ("cl-te", format!("{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("te-cl", format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")),
        ("two-lengths", format!("{head}Content-Length: 0\r\nContent-Length: 5\r\n\r\n")),
        ("listed-lengths", format!("{head}Content-Length: 0, 5\r\n\r\n")),
        ("signed-length", format!("{head}Content-Length: +0\r\n\r\n")),
        ("negative-length", format!("{head}Content-Length: -1\r\n\r\n")),
        ("hex-length", format!("{head}Content-Length: 0x0\r\n\r\n")),
        ("te-identity", format!("{head}Transfer-Encoding: identity\r\n\r\n")),
        ("te-unknown", format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("te-last-not-chunked", format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")),
        ("te-space-before-colon", format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")),
        ("te-tab", format!("{head}Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n")),
        ("folded", format!("{head}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n")),
        ("bare-cr", format!("{head}X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("nul", format!("{head}X: a\0b\r\nContent-Length: 0\r\n\r\n")),
        ("chunk-size-overflow", format!("{head}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n")),
        ("chunk-size-signed", format!("{head}Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n")),
        ("chunk-without-end", format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n")),
        ("http-1.0-te", format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", head.replace("HTTP/1.1", "HTTP/1.0"))),
        ("connect", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        ("upgrade", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n".to_owned()),
        ("h2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    let mut answers = Vec::new();
    for (trick, request) in &tricks {
        let answer = exchange(&host, format!("{request}{}", smuggled(trick)).as_bytes()).await.unwrap_or_default();
        assert!(!answer.starts_with("HTTP/1.1 2") || ["upgrade"].contains(trick), "{trick}: {answer}");
        let count = answer.matches("HTTP/1.").count();
        answers.push((*trick, count, answer.contains(" 202 ")));
    }
    // A host that answers once has closed, or has read the rest as a body. One that goes on has found an end that every reader finds.
    let taken: Vec<_> = answers.iter().filter(|(.., taken)| *taken).map(|(trick, ..)| *trick).collect();
    assert!(taken.iter().all(|trick| ["upgrade"].contains(trick)), "taken in after a trick: {taken:?} of {answers:?}");
    assert_eq!(host.client.send_raw(&json!({ "specversion": "1.0", "id": "after", "source": "/s", "type": "t" }), "").await?.status, 202);
    Ok(())
}
