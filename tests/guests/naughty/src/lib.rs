//! A connector with every mistake that certification is there to find, one action each.

use sangam_sdk::{Undo, Write, prelude::*};

struct Naughty;

/// Asks for what is the host's to attach.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    /// Where the system is.
    base_url: String,
    /// A key of one's own.
    #[serde(default)]
    #[allow(dead_code, reason = "that it is asked for is the mistake")]
    api_key: Option<String>,
}

impl Plugin for Naughty {
    type Config = Config;
    const NAME: &'static str = "naughty";
    const TITLE: &'static str = "Naughty";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Naughty {
    fn actions(a: &mut Actions<Self>) {
        a.action("fine", "Do it as it should be done", fine).undo("undo");
        a.action("misclassify", "Take every failure for the last word", misclassify);
        a.action("double", "Give the write another name on every attempt", double);
        a.action("blind", "Write again without a look, where the system knows no keys", blind);
        a.action("diverge", "Write elsewhere on every attempt", diverge);
        a.action("nameless", "Write without a name", nameless);
        a.action("swallow", "Take a failed write for done", swallow);
        a.action("silent", "Fail without a word", silent);
        a.action("fragile", "Trap at an odd input", fragile);
        a.action("half", "Do what can't be undone", fine).undo("undo-nothing");
        a.action("undo", "Take it back", undo);
        a.action("undo-nothing", "Refuse to take it back", undo_nothing);
    }
}

/// A job.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Job {
    id: String,
}

type Cx = Context<Config>;

fn url(cx: &Cx, path: &str) -> String {
    format!("{}{path}", cx.config.base_url)
}

fn fine(job: Job, cx: &Cx) -> Result<Job, Failure> {
    cx.put(url(cx, "/jobs/1")).name("job").json(&job).send()?.ok()?;
    Ok(job)
}

fn misclassify(job: Job, cx: &Cx) -> Result<Job, Failure> {
    let answer = cx.put(url(cx, "/jobs/1")).name("job").json(&job).send();
    match answer {
        Ok(answer) if answer.is_success() => Ok(job),
        _ => Err(Failure::rejected("It did not work")),
    }
}

fn double(job: Job, cx: &Cx) -> Result<Job, Failure> {
    cx.put(url(cx, "/jobs/1")).name(format!("job/{}", cx.attempt)).json(&job).send()?.ok()?;
    Ok(job)
}

fn blind(job: Job, cx: &Cx) -> Result<Job, Failure> {
    cx.post(url(cx, "/jobs")).name("job").json(&job).send()?.ok()?;
    Ok(job)
}

fn diverge(job: Job, cx: &Cx) -> Result<Job, Failure> {
    cx.put(url(cx, &format!("/jobs/{}", cx.attempt))).name("job").json(&job).send()?.ok()?;
    Ok(job)
}

fn nameless(job: Job, cx: &Cx) -> Result<Job, Failure> {
    Write::new("PUT", url(cx, "/jobs/1")).unnamed().json(&job).send()?.ok()?;
    Ok(job)
}

fn swallow(job: Job, cx: &Cx) -> Result<Job, Failure> {
    let _ = cx.put(url(cx, "/jobs/1")).name("job").json(&job).send();
    Ok(job)
}

fn silent(job: Job, cx: &Cx) -> Result<Job, Failure> {
    let answer = cx.put(url(cx, "/jobs/1")).name("job").json(&job).send()?.ok();
    answer.map(|_| job).map_err(|mut failure| {
        failure.reason = String::new();
        failure
    })
}

fn fragile(job: Job, cx: &Cx) -> Result<Job, Failure> {
    assert!(job.id.is_ascii(), "an id is ASCII");
    fine(job, cx)
}

fn undo(undo: Undo<Job, Job>, cx: &Cx) -> Result<(), Failure> {
    if undo.output.is_some() {
        cx.delete(url(cx, "/jobs/1")).name("undo").send()?.ok()?;
    }
    Ok(())
}

fn undo_nothing(_undo: Undo<Job, Job>, _cx: &Cx) -> Result<(), Failure> {
    Err(Failure::rejected("What is done is done"))
}

sangam_sdk::export!(Naughty);
