//! Secrets at rest: whoever edits the database by hand gets nothing to open in a place where it does not belong, and the key can be changed at any time.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Context as _;
use sangam_saas::FaultAct;
use sangam_tests::{Hand, Host, HostFolder, sangam};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, script, sink};

/// SIGKILL.
const KILLED: i32 = 9;

/// What a verb that must succeed prints.
fn said(done: &Output) -> anyhow::Result<String> {
    anyhow::ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Everything that a verb says.
fn all(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

/// Runs the program with more environment.
fn run_with(folder: &HostFolder, env: &[(&str, &str)], arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(Command::new(sangam()).args(arguments).current_dir(folder.path()).envs(env.iter().copied()).output()?)
}

fn file(folder: &HostFolder, name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(folder.path().join(name)).with_context(|| name.to_owned())
}

/// A folder whose plugin sends `${secret:token}` to the sink.
fn with_bearer(sink: &str) -> String {
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"{sink}\"]\ntoken = \"${{secret:token}}\"\n");
    configuration(sink, "credentials = [\"c\"]", &format!("{SCRIPT}{credential}"))
}

/// Sends an event whose script writes to the sink once.
async fn write(host: &Host, sink: &str, id: &str) -> anyhow::Result<Value> {
    host.client.send_and_wait(&script(id, json!([{ "do": "write", "name": "w", "url": format!("{sink}/w") }]))).await
}

#[tokio::test]
async fn the_sealing_key_is_changed_while_a_host_runs_and_the_host_follows() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&with_bearer(&sink.url()))?;
    folder.secret("token", "first-value")?;
    let host = folder.start().await?;
    write(&host, &sink.url(), "1").await?;
    let former = file(&folder, "sangam.key")?;
    let mut hand = Hand::into(&folder).await?;
    let cast = if folder.database().is_some() { "encode(sealed, 'hex')" } else { "hex(sealed)" };
    let sealed = hand.texts(&format!("select {cast} from secret")).await?;

    let report = folder.run(&["secret", "rotate-key"], "")?;
    said(&report)?;
    assert_ne!(file(&folder, "sangam.key")?, former);
    assert_ne!(hand.texts(&format!("select {cast} from secret")).await?, sealed);
    let kept = std::fs::read_dir(folder.path())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("sangam.key."))
        .context("the former key is kept")?;
    assert_eq!(file(&folder, &kept)?, former);
    assert!(all(&report).contains(&kept), "{}", all(&report));
    assert!(!all(&report).contains(former.trim()) && !all(&report).contains(file(&folder, "sangam.key")?.trim()));

    // The running host opens what is sealed with the new key, and signs what it puts on record with it.
    folder.secret("token", "second-value")?;
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    for number in 2.. {
        write(&host, &sink.url(), &number.to_string()).await?;
        let last = sink.requests().last().and_then(|request| request.headers.get("authorization").cloned());
        if last.as_deref() == Some("Bearer second-value") {
            break;
        }
        anyhow::ensure!(tokio::time::Instant::now() < end, "the host does not follow: {last:?}\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    folder.configure(&with_bearer(&sink.url()).replace("name = \"script\"", "name = \"renamed\""))?;
    assert_eq!(host.client.post("/v1/reload", &json!({})).await?.status, 200);
    said(&folder.run(&["audit", "verify"], "")?)?;
    assert!(host.log().contains("the sealing key of the store was changed"));
    assert_eq!(host.terminate().await?, Some(0));
    said(&folder.run(&["audit", "verify"], "")?)?;
    said(&folder.run(&["store", "verify"], "")?)?;

    // The former key opens nothing any more, and both are named.
    let id = kept.trim_start_matches("sangam.key.");
    let present = file(&folder, "sangam.key")?;
    std::fs::write(folder.path().join("sangam.key"), &former)?;
    let refused = folder.run(&["secret", "list"], "")?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(all(&refused).contains(&format!("this host's sealing key {id} is not the one")), "{}", all(&refused));
    std::fs::write(folder.path().join("sangam.key"), present)?;
    let host = folder.start().await?;
    write(&host, &sink.url(), "last").await?;
    let last = sink.requests().last().and_then(|request| request.headers.get("authorization").cloned());
    assert_eq!(last.as_deref(), Some("Bearer second-value"));
    Ok(())
}

#[tokio::test]
async fn a_change_of_keys_that_is_killed_leaves_the_former_or_the_new_one_whole() -> anyhow::Result<()> {
    for (point, changed) in [("rekeying", false), ("rekeyed", true)] {
        let sink = sink().await?;
        let folder = HostFolder::new(&with_bearer(&sink.url()))?;
        for name in ["token", "two", "three"] {
            folder.secret(name, name)?;
        }
        let former = file(&folder, "sangam.key")?;
        let killed = run_with(&folder, &[("SANGAM_CRASH_AT", point)], &["secret", "rotate-key"])?;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(KILLED), "{point}: {}", all(&killed));
        assert_eq!(file(&folder, "sangam.key")?, former, "{point}: the file is not there yet");
        // Whoever comes next opens everything, and puts the new key in its place if it counts.
        said(&folder.run(&["store", "verify"], "")?)?;
        assert_eq!(file(&folder, "sangam.key")? != former, changed, "{point}");
        assert_eq!(folder.path().join("sangam.key.next").exists(), !changed, "{point}");
        let host = folder.start().await?;
        write(&host, &sink.url(), "1").await?;
        let last = sink.requests().last().and_then(|request| request.headers.get("authorization").cloned());
        assert_eq!(last.as_deref(), Some("Bearer token"), "{point}");
        assert_eq!(host.terminate().await?, Some(0));
        let before = file(&folder, "sangam.key")?;
        said(&folder.run(&["secret", "rotate-key"], "")?)?;
        assert_ne!(file(&folder, "sangam.key")?, before, "{point}");
        said(&folder.run(&["store", "verify"], "")?)?;
        said(&folder.run(&["audit", "verify"], "")?)?;
    }
    Ok(())
}

#[tokio::test]
async fn the_key_moves_from_its_file_to_a_command_and_a_command_that_gives_none_is_named() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = with_bearer(&sink.url());
    let folder = HostFolder::new(&text)?;
    folder.secret("token", "value")?;
    // What a vault's own program would print.
    let vault = folder.path().join("vault");
    let new = "c2FuZ2FtIHNhbmdhbSBzYW5nYW0gc2FuZ2FtIHNhbmc=";
    std::fs::write(&vault, format!("#!/bin/sh\necho {new}\n"))?;
    std::fs::set_permissions(&vault, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let vault = vault.display().to_string();
    let report = folder.run(&["secret", "rotate-key", "--to-command", &vault], "")?;
    said(&report)?;
    assert!(!all(&report).contains(new));
    // The file's key no longer counts.
    assert_eq!(folder.run(&["secret", "list"], "")?.status.code(), Some(1));
    let with_command = |words: &[&str]| folder.configure(&format!("{text}\n[secrets]\nkey-command = {words:?}\n"));
    with_command(&[&vault])?;
    said(&folder.run(&["store", "verify"], "")?)?;
    let host = folder.start().await?;
    write(&host, &sink.url(), "1").await?;
    assert_eq!(sink.requests()[0].headers.get("authorization").map(String::as_str), Some("Bearer value"));
    assert_eq!(host.terminate().await?, Some(0));
    for (script, expected) in [
        ("echo hunter2", "holds no sealing key: expected 32 bytes in base64"),
        ("echo hunter2; exit 3", "ended with exit status: 3"),
        ("kill -9 $$", "ended with signal: 9"),
        ("head -c 100000 /dev/zero", "the key command `sh`"),
    ] {
        with_command(&["sh", "-c", script])?;
        for arguments in [&["up"][..], &["secret", "list"]] {
            let done = folder.run(arguments, "")?;
            assert_eq!(done.status.code(), Some(1), "{script}: {}", all(&done));
            assert!(all(&done).contains(expected), "{script}: {}", all(&done));
            assert!(!all(&done).contains("hunter2"), "{script}: {}", all(&done));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sealed_value_that_was_swapped_moved_put_back_or_cut_by_hand_is_refused_by_name() -> anyhow::Result<()> {
    let attacks: [(&str, &str, &[&str]); 6] = [
        (
            "swapped",
            "update secret set sealed = (select sealed from kept where kept.name = case secret.name when 'a' then 'b' else 'a' end)",
            &["the secret `a`", "the secret `b`", "for another name"],
        ),
        ("moved to another name", "update secret set name = 'c' where name = 'a'", &["the secret `c`", "for another name"]),
        (
            "copied to another name",
            "insert into secret (name, sealed, updated_at) select 'c', sealed, updated_at from secret where name = 'a'",
            &["the secret `c`", "for another name"],
        ),
        (
            "put back",
            "update secret set sealed = (select sealed from earlier where earlier.name = 'a') where name = 'a'",
            &["the secret `a`", "not the value that was kept last"],
        ),
        ("cut", "update secret set sealed = substr(sealed, 1, 40) where name = 'a'", &["the secret `a`"]),
        ("without the list of what is present", "delete from meta where key = 'sealed-ledger'", &["the secret `a`", "the secret `b`"]),
    ];
    for (name, statement, expected) in attacks {
        let sink = sink().await?;
        let folder = HostFolder::new(&with_bearer(&sink.url()))?;
        folder.secret("a", "earlier")?;
        let mut hand = Hand::into(&folder).await?;
        hand.run("create table earlier as select * from secret").await?;
        for secret in ["a", "b", "token"] {
            folder.secret(secret, secret)?;
        }
        hand.run("create table kept as select * from secret").await?;
        said(&folder.run(&["store", "verify"], "")?)?;
        hand.run(statement).await?;
        let verified = folder.run(&["store", "verify"], "")?;
        assert_eq!(verified.status.code(), Some(1), "{name}: {}", all(&verified));
        for text in expected {
            assert!(all(&verified).contains(text), "{name}: {}", all(&verified));
        }
        // What is not what it was is not sealed anew either.
        if name != "without the list of what is present" {
            let refused = folder.run(&["secret", "rotate-key"], "")?;
            assert_eq!(refused.status.code(), Some(1), "{name}: {}", all(&refused));
            assert!(all(&refused).contains("nothing was changed"), "{name}: {}", all(&refused));
        }
        // Setting it again mends it.
        for secret in ["a", "b", "token"] {
            folder.secret(secret, "again")?;
        }
        folder.run(&["secret", "remove", "c"], "")?;
        said(&folder.run(&["store", "verify"], "")?)?;
    }
    Ok(())
}

#[tokio::test]
async fn an_earlier_token_of_a_credential_that_is_put_back_by_hand_is_not_used() -> anyhow::Result<()> {
    let sink = sink().await?;
    let credential = format!(
        "[credentials.r]\ntype = \"oauth2-refresh-token\"\nhosts = [\"{0}\"]\ntoken-url = \"{0}/token\"\nclient-id = \"id\"\n\
         refresh-token = \"${{secret:first}}\"\n",
        sink.url()
    );
    let folder = HostFolder::new(&configuration(&sink.url(), "credentials = [\"r\"]", &format!("{SCRIPT}{credential}")))?;
    folder.secret("first", "refresh-0")?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let answer = |number: u32| FaultAct::Status {
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: json!({ "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"), "expires_in": 3600 })
            .to_string(),
    };
    scene.fault("/token", answer(1), 1);
    scene.play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?;
    let mut hand = Hand::into(&scene.folder).await?;
    hand.run("create table earlier as select * from credential").await?;
    // The system withdraws the token: the next one comes with the next refresh token.
    scene.fault("/token", answer(2), 1);
    scene.answer("/w", 401, 1);
    scene.play("2", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    said(&folder.run(&["store", "verify"], "")?)?;
    hand.run("update credential set sealed = (select sealed from earlier), version = (select version from earlier)").await?;
    let verified = folder.run(&["store", "verify"], "")?;
    assert!(all(&verified).contains("the state of the credential `r`"), "{}", all(&verified));
    let asked = sink.requests().len();
    let host = folder.start().await?;
    let eid = host.client.send(&script("3", json!([{ "do": "write", "name": "w", "url": format!("{}/w", sink.url()) }]))).await?;
    let document = host.client.until(&eid, "waiting").await?;
    assert!(document.to_string().contains("not the value that was kept last"), "{document:#}");
    assert_eq!(sink.requests().len(), asked, "neither the system nor its token endpoint was asked with it");
    Ok(())
}

#[tokio::test]
async fn values_of_the_hosts_own_are_sealed_and_a_planted_one_is_not_used() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let Scene { sink: _sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    let mut hand = Hand::into(&folder).await?;
    let lengths = hand.texts("select cast(length(value) as text) from meta where key in ('random-secret', 'cache-secret')").await?;
    assert_eq!(lengths, ["73", "73"], "version, nonce, 32 bytes and tag");
    // 32 bytes of somebody's choice, to have a host load compiled code that they signed.
    hand.run("update meta set value = substr(value, 1, 32) where key in ('random-secret', 'cache-secret')").await?;
    let host = folder.start().await?;
    assert!(host.log().contains("does not open; it is made anew"), "{}", host.log());
    let lengths = hand.texts("select cast(length(value) as text) from meta where key in ('random-secret', 'cache-secret')").await?;
    assert_eq!(lengths, ["73", "73"]);
    Ok(())
}

#[tokio::test]
async fn a_secret_is_set_from_standard_input_only_and_is_not_empty() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&with_bearer(&sink.url()))?;
    for empty in ["", "\n", "\r\n"] {
        let refused = folder.run(&["secret", "set", "token"], empty)?;
        assert_eq!(refused.status.code(), Some(2), "{}", all(&refused));
        assert!(all(&refused).contains("standard input is empty"), "{}", all(&refused));
    }
    assert_eq!(folder.run(&["secret", "set", "token", "value-on-the-command-line"], "")?.status.code(), Some(2));
    // One line end is the editor's; what else is there belongs to the value.
    folder.secret("token", " value \r\n")?;
    let host = folder.start().await?;
    write(&host, &sink.url(), "1").await?;
    // HTTP itself takes white space off the end of a field.
    assert_eq!(sink.requests()[0].headers.get("authorization").map(String::as_str), Some("Bearer  value"));
    Ok(())
}

#[tokio::test]
async fn a_host_leaves_no_core_behind() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let process = scene.host.process().context("the host runs")?;
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("Linux tells it")?;
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    Ok(())
}
