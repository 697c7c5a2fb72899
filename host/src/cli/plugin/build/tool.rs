//! Other people's programs: found or explained, run with their output in view.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::{Failure, plain};

/// From then on a tool that says nothing is spoken of.
const SILENT: Duration = Duration::from_secs(2);
/// And then this often.
const AGAIN: Duration = Duration::from_secs(5);
/// No tool has more to say that is of use.
const MOST_OUTPUT: u64 = 64 << 20;

/// A program that a build needs and that is not part of Sangam.
#[derive(Debug)]
pub(super) struct Need {
    /// What it is for people: `Go 1.24 or later`.
    pub(super) what: &'static str,
    /// The environment variable that names another.
    pub(super) variable: &'static str,
    /// What it is called, the best first.
    pub(super) programs: &'static [&'static str],
    /// How to get it, as a sentence.
    pub(super) get: &'static str,
}

impl Need {
    /// Where it is: what the variable names, or the first program found on the `PATH`.
    pub(super) fn find(&self) -> Result<PathBuf, Failure> {
        if let Some(named) = std::env::var_os(self.variable).filter(|named| !named.is_empty()) {
            return on_path(&named)
                .ok_or_else(|| Failure::Failed(format!("{}={:?} names no program that can be run; {}", self.variable, named, self.get)));
        }
        self.programs.iter().find_map(|program| on_path(OsStr::new(program))).ok_or_else(|| self.missing("it is not on the PATH"))
    }

    /// What to say where it is not there, or not fit.
    pub(super) fn missing(&self, why: &str) -> Failure {
        Failure::Failed(format!("this build needs {}: {why} ({} names one elsewhere). {}", self.what, self.variable, self.get))
    }
}

/// A program by name or path.
pub(super) fn on_path(program: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let path = Path::new(program);
    if path.components().count() > 1 {
        return runs(path).then(|| std::path::absolute(path).ok()).flatten();
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| runs(path))
}

/// Where tools are run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workshop {
    /// Shows every command and all that it says.
    pub(super) verbose: bool,
}

impl Workshop {
    /// A compiler: what it says is for the author, and shown as it comes.
    pub(super) async fn run(self, what: &str, command: &mut Command) -> Result<(), Failure> {
        self.show(command);
        let child = command.stdin(Stdio::null()).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = child.spawn().map_err(|error| cannot_start(command, &error))?;
        // Standard output is ours: a compiler's words go where all words of a build go.
        if let Some(output) = child.stdout.take() {
            let mut lines = BufReader::new(output.take(MOST_OUTPUT)).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                anstream::eprintln!("{line}");
            }
        }
        let status = child.wait().await.map_err(Failure::failed)?;
        if status.success() { Ok(()) } else { Err(Failure::Failed(format!("{what} failed ({status}): see above"))) }
    }

    /// A compiler whose standard output is for us; what it says on standard error is shown as it comes.
    pub(super) async fn output(self, what: &str, command: &mut Command) -> Result<Vec<u8>, Failure> {
        self.show(command);
        let child = command.stdin(Stdio::null()).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = child.spawn().map_err(|error| cannot_start(command, &error))?;
        let mut bytes = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MOST_OUTPUT).read_to_end(&mut bytes).await.map_err(Failure::failed)?;
        }
        let status = child.wait().await.map_err(Failure::failed)?;
        if status.success() { Ok(bytes) } else { Err(Failure::Failed(format!("{what} failed ({status}): see above"))) }
    }

    /// An installer, which has much to say that is of interest only where it fails. Longer work shows that it goes on.
    pub(super) async fn quietly(self, what: &str, command: &mut Command) -> Result<(), Failure> {
        if self.verbose {
            return self.run(what, command).await;
        }
        anstream::eprintln!("{what} …");
        let child = command.stdin(Stdio::null()).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().map_err(|error| cannot_start(command, &error))?;
        let started = Instant::now();
        let ended = child.wait_with_output();
        tokio::pin!(ended);
        let mut pause = SILENT;
        let output = loop {
            match tokio::time::timeout(pause, &mut ended).await {
                Ok(output) => break output.map_err(Failure::failed)?,
                Err(_) => anstream::eprintln!("{what}: {} s", started.elapsed().as_secs()),
            }
            pause = AGAIN;
        };
        if output.status.success() {
            return Ok(());
        }
        for said in [&output.stdout, &output.stderr] {
            anstream::eprint!("{}", crate::cli::plain_lines(&String::from_utf8_lossy(said)));
        }
        Err(Failure::Failed(format!("{what} failed ({}): see above", output.status)))
    }

    /// What a tool says of itself; empty where it can't be asked.
    pub(super) async fn asked(self, command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    }

    fn show(self, command: &Command) {
        if self.verbose {
            let command = command.as_std();
            let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy());
            anstream::eprintln!("$ {}", plain(&words.collect::<Vec<_>>().join(" ")));
        }
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("can't start {}: {error}", command.as_std().get_program().to_string_lossy()))
}
