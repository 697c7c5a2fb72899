//! Plugins of every released contract run on today's host, and the contract only grows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Host, HostFolder};
use serde_json::{Value, json};

use crate::scene::{event, sink};

/// The released versions: `tests/frozen/VERSION`, each with `wit/` and `frozen.wasm`.
fn released() -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen");
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        versions.push(entry?.path());
    }
    versions.sort();
    assert!(!versions.is_empty(), "no version in {}", folder.display());
    Ok(versions)
}

/// What a contract says, without comments: its interfaces and worlds by name, printed in one way.
fn contract(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(folder)?;
    let mut printer = wit_component::WitPrinter::default();
    printer.emit_docs(false).print(&resolve, package, &[])?;
    Ok(blocks(&printer.output.to_string()))
}

/// `interface http` and what stands in its braces.
fn blocks(text: &str) -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match &mut open {
            Some(_) if line == "}" => blocks.extend(open.take()),
            Some((_, body)) => {
                // Since when an item is there says nothing of what it is.
                if !line.trim_start().starts_with("@since") && !line.trim().is_empty() {
                    body.push_str(line.trim());
                    body.push('\n');
                }
            }
            None => open = line.strip_suffix(" {").map(|name| (name.to_owned(), String::new())),
        }
    }
    blocks
}

/// What an author of the earlier contract would stumble over.
fn broken(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, was) in before {
        let Some(is) = now.get(name) else {
            problems.push(format!("{name} is gone"));
            continue;
        };
        if name.starts_with("interface ") {
            if was != is {
                problems.push(format!("{name} has changed, from\n{was}to\n{is}"));
            }
            continue;
        }
        // A world may import more, which only the host has to have. A plugin built for it exports what it did then.
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (was, is) = (lines(was), lines(is));
        problems.extend(was.iter().filter(|line| !is.contains(line)).map(|line| format!("{name} has lost: {line}")));
        let wanted = is.iter().filter(|line| line.starts_with("export") && !was.contains(line));
        problems.extend(wanted.map(|line| format!("{name} wants more of plugins: {line}")));
    }
    problems
}

#[test]
fn the_contract_grows_and_never_changes_what_was_released() -> anyhow::Result<()> {
    let now = contract(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    for version in released()? {
        let problems = broken(&contract(&version.join("wit"))?, &now);
        assert!(
            problems.is_empty(),
            "plugins built for the contract of {} would no longer fit:\n{}\n\nA released record, variant or function never changes. Put what is new into an \
             interface of its own (its functions with `@since` of the next version) and leave what was there as it was; see wit/world.wit.",
            version.display(),
            problems.join("\n")
        );
    }
    Ok(())
}

#[test]
fn a_contract_that_changes_is_noticed_and_one_that_grows_is_not() -> anyhow::Result<()> {
    let before = contract(&Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen/0.1.0/wit"))?;
    assert!(before.contains_key("interface http") && before.contains_key("world duplex"), "{before:?}");
    let with = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut now = before.clone();
        let text = change(&before[name]);
        assert_ne!(text, before[name], "the change changes nothing");
        now.insert(name.to_owned(), text);
        broken(&before, &now)
    };
    assert_eq!(with("interface http", &|text| text.replace("read-only: bool,", "read-only: bool,\nretries: u32,")).len(), 1);
    assert_eq!(with("interface log", &|text| text.replace("warn,", "")).len(), 1);
    assert_eq!(
        with("world connector", &|text| format!("{text}export events;\n")),
        ["world connector wants more of plugins: export events;"]
    );
    assert_eq!(with("world connector", &|text| format!("{text}import clock;\n")), [""; 0]);
    let mut grown = before.clone();
    grown.insert("interface clock".to_owned(), "now: func() -> u64;\n".to_owned());
    assert_eq!(broken(&before, &grown), [""; 0]);
    grown.remove("interface log");
    assert_eq!(broken(&before, &grown), ["interface log is gone"]);
    Ok(())
}

/// A host with the guest of one version and a route for each of its actions.
struct Old {
    sink: Stand,
    folder: HostFolder,
    host: Host,
}

impl Old {
    async fn start(version: &Path) -> anyhow::Result<Old> {
        let sink = sink().await?;
        let origin = sink.url();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[plugins.f]\ncomponent = {:?}\nconfig = {{ base-url = \"{origin}\" }}\n\
             allow-hosts = [\"{origin}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\nemits = [\"frozen.*\"]\n",
            version.join("frozen.wasm")
        );
        let retry = "retry = { max-attempts = 2, initial = \"10ms\", factor = 1, jitter = 0 }";
        for action in ["write", "read", "keep", "say", "emit", "fail", "tell"] {
            text.push_str(&format!(
                "\n[[routes]]\nname = \"{action}\"\non = {{ type = \"{action}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"f.{action}\"\n{retry}\n"
            ));
        }
        text.push_str(
            "\n[[routes]]\nname = \"undo\"\non = { type = \"undo\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"f.write\"\n\
             [[routes.steps]]\nname = \"fail\"\nuses = \"f.fail\"\nwith = { kind = \"rejected\" }\non-failure = \"undo\"\n",
        );
        let folder = HostFolder::new(&text)?;
        let host = folder.start().await?;
        Ok(Old { sink, folder, host })
    }

    /// Has an action done; gives the document of its step.
    async fn run(&self, id: &str, action: &str, data: Value) -> anyhow::Result<Value> {
        let event = self.host.client.send_and_wait(&event(id, action, data)).await?;
        Ok(event["runs"][0]["steps"][0].clone())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sink.url())
    }
}

#[tokio::test]
async fn a_plugin_of_every_released_contract_runs_on_this_host() -> anyhow::Result<()> {
    for version in released()? {
        let old = Old::start(&version).await?;
        reads_and_writes(&old).await?;
        keeps_values(&old).await?;
        says_and_emits(&old).await?;
        fails_in_every_way(&old).await?;
        is_told_its_input_and_context(&old).await?;
        brings_streams(&old, &version)?;
    }
    Ok(())
}

async fn reads_and_writes(old: &Old) -> anyhow::Result<()> {
    let read = old.run("read", "read", json!({ "url": old.url("/r") })).await?;
    assert_eq!((&read["status"], &read["output"]["status"]), (&json!("succeeded"), &json!(200)), "{read:#}");
    old.sink.fault(Fault { times: 1, ..Fault::once("/w", FaultAct::Status { status: 503, headers: [].into(), body: String::new() }) });
    let write = old.run("write", "write", json!({ "url": old.url("/w") })).await?;
    assert_eq!(write["status"], "succeeded", "{write:#}");
    assert_eq!(write["attempts"].as_array().map(Vec::len), Some(2), "its `retry` is tried again");
    let at_sink: Vec<_> = old.sink.requests().into_iter().filter(|request| request.path == "/w").collect();
    let keys: Vec<_> = at_sink.iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys, [write["output"]["key"].as_str().unwrap_or(""); 2], "both carry the key that `key` gave");
    assert_eq!(at_sink[1].body, "{\"a\":1}");
    let undone = old.host.client.send_and_wait(&event("undo", "undo", json!({ "url": old.url("/u") }))).await?;
    assert_eq!(undone["runs"][0]["steps"][0]["status"], "undone", "{undone:#}");
    let methods: Vec<_> = old.sink.requests().into_iter().filter(|request| request.path == "/u").map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "DELETE"]);
    let denied = old.run("denied", "read", json!({ "url": "https://elsewhere.example/" })).await?;
    assert_eq!(denied["error"]["reason"], "no answer: denied", "{denied:#}");
    Ok(())
}

async fn keeps_values(old: &Old) -> anyhow::Result<()> {
    let keys = json!(["k/sum", "k/swap", "k/text"]);
    let first = old.run("keep-1", "keep", json!({})).await?;
    assert_eq!(first["output"], json!({ "before": false, "sum": 5, "swapped": true, "again": false, "keys": keys }), "{first:#}");
    let second = old.run("keep-2", "keep", json!({})).await?;
    assert_eq!(second["output"], json!({ "before": true, "sum": 10, "swapped": false, "again": false, "keys": keys }), "{second:#}");
    Ok(())
}

async fn says_and_emits(old: &Old) -> anyhow::Result<()> {
    let said = old.run("say", "say", json!({})).await?;
    let lines = said["attempts"][0]["logs"].as_array().cloned().unwrap_or_default();
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap_or("")).collect();
    assert_eq!(levels, ["trace", "debug", "info", "warn", "error"]);
    assert!(lines.iter().all(|line| line["message"] == "said" && line["fields"] == json!({ "field": "value" })), "{lines:?}");
    old.run("emit", "emit", json!({})).await?;
    let brought = old.host.client.get("/v1/events?type=frozen.thing").await?.json;
    assert_eq!(brought["events"][0]["event"]["source"], "/plugins/f", "{brought:#}");
    Ok(())
}

async fn fails_in_every_way(old: &Old) -> anyhow::Result<()> {
    for (kind, outcomes) in [("retry", &["retry", "retry"][..]), ("rejected", &["rejected"])] {
        let failed = old.run(kind, "fail", json!({ "kind": kind })).await?;
        let ended: Vec<_> = failed["attempts"].as_array().into_iter().flatten().map(|attempt| attempt["outcome"].clone()).collect();
        assert_eq!(ended, outcomes.iter().map(|outcome| json!(outcome)).collect::<Vec<_>>(), "{failed:#}");
        assert_eq!(failed["error"]["reason"], "as asked");
        assert_eq!(failed["error"]["details"], json!({ "code": 7 }), "{failed:#}");
    }
    // These are tried again for as long as the run may live.
    for kind in ["rate-limited", "unauthorized"] {
        let eid = old.host.client.send(&event(kind, "fail", json!({ "kind": kind }))).await?;
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let attempt = old.host.client.event(&eid).await?["runs"][0]["steps"][0]["attempts"][0].clone();
            if attempt["outcome"].is_string() {
                assert_eq!(attempt["outcome"], kind);
                break;
            }
            assert!(tokio::time::Instant::now() < end, "no attempt of {kind} has ended");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        old.host.client.post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    }
    Ok(())
}

async fn is_told_its_input_and_context(old: &Old) -> anyhow::Result<()> {
    let told = old.run("tell", "tell", json!({ "exact": 12345678901234567890_u64 })).await?;
    assert_eq!(told["output"]["input"], json!({ "exact": 12345678901234567890_u64 }));
    let context = &told["output"]["context"];
    assert_eq!(context["event"]["id"], "tell", "{context:#}");
    assert_eq!((&context["attempt"], &context["step"]["uses"]), (&json!(1), &json!("f.tell")));
    assert_eq!(context["configuration"], json!({ "base-url": old.sink.url() }));
    for member in ["run", "idempotency_key", "deadline"] {
        assert!(!context[member].is_null(), "the context of 0.1.0 has {member}: {context:#}");
    }
    Ok(())
}

fn brings_streams(old: &Old, version: &Path) -> anyhow::Result<()> {
    let file = version.join("frozen.wasm");
    let output = old.folder.run(&["plugin", "inspect", "--json", &file.display().to_string()], "")?;
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(shown["contract"], json!(version.file_name().and_then(|name| name.to_str())));
    assert_eq!(shown["descriptor_embedded"], true);
    let stream = &shown["descriptor"]["streams"][0];
    assert_eq!((&stream["poll"], &stream["receive"]), (&json!(true), &json!(true)), "{shown:#}");
    Ok(())
}
