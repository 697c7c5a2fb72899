//! Try-outs: expressions and routes on a sample, without any effect; and the text that made a route.

use std::collections::BTreeMap;

use anyhow::Context as _;
use sangam_saas::FaultAct;
use sangam_tests::{Answer, HostFolder};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, event, results};

/// `wanted` writes twice, and `last` is given what came of it.
const ROUTES: &str = r#"
# Jobs of some worth.
[[routes]]
name = "wanted" # by accounting
on = { type = "job", source = "/crm/*" }
when = ".event.data.amount > 10"
order-by = ".event.data.customer"
[[routes.steps]]
name = "first"
uses = "s.run"
with = { lines = [{ do = "write", name = "w", url = "{sink}/w", body = { amount = "${ .event.data.amount }" } }, { do = "increment", key = "n", amount = 1 }] }
[[routes.steps]]
name = "never"
uses = "s.run"
needs = []
when = "false"
[[routes.steps]]
name = "last"
uses = "s.run"
needs = ["first"]
with = { lines = [{ do = "read", url = "{sink}/r" }], echo = "${ .steps.first.output }" }

[[routes]]
name = "other"
on = { type = "other" }
[[routes.steps]]
name = "run"
uses = "s.run"
"#;

fn job(amount: u32) -> Value {
    json!({ "type": "job", "source": "/crm/1", "data": { "amount": amount, "customer": "c-1" } })
}

async fn ask(scene: &Scene, wish: Value) -> anyhow::Result<Answer> {
    scene.client().post("/v1/try/route", &wish).await
}

async fn tried(scene: &Scene, wish: Value) -> anyhow::Result<Value> {
    let answer = ask(scene, wish).await?;
    anyhow::ensure!(answer.status == 200, "the try-out was refused: {}", answer.text);
    Ok(answer.json)
}

/// A route of an answer.
fn route<'a>(answer: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let routes = answer["routes"].as_array().context("routes are shown")?;
    routes.iter().find(|route| route["name"] == name).with_context(|| format!("no route {name} in {answer:#}"))
}

fn steps(route: &Value) -> BTreeMap<String, Value> {
    let steps = route["steps"].as_array().cloned().unwrap_or_default();
    steps.into_iter().map(|step| (step["name"].as_str().unwrap_or("").to_owned(), step)).collect()
}

#[tokio::test]
async fn a_route_is_tried_and_nothing_is_sent_stored_or_counted() -> anyhow::Result<()> {
    let scene = Scene::start(&format!("{ROUTES}{SCRIPT}")).await?;
    let answer = tried(&scene, json!({ "event": job(12) })).await?;
    let wanted = route(&answer, "wanted")?;
    assert_eq!((&wanted["wanted"], &wanted["order_key"]), (&json!(true), &json!("c-1")), "{wanted:#}");
    let steps = steps(wanted);
    let first = &steps["first"];
    assert_eq!(first["status"], "stopped", "{first:#}");
    assert_eq!(first["input"]["lines"][0]["body"]["amount"], 12);
    let write = &first["writes"][0];
    assert_eq!((&write["method"], &write["url"], &write["body"]), (&json!("POST"), &json!(scene.url("/w")), &json!({ "amount": 12 })));
    assert_eq!(write["answer"], Value::Null, "nobody said what is answered");
    assert_eq!((&steps["never"]["status"], &steps["never"]["when"]), (&json!("skipped"), &json!("false")));
    assert_eq!(steps["last"]["status"], "not-reached");
    let other = route(&answer, "other")?;
    assert_eq!((&other["wanted"], &other["why_not"]["kind"]), (&json!(false), &json!("type")));
    assert_eq!(other["why_not"]["wants"], json!(["other"]));

    // Answered, it goes on: key-value writes and all, of which nothing is kept.
    let answers = json!([{ "method": "POST", "url": format!("{}*", scene.url("/w")), "status": 201, "body": { "id": 7 } },
                         { "method": "GET", "url": scene.url("/r"), "body": { "there": true } }]);
    let answer = tried(&scene, json!({ "event": job(12), "route": "wanted", "answers": answers })).await?;
    let steps = self::steps(route(&answer, "wanted")?);
    assert_eq!((&steps["first"]["status"], &steps["last"]["status"]), (&json!("succeeded"), &json!("succeeded")), "{answer:#}");
    assert_eq!(steps["first"]["writes"][0]["answer"], json!({ "status": 201, "body": { "id": 7 } }));
    assert_eq!(steps["first"]["output"]["results"][1], 1, "the key was counted for the try-out");
    assert_eq!(steps["last"]["input"]["echo"], steps["first"]["output"]);

    assert_eq!(scene.sink.requests().len(), 0, "a try-out sent something");
    assert_eq!(scene.client().get("/v1/events").await?.json["events"], json!([]), "a try-out left an event");
    let routes = scene.client().get("/v1/routes").await?.json;
    assert!(routes["routes"].as_array().is_some_and(|routes| routes.iter().all(|route| route["runs"] == json!({}))), "{routes:#}");
    let after = scene.play("1", json!([{ "do": "get", "key": "n" }])).await?;
    assert_eq!(results(&after)?[0], Value::Null, "a try-out changed a key");
    Ok(())
}

#[tokio::test]
async fn reads_are_refused_unless_they_are_wished_live_or_answered() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    let given = json!({ "first": { "id": 1 } });
    let answer = tried(&scene, json!({ "event": job(12), "outputs": given })).await?;
    let steps = steps(route(&answer, "wanted")?);
    assert_eq!((&steps["first"]["status"], &steps["first"]["output_from"]), (&json!("assumed"), &json!("given")));
    assert_eq!((&steps["last"]["status"], &steps["last"]["error"]["kind"]), (&json!("stopped"), &json!("not-asked")), "{answer:#}");
    assert_eq!(steps["last"]["input"]["echo"], json!({ "id": 1 }));
    assert_eq!(scene.requests("/r").len(), 0);
    let answer = tried(&scene, json!({ "event": job(12), "outputs": given, "reads": "live" })).await?;
    assert_eq!(self::steps(route(&answer, "wanted")?)["last"]["status"], "succeeded", "{answer:#}");
    assert_eq!((scene.requests("/r").len(), scene.requests("/w").len()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_route_says_why_it_does_not_want_an_event() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    let why =
        async |event: Value| -> anyhow::Result<Value> { Ok(route(&tried(&scene, json!({ "event": event })).await?, "wanted")?.clone()) };
    let small = why(job(3)).await?;
    assert_eq!(small["why_not"], json!({ "kind": "when", "wants": [], "expression": ".event.data.amount > 10", "gave": false }));
    let elsewhere = why(json!({ "type": "job", "data": {} })).await?;
    assert_eq!((&elsewhere["why_not"]["kind"], &elsewhere["why_not"]["wants"]), (&json!("source"), &json!(["/crm/*"])));
    // No number is more than a text is in no order: jq's own error makes the run dead.
    let broken = why(json!({ "type": "job", "source": "/crm/1", "data": [] })).await?;
    assert_eq!(broken["wanted"], true);
    assert!(broken["dead"]["reason"].as_str().is_some_and(|why| why.contains("when failed")), "{broken:#}");
    Ok(())
}

#[tokio::test]
async fn a_route_that_is_not_configured_is_read_beside_the_present_plugins() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    let text =
        "[[routes]]\nname = \"new\"\non = { type = \"job\" }\n[[routes.steps]]\nname = \"a\"\nuses = \"s.run\"\nwith = { lines = [] }\n";
    let answer = tried(&scene, json!({ "event": job(1), "toml": text })).await?;
    assert_eq!(answer["routes"].as_array().map(Vec::len), Some(1), "{answer:#}");
    assert_eq!(steps(route(&answer, "new")?)["a"]["status"], "succeeded", "{answer:#}");
    let mistakes = [
        (text.replace("s.run", "s.rum"), 6, "no action `rum`"),
        (text.replace("\"job\" }", "\"job\" }\nwhen = '.event.('"), 4, "does not compile"),
        (format!("{text}[plugins.x]\ncomponent = \"file:x\"\n"), 8, "only routes"),
        (text.replace("uses = ", "uzes = "), 6, "uzes"),
        ("[[routes".to_owned(), 1, "not TOML"),
        (String::new(), 1, "no route"),
    ];
    for (text, line, says) in mistakes {
        let answer = ask(&scene, json!({ "event": job(1), "toml": text })).await?;
        let problems = answer.json["problems"].as_array().cloned().unwrap_or_default();
        let told =
            problems.iter().any(|problem| problem["line"] == line && problem["message"].as_str().is_some_and(|why| why.contains(says)));
        assert!(answer.status == 422 && told, "{says} at {line}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn try_outs_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    let refused = async |wish: Value, status: u16, says: &str| -> anyhow::Result<()> {
        let answer = ask(&scene, wish.clone()).await?;
        anyhow::ensure!(answer.status == status && answer.text.contains(says), "{wish}: {} {}", answer.status, answer.text);
        Ok(())
    };
    refused(json!({}), 400, "eid").await?;
    refused(json!({ "event": {} }), 422, "type").await?;
    refused(json!({ "event": job(1), "route": "gone" }), 404, "gone").await?;
    refused(json!({ "event": job(1), "reads": "recorded" }), 400, "eid").await?;
    refused(json!({ "event": job(1), "answers": [{ "method": "GET", "url": "*", "status": 7 }] }), 400, "answers[0]").await?;
    refused(json!({ "eid": "019a0000-0000-7000-8000-000000000000" }), 404, "no event").await?;
    Ok(())
}

#[tokio::test]
async fn what_a_route_hides_of_an_event_is_hidden_when_it_is_tried_again() -> anyhow::Result<()> {
    let hiding = ROUTES
        .replace("when = \".event.data.amount > 10\"", "redact = [\".event.data.mail\"]")
        .replace("amount = \"${ .event.data.amount }\"", "text = \"Dear ${ .event.data.mail }\"");
    let scene = Scene::start(&hiding).await?;
    let mut sent = event("1", "job", json!({ "mail": "ann@customer.example", "customer": "c" }));
    sent["source"] = json!("/crm/1");
    let done = scene.client().send_and_wait(&sent).await?;
    let before = scene.sink.requests().len();
    let answer = tried(&scene, json!({ "eid": done["eid"], "route": "wanted" })).await?;
    let write = steps(route(&answer, "wanted")?)["first"]["writes"][0].clone();
    assert_eq!(write["body"]["text"], "Dear [redacted]", "{answer:#}");
    assert!(!answer.to_string().contains("customer.example"), "{answer:#}");
    // Nor can somebody write a route that spells it otherwise.
    let text = "[[routes]]\nname = \"new\"\non = { type = \"job\" }\n[[routes.steps]]\nname = \"a\"\nuses = \"s.run\"\nwith = { lines = [], echo = \"${ .event.data.mail | explode }\" }\n";
    let answer = tried(&scene, json!({ "eid": done["eid"], "toml": text })).await?;
    let said = steps(route(&answer, "new")?)["a"]["input"]["echo"].clone();
    assert_eq!(said, json!("[redacted]".chars().map(u32::from).collect::<Vec<_>>()), "{answer:#}");
    assert_eq!(scene.sink.requests().len(), before);
    Ok(())
}

#[tokio::test]
async fn an_expression_is_tried_with_its_place_when_it_is_wrong() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let ask = async |wish: Value| scene.client().post("/v1/try/expression", &wish).await;
    let seen = json!({ "data": { "n": 2, "name": "é" } });
    let good = ask(json!({ "expression": ".event.data.n + .steps.a.output", "event": seen, "steps": { "a": { "output": 3 } } })).await?;
    assert_eq!((good.status, &good.json["value"]), (200, &json!(5)), "{}", good.text);
    let good = ask(json!({ "template": { "to": "Dear ${ .event.data.name }", "n": ["${ .event.data.n }"] }, "event": seen })).await?;
    assert_eq!(good.json["value"], json!({ "to": "Dear é", "n": [2] }), "{}", good.text);
    let when = ask(json!({ "expression": ".event.data.n > 3", "as": "when", "event": seen })).await?;
    assert_eq!((&when.json["value"], &when.json["truth"]), (&json!(false), &json!(false)), "{}", when.text);
    let order = ask(json!({ "expression": ".event.data", "as": "order-by", "event": seen })).await?;
    assert_eq!(order.json["order_key"], "{\"n\":2,\"name\":\"é\"}", "{}", order.text);

    let wrong = ask(json!({ "expression": ".event\n| .data | nope" })).await?;
    assert_eq!((wrong.status, &wrong.json["kind"]), (422, &json!("compilation")), "{}", wrong.text);
    assert_eq!((&wrong.json["line"], &wrong.json["column"]), (&json!(2), &json!(11)), "{}", wrong.text);
    let wrong = ask(json!({ "template": { "a": ["x ${ .event.( }"] } })).await?;
    assert_eq!((wrong.status, &wrong.json["pointer"], &wrong.json["line"]), (422, &json!("/a/0"), &json!(1)), "{}", wrong.text);
    let failed = ask(json!({ "expression": ".event.data.n.x", "event": seen })).await?;
    assert_eq!((failed.status, &failed.json["kind"], &failed.json["line"]), (422, &json!("evaluation"), &Value::Null), "{}", failed.text);
    // The budget is the host's.
    let endless = ask(json!({ "expression": "[range(1e9)] | length" })).await?;
    assert_eq!((endless.status, &endless.json["kind"]), (422, &json!("evaluation")), "{}", endless.text);
    let closed = ask(json!({ "expression": "env.PATH? // $ENV.PATH" })).await?;
    assert_eq!(closed.status, 422, "the environment was read: {}", closed.text);
    assert_eq!(ask(json!({})).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn recorded_reads_answer_as_they_did_to_the_run_and_nobody_is_asked() -> anyhow::Result<()> {
    const READING: &str = r#"
[[routes]]
name = "reading"
on = { type = "reading" }
[[routes.steps]]
name = "look"
uses = "s.run"
record-reads = "7d"
with = { lines = [{ do = "read", url = "{sink}/r" }] }
"#;
    let scene = Scene::start(READING).await?;
    let answer = FaultAct::Status { status: 200, headers: [].into(), body: json!({ "said": "as it was then" }).to_string() };
    scene.fault("/r", answer, 1);
    let done = scene.client().send_and_wait(&event("1", "reading", json!({}))).await?;
    let output = done["runs"][0]["steps"][0]["output"].clone();
    assert!(output.to_string().contains("as it was then"), "{done:#}");
    let before = scene.sink.requests().len();
    let tried = tried(&scene, json!({ "eid": done["eid"], "reads": "recorded" })).await?;
    let look = steps(route(&tried, "reading")?)["look"].clone();
    assert_eq!((&look["status"], &look["output"]), (&json!("succeeded"), &output), "{tried:#}");
    assert_eq!(scene.sink.requests().len(), before, "the system was asked");
    // Of another event nothing is recorded.
    let other = scene.client().send_and_wait(&event("2", "nobody-wants", json!({}))).await?;
    let tried = ask(&scene, json!({ "eid": other["eid"], "reads": "recorded" })).await?;
    assert_eq!((tried.status, &tried.json["routes"][0]["wanted"]), (200, &json!(false)), "{}", tried.text);
    Ok(())
}

#[tokio::test]
async fn as_many_try_outs_as_configured_are_under_way() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let text = crate::scene::configuration(&sink.url(), "", &ROUTES.replace("{sink}", &sink.url()));
    let folder = HostFolder::new(&text.replace("access = \"open\"\n", "access = \"open\"\ntry-outs = 1\n"))?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.fault("/r", FaultAct::Delay { ms: 2000 }, 1);
    let slow = json!({ "event": job(12), "route": "wanted", "reads": "live", "outputs": { "first": 1 } });
    let (first, second) = tokio::join!(ask(&scene, slow), async {
        scene.arrived("/r").await?;
        ask(&scene, json!({ "event": job(12) })).await
    });
    let second = second?;
    assert!(second.status == 429 && second.text.contains("try-outs") && second.header("retry-after").is_some(), "{}", second.text);
    assert_eq!(first?.status, 200);
    assert_eq!(ask(&scene, json!({ "event": job(12) })).await?.status, 200, "its place is free again");
    Ok(())
}

#[tokio::test]
async fn a_route_that_the_host_took_from_the_store_is_written_anew() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let before = std::fs::read_to_string(scene.folder.path().join("sangam.toml"))?;
    scene.change("", ROUTES).await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    // An earlier file: the host goes on with the latest revision, of which it has no text.
    std::fs::write(folder.path().join("sangam.toml"), before)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let shown = scene.client().get("/v1/routes/wanted").await?.json;
    assert_eq!((&shown["toml_from"], &shown["file"], &shown["line"]), (&json!("revision"), &Value::Null, &Value::Null), "{shown:#}");
    let text = shown["toml"].as_str().context("the text is shown")?;
    assert!(text.contains("name = \"wanted\"") && text.contains(".event.data.amount > 10") && !text.contains('#'), "{text}");
    // It is as good as the one that was written.
    let tried = tried(&scene, json!({ "event": job(12), "toml": text })).await?;
    assert_eq!(route(&tried, "wanted")?["wanted"], true, "{tried:#}");
    Ok(())
}

#[tokio::test]
async fn try_outs_can_be_turned_off() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let text = crate::scene::configuration(&sink.url(), "", SCRIPT).replace("access = \"open\"\n", "access = \"open\"\ntry-outs = 0\n");
    let folder = HostFolder::new(&text)?;
    let host = folder.start().await?;
    for way in ["/v1/try/expression", "/v1/try/route"] {
        let answer = host.client.post(way, &json!({ "expression": "1", "event": {} })).await?;
        assert!([400, 403].contains(&answer.status), "{way}: {}", answer.text);
    }
    let answer = host.client.post("/v1/try/expression", &json!({ "expression": "1" })).await?;
    assert!(answer.status == 403 && answer.text.contains("try-outs"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_route_shows_the_text_that_made_it() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    let shown = scene.client().get("/v1/routes/wanted").await?.json;
    let text = shown["toml"].as_str().context("the text is shown")?;
    assert!(text.starts_with("# Jobs of some worth.\n[[routes]]\nname = \"wanted\" # by accounting\n"), "{text}");
    assert!(text.trim_end().ends_with("echo = \"${ .steps.first.output }\" }") && !text.contains("other"), "{text}");
    assert_eq!((&shown["toml_from"], &shown["file"]), (&json!("file"), &json!("sangam.toml")), "{shown:#}");
    let file = std::fs::read_to_string(scene.folder.path().join("sangam.toml"))?;
    let line = shown["line"].as_u64().and_then(|line| usize::try_from(line).ok()).context("its line")?;
    assert_eq!(file.lines().nth(line - 1), Some("# Jobs of some worth."));
    assert_eq!((&shown["steps"][0]["plugin"], &shown["steps"][0]["action"]), (&json!("s"), &json!("run")));
    let missing = scene.client().get("/v1/routes/wantd").await?;
    assert!(missing.status == 404 && missing.text.contains("wanted"), "{}", missing.text);
    Ok(())
}

#[tokio::test]
async fn the_tool_tries_routes_and_expressions() -> anyhow::Result<()> {
    let scene = Scene::start(ROUTES).await?;
    std::fs::write(scene.folder.path().join("event.json"), job(12).to_string())?;
    let url = scene.client().url.clone();
    let run = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let output = scene.folder.run(&[&["try", "event.json", "--url", &url], arguments].concat(), "")?;
        Ok((output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
    };
    let (code, text) = run(&[])?;
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "route wanted",
        "first s.run  would send",
        "never s.run  skipped",
        "last s.run  not reached",
        "other  does not want it: it wants the type other",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    let (code, text) = run(&["--expression", ".event.data.amount + 1"])?;
    assert_eq!((code, text.trim()), (Some(0), "13"));
    let (code, text) = run(&["--expression", ".event |"])?;
    assert!(code == Some(1) && text.contains("does not compile"), "{text}");
    let (code, text) = run(&["--json", "--route", "other"])?;
    let document: Value = serde_json::from_str(&text)?;
    assert_eq!((code, &document["routes"][0]["why_not"]["kind"]), (Some(0), &json!("type")));
    assert_eq!(scene.sink.requests().len(), 0);
    Ok(())
}
