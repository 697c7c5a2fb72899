//! The supply of components: what is read off them, what they want and are granted, who signed them, and which were approved. Each attack
//! is made against a running host, which goes on with what it has.

mod lock;
mod review;
mod signatures;

use std::process::Output;

use anyhow::ensure;
use sangam_tests::{HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, results};

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
