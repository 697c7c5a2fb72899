//! `sangam plugin test` and `sangam plugin certify`: cases played to the letter, and connectors put to the proof.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use sangam_saas::Saas;
use sangam_tests::{company, guest, plugin, tool};
use serde_json::{Value, json};

fn sangam(arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(Command::new(sangam_tests::sangam()).arg("plugin").args(arguments).output()?)
}

/// What it printed as JSON, and whether it exited well.
fn printed(arguments: &[&str]) -> anyhow::Result<(Value, bool)> {
    let output = sangam(arguments)?;
    let text = String::from_utf8(output.stdout)?;
    let value = serde_json::from_str(&text).with_context(|| format!("{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((value, output.status.success()))
}

/// A folder with these cases.
fn folder(cases: &[(&str, Value)]) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, case) in cases {
        std::fs::write(folder.path().join(format!("{name}.json")), format!("{case:#}"))?;
    }
    Ok(folder)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours is UTF-8")
}

/// A case of the naughty guest: one write.
fn naughty(action: &str, method: &str, path: &str) -> Value {
    let url = format!("https://naughty.example{path}");
    json!({
        "action": action,
        "configuration": { "base-url": "https://naughty.example" },
        "input": { "id": "j-1" },
        "exchanges": [{ "request": { "method": method, "url": url, "body": { "id": "j-1" } }, "response": { "status": 201, "body": {} } }],
        "undo_exchanges": [{ "request": { "method": "DELETE", "url": "https://naughty.example/jobs/1" }, "response": { "status": 204 } }],
        "expect": { "output": { "id": "j-1" } },
    })
}

/// All that was found wrong, by the name of the check.
fn findings(certificate: &Value) -> Vec<(String, String)> {
    let checks = certificate["checks"].as_array().into_iter().flatten();
    let of = |check: &Value| {
        let name = check["name"].as_str().unwrap_or_default().to_owned();
        let found: Vec<String> =
            check["findings"].as_array().into_iter().flatten().filter_map(|finding| finding.as_str()).map(str::to_owned).collect();
        found.into_iter().map(move |finding| (name.clone(), finding)).collect::<Vec<_>>()
    };
    checks.flat_map(of).collect()
}

fn connectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

/// Every connector in the tree that was built, with its folder.
fn built() -> anyhow::Result<Vec<(String, PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(connectors())? {
        let folder = entry?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).context("a connector has a name")?.to_owned();
        if !folder.is_dir() || !folder.join("tests").is_dir() {
            continue;
        }
        let component = sangam_tests::sangam().with_file_name("plugins").join(format!("{name}.wasm"));
        if component.is_file() {
            found.push((name, component, folder));
        } else {
            // Its language's tools make it.
            tool::missing(&format!("{name} was not built: `cargo xtask build` says which tool it needs and how to get it"))?;
        }
    }
    found.sort();
    ensure!(found.len() >= 5, "only {} connectors", found.len());
    Ok(found)
}

#[test]
fn every_connector_of_ours_is_certified() -> anyhow::Result<()> {
    let mut refused = Vec::new();
    for (name, component, folder) in built()? {
        let (certificate, well) = printed(&["certify", text(&component), "--cases", text(&folder.join("tests")), "--json"])?;
        if !well || certificate["granted"] != true {
            refused.push(format!("{name}: {:#?}", findings(&certificate)));
        }
        ensure!(certificate["played"].as_u64().is_some_and(|played| played > 50), "{name}: hardly anything was tried");
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

#[test]
fn a_certificate_is_the_same_each_time() -> anyhow::Result<()> {
    let component = plugin("custom-hr");
    let cases = connectors().join("custom-hr/tests");
    let report = tempfile::tempdir()?;
    let mut texts = Vec::new();
    for name in ["one", "two"] {
        let file = report.path().join(name);
        let done = sangam(&["certify", text(&component), "--cases", text(&cases), "--report", text(&file)])?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        texts.push(std::fs::read_to_string(file)?);
    }
    assert_eq!(texts[0], texts[1]);
    let certificate: Value = serde_json::from_str(&texts[0])?;
    assert!(certificate["component"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{certificate:#}");
    Ok(())
}

#[test]
fn every_mistake_is_found_and_called_by_its_name() -> anyhow::Result<()> {
    let cases = folder(&[
        ("fine", naughty("fine", "PUT", "/jobs/1")),
        ("misclassify", naughty("misclassify", "PUT", "/jobs/1")),
        ("double", naughty("double", "PUT", "/jobs/1")),
        ("blind", naughty("blind", "POST", "/jobs")),
        ("diverge", naughty("diverge", "PUT", "/jobs/${any}")),
        ("nameless", naughty("nameless", "PUT", "/jobs/1")),
        ("swallow", naughty("swallow", "PUT", "/jobs/1")),
        ("silent", naughty("silent", "PUT", "/jobs/1")),
        ("fragile", naughty("fragile", "PUT", "/jobs/1")),
        ("half", naughty("half", "PUT", "/jobs/1")),
    ])?;
    let (certificate, well) = printed(&["certify", text(&guest("naughty")), "--cases", text(cases.path()), "--json"])?;
    assert!(!well && certificate["granted"] == false);
    let found = findings(&certificate);
    for (check, who, words) in [
        ("no-secret-asked", "configuration", "`api-key`, which is called like a secret"),
        ("classification", "misclassify, 500 at", "misclassified: expected retry, got rejected"),
        ("classification", "misclassify, 429", "misclassified: expected rate-limited, got rejected"),
        ("classification", "misclassify, 401", "misclassified: expected unauthorized, got rejected"),
        ("once", "double, reset after", "doubled: write \"job/2\""),
        ("once", "blind, reset after", "doubled: write \"job\" was done 2 times"),
        ("crashes", "blind, crash after", "doubled: write \"job\" was done 2 times"),
        ("once", "diverge, reset after", "diverged on a further attempt"),
        ("named-writes", "nameless", "PUT https://naughty.example/jobs/1 has no name"),
        ("once", "swallow, 500", "it took a write that failed for done"),
        ("failures", "silent", "without a reason"),
        ("limits", "fragile", "trapped"),
        ("undo", "half, after success", "What is done is done"),
        ("cases", "undo-nothing", "no case of it succeeds"),
    ] {
        let is_it = |(name, finding): &(String, String)| name == check && finding.contains(who) && finding.contains(words);
        ensure!(found.iter().any(is_it), "{check}: nobody found {words:?} in {who:?}:\n{found:#?}");
    }
    // What is done as it should be is not found fault with.
    let at_fine = |(_, finding): &&(String, String)| finding.contains("case fine") || finding.contains("action fine:");
    assert_eq!(found.iter().filter(at_fine).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    Ok(())
}

#[test]
fn what_a_case_does_not_have_is_shown_field_by_field() -> anyhow::Result<()> {
    let mut case = naughty("fine", "PUT", "/jobs/1");
    case["exchanges"][0]["request"]["body"] = json!({ "id": "j-2", "site": "north" });
    case["exchanges"][0]["request"]["name"] = json!("jobs");
    let mut more = naughty("fine", "PUT", "/jobs/1");
    let another =
        json!({ "request": { "method": "GET", "url": "https://naughty.example/jobs/7?full=true" }, "response": { "status": 200 } });
    more["exchanges"].as_array_mut().context("a list")?.push(another);
    let mut output = naughty("fine", "PUT", "/jobs/1");
    output["expect"] = json!({ "output": { "id": "${uuid}" }, "key_value": { "jobs": 1 }, "logs": [{ "message": "done" }] });
    let mut failure = naughty("fine", "PUT", "/jobs/1");
    failure["exchanges"][0]["response"] = json!({ "status": 503 });
    let mut patience = naughty("fine", "PUT", "/jobs/1");
    patience["exchanges"][0]["response"] = json!({ "status": 429, "headers": { "Retry-After": "7" } });
    patience["expect"] = json!({ "failure": { "kind": "rate-limited", "after_ms": 7000 } });
    let mut hurry = patience.clone();
    hurry["expect"]["failure"]["after_ms"] = json!(1000);
    let cases = folder(&[
        ("body", case),
        ("failure", failure),
        ("more", more),
        ("output", output),
        ("hurry", hurry),
        ("patience", patience),
        ("well", naughty("fine", "PUT", "/jobs/1")),
    ])?;
    let done = sangam(&["test", text(&guest("naughty")), "--cases", text(cases.path())])?;
    let shown = String::from_utf8(done.stdout)?;
    assert_eq!(done.status.code(), Some(1), "{shown}");
    for line in [
        "FAILED  body  rejected: ",
        "PUT https://naughty.example/jobs/1 (job) was not expected; nearest is PUT https://naughty.example/jobs/1:",
        "name: expected \"jobs\", got \"job\"",
        "body.id: expected \"j-2\", got \"j-1\"",
        "body.site: expected \"north\", is missing",
        "expected success, failed as retry: ",
        "GET https://naughty.example/jobs/7?full=true was not asked for",
        "output.id: expected \"${uuid}\", got \"j-1\"",
        "key_value[\"jobs\"]: expected 1, is not there",
        "logs: no line (after the ones before) is {\"message\":\"done\"}",
        "failure.after_ms: expected 1000 ms, got 7000 ms",
        "ok      patience  rate-limited",
        "ok      well  succeeded",
        "7 cases, 5 failed",
    ] {
        ensure!(shown.contains(line), "{line:?} is not in:\n{shown}");
    }
    Ok(())
}

#[test]
fn a_case_that_can_t_be_read_says_where() -> anyhow::Result<()> {
    let cases = tempfile::tempdir()?;
    std::fs::write(cases.path().join("broken.json"), "{\n  \"action\": \"fine\",\n  \"imput\": {}\n}\n")?;
    let done = sangam(&["test", text(&guest("naughty")), "--cases", text(cases.path())])?;
    let shown = String::from_utf8(done.stdout)?;
    assert!(shown.contains("broken.json:3:9: error: unknown field `imput`"), "{shown}");
    assert_eq!(done.status.code(), Some(1));
    Ok(())
}

#[test]
fn requests_are_held_against_a_description_of_the_system() -> anyhow::Result<()> {
    let spec = connectors().join("../tests/specs/custom-hr.yaml");
    let cases = connectors().join("custom-hr/tests");
    let (report, well) = printed(&["test", text(&plugin("custom-hr")), "--cases", text(&cases), "--openapi", text(&spec), "--json"])?;
    ensure!(well, "{report:#}");
    let described: Vec<&Value> =
        report["cases"].as_array().context("a list")?.iter().filter(|case| case["fault"] == "as described").collect();
    assert!(described.iter().any(|case| case["case"] == "log-hours" && case["outcome"] == "1 requests, succeeded"), "{described:#?}");
    // A system that has renamed a field.
    let folder = tempfile::tempdir()?;
    let changed = folder.path().join("changed.yaml");
    std::fs::write(&changed, std::fs::read_to_string(&spec)?.replace("overtime_minutes", "extra_minutes"))?;
    let (report, well) = printed(&["test", text(&plugin("custom-hr")), "--cases", text(&cases), "--openapi", text(&changed), "--json"])?;
    assert!(!well);
    let told = report.to_string();
    assert!(told.contains("PUT /v1/time-entries/") && told.contains("`overtime_minutes` is not known here"), "{told}");
    Ok(())
}

/// Words that are secret in the company's folder.
const SECRETS: [&str; 2] = ["hr-token", "Bearer"];

// The program is waited for while the system answers it.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_recorded_at_a_real_system_without_any_secret_and_plays_as_it_was() -> anyhow::Result<()> {
    let saas = Saas::start().await?;
    let folder = company::folder(&saas, &company::plugins(&["hr"]))?;
    std::fs::write(folder.path().join("hours.json"), json!({ "employee_ref": "emp-1", "date": "2026-11-16", "minutes": 510 }).to_string())?;
    let component = plugin("custom-hr");
    let origin = format!("{}=https://hr.example", saas.hr.url());
    let record = ["plugin", "test", text(&component), "--cases", "cases", "--case", "hours", "--record", "--origin", &origin];
    let done = folder.run(&[&record[..], &["--action", "log-hours", "--input", "hours.json"]].concat(), "")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let file = folder.path().join("cases/hours.json");
    let recorded = std::fs::read_to_string(&file)?;
    for secret in SECRETS {
        ensure!(!recorded.contains(secret), "{secret:?} is in the case:\n{recorded}");
    }
    // It was really asked, with the credential that the case does not have.
    assert!(saas.hr.requests().iter().any(|request| request.headers.contains_key("authorization")));
    ensure!(!recorded.contains(&saas.hr.url()) && recorded.contains("https://hr.example/v1/time-entries/${key:entry}"), "{recorded}");
    let played = folder.run(&["plugin", "test", text(&component), "--cases", "cases", "--faults"], "")?;
    ensure!(played.status.success(), "{}", String::from_utf8_lossy(&played.stdout));
    // What is there is not lost by accident.
    let again = folder.run(&record, "")?;
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--overwrite replaces them"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file)?, recorded);
    Ok(())
}
