//! A host that runs, or should, and what it has to do.

use anyhow::ensure;
use sangam_saas::{Fault, FaultAct, oauth};
use sangam_tests::authority::Authority;
use sangam_tests::wire::{Act, Wire};
use sangam_tests::{Hand, TestStore, postgres};
use serde_json::json;

use super::*;
use crate::scene::{event, script};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_host_has_nothing_to_mend() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let port = free_port()?;
    let plugin = "allow-private-addresses = [\"127.0.0.0/8\"]";
    let folder = HostFolder::new(&configuration(port, &format!("{:?}", sink.url()), plugin, ""))?;
    ensure!(folder.run(&["plugin", "approve", "--yes"], "")?.status.success());
    let said = doctor(&folder, &[])?;
    ensure!(said.code == Some(0) && said.report["summary"]["errors"] == json!(0), "before the first start: {:#}", said.report);
    let host = folder.start().await?;
    let write = json!([{ "do": "write", "name": "w", "url": format!("{}/w", sink.url()) }]);
    host.client.send_and_wait(&script("1", write)).await?;
    let said = doctor(&folder, &[])?;
    ensure!(said.code == Some(0), "{:#}", said.report);
    ensure!((&said.report["summary"]["warnings"], &said.report["summary"]["errors"]) == (&json!(0), &json!(0)), "{:#}", said.report);
    said.says("listen-address", "ok", &["a host answers there"])?;
    said.says("running-host", "ok", &["revision 1"])?;
    said.says("revision", "ok", &["it is what sangam.toml says"])?;
    // For people: by area, within 80 columns, without colours where nobody sees them.
    let done = folder.run(&["doctor"], "")?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let areas = ["configuration", "secrets", "store", "machine", "credentials", "reach", "host", "work"];
    let headings: Vec<&str> = text.lines().filter(|line| areas.contains(line)).collect();
    ensure!(headings == areas, "{text}");
    let too_long = |line: &&str| line.chars().count() > 80 && line.trim_start().contains(' ');
    ensure!(text.lines().filter(too_long).count() == 0 && !text.contains('\u{1b}'), "{text}");
    ensure!(text.lines().last().is_some_and(|last| last.ends_with(" ok, 0 warnings, 0 errors")), "{text}");
    ensure!(done.stderr.is_empty(), "progress is for terminals: {}", String::from_utf8_lossy(&done.stderr));
    let quiet = folder.run(&["doctor", "--quiet"], "")?;
    ensure!(String::from_utf8_lossy(&quiet.stdout).lines().count() == 1, "{}", String::from_utf8_lossy(&quiet.stdout));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_a_stranger_has_and_a_host_on_another_configuration_are_found() -> anyhow::Result<()> {
    let stranger = Wire::start(|_| Act::answer("hello")).await?;
    let folder = HostFolder::new(&configuration(stranger.addr.port(), "", "", ""))?;
    doctor(&folder, &[])?.says("listen-address", "error", &["the port is taken", "ss -ltnp"])?;
    folder.configure(&configuration(free_port()?, "", "", ""))?;
    doctor(&folder, &[])?.says("listen-address", "ok", &["it is free"])?;
    folder.configure(
        &configuration(0, "", "", "").replace("127.0.0.1:0", "203.0.113.7:7070").replace("access = \"open\"", "access = \"tokens\""),
    )?;
    doctor(&folder, &[])?.says("listen-address", "error", &["no such address"])?;
    let port = free_port()?;
    let text = configuration(port, "", "", "");
    folder.configure(&text)?;
    let host = folder.start().await?;
    doctor(&folder, &[])?.well("revision")?;
    folder.configure(&text.replace("max-attempts = 3", "max-attempts = 5"))?;
    doctor(&folder, &[])?.says("revision", "warning", &["differs from revision 1", "SIGHUP"])?;
    ensure!(host.client.post("/v1/reload", &json!({})).await?.status == 200);
    doctor(&folder, &[])?.well("revision")?;
    // A change of `listen` takes a restart.
    if folder.database().is_none() {
        folder.configure(&configuration(free_port()?, "", "", ""))?;
        doctor(&folder, &[])?.says("running-host", "warning", &["a host has this store, and does not answer"])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_known_by_its_certificate_and_a_token_is_asked_for_only_where_one_is_needed() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let port = free_port()?;
    let text =
        configuration(port, "", "", "[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").replace("\"open\"", "\"tokens\"");
    let folder = HostFolder::new("")?;
    let write = |names: &[&str]| -> anyhow::Result<()> {
        let identity = authority.identity(names)?;
        std::fs::write(folder.path().join("cert.pem"), identity.pem())?;
        Ok(std::fs::write(folder.path().join("key.pem"), identity.key_pem())?)
    };
    write(&["sangam.acme.example"])?;
    folder.configure(&text)?;
    let host = folder.start().await?;
    // Nobody vouches for it but the file.
    let said = doctor(&folder, &[])?;
    said.says("running-host", "ok", &["it takes events in", "--token"])?;
    said.well("certificate")?;
    let made = folder.run(&["token", "create", "--role", "viewer", "--name", "doctor"], "")?;
    let token = String::from_utf8_lossy(&made.stdout).split_whitespace().find(|word| word.len() > 30).context("a token")?.to_owned();
    doctor(&folder, &["--token", &token])?.says("running-host", "ok", &["revision 1"])?;
    doctor(&folder, &["--token", "nonsense"])?.says("running-host", "warning", &["401"])?;
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_paused_sources_and_disabled_webhooks_are_told() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let webhook = format!(
        "[[routes]]\nname = \"tell\"\non = {{ type = \"job\" }}\n[[routes.steps]]\nname = \"tell\"\nuses = \"sangam.webhook\"\nwith = {{ to = \"*\" }}\n\
         [webhooks.gone]\nurl = \"{}/gone\"\nallow-private-addresses = [\"127.0.0.0/8\"]\nsecret = \"${{secret:gone}}\"\ndisable-after = \"1s\"\n\
         retry = {{ max-attempts = 3, initial = \"20ms\", factor = 1, max = \"20ms\", jitter = 0 }}\n\
         [[sources]]\nname = \"nightly\"\ntype = \"schedule\"\ncron = \"0 3 * * *\"\ntime-zone = \"UTC\"\nevent-type = \"night\"\n",
        sink.url()
    );
    let folder = HostFolder::new(&local("", &webhook))?;
    folder.secret("gone", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    sink.fault(Fault {
        times: 1_000_000,
        ..Fault::once("/gone", FaultAct::Status { status: 503, headers: [].into(), body: String::new() })
    });
    let host = folder.start().await?;
    for (id, key) in [("1", "never"), ("2", "never")] {
        host.client.send_and_wait(&script(id, json!([{ "do": "fail", "kind": "rejected", "key": key }]))).await?;
    }
    host.client.send(&event("3", "job", json!({}))).await?;
    let pause = host.client.post("/v1/sources/nightly/pause", &json!({ "reason": "their maintenance" })).await?;
    ensure!(pause.status == 200, "{}", pause.text);
    let disabled = async {
        while host.client.get("/v1/webhooks").await?.json["webhooks"][0]["state"] != "disabled" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), disabled).await??;
    host.terminate().await?;
    // The store alone knows it all.
    let said = doctor(&folder, &["--offline"])?;
    said.says("dead-letters", "warning", &["dead letter", "s.run", "sangam events dead --group"])?;
    said.says("sources", "warning", &["nightly", "paused", "their maintenance", "sangam sources resume nightly"])?;
    said.says("webhooks", "error", &["gone", "disabled", "503", "sangam webhooks enable gone"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_its_vendor_refuses_and_one_that_nobody_agreed_to_are_told() -> anyhow::Result<()> {
    let vendor = sangam_saas::Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), std::sync::Arc::new(oauth::OAuth::new())).await?;
    let credential = |name: &str, host: &str, kind: &str, more: &str| {
        format!(
            "[credentials.{name}]\ntype = \"{kind}\"\nhosts = [\"{host}\"]\ntoken-url = \"{}/token\"\nclient-id = \"{}\"\nclient-secret = \"${{secret:client}}\"\n{more}\n",
            vendor.url(),
            oauth::CLIENT_ID
        )
    };
    let text = [
        credential("books", &vendor.url(), "oauth2-refresh-token", "refresh-token = \"${secret:first}\""),
        credential("drive", "https://drive.example", "oauth2-authorization-code", "auth-url = \"https://drive.example/auth\""),
    ];
    let plugin = "credentials = [\"books\", \"drive\"]\nallow-private-addresses = [\"127.0.0.0/8\"]";
    let folder = HostFolder::new(&configuration(0, &format!("{:?}, \"https://drive.example\"", vendor.url()), plugin, &text.concat()))?;
    folder.secret("client", oauth::CLIENT_SECRET)?;
    folder.secret("first", oauth::REFRESH_TOKEN)?;
    let host = folder.start().await?;
    let read = |id: &str| script(id, json!([{ "do": "read", "url": format!("{}/api/r", vendor.url()) }]));
    host.client.send_and_wait(&read("1")).await?;
    let said = doctor(&folder, &["--offline", "--url", &host.client.url])?;
    said.says("credential", "ok", &["books", "its token"])?;
    said.says("credential", "error", &["drive", "nobody has agreed", "sangam connect drive"])?;
    vendor.set("revoke", true).map_err(anyhow::Error::msg)?;
    let eid = host.client.send(&read("2")).await?;
    host.client.until(&eid, "waiting").await?;
    let said = doctor(&folder, &["--offline", "--url", &host.client.url])?;
    said.says("credential", "error", &["books", "broken", "invalid_grant"])?;
    for secret in [oauth::CLIENT_SECRET, oauth::REFRESH_TOKEN] {
        ensure!(!said.report.to_string().contains(secret));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_nobody_takes_are_told() -> anyhow::Result<()> {
    let folder = HostFolder::new(&local("", "").replace("max-connections = 50", "max-connections = 50\nmax-backlog = 5"))?;
    let host = folder.start().await?;
    for id in ["1", "2", "3", "4"] {
        let later = json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 5_000_000_000_i64 }]);
        let eid = host.client.send(&script(id, later)).await?;
        while host.client.event(&eid).await?["runs"][0]["steps"][0]["attempts"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    host.terminate().await?;
    let said = doctor(&folder, &[])?;
    said.says("backlog", "warning", &["4 runs have not ended", "server.max-backlog"])?;
    Hand::into(&folder).await?.run("update run set due_at = 1000 where status = 'pending'").await?;
    doctor(&folder, &[])?.says("oldest-pending", "warning", &["no host runs", "sangam up"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_no_host_can_load_and_hosts_that_fell_silent_are_told() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let folder = HostFolder::on(TestStore::Postgres, &local("", ""))?;
    let host = folder.start().await?;
    let later = json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 5_000_000_000_i64 }]);
    let eid = host.client.send(&script("1", later)).await?;
    while host.client.event(&eid).await?["runs"][0]["steps"][0]["attempts"].as_array().is_none_or(Vec::is_empty) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    host.terminate().await?;
    // As a host writes of itself that lacks what the configuration needs, and one that was killed an hour ago.
    let rows = "update run set due_at = 1000 where status = 'pending';
                insert into host (id, version, revision, cannot_serve, started_at, seen_at)
                select 'unable', '0.0.9', 1, '[1]', 1, cast(extract(epoch from clock_timestamp()) * 1000 as bigint)
                union all select 'silent', '0.1.0', 1, '[]', 1, cast(extract(epoch from clock_timestamp()) * 1000 as bigint) - 3600000";
    Hand::into(&folder).await?.run(rows).await?;
    let said = doctor(&folder, &[])?;
    said.says("unserved-runs", "error", &["revision 1", "no host can load it", "deadlines"])?;
    said.says("hosts", "warning", &["unable", "can't load revision 1"])?;
    said.says("hosts", "warning", &["silent", "60 minutes ago"])
}
