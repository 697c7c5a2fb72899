//! `sangam doctor`: each thing broken on purpose is found, under its code and with what to do; a healthy set-up has nothing to mend; and nothing is
//! changed by looking.

mod kept;
mod reach;
mod running;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, ensure};
use sangam_tests::{HostFolder, guest};
use serde_json::Value;

use crate::scene::SCRIPT;

/// What the doctor said.
struct Said {
    code: Option<i32>,
    report: Value,
}

impl Said {
    /// The findings of a check that are like that.
    fn findings(&self, code: &str, severity: &str) -> Vec<&Value> {
        let all = self.report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|finding| finding["code"] == code && finding["severity"] == severity).collect()
    }

    /// One finding says these words, in subject, message or advice; and an error ends with code 1.
    fn says(&self, code: &str, severity: &str, words: &[&str]) -> anyhow::Result<()> {
        let found = self.findings(code, severity);
        let holds = |finding: &&&Value| words.iter().all(|word| finding.to_string().contains(word));
        ensure!(found.iter().any(|finding| holds(&finding)), "no {severity} of {code} says {words:?}: {:#}", self.report);
        ensure!(severity != "error" || self.code == Some(1), "errors end with 1, not {:?}", self.code);
        ensure!(severity == "ok" || found.iter().all(|finding| finding["advice"].as_str().is_some_and(|advice| !advice.is_empty())));
        Ok(())
    }

    /// All is well with a check, and it was looked at.
    fn well(&self, code: &str) -> anyhow::Result<()> {
        let ill: Vec<&Value> = ["warning", "error"].iter().flat_map(|severity| self.findings(code, severity)).collect();
        ensure!(ill.is_empty() && !self.findings(code, "ok").is_empty(), "{code}: {ill:#?} in {:#}", self.report);
        Ok(())
    }
}

fn doctor(folder: &HostFolder, arguments: &[&str]) -> anyhow::Result<Said> {
    let done = folder.run(&[&["doctor", "--json"], arguments].concat(), "")?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let report = serde_json::from_str(&text).with_context(|| format!("{text}{}", String::from_utf8_lossy(&done.stderr)))?;
    Ok(Said { code: done.status.code(), report })
}

/// A port that nobody has, as far as one can know.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?.port())
}

/// A small host with one plugin, which may reach `allowed` (items of `allow-hosts`, quoted).
fn configuration(port: u16, allowed: &str, plugin: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\naccess = \"open\"\nmax-connections = 50\n\n[plugins.s]\ncomponent = {:?}\nconcurrency = 1\n\
         allow-hosts = [{allowed}]\n{plugin}\n{SCRIPT}\n{more}\n",
        guest("scripted")
    )
}

/// The same, with the plugin on this machine's addresses.
fn local(allowed: &str, more: &str) -> String {
    configuration(0, allowed, "allow-private-addresses = [\"127.0.0.0/8\"]", more)
}
