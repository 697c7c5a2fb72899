//! Which components were approved: an upgrade, a downgrade and an edited lock stop until a person has looked.

use sangam_tests::registry::{self, OciRegistry};
use sangam_tests::{HostFolder, fresh_guest, guest, plugin};
use serde_json::{Value, json};

use super::{bytes, describing, digest, key, mine, must, put, refused, run, sign};
use crate::components::patched;
use crate::scene::{SCRIPT, Scene, configuration, event, results, sink};

#[tokio::test]
async fn only_what_was_approved_runs() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    put(folder, "mine.wasm", &fresh_guest("misbehaving"))?;
    scene.configure("", &mine(""))?;
    // Without a lock it works, and `check` says what is missing.
    let out = must(folder, &["check"])?;
    assert!(out.contains("warning: nothing says which components were approved") && out.contains("sangam plugin approve"), "{out}");
    assert_eq!(scene.reload().await?.status, 200);
    // Nobody is there to be asked.
    let (code, out) = run(folder, &["plugin", "approve"])?;
    assert_eq!((code, out.contains("--yes"), folder.path().join("sangam.lock").exists()), (Some(2), true, false), "{out}");
    let out = must(folder, &["plugin", "approve", "--yes"])?;
    for words in ["mine: misbehaving", "not approved before", "+ send requests to hosts that it does not name", "wrote sangam.lock"] {
        assert!(out.contains(words), "{words} is not in {out}");
    }
    let lock = std::fs::read_to_string(folder.path().join("sangam.lock"))?;
    for words in ["version = 1\n", "[plugins.mine]\nsource = \"mine.wasm\"\ndigest = \"sha256:", "  \"sangam:connector/http\",\n"] {
        assert!(lock.contains(words), "{words} is not in {lock}");
    }
    assert!(must(folder, &["plugin", "approve", "--yes"])?.contains("nothing to approve"));
    assert!(!must(folder, &["check"])?.contains("approve"));
    assert_eq!(scene.reload().await?.status, 200);
    let good = digest(&scene).await?;

    // The file is swapped for another that can do more.
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    let words = [
        "plugin mine: it is not the component that was approved",
        "wants more",
        "to draw random numbers that the host gives it",
        "sangam plugin approve mine",
    ];
    refused(&scene, "swapped", &words).await?;
    assert_eq!(digest(&scene).await?, good);
    // It is only looked at, as a script would.
    let looked: Value = serde_json::from_str(&must(folder, &["plugin", "approve", "--json"])?)?;
    let change = looked["plugins"].as_array().into_iter().flatten().find(|change| change["name"] == "mine").cloned().unwrap_or_default();
    assert_eq!((&looked["approved"], &change["change"]), (&json!(false), &json!("changed")));
    assert!(change["more"].as_array().is_some_and(|more| more.contains(&json!("draw random numbers that the host gives it"))), "{change}");
    assert_eq!(std::fs::read_to_string(folder.path().join("sangam.lock"))?, lock);
    // A person accepts it.
    let out = must(folder, &["plugin", "approve", "mine", "--yes"])?;
    assert!(out.contains("mine: misbehaving 0.1.0 -> scripted 0.1.0") && out.contains("+ draw random numbers"), "{out}");
    let out = must(folder, &["audit", "list", "--json"])?;
    assert!(out.contains("plugin.approved") && out.contains(&good) && out.contains("draw random numbers"), "{out}");
    assert_eq!(scene.reload().await?.status, 200);
    assert_ne!(digest(&scene).await?, good);

    // A plugin that is new, or one that is gone.
    scene.configure("", &format!("{}[plugins.fresh]\ncomponent = \"mine.wasm\"\n", mine("")))?;
    let answer = scene.reload().await?;
    assert!(answer.status == 422 && answer.text.contains("plugin fresh: it was not approved: "), "{}", answer.text);
    scene.configure("", SCRIPT)?;
    assert_eq!(scene.reload().await?.status, 200);
    assert!(must(folder, &["plugin", "approve", "--yes"])?.contains("mine: no longer in the configuration"));
    assert!(!std::fs::read_to_string(folder.path().join("sangam.lock"))?.contains("[plugins.mine]"));
    let (code, out) = run(folder, &["plugin", "approve", "nobody"])?;
    assert_eq!((code, out.contains("there is no plugin \"nobody\"")), (Some(2), true), "{out}");
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_adds_a_host_waits_for_a_person() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let hubspot = std::fs::read(plugin("hubspot"))?;
    put(folder, "mine.wasm", &hubspot)?;
    let route = |hosts: &str| {
        let reads = "read-only = [\"POST /crm/*/*/*/search\", \"POST /crm/*/*/*/batch/read\", \"POST /crm/*/*/*/*/batch/read\"]";
        format!(
            "{SCRIPT}[plugins.mine]\ncomponent = \"mine.wasm\"\nconfig = {{ base-url = \"https://desk.example\" }}\nallow-hosts = [{hosts}]\n{reads}\n"
        )
    };
    scene.configure("", &route("\"https://desk.example\", \"https://e.x\""))?;
    must(folder, &["plugin", "approve", "--yes"])?;
    assert_eq!(scene.reload().await?.status, 200);
    let good = digest(&scene).await?;
    // The next version expects another host, one that the configuration happens to grant.
    put(folder, "mine.wasm", &patched(hubspot, "${base-url}", "https://e.x"))?;
    refused(&scene, "upgrade", &["wants more", "to send requests to https://e.x"]).await?;
    assert_eq!(digest(&scene).await?, good);
    let out = must(folder, &["plugin", "approve", "--yes"])?;
    assert!(out.contains("+ send requests to https://e.x") && out.contains("- send requests to ${base-url}"), "{out}");
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Approved is not granted.
    scene.configure("", &route("\"https://desk.example\""))?;
    refused(&scene, "not-granted", &["expects to reach https://e.x, which it is not allowed to"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_older_version_does_not_come_back_though_it_is_signed() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let acme = key(folder, "acme.pem")?;
    put(folder, "old.wasm", &describing(&fresh_guest("scripted"), |said| said["version"] = json!("0.0.9"))?)?;
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    for file in ["old.wasm", "mine.wasm"] {
        sign(folder, file, "acme.pem")?;
    }
    scene.configure("", &mine(&format!("[trust.keys.acme]\nkey = {acme:?}\nplugins = [\"mine\"]")))?;
    must(folder, &["plugin", "approve", "--yes"])?;
    assert_eq!(scene.reload().await?.status, 200);
    assert!(std::fs::read_to_string(folder.path().join("sangam.lock"))?.contains(&format!("signed-by = [\n  {acme:?},\n]")));
    let good = digest(&scene).await?;
    put(folder, "mine.wasm", &bytes(folder, "old.wasm")?)?;
    refused(&scene, "downgrade", &["it is not the component that was approved (0.1.0 sha256:", "now 0.0.9 sha256:", "nothing more"])
        .await?;
    assert_eq!(digest(&scene).await?, good);
    // What is not trusted can't be approved either.
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    let (code, out) = run(folder, &["plugin", "approve", "--yes"])?;
    assert_eq!((code, out.contains("it is not signed")), (Some(2), true), "{out}");
    Ok(())
}

#[tokio::test]
async fn a_lock_that_was_edited_stops_with_its_line() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    scene.configure("", &mine(""))?;
    must(folder, &["plugin", "approve", "--yes"])?;
    let lock = std::fs::read_to_string(folder.path().join("sangam.lock"))?;
    let edits: [(&str, String, &[&str]); 6] = [
        ("syntax", lock.replace("version = 1", "version = "), &["sangam.lock:", "this is not TOML"]),
        ("version", lock.replace("version = 1", "version = 9"), &["sangam.lock:3:11: error: this lock has a form"]),
        ("key", lock.replace("digest = ", "digset = "), &["error: unknown key `digset`", "did you mean `digest`?"]),
        ("digest", lock.replace("sha256:", "md5:"), &["is not a digest"]),
        ("less", lock.replace("  \"sangam:connector/key-value\",\n", ""), &["edited by hand", "it may keep values in a space of its own"]),
        ("gone", lock.replace("[plugins.mine]", "[plugins.other]"), &["plugin mine: it was not approved: sangam.lock does not have it"]),
    ];
    for (name, text, words) in edits {
        put(folder, "sangam.lock", text.as_bytes())?;
        refused(&scene, name, words).await?;
    }
    // A lock that can't be read is not written over.
    put(folder, "sangam.lock", b"version = 9\n")?;
    let (code, out) = run(folder, &["plugin", "approve", "--yes"])?;
    assert_eq!((code, out.contains("sangam.lock:1:11: error: ")), (Some(2), true), "{out}");
    assert_eq!(bytes(folder, "sangam.lock")?, b"version = 9\n");
    // What has nothing to do with it works all the same.
    must(folder, &["secret", "list"])?;
    put(folder, "sangam.lock", lock.as_bytes())?;
    assert_eq!(scene.reload().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_lock_can_be_required() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    put(&scene.folder, "mine.wasm", &fresh_guest("scripted"))?;
    scene.configure("", &mine("[trust]\nrequire-lock = true"))?;
    refused(&scene, "none", &["plugin mine: it was not approved: there is no ", "require-lock", "sangam plugin approve mine"]).await?;
    must(&scene.folder, &["plugin", "approve", "--yes"])?;
    assert_eq!(scene.reload().await?.status, 200);
    // What travels in the binary needs none.
    scene.folder.configure(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[trust]\nrequire-lock = true\n[plugins.h]\ncomponent = \"builtin:http\"\n",
    )?;
    std::fs::remove_file(scene.folder.path().join("sangam.lock"))?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_loaded_gains_nothing() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    put(&scene.folder, "mine.wasm", &fresh_guest("scripted"))?;
    scene.configure("", &mine(""))?;
    must(&scene.folder, &["plugin", "approve", "--yes"])?;
    assert_eq!(scene.reload().await?.status, 200);
    let good = digest(&scene).await?;
    let path = scene.folder.path().to_owned();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let swapper = std::thread::spawn(move || {
        let files = [fresh_guest("misbehaving"), fresh_guest("scripted")];
        let mut turn = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            std::fs::write(path.join("next.wasm"), &files[turn % 2])?;
            std::fs::rename(path.join("next.wasm"), path.join("mine.wasm"))?;
            turn += 1;
        }
        std::io::Result::Ok(turn)
    });
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..200 {
        let answer = scene.reload().await?;
        match answer.status {
            200 => taken += 1,
            422 => refused += 1,
            status => anyhow::bail!("{status}: {}", answer.text),
        }
        assert_eq!(digest(&scene).await?, good, "another component slipped in");
        if taken >= 5 && refused >= 5 {
            break;
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(swapper.join().expect("the swapper does not panic")? > 10);
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused: the race was not run");
    Ok(())
}

#[tokio::test]
async fn a_tag_runs_as_it_was_approved_and_not_as_it_moved() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new("")?;
    let acme = key(&folder, "acme.pem")?;
    let tag = format!("{}/team/mine:1", oci.host());
    put(&folder, "signed.wasm", &fresh_guest("scripted"))?;
    sign(&folder, "signed.wasm", "acme.pem")?;
    must(&folder, &["plugin", "push", "signed.wasm", &tag])?;
    let sink = sink().await?;
    let trust = format!("[trust.keys.acme]\nkey = {acme:?}\nplugins = [\"mine\"]\n");
    folder.configure(&configuration(&sink.url(), "", &mine(&trust).replace("mine.wasm", &format!("oci://{tag}"))))?;
    let (code, out) = run(&folder, &["check"])?;
    assert_eq!((code, out.contains("no digest pin")), (Some(2), true), "{out}");
    // The signature has come through the registry; the lock stands for the pin.
    let out = must(&folder, &["plugin", "approve", "--yes"])?;
    assert!(out.contains(&acme) && out.contains(&format!("oci://{tag}")), "{out}");
    must(&folder, &["check"])?;
    let host = folder.start().await?;
    results(&host.client.send_and_wait(&event("1", "mine", json!({ "lines": [] }))).await?)?;
    // The tag moves. What is kept here is still what was approved; from an empty cache it is refused.
    must(&folder, &["plugin", "push", guest("misbehaving").to_str().unwrap_or(""), &tag])?;
    assert_eq!(host.client.post("/v1/reload", &json!({})).await?.status, 200);
    std::fs::remove_dir_all(folder.path().join("data/components"))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    assert!(answer.status == 422 && answer.text.contains("not the pinned one"), "{}", answer.text);
    results(&host.client.send_and_wait(&event("2", "mine", json!({ "lines": [] }))).await?)?;
    // Nobody approves what nobody signed.
    let (code, out) = run(&folder, &["plugin", "approve", "mine", "--yes"])?;
    assert_eq!((code, out.contains("plugin mine: it is not signed")), (Some(2), true), "{out}");
    host.kill().await
}

#[test]
fn what_was_approved_travels_in_a_bundle() -> anyhow::Result<()> {
    let folder = HostFolder::new("[plugins.mine]\ncomponent = \"mine.wasm\"\n")?;
    put(&folder, "mine.wasm", &fresh_guest("scripted"))?;
    let out = must(&folder, &["plugin", "bundle", "create", "first.tar"])?;
    assert!(out.contains("sangam plugin approve"), "{out}");
    must(&folder, &["plugin", "approve", "--yes"])?;
    let out = must(&folder, &["plugin", "bundle", "create", "all.tar"])?;
    assert!(!out.contains("without a pin"), "{out}");
    // On the other machine there is the configuration and the bundle, and no component.
    let other = HostFolder::new("[plugins.mine]\ncomponent = \"mine.wasm\"\n[trust]\nrequire-lock = true\n")?;
    put(&other, "all.tar", &bytes(&folder, "all.tar")?)?;
    let (code, out) = run(&other, &["check"])?;
    assert_eq!((code, out.contains("can't read")), (Some(2), true), "{out}");
    must(&other, &["plugin", "bundle", "install", "all.tar", "--lock"])?;
    let out = must(&other, &["check"])?;
    assert!(out.contains("plugin mine: Scripted"), "{out}");
    // A file that is there is judged, whatever the bundle had.
    put(&other, "mine.wasm", &fresh_guest("misbehaving"))?;
    let (code, out) = run(&other, &["check"])?;
    assert_eq!((code, out.contains("it is not the component that was approved")), (Some(2), true), "{out}");
    Ok(())
}
