//! The documents: links lead somewhere, shown code is part of files that are built, and the tutorials' commands do what they say.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::sangam;
use sangam_tests::tool::missing;

/// Folders that tools fill.
const NOT_OURS: [&str; 7] = ["target", "node_modules", ".venv", ".git", "build", "__pycache__", "dist"];
/// Languages whose code in the book comes from files.
const CODE: [&str; 9] = ["rust", "ts", "typescript", "js", "javascript", "python", "go", "c", "wit"];
/// Longest time for the commands of one tutorial, first installation of its tools included.
const TUTORIAL: Duration = Duration::from_secs(900);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the tree").to_owned()
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !NOT_OURS.contains(&name) && !path.is_symlink() {
                markdown(&path, found)?;
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    Ok(())
}

/// What a heading is called in a link.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced
    })
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(text).filter_map(|line| line.strip_prefix('#')) {
        let slug = slug(&heading.trim_start_matches('#').replace('`', ""));
        let again = (1..).map(|n| format!("{slug}-{n}"));
        let free = std::iter::once(slug.clone()).chain(again).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// Targets of `[…](target)`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // What stands between backticks is no link.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in plain.split("](").skip(1) {
            found.push(part.split([')', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

#[test]
fn every_link_of_the_documents_leads_somewhere() -> anyhow::Result<()> {
    let mut documents = Vec::new();
    markdown(&root(), &mut documents)?;
    ensure!(documents.len() > 30, "only {} documents were found", documents.len());
    let mut dead = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(&document)?;
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap_or(Path::new(".")).join(path) };
            let known = |anchor: &str| std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor));
            if !target.exists() || (target.extension().is_some_and(|kind| kind == "md") && anchor.is_some_and(|anchor| !known(anchor))) {
                dead.push(format!("{}: {link}", document.strip_prefix(root())?.display()));
            }
        }
    }
    ensure!(dead.is_empty(), "links that lead nowhere:\n  {}", dead.join("\n  "));
    Ok(())
}

/// Fenced blocks: language and lines.
fn blocks(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some((language.trim().to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

fn chapters() -> anyhow::Result<Vec<PathBuf>> {
    let mut chapters = Vec::new();
    markdown(&root().join("docs/book/src"), &mut chapters)?;
    Ok(chapters)
}

#[test]
fn every_piece_of_code_in_the_book_is_part_of_a_file() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let mut included = 0;
    for chapter in chapters()? {
        let text = std::fs::read_to_string(&chapter)?;
        let name = chapter.strip_prefix(root())?.display().to_string();
        for (language, lines) in blocks(&text) {
            let language = language.split([',', ' ']).next().unwrap_or_default();
            let includes: Vec<&str> = lines.iter().filter_map(|line| line.trim().strip_prefix("{{#include ")?.strip_suffix("}}")).collect();
            if CODE.contains(&language) && includes.len() != lines.len() {
                wrong.push(format!("{name}: {language} that is written out: {}", lines.first().unwrap_or(&"")));
            }
            for include in includes {
                included += 1;
                let (path, anchor) = include.split_once(':').map_or((include, None), |(path, anchor)| (path, Some(anchor)));
                let file = chapter.parent().unwrap_or(Path::new(".")).join(path);
                let text = std::fs::read_to_string(&file).with_context(|| format!("{name}: {include}"))?;
                let marked = |anchor: &str| {
                    let start = format!("ANCHOR: {anchor}");
                    text.lines().any(|line| line.trim_end().ends_with(&start)) && text.contains(&format!("ANCHOR_END: {anchor}"))
                };
                if anchor.is_some_and(|anchor| !marked(anchor)) {
                    wrong.push(format!("{name}: {path} has no anchor `{}`", anchor.unwrap_or_default()));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(included > 10, "only {included} pieces of code come from files");
    Ok(())
}

#[test]
fn the_summary_has_every_chapter() -> anyhow::Result<()> {
    let book = root().join("docs/book/src");
    let summary = std::fs::read_to_string(book.join("SUMMARY.md"))?;
    let listed: BTreeSet<PathBuf> = links(&summary).into_iter().map(|link| book.join(link)).collect();
    let there: BTreeSet<PathBuf> = chapters()?.into_iter().filter(|chapter| !chapter.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, there);
    Ok(())
}

/// Runs the commands of a tutorial in an empty folder. Two things differ from what a person does: the host listens on a free port, and `sangam up`
/// runs beside the commands that follow, as in a second terminal.
async fn follow(language: &str, tools: &[&str]) -> anyhow::Result<()> {
    if let Some(lacking) = tools.iter().find(|tool| !there(tool)) {
        return missing(&format!("the tutorial for {language} needs `{lacking}`"));
    }
    let text = std::fs::read_to_string(root().join(format!("docs/book/src/tutorial-{language}.md")))?;
    let commands: Vec<String> =
        blocks(&text).into_iter().filter(|(kind, _)| kind == "sh").flat_map(|(_, lines)| lines.into_iter().map(str::to_owned)).collect();
    let commands = commands.join("\n");
    for wanted in ["sangam plugin new", "sangam plugin build", "sangam plugin test", "sangam up", "sangam send"] {
        ensure!(commands.contains(wanted), "the tutorial for {language} does not show `{wanted}`");
    }
    let folder = tempfile::tempdir()?;
    let script = format!("{PRELUDE}\n{commands}\n");
    let script_file = folder.path().join(".commands");
    std::fs::write(&script_file, &script)?;
    let work = folder.path().join("work");
    std::fs::create_dir(&work)?;
    let path = std::env::join_paths(
        std::iter::once(sangam().parent().context("the program is in a folder")?.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let child = tokio::process::Command::new("bash")
        .arg(&script_file)
        .current_dir(&work)
        .env("PATH", path)
        .env("PORT", free_port()?.to_string())
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("SANGAM_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = tokio::time::timeout(TUTORIAL, child.wait_with_output())
        .await
        .with_context(|| format!("{language}: it took longer than {TUTORIAL:?}"))??;
    ensure!(
        output.status.success(),
        "the commands of the tutorial for {language} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Shows each command, and stops at the first that fails.
const PRELUDE: &str = r#"
set -euo pipefail
host=
trap '[ -z "$host" ] || kill "$host" 2>/dev/null || true' EXIT
sangam() {
  case "$1" in
    up)
      command sangam "$@" >up.log 2>&1 &
      host=$!
      for _ in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' up.log | head -n 1)
        [ -z "$url" ] || break
        kill -0 "$host" 2>/dev/null || { cat up.log >&2; return 1; }
        sleep 0.1
      done
      [ -n "$url" ] || { cat up.log >&2; return 1; }
      export SANGAM_URL=$url
      ;;
    *)
      command sangam "$@"
      ;;
  esac
  if [ "$1 ${2:-}" = "plugin new" ]; then
    find . -name sangam.toml -not -path '*/node_modules/*' -exec sed -i "s/127\.0\.0\.1:7070/127.0.0.1:$PORT/" {} +
  fi
}
set -x
"#;

/// One below those that systems give to connections: a plugin is built before the host listens on it, and hundreds of connections are made meanwhile.
fn free_port() -> anyhow::Result<u16> {
    let random = || RandomState::new().hash_one(()) % 10_000;
    let free = |port: &u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..100).map(|_| 20_000 + random() as u16).find(free).context("no port is free")
}

fn there(tool: &str) -> bool {
    std::process::Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[tokio::test]
async fn the_tutorial_for_rust_can_be_followed() -> anyhow::Result<()> {
    follow("rust", &["cargo"]).await
}

#[tokio::test]
async fn the_tutorial_for_javascript_can_be_followed() -> anyhow::Result<()> {
    follow("javascript", &["node", "npm"]).await
}

#[tokio::test]
async fn the_tutorial_for_python_can_be_followed() -> anyhow::Result<()> {
    follow("python", &["python3"]).await
}

#[tokio::test]
async fn the_tutorial_for_go_can_be_followed() -> anyhow::Result<()> {
    follow("go", &["go"]).await
}

#[tokio::test]
async fn the_tutorial_for_c_can_be_followed() -> anyhow::Result<()> {
    follow("c", &["clang"]).await
}
