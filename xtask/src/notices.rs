//! `cargo xtask notices`: what other people wrote and the program and its connectors hold, with the notices that its licences ask for.
//!
//! `cargo tree` knows what is linked: its features are those of the packages that are asked for, where `cargo metadata` has those of the whole workspace and
//! would name a client of MySQL, too. `cargo metadata` knows where the sources are. It wants to read tests' own crates as well, which a build has not fetched:
//! that is why neither is told to stay off the network. Where all of the lock file's crates are, neither goes there.

mod library;
mod written;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::tools::{cargo, root};

/// What one author or project gave.
#[derive(Clone, Default)]
struct Part {
    /// With the version.
    name: String,
    /// An SPDX expression.
    terms: String,
    authors: String,
    repository: String,
    /// By their paths.
    texts: Vec<(String, String)>,
    /// Whose texts they are, where the package carries none.
    lender: Option<String>,
}

/// `cargo xtask notices`.
pub(crate) fn print() -> anyhow::Result<()> {
    std::io::stdout().write_all(notices()?.as_bytes()).context("writing the notices")
}

/// The file that goes with the program: the same for the same lock file and toolchain. Says on standard error what no notice is found of.
pub(crate) fn notices() -> anyhow::Result<String> {
    let mut parts = crates()?;
    lend(&mut parts)?;
    let without: Vec<&str> = parts.iter().filter(|part| part.own().next().is_none()).map(|part| part.name.as_str()).collect();
    if !without.is_empty() {
        eprintln!("── no notice is found of {} packages, which carry none: {}", without.len(), without.join(", "));
    }
    parts.push(Part { name: "console (its libraries in JavaScript)".into(), ..Part::read(&root().join("host/console/vendor"))? });
    match library::library() {
        Ok(library) => parts.push(library),
        Err(error) => eprintln!("── notices of Rust's standard library are missing: {error:#}"),
    }
    Ok(written::written(&parts))
}

/// The packages that the program and the connectors are linked with, but for our own.
fn crates() -> anyhow::Result<Vec<Part>> {
    let tree = ["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    let host = said(cargo(&tree).args(["-p", "sangam"]))?;
    let plugins = crate::build::packages("plugins")?;
    let components = said(cargo(&tree).args(["--target", "wasm32-wasip2"]).args(plugins.iter().flat_map(|name| ["-p", name])))?;
    let linked: BTreeSet<String> = host.lines().chain(components.lines()).filter_map(named).collect();
    let metadata =
        ["metadata", "--locked", "--format-version", "1", "--filter-platform", "host-tuple", "--filter-platform", "wasm32-wasip2"];
    let metadata: serde_json::Value = serde_json::from_str(&said(&mut cargo(&metadata))?).context("what cargo metadata says")?;
    let mut parts = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata names packages")? {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text("name"), text("version"));
        // Our own have no source.
        if package["source"].is_null() || !linked.contains(&name) {
            continue;
        }
        let authors: Vec<&str> = package["authors"].as_array().into_iter().flatten().filter_map(|author| author.as_str()).collect();
        let manifest = text("manifest_path");
        let folder = Path::new(&manifest).parent().context("a manifest is in a folder")?;
        parts.push(Part {
            name,
            terms: text("license"),
            authors: authors.join(", "),
            repository: text("repository"),
            ..Part::read(folder)?
        });
    }
    ensure!(parts.len() > 100, "only {} packages are linked by what cargo says", parts.len());
    parts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(parts)
}

/// Name and version of a line of `cargo tree`: `ring v0.17.14 (*)`.
fn named(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("can't start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed ({})", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

impl Part {
    /// The texts in a folder, and in the folders in it: what a package brings of others' code stands there with its own.
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(&at).with_context(|| at.display().to_string())? {
                let entry = entry?;
                let path = entry.path();
                if entry.file_type()?.is_dir() && !entry.file_name().to_string_lossy().starts_with('.') {
                    folders.push(path);
                } else if entry.file_type()?.is_file() && is_notice(path.strip_prefix(folder)?) {
                    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
                    texts.push((path.strip_prefix(folder)?.display().to_string(), String::from_utf8_lossy(&text).into_owned()));
                }
            }
        }
        // The package's own come before those of what it brings.
        texts.sort_by_key(|(path, _)| (path.matches('/').count(), path.clone()));
        Ok(Self { texts, ..Self::default() })
    }

    /// The texts that are of the package itself.
    fn own(&self) -> impl Iterator<Item = &(String, String)> {
        self.texts.iter().filter(|(path, _)| !path.contains('/') || path.starts_with("LICENSES/"))
    }
}

/// Whether a file, by its path in a package, is a licence or a notice.
fn is_notice(path: &Path) -> bool {
    let lower = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().to_lowercase();
    let name = lower(path.file_name());
    let begins = ["license", "licence", "copying", "notice", "copyright", "unlicense"].into_iter().any(|word| {
        let rest = name.strip_prefix(word).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    });
    let of_reuse = lower(path.parent().and_then(Path::file_name)) == "licenses";
    (begins || of_reuse) && !["rs", "c", "h"].contains(&lower(path.extension()).as_str())
}

/// Gives packages without a text that of their repository, or that of terms which name nobody.
fn lend(parts: &mut [Part]) -> anyhow::Result<()> {
    let license = std::fs::read_to_string(root().join("LICENSE")).context("LICENSE")?;
    let own = Part { name: "sangam".into(), terms: "Apache-2.0".into(), texts: vec![("LICENSE".into(), license)], ..Part::default() };
    let mut lenders = vec![own];
    lenders.extend(parts.iter().filter(|part| part.own().next().is_some()).cloned());
    for part in parts.iter_mut().filter(|part| part.own().next().is_none()) {
        if let Some(lender) = lender(part, &lenders) {
            part.texts.splice(0..0, lender.own().cloned());
            part.lender = Some(lender.name.clone());
        }
    }
    Ok(())
}

/// Who has the text that a package lacks.
fn lender<'a>(part: &Part, lenders: &'a [Part]) -> Option<&'a Part> {
    let repository = of_repository(&part.repository);
    let neighbour =
        lenders.iter().find(|other| !repository.is_empty() && of_repository(&other.repository) == repository && other.terms == part.terms);
    neighbour.or_else(|| {
        // The Apache licence is the same text for everybody, where MIT begins with whose the code is.
        let one_of = part.terms.split(" OR ").filter(|terms| terms.starts_with("Apache-2.0") && !part.terms.contains(" AND "));
        one_of.into_iter().find_map(|terms| lenders.iter().find(|other| other.terms == terms && other.texts.len() == 1))
    })
}

/// Without the folder, which many write behind it.
fn of_repository(url: &str) -> &str {
    let url = url.split("/tree/").next().unwrap_or_default().trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Part, is_notice, lender};

    #[test]
    fn licences_and_notices_count_and_code_about_them_does_not() {
        let notices = [
            "LICENSE",
            "license.md",
            "Licence.txt",
            "LICENSE-Apache-2.0_WITH_LLVM-exception",
            "LICENSE_MIT",
            "LICENSE.httprouter",
            "LICENSES/MIT.txt",
            "COPYRIGHT",
            "NOTICES",
            "UNLICENSE",
            "jemalloc/COPYING",
        ];
        let others = ["README.md", "src/copying.rs", "src/licenses.rs", "src/licenser.txt", "Cargo.toml", "noticeboard"];
        assert_eq!(notices.into_iter().filter(|path| !is_notice(Path::new(path))).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(others.into_iter().filter(|path| is_notice(Path::new(path))).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn a_text_is_lent_by_a_neighbour_or_where_it_names_nobody() {
        let part = |name: &str, terms: &str, repository: &str| Part {
            name: name.into(),
            terms: terms.into(),
            repository: repository.into(),
            texts: vec![("LICENSE".into(), String::new())],
            ..Part::default()
        };
        let lenders = [part("sangam", "Apache-2.0", ""), part("jaq", "MIT", "https://host.example/jaq"), part("other", "MIT", "")];
        let lent = |terms, repository| lender(&part("needy", terms, repository), &lenders).map(|lender| lender.name.as_str());
        assert_eq!(lent("MIT", "https://host.example/jaq.git/tree/main/core"), Some("jaq"));
        assert_eq!(lent("MIT OR Apache-2.0", "https://host.example/jaq"), Some("sangam"), "a neighbour with other terms has another text");
        assert_eq!(lent("MIT", ""), None, "those without a repository are no neighbours");
        assert_eq!(lent("(MIT OR Apache-2.0) AND ISC", ""), None);
    }
}
