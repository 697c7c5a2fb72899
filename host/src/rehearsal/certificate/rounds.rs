//! What is tried: cases, generated inputs, faults, crashes, undo.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Check, Effort, checks};
use crate::config::Limits;
use crate::registry::Action;
use crate::rehearsal::case::{Case, Exchange};
use crate::rehearsal::fault::{Fault, Injection};
use crate::rehearsal::generate::Generator;
use crate::rehearsal::openapi::Descriptions;
use crate::rehearsal::script::{Script, Teaching};
use crate::rehearsal::stage::{CLOCK, Cast, Play, Played, Project, Stage, StageError};
use crate::rehearsal::trial::{self, Manner, Performance};
use crate::schema::Schema;
use crate::telemetry::{self, plain};

/// Longest reason that is kept whole.
const MAX_REASON: usize = 4096;
/// Largest input of a case that others are made like.
const MOST_KNOWN: usize = 4;

/// What is tried on one stage.
struct Rounds<'a> {
    project: &'a Project,
    stage: Stage,
    cases: &'a [Case],
    /// Which cast each case has.
    of: Vec<usize>,
    /// What a system is taught that is asked what no case has.
    taught: Arc<Vec<Exchange>>,
    /// Names of all their writes.
    names: Vec<String>,
    descriptions: Option<Arc<Descriptions>>,
    described: Check,
    played: usize,
    named: Check,
    failures: Check,
    limits: Check,
    outputs: Check,
}

/// Tries everything. Gives the checks, and how many calls were played.
pub(super) async fn all(
    project: &Project,
    cases: &[Case],
    descriptions: Option<Arc<Descriptions>>,
    effort: Effort,
) -> Result<(Vec<Check>, usize), StageError> {
    let (mut casts, of) = trial::casts(cases);
    if casts.is_empty() {
        casts.push(Cast { configuration: Value::Object(Map::new()), origins: Vec::new(), holds: Vec::new() });
    }
    let stage = Stage::open(project, &casts).await?;
    let well = cases.iter().filter(|case| case.succeeds());
    let exchanges = well.flat_map(|case| case.exchanges.iter().chain(&case.undo_exchanges));
    let taught = exchanges.filter(|exchange| exchange.fault.is_none()).cloned().collect();
    let mut names: Vec<String> = cases.iter().flat_map(Case::names).collect();
    names.sort();
    names.dedup();
    let mut rounds = Rounds {
        project,
        stage,
        cases,
        of,
        taught: Arc::new(taught),
        names,
        descriptions,
        described: Check::new("described", "It asks the system what the system's description says"),
        played: 0,
        named: Check::new("named-writes", "Every write has a name of its own"),
        failures: Check::new("failures", "Every failure says in a sentence what was wrong, within its bounds"),
        limits: Check::new("limits", "It keeps to the default limits of memory, time, requests and output, and never traps"),
        outputs: Check::new("outputs", "What it gives is what its output schema says"),
    };
    let describe = rounds.describe().await;
    let (cases, unharmed) = rounds.cases().await?;
    let (valid, invalid) = rounds.inputs(effort).await?;
    let (classified, once) = rounds
        .faults(
            &unharmed,
            &Fault::OF_SYSTEMS,
            ("classification", "It tells failures that pass from those that don't"),
            ("once", "Whatever goes wrong, a further attempt ends with every write done once"),
        )
        .await?;
    let (_, crashes) = rounds
        .faults(
            &unharmed,
            &Fault::OF_HOSTS,
            ("crash-classification", ""),
            ("crashes", "It may die at any moment: run again it writes the same, under the same names and keys, once"),
        )
        .await?;
    let undo = rounds.undo(&unharmed).await?;
    let mut checks = vec![
        checks::descriptor(&project.component, &project.descriptor),
        checks::secrets(&project.descriptor),
        checks::size(&project.component),
        describe,
        cases,
        valid,
        invalid,
        classified,
        once,
        crashes,
        undo,
    ];
    let played = rounds.played;
    if rounds.descriptions.is_some() {
        checks.push(rounds.described);
    }
    checks.extend([rounds.named, rounds.outputs, rounds.failures, rounds.limits]);
    Ok((checks, played))
}

/// Cases that succeed, as they were played: (index of the case, performance).
type Unharmed = Vec<(usize, Performance)>;

impl Rounds<'_> {
    /// `describe`, asked again with every import trapping.
    async fn describe(&self) -> Check {
        let mut check = Check::new("describe", "It describes itself the same way each time, and calls nothing for it");
        let present = self.stage.runtime.present();
        let Some(plugin) = present.revision.plugins.values().next() else { return check };
        let mut said = BTreeSet::new();
        for _ in 0..3 {
            check.tried += 1;
            match self.stage.runtime.engine.describe(&plugin.code, &Limits::default()).await {
                Ok(text) => drop(said.insert(text)),
                Err(error) => check.found(telemetry::chain(&error)),
            }
        }
        if said.len() > 1 {
            check.found("it describes itself in different words each time");
        }
        check
    }

    async fn cases(&mut self) -> Result<(Check, Unharmed), StageError> {
        let mut check = Check::new("cases", "It does what its cases say, and every action has one that succeeds");
        let mut unharmed = Vec::new();
        for (index, case) in self.cases.iter().enumerate() {
            check.tried += 1;
            let (verdict, performance) = trial::case(&self.stage, self.of[index], case).await?;
            self.look(case.what(), &performance.played);
            self.hold(&case.name, &performance.script);
            for difference in &verdict.differences {
                check.found(format!("case {}: {difference}", case.name));
            }
            if trial::is_unharmed(case, &verdict, &performance) {
                unharmed.push((index, performance));
            }
        }
        for action in &self.project.descriptor.actions {
            let is_played = |(index, _): &(usize, Performance)| self.cases[*index].action == action.name;
            if !unharmed.iter().any(is_played) {
                check.found(format!("action {}: no case of it succeeds, so that nothing can be said of what it does", action.name));
            }
        }
        Ok((check, unharmed))
    }

    /// Inputs made from the schemas, against a system that answers as the cases taught it.
    async fn inputs(&mut self, effort: Effort) -> Result<(Check, Check), StageError> {
        let mut valid = Check::new("valid-inputs", "Whatever input its schema allows, it ends as the contract says");
        let mut invalid = Check::new("invalid-inputs", "Its schema refuses what is no input, before the connector is called");
        let project = self.project;
        for action in &project.descriptor.actions {
            let Ok(schema) = Schema::compile(&action.input) else { continue };
            let of_action = || self.cases.iter().enumerate().filter(|(_, case)| case.action == action.name);
            let known: Vec<Value> =
                of_action().filter(|(_, case)| case.succeeds()).map(|(_, case)| case.input.clone()).take(MOST_KNOWN).collect();
            let cast = of_action().next().map_or(0, |(index, _)| self.of[index]);
            let generator = Generator::new(&action.input, &schema, known);
            let refused = generator.invalid(effort.inputs);
            if refused.is_empty() {
                invalid.found(format!("action {}: its schema refuses nothing, so that every mistake reaches the connector", action.name));
            }
            for made in refused {
                invalid.tried += 1;
                let (played, script) = self.generated(cast, action, &made.value, None).await?;
                let outcome = played.first().map_or("nothing", |first| first.outcome.as_str());
                if outcome != "invalid-input" || !script.seen().is_empty() {
                    invalid.found(format!("action {}, {}: expected invalid-input, got {outcome}", action.name, made.what));
                }
            }
            for made in generator.valid(effort.inputs) {
                valid.tried += 1;
                let (played, script) = self.generated(cast, action, &made.value, None).await?;
                let Some(first) = played.first() else { continue };
                let is_end =
                    ["succeeded", "retry", "rate-limited", "unauthorized", "rejected", "conflict"].contains(&first.outcome.as_str());
                if !is_end {
                    valid.found(format!("action {}, {}: {}: {}", action.name, made.what, first.outcome, plain(&played.reason())));
                }
                if first.outcome == "succeeded" && script.seen().iter().any(|seen| seen.done) {
                    // The same once more, with the host's death at its last request.
                    let at = script.seen().iter().rposition(|seen| seen.done).unwrap_or(0);
                    let (again, script) =
                        self.generated(cast, action, &made.value, Some(Injection { at, fault: Fault::CrashBefore, lasts: false })).await?;
                    if let Some(diverged) = again.attempts.iter().find(|attempt| attempt.outcome == "diverged") {
                        let reason = diverged.error.as_ref().and_then(|error| error["reason"].as_str()).unwrap_or_default();
                        valid.found(format!("action {}, {}: {}", action.name, made.what, plain(reason)));
                    }
                    for (write, times) in script.done().iter().filter(|(_, times)| **times > 1) {
                        valid.found(format!("action {}, {}: write {:?} was done {times} times", action.name, made.what, plain(write)));
                    }
                }
            }
        }
        Ok((valid, invalid))
    }

    async fn generated(
        &mut self,
        cast: usize,
        action: &Action,
        input: &Value,
        injection: Option<Injection>,
    ) -> Result<(Played, Arc<Script>), StageError> {
        let clock = CLOCK.parse().expect("a time");
        let root = self.stage.root(&action.name);
        let placeholders = self.stage.placeholders(&root, &self.names, clock);
        let script = Script::new(self.taught.clone(), placeholders, Teaching::Shape);
        let script = Arc::new(match injection {
            Some(injection) => script.with(injection),
            None => script,
        });
        let space = self.cases.iter().find(|case| case.action == action.name).map(|case| case.context.key_value.clone());
        let play = Play {
            cast,
            root,
            action: &action.name,
            input,
            event: &Map::new(),
            clock,
            key_value: &space.unwrap_or_default(),
            keys: Vec::new(),
            attempts: if injection.is_some() { trial::MOST_ATTEMPTS } else { 1 },
            undo: false,
            events: false,
        };
        let played = self.stage.play(play, script.clone(), script.crash()).await?;
        self.look(&action.name, &played);
        self.hold(&action.name, &script);
        Ok((played, script))
    }

    async fn faults(
        &mut self,
        unharmed: &Unharmed,
        kinds: &[Fault],
        classified: (&'static str, &'static str),
        once: (&'static str, &'static str),
    ) -> Result<(Check, Check), StageError> {
        let (mut classified, mut once) = (Check::new(classified.0, classified.1), Check::new(once.0, once.1));
        for (index, performance) in unharmed {
            let case = &self.cases[*index];
            for (verdict, played) in trial::faults(&self.stage, self.of[*index], case, performance, kinds).await? {
                self.look(&case.action, &played);
                classified.tried += 1;
                once.tried += 1;
                let fault = verdict.fault.unwrap_or_default();
                for difference in verdict.differences {
                    if trial::is_gap(&difference) {
                        // It is the case's, whatever went wrong.
                        once.found(format!("case {}: {difference}", case.name));
                        continue;
                    }
                    let finding = format!("case {}, {fault}: {difference}", case.name);
                    if difference.starts_with("misclassified") { classified.found(finding) } else { once.found(finding) }
                }
            }
        }
        if once.tried == 0 {
            // A connector that asks nobody has nobody to fail it.
            let asks = unharmed.iter().any(|(_, performance)| !performance.script.seen().is_empty());
            let why = (unharmed.is_empty() || asks).then(|| "no case succeeds, so that nothing can go wrong in one".to_owned());
            classified.skipped.clone_from(&why);
            once.skipped = why;
        }
        Ok((classified, once))
    }

    /// Undone after success, and after it was refused at each of its writes.
    async fn undo(&mut self, unharmed: &Unharmed) -> Result<Check, StageError> {
        let mut check = Check::new("undo", "What can be undone is, after success and half-way");
        let project = self.project;
        for (index, performance) in unharmed {
            let case = &self.cases[*index];
            let undoes = project.descriptor.actions.iter().any(|action| action.name == case.action && action.undo.is_some());
            if !undoes {
                continue;
            }
            let writes = performance.script.seen();
            let refused = writes.iter().enumerate().filter(|(_, seen)| !seen.asked.reads);
            let injections = refused.map(|(at, _)| Some(Injection { at, fault: Fault::Refused, lasts: false }));
            for injection in std::iter::once(None).chain(injections) {
                check.tried += 1;
                let manner = Manner { teaching: Teaching::Again, injection, attempts: trial::MOST_ATTEMPTS, undo: true };
                let tried = trial::perform(&self.stage, self.of[*index], case, manner).await?;
                self.look(case.what(), &tried.played);
                let when = match injection {
                    None => "after success".to_owned(),
                    Some(Injection { at, .. }) => {
                        format!("after its write {:?} was refused", plain(writes[at].asked.name.as_deref().unwrap_or("without a name")))
                    }
                };
                let done = injection.is_none() || !tried.script.done().is_empty();
                if done && tried.played.undone != Some(true) {
                    check.found(format!("case {}, {when}: not undone: {}", case.name, plain(&tried.played.reason())));
                }
                for trouble in tried.script.trouble() {
                    check.found(format!(
                        "case {}, {when}: {trouble}\n(what an undo asks belongs into the case's `undo_exchanges`)",
                        case.name
                    ));
                }
            }
        }
        Ok(check)
    }

    /// Holds what was asked against what is described.
    fn hold(&mut self, who: &str, script: &Script) {
        let Some(descriptions) = &self.descriptions else { return };
        for seen in script.seen() {
            self.described.tried += 1;
            for refusal in descriptions.refusals(&seen.asked) {
                self.described.found(format!("{who}: {} {}: {refusal}", seen.asked.method, plain(seen.asked.url.path())));
            }
        }
    }

    /// What holds for every call.
    fn look(&mut self, action: &str, played: &Played) {
        self.played += 1;
        let schema = self
            .project
            .descriptor
            .actions
            .iter()
            .find(|known| known.name == action)
            .and_then(|action| Schema::compile(&action.output).ok());
        if let (Some(output), Some(schema)) = (&played.output, schema) {
            self.outputs.tried += 1;
            for violation in schema.check(output) {
                self.outputs.found(format!(
                    "action {action}: {}: {}",
                    if violation.pointer.is_empty() { "the output" } else { &violation.pointer },
                    violation.message
                ));
            }
        }
        for attempt in &played.attempts {
            self.limits.tried += 1;
            let reason = attempt.error.as_ref().and_then(|error| error["reason"].as_str()).unwrap_or_default();
            match attempt.outcome.as_str() {
                "trap" | "timeout" | "invalid-output" => self.limits.found(format!("action {action}: {}", plain(reason))),
                "retry" | "rate-limited" | "unauthorized" | "rejected" => {
                    self.failures.tried += 1;
                    if reason.trim().is_empty() {
                        self.failures.found(format!("action {action}: a failure ({}) without a reason", attempt.outcome));
                    }
                    if reason.len() >= MAX_REASON {
                        self.failures
                            .found(format!("action {action}: a reason of more than {MAX_REASON} bytes, of which the rest is lost"));
                    }
                }
                _ => {}
            }
            for effect in attempt.effects.iter().filter(|effect| effect["kind"] == "http") {
                let error = effect["error"].as_str().unwrap_or_default();
                if error.contains("has already succeeded in this attempt") {
                    self.named.found(format!("action {action}: two writes have the name {}", effect["name"]));
                }
                // A write has a key, but for one that was refused before it could leave.
                if effect["key"].is_null() {
                    continue;
                }
                self.named.tried += 1;
                if effect["name"].is_null() {
                    let method = effect["method"].as_str().unwrap_or_default();
                    self.named.found(format!("action {action}: {method} {} has no name", without_query(effect)));
                }
            }
        }
    }
}

fn without_query(effect: &Value) -> String {
    plain(effect["url"].as_str().unwrap_or_default().split('?').next().unwrap_or_default())
}
