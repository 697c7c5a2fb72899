//! Everything that a host has written, printed or answered: what is searched.

use std::path::Path;
use std::process::Output;

use reqwest::Method;
use sangam_tests::{Host, HostFolder};

use super::needle::{Needle, found};

/// Values, and where they must not be.
pub(super) struct Searched {
    pub(super) needles: Vec<Needle>,
    pub(super) haystack: Vec<(String, Vec<u8>)>,
}

impl Searched {
    pub(super) fn add(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.haystack.push((place.to_owned(), bytes.into()));
    }

    pub(super) fn verb(&mut self, folder: &HostFolder, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
        let done = folder.run(arguments, input)?;
        self.add(&format!("output of `sangam {}`", arguments.join(" ")), done.stdout.clone());
        self.add(&format!("errors of `sangam {}`", arguments.join(" ")), done.stderr.clone());
        Ok(done)
    }

    pub(super) async fn ask(
        &mut self,
        host: &Host,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<sangam_tests::Answer> {
        let answer = host.client.ask(method.clone(), path, headers, body.as_bytes().to_vec()).await?;
        self.add(&format!("answer to {method} {path}"), format!("{:?}\n{}", answer.headers, answer.text));
        Ok(answer)
    }

    pub(super) fn found(&self) -> Vec<String> {
        found(&self.needles, &self.haystack).into_iter().collect()
    }
}

/// Files of a folder, whatever their depth, but those where the administrator put secrets.
pub(super) fn files(folder: &Path, own: &[&str], into: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if own.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files(&path, own, into)?;
        } else {
            // SQLite removes its log while this looks, and pipes don't end.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_file() {
                into.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    Ok(())
}
