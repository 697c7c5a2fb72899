//! Dead letters: found by what people know of them, and replayed together.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, event};

/// Three routes that die in different ways: `script` as its event says, `trap` by a trap, `early` by its own `when`.
fn routes() -> String {
    let more = "[[routes]]\nname = \"trap\"\non = { type = \"trap\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.trap\"\nretry = { max-attempts = 1 }\n\
                [[routes]]\nname = \"early\"\non = { type = \"early\" }\nwhen = \".event.data | error\"\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n";
    format!("{SCRIPT}{more}")
}

async fn list(scene: &Scene, query: &str) -> anyhow::Result<Value> {
    let answer = scene.client().get(&format!("/v1/dead-letters{query}")).await?;
    anyhow::ensure!(answer.status == 200, "{query}: {}", answer.text);
    Ok(answer.json)
}

/// Their events' ids, in order.
async fn ids(scene: &Scene, query: &str) -> anyhow::Result<Vec<String>> {
    let letters = list(scene, query).await?;
    let letters = letters["dead_letters"].as_array().cloned().unwrap_or_default();
    Ok(letters.iter().map(|letter| letter["id"].as_str().unwrap_or("").to_owned()).collect())
}

/// Dies with a write that the sink refuses once for each.
async fn die(scene: &Scene) -> anyhow::Result<()> {
    for id in ["a", "b", "c"] {
        scene.answer("/w", 422, 1);
        scene.play(id, json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "body": format!("letter {id}") }])).await?;
    }
    scene.play("d", json!([{ "do": "fail", "key": "it comes too late" }])).await?;
    scene.client().send_and_wait(&event("e", "trap", json!({}))).await?;
    scene.client().send_and_wait(&event("f", "early", json!({}))).await?;
    Ok(())
}

#[tokio::test]
async fn they_are_found_by_what_people_know() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    die(&scene).await?;
    let all = list(&scene, "").await?["dead_letters"].clone();
    let what = |letter: &Value| ["id", "route", "plugin", "kind"].map(|name| letter[name].as_str().unwrap_or("-").to_owned()).join(" ");
    let shown: Vec<String> = all.as_array().into_iter().flatten().map(what).collect();
    let wanted =
        ["f early - expression", "e trap m trap", "d script s retry", "c script s rejected", "b script s rejected", "a script s rejected"];
    assert_eq!(shown, wanted);
    let died = |index: usize| all[index]["died_at"].as_str().unwrap_or("").to_owned();
    for (query, wanted) in [
        ("?route=script", "dcba".to_owned()),
        ("?plugin=m", "e".to_owned()),
        ("?type=early", "f".to_owned()),
        ("?kind=rejected", "cba".to_owned()),
        ("?q=letter%20b", "b".to_owned()),
        ("?q=too%20late", "d".to_owned()),
        ("?route=script&kind=retry", "d".to_owned()),
        ("?route=nope", String::new()),
        (format!("?since={}", died(2)).as_str(), "fed".to_owned()),
        (format!("?until={}", died(2)).as_str(), "cba".to_owned()),
    ] {
        assert_eq!(ids(&scene, query).await?.concat(), wanted, "{query}");
    }
    for (query, says) in [("?kind=nope", "rejected"), ("?since=yesterday", "RFC 3339"), ("?cursor=x", "cursor"), ("?colour=red", "colour")]
    {
        let answer = scene.client().get(&format!("/v1/dead-letters{query}")).await?;
        assert_eq!((answer.status, answer.text.contains(says)), (400, true), "{query}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_cursor_stays_where_it_is_while_others_die() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    die(&scene).await?;
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    // Six letters are three pages; a cursor that slips back would go on for ever.
    for _ in 0..5 {
        let page = list(&scene, &query).await?;
        seen.extend(page["dead_letters"].as_array().into_iter().flatten().map(|letter| letter["id"].as_str().unwrap_or("").to_owned()));
        scene.play(&format!("later-{}", seen.len()), json!([{ "do": "fail", "kind": "rejected", "key": "no" }])).await?;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(seen.concat(), "fedcba");
    Ok(())
}

#[tokio::test]
async fn those_that_a_filter_finds_are_replayed_together() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    die(&scene).await?;
    let replay = async |wish: Value| -> anyhow::Result<Value> {
        let answer = scene.client().post("/v1/dead-letters/replay", &wish).await?;
        anyhow::ensure!(answer.status == 200, "{wish}: {}", answer.text);
        Ok(answer.json)
    };
    let count = |answer: &Value| answer["replays"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&replay(json!({ "kind": "busy" })).await?), 0);
    let answer = replay(json!({ "kind": "rejected", "q": "letter", "limit": 2 })).await?;
    assert_eq!((count(&answer), &answer["refused"]), (2, &json!([])));
    assert_eq!(count(&replay(json!({ "plugin": "s", "kind": "rejected", "type": "script" })).await?), 1);
    for letter in list(&scene, "").await?["dead_letters"].as_array().into_iter().flatten() {
        assert_ne!(letter["kind"], "rejected");
    }
    let events = scene.client().get("/v1/events?status=succeeded").await?.json;
    let succeeded = async || -> anyhow::Result<usize> {
        Ok(scene.client().get("/v1/events?status=succeeded").await?.json["events"].as_array().map_or(0, Vec::len))
    };
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while succeeded().await? < 3 {
        anyhow::ensure!(tokio::time::Instant::now() < end, "not all replays succeeded: {events:#}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(scene.effects("/w"), 3);
    // What can't be replayed is refused with its reason, and holds nothing else up.
    scene.change("", SCRIPT).await?;
    let answer = replay(json!({})).await?;
    assert_eq!(count(&answer), 1, "{answer}");
    let refused: BTreeSet<String> =
        answer["refused"].as_array().into_iter().flatten().map(|refused| refused["detail"].as_str().unwrap_or("").to_owned()).collect();
    assert!(refused.iter().any(|why| why.contains("\"trap\"")) && refused.iter().any(|why| why.contains("\"early\"")), "{refused:?}");
    assert_eq!(scene.client().post("/v1/dead-letters/replay", &json!({ "kind": "nope" })).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn lines_of_one_event_are_replayed_all_or_none() -> anyhow::Result<()> {
    // One event, two routes; while the first line's newest run is under way, nothing of the event is replayed.
    let second = SCRIPT.replace("name = \"script\"", "name = \"other\"");
    let scene = Scene::start(&format!("{SCRIPT}{second}")).await?;
    let dead = scene
        .play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }, { "do": "fail", "kind": "rejected", "key": "no" }]))
        .await?;
    let runs = |event: &Value| event["runs"].as_array().map_or(0, Vec::len);
    assert_eq!(runs(&dead), 2);
    let eid = dead["eid"].as_str().unwrap_or("").to_owned();
    // Only one route goes, slowly.
    let slow = SCRIPT.replace("uses = \"s.run\"", &format!("uses = \"s.run\"\nwith = {{ lines = [{{ do = \"write\", name = \"w2\", url = \"{}\" }}, {{ do = \"write\", name = \"w\", url = \"{}\" }}] }}", scene.url("/slow"), scene.url("/w")));
    scene.change("", &format!("{slow}{second}")).await?;
    scene.fault("/slow", sangam_saas::FaultAct::Delay { ms: 700 }, 1);
    let one = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "script" })).await?;
    assert_eq!(one.status, 200, "{}", one.text);
    scene.arrived("/slow").await?;
    let all = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
    assert_eq!((all.status, all.text.contains("has not ended")), (409, true), "{}", all.text);
    assert_eq!(runs(&scene.client().event(&eid).await?), 3, "the other line was replayed all the same");
    Ok(())
}

/// How many lines were refused, and the reasons.
fn refused(answer: &Value) -> (usize, String) {
    let refused = answer["refused"].as_array().cloned().unwrap_or_default();
    let why: Vec<&str> = refused.iter().map(|refused| refused["detail"].as_str().unwrap_or("")).collect();
    (refused.len(), why.join("\n"))
}

#[tokio::test]
async fn together_too_lines_of_one_event_are_replayed_all_or_none() -> anyhow::Result<()> {
    let second = SCRIPT.replace("name = \"script\"", "name = \"other\"");
    let scene = Scene::start(&format!("{SCRIPT}{second}")).await?;
    for id in ["1", "2"] {
        scene.play(id, json!([{ "do": "fail", "kind": "rejected", "key": "no" }])).await?;
    }
    let replay = async |wish: Value| scene.client().post("/v1/dead-letters/replay", &wish).await;
    let count = |answer: &Value| answer["replays"].as_array().map_or(0, Vec::len);
    let answer = replay(json!({ "limit": 0 })).await?;
    assert_eq!((answer.status, answer.text.contains("limit")), (400, true), "{}", answer.text);
    // Four letters of two events; the limit cuts no event in two, and says that there is more.
    let answer = replay(json!({ "limit": 1 })).await?.json;
    assert_eq!((count(&answer), &answer["more"]), (2, &json!(true)), "{answer}");
    let eids: BTreeSet<&str> =
        answer["replays"].as_array().into_iter().flatten().filter_map(|replay| replay["replay_of"].as_str()).collect();
    assert_eq!(eids.len(), 2);
    let letters = async || -> anyhow::Result<usize> { Ok(ids(&scene, "").await?.len()) };
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while letters().await? < 4 {
        anyhow::ensure!(tokio::time::Instant::now() < end, "the replays did not die again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let answer = replay(json!({ "route": "other", "limit": 2 })).await?.json;
    assert_eq!((count(&answer), &answer["more"]), (2, &json!(false)), "a filter leaves the other lines out: {answer}");
    while letters().await? < 4 {
        anyhow::ensure!(tokio::time::Instant::now() < end, "the replays did not die again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // One route is gone.
    scene.change("", SCRIPT).await?;
    let answer = replay(json!({})).await?.json;
    let (lines, why) = refused(&answer);
    assert_eq!((count(&answer), lines), (0, 4), "half of an event was replayed: {answer}");
    assert!(why.contains("no route \"other\"") && why.contains("all or none") && why.contains("--route script"), "{why}");
    assert_eq!(count(&replay(json!({ "route": "script" })).await?.json), 2, "said so, a line goes without the other");
    Ok(())
}

#[tokio::test]
async fn those_of_one_order_key_go_in_their_order_again() -> anyhow::Result<()> {
    let ordered = SCRIPT.replace("on = { type = \"script\" }", "on = { type = \"script\" }\norder-by = \"\\\"one\\\"\"");
    let scene = Scene::start(&ordered).await?;
    scene.answer("/w", 422, 4);
    for number in 1..=4 {
        let lines = json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "body": number }]);
        scene.play(&number.to_string(), lines).await?;
    }
    let answer = scene.client().post("/v1/dead-letters/replay", &json!({})).await?;
    assert_eq!((answer.status, answer.json["replays"].as_array().map(Vec::len)), (200, Some(4)), "{}", answer.text);
    for event in scene.client().get("/v1/events").await?.json["events"].as_array().into_iter().flatten() {
        scene.client().until(event["eid"].as_str().unwrap_or(""), "succeeded").await?;
    }
    let bodies: Vec<String> = scene.requests("/w").iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4", "1", "2", "3", "4"]);
    Ok(())
}

#[tokio::test]
async fn a_run_that_never_began_is_judged_anew() -> anyhow::Result<()> {
    let route = |when: &str, order_by: &str| {
        let judged = format!("on = {{ type = \"script\" }}\nwhen = \"{when}\"\norder-by = \"{order_by}\"");
        SCRIPT.replace("on = { type = \"script\" }", &judged)
    };
    let key = ".event.data.nothing";
    let scene = Scene::start(&route(".event.data | error", key)).await?;
    let early = scene.play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?;
    let eid = early["eid"].as_str().unwrap_or("").to_owned();
    let path = format!("/v1/events/{eid}/replay");
    let replay = async |wish: Value| scene.client().post(&path, &wish).await;
    let refuses = async |wish: Value, words: &str| -> anyhow::Result<()> {
        let answer = replay(wish).await?;
        anyhow::ensure!(answer.status == 409 && answer.text.contains(words), "{} {}", answer.status, answer.text);
        Ok(())
    };
    refuses(json!({}), "the route's when failed").await?;
    scene.change("", &route("false", key)).await?;
    refuses(json!({}), "no longer wants the event").await?;
    refuses(json!({ "dry_run": true }), "no longer wants the event").await?;
    let bulk = scene.client().post("/v1/dead-letters/replay", &json!({})).await?.json;
    assert!(refused(&bulk).1.contains("no longer wants the event"), "{bulk}");
    assert_eq!(scene.requests("/w").len(), 0);
    // It gets the order key that it could not get before.
    scene.change("", &route("true", "\\\"mended\\\"")).await?;
    assert_eq!(replay(json!({})).await?.status, 200);
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!((&document["runs"][0]["order_key"], &document["runs"][1]["order_key"]), (&Value::Null, &json!("mended")));
    // A run that has begun is not judged again: what it has done was wanted.
    scene.change("", &route("false", key)).await?;
    assert_eq!(replay(json!({ "from": "start" })).await?.status, 200);
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(document["runs"][2]["order_key"], "mended");
    Ok(())
}

#[tokio::test]
async fn the_tool_says_how_many_and_asks() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    die(&scene).await?;
    let url = scene.client().url.clone();
    let run = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let output = scene.folder.run(&[&["events"], arguments, &["--url", &url]].concat(), "")?;
        Ok((output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
    };
    let (code, text) = run(&["dead", "--kind", "rejected", "--limit", "2"])?;
    assert_eq!((code, text.contains("script  script c"), text.contains("there are more")), (Some(0), true, true), "{text}");
    let (code, text) = run(&["dead", "--plugin", "m"])?;
    assert_eq!((code, text.contains("the plugin trapped"), text.contains("there are more")), (Some(0), true, false), "{text}");
    let (code, text) = run(&["replay", "--dead", "--kind", "rejected"])?;
    assert_eq!((code, text.contains("3 dead letters"), text.contains("--yes")), (Some(2), true, true), "{text}");
    assert_eq!(ids(&scene, "?kind=rejected").await?.len(), 3, "it did not ask");
    let (code, text) = run(&["replay", "--dead", "--kind", "rejected", "--yes"])?;
    assert_eq!((code, text.contains("3 replayed, 0 refused")), (Some(0), true), "{text}");
    let (code, text) = run(&["replay", "--dead", "--kind", "busy"])?;
    assert_eq!((code, text.as_str()), (Some(0), "no dead letters\n"));
    let (code, text) = run(&["replay", "x", "--kind", "rejected"])?;
    assert_eq!((code, text.contains("--dead")), (Some(2), true), "{text}");
    assert_eq!(run(&["replay"])?.0, Some(2));
    Ok(())
}

async fn groups(scene: &Scene, query: &str) -> anyhow::Result<Value> {
    let answer = scene.client().get(&format!("/v1/dead-letters/groups{query}")).await?;
    anyhow::ensure!(answer.status == 200, "{query}: {}", answer.text);
    Ok(answer.json)
}

/// Dies of what it says.
async fn fail(scene: &Scene, id: &str, kind: &str, reason: &str) -> anyhow::Result<()> {
    let document = scene.play(id, json!([{ "do": "fail", "kind": kind, "key": reason }])).await?;
    anyhow::ensure!(document["status"] == "dead", "{document}");
    Ok(())
}

#[tokio::test]
async fn those_that_died_of_the_same_are_one_group() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    for (id, order) in [("a", 4711), ("b", 12), ("c", 99)] {
        fail(&scene, id, "rejected", &format!("the order {order} of customer \"Ann {order}\" is not known there")).await?;
    }
    fail(&scene, "d", "rejected", "the account of customer 5 is closed for good").await?;
    scene.client().send_and_wait(&event("e", "trap", json!({}))).await?;
    scene.client().send_and_wait(&event("f", "early", json!({}))).await?;
    let all = groups(&scene, "").await?;
    let line = |group: &Value| {
        let text = |name: &str| group[name].as_str().unwrap_or("-");
        format!("{} {} {} {} {}.{}", group["count"], text("kind"), text("route"), text("step"), text("plugin"), text("action"))
    };
    let shown: Vec<String> = all["groups"].as_array().into_iter().flatten().map(line).collect();
    let wanted = ["3 rejected script run s.run", "1 expression early - -.-", "1 trap trap run m.trap", "1 rejected script run s.run"];
    assert_eq!((shown.as_slice(), &all["total"], &all["causes"]), (wanted.map(str::to_owned).as_slice(), &json!(6), &json!(4)), "{all:#}");
    let first = &all["groups"][0];
    assert_eq!(first["pattern"], "the order … of customer \"…\" is not known there");
    assert_eq!(first["reason"], "the order 99 of customer \"Ann 99\" is not known there", "the sample's own");
    let at = |name: &str| first[name].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    assert!(at("first_at") < at("last_at"), "{first}");
    let letters = list(&scene, "").await?["dead_letters"].clone();
    let of = |id: &str| letters.as_array().into_iter().flatten().find(|letter| letter["id"] == id).cloned().unwrap_or_default();
    assert_eq!((&of("c")["eid"], &of("c")["run"]), (&first["sample"]["eid"], &first["sample"]["run"]));
    assert_eq!((&of("c")["step"], &of("c")["action"], &of("c")["cause"]), (&json!("run"), &json!("run"), &first["cause"]));

    // The filters of the list choose among the letters of groups, too.
    let count = async |query: &str| -> anyhow::Result<(u64, usize)> {
        let found = groups(&scene, query).await?;
        Ok((found["total"].as_u64().unwrap_or(0), found["groups"].as_array().map_or(0, Vec::len)))
    };
    let cause = first["cause"].as_str().unwrap_or("");
    for (query, wanted) in [
        ("?route=script", (4, 2)),
        ("?plugin=m", (1, 1)),
        ("?type=early", (1, 1)),
        ("?kind=rejected&q=Ann", (3, 1)),
        ("?limit=1", (6, 1)),
        (&format!("?cause={cause}"), (3, 1)),
        ("?route=nope", (0, 0)),
    ] {
        assert_eq!(count(query).await?, wanted, "{query}");
    }
    assert_eq!(ids(&scene, &format!("?cause={cause}")).await?.concat(), "cba");
    assert_eq!(scene.client().get("/v1/dead-letters/groups?cursor=x").await?.status, 400);

    // One cause is mended and replayed; the others stay.
    let answer = scene.client().post("/v1/dead-letters/replay", &json!({ "cause": cause })).await?.json;
    assert_eq!((answer["replays"].as_array().map(Vec::len), &answer["more"]), (Some(3), &json!(false)), "{answer}");
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while count("").await? != (6, 4) {
        anyhow::ensure!(tokio::time::Instant::now() < end, "the replays did not die again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(groups(&scene, "").await?["groups"][0]["cause"], cause, "they died of the same again");

    let url = scene.client().url.clone();
    let run = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let output = scene.folder.run(&[&["events"], arguments, &["--url", &url]].concat(), "")?;
        Ok((output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
    };
    let (code, text) = run(&["dead", "--group", "--route", "script"])?;
    let says = [cause, "script run (s.run)", "the order … of customer", "      3  ", "--cause"];
    assert!(code == Some(0) && says.iter().all(|word| text.contains(word)) && !text.contains("trap"), "{text}");
    let (code, text) = run(&["replay", "--dead", "--cause", cause, "--yes"])?;
    assert_eq!((code, text.contains("3 replayed, 0 refused")), (Some(0), true), "{text}");
    Ok(())
}

#[tokio::test]
async fn page_by_page_each_letter_is_tried_once_whatever_becomes_of_it() -> anyhow::Result<()> {
    let scene = Scene::start(&routes()).await?;
    for id in ["a", "b"] {
        fail(&scene, id, "rejected", "it is not to be").await?;
        scene.client().send_and_wait(&event(&format!("{id}-trap"), "trap", json!({}))).await?;
    }
    fail(&scene, "c", "rejected", "it is not to be").await?;
    // The route of two of them is gone, and the others die again at once.
    scene.change("", SCRIPT).await?;
    let (mut replayed, mut refused, mut pages) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut cursor = Value::Null;
    loop {
        let answer = scene.client().post("/v1/dead-letters/replay", &json!({ "limit": 1, "cursor": cursor })).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text);
        pages += 1;
        anyhow::ensure!(pages <= 5, "it goes round in circles: {}", answer.text);
        let of = |name: &str, member: &str| -> Vec<String> {
            let all = answer.json[name].as_array().into_iter().flatten();
            all.map(|one| one[member].as_str().unwrap_or("").to_owned()).collect()
        };
        for run in of("replays", "replay_of") {
            assert!(replayed.insert(run.clone()), "{run} was replayed twice");
        }
        for run in of("refused", "run") {
            assert!(refused.insert(run.clone()), "{run} was refused twice");
        }
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        while ids(&scene, "").await?.len() < 5 {
            anyhow::ensure!(tokio::time::Instant::now() < end, "the replay did not die again");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cursor = answer.json["next_cursor"].clone();
        assert_eq!(answer.json["more"], json!(!cursor.is_null()));
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((pages, replayed.len(), refused.len()), (5, 3, 2));
    let answer = scene.client().post("/v1/dead-letters/replay", &json!({ "cursor": "x" })).await?;
    assert_eq!((answer.status, answer.text.contains("cursor")), (400, true), "{}", answer.text);
    Ok(())
}
