//! `sangam doctor`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use super::events::print_json;
use super::{ConfigArg, Failure, up};
use crate::amount;
use crate::config;
use crate::doctor::{self, Area, Asked, Finding, Report, Severity};

/// Columns where nobody says how many there are.
const COLUMNS: usize = 80;
/// Where texts begin: behind the severity.
const INDENT: usize = 10;

/// Looks at everything that a host stands on, beside a running host or without one: configuration, secrets, store, machine, credentials, other
/// systems, the host, its work. Says what is wrong and what to do. Changes nothing; sends no credential. Exit code 0: all is well, or there are
/// warnings only; 1: there are errors.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Ask no other system, but for the database
    #[arg(long)]
    offline: bool,
    /// How long each look may take
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    timeout: String,
    /// Only what is wrong
    #[arg(long)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Address of the running host; default: where the configuration has it listen
    #[arg(long, env = "SANGAM_URL", value_name = "URL")]
    url: Option<String>,
    /// API token for it
    #[arg(long, env = "SANGAM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// PEM file with the authority of its certificate, where the operating system does not know it
    #[arg(long, env = "SANGAM_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let asked = self.asked()?;
        let is_watched = std::io::stderr().is_terminal();
        let tell = |ended: usize, all: usize| {
            if is_watched {
                let _ = write!(std::io::stderr(), "\r{ended} of {all} looked at ");
            }
        };
        let report = doctor::examine(&asked, &tell).await;
        if is_watched {
            // The line is the report's again.
            let _ = write!(std::io::stderr(), "\r{:COLUMNS$}\r", "");
        }
        if self.json {
            print_json(&as_json(&report));
        } else {
            print(&report, self.quiet);
        }
        if report.count(Severity::Error) > 0 { Err(Failure::Told) } else { Ok(()) }
    }

    fn asked(&self) -> Result<Asked, Failure> {
        let timeout = config::parse_duration(&self.timeout).map_err(|why| Failure::Usage(format!("--timeout {}: {why}", self.timeout)))?;
        if timeout.is_zero() {
            return Err(Failure::Usage("--timeout: it must be longer than nothing".to_owned()));
        }
        if let Some(url) = &self.url {
            url::Url::parse(url).map_err(|error| Failure::Usage(format!("--url {url}: {error}")))?;
        }
        Ok(Asked {
            file: self.config.config.clone(),
            offline: self.offline,
            timeout,
            url: self.url.clone(),
            token: self.token.clone(),
            authorities: self.ca_file.as_ref().map(authorities).transpose()?.unwrap_or_default(),
            clock: up::clock()?,
        })
    }
}

fn authorities(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::Usage(format!("--ca-file {}: {error}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let list: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap_or_default();
    if list.is_empty() { Err(unreadable(&"there is no certificate in PEM in it")) } else { Ok(list) }
}

fn as_json(report: &Report) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "area": finding.check.area().as_str(),
                "code": finding.check.as_str(),
                "subject": (!finding.subject.is_empty()).then_some(&finding.subject),
                "severity": finding.severity.as_str(),
                "message": finding.message,
                "advice": finding.advice,
                "place": finding.place.as_ref().map(|place| json!({ "file": place.file, "line": place.line, "column": place.column })),
            })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "at": report.at.to_string(),
        "file": report.file,
        "summary": {
            "ok": report.count(Severity::Ok),
            "warnings": report.count(Severity::Warning),
            "errors": report.count(Severity::Error),
        },
        "findings": findings,
    })
}

fn print(report: &Report, quiet: bool) {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(COLUMNS).max(40);
    let mut area: Option<Area> = None;
    for finding in report.findings.iter().filter(|finding| !quiet || finding.severity != Severity::Ok) {
        if area != Some(finding.check.area()) {
            let gap = if area.is_some() { "\n" } else { "" };
            area = Some(finding.check.area());
            let bold = Style::new().bold();
            anstream::println!("{gap}{bold}{}{bold:#}", finding.check.area().as_str());
        }
        show(finding, columns);
    }
    let (ok, warnings, errors) = (report.count(Severity::Ok), report.count(Severity::Warning), report.count(Severity::Error));
    let gap = if area.is_some() { "\n" } else { "" };
    anstream::println!(
        "{gap}{ok} ok, {}, {}",
        amount::count(warnings as u64, "warning", "warnings"),
        amount::count(errors as u64, "error", "errors")
    );
}

fn show(finding: &Finding, columns: usize) {
    let color = match finding.severity {
        Severity::Ok => AnsiColor::Green,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Error => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(color.into()));
    let place = finding.place.as_ref().map(|place| format!("{}:{}:{}: ", place.file, place.line, place.column));
    let subject = match (&place, finding.subject.as_str()) {
        (Some(place), _) => place.clone(),
        (None, "") => String::new(),
        (None, subject) => format!("{subject}: "),
    };
    let text = format!("{}: {subject}{}", finding.check.as_str(), finding.message);
    let mut lines = wrapped(&text, columns - INDENT).into_iter();
    let first = lines.next().unwrap_or_default();
    anstream::println!("  {style}{:7}{style:#} {first}", finding.severity.as_str());
    for line in lines {
        anstream::println!("{:INDENT$}{line}", "");
    }
    for (index, line) in finding.advice.iter().flat_map(|advice| wrapped(advice, columns - INDENT - 3)).enumerate() {
        anstream::println!("{:INDENT$}{} {line}", "", if index == 0 { "->" } else { "  " });
    }
}

/// Lines of at most so many characters, broken between words; a longer word has a line of its own, so that it can be copied.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_never_within_one() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("see https://long.example/path now", 10), ["see", "https://long.example/path", "now"]);
        assert!(wrapped("", 10).is_empty());
    }
}
