//! The catalogue of business events, at the edge: printed, checked at intake, and part of the AsyncAPI document.

use std::process::Output;

use sangam_tests::HostFolder;
use sangam_tests::morning::{JOBS, Morning};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration};

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn job(id: &str, source: &str, data: Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": source, "type": "job.completed", "data": data })
}

#[test]
fn the_catalogue_is_listed_printed_and_held_against_a_file() -> anyhow::Result<()> {
    let folder = HostFolder::new("")?;
    let (code, out, _) = said(&folder.run(&["schema"], "")?);
    assert_eq!(code, Some(0));
    assert!(out.contains("job.completed") && out.contains("A job is done") && out.contains("descriptor"), "{out}");
    let (_, out, _) = said(&folder.run(&["schema", "--json"], "")?);
    let listed: Value = serde_json::from_str(&out)?;
    let job_completed = listed["events"].as_array().into_iter().flatten().find(|entry| entry["type"] == "job.completed").cloned();
    assert_eq!(job_completed.map(|entry| entry["dataschema"].clone()), Some(json!("urn:sangam:schema:job.completed:1")));
    for arguments in
        [&["schema", "job.completed"][..], &["schema", "job.completed", "--version", "1"], &["schema", "urn:sangam:schema:job.completed:1"]]
    {
        let (code, out, err) = said(&folder.run(arguments, "")?);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(serde_json::from_str::<Value>(&out)?["$id"], "urn:sangam:schema:job.completed:1");
    }
    assert_eq!(said(&folder.run(&["schema", "context"], "")?).0, Some(0));
    for (arguments, words) in [
        (&["schema", "job.complete"][..], "did you mean job.completed?"),
        (&["schema", "job.completed", "--version", "7"], "its newest is 1"),
        (&["schema", "--check", "-"], "is no CloudEvent"),
    ] {
        let (code, _, err) = said(&folder.run(arguments, "{}")?);
        assert_eq!((code, err.contains(words)), (Some(2), true), "{arguments:?}: {err}");
    }
    let check = |input: Value, arguments: &[&str]| anyhow::Ok(said(&folder.run(arguments, &input.to_string())?));
    let (code, out, err) = check(job("1", "/x", json!({ "job_id": "1" })), &["schema", "--check", "-"])?;
    assert_eq!((code, out.trim()), (Some(0), "job.completed (version 1): it fits"), "{err}");
    let (code, _, err) = check(job("1", "/x", json!({ "job_id": "1", "customer": { "name": 5 } })), &["schema", "--check", "-"])?;
    assert_eq!((code, err.contains("/customer/name: ")), (Some(1), true), "{err}");
    let (code, _, err) = check(json!({ "job": "1" }), &["schema", "job.completed", "--check", "-"])?;
    assert_eq!((code, err.contains("`job_id` is missing")), (Some(1), true), "{err}");
    Ok(())
}

#[test]
fn the_demos_events_fit_the_catalogue() -> anyhow::Result<()> {
    let folder = HostFolder::new("")?;
    let morning = Morning::of(2001, "2026-11-16");
    for index in 0..JOBS.len() {
        let (code, _, err) = said(&folder.run(&["schema", "--check", "-"], &morning.event(index).to_string())?);
        assert_eq!(code, Some(0), "job {index}: {err}");
    }
    Ok(())
}

const RULES: &str = r#"
[[events]]
type = "*"
source = "/field-service/*"
schema = "catalogue"

[[events]]
type = "acme.*"
schema = "catalogue:job.completed:1"

[[routes]]
name = "done"
on = { type = "job.completed", source = "/field-service/*" }
when = '.event.data.custmer.name == "Acme"'
[[routes.steps]]
name = "run"
uses = "s.run"
with = { lines = [] }
"#;

#[tokio::test]
async fn what_a_source_sends_has_to_fit_the_catalogue() -> anyhow::Result<()> {
    let scene = Scene::start(RULES).await?;
    let client = scene.client();
    let post = async |event: Value| client.send_raw(&event, "").await;
    let ok = post(job("fits", "/field-service/x", json!({ "job_id": "1", "van": 3 }))).await?;
    assert_eq!(ok.status, 202, "{}", ok.text);
    let refused = post(job("misfit", "/field-service/x", json!({ "job_id": 1 }))).await?;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("/job_id") && refused.text.contains("job.completed"), "{}", refused.text);
    let other = post(job("other", "/elsewhere", json!({ "job_id": 1 }))).await?;
    assert_eq!(other.status, 202, "another source may send what it likes");
    let mut unknown = job("unknown", "/field-service/x", json!({ "job_id": 1 }));
    unknown["type"] = "own.type".into();
    assert_eq!(post(unknown).await?.status, 202, "a type that the catalogue does not have");
    let mut renamed = job("renamed", "/elsewhere", json!({ "job_id": 1 }));
    renamed["type"] = "acme.done".into();
    assert_eq!(post(renamed).await?.status, 422, "a type of one's own may have a schema of the catalogue");
    let mut version = job("version", "/field-service/x", json!({ "job_id": "1" }));
    version["dataschema"] = "urn:sangam:schema:job.completed:9".into();
    let refused = post(version.clone()).await?;
    assert_eq!((refused.status, refused.text.contains("version 9")), (422, true), "{}", refused.text);
    version["dataschema"] = "urn:sangam:schema:job.completed:1".into();
    assert_eq!(post(version).await?.status, 202);
    Ok(())
}

#[test]
fn check_names_a_field_that_the_schema_of_its_events_lacks() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration("http://127.0.0.1:9", "", RULES))?;
    let (code, _, err) = said(&folder.run(&["check"], "")?);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("warning: events of type job.completed have no `.data.custmer`") && err.contains("did you mean `customer`?"),
        "{err}"
    );
    Ok(())
}

#[tokio::test]
async fn what_comes_in_and_goes_out_is_an_asyncapi_document() -> anyhow::Result<()> {
    let rules = format!("{RULES}{SCRIPT}");
    let scene = Scene::start(&rules).await?;
    let answer = scene.client().get("/asyncapi.json").await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let Some(parsed) = sangam_tests::asyncapi::parsed(&answer.text)? else { return Ok(()) };
    assert_eq!(parsed["wrong"], json!([]), "{:#}\n{:#}", parsed["wrong"], answer.json);
    assert_eq!(parsed["version"], "3.0.0");
    assert_eq!(parsed["channels"]["events"], json!({ "address": "/v1/events", "messages": ["job.completed", "script"] }));
    assert_eq!(parsed["operations"]["receive.events"], "receive");
    let printed = scene.folder.run(&["schema", "--asyncapi"], "")?;
    let (code, out, err) = said(&printed);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out)?, answer.json, "the same by either way");
    let broken = answer.text.replace("\"action\":\"receive\"", "\"action\":\"fetch\"");
    let wrong = sangam_tests::asyncapi::parsed(&broken)?.unwrap_or_default();
    assert_ne!(wrong["wrong"], json!([]), "the parser notices what is wrong");
    Ok(())
}
