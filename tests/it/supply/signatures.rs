//! Who signed a component, who is trusted for which name, and what becomes of revoked keys.

use std::path::Path;
use std::time::Duration;

use sangam_tests::{Host, HostFolder, TestStore, fresh_guest, postgres};
use serde_json::json;

use super::{bytes, digest, key, mine, must, put, refused, run, section, sections, sign};
use crate::components::patched;
use crate::scene::{SCRIPT, Scene, configuration, event, results, sink};

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
