//! What a plugin may send, and the bytes that arrive of it.

use sangam_tests::wire::{Act, Wire, answer};
use serde_json::{Value, json};

use super::{Way, allow};

async fn sink() -> anyhow::Result<Wire> {
    Wire::start(|_| Act::answer("ok")).await
}

#[tokio::test]
async fn a_method_and_a_path_may_be_granted_and_nothing_beside_them() -> anyhow::Result<()> {
    let sink = sink().await?;
    let read = format!("GET {}/crm/**", sink.url());
    let write = format!("POST {}/crm/*/notes", sink.url());
    let way = Way::start(&allow(&[&read, &write]), &allow(&[&sink.url()])).await?;
    let shown = way.client.get("/v1/plugins").await?.json;
    let plugin = shown["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "m").cloned().unwrap_or_default();
    assert_eq!(plugin["grants"]["allow_hosts"], json!([read, write]));
    let checked = way.folder.run(&["check"], "")?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let refused = async |method: &str, path: &str| {
        let url = format!("{}{path}", sink.url());
        way.refused("m", json!({ "method": method, "url": url, "name": "w" }), "denied", "allow-hosts").await
    };
    refused("POST", "/crm/contacts").await?;
    refused("DELETE", "/crm/contacts/notes").await?;
    refused("HEAD", "/crm/contacts").await?;
    for path in [
        "/",
        "/admin",
        "/crm/../admin",
        "/crm/%2e%2e/admin",
        "/crm/..%2Fadmin",
        "/crm/..%5cadmin",
        "/crm/..;/admin",
        "/crm/%252e%252e/admin",
        "/crm//admin",
        "//crm/a",
        "/CRM/a",
    ] {
        refused("GET", path).await?;
    }
    assert_eq!(sink.opened(), 0, "something left");
    for (method, path) in
        [("GET", "/crm/"), ("GET", "/crm/contacts?q=../x"), ("GET", "/admin/../crm/a%20b"), ("POST", "/crm/contacts/notes")]
    {
        let answer = way.ask("m", json!({ "method": method, "url": format!("{}{path}", sink.url()), "name": "w" })).await?;
        assert_eq!(answer["status"], 200, "{method} {path}: {answer}");
    }
    let lines: Vec<String> = sink.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(
        lines,
        ["GET /crm/ HTTP/1.1", "GET /crm/contacts?q=../x HTTP/1.1", "GET /crm/a%20b HTTP/1.1", "POST /crm/contacts/notes HTTP/1.1"],
        "what was judged is what arrives"
    );
    // The other plugin's grants are its own.
    assert_eq!(way.get("n", &format!("{}/admin", sink.url())).await?["status"], 200);
    Ok(())
}

#[tokio::test]
async fn a_request_arrives_as_one_request_byte_for_byte() -> anyhow::Result<()> {
    let sink = sink().await?;
    let way = Way::start(&allow(&[&sink.url()]), "").await?;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let requests: [(&str, &str, Value); 7] = [
        ("GET", "/plain?a=b%20c", json!({})),
        ("GET", "/with-body", json!({ "body": smuggled })),
        ("HEAD", "/head", json!({})),
        ("OPTIONS", "/*", json!({})),
        ("POST", "/empty", json!({ "name": "empty" })),
        ("POST", "/body", json!({ "name": "body", "body": smuggled })),
        ("BREW", "/pot", json!({ "name": "brew", "body": "0\r\n\r\n", "headers": { "X-Name": "a\tb" } })),
    ];
    for (method, path, rest) in &requests {
        let mut request = rest.clone();
        request["method"] = json!(method);
        request["url"] = json!(format!("{}{path}", sink.url()));
        // A head is answered with a length and no body: that connection is not used again.
        let answer = way.ask("m", request).await?;
        assert!(answer["status"] == 200, "{method} {path}: {answer}");
    }
    let seen = sink.seen();
    assert_eq!(seen.len(), requests.len(), "{seen:#?}");
    for (seen, (method, path, rest)) in seen.iter().zip(&requests) {
        let body = rest["body"].as_str().unwrap_or_default();
        assert_eq!(seen.line(), format!("{method} {path} HTTP/1.1"), "the target is in origin form");
        assert_eq!(seen.header("host"), [sink.addr.to_string()]);
        assert_eq!(seen.body(), body);
        let length = if body.is_empty() && *method != "POST" { vec![] } else { vec![body.len().to_string()] };
        assert_eq!(seen.header("content-length"), length, "{method} {path}");
        for absent in ["transfer-encoding", "connection", "expect", "te", "trailer", "upgrade", "accept-encoding", "forwarded"] {
            assert_eq!(seen.header(absent), Vec::<&str>::new(), "{method} {path}: {absent}");
        }
    }
    assert_eq!(seen[6].header("x-name"), ["a\tb"]);
    Ok(())
}

#[tokio::test]
async fn nothing_that_could_split_a_request_leaves() -> anyhow::Result<()> {
    let sink = sink().await?;
    let way = Way::start(&allow(&[&sink.url()]), "").await?;
    let url = sink.url();
    let at = |path: &str| format!("{url}{path}");
    let invalid = [
        json!({ "url": at("/a\r\nX-Injected: 1") }),
        json!({ "url": at("/a\nb") }),
        json!({ "url": at("/a\0b") }),
        json!({ "url": at("\\@evil.example/") }),
        json!({ "url": at("/a"), "method": "GET / HTTP/1.1\r\nX: y\r\n\r\nGET" }),
        json!({ "url": at("/a"), "method": "" }),
        json!({ "url": at("/a"), "headers": { "x-a": "b\r\nx-c: d" } }),
        json!({ "url": at("/a"), "headers": { "x-a": "b\nx-c: d" } }),
        json!({ "url": at("/a"), "headers": { "x-a": "b\0" } }),
        json!({ "url": at("/a"), "headers": { "x-a\r\nx-c": "d" } }),
        json!({ "url": at("/a"), "headers": { "x-a: b": "d" } }),
        json!({ "url": at("/a"), "headers": { "": "d" } }),
    ];
    for request in invalid {
        way.refused("m", request, "invalid-request", "").await?;
    }
    for name in [
        "Host",
        "Connection",
        "Content-Length",
        "content_length",
        "Transfer-Encoding",
        "transfer_encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Keep-Alive",
        "Expect",
        "Proxy-Connection",
        "Proxy-Authorization",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Forwarded",
        "X-Forwarded-For",
        "X_Forwarded_Host",
        "X-Real-IP",
        "Via",
        "Sangam-Effect",
    ] {
        way.refused("m", json!({ "url": at("/a"), "headers": { name: "1" } }), "denied", "is set by the host").await?;
    }
    assert_eq!(sink.opened(), 0, "something left: {:?}", sink.seen());
    assert_eq!(way.get("m", &at("/a")).await?["status"], 200);
    Ok(())
}

#[tokio::test]
async fn each_hop_of_a_redirect_is_the_plugins_own_request() -> anyhow::Result<()> {
    const SECRET: &str = "s3cr3t-redirect-71";
    let next = sink().await?;
    let target = next.url();
    let first = Wire::start(move |seen| {
        let to = match seen.line().split(' ').nth(1) {
            Some("/granted") => format!("{target}/landed"),
            Some("/private") => "http://10.1.2.3/landed".to_owned(),
            Some("/metadata") => "http://169.254.169.254/latest/meta-data/".to_owned(),
            _ => "http://elsewhere.example/landed".to_owned(),
        };
        let status = if seen.line().starts_with("POST") { "307 Temporary Redirect" } else { "302 Found" };
        Act::Send(format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    })
    .await?;
    let private = "http://10.1.2.3";
    let grants = format!("{}credentials = [\"c\"]\n", allow(&[&first.url(), &next.url(), private]));
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{env:SANGAM_TEST_TOKEN}}\"\n", first.url());
    let folder = sangam_tests::HostFolder::new(&format!("{}{credential}", super::configuration(&grants, "")))?;
    let way = Way::within(folder.env("SANGAM_TEST_TOKEN", SECRET)).await?;
    for (path, status) in [("/granted", 302), ("/private", 302), ("/metadata", 302), ("/elsewhere", 302)] {
        assert_eq!(way.get("m", &format!("{}{path}", first.url())).await?["status"], status, "{path}: a redirect is an answer");
    }
    let post = json!({ "method": "POST", "name": "w", "url": format!("{}/granted", first.url()), "body": "x" });
    assert_eq!(way.ask("m", post).await?["status"], 307);
    assert_eq!(first.seen().len(), 5);
    assert!(first.seen().iter().all(|seen| seen.header("authorization") == [format!("Bearer {SECRET}")]), "the credential is for it");
    assert_eq!(next.opened(), 0, "the host followed a redirect");
    // Where the plugin goes on by itself it is judged anew, and the credential stays behind.
    assert_eq!(way.get("m", &format!("{}/landed", next.url())).await?["status"], 200);
    assert_eq!(next.seen()[0].header("authorization"), Vec::<&str>::new());
    assert!(!next.seen()[0].text.contains(SECRET));
    way.refused("m", json!({ "url": "http://10.1.2.3/landed" }), "denied", "allow-private-addresses").await?;
    way.refused("m", json!({ "url": "http://169.254.169.254/latest/meta-data/" }), "denied", "allow-hosts").await?;
    way.refused("m", json!({ "url": "http://elsewhere.example/landed" }), "denied", "allow-hosts").await?;
    Ok(())
}

#[tokio::test]
async fn connections_are_a_plugins_own_and_end_when_they_idle() -> anyhow::Result<()> {
    let numbered = || Wire::start(|seen| Act::Send(answer("", &seen.connection.to_string())));
    let own = |sink: &Wire, keep_alive: &str| format!("{}keep-alive = \"{keep_alive}\"\n", allow(&[&sink.url()]));
    let sink = numbered().await?;
    let way = Way::start(&own(&sink, "60s"), &own(&sink, "60s")).await?;
    let mut used = Vec::new();
    for plugin in ["m", "n", "m", "n"] {
        used.push(way.body(plugin, &sink.url()).await?);
    }
    assert_eq!(used, ["1", "2", "1", "2"], "each plugin keeps its own connection");

    let sink = numbered().await?;
    let way = Way::start(&own(&sink, "0s"), &own(&sink, "100ms")).await?;
    assert_eq!((way.body("m", &sink.url()).await?, way.body("m", &sink.url()).await?), ("1".to_owned(), "2".to_owned()));
    assert_eq!(way.body("n", &sink.url()).await?, "3");
    let over = async {
        while sink.ended() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let all = tokio::time::timeout(std::time::Duration::from_secs(60), over).await;
    assert!(all.is_ok(), "an idle connection stays open: {} of 3 ended", sink.ended());
    Ok(())
}
