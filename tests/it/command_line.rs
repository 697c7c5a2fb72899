//! What people type: what it prints, and with which code it ends.

use std::process::Output;

use sangam_tests::{HostFolder, TestStore, guest};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, script};

/// Code, standard output, standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn empty() -> anyhow::Result<HostFolder> {
    let folder = HostFolder::new("")?;
    std::fs::remove_file(folder.path().join("sangam.toml"))?;
    Ok(folder)
}

#[tokio::test]
async fn init_writes_what_check_up_and_send_take() -> anyhow::Result<()> {
    let folder = empty()?;
    let (code, out, err) = said(&folder.run(&["init"], "")?);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("wrote ") && out.contains("sangam up"), "{out}");
    let (code, out, err) = said(&folder.run(&["check"], "")?);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("no mistakes"), "{out}");
    let file = folder.path().join("sangam.toml");
    let text = std::fs::read_to_string(&file)?;
    let (code, _, err) = said(&folder.run(&["init"], "")?);
    assert_eq!((code, err.contains("nothing was written")), (Some(2), true), "{err}");
    assert_eq!(std::fs::read_to_string(&file)?, text);
    // On a free port, so that tests can stand beside one another.
    std::fs::write(&file, text.replace("listen = \"127.0.0.1:7070\"", "listen = \"127.0.0.1:0\""))?;
    let host = folder.start().await?;
    let (code, out, err) = said(&folder.run(&["send", "events/job-completed.json", "--url", &host.client.url], "")?);
    assert_eq!((code, out.starts_with("accepted ")), (Some(0), true), "{out}{err}");
    let listed = host.client.get("/v1/events?route=job-completed").await?.json;
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(1), "the example event goes to the first route");
    assert_eq!(host.terminate().await?, Some(0));
    let (code, out, _) = said(&folder.run(&["init", "deeper/down"], "")?);
    assert_eq!((code, folder.path().join("deeper/down/sangam.toml").is_file()), (Some(0), true), "{out}");
    Ok(())
}

#[test]
fn check_looks_at_components_even_if_the_file_has_mistakes() -> anyhow::Result<()> {
    let folder = HostFolder::new(
        "[server]\nacces = \"open\"\n[plugins.gone]\ncomponent = \"gone.wasm\"\n[plugins.text]\ncomponent = \"sangam.toml\"\n",
    )?;
    let check = folder.run(&["check"], "")?;
    assert_eq!(check.status.code(), Some(2));
    let text = String::from_utf8_lossy(&check.stderr).into_owned();
    for place in [
        "sangam.toml:2:1: error: unknown key `acces`",
        "sangam.toml:4:13: error: this is no plugin: can't read",
        "sangam.toml:6:13: error: this is no plugin: it is not WebAssembly",
    ] {
        assert!(text.contains(place), "{place} is not in\n{text}");
    }
    Ok(())
}

#[test]
fn check_prints_every_mistake_with_its_place() -> anyhow::Result<()> {
    let text = format!(
        r#"[server]
lisen = "127.0.0.1:0"
access = "opne"
max-event-size = "1XB"
[store]
retention = "30"
[plugins.s]
component = {:?}
allow-hosts = ["ftp://example.com"]
credentials = ["nope"]
[[routes]]
name = "r"
on = {{ typ = "t" }}
when = ".event.data.x =="
[[routes.steps]]
name = "one"
uses = "t.run"
retry = {{ max-attempts = 0 }}
needs = ["ghost"]
[[routes.steps]]
name = "one"
uses = "s"
with = {{ a = "${{ .steps.nobody.output }}" }}
timeout = "soon"
"#,
        guest("scripted")
    );
    let folder = HostFolder::on(TestStore::Sqlite, &text)?;
    let (code, out, err) = said(&folder.run(&["check"], "")?);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    for line in [2, 3, 4, 6, 9, 10, 13, 14, 17, 18, 19, 21, 22, 24] {
        let mark = format!("sangam.toml:{line}:");
        let Some(place) = err.lines().find(|text| text.starts_with(&mark)) else { panic!("line {line} is not among:\n{err}") };
        let column = place[mark.len()..].split(':').next().and_then(|column| column.parse::<u32>().ok());
        assert!(column > Some(0) && place.contains(": error: "), "{place}");
    }
    assert!(err.contains("sangam.toml:23:25: warning: "), "{err}");
    assert!(err.contains("listen") && err.contains("open"), "near names are offered:\n{err}");
    assert!(err.lines().last().is_some_and(|last| last.contains(" errors")), "{err}");
    // What only the plugins know comes when the text itself is right.
    let text = text_with_wrong_plugin_use();
    folder.configure(&text)?;
    let (code, _, err) = said(&folder.run(&["check"], "")?);
    assert_eq!(code, Some(2), "{err}");
    for (line, words) in [(3, "gretting"), (8, "rum"), (12, "nonsense")] {
        assert!(
            err.lines().any(|text| text.starts_with(&format!("sangam.toml:{line}:")) && text.contains(words)),
            "line {line}, {words}:\n{err}"
        );
    }
    Ok(())
}

fn text_with_wrong_plugin_use() -> String {
    format!(
        r#"[plugins.s]
component = {:?}
config = {{ gretting = "hi" }}
[[routes]]
name = "r"
on = {{ type = "t" }}
steps = [
  {{ name = "one", uses = "s.rum" }},
  {{ name = "two", uses = "s.run" }},
  {{ name = "three", uses = "s.greet", with = {{
    name = "Ann",
    nonsense = 1 }} }},
]
"#,
        guest("scripted")
    )
}

#[test]
fn a_missing_or_broken_file_is_named() -> anyhow::Result<()> {
    let folder = empty()?;
    let (code, _, err) = said(&folder.run(&["check"], "")?);
    assert_eq!((code, err.contains("sangam.toml") && err.contains("sangam init")), (Some(2), true), "{err}");
    folder.configure("[server]\nlisten = \n")?;
    for verb in ["check", "up"] {
        let (code, _, err) = said(&folder.run(&[verb], "")?);
        assert_eq!((code, err.starts_with("sangam.toml:2:")), (Some(2), true), "{err}");
    }
    std::fs::rename(folder.path().join("sangam.toml"), folder.path().join("other.toml"))?;
    let folder = folder.env("SANGAM_CONFIG", "other.toml");
    let (code, _, err) = said(&folder.run(&["check"], "")?);
    assert_eq!((code, err.starts_with("other.toml:2:")), (Some(2), true), "{err}");
    for usage in [
        &["nonsense"][..],
        &[],
        &["send"],
        &["events", "show"],
        &["events", "list", "--nonsense"],
        &["plugin", "inspect", "no-such-file.wasm"],
    ] {
        assert_eq!(said(&folder.run(usage, "")?).0, Some(2), "{usage:?}");
    }
    Ok(())
}

#[test]
fn a_host_that_is_not_there_is_code_3() -> anyhow::Result<()> {
    let folder = empty()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = folder.env("SANGAM_URL", &format!("http://127.0.0.1:{port}"));
    for arguments in [
        &["events", "list"][..],
        &["events", "show", "x"],
        &["events", "dead"],
        &["events", "replay", "x"],
        &["events", "cancel", "x"],
        &["send", "-"],
    ] {
        let (code, _, err) = said(&folder.run(arguments, "{}")?);
        assert_eq!(code, Some(3), "{arguments:?}: {err}");
        assert!(err.contains(&port.to_string()) && err.contains("sangam up"), "{err}");
    }
    Ok(())
}

// The program runs while this test waits for it, and needs the sink meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_sent_shown_and_handled() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let url = scene.client().url.clone();
    let run = |arguments: &[&str], input: &str| -> anyhow::Result<(Option<i32>, String, String)> {
        Ok(said(&scene.folder.run(&[arguments, &["--url", &url]].concat(), input)?))
    };
    std::fs::write(scene.folder.path().join("fine.json"), script("fine", json!([{ "do": "log", "key": "hello" }])).to_string())?;
    let (code, out, err) = run(&["send", "fine.json", "--wait"], "")?;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("accepted ") && out.contains("s.run") && out.contains("succeeded") && out.contains("hello"), "{out}");
    let (code, out, _) = run(&["send", "fine.json"], "")?;
    assert_eq!((code, out.contains("duplicate")), (Some(0), true), "{out}");

    scene.answer("/w", 404, 1);
    let dies = script("dies", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).to_string();
    let (code, out, err) = run(&["send", "-", "--wait"], &dies)?;
    assert_eq!((code, err.contains("dead"), out.contains("404")), (Some(1), true, true), "{out}{err}");
    let (code, out, err) = run(&["send", "-", "--json"], &format!("[{dies}]"))?;
    let answer: Value = serde_json::from_str(&out)?;
    assert_eq!((code, &answer["accepted"][0]["duplicate"]), (Some(0), &json!(true)), "{err}");
    let eid = answer["accepted"][0]["eid"].as_str().unwrap_or("").to_owned();

    let (code, out, _) = run(&["events", "list"], "")?;
    assert_eq!((code, out.lines().filter(|line| line.contains("script")).count()), (Some(0), 2), "{out}");
    let (_, out, _) = run(&["events", "list", "--status", "dead", "--json"], "")?;
    let listed: Value = serde_json::from_str(&out)?;
    assert_eq!((listed["events"].as_array().map(Vec::len), &listed["events"][0]["eid"]), (Some(1), &json!(eid)));
    let (code, out, _) = run(&["events", "show", &eid], "")?;
    assert!(code == Some(0) && ["dies", "rejected", "404", "/w"].iter().all(|words| out.contains(words)), "{out}");
    let (_, out, _) = run(&["events", "show", &eid, "--json"], "")?;
    assert_eq!(serde_json::from_str::<Value>(&out)?, scene.client().event(&eid).await?);
    let (code, out, _) = run(&["events", "dead"], "")?;
    assert!(code == Some(0) && out.contains(&eid) && out.contains("404"), "{out}");
    let (code, out, err) = run(&["events", "replay", &eid, "--keys", "new"], "")?;
    assert_eq!((code, err.contains("--yes")), (Some(2), true), "doing it all again is asked for: {out}{err}");
    let (code, out, err) = run(&["events", "replay", &eid], "")?;
    assert_eq!((code, out.contains("replays")), (Some(0), true), "{out}{err}");
    scene.client().until(&eid, "succeeded").await?;
    let (code, _, err) = run(&["events", "replay", &eid], "")?;
    assert_eq!((code, err.starts_with("409: ")), (Some(1), true), "{err}");
    let (code, out, _) = run(&["events", "dead"], "")?;
    assert_eq!((code, out.as_str()), (Some(0), "no dead letters\n"));
    assert_eq!(run(&["events", "cancel", &eid], "")?.0, Some(1));
    assert_eq!(run(&["events", "show", "nope"], "")?.0, Some(1));

    let (code, _, err) = run(&["send", "-"], "{ \"id\": }")?;
    assert_eq!((code, err.starts_with("-:1:")), (Some(2), true), "{err}");
    let (code, _, err) = run(&["send", "-"], r#"[{"specversion":"1.0"}]"#)?;
    assert_eq!((code, err.contains("event 0: ")), (Some(1), true), "{err}");
    assert_eq!(run(&["send", "no-such-file.json"], "")?.0, Some(2));
    Ok(())
}

#[test]
fn secrets_come_from_standard_input() -> anyhow::Result<()> {
    let folder = HostFolder::new("")?;
    assert_eq!(said(&folder.run(&["secret", "set", "one"], "  \n")?).0, Some(2), "an empty secret");
    assert_eq!(said(&folder.run(&["secret", "set", "one", "value"], "")?).0, Some(2), "a secret on the command line");
    let (code, out, err) = said(&folder.run(&["secret", "set", "one"], "hush-hush")?);
    assert_eq!((code, (out + &err).contains("hush")), (Some(0), false));
    let (code, out, _) = said(&folder.run(&["secret", "list", "--json"], "")?);
    let listed: Value = serde_json::from_str(&out)?;
    assert_eq!((code, &listed["secrets"][0]["name"], out.contains("hush")), (Some(0), &json!("one"), false));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(folder.path().join("sangam.key"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the key is for its owner only");
    assert_eq!(said(&folder.run(&["secret", "remove", "one"], "")?).0, Some(0));
    let (code, _, err) = said(&folder.run(&["secret", "remove", "one"], "")?);
    assert_eq!((code, err.contains("\"one\"")), (Some(1), true), "{err}");
    assert_eq!(said(&folder.run(&["token", "revoke", "nope"], "")?).0, Some(1));
    assert_eq!(said(&folder.run(&["token", "create", "--role", "king"], "")?).0, Some(2));
    Ok(())
}

#[test]
fn inspect_reads_a_component_off() -> anyhow::Result<()> {
    let folder = empty()?;
    let file = guest("scripted");
    let file = file.to_str().unwrap_or("");
    let (code, out, err) = said(&folder.run(&["plugin", "inspect", file], "")?);
    assert_eq!(code, Some(0), "{err}");
    for words in
        ["Scripted", "contract        0.1.0", "sha256:", "sangam:connector/http@0.1.0", "action run", "action greet", "core instance"]
    {
        assert!(out.contains(words), "{words} is not in {out}");
    }
    assert!(!out.contains("not embedded"), "{out}");
    let (_, out, _) = said(&folder.run(&["plugin", "inspect", file, "--json"], "")?);
    let inspected: Value = serde_json::from_str(&out)?;
    assert_eq!(
        (&inspected["contract"], &inspected["descriptor_embedded"], &inspected["descriptor"]["name"]),
        (&json!("0.1.0"), &json!(true), &json!("scripted"))
    );
    assert!(inspected["descriptor"]["actions"][0]["input"].is_object());
    assert_eq!(inspected["size"].as_u64(), Some(std::fs::metadata(file)?.len()));
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_finishes_what_is_under_way() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/slow", sangam_saas::FaultAct::Delay { ms: 500 }, 1);
    let eid = scene.client().send(&script("1", json!([{ "do": "write", "name": "w", "url": scene.url("/slow") }]))).await?;
    scene.arrived("/slow").await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    let host = folder.start().await?;
    let document = host.client.until(&eid, "succeeded").await?;
    assert_eq!(crate::scene::outcomes(&document, "run")?, ["succeeded"], "it was broken off");
    assert_eq!(sink.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_outlasts_the_grace_is_broken_off_and_goes_on_at_the_next_start() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let text = crate::scene::configuration(&sink.url(), "", SCRIPT).replace("[server]", "[server]\nshutdown-grace = \"200ms\"");
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.fault("/slow", sangam_saas::FaultAct::Delay { ms: 60_000 }, 1);
    let lines = json!([{ "do": "write", "name": "before", "url": scene.url("/before") }, { "do": "write", "name": "w", "url": scene.url("/slow") }]);
    let eid = scene.client().send(&script("1", lines)).await?;
    scene.arrived("/slow").await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!(scene.requests("/before").len(), 1, "the finished write was sent again");
    let keys = scene.keys("/slow");
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    Ok(())
}
