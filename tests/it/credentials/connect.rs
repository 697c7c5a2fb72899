//! `sangam connect`: somebody agrees at the vendor, and the host keeps what that brings.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use sangam_tests::{Browser, oidc::OpenIdProvider};

use super::*;

/// The credential of these tests, at the strict vendor.
fn consenting(vendor: &Stand, more: &str) -> String {
    let keys = format!("type = \"oauth2-authorization-code\"\nauth-url = \"{}/authorize\"\nscopes = [\"read\"]\n{more}", vendor.url());
    oauth_credential("books", vendor, &keys)
}

async fn folder_with(vendor: &Stand, more: &str, server: &str) -> anyhow::Result<HostFolder> {
    let text = configuration(&vendor.url(), "credentials = [\"books\"]", &format!("{SCRIPT}{}", consenting(vendor, more)));
    let folder = HostFolder::new(&text.replace("[server]\n", &format!("[server]\n{server}\n")))?;
    folder.secret("client", oauth::CLIENT_SECRET)?;
    Ok(folder)
}

fn read(vendor: &Stand, id: &str) -> Value {
    script(id, json!([{ "do": "read", "url": format!("{}/api/r", vendor.url()) }]))
}

/// `sangam connect` under way.
struct Connecting {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    /// The address that it prints.
    address: String,
}

impl Connecting {
    fn start(folder: &HostFolder, host: &Host, more: &[&str]) -> anyhow::Result<Connecting> {
        let mut child = Command::new(sangam_tests::sangam())
            .args(["connect", "books", "--no-browser", "--url", &host.client.url])
            .args(more)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut address = String::new();
        while !address.trim().starts_with("http") {
            address.clear();
            ensure!(lines.read_line(&mut address)? > 0, "it printed no address");
        }
        Ok(Connecting { child, lines, address: address.trim().to_owned() })
    }

    /// Its exit code, the rest of its output, and what it says is wrong.
    fn end(mut self) -> anyhow::Result<(Option<i32>, String, String)> {
        let (mut out, mut err) = (String::new(), String::new());
        self.lines.read_to_string(&mut out)?;
        self.child.stderr.take().context("its errors are piped")?.read_to_string(&mut err)?;
        Ok((self.child.wait()?.code(), out, err))
    }
}

/// A GET as a browser makes it, redirects not followed: status, `Location`, body.
async fn browse(url: &str) -> anyhow::Result<(u16, Option<String>, String)> {
    let (origin, path) = url.match_indices('/').nth(2).map(|(at, _)| url.split_at(at)).context("a URL with a path")?;
    let answer = Client::unfollowing(origin).ask(Method::GET, path, &[], Vec::new()).await?;
    Ok((answer.status, answer.header("location").map(str::to_owned), answer.text))
}

/// Agrees at the vendor; gives the address that the vendor sends the browser to.
async fn agree(address: &str) -> anyhow::Result<String> {
    let (status, location, text) = browse(address).await?;
    ensure!(status == 302, "the vendor did not agree: {status} {text}");
    location.context("a redirect leads somewhere")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_for_a_consent_goes_on_once_somebody_agrees() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let folder = folder_with(&vendor, "", "").await?;
    let host = folder.start().await?;
    let eid = host.client.send(&read(&vendor, "1")).await?;
    let waiting = host.client.until(&eid, "waiting").await?;
    assert!(waiting.to_string().contains("sangam connect books"), "{waiting:#}");
    assert_eq!(state(&host.client, "books").await?["state"], "not-connected");

    let connecting = Connecting::start(&folder, &host, &[])?;
    assert!(
        connecting.address.contains("code_challenge_method=S256") && connecting.address.contains("scope=read"),
        "{}",
        connecting.address
    );
    let back = agree(&connecting.address).await?;
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    let (status, _, page) = browse(&back).await?;
    assert_eq!((status, page.as_str()), (200, "Connected. You can close this window.\n"));
    let (code, out, err) = connecting.end()?;
    assert_eq!(code, Some(0), "{out}{err}");
    // QuickBooks, for one, says there whose books they are.
    assert!(out.contains("books is connected") && out.contains("realmId = 4620816365"), "{out}");
    host.client.until(&eid, "succeeded").await?;
    assert_eq!(state(&host.client, "books").await?["state"], "ok");

    // It outlives a restart, and is renewed by the refresh token that came with it.
    vendor.set("access-token-life-s", 1).map_err(anyhow::Error::msg)?;
    assert_eq!(host.terminate().await?, Some(0));
    let host = folder.start().await?;
    host.client.send_and_wait(&read(&vendor, "2")).await?;
    let vendors = vendor.state();
    assert_eq!((&vendors["revoked"], vendors["most_uses"].as_u64().is_some_and(|uses| uses <= 1)), (&json!(false), true), "{vendors}");
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).context("a code")?.to_owned();
    for (place, text) in folder_texts(&folder, &host, &waiting).await? {
        assert!(!text.contains(&code) && !text.contains("strict-access-") && !text.contains("strict-refresh-"), "{place} shows a secret");
    }
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_answers_to_the_public_callback_of_any_host_once() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let folder = folder_with(&vendor, "", "public-url = \"http://sangam.localhost\"").await?;
    let hosts = match TestStore::wanted()? {
        TestStore::Sqlite => vec![folder.start().await?],
        TestStore::Postgres => vec![folder.start().await?, folder.start().await?],
    };
    let last = hosts.last().context("a host")?;
    let connecting = Connecting::start(&folder, &hosts[0], &["--public"])?;
    let back = agree(&connecting.address).await?;
    let query = back.strip_prefix("http://sangam.localhost/oauth/callback").context("the fixed callback")?.to_owned();
    let path = format!("/oauth/callback{query}");
    let call = async |host: &Host, path: &str, name: &str| host.client.ask(Method::GET, path, &[("host", name)], Vec::new()).await;
    // Not under another's name, and not with a state that is nearly right.
    assert_eq!(call(last, &path, "evil.example").await?.status, 403);
    let forged = call(last, &path.replace("state=", "state=A"), "sangam.localhost").await?;
    assert_eq!(forged.status, 400);
    let answer = call(last, &path, "sangam.localhost").await?;
    assert_eq!((answer.status, answer.header("referrer-policy")), (200, Some("no-referrer")), "{}", answer.text);
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    let (code, out, err) = connecting.end()?;
    assert_eq!(code, Some(0), "{out}{err}");
    // The same answer again, as somebody who saw the address would send it.
    assert_eq!(call(last, &path, "sangam.localhost").await?.status, 400);
    for host in &hosts {
        let document = host.client.send_and_wait(&read(&vendor, &host.client.url)).await?;
        assert_eq!(document["status"], "succeeded", "{document:#}");
    }
    assert_eq!(vendor.state()["issued"], 1);
    for host in hosts {
        host.kill().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_refuses_or_another_answers_connects_nothing() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let folder = folder_with(&vendor, "", "public-url = \"http://sangam.localhost\"").await?;
    let host = folder.start().await?;
    for (setting, value, status, says) in [
        ("refuse", json!("access_denied"), 422, "access_denied (&lt;b&gt;the owner&lt;/b&gt; said no)"),
        ("issuer", json!("https://another.example"), 400, "another.example"),
    ] {
        vendor.set(setting, value).map_err(anyhow::Error::msg)?;
        let asked = host.client.post("/v1/credentials/books/connect", &json!({})).await?;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let back = agree(asked.json["url"].as_str().context("a URL")?).await?;
        let path = back.strip_prefix("http://sangam.localhost").context("the callback")?.to_owned();
        let answer = host.client.ask(Method::GET, &path, &[("host", "sangam.localhost")], Vec::new()).await?;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(says) && !answer.text.contains("<b>"), "{}", answer.text);
        let id = asked.json["id"].as_str().unwrap_or_default();
        let ended = host.client.get(&format!("/v1/credentials/books/connect/{id}")).await?;
        assert_eq!(ended.json["state"], "failed", "{}", ended.text);
        vendor.reset();
    }
    assert_eq!(vendor.state()["issued"], 0);
    for (path, body, status) in [
        ("/v1/credentials/boks/connect", json!({}), 404),
        ("/v1/credentials/books/connect", json!({ "redirect_uri": "https://evil.example/callback" }), 400),
        ("/v1/credentials/books/connect", json!({ "redirect_uri": "http://127.0.0.1.evil.example/" }), 400),
        ("/v1/credentials/books/connect", json!({ "redirect": "x" }), 400),
    ] {
        assert_eq!(host.client.post(path, &body).await?.status, status, "{path} {body}");
    }
    host.kill().await
}

#[tokio::test]
async fn only_an_administrator_connects() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let folder = folder_with(&vendor, "", "").await?;
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    folder.configure(&text.replace("\"open\"", "\"tokens\""))?;
    let host = folder.start().await?;
    let ask = json!({ "redirect_uri": "http://127.0.0.1:1/callback" });
    for (role, status) in [(None, 401), (Some("viewer"), 403), (Some("sender"), 403), (Some("operator"), 403), (Some("admin"), 200)] {
        let mut client = host.client.clone();
        if let Some(role) = role {
            let made = folder.run(&["token", "create", "--role", role], "")?;
            client.token = Some(String::from_utf8_lossy(&made.stdout).trim().to_owned());
        }
        assert_eq!(client.post("/v1/credentials/books/connect", &ask).await?.status, status, "{role:?}");
    }
    // The callback asks for no token, and gives nothing to who brings no state.
    assert_eq!(host.client.get("/oauth/callback?code=x&state=y").await?.status, 400);
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_provider_is_connected_and_its_rotating_tokens_are_renewed() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (provider, sink) = (OpenIdProvider::start(&json!({ "accessTokenTTL": 2 })).await?, sink().await?);
    let credential = format!(
        "[credentials.books]\ntype = \"oauth2-authorization-code\"\nhosts = [\"{api}\"]\nauth-url = \"{issuer}/auth\"\ntoken-url = \"{issuer}/token\"\n\
         issuer = \"{issuer}\"\nclient-id = \"{id}\"\nclient-secret = \"${{secret:client}}\"\nscopes = [\"openid\", \"offline_access\"]\n\
         auth-parameters = {{ prompt = \"consent\" }}\n",
        api = sink.url(),
        issuer = provider.issuer,
        id = sangam_tests::oidc::CLIENT_ID,
    );
    let folder = HostFolder::new(&configuration(&sink.url(), "credentials = [\"books\"]", &format!("{SCRIPT}{credential}")))?;
    folder.secret("client", sangam_tests::oidc::CLIENT_SECRET)?;
    let host = folder.start().await?;
    let connecting = Connecting::start(&folder, &host, &[])?;
    let back = Browser::new().login_until(&connecting.address, "kim", "/oauth/callback").await?;
    let (status, _, page) = browse(&back).await?;
    let (code, out, err) = connecting.end()?;
    assert_eq!((status, code), (200, Some(0)), "{page}{out}{err}");
    assert!(!out.contains("no refresh token"), "{out}");
    for round in 0..4 {
        let lines = json!([{ "do": "read", "url": format!("{}/r{round}", sink.url()) }]);
        let document = host.client.send_and_wait(&script(&round.to_string(), lines)).await?;
        assert_eq!(document["status"], "succeeded", "{document:#}");
        // Tokens live for two seconds.
        tokio::time::sleep(Duration::from_millis(2200)).await;
    }
    let tokens: std::collections::BTreeSet<String> =
        sink.requests().iter().map(|request| request.headers["authorization"].clone()).collect();
    assert_eq!(tokens.len(), 4, "another token each time");
    let books = state(&host.client, "books").await?;
    assert_eq!((&books["state"], &books["failures"]), (&json!("ok"), &json!(0)), "{books}");
    host.kill().await
}
