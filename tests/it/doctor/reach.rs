//! Other systems: broken on purpose, each in its own way.

use anyhow::ensure;
use sangam_tests::authority::{Authority, Identity};
use sangam_tests::wire::{Act, Wire, answer};
use sangam_tests::{MailServer, NatsServer, OpenIdProvider};
use serde_json::json;

use super::*;

async fn secure(identity: &Identity) -> anyhow::Result<Wire> {
    Wire::tls(identity.server()?, |_| Act::answer("")).await
}

// With threads to spare: the program is waited for while the systems answer it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_cannot_be_reached_is_told_with_the_reason_and_what_to_do() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let names = ["127.0.0.1", "localhost"];
    let (good, soon_over) = (secure(&authority.identity(&names)?).await?, secure(&authority.expired(&names)?).await?);
    let stranger = secure(&Authority::new()?.identity(&names)?).await?;
    let closed = format!("http://127.0.0.1:{}", free_port()?);
    let ill = Wire::start(|_| Act::Close(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec())).await?;
    let nowhere = "https://no-such-host.invalid";
    let allowed: Vec<String> = [good.url(), soon_over.url(), stranger.url(), closed.clone(), ill.url(), nowhere.to_owned()]
        .iter()
        .map(|url| format!("{url:?}"))
        .chain(["\"https://*.crm.example\"".to_owned()])
        .collect();
    let plugin = "allow-private-addresses = [\"127.0.0.0/8\"]\nca-file = \"ca.pem\"";
    let text = configuration(0, &allowed.join(", "), plugin, "");
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    folder.configure(&text)?;
    // A resolver may take its time to say that there is no such name.
    let said = doctor(&folder, &["--timeout", "60s"])?;
    said.says("granted-host", "ok", &[&good.url(), "its certificate is good"])?;
    said.says("granted-host", "error", &[&soon_over.url(), "expired", "2021-01-01"])?;
    said.says("granted-host", "error", &[&stranger.url(), "no TLS", "ca-file in [plugins.s]"])?;
    said.says("granted-host", "error", &[&closed, "can't connect", "firewall"])?;
    said.says("granted-host", "warning", &[&ill.url(), "503"])?;
    said.says("granted-host", "error", &[nowhere, "getent hosts no-such-host.invalid"])?;
    said.says("granted-host", "ok", &["*.crm.example", "only a request says"])?;
    for request in good.seen() {
        ensure!(request.line().starts_with("HEAD / ") && request.header("authorization").is_empty(), "{}", request.text);
    }
    // Nobody named this machine's own addresses now.
    let opened = good.opened();
    folder.configure(&text.replace("allow-private-addresses = [\"127.0.0.0/8\"]", ""))?;
    doctor(&folder, &[])?.says("granted-host", "error", &[&good.url(), "a loopback address", "allow-private-addresses"])?;
    ensure!(good.opened() == opened, "it was dialled");
    // Nor is anybody asked.
    let said = doctor(&folder, &["--offline"])?;
    ensure!(
        said.report["findings"].as_array().is_some_and(|all| all.iter().all(|finding| finding["area"] != "reach")),
        "{:#}",
        said.report
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_never_answers_holds_up_nobody_else() -> anyhow::Result<()> {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", silent.local_addr()?);
    let folder = HostFolder::new(&local(&format!("{url:?}"), ""))?;
    let started = std::time::Instant::now();
    let said = doctor(&folder, &["--timeout", "1s"])?;
    ensure!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    said.says("granted-host", "error", &[&url, "did not answer within", "firewall"])?;
    said.well("disk-room")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_found_by_what_others_have() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let folder = HostFolder::new(&local(&format!("{:?}", sink.url()), ""))?;
    folder.start().await?.terminate().await?;
    doctor(&folder, &[])?.well("clock")?;
    let folder = folder.env("SANGAM_CLOCK_AHEAD", "2h");
    let said = doctor(&folder, &[])?;
    said.says("clock", "error", &["2 hours ahead of", "NTP"])?;
    said.says("test-switch", "warning", &["SANGAM_CLOCK_AHEAD"])?;
    let errors = said.findings("clock", "error").len();
    ensure!(errors == if folder.database().is_some() { 2 } else { 1 }, "the database was asked, too: {:#}", said.report);
    // A host took events in while it was ahead: from now they are in the future.
    let host = folder.start().await?;
    host.client.send(&crate::scene::event("1", "nobody.wants", json!({}))).await?;
    host.terminate().await?;
    let folder = folder.env("SANGAM_CLOCK_AHEAD", "0s");
    doctor(&folder, &[])?.says("clock", "error", &["the newest event came in", "set back"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_collectors_and_registries_are_looked_at_by_the_way_that_leads_there() -> anyhow::Result<()> {
    let there = Wire::start(|_| Act::Send(answer("", ""))).await?;
    let gone = format!("http://127.0.0.1:{}", free_port()?);
    let webhook =
        |name: &str, url: &str, more: &str| format!("[webhooks.{name}]\nurl = \"{url}/in\"\nsecret = \"${{secret:w}}\"\n{more}\n");
    let near = "allow-private-addresses = [\"127.0.0.0/8\"]";
    let text = [
        webhook("well", &there.url(), near),
        webhook("gone", &gone, near),
        webhook("hidden", &there.url(), ""),
        format!("[telemetry.otlp]\nendpoint = \"{gone}\"\n"),
    ];
    let folder = HostFolder::new(&local("", &text.concat()))?;
    folder.secret("w", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let said = doctor(&folder, &[])?;
    said.says("webhook-endpoint", "ok", &["well"])?;
    said.says("webhook-endpoint", "error", &["gone", "can't connect"])?;
    said.says("webhook-endpoint", "error", &["hidden", "loopback", "[webhooks.hidden]"])?;
    said.says("collector", "error", &["can't connect"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nats_server_is_heard_out_and_nobody_logs_in() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let mut server = NatsServer::start("authorization { token: \"hush-hush\" }").await?;
    let nats = format!("[nats.bus]\nservers = [{:?}]\ntoken = \"${{secret:bus}}\"\n", server.url());
    let folder = HostFolder::new(&local("", &nats))?;
    folder.secret("bus", "a-wrong-token")?;
    let said = doctor(&folder, &[])?;
    said.says("nats-server", "ok", &["bus", "is NATS 2"])?;
    // A login would have been refused, and told by the server.
    let log = std::fs::read_to_string(server.folder().join("server.log"))?;
    ensure!(!log.contains("authentication error"), "{log}");
    server.kill().await?;
    doctor(&folder, &[])?.says("nats-server", "error", &["bus", "can't connect"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_relay_is_greeted_as_it_is_configured() -> anyhow::Result<()> {
    if !MailServer::is_there()? {
        return Ok(());
    }
    let server = MailServer::start(json!({ "tls": "starttls" })).await?;
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), &server.authority)?;
    let relay = |name: &str, port: u16, more: &str| {
        format!("[mail.{name}]\nhost = \"localhost\"\nport = {port}\nfrom = \"a@acme.example\"\n{more}\n")
    };
    let text = [
        relay("well", server.port, "ca-file = \"ca.pem\""),
        relay("unknown", server.port, ""),
        relay("gone", free_port()?, "ca-file = \"ca.pem\""),
    ];
    folder.configure(&local("", &text.concat()))?;
    let said = doctor(&folder, &[])?;
    said.says("mail-relay", "ok", &["well", "says hello"])?;
    said.says("mail-relay", "error", &["unknown", "nobody whom this machine trusts"])?;
    said.says("mail-relay", "error", &["gone", "can't be reached"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_provider_that_is_down_is_found() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let provider = OpenIdProvider::start(&json!({})).await?;
    let oidc = format!("[server.oidc]\nissuer = \"{}\"\nclient-id = \"sangam\"\nroles = {{ admin = [\"*\"] }}\n", provider.issuer);
    let folder = HostFolder::new(&format!("[server]\nlisten = \"127.0.0.1:0\"\nmax-connections = 50\n{oidc}"))?;
    doctor(&folder, &[])?.well("login-provider")?;
    provider.down(true).await?;
    doctor(&folder, &[])?.says("login-provider", "error", &["503", "[server.oidc]"])
}
