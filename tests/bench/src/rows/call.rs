//! A plugin's call: JSON in, one write answered from the journal, JSON out; in a fresh instance, and in one that served calls before. No
//! network, no flush.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use sangam::attempt::{Abilities, Attempt, AttemptId, AttemptLimits, Conduct, NewAttempt};
use sangam::clock::Clock;
use sangam::config::{Instances, Limits};
use sangam::crash::Crash;
use sangam::engine::{Call, CallEnd, CallOutcome, Engine, LoadedComponent};
use sangam::outbound::{Outbound, Request};
use sangam::runtime::{CodeKept, Runtime};
use sangam::store::{EffectId, EffectRow, EffectState, JournalSnapshot};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{About, Row, Running, When};
use crate::event;
use crate::figures::{AgainstItself, Rounds, median, micros, quantile};
use crate::line::{Figure, Line, Met, NOTHING_WRITTEN};
use crate::{Bench, Effort};

/// In a fresh instance at most so many microseconds, median.
const GOAL_FRESH: f64 = 50.0;
/// In a reused instance.
const GOAL_REUSED: f64 = 15.0;
/// Where the write would go, if it went.
const URL: &str = "http://127.0.0.1:9/jobs";
/// What the system answered.
pub(super) const ANSWER: &str = r#"{"id":"S-4711"}"#;
/// Longest wait for an instance that is made ahead.
const AHEAD: Duration = Duration::from_secs(5);
/// Calls before the first that counts: first page faults, lazy initialisation.
const WARM_UP: usize = 200;

/// The row `call`.
pub(super) struct Fresh;

impl Row for Fresh {
    fn about(&self) -> About {
        About {
            name: "call",
            what: "call of a Rust plugin in a fresh instance: JSON in, one effect answered from memory, JSON out",
            goal: "<= 50 µs, median",
            reference: "the same work through the same journal, native and without a sandbox",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), Instances::PerCall, bench.effort))
    }
}

/// The row `reused`.
pub(super) struct Reused;

impl Row for Reused {
    fn about(&self) -> About {
        About {
            name: "reused",
            what: "the same in an instance that is used again",
            goal: "<= 15 µs, median",
            reference: "the same work through the same journal, native and without a sandbox",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), Instances::Reuse, bench.effort))
    }
}

async fn measure(about: About, instances: Instances, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (_folder, runtime) = host().await?;
    let subject = Subject::new(&runtime, instances)?;
    let result = subject.rows(about, effort).await;
    drop(subject);
    runtime.store.clone().close().await;
    result
}

/// The parts of a host with the plugin `bench`, in a folder.
pub(super) async fn host() -> anyhow::Result<(tempfile::TempDir, Arc<Runtime>)> {
    let folder = tempfile::tempdir()?;
    let component = sangam_tests::guest("bench");
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[plugins.bench]\ncomponent = {:?}\n\
         allow-hosts = [\"http://127.0.0.1:9\"]\nallow-private-addresses = [\"127.0.0.1/32\"]\n",
        component.display().to_string()
    );
    let file = folder.path().join("sangam.toml");
    std::fs::write(&file, configuration)?;
    let runtime =
        Runtime::start(&file, Clock::system(), Crash::default(), CodeKept::BesideTheStore).await.context("starting the host's parts")?;
    Ok((folder, runtime))
}

/// Calls of each measurement in a round.
pub(super) fn calls(effort: Effort) -> usize {
    if effort.quick { 500 } else { 2000 }
}

/// Microseconds that something takes.
pub(super) async fn micros_of(work: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    work().await?;
    Ok(micros(started.elapsed()))
}

/// What is called, and with what.
pub(super) struct Subject {
    runtime: Arc<Runtime>,
    engine: Engine,
    action: &'static str,
    code: LoadedComponent,
    outbound: Arc<Outbound>,
    limits: Limits,
    instances: Instances,
    snapshot: JournalSnapshot,
    input: String,
    context: String,
}

impl Subject {
    pub(super) fn new(runtime: &Arc<Runtime>, instances: Instances) -> anyhow::Result<Subject> {
        let present = runtime.present();
        let plugin = present.plugins.get("bench").context("the plugin is configured")?;
        let code = present.revision.plugins.get("bench").context("the plugin is loaded")?.code.clone();
        let event: serde_json::Value = serde_json::from_str(&event::small(1))?;
        let context = serde_json::json!({
            "event": event,
            "run": { "id": RUN, "root": RUN, "route": "bench" },
            "step": { "name": "write", "uses": "bench.write", "round": 0 },
            "attempt": 2,
            "idempotency_key": RUN,
            "deadline": "2026-11-02T09:00:00Z",
            "traceparent": "00-0192e4a05cf17a3f8e21b0d4c3f2a1e0-b7ad6b7169203331-01",
            "configuration": {},
        });
        Ok(Subject {
            runtime: runtime.clone(),
            engine: runtime.engine.clone(),
            action: "write",
            code,
            outbound: plugin.outbound.clone(),
            limits: plugin.config.limits,
            instances,
            snapshot: journal_with_the_write(),
            input: serde_json::json!({ "url": URL, "hours": "2.5" }).to_string(),
            context: context.to_string(),
        })
    }

    /// The guest `scripted` in any language, with a script that does the same as `bench`.
    pub(super) fn scripted(
        runtime: &Arc<Runtime>,
        engine: &Engine,
        code: LoadedComponent,
        instances: Instances,
    ) -> anyhow::Result<Subject> {
        let line = serde_json::json!({ "do": "write", "url": URL, "name": "write", "body": { "hours": "2.5" } });
        let input = serde_json::json!({ "lines": [line] }).to_string();
        Ok(Subject { engine: engine.clone(), code, action: "run", input, ..Subject::new(runtime, instances)? })
    }

    /// Has instances ready from now on.
    pub(super) fn keep_ahead(&self) {
        self.engine.keep_ahead(&self.code, &self.limits, Some(1));
    }

    /// Waits until one is; false: none is made.
    pub(super) async fn is_ahead(&self) -> bool {
        let ready = async {
            while self.engine.ahead(&self.code) == 0 {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        tokio::time::timeout(AHEAD, ready).await.is_ok()
    }

    fn attempt(&self) -> Attempt {
        Attempt::new(NewAttempt {
            id: AttemptId {
                run: RUN.to_owned(),
                root: RUN.to_owned(),
                fence: 1,
                step: "write".to_owned(),
                round: 0,
                number: 2,
                plugin: "bench".to_owned(),
                component: String::new(),
            },
            abilities: Abilities::Act,
            holds: false,
            conduct: Conduct::Real { journal: true, record_reads: false },
            limits: AttemptLimits::new(&self.limits, Instant::now()),
            input: self.input.clone(),
            started_at: Timestamp::now(),
            store: self.runtime.store.clone(),
            trace: None,
            outbound: Some(self.outbound.clone()),
            snapshot: self.snapshot.clone(),
            random_secret: self.runtime.random_secret,
            behind: None,
            cancel: self.runtime.abandon.clone(),
        })
    }

    /// Action, input and context.
    pub(super) fn called_with(&self) -> (&str, &str, &str) {
        (self.action, &self.input, &self.context)
    }

    /// Microseconds of so many calls, one after another on this thread.
    pub(super) async fn times(&self, calls: usize) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            times.push(micros(self.here().await?));
        }
        Ok(times)
    }

    fn call(&self) -> Call {
        Call::Invoke { action: self.action.to_owned(), input: self.input.clone(), context: self.context.clone() }
    }

    /// The call alone, on this thread.
    pub(super) async fn here(&self) -> anyhow::Result<Duration> {
        let (attempt, call) = (self.attempt(), self.call());
        let started = Instant::now();
        let end = self.engine.call_here(&self.code, &self.limits, self.instances, attempt, call).await;
        let took = started.elapsed();
        check(&end)?;
        Ok(took)
    }

    /// The call as a run makes it: handed to the threads of the guests and back.
    async fn handed_over(&self) -> anyhow::Result<Duration> {
        let (attempt, call) = (self.attempt(), self.call());
        let started = Instant::now();
        let end = self.engine.call(&self.code, &self.limits, self.instances, attempt, call).await;
        let took = started.elapsed();
        check(&end)?;
        Ok(took)
    }

    /// The same work through the same journal, compiled for this machine and without a sandbox.
    async fn native(&self) -> anyhow::Result<Duration> {
        let mut attempt = self.attempt();
        let started = Instant::now();
        let output = native(&mut attempt, &self.input, &self.context).await?;
        let record = attempt.finish();
        let took = started.elapsed();
        ensure!(record.effects.first().is_some_and(|effect| effect.replayed), "the write was not answered from the journal");
        ensure!(output.contains("S-4711"), "the work without a sandbox gave {output}");
        Ok(took)
    }

    async fn rows(&self, about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
        for _ in 0..WARM_UP {
            self.here().await?;
            self.handed_over().await?;
            self.native().await?;
        }
        let calls = calls(effort);
        let (mut first, mut second, mut over, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut rounds = Rounds::default();
        let mut handed = Vec::new();
        for _ in 0..effort.rounds {
            let (mut n, mut m, mut h) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..calls {
                n.push(micros(self.native().await?));
            }
            let (a, b) = (self.times(calls).await?, self.times(calls).await?);
            for _ in 0..calls {
                m.push(micros(self.native().await?));
            }
            for _ in 0..calls {
                h.push(micros(self.handed_over().await?));
            }
            rounds.add(median(&n), median(&[&a[..], &b[..]].concat()), median(&m));
            first.push(median(&a));
            second.push(median(&b));
            over.push(median(&h));
            all.extend(a);
            all.extend(b);
            handed.extend(h);
        }
        let against_itself = AgainstItself::of(&first, &second);
        let (most, instance) = match self.instances {
            Instances::PerCall => (GOAL_FRESH, "a fresh instance for each"),
            Instances::Reuse => (GOAL_REUSED, "one instance for all"),
        };
        let mut row = Line::new(about.name, about.goal, NOTHING_WRITTEN);
        row.met = Met::judge(most / rounds.value(), against_itself.noise());
        row.value = Some(Figure::new("", rounds.value(), "µs"));
        row.reference = Some(Figure::new(about.reference, rounds.reference(), "µs"));
        row.ratio = Some(rounds.ratio());
        row.against_itself = Some(against_itself);
        row.more.push(Figure::new("99th percentile", quantile(&all, 0.99), "µs"));
        row.more.push(Figure::new("handed to the guests' threads and back (as runs do), median", median(&over), "µs"));
        row.more.push(Figure::new("handed to the guests' threads and back, 99th percentile", quantile(&handed, 0.99), "µs"));
        row.notes.push(format!("{} calls, {instance}; context of {} bytes, A/A is the call itself", all.len(), self.context.len()));
        Ok(vec![row])
    }
}

/// Run of the attempt, and everything else that wants a UUID.
const RUN: &str = "0192e4a0-5cf1-7a3f-8e21-b0d4c3f2a1e0";

/// A journal that holds the write as done.
fn journal_with_the_write() -> JournalSnapshot {
    let now = Timestamp::now();
    let row = EffectRow {
        id: EffectId { root: RUN.to_owned(), step: "write".to_owned(), round: 0, undos: 0, identity: "n:write".to_owned(), generation: 0 },
        kind: "http".to_owned(),
        name: Some("write".to_owned()),
        key: RUN.to_owned(),
        method: "POST".to_owned(),
        url: URL.to_owned(),
        request_headers: r#"[["content-type","application/json"]]"#.to_owned(),
        request_body: None,
        request_digest: Sha256::digest(b"").to_vec(),
        state: EffectState::Done,
        doubted: false,
        status: Some(200),
        response_headers: Some(r#"[["content-type","application/json"]]"#.to_owned()),
        response_body: Some(ANSWER.as_bytes().to_vec()),
        run: RUN.to_owned(),
        attempt: 1,
        seq: 1,
        started_at: now,
        duration_ms: Some(12),
        decided: None,
    };
    JournalSnapshot { clock_start: Some(now), undos: 0, applied: false, effects: vec![row], claims: Some(Vec::new()) }
}

fn check(end: &CallEnd) -> anyhow::Result<()> {
    match &end.outcome {
        CallOutcome::Output { data, .. } if data.contains("S-4711") => {}
        other => bail!("the call ended as {other:?}"),
    }
    ensure!(end.record.effects.first().is_some_and(|effect| effect.replayed), "the write was not answered from the journal");
    Ok(())
}

#[derive(Deserialize)]
struct NativeContext<'a> {
    event: NativeEvent<'a>,
    #[serde(borrow)]
    configuration: &'a RawValue,
}

#[derive(Deserialize)]
struct NativeEvent<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct NativeJob {
    url: String,
    hours: String,
}

#[derive(Deserialize)]
struct NativeCompleted {
    job_id: String,
    customer: NativeCustomer,
    notes: String,
}

#[derive(Deserialize)]
struct NativeCustomer {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct NativeAnswer {
    id: String,
}

#[derive(Serialize)]
struct NativeWritten {
    id: String,
    job: String,
}

/// What `tests/guests/bench` does.
async fn native(attempt: &mut Attempt, input: &str, context: &str) -> anyhow::Result<String> {
    let context: NativeContext<'_> = serde_json::from_str(context)?;
    ensure!(context.configuration.get() == "{}", "there is nothing to configure");
    let job: NativeJob = serde_json::from_str(input)?;
    let completed: NativeCompleted = serde_json::from_str(context.event.data.get())?;
    let text = format!("{} for {}: {}", completed.job_id, completed.customer.name, completed.notes);
    let body = serde_json::json!({ "customer": completed.customer.id, "hours": job.hours, "text": text });
    let request = Request {
        method: "POST".to_owned(),
        url: job.url,
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body: serde_json::to_vec(&body)?,
        name: Some("write".to_owned()),
        ..Request::default()
    };
    let response = attempt.send(request).await??;
    let answer: NativeAnswer = serde_json::from_slice(&response.body)?;
    Ok(serde_json::to_string(&NativeWritten { id: answer.id, job: completed.job_id })?)
}
