//! What lies on the disk and in the store: configuration, lock, key, secrets, database, room.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::{Hand, TestStore, fresh_guest};
use serde_json::json;

use super::*;

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

/// A store that a host has used.
async fn used(text: &str) -> anyhow::Result<HostFolder> {
    let folder = HostFolder::new(text)?;
    folder.start().await?.terminate().await?;
    Ok(folder)
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_told_and_what_can_be_read_of_it_is_looked_at() -> anyhow::Result<()> {
    let folder = used(&local("", "")).await?;
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    let line = text.lines().count() + 1;
    std::fs::write(
        folder.path().join("sangam.toml"),
        format!("{text}[[routes]]\nname = \"r\"\non = {{ type = \"t\" }}\nwhen = \".event ==\"\nsteps = []\n"),
    )?;
    let said = doctor(&folder, &[])?;
    said.says("configuration", "error", &["\"file\":\"sangam.toml\"", &format!("\"line\":{}", line + 3)])?;
    // The store that it names was opened all the same.
    for code in ["store", "schema", "integrity", "writable", "sealing-key", "disk-room", "dead-letters"] {
        said.well(code)?;
    }
    // Not even its tables can be read: then what needs none of them.
    std::fs::write(folder.path().join("sangam.toml"), "[server\nlisten = \n")?;
    let said = doctor(&folder, &["--url", "http://127.0.0.1:9"])?;
    said.says("configuration", "error", &["this is not TOML"])?;
    said.well("open-files")?;
    said.says("running-host", "ok", &["no host answers there"])?;
    std::fs::remove_file(folder.path().join("sangam.toml"))?;
    doctor(&folder, &[])?.says("configuration", "error", &["sangam init"])
}

#[tokio::test]
async fn a_component_that_is_not_the_approved_one_and_files_that_others_may_change_are_found() -> anyhow::Result<()> {
    let folder = HostFolder::new(&local("", "").replace(&format!("{:?}", guest("scripted")), "\"mine.wasm\""))?;
    std::fs::write(folder.path().join("mine.wasm"), fresh_guest("scripted"))?;
    doctor(&folder, &[])?.says("lock", "warning", &["sangam plugin approve"])?;
    ensure!(folder.run(&["plugin", "approve", "--yes"], "")?.status.success());
    doctor(&folder, &[])?.well("lock")?;
    std::fs::write(folder.path().join("mine.wasm"), fresh_guest("misbehaving"))?;
    doctor(&folder, &[])?.says("lock", "error", &["it is not the component that was approved"])?;
    let pin = "[plugins.gone]\nsource = \"gone.wasm\"";
    let lock = std::fs::read_to_string(folder.path().join("sangam.lock"))?;
    let gone = lock.replace("[plugins.s]\nsource = \"mine.wasm\"", pin);
    std::fs::write(folder.path().join("mine.wasm"), fresh_guest("scripted"))?;
    std::fs::write(folder.path().join("sangam.lock"), format!("{lock}\n{}", &gone[gone.find(pin).context("a pin")?..]))?;
    doctor(&folder, &[])?.says("lock", "warning", &["no longer has: gone"])?;
    std::fs::remove_file(folder.path().join("mine.wasm"))?;
    std::fs::write(folder.path().join("sangam.lock"), &lock)?;
    doctor(&folder, &[])?.says("components", "error", &["mine.wasm"])?;
    set_mode(&folder.path().join("sangam.toml"), 0o666)?;
    doctor(&folder, &[])?.says("permissions", "warning", &["everybody", "chmod go-w sangam.toml"])
}

#[tokio::test]
async fn a_key_that_is_gone_exposed_or_another_is_told_apart_and_never_made() -> anyhow::Result<()> {
    let folder = used(&local("", "")).await?;
    folder.secret("one", "hush-hush")?;
    let key = folder.path().join("sangam.key");
    doctor(&folder, &[])?.well("sealing-key")?;
    set_mode(&key, 0o644)?;
    doctor(&folder, &[])?.says("sealing-key", "error", &["can be read by other users", "0644"])?;
    std::fs::rename(&key, folder.path().join("kept"))?;
    doctor(&folder, &[])?.says("sealing-key", "error", &["is missing", "backup"])?;
    ensure!(!key.exists(), "looking made a key");
    let other = HostFolder::on(TestStore::Sqlite, "")?;
    other.secret("two", "x")?;
    std::fs::copy(other.path().join("sangam.key"), &key)?;
    let said = doctor(&folder, &[])?;
    said.says("sealing-key", "error", &["is not the one that sealed the secrets"])?;
    ensure!(!said.report.to_string().contains("hush"), "{}", said.report);
    // A change of keys that was broken off is told, and left to the next start.
    std::fs::copy(folder.path().join("kept"), folder.path().join("sangam.key.next"))?;
    doctor(&folder, &[])?.says("sealing-key", "error", &["is not the one"])?;
    set_mode(&folder.path().join("sangam.key.next"), 0o600)?;
    doctor(&folder, &[])?.says("sealing-key", "warning", &["was broken off"])?;
    ensure!(folder.path().join("sangam.key.next").exists(), "looking moved a key");
    Ok(())
}

#[tokio::test]
async fn secrets_that_are_missing_or_do_not_open_and_credentials_made_of_them_are_found() -> anyhow::Result<()> {
    let credential = "[credentials.crm]\ntype = \"bearer\"\nhosts = [\"https://crm.example\"]\ntoken = \"${secret:crm}\"\n";
    let text = configuration(0, "\"https://crm.example\"", "credentials = [\"crm\"]", credential);
    let folder = HostFolder::new(&text)?;
    folder.secret("other", "hush-hush")?;
    let said = doctor(&folder, &["--offline"])?;
    said.says("secrets", "error", &["${secret:crm}", "sangam secret set crm"])?;
    said.says("credential", "error", &["crm", "there is no secret"])?;
    folder.secret("crm", "hush-hush-too")?;
    let said = doctor(&folder, &["--offline"])?;
    said.well("secrets")?;
    said.well("credential")?;
    // Somebody with the database puts one in the place of the other.
    Hand::into(&folder)
        .await?
        .run("update secret set sealed = (select sealed from secret where name = 'other') where name = 'crm'")
        .await?;
    let said = doctor(&folder, &["--offline"])?;
    said.says("secrets", "error", &["crm", "does not open"])?;
    said.says("credential", "error", &["crm", "does not open"])?;
    ensure!(!said.report.to_string().contains("hush"), "{}", said.report);
    Ok(())
}

#[tokio::test]
async fn a_store_of_a_newer_version_a_damaged_one_and_one_that_cannot_be_written_are_found() -> anyhow::Result<()> {
    let folder = used(&local("", "")).await?;
    let of_the_future = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                         select 9999, 'of the future', success, checksum, execution_time from _sqlx_migrations where version = 1";
    Hand::into(&folder).await?.run(of_the_future).await?;
    doctor(&folder, &[])?.says("schema", "error", &["newer version", "9999"])?;
    let mut hand = Hand::into(&folder).await?;
    let last = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    hand.run(&format!("{last}; {last}")).await?;
    let steps = "select cast(max(version) as text) from _sqlx_migrations";
    let before = hand.texts(steps).await?;
    doctor(&folder, &[])?.says("schema", "warning", &["the next start takes 1 step", "backup"])?;
    ensure!(hand.texts(steps).await? == before, "it was migrated");
    drop(hand);
    match folder.database() {
        Some(database) => {
            let folder = used(&local("", "")).await?;
            folder.database().context("a database")?.read_only(true)?;
            doctor(&folder, &[])?.says("writable", "error", &["read-only"])?;
            let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
            let port = database.url().rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).context("a port")?.0.to_owned();
            std::fs::write(folder.path().join("sangam.toml"), text.replace(&port, &free_port()?.to_string()))?;
            doctor(&folder, &[])?.says("store", "error", &["can't open the store", "psql"])
        }
        None => {
            let folder = used(&local("", "")).await?;
            let file = folder.path().join("data/sangam.db");
            set_mode(&file, 0o444)?;
            doctor(&folder, &[])?.says("writable", "error", &["may not write the file"])?;
            set_mode(&file, 0o644)?;
            doctor(&folder, &[])?.says("permissions", "warning", &["sangam.db", "chmod 600"])?;
            // What the host wrote last may be in the log still.
            set_mode(&file, 0o600)?;
            Hand::into(&folder).await?.run("pragma wal_checkpoint(truncate)").await?;
            let mut bytes = std::fs::read(&file)?;
            let middle = bytes.len() / 2 / 4096 * 4096;
            bytes[middle..middle + 8192].fill(0x5a);
            std::fs::write(&file, bytes)?;
            let said = doctor(&folder, &[])?;
            ensure!(!said.findings("integrity", "error").is_empty() || !said.findings("schema", "error").is_empty(), "{:#}", said.report);
            std::fs::write(&file, "this is no database at all, and was never one")?;
            ensure!(doctor(&folder, &[])?.code == Some(1), "what is no database");
            std::fs::remove_file(&file)?;
            doctor(&folder, &[])?.says("store", "warning", &["there is no store, but there is a sealing key"])?;
            ensure!(!file.exists(), "looking made a store");
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_found_before_senders_tell_of_it() -> anyhow::Result<()> {
    let folder = HostFolder::new(&local("", "[store]\nmin-free-space = \"9000000GiB\"\n"))?;
    let severity = if folder.database().is_some() { "warning" } else { "error" };
    doctor(&folder, &[])?.says("disk-room", severity, &["store.min-free-space"])
}

#[tokio::test]
async fn who_can_get_in_is_told() -> anyhow::Result<()> {
    let folder = used(&local("", "").replace("access = \"open\"", "access = \"tokens\"")).await?;
    doctor(&folder, &[])?.says("api-tokens", "warning", &["nobody can get in", "sangam token create"])?;
    ensure!(folder.run(&["token", "create", "--role", "viewer", "--name", "short", "--expires", "3d"], "")?.status.success());
    doctor(&folder, &[])?.says("api-tokens", "warning", &["short", "ends in"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing() -> anyhow::Result<()> {
    let vendor =
        sangam_saas::Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), std::sync::Arc::new(sangam_saas::oauth::OAuth::new()))
            .await?;
    let credential = format!(
        "[credentials.books]\ntype = \"oauth2-client-credentials\"\nhosts = [\"{url}\"]\ntoken-url = \"{url}/token\"\nclient-id = \"me\"\nclient-secret = \"${{secret:client}}\"\n",
        url = vendor.url()
    );
    let plugin = "credentials = [\"books\"]\nallow-private-addresses = [\"127.0.0.0/8\"]";
    let folder = HostFolder::new(&configuration(0, &format!("{:?}", vendor.url()), plugin, &credential))?;
    folder.secret("client", "a-client-secret")?;
    folder.start().await?.terminate().await?;
    let contents = || -> anyhow::Result<Vec<(std::path::PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        for folder in [folder.path().to_owned(), folder.path().join("data")].iter().filter(|folder| folder.is_dir()) {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                // A host that is stopped as it begins may leave SQLite's log behind. Whoever reads it makes the index of it anew.
                let is_index = path.extension().is_some_and(|ending| ending == "db-shm");
                if path.is_file() && !is_index {
                    files.push((path.clone(), std::fs::read(&path)?));
                }
            }
        }
        files.sort();
        Ok(files)
    };
    // Of a file its bytes say it; a hand in it would leave traces of its own.
    let rows = async || -> anyhow::Result<_> {
        if folder.database().is_none() {
            return Ok(Vec::new());
        }
        let mut rows = Hand::into(&folder).await?.dump().await?;
        rows.sort();
        anyhow::Ok(rows)
    };
    let before = (contents()?, rows().await?);
    let said = doctor(&folder, &[])?;
    ensure!(said.code == Some(0), "{:#}", said.report);
    said.well("token-endpoint")?;
    ensure!(before.1 == rows().await?, "the store was changed");
    // The log of the test's own look into the store goes when its connection does.
    let unchanged = async {
        while before.0 != contents()? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    if let Ok(looked) = tokio::time::timeout(Duration::from_secs(5), unchanged).await {
        looked?;
    } else {
        let now = contents()?;
        let differs = before.0.iter().filter(|file| !now.contains(file)).chain(now.iter().filter(|file| !before.0.contains(file)));
        let names: Vec<_> = differs.map(|(path, _)| path.display().to_string()).collect();
        anyhow::bail!("changed, made or removed: {names:?}");
    }
    let asked = vendor.requests();
    ensure!(!asked.is_empty() && asked.iter().all(|request| request.method == "HEAD"), "{asked:?}");
    ensure!(asked.iter().all(|request| !request.headers.contains_key("authorization") && request.body.is_empty()), "{asked:?}");
    ensure!(!said.report.to_string().contains("a-client-secret"));
    // Beside a host that runs as well: its audit log has no line more.
    let host = folder.start().await?;
    let audit = async || Hand::into(&folder).await?.texts("select cast(count(*) as text) from audit").await;
    let before = audit().await?;
    let said = doctor(&folder, &["--url", &host.client.url])?;
    said.well("running-host")?;
    ensure!(said.report["summary"]["errors"] == json!(0), "{:#}", said.report);
    ensure!(audit().await? == before);
    Ok(())
}
