//! What a hostile system answers, and what becomes of it: a named error for the plugin that asked, and nothing for anybody else.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::join_all;
use sangam_tests::wire::{Act, Seen, Wire, answer};
use serde_json::json;

use super::{Way, allow};

/// Time of a call here: long enough for answers that come at once, also on a busy machine.
const CALL: Duration = Duration::from_secs(8);

/// What each path is answered, and the error that the plugin gets for it.
const HOSTILE: &[(&str, &str)] = &[
    ("/large-header", "connection"),
    ("/many-headers", "connection"),
    ("/endless-header", "connection"),
    ("/endless-hints", "timeout"),
    ("/slow-head", "timeout"),
    ("/slow-body", "timeout"),
    ("/silence", "timeout"),
    ("/endless-body", "response-too-large"),
    ("/endless-chunks", "response-too-large"),
    ("/announced", "response-too-large"),
    ("/cut-short", "connection"),
    ("/cut-short-chunks", "connection"),
    ("/http-0.9", "connection"),
    ("/http-2", "connection"),
    ("/noise", "connection"),
    ("/two-lengths", "connection"),
    ("/negative-length", "connection"),
    ("/overflowing-length", "connection"),
    ("/nul-in-a-header", "connection"),
    ("/folded-header", "connection"),
    ("/another-protocol", "connection"),
    ("/status-of-six-digits", "connection"),
    ("/chunk-of-no-size", "connection"),
    ("/endless-chunk-extension", "connection"),
    ("/endless-trailers", "connection"),
];

fn hostile(seen: &Seen) -> Act {
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
    let chunked = |rest: &str| ok(&format!("Transfer-Encoding: chunked\r\n\r\n{rest}"));
    let x = |length: usize| "x".repeat(length);
    match seen.line().split(' ').nth(1).unwrap_or_default() {
        "/large-header" => Act::Send(ok(&format!("X: {}\r\nContent-Length: 0\r\n\r\n", x(1 << 20)))),
        "/many-headers" => {
            let many: String = (0..10_000).map(|number| format!("X-{number}: x\r\n")).collect();
            Act::Send(ok(&format!("{many}Content-Length: 0\r\n\r\n")))
        }
        "/endless-header" => Act::Flood(ok("X: "), x(64 << 10).into_bytes()),
        "/endless-hints" => Act::Flood(Vec::new(), b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(100)),
        "/slow-head" => Act::Drip(ok(""), format!("X: {}", x(1000)).into_bytes(), Duration::from_secs(1)),
        "/slow-body" => Act::Drip(ok("Content-Length: 1000\r\n\r\n"), x(1000).into_bytes(), Duration::from_secs(1)),
        "/silence" => Act::Send(Vec::new()),
        "/endless-body" => Act::Flood(ok("\r\n"), x(64 << 10).into_bytes()),
        "/endless-chunks" => Act::Flood(chunked(""), format!("1000\r\n{}\r\n", x(4096)).into_bytes()),
        "/announced" => Act::Send(ok("Content-Length: 99999999999\r\n\r\nx")),
        "/cut-short" => Act::Close(ok("Content-Length: 100\r\n\r\nx")),
        "/cut-short-chunks" => Act::Close(chunked("1000\r\nx")),
        "/http-0.9" => Act::Close(b"<html>hello</html>".to_vec()),
        "/http-2" => Act::Close(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d\0\x04\0\0\xff\xff\0\0\x04\x08\0\0\0\0\0\0\xff\0\0".to_vec()),
        "/noise" => Act::Close((0..=255).cycle().take(4096).collect()),
        "/two-lengths" => Act::Send(ok("Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")),
        "/negative-length" => Act::Send(ok("Content-Length: -1\r\n\r\nabc")),
        "/overflowing-length" => Act::Send(ok("Content-Length: 18446744073709551619\r\n\r\nabc")),
        "/nul-in-a-header" => Act::Send(ok("X: a\0b\r\nContent-Length: 0\r\n\r\n")),
        "/folded-header" => Act::Send(ok("X: a\r\n b\r\nContent-Length: 0\r\n\r\n")),
        "/another-protocol" => Act::Send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_vec()),
        "/status-of-six-digits" => Act::Send(b"HTTP/1.1 200200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        "/chunk-of-no-size" => Act::Send(chunked("zzz\r\nabc\r\n0\r\n\r\n")),
        "/endless-chunk-extension" => Act::Flood(chunked("1;"), x(64 << 10).into_bytes()),
        "/endless-trailers" => Act::Flood(chunked("0\r\n"), b"X: y\r\n".repeat(1000)),
        _ => Act::answer("fine"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_answer_is_a_named_error_and_holds_nobody_else_up() -> anyhow::Result<()> {
    let system = Wire::start(hostile).await?;
    let limits = format!("concurrency = 40\nlimits = {{ time = \"{}s\", response-size = \"64KiB\" }}\n", CALL.as_secs());
    let way = Way::start(&format!("{}{limits}", allow(&[&system.url()])), &allow(&[&system.url()])).await?;
    let attacked = async {
        let asks = HOSTILE.iter().map(|(path, error)| {
            let (way, system) = (&way, &system);
            async move {
                let got = way.get("m", &format!("{}{path}", system.url())).await?;
                // The call's own clock may be first to end.
                ensure!(got["error"] == *error, "{path}: expected {error}, got {got}");
                Ok(())
            }
        });
        for result in join_all(asks).await {
            result?;
        }
        anyhow::Ok(Instant::now())
    };
    let others = async {
        for number in 0..3 {
            assert_eq!(way.body("n", &format!("{}/fine?{number}", system.url())).await?, "fine");
        }
        anyhow::Ok(Instant::now())
    };
    let (attacked, others) = tokio::join!(attacked, others);
    assert!(others? < attacked?, "another plugin had to wait for the slow answers");
    assert_eq!(way.body("m", &format!("{}/fine", system.url())).await?, "fine", "and afterwards all is well");
    Ok(())
}

#[tokio::test]
async fn nothing_is_unpacked_for_a_plugin() -> anyhow::Result<()> {
    let system = Wire::start(|seen| {
        let encoding = seen.line().split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        Act::Send(answer(&format!("Content-Encoding: {encoding}\r\n"), "a few bytes that a decoder would blow up"))
    })
    .await?;
    let way = Way::start(&allow(&[&system.url()]), "").await?;
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip,%20gzip"] {
        let request = json!({ "url": format!("{}/{encoding}", system.url()), "headers": { "accept-encoding": "gzip, br, zstd" } });
        let got = way.ask("m", request).await?;
        assert_eq!(got["body"], "a few bytes that a decoder would blow up", "{encoding}: bytes are the plugin's to unpack: {got}");
    }
    way.body("m", &format!("{}/gzip", system.url())).await?;
    let last = system.seen().pop().expect("a request came");
    assert_eq!(last.header("accept-encoding"), Vec::<&str>::new(), "the host itself asks for no compression");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_nobodys_answer() -> anyhow::Result<()> {
    let poison = || answer("", "poison");
    let with = move |first: Vec<u8>| [first, poison()].concat();
    let system = Wire::start(move |seen| match seen.line().split(' ').nth(1).unwrap_or_default() {
        "/two-at-once" => Act::Send(with(answer("", "first"))),
        "/two-in-turn" => Act::Later(answer("", "first"), Duration::from_millis(200), poison()),
        "/longer-than-said" => Act::Send(with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst".to_vec())),
        "/chunks-and-length" => {
            Act::Send(with(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n".to_vec()))
        }
        "/no-content" => Act::Send(with(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        "/not-modified" => Act::Send(with(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n".to_vec())),
        "/head" => Act::Send(with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec())),
        "/after-hints" => Act::Send(with([&b"HTTP/1.1 103 Early Hints\r\n\r\n"[..], &answer("", "first")].concat())),
        _ => Act::answer("clean"),
    })
    .await?;
    let way = Way::start(&allow(&[&system.url()]), "").await?;
    let attacks = [
        "/two-at-once",
        "/two-in-turn",
        "/longer-than-said",
        "/chunks-and-length",
        "/no-content",
        "/not-modified",
        "/head",
        "/after-hints",
    ];
    for path in attacks {
        let method = if path == "/head" { "HEAD" } else { "GET" };
        let got = way.ask("m", json!({ "method": method, "url": format!("{}{path}", system.url()) })).await?;
        assert!(got["body"] == "first" || got["body"] == "", "{path}: {got}");
        let attacked = system.seen().last().map(|seen| seen.connection);
        // What comes unasked ends the connection, whether it is there at once or comes while nobody is asking.
        let over = async {
            while system.ended() < system.opened() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), over).await.unwrap_or_else(|_| panic!("{path}: the connection is kept"));
        assert_eq!(way.body("m", &format!("{}/next", system.url())).await?, "clean", "{path} answered the next request");
        assert_ne!(system.seen().last().map(|seen| seen.connection), attacked, "{path}: its connection was used again");
    }
    Ok(())
}
