//! Nobody speaks in another's name: plugins that forge events, senders that claim to be the host, plugins that look into each other's things, texts that
//! would rule a terminal.

use anyhow::Context as _;
use sangam_tests::{HostFolder, guest};
use serde_json::{Value, json};

use crate::scene::{Scene, configuration, event, sink, step};

/// A route that has `misbehaving` bring in what its event's data says, and one that wants the event it must not forge.
const ROUTES: &str = "[[routes]]\nname = \"forge\"\non = { type = \"forge\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.emit\"\nretry = { max-attempts = 1 }\n\
                      [[routes]]\nname = \"jobs\"\non = { type = \"job.completed\", source = \"/field-service/*\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.fine\"\n";

async fn forging(grants: &str) -> anyhow::Result<Scene> {
    Scene::granting(grants, ROUTES).await
}

/// Has the plugin bring these events in; gives the document of the event that made it.
async fn forge(scene: &Scene, id: &str, events: Value) -> anyhow::Result<Value> {
    scene.client().send_and_wait(&event(id, "forge", json!({ "events": events }))).await
}

async fn of_type(scene: &Scene, kind: &str) -> anyhow::Result<Vec<Value>> {
    Ok(scene.client().get(&format!("/v1/events?type={kind}&limit=1000")).await?.json["events"].as_array().cloned().unwrap_or_default())
}

fn why(document: &Value) -> anyhow::Result<&str> {
    anyhow::ensure!(document["status"] == "dead", "it was not refused: {document:#}");
    step(document, "run")?["error"]["reason"].as_str().context("a failed step has a reason")
}

#[tokio::test]
async fn a_plugin_without_the_grant_completes_no_job() -> anyhow::Result<()> {
    let scene = forging("").await?;
    let job = json!({ "specversion": "1.0", "id": "job-1", "source": "/field-service/berlin", "type": "job.completed", "data": { "paid": true } });
    let document = forge(&scene, "1", json!([job])).await?;
    assert!(why(&document)?.contains("it may not bring in events of type \"job.completed\""), "{document:#}");
    assert_eq!(of_type(&scene, "job.completed").await?, Vec::<Value>::new());
    // Of several none is taken, however good the others are.
    let scene = forging("emits = [\"harmless\"]").await?;
    let document = forge(&scene, "1", json!([{ "type": "harmless" }, job])).await?;
    assert!(why(&document)?.contains("job.completed"));
    assert_eq!((of_type(&scene, "harmless").await?.len(), of_type(&scene, "job.completed").await?.len()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn whatever_source_a_plugin_claims_its_events_are_its_own() -> anyhow::Result<()> {
    // The widest grant there is.
    let scene = forging("emits = [\"*\"]").await?;
    let real = json!({ "specversion": "1.0", "id": "job-1", "source": "/field-service/berlin", "type": "job.completed", "data": { "real": true } });
    for (number, source) in ["/field-service/berlin", "/plugins/s", "/sangam", "", "\u{0}"].iter().enumerate() {
        let forged = json!({ "specversion": "0.3", "id": format!("f{number}"), "source": source, "type": "job.completed", "time": "2001-01-01T00:00:00Z" });
        let document = forge(&scene, &number.to_string(), json!([forged])).await?;
        assert_eq!(document["status"], "succeeded", "{document:#}");
    }
    // Also where the text says it twice: one after the host's own.
    let twice = "{\"type\":\"job.completed\",\"id\":\"twice\",\"source\":\"/a\",\"source\":\"/field-service/berlin\"}";
    assert_eq!(forge(&scene, "twice", json!([twice])).await?["status"], "succeeded");
    for document in of_type(&scene, "job.completed").await? {
        assert_eq!(
            (&document["event"]["source"], &document["event"]["specversion"]),
            (&json!("/plugins/m"), &json!("1.0")),
            "{document:#}"
        );
        let full = scene.client().event(document["eid"].as_str().unwrap_or_default()).await?;
        assert_eq!((&full["status"], &full["runs"]), (&json!("unrouted"), &json!([])), "the route of real jobs took it");
        assert_eq!(full["cause"]["step"], "run");
    }
    // An id that a real event will have suppresses nothing: identity is source and id.
    assert_eq!(
        forge(&scene, "early", json!([{ "type": "job.completed", "id": "job-1", "source": "/field-service/berlin" }])).await?["status"],
        "succeeded"
    );
    let answer = scene.client().send_raw(&real, "?wait=30s").await?;
    assert_eq!(
        (&answer.json["accepted"][0]["duplicate"], &answer.json["events"][0]["status"]),
        (&json!(false), &json!("succeeded")),
        "{}",
        answer.text
    );
    Ok(())
}

#[tokio::test]
async fn what_is_the_hosts_own_to_say_is_refused_from_plugins_and_senders() -> anyhow::Result<()> {
    let scene = forging("emits = [\"*\"]").await?;
    for (number, forged) in
        [json!({ "type": "sangam.credential.broken" }), json!({ "type": "t", "sangamhops": 0 }), json!({ "type": "SANGAM.x" })]
            .iter()
            .enumerate()
    {
        let document = forge(&scene, &number.to_string(), json!([forged])).await?;
        assert!(why(&document)?.contains("which only the host itself says"), "{document:#}");
    }
    let said = |source: &str, kind: &str| json!({ "specversion": "1.0", "id": "1", "source": source, "type": kind });
    for claimed in [
        said("/plugins/m", "t"),
        said("/Plugins/m", "t"),
        said("/%70lugins/m", "t"),
        said("/sources/hook", "t"),
        said("/sangam", "t"),
        said("/s", "sangam.x"),
    ] {
        let answer = scene.client().send_raw(&claimed, "").await?;
        assert_eq!(answer.status, 400, "{claimed}: {}", answer.text);
        assert!(answer.text.contains("which only the host itself says"), "{}", answer.text);
        let batch = json!([said("/s", "t"), claimed]);
        let answer = scene.client().send_raw(&batch, "").await?;
        assert_eq!((answer.status, &answer.json["errors"][0]["index"]), (400, &json!(1)), "{}", answer.text);
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", claimed["source"].as_str().unwrap_or_default()),
            ("ce-type", claimed["type"].as_str().unwrap_or_default()),
        ];
        assert_eq!(scene.client().ask(reqwest::Method::POST, "/v1/events", &headers, Vec::new()).await?.status, 400);
    }
    assert_eq!(of_type(&scene, "t").await?, Vec::<Value>::new(), "a batch is refused whole");
    Ok(())
}

#[tokio::test]
async fn a_million_events_deep_ones_and_ones_that_are_none_end_in_a_named_failure() -> anyhow::Result<()> {
    let scene = Scene::granting(
        "emits = [\"*\"]",
        &format!("{ROUTES}[[routes]]\nname = \"deep\"\non = {{ type = \"deep\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"m.deep-event\"\nretry = {{ max-attempts = 1 }}\n"),
    )
    .await?;
    let many = json!({ "events": [{ "type": "t" }], "times": 1_000_000 });
    let document = scene.client().send_and_wait(&event("many", "forge", many)).await?;
    assert_eq!(document["status"], "dead", "{document:#}");
    assert_eq!(of_type(&scene, "t").await?, Vec::<Value>::new());
    for (depth, expected) in [(57, "levels of arrays and objects"), (100_000, "is not JSON")] {
        let document = scene.client().send_and_wait(&event(&format!("deep-{depth}"), "deep", json!({ "depth": depth }))).await?;
        assert!(why(&document)?.contains(expected), "{depth}: {document:#}");
    }
    for (number, (bad, expected)) in [
        (json!("{"), "is not JSON"),
        (json!("[]"), "is not an object"),
        (json!({ "type": "" }), "the attribute `type` is empty"),
        (json!({ "type": 1 }), "is not a string"),
        (json!({ "type": "x".repeat(2000) }), "more than 1024 bytes"),
        (json!({ "type": "t\n" }), "control characters"),
        (json!({ "type": "t", "id": "a\u{0}b" }), "control characters"),
        (json!({ "type": "t", "time": "yesterday" }), "RFC 3339"),
        (json!({ "type": "t", "Upper": 1 }), "is no name of an attribute"),
        (json!({ "type": "t", "ext": { "a": 1 } }), "a string, a boolean or an integer"),
        (json!({ "type": "t", "data": 1, "data_base64": "AA==" }), "not both"),
    ]
    .into_iter()
    .enumerate()
    {
        let document = forge(&scene, &format!("bad-{number}"), json!([bad])).await?;
        assert!(why(&document)?.contains(expected), "{bad}: {document:#}");
    }
    // The host serves others as before.
    assert_eq!(forge(&scene, "good", json!([{ "type": "t" }])).await?["status"], "succeeded");
    Ok(())
}

#[tokio::test]
async fn plugins_see_nothing_of_each_other() -> anyhow::Result<()> {
    let sink = sink().await?;
    let routes = ["a", "b"]
        .iter()
        .flat_map(|plugin| {
            ["keys", "context", "request", "remember"].map(|action| {
                format!("[[routes]]\nname = \"{plugin}-{action}\"\non = {{ type = \"{plugin}.{action}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"{plugin}.{action}\"\n")
            })
        })
        .collect::<String>();
    let plugin = |name: &str, more: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {:?}\nallow-hosts = [\"{}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\n{more}\n",
            guest("misbehaving"),
            sink.url()
        )
    };
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{}{}{routes}[credentials.bank]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{env:BANK}}\"\n",
        plugin("a", "credentials = [\"bank\"]\nconfig = { colour = \"red\" }"),
        plugin("b", "config = { shade = \"blue\" }"),
        sink.url()
    );
    let folder = HostFolder::new(&text)?.env("BANK", "the-bank's-token");
    let host = folder.start().await?;
    let client = &host.client;
    let run = async |id: &str, kind: &str, data: Value| -> anyhow::Result<Value> {
        let document = client.send_and_wait(&event(id, kind, data)).await?;
        anyhow::ensure!(document["status"] == "succeeded", "{document:#}");
        Ok(step(&document, "run")?["output"].clone())
    };
    // The same component, twice: each has a space of its own, whatever keys it names.
    run("1", "a.keys", json!({ "key": "cursor", "set": "a's" })).await?;
    for (number, key) in ["cursor", "a/cursor", "a:cursor", "../a/cursor", "a\u{1f}cursor", "%61/cursor"].iter().enumerate() {
        assert_eq!(run(&format!("1-{number}"), "b.keys", json!({ "key": key })).await?, json!({ "value": null, "keys": [] }), "{key}");
    }
    run("2", "b.keys", json!({ "key": "cursor", "set": "b's" })).await?;
    assert_eq!(run("3", "a.keys", json!({ "key": "cursor" })).await?, json!({ "value": "a's", "keys": ["cursor"] }));

    // Of the configuration it is told its own.
    let told = run("4", "b.context", json!({})).await?.to_string();
    assert!(told.contains("blue"), "{told}");
    for foreign in ["red", "bank", "colour", "a.keys"] {
        assert!(!told.contains(foreign), "{foreign} in {told}");
    }

    // A credential follows its grant: no name, header or address brings it to who has not got it.
    let url = format!("{}/account", sink.url());
    run("5", "a.request", json!({ "url": url })).await?;
    assert_eq!(sink.requests()[0].headers.get("authorization").map(String::as_str), Some("Bearer the-bank's-token"));
    let tries = [
        json!({}),
        json!({ "Sangam-Credential": "bank" }),
        json!({ "X-Credential": "bank" }),
        json!({ "Authorization": "${credential:bank}" }),
    ];
    for (number, headers) in tries.iter().enumerate() {
        client.send_and_wait(&event(&format!("6-{number}"), "b.request", json!({ "url": url, "headers": headers }))).await?;
    }
    for request in &sink.requests()[1..] {
        assert!(!request.headers.values().any(|value| value.contains("the-bank's-token")), "{request:?}");
    }

    // A fresh instance for each call remembers nothing.
    for number in 0..3 {
        assert_eq!(run(&format!("7-{number}"), "a.remember", json!({})).await?, json!(0));
    }
    Ok(())
}

#[tokio::test]
async fn texts_of_plugins_and_senders_do_not_rule_the_terminal() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = configuration(
        &sink.url(),
        "",
        "[[routes]]\nname = \"escapes\"\non = { type = \"t\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.escapes\"\nretry = { max-attempts = 1 }\n",
    );
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    let nasty = "\u{202e}fdp.exe \u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{7} \u{9b}31m\nforged line\r\u{200b}";
    let eid = host.client.send(&event("1", "t", json!({ "text": nasty, "list": [nasty], nasty: 1 }))).await?;
    host.client.until(&eid, "dead").await?;
    let url = host.client.url.clone();
    for verb in [
        &["events", "list"][..],
        &["events", "list", "--json"],
        &["events", "show", &eid],
        &["events", "show", &eid, "--json"],
        &["events", "dead"],
        &["events", "dead", "--json"],
        &["events", "replay", &eid, "--dry-run", "--from", "start"],
        &["events", "show", nasty],
    ] {
        let done = folder.run(&[verb, &["--url", &url]].concat(), "")?;
        let printed = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let ruling = printed.chars().find(|character| {
            (character.is_control() && *character != '\n')
                || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(ruling, None, "{verb:?}: {printed:?}");
        assert!(!printed.lines().any(|line| line.trim_start().starts_with("forged line")), "{verb:?}: {printed}");
    }
    // Names of the command line's own are no text either.
    let made = folder.run(&["token", "create", "--name", nasty], "")?;
    assert!(made.status.success());
    for verb in [&["token", "list"][..], &["audit", "list"]] {
        let printed = String::from_utf8(folder.run(verb, "")?.stdout)?;
        assert!(!printed.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}'), "{printed:?}");
        assert!(!printed.lines().any(|line| line.starts_with("forged line")), "{printed}");
    }
    Ok(())
}
