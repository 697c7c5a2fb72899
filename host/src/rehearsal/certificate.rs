//! A connector put to the proof: what was tried, what came of it, and whether it may be trusted with other people's records.

mod checks;
mod rounds;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::case::Case;
use super::openapi::Descriptions;
use super::stage::{Project, StageError};
use crate::registry::CONTRACT;
use crate::telemetry::{plain, plain_lines};

/// Version of the certificate's own form.
const FORM: u32 = 1;
/// Most findings of a check that are kept.
const MOST_FINDINGS: usize = 100;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Generated inputs of an action, valid ones and invalid ones each.
    pub inputs: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { inputs: 60 }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// For programs.
    pub name: &'static str,
    /// What holds if it passes, in a sentence.
    pub title: &'static str,
    /// How often it was tried.
    pub tried: usize,
    /// What was wrong.
    pub findings: Vec<String>,
    /// Findings beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Why it says nothing, where it could not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Check {
    fn new(name: &'static str, title: &'static str) -> Check {
        Check { name, title, tried: 0, findings: Vec::new(), more: 0, skipped: None }
    }

    fn found(&mut self, finding: impl Into<String>) {
        let finding = finding.into();
        if self.findings.contains(&finding) {
            return;
        }
        if self.findings.len() < MOST_FINDINGS { self.findings.push(finding) } else { self.more += 1 }
    }

    /// Whether nothing was wrong.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }
}

/// What a marketplace can show. The same connector, cases and host give the same, to the letter.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Digest of the component.
    pub component: String,
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its contract.
    pub contract: String,
    /// Bytes.
    pub size: usize,
    /// Actions that take several runs at once, each with how many. Their single form is what was played.
    pub batches: Vec<(String, u32)>,
    /// Digests of the cases that it was played with, by name.
    pub cases: Vec<(String, String)>,
    /// All checks.
    pub checks: Vec<Check>,
    /// Calls that were played.
    pub played: usize,
}

impl Certificate {
    /// Puts a connector to the proof.
    ///
    /// # Errors
    /// When it can't be played at all.
    pub async fn of(
        project: &Project,
        cases: &[Case],
        descriptions: Option<Arc<Descriptions>>,
        effort: Effort,
    ) -> Result<Certificate, StageError> {
        let (checks, played) = rounds::all(project, cases, descriptions, effort).await?;
        let digest = |case: &Case| crate::registry::digest(serde_json::to_string(case).unwrap_or_default().as_bytes());
        Ok(Certificate {
            component: project.component.digest.clone(),
            name: project.descriptor.name.clone(),
            version: project.descriptor.version.clone(),
            contract: project.component.inspection.contract.clone(),
            size: project.component.inspection.size,
            batches: project.descriptor.actions.iter().filter_map(|action| Some((action.name.clone(), action.batch?))).collect(),
            cases: cases.iter().map(|case| (case.name.clone(), digest(case))).collect(),
            checks,
            played,
        })
    }

    /// Whether every check passed, and none was skipped.
    pub fn is_granted(&self) -> bool {
        self.checks.iter().all(|check| check.passed() && check.skipped.is_none())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let cases: Vec<Value> = self.cases.iter().map(|(name, digest)| json!({ "name": name, "digest": digest })).collect();
        let batches: Vec<Value> = self.batches.iter().map(|(action, most)| json!({ "action": action, "most": most })).collect();
        json!({
            "certificate": FORM,
            "batches": batches,
            "granted": self.is_granted(),
            "component": { "name": self.name, "version": self.version, "digest": self.component, "contract": self.contract, "size": self.size },
            "host": { "version": env!("CARGO_PKG_VERSION"), "contract": CONTRACT },
            "cases": cases,
            "played": self.played,
            "checks": self.checks.iter().map(|check| {
                let mut value = serde_json::to_value(check).unwrap_or_default();
                value["passed"] = json!(check.passed() && check.skipped.is_none());
                value
            }).collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} {} ({} KiB, contract {})\n{}\nplayed {} calls of {} cases on sangam {}\n\n",
            plain(&self.name),
            plain(&self.version),
            self.size >> 10,
            self.contract,
            self.component,
            self.played,
            self.cases.len(),
            env!("CARGO_PKG_VERSION"),
        );
        for check in &self.checks {
            let verdict = match (&check.skipped, check.passed()) {
                (Some(_), true) => "not tried",
                (_, true) => "passed",
                (_, false) => "FAILED",
            };
            text.push_str(&format!("{verdict:9}  {} ({} tried)\n", check.title, check.tried));
            if let Some(why) = &check.skipped {
                text.push_str(&format!("           {}\n", plain(why)));
            }
            for finding in &check.findings {
                text.push_str(&format!("           {}\n", plain_lines(finding).replace('\n', "\n           ")));
            }
            if check.more > 0 {
                text.push_str(&format!("           and {} more\n", check.more));
            }
        }
        for (action, most) in &self.batches {
            text.push_str(&format!("noted      {action} takes up to {most} runs at once; one at a time is what was played\n"));
        }
        text.push_str(if self.is_granted() { "\ncertified\n" } else { "\nnot certified\n" });
        text
    }
}
