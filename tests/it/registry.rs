//! Components in a real registry: pushed, pinned, pulled, run, and run again without it.

use anyhow::Context as _;
use sangam_tests::registry::{self, OciRegistry, PASSWORD, USER};
use sangam_tests::{HostFolder, fresh_guest, guest};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, results, script};

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n";

/// What a verb printed on both ways, and its exit code.
pub fn said(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let done = folder.run(arguments, "")?;
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok((done.status.code(), text))
}

/// Pushes a guest; gives `reference`, `manifest_digest` and `digest`.
fn push(folder: &HostFolder, name: &str, reference: &str) -> anyhow::Result<Value> {
    let file = guest(name);
    let done = folder.run(&["plugin", "push", file.to_str().context("a path of this machine")?, reference, "--json"], "")?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(serde_json::from_slice(&done.stdout)?)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn with_plugin(component: &str, more: &str) -> String {
    format!("{SERVER}[plugins.s]\ncomponent = {component:?}\n{more}\n{SCRIPT}")
}

#[tokio::test]
async fn a_component_is_pushed_pinned_run_and_run_again_without_the_registry() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new(SERVER)?;
    let tag = format!("{}/team/scripted:1.0", oci.host());
    let pushed = push(&folder, "scripted", &tag)?;
    assert_eq!(push(&folder, "scripted", &tag)?, pushed, "the same component has the same digest");
    let pinned = text(&pushed["reference"]).to_owned();
    assert!(pinned.starts_with(&format!("oci://{tag}@sha256:")), "{pinned}");

    let (code, output) = said(&folder, &["plugin", "pull", &tag, "-o", "pulled.wasm"])?;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&pinned) && output.contains(text(&pushed["digest"])), "{output}");
    assert!(std::fs::read(folder.path().join("pulled.wasm"))? == fresh_guest("scripted"), "the same bytes came back");
    let (code, output) = said(&folder, &["plugin", "inspect", &format!("oci://{tag}")])?;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("Scripted"), "{output}");

    folder.configure(&with_plugin(&pinned, ""))?;
    let (code, output) = said(&folder, &["check"])?;
    assert_eq!(code, Some(0), "{output}");
    let host = folder.start().await?;
    results(&host.client.send_and_wait(&script("with", json!([]))).await?)?;
    host.kill().await?;

    drop(oci);
    let host = folder.start().await?;
    results(&host.client.send_and_wait(&script("without", json!([]))).await?)?;
    host.kill().await?;

    // Nobody trusts the folder: what was changed there is not run, and here nobody can mend it.
    let kept = folder.path().join("data/components").join(text(&pushed["digest"]).replace(':', "-"));
    let kept = if kept.exists() { kept } else { anyhow::bail!("{} is not there", kept.display()) };
    let mut bytes = std::fs::read(&kept)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&kept, bytes)?;
    let (code, output) = said(&folder, &["check"])?;
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("can't be reached") && output.contains("sangam.toml:5:13"), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_component_that_was_deleted_in_the_registry_is_named_and_what_runs_goes_on() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new(SERVER)?;
    let pushed = push(&folder, "scripted", &format!("{}/team/scripted:1.0", oci.host()))?;
    folder.configure(&with_plugin(text(&pushed["reference"]), ""))?;
    let host = folder.start().await?;
    let registry = sangam_tests::Client::new(&format!("http://{}", oci.host()));
    let manifest = format!("/v2/team/scripted/manifests/{}", text(&pushed["manifest_digest"]));
    let deleted = registry.ask(reqwest::Method::DELETE, &manifest, &[], Vec::new()).await?;
    anyhow::ensure!(deleted.status == 202, "{}: {}", deleted.status, deleted.text);
    results(&host.client.send_and_wait(&script("deleted", json!([]))).await?)?;
    // From what the host has kept, a new configuration is applied all the same.
    folder.configure(&with_plugin(text(&pushed["reference"]), "concurrency = 3"))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Without that it is refused, in words that name it; the host goes on with what it has.
    std::fs::remove_dir_all(folder.path().join("data/components"))?;
    folder.configure(&with_plugin(text(&pushed["reference"]), "concurrency = 2"))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains(text(&pushed["manifest_digest"])) && answer.text.contains("has no"), "{}", answer.text);
    results(&host.client.send_and_wait(&script("refused", json!([]))).await?)?;
    let (code, output) = said(&folder, &["check"])?;
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("has no") && output.contains("sangam.toml:5:13"), "{output}");
    host.kill().await?;
    Ok(())
}

#[tokio::test]
async fn a_tag_needs_a_pin_and_one_that_moved_changes_nothing() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new(SERVER)?;
    let tag = format!("{}/s:1", oci.host());
    let first = push(&folder, "scripted", &tag)?;

    folder.configure(&with_plugin(&format!("oci://{tag}"), ""))?;
    let (code, output) = said(&folder, &["check"])?;
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("no digest pin") && output.contains(text(&first["reference"])), "check says what to write: {output}");
    let (code, output) = said(&folder, &["up"])?;
    assert_eq!(code, Some(2), "a host does not start on it: {output}");

    folder.configure(&with_plugin(
        &guest("scripted").to_string_lossy(),
        &format!("canary = {{ component = \"oci://{tag}\", share = 0.5, max-error-rate = 0.5 }}"),
    ))?;
    let (code, output) = said(&folder, &["check"])?;
    assert_eq!(code, Some(2), "a canary is no exception: {output}");
    assert!(output.contains("sangam.toml:6:10") && output.contains("no digest pin"), "{output}");

    let second = push(&folder, "misbehaving", &tag)?;
    assert_ne!(first["manifest_digest"], second["manifest_digest"]);
    // By the manifest: the pin leads past the tag.
    folder.configure(&with_plugin(text(&first["reference"]), ""))?;
    let host = folder.start().await?;
    results(&host.client.send_and_wait(&script("pinned", json!([]))).await?)?;
    // By the component: the tag leads elsewhere now. Found in the cache all the same; from an empty one it is refused.
    let by_component = with_plugin(&format!("oci://{tag}"), &format!("digest = {:?}", text(&first["digest"])));
    folder.configure(&by_component)?;
    assert_eq!(host.client.post("/v1/reload", &json!({})).await?.status, 200);
    std::fs::remove_dir_all(folder.path().join("data/components"))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains(text(&second["digest"])) && answer.text.contains("not the pinned one"), "{}", answer.text);
    results(&host.client.send_and_wait(&script("still", json!([]))).await?)?;
    Ok(())
}

#[test]
fn another_client_reads_what_is_pushed_and_what_it_copies_is_taken() -> anyhow::Result<()> {
    if !registry::is_there()? || !registry::is_skopeo_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new(SERVER)?;
    let pushed = push(&folder, "scripted", &format!("{}/ours:1", oci.host()))?;
    let remote = |name: &str| format!("docker://{}/{name}", oci.host());
    // From the registry into a bundle of its own making, which is installed here.
    registry::skopeo(folder.path(), &["copy", "--src-tls-verify=false", &remote("ours:1"), "oci-archive:theirs.tar"])?;
    let (code, output) = said(&folder, &["plugin", "bundle", "install", "theirs.tar"])?;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(text(&pushed["manifest_digest"])) && output.contains("scripted"), "{output}");
    // From a bundle of ours into the registry, under another name.
    folder.configure(&with_plugin(text(&pushed["reference"]), ""))?;
    let (code, output) = said(&folder, &["plugin", "bundle", "create", "ours.tar"])?;
    assert_eq!(code, Some(0), "{output}");
    registry::skopeo(folder.path(), &["copy", "--dest-tls-verify=false", "oci-archive:ours.tar", &remote("theirs:1")])?;
    let (code, output) = said(&folder, &["plugin", "pull", &format!("{}/theirs:1", oci.host()), "-o", "theirs.wasm"])?;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(text(&pushed["manifest_digest"])), "{output}");
    assert!(std::fs::read(folder.path().join("theirs.wasm"))? == fresh_guest("scripted"), "the same bytes came around");
    Ok(())
}

#[tokio::test]
async fn a_reload_that_lacks_one_component_changes_nothing() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let folder = HostFolder::new(SERVER)?;
    let there = push(&folder, "scripted", &format!("{}/s:1", oci.host()))?;
    folder.configure(&with_plugin(text(&there["reference"]), ""))?;
    let host = folder.start().await?;
    let digest = format!("sha256:{}", "0".repeat(64));
    let nobody = format!("oci://{}/nobody:1@{digest}", oci.host());
    folder.configure(&format!("{}\n[plugins.m]\ncomponent = {nobody:?}\n", with_plugin(text(&there["reference"]), "config = {}")))?;
    let answer = host.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("has no") && answer.text.contains("nobody"), "{}", answer.text);
    let plugins = host.client.get("/v1/plugins").await?.json;
    let components = plugins["plugins"].as_array().into_iter().flatten().filter(|plugin| plugin["digest"].is_string());
    assert_eq!(components.count(), 1, "{plugins}");
    results(&host.client.send_and_wait(&script("still", json!([]))).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_login_is_given_from_the_store_and_shown_nowhere() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::with_login()?;
    let tag = format!("{}/s:1", oci.host());
    let folder = HostFolder::new(SERVER)?;
    let file = guest("scripted");
    let file = file.to_str().context("a path of this machine")?;
    let (code, output) = said(&folder, &["plugin", "push", file, &tag])?;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("wants a login") && output.contains(&format!("[registries.{:?}]", oci.host())), "{output}");

    let login = format!("{SERVER}[registries.{:?}]\nusername = {USER:?}\npassword = \"${{secret:registry}}\"\n", oci.host());
    folder.configure(&login)?;
    folder.secret("registry", "wrong horse")?;
    let (code, output) = said(&folder, &["plugin", "push", file, &tag])?;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("refuses the one it got (401") && !output.contains("horse"), "{output}");
    folder.secret("registry", PASSWORD)?;
    let pushed = push(&folder, "scripted", &tag)?;

    folder.configure(&login.replace(SERVER, &with_plugin(text(&pushed["reference"]), "")))?;
    let host = folder.start().await?;
    results(&host.client.send_and_wait(&script("in", json!([]))).await?)?;
    let shown = format!("{}{}", host.log(), host.client.get("/v1/plugins").await?.text);
    assert!(!shown.contains(PASSWORD) && !shown.contains("cHVibGlzaGVy"), "{shown}");
    Ok(())
}
