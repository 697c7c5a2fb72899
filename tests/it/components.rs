//! Components that are none, or that this host can't run: refused with a sentence that names the plugin and the way out, and the host goes on.

use sangam_tests::{HostFolder, fresh_guest};
use serde_json::json;

use crate::scene::{SCRIPT, Scene, results};

/// Replaces a text by another of the same length, wherever it stands.
pub fn patched(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the guest does not hold {from:?} any more");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// Bytes that are no plugin, and words of the sentence that says so.
fn impostors() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let guest = fresh_guest("scripted");
    let half = guest[..guest.len() / 2].to_vec();
    vec![
        ("empty", Vec::new(), &["not WebAssembly", "wasm32-wasip2"]),
        ("random", (0..4096_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect(), &["not WebAssembly"]),
        ("module", b"\0asm\x01\0\0\0".to_vec(), &["core WebAssembly module", "wasm32-wasip2"]),
        ("nothing", b"\0asm\x0d\0\x01\0".to_vec(), &["no Sangam plugin", "SDK"]),
        ("half", half, &["not a valid component"]),
        ("contract", patched(guest.clone(), "@0.1.0", "@0.9.0"), &["contract 0.9.0", "0.1.0", "rebuild"]),
        (
            "imports",
            patched(guest.clone(), "sangam:connector/key-value@", "sangam:connector/key-valve@"),
            &["does not offer", "sangam:connector/key-valve@0.1.0"],
        ),
        ("descriptor", patched(guest, "\"title\":\"Scripted\"", "\"title\":\"Scripter\""), &["descriptor", "build it again"]),
    ]
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_by_name_and_the_host_goes_on() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for (name, bytes, words) in impostors() {
        let file = format!("{name}.wasm");
        std::fs::write(scene.folder.path().join(&file), bytes)?;
        scene.configure("", &format!("{SCRIPT}\n[plugins.{name}]\ncomponent = {file:?}\n"))?;
        let answer = scene.reload().await?;
        assert_eq!(answer.status, 422, "{name}: {}", answer.text);
        let problem = &answer.json["problems"][0];
        let message = problem["message"].as_str().unwrap_or("");
        assert!(message.contains(&format!("plugin {name}")), "{name}: {message}");
        for word in words {
            assert!(message.contains(word), "{name}: {word:?} is not in {message:?}");
        }
        assert!(problem["line"].as_u64() > Some(1), "{name}: {problem}");
        results(&scene.play(name, json!([])).await?)?;
    }
    Ok(())
}

#[test]
fn check_and_inspect_refuse_it_too() -> anyhow::Result<()> {
    for (name, bytes, words) in impostors() {
        let folder = HostFolder::new("[plugins.x]\ncomponent = \"x.wasm\"\n")?;
        std::fs::write(folder.path().join("x.wasm"), bytes)?;
        if name == "descriptor" {
            continue; // Neither runs the plugin, so neither can know.
        }
        for (arguments, code) in [(["check", "--config", "sangam.toml"], 2), (["plugin", "inspect", "x.wasm"], 1)] {
            let done = folder.run(&arguments, "")?;
            let text = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(code), "{name}: {text}");
            for word in words {
                assert!(text.contains(word), "{name}: {word:?} is not in {text}");
            }
        }
        let done = folder.run(&["check"], "")?;
        assert!(String::from_utf8_lossy(&done.stderr).contains("sangam.toml:2:"), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

#[test]
fn a_host_does_not_start_with_an_impostor() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\n[plugins.x]\ncomponent = \"gone.wasm\"\n")?;
    let done = folder.run(&["up"], "")?;
    let text = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{text}");
    assert!(text.contains("sangam.toml:4:") && text.contains("gone.wasm"), "{text}");
    Ok(())
}

#[tokio::test]
async fn another_component_than_the_pinned_one_is_refused() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let listed = scene.client().get("/v1/plugins").await?.json;
    let digest =
        listed["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "s").map(|plugin| plugin["digest"].clone());
    let digest = digest.as_ref().and_then(|digest| digest.as_str()).unwrap_or("").to_owned();
    assert_eq!(digest.len(), 71);
    scene.configure(&format!("digest = {digest:?}"), SCRIPT)?;
    let answer = scene.reload().await?;
    assert_eq!(answer.status, 422, "the other plugin has another digest");
    let problems = answer.json["problems"].as_array().cloned().unwrap_or_default();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0]["message"].as_str().is_some_and(|why| why.starts_with("plugin m: ") && why.contains("digest")), "{problems:?}");
    Ok(())
}
