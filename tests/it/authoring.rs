//! A connector's author: from an empty folder to a component that serves events, in each language whose tools are on this machine.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sangam_tests::tool::is_there;
use sangam_tests::{Client, sangam};
use serde_json::{Value, json};

/// The longest that tools may take: the first build fetches and compiles what a language needs.
const TOOLS: Duration = Duration::from_secs(600);

/// An author's folder, outside of the tree.
struct Author {
    folder: tempfile::TempDir,
    url: String,
}

/// A project that was begun there.
impl Author {
    fn new() -> anyhow::Result<Author> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Author { folder: tempfile::tempdir()?, url: format!("http://127.0.0.1:{port}") })
    }

    fn project(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(sangam());
        command.args(arguments).current_dir(folder).env("SANGAM_URL", &self.url);
        // What cargo compiles for one project is of use to the next test run.
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("authoring"));
        command
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(folder, arguments).stdin(Stdio::null()).output()?)
    }

    /// Runs a command that has to succeed; gives what it printed.
    fn succeed(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.run(folder, arguments)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        anyhow::ensure!(output.status.success(), "sangam {}: {}{}", arguments.join(" "), text(&output.stdout), text(&output.stderr));
        Ok(text(&output.stdout))
    }

    /// `plugin new`, on a port that no other test has.
    fn begin(&self, name: &str, language: &str) -> anyhow::Result<PathBuf> {
        self.succeed(self.folder.path(), &["plugin", "new", name, "--lang", language])?;
        let file = self.project(name).join("sangam.toml");
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, text.replace("http://127.0.0.1:7070", &self.url).replace("127.0.0.1:7070", &self.url["http://".len()..]))?;
        Ok(self.project(name))
    }
}

/// A program that runs beside the test, line by line. Killed when it is dropped.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Running {
    fn start(mut command: Command) -> anyhow::Result<Running> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("output is piped")?);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Running { child, lines, seen: String::new() })
    }

    /// Waits for a line with that text in it.
    fn says(&mut self, text: &str) -> anyhow::Result<()> {
        let end = Instant::now() + TOOLS;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).with_context(|| format!("it never said {text:?}, but:\n{}", self.seen))?;
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return Ok(());
            }
        }
    }

    fn terminate(mut self) -> anyhow::Result<Option<i32>> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a language's tools are there; where they are missing it is said how to get them, and in CI that is a failure.
fn has_tools(author: &Author, project: &Path) -> anyhow::Result<bool> {
    let output = author.run(project, &["plugin", "build", "--tools"])?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    is_there(output.status.success(), &said)
}

/// The commands of the template's README, in its order.
fn serves(language: &str) -> anyhow::Result<()> {
    let author = Author::new()?;
    let project = author.begin("stock-update", language)?;
    if !has_tools(&author, &project)? {
        return Ok(());
    }
    let built = author.succeed(&project, &["plugin", "build"])?;
    assert!(
        built.contains("build/stock-update.wasm: ") && built.contains("digest    sha256:") && built.contains("core instance"),
        "{built}"
    );
    let cases = author.succeed(&project, &["plugin", "test"])?;
    assert!(!cases.is_empty(), "the cases of the template were played without a word");
    let checked = author.succeed(&project, &["check"])?;
    assert!(checked.contains("no mistakes"), "{checked}");
    let mut host = Running::start(author.command(&project, &["up"]))?;
    host.says("listening on ")?;
    let sent = author.succeed(&project, &["send", "event.json", "--wait"])?;
    assert!(sent.contains("stock-update."), "{sent}");
    assert_eq!(host.terminate()?, Some(0));
    Ok(())
}

#[test]
fn a_rust_project_serves_events_by_the_commands_of_its_readme() -> anyhow::Result<()> {
    serves("rust")
}

#[test]
fn a_javascript_project_serves_events_by_the_commands_of_its_readme() -> anyhow::Result<()> {
    serves("javascript")
}

#[test]
fn a_python_project_serves_events_by_the_commands_of_its_readme() -> anyhow::Result<()> {
    serves("python")
}

#[test]
fn a_go_project_serves_events_by_the_commands_of_its_readme() -> anyhow::Result<()> {
    serves("go")
}

#[test]
fn a_c_project_serves_events_by_the_commands_of_its_readme() -> anyhow::Result<()> {
    serves("c")
}

fn refused(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_new_project_overwrites_nothing_and_says_what_is_wrong_with_a_name() -> anyhow::Result<()> {
    let author = Author::new()?;
    let here = author.folder.path();
    let folder = author.project("crm");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("README.md"), "mine")?;
    let (code, said) = refused(&author.run(here, &["plugin", "new", "crm", "--lang", "rust"])?);
    assert_eq!((code, said.contains("README.md is there already; nothing was written")), (Some(2), true), "{said}");
    assert_eq!(std::fs::read_dir(&folder)?.count(), 1);
    let (code, said) = refused(&author.run(here, &["plugin", "new", "Stock Update", "--lang", "rust"])?);
    assert_eq!((code, said.contains("such as stock-update")), (Some(2), true), "{said}");
    let (code, said) = refused(&author.run(here, &["plugin", "new", "crm", "--lang", "pyton"])?);
    assert_eq!((code, said.contains("did you mean python?")), (Some(2), true), "{said}");
    Ok(())
}

#[test]
fn what_a_build_lacks_is_said_with_how_to_get_it() -> anyhow::Result<()> {
    let author = Author::new()?;
    let nothing = author.project("nothing");
    std::fs::create_dir(&nothing)?;
    let (code, said) = refused(&author.run(&nothing, &["plugin", "build"])?);
    assert_eq!((code, said.contains("no connector project in .") && said.contains("plugin new")), (Some(2), true), "{said}");
    let project = author.begin("crm", "rust")?;
    let without = author.command(&project, &["plugin", "build"]).env("PATH", &nothing).env_remove("CARGO").output()?;
    let (code, said) = refused(&without);
    assert_eq!(
        (code, said.contains("this build needs cargo: it is not on the PATH") && said.contains("rustup")),
        (Some(1), true),
        "{said}"
    );
    let wrong = author.command(&project, &["plugin", "build"]).env("CARGO", "/nowhere/cargo").output()?;
    let (code, said) = refused(&wrong);
    assert_eq!((code, said.contains("CARGO=\"/nowhere/cargo\" names no program")), (Some(1), true), "{said}");
    Ok(())
}

#[test]
fn a_change_is_built_and_runs_and_a_broken_one_leaves_what_ran() -> anyhow::Result<()> {
    let author = Author::new()?;
    let project = author.begin("crm", "rust")?;
    let mut dev = Running::start(author.command(&project, &["plugin", "dev", "--send", "event.json"]))?;
    dev.says("built build/crm.wasm")?;
    dev.says("listening on ")?;
    dev.says("sent a notice")?;
    let source = project.join("src/lib.rs");
    let text = std::fs::read_to_string(&source)?;
    std::fs::write(&source, text.replace("\"sent a notice\"", "\"sent another notice\""))?;
    dev.says("changed: src/lib.rs")?;
    dev.says("reloaded in ")?;
    dev.says("sent another notice")?;
    std::fs::write(&source, text.replace("fn post", "fn pots"))?;
    dev.says("the version before keeps running")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let answer: Value = runtime.block_on(async {
        let event =
            json!({ "specversion": "1.0", "id": "still", "source": "/x", "type": "job.completed", "data": { "technician": "Ada" } });
        Client::new(&author.url).send_and_wait(&event).await
    })?;
    assert_eq!(answer["runs"][0]["steps"][0]["attempts"][0]["logs"][0]["message"], "sent another notice", "{answer:#}");
    std::fs::write(&source, &text)?;
    dev.says("reloaded in ")?;
    assert_eq!(dev.terminate()?, Some(0));
    assert!(std::net::TcpStream::connect(&author.url["http://".len()..]).is_err(), "the host was left behind");
    Ok(())
}
