//! What a component may ask for is read off it, and held against what it is granted.

use sangam_tests::{HostFolder, fresh_guest, guest, plugin};
use serde_json::{Value, json};

use super::{describing, key, mine, must, put, refused, run, section, undescribed};
use crate::scene::{SCRIPT, Scene};

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
    let reads = "\"POST /crm/*/*/*/search\", \"POST /crm/*/*/*/*/batch/read\"";
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
