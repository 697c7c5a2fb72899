//! The supply of components: what is read off them, what they want and are granted, who signed them, and which were approved. Each attack
//! is made against a running host, which goes on with what it has.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::ensure;
use sangam_tests::registry::{self, OciRegistry};
use sangam_tests::{Host, HostFolder, TestStore, fresh_guest, guest, plugin, postgres};
use serde_json::{Value, json};

use crate::components::patched;
use crate::scene::{SCRIPT, Scene, configuration, event, results, sink};

/// Code, standard output and standard error together.
fn said(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn run(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    Ok(said(&folder.run(arguments, "")?))
}

/// Runs a verb that has to work; gives what it said.
fn must(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<String> {
    let (code, text) = run(folder, arguments)?;
    ensure!(code == Some(0), "{arguments:?} ended with {code:?}: {text}");
    Ok(text)
}

/// Makes a key in a file of the folder; gives its public half.
fn key(folder: &HostFolder, file: &str) -> anyhow::Result<String> {
    let made = folder.run(&["plugin", "keygen", file], "")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

fn put(folder: &HostFolder, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
    Ok(std::fs::write(folder.path().join(file), bytes)?)
}

fn bytes(folder: &HostFolder, file: &str) -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(folder.path().join(file))?)
}

/// Signs a file of the folder in place.
fn sign(folder: &HostFolder, file: &str, key: &str) -> anyhow::Result<String> {
    must(folder, &["plugin", "sign", file, "--key", key])
}

/// A custom section of a component.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let length = |mut number: usize| {
        let mut bytes = Vec::new();
        loop {
            let low = u8::try_from(number & 0x7f).expect("seven bits");
            number >>= 7;
            bytes.push(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                return bytes;
            }
        }
    };
    let content = [&length(name.len())[..], name.as_bytes(), data].concat();
    [&[0][..], &length(content.len()), &content].concat()
}

/// Where the sections of a component begin, with the name of each that is custom.
fn sections(bytes: &[u8]) -> Vec<(usize, String)> {
    fn number(bytes: &[u8], at: &mut usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[*at];
            *at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let (mut at, mut found) = (8, Vec::new());
    while at < bytes.len() {
        let start = at;
        let custom = bytes[at] == 0;
        at += 1;
        let size = number(bytes, &mut at);
        let end = at + size;
        let length = if custom { number(bytes, &mut at) } else { 0 };
        found.push((start, String::from_utf8_lossy(&bytes[at..at + length]).into_owned()));
        at = end;
    }
    found
}

/// A component without its descriptor, and that.
fn undescribed(component: &[u8]) -> anyhow::Result<(Vec<u8>, Value)> {
    let all = sections(component);
    let index = all.iter().position(|(_, name)| name == "sangam:descriptor").expect("a guest has its descriptor embedded");
    let end = all.get(index + 1).map_or(component.len(), |(start, _)| *start);
    let own = &component[all[index].0..end];
    let text = &own[own.windows(2).position(|pair| pair == b"{\"").expect("a descriptor is JSON")..];
    Ok(([&component[..all[index].0], &component[end..]].concat(), serde_json::from_slice(text)?))
}

/// A component that says something else of itself. What it answers when it is asked stays, so no host would start it; what reads it off
/// believes it.
fn describing(component: &[u8], change: impl Fn(&mut Value)) -> anyhow::Result<Vec<u8>> {
    let (bare, mut descriptor) = undescribed(component)?;
    change(&mut descriptor);
    Ok([bare, section("sangam:descriptor", descriptor.to_string().as_bytes())].concat())
}

/// A route to the plugin `mine`, and the plugin, with more in its section or behind it.
fn mine(more: &str) -> String {
    let route = SCRIPT.replace("\"script\"", "\"mine\"").replace("s.run", "mine.run");
    format!("{SCRIPT}{route}\n[plugins.mine]\ncomponent = \"mine.wasm\"\n{more}\n")
}

/// The digest of `mine` that the host runs.
async fn digest(scene: &Scene) -> anyhow::Result<String> {
    let listed = scene.client().get("/v1/plugins").await?.json;
    let mine = listed["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "mine").cloned().unwrap_or_default();
    Ok(mine["digest"].as_str().unwrap_or("").to_owned())
}

/// A file that `check`, a reload and a new start refuse with these words, while the host goes on with what it has.
async fn refused(scene: &Scene, name: &str, words: &[&str]) -> anyhow::Result<()> {
    let before = scene.client().get("/v1/routes").await?.json["revision"].clone();
    let answer = scene.reload().await?;
    ensure!(answer.status == 422, "{name}: the reload was taken: {}", answer.text);
    let mut all = vec![("reload", answer.json["detail"].as_str().unwrap_or("").to_owned())];
    for verb in ["check", "up"] {
        // `up` finds the store in use only after it has read the file, so the host itself is asked first.
        let (code, text) = if verb == "check" { run(&scene.folder, &[verb])? } else { elsewhere(&scene.folder)? };
        ensure!(code == Some(2), "{name}: {verb} ended with {code:?}: {text}");
        all.push((verb, text));
    }
    for (verb, text) in all {
        for word in words {
            ensure!(text.contains(word), "{name}: {word:?} is not in what {verb} said:\n{text}");
        }
    }
    ensure!(scene.client().get("/v1/routes").await?.json["revision"] == before, "{name}: a part of it was applied");
    results(&scene.play(name, json!([])).await?)?;
    Ok(())
}

/// `up` with the files of a folder, beside the host that runs there.
fn elsewhere(folder: &HostFolder) -> anyhow::Result<(Option<i32>, String)> {
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    let other = HostFolder::on(TestStore::Sqlite, &text)?;
    for file in ["mine.wasm", "sangam.lock", "sangam.key"] {
        let from = folder.path().join(file);
        if from.exists() {
            std::fs::copy(from, other.path().join(file))?;
        }
    }
    run(&other, &["up"])
}

#[test]
fn what_a_component_may_ask_for_is_read_off_it() -> anyhow::Result<()> {
    let folder = HostFolder::new("")?;
    let hubspot = plugin("hubspot");
    let hubspot = hubspot.to_str().unwrap_or("");
    let out = must(&folder, &["plugin", "inspect", hubspot])?;
    for words in [
        "signed by       nobody",
        "send requests to ${base-url}",
        "have `POST /crm/*/*/*/search` count as a read",
        "with nothing behind it",
        "KiB of memory to begin with",
        "it can never:",
        "see a credential",
    ] {
        assert!(out.contains(words), "{words} is not in {out}");
    }
    let out = must(&folder, &["plugin", "inspect", guest("scripted").to_str().unwrap_or("")])?;
    for words in ["send requests to hosts that it does not name", "keep values in a space of its own", "it does not say of which types"] {
        assert!(out.contains(words), "{words} is not in {out}");
    }
    let read: Value = serde_json::from_str(&must(&folder, &["plugin", "inspect", hubspot, "--json"])?)?;
    assert_eq!((&read["permissions"]["hosts"], &read["signed_by"]), (&json!(["${base-url}"]), &json!([])));
    assert!(read["permissions"]["imports"].as_array().is_some_and(|imports| imports.contains(&json!("sangam:connector/http"))), "{read}");
    assert!(read["memory"].as_u64() >= Some(65_536), "{read}");
    // What it says is data: nothing of it rules the terminal, hides, or begins a line that looks like the host's own.
    let liar = describing(&fresh_guest("scripted"), |said| {
        said["emits"] = json!(["\u{1b}[31mjob.*"]);
        said["hosts"] = json!(["https://nice.example/\u{202e}elpmaxe.live"]);
        said["title"] = json!("Scripted\n  signed by       ed25519:AAAA");
        said["version"] = json!("1\r\n  signed by  ed25519:AAAA");
    })?;
    put(&folder, "mine.wasm", &liar)?;
    folder.configure("[plugins.mine]\ncomponent = \"mine.wasm\"\n")?;
    for arguments in [&["plugin", "inspect", "mine.wasm"][..], &["plugin", "approve", "--yes"], &["check"]] {
        let (_, out) = run(&folder, arguments)?;
        assert!(!out.contains(['\u{1b}', '\u{202e}', '\r']), "{arguments:?}: {out}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with("signed by") && line.contains("AAAA")), "{arguments:?}: {out}");
    }
    assert!(must(&folder, &["plugin", "inspect", "mine.wasm"])?.contains("bring in events of type \\u{1b}[31mjob.*"));
    Ok(())
}

#[test]
fn a_component_with_two_descriptors_is_refused() -> anyhow::Result<()> {
    let folder = HostFolder::new("")?;
    let two = [fresh_guest("scripted"), section("sangam:descriptor", b"{}")].concat();
    put(&folder, "two.wasm", &two)?;
    let (code, text) = run(&folder, &["plugin", "inspect", "two.wasm"])?;
    assert_eq!((code, text.contains("two descriptors")), (Some(1), true), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_wants_more_than_it_is_granted_is_refused_at_its_line() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    put(&scene.folder, "mine.wasm", &std::fs::read(plugin("hubspot"))?)?;
    let route = |grants: &str| {
        format!("{SCRIPT}[plugins.mine]\ncomponent = \"mine.wasm\"\nconfig = {{ base-url = \"https://desk.example\" }}\n{grants}")
    };
    scene.configure("", &route("allow-hosts = [\"https://other.example\"]"))?;
    let hosts = [
        "expects to reach https://desk.example, which it is not allowed to",
        "write allow-hosts = [\"https://other.example\", \"https://desk.example\"]",
        "says that `POST /crm/*/*/*/search` only reads",
    ];
    refused(&scene, "less", &hosts).await?;
    let text = std::fs::read_to_string(scene.folder.path().join("sangam.toml"))?;
    let line = 1 + text.lines().position(|line| line.contains("other.example")).unwrap_or(0);
    let (_, out) = run(&scene.folder, &["check"])?;
    assert!(out.contains(&format!("sangam.toml:{line}:1: error: plugin `mine` expects")), "{out}");
    assert!(out.contains(&format!("sangam.toml:{line}:16: warning: https://other.example is granted but never asked for")), "{out}");

    // Granted, or declined in writing.
    let reads = "\"POST /crm/*/*/*/search\"";
    scene.configure(
        "",
        &route(&format!("allow-hosts = [\"https://desk.example\"]\nread-only = [{reads}]\ndeclines = [\"POST /crm/*/*/*/batch/read\"]")),
    )?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // A declined host that is granted all the same would look as if it were out of reach.
    scene.configure("", &route(&format!("allow-hosts = [\"https://desk.example\"]\nread-only = [{reads}]\ndeclines = [\"https://desk.example\", \"POST /crm/*/*/*/batch/read\"]")))?;
    refused(&scene, "both", &["`https://desk.example` is granted to plugin `mine` all the same"]).await?;

    // Events: by what its descriptor says.
    let emitting = describing(&fresh_guest("scripted"), |said| said["emits"] = json!(["job.completed"]))?;
    put(&scene.folder, "mine.wasm", &emitting)?;
    scene.configure("", &format!("{SCRIPT}[plugins.mine]\ncomponent = \"mine.wasm\"\nemits = [\"case.*\"]\n"))?;
    let (code, out) = run(&scene.folder, &["check"])?;
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("brings in events of type `job.completed`") && out.contains("emits = [\"case.*\", \"job.completed\"]"), "{out}");
    assert!(out.contains("warning: `case.*` is granted but never asked for"), "{out}");
    Ok(())
}

#[test]
fn keys_are_for_their_owner_and_nothing_is_overwritten() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = HostFolder::new("")?;
    let public = key(&folder, "acme.pem")?;
    assert!(public.starts_with("ed25519:") && public.len() == 52, "{public}");
    let file = folder.path().join("acme.pem");
    let mode = |path: &Path| anyhow::Ok(std::fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!(mode(&file)?, 0o600);
    let before = std::fs::read_to_string(&file)?;
    assert_eq!(run(&folder, &["plugin", "keygen", "acme.pem"])?.0, Some(2));
    assert_eq!(std::fs::read_to_string(&file)?, before);
    put(&folder, "mine.wasm", &fresh_guest("scripted"))?;
    // From standard input, as a vault would give it.
    let signed = folder.run(&["plugin", "sign", "mine.wasm", "--key", "-", "-o", "signed.wasm"], &before)?;
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    assert!(must(&folder, &["plugin", "verify", "signed.wasm", "--key", &public])?.contains(&public));
    assert_eq!(bytes(&folder, "mine.wasm")?, fresh_guest("scripted"), "only the output is written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let (code, text) = run(&folder, &["plugin", "sign", "mine.wasm", "--key", "acme.pem"])?;
    assert_eq!((code, text.contains("chmod 600 acme.pem")), (Some(2), true), "{text}");
    put(&folder, "nonsense.pem", b"nonsense")?;
    std::fs::set_permissions(folder.path().join("nonsense.pem"), std::fs::Permissions::from_mode(0o600))?;
    let (code, text) = run(&folder, &["plugin", "sign", "mine.wasm", "--key", "nonsense.pem"])?;
    assert_eq!((code, text.contains("nonsense.pem: it holds no private key")), (Some(2), true), "{text}");
    assert!(!text.contains(&before[28..60]), "a key is never shown");
    Ok(())
}

#[tokio::test]
async fn a_forged_or_changed_component_is_refused_everywhere() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let (acme, _) = (key(folder, "acme.pem")?, key(folder, "thief.pem")?);
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    let unsigned = bytes(folder, "mine.wasm")?;
    scene.configure("", &mine(&format!("[trust.keys.acme]\nkey = {acme:?}\nplugins = [\"mine\"]")))?;
    refused(&scene, "unsigned", &["plugin mine: it is not signed", "`acme`", "sangam plugin sign"]).await?;

    sign(folder, "mine.wasm", "thief.pem")?;
    refused(&scene, "another-key", &["plugin mine: it is signed by ed25519:", "[trust.keys]"]).await?;

    put(folder, "mine.wasm", &unsigned)?;
    assert!(sign(folder, "mine.wasm", "acme.pem")?.contains(&acme));
    let signed = bytes(folder, "mine.wasm")?;
    assert_eq!(scene.reload().await?.status, 200);
    let good = digest(&scene).await?;
    results(&scene.client().send_and_wait(&event("signed", "mine", json!({ "lines": [] }))).await?)?;
    let (code, text) = run(folder, &["plugin", "sign", "mine.wasm", "--key", "acme.pem"])?;
    assert_eq!((code, text.contains("signed twice")), (Some(1), true), "{text}");

    // Whatever is done to the bytes, the name of the error says what; none of it needs a signature to be asked for.
    let signature = &signed[unsigned.len()..];
    let flipped = |at: usize| {
        let mut bytes = signed.clone();
        bytes[at] ^= 0x20;
        bytes
    };
    put(folder, "other.wasm", &fresh_guest("misbehaving"))?;
    let other = bytes(folder, "other.wasm")?;
    let twice = [&signed[..], signature].concat();
    let title = patched(signed.clone(), "\"title\":\"Scripted\"", "\"title\":\"Scripter\"");
    let (first, _) = sections(&unsigned)[1].clone();
    let moved = [&unsigned[..first], signature, &unsigned[first..]].concat();
    let cut = signed[..signed.len() - 1].to_vec();
    let short = [&unsigned[..], &section("sangam:signature", &signature[19..signature.len() - 1])].concat();
    let forgeries: [(&str, Vec<u8>, &str); 9] = [
        ("before", title, "was changed after it was signed"),
        ("key", flipped(unsigned.len() + 30), "was changed after it was signed"),
        ("signature", flipped(signed.len() - 10), "was changed after it was signed"),
        ("after", [&signed[..], &section("more", b"more")].concat(), "something was added after its signature"),
        ("moved", moved, "does not fit"),
        ("twice", twice, "signed twice"),
        ("cut", cut, "not a valid component"),
        ("short", short, "signature section is cut"),
        ("pasted", [&other[..], signature].concat(), "is that of another component"),
    ];
    for (name, bytes, words) in forgeries {
        put(folder, "mine.wasm", &bytes)?;
        refused(&scene, name, &["plugin mine: ", words]).await?;
        for verb in ["verify", "inspect"] {
            let (code, text) = run(folder, &["plugin", verb, "mine.wasm"])?;
            assert_eq!((code, text.contains(words)), (Some(1), true), "{name}: {verb}: {text}");
        }
    }
    // Without the signature it is unsigned again, whatever else is there.
    put(folder, "mine.wasm", &[&unsigned[..], &section("sangam:signatur", &signature[19..])].concat())?;
    refused(&scene, "renamed", &["it is not signed"]).await?;
    assert_eq!(digest(&scene).await?, good);
    Ok(())
}

#[tokio::test]
async fn a_key_fills_no_place_but_its_own_and_can_be_replaced_and_revoked() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let (old, new, vendor) = (key(folder, "old.pem")?, key(folder, "new.pem")?, key(folder, "vendor.pem")?);
    let keys = |acme: &str, revoked: &str| {
        let trust = format!("[trust]\nrevoked = [{revoked}]\n[trust.keys.acme]\nkey = {acme}\nplugins = [\"mine\"]\n");
        mine(&format!("{trust}[trust.keys.vendor]\nkey = {vendor:?}\nplugins = [\"billing\", \"vendor-*\"]"))
    };
    // A vendor who is trusted for its own plugins ships one that calls itself by the right name.
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    sign(folder, "mine.wasm", "vendor.pem")?;
    scene.configure("", &keys(&format!("{old:?}"), ""))?;
    refused(&scene, "vendor", &["is signed by `vendor`", "trusted for `billing`, `vendor-*` and not for plugin `mine`"]).await?;
    // Another signature beside it, by whom the place belongs to, is enough.
    sign(folder, "mine.wasm", "old.pem")?;
    assert_eq!(scene.reload().await?.status, 200);
    let listed = scene.client().get("/v1/plugins").await?.json;
    assert!(listed.to_string().contains(&format!("\"signed_by\":[{vendor:?},{old:?}]")), "{listed}");

    // The key is replaced: both count for a while, then the old one is revoked.
    scene.configure("", &keys(&format!("[{old:?}, {new:?}]"), ""))?;
    assert_eq!(scene.reload().await?.status, 200);
    scene.configure("", &keys(&format!("{new:?}"), &format!("{old:?}")))?;
    refused(&scene, "revoked", &["is signed by", "which is revoked", &old]).await?;
    sign(folder, "mine.wasm", "new.pem")?;
    assert_eq!(scene.reload().await?.status, 200, "signed anew");
    Ok(())
}

#[tokio::test]
async fn a_signature_can_be_required_of_all_and_of_one() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.configure("", &format!("{SCRIPT}[trust]\nrequire-signature = true\n[plugins.h]\ncomponent = \"builtin:http\"\n"))?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 422);
    for name in ["plugin m: it is not signed", "plugin s: it is not signed"] {
        assert!(answer.text.contains(name), "{}", answer.text);
    }
    assert!(!answer.text.contains("plugin h:"), "connectors in the binary are trusted with it: {}", answer.text);
    put(&scene.folder, "mine.wasm", &fresh_guest("scripted"))?;
    scene.configure("", &mine("require-signature = true"))?;
    refused(&scene, "one", &["plugin mine: it is not signed", "nobody there is trusted for it"]).await?;
    Ok(())
}

#[tokio::test]
async fn runs_of_an_earlier_revision_do_not_use_what_a_revoked_key_signed() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let acme = key(folder, "acme.pem")?;
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    sign(folder, "mine.wasm", "acme.pem")?;
    // A slow second attempt, so that the run is still under way when the key is revoked.
    let route = mine("").replace("10ms", "4s");
    scene.change("", &route).await?;
    let eid = scene
        .client()
        .send(&event("1", "mine", json!({ "lines": [{ "do": "fail", "on": [1] }, { "do": "read", "url": scene.url("/r") }] })))
        .await?;
    scene.client().until(&eid, "pending").await?;
    put(folder, "mine.wasm", &fresh_guest("scripted"))?;
    scene.change("", &format!("{route}[trust]\nrevoked = [{acme:?}]\n")).await?;
    let looks = async {
        while !scene.host.log().contains("which is revoked") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looks).await?;
    assert_eq!(scene.requests("/r").len(), 0, "what the key signed ran once more");
    Ok(())
}

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
        "to keep values in a space of its own in the store",
        "sangam plugin approve mine",
    ];
    refused(&scene, "swapped", &words).await?;
    assert_eq!(digest(&scene).await?, good);
    // It is only looked at, as a script would.
    let looked: Value = serde_json::from_str(&must(folder, &["plugin", "approve", "--json"])?)?;
    let change = looked["plugins"].as_array().into_iter().flatten().find(|change| change["name"] == "mine").cloned().unwrap_or_default();
    assert_eq!((&looked["approved"], &change["change"]), (&json!(false), &json!("changed")));
    assert!(
        change["more"].as_array().is_some_and(|more| more.contains(&json!("keep values in a space of its own in the store"))),
        "{change}"
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("sangam.lock"))?, lock);
    // A person accepts it.
    let out = must(folder, &["plugin", "approve", "mine", "--yes"])?;
    assert!(out.contains("mine: misbehaving 0.1.0 -> scripted 0.1.0") && out.contains("+ keep values"), "{out}");
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
        let reads = "read-only = [\"POST /crm/*/*/*/search\", \"POST /crm/*/*/*/batch/read\"]";
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

/// Whoever can write to a shared store, or start a host on it, applies no component on a host whose own file does not trust it.
#[tokio::test]
async fn a_host_takes_over_no_revision_with_a_component_that_it_does_not_trust() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let trusting =
        |public: &str| configuration(&sink.url(), "", &format!("{SCRIPT}[trust.keys.acme]\nkey = {public:?}\nplugins = [\"mine\"]\n"));
    let folder = HostFolder::on(TestStore::Postgres, "")?;
    let acme = key(&folder, "acme.pem")?;
    put(&folder, "mine.wasm", &fresh_guest("scripted"))?;
    folder.configure(&trusting(&acme))?;
    let strict = folder.start().await?;
    // Another host, whose file trusts anybody.
    folder.configure(&configuration(&sink.url(), "", &mine("")))?;
    let lax = folder.start().await?;
    let revision = async |host: &Host| anyhow::Ok(host.client.get("/v1/routes").await?.json["revision"].as_i64());
    assert_eq!(revision(&lax).await?, Some(2));
    let refused = async {
        while !strict.log().contains("revision 2 can't run on this host: plugin mine: it is not signed") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await?;
    assert_eq!(revision(&strict).await?, Some(1));
    results(&strict.client.send_and_wait(&crate::scene::script("1", json!([]))).await?)?;
    // What it trusts, it takes over.
    sign(&folder, "mine.wasm", "acme.pem")?;
    let answer = lax.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let taken = async {
        while revision(&strict).await? != Some(3) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), taken).await??;
    strict.kill().await?;
    lax.kill().await
}

#[tokio::test]
async fn a_component_without_a_descriptor_is_judged_by_what_it_answers() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let folder = &scene.folder;
    let (bare, _) = undescribed(&fresh_guest("scripted"))?;
    put(folder, "mine.wasm", &bare)?;
    scene.configure("", &mine(""))?;
    let out = must(folder, &["plugin", "approve", "--yes"])?;
    assert!(out.contains("mine: no descriptor is embedded, so it was asked") && out.contains("mine: scripted 0.1.0"), "{out}");
    assert_eq!(scene.reload().await?.status, 200);
    // It is known only once it was asked; then it is compared all the same.
    let lock = std::fs::read_to_string(folder.path().join("sangam.lock"))?;
    put(folder, "sangam.lock", lock.replace("plugin = \"scripted\"", "plugin = \"salesforce\"").as_bytes())?;
    refused(&scene, "edited", &["edited by hand", "plugin: \"salesforce\" for \"scripted\""]).await?;
    // Another one is not even asked.
    put(folder, "sangam.lock", lock.as_bytes())?;
    put(folder, "mine.wasm", &undescribed(&fresh_guest("misbehaving"))?.0)?;
    refused(&scene, "other", &["it is not the component that was approved"]).await?;
    let (code, out) = run(folder, &["plugin", "sign", "mine.wasm", "--key", "-"])?;
    assert_eq!((code, out.contains("no private key")), (Some(2), true), "{out}");
    key(folder, "acme.pem")?;
    let (code, out) = run(folder, &["plugin", "sign", "mine.wasm", "--key", "acme.pem"])?;
    assert_eq!((code, out.contains("sangam plugin embed")), (Some(2), true), "{out}");
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
