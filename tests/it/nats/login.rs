//! How the host shows a real NATS server who it is, and makes sure of the server: keys that sign, credentials files, certificates.

use anyhow::{Context as _, ensure};
use async_nats::ConnectOptions;
use sangam_tests::authority::Authority;
use sangam_tests::{Host, HostFolder, NatsServer};
use serde_json::Value;

use super::{TYPED, configuration, publish, state, until_state, until_there_are};

/// Made for these tests, and good for nothing else: the public key and the seed of who is let in, and the seed of somebody else.
const USER: (&str, &str) =
    ("UDPSVCVJPLA4FADSKIRETLGV7B6Z7QGNAVJW4XAMFUOA27ZHQMAHWRMQ", "SUALDOYJRLII43XMMNR3RL2IUGRI3OFNYPHVCJI6ZNTUVENLW4QGDJMUDI");
const STRANGER: &str = "SUALPGZCFAGDRBA52L7AO6VPIFAYOCNRLFFNTMWOVXFDFN3EXMDI3GPEWU";

/// A server with an operator, whose accounts and users are signed and not listed.
const OPERATOR: &str = include_str!("../../peers/nats/operator.conf");
const CREDENTIALS: [&str; 2] = [include_str!("../../peers/nats/stranger.creds"), include_str!("../../peers/nats/sangam.creds")];

/// A host whose source logs in with a secret: first with one that the server does not know, then with the right one, without a restart.
async fn let_in(server: &NatsServer, login: &str, [wrong, right]: [&str; 2]) -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration(&server.url(), &format!("{TYPED}\n{login}"), ""))?;
    folder.secret("bus", wrong)?;
    let host = folder.start().await?;
    let refused = until_state(&host.client, "interrupted").await?;
    ensure!(refused["reason"].as_str().is_some_and(|reason| reason.contains("refuses the login")), "{refused:#}");
    folder.secret("bus", right)?;
    until_there_are(&host.client, 1).await?;
    let shown = host.client.get("/v1/sources").await?.text + &host.log();
    // Of a credentials file the seed alone is secret, and all of it is nobody's business.
    for line in [wrong, right].iter().flat_map(|text| text.lines()).filter(|line| line.len() > 50) {
        ensure!(!shown.contains(line), "{line} is shown: {shown}");
    }
    host.kill().await
}

#[tokio::test]
async fn a_key_that_signs_lets_the_host_in_and_another_does_not() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let server = NatsServer::start(&format!("authorization {{ users = [ {{ nkey: \"{}\" }} ] }}", USER.0)).await?;
    let jetstream = server.client(ConnectOptions::with_nkey(USER.1.to_owned())).await?;
    NatsServer::stream(&jetstream, "EVENTS", "jobs").await?;
    publish(&jetstream, "jobs.completed", Some("m1"), "{}").await?;
    let_in(&server, "nkey = \"${secret:bus}\"", [STRANGER, USER.1]).await
}

#[tokio::test]
async fn a_credentials_file_lets_the_host_in_and_one_of_an_unknown_account_does_not() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let server = NatsServer::start(OPERATOR).await?;
    let jetstream = server.client(ConnectOptions::with_credentials(CREDENTIALS[1])?).await?;
    NatsServer::stream(&jetstream, "EVENTS", "jobs").await?;
    publish(&jetstream, "jobs.completed", Some("m1"), "{}").await?;
    let_in(&server, "credentials = \"${secret:bus}\"", CREDENTIALS).await
}

/// A host at that server, and why it has no connection to it.
async fn turned_away(server: &NatsServer, more: &str) -> anyhow::Result<(Host, HostFolder, String)> {
    let folder = HostFolder::new(&configuration(&server.url().replace("nats:", "tls:"), &format!("{TYPED}\n{more}"), ""))?;
    folder.secret("bus", "right")?;
    let host = folder.start().await?;
    let end = tokio::time::Instant::now() + super::PATIENCE;
    loop {
        let shown: Value = state(&host.client).await?;
        if let Some(reason) = shown["reason"].as_str().filter(|reason| reason.contains("certificate")) {
            return Ok((host, folder, reason.to_owned()));
        }
        ensure!(tokio::time::Instant::now() < end, "the server's certificate is not what is wrong: {shown:#}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_with_another_name_or_of_another_authority_is_shown_no_login() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let other = authority.identity(&["nats.acme.example"])?;
    let keys = tempfile::tempdir()?;
    let at = |name: &str| keys.path().join(name);
    std::fs::write(at("cert.pem"), other.pem())?;
    std::fs::write(at("key.pem"), other.key_pem())?;
    std::fs::write(at("ca.pem"), authority.pem())?;
    std::fs::write(at("stranger.pem"), stranger.pem())?;
    let login = "authorization { users = [ { user: \"sangam\", password: \"right\" } ] }\ndebug: true";
    let server = NatsServer::start(&format!("tls {{ cert_file: {:?}, key_file: {:?} }}\n{login}", at("cert.pem"), at("key.pem"))).await?;
    let password = "user = \"sangam\"\npassword = \"${secret:bus}\"";
    for ca in ["ca.pem", "stranger.pem"] {
        let (host, _folder, reason) = turned_away(&server, &format!("{password}\nca-file = {:?}", at(ca))).await?;
        ensure!(reason.contains("not valid for name") == (ca == "ca.pem"), "{ca}: {reason}");
        host.kill().await?;
    }
    let log = std::fs::read_to_string(server.folder().join("server.log")).context("the server's log")?;
    ensure!(log.contains("TLS handshake error"), "{log}");
    ensure!(!log.contains("Authentication") && !log.contains("authentication error"), "it came to a login: {log}");
    Ok(())
}
