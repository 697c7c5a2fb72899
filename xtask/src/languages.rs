//! Connectors and guests in other languages than Rust: `sangam plugin build` makes them, as it does for any author.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};

use crate::tools::{release, root, run, step, target};

/// A project without a `Cargo.toml`.
struct Project {
    folder: PathBuf,
    /// Of `sdk`.
    language: &'static str,
    plugin: PathBuf,
}

/// Builds those whose sources are newer than what was made of them. Where a language's tools are missing, says so, and fails in CI.
pub(crate) fn build() -> anyhow::Result<()> {
    for project in projects()? {
        if project.is_fresh() {
            continue;
        }
        let name = project.folder.strip_prefix(root()).unwrap_or(&project.folder).display().to_string();
        if let Some(missing) = project.lacks()? {
            if std::env::var("CI").is_ok_and(|ci| ci == "true") {
                bail!("{name} can't be built: {missing}");
            }
            eprintln!("── {name} is skipped, and so is what is tested with it: {missing}");
            continue;
        }
        step(&format!("build {name} ({})", project.language), || {
            run(project.command(&[]).arg("--output").arg(&project.plugin).stdout(Stdio::null()))
        })?;
    }
    Ok(())
}

/// A language's own tests: of its SDK and its connector.
struct Suite {
    language: &'static str,
    /// Whose tools are looked for.
    guest: &'static str,
    /// Folder of the tree, program and arguments; a program with a slash is one of the target folder.
    commands: &'static [(&'static str, &'static str, &'static [&'static str])],
}

/// What is written in Go is tested by `tests/it/written_in_go.rs`.
const SUITES: [Suite; 3] = [
    Suite {
        language: "javascript",
        guest: "scripted-javascript",
        commands: &[("sdk/javascript", "npm", &["test", "--silent"]), ("plugins/slack", "npm", &["test", "--silent"])],
    },
    Suite {
        language: "python",
        guest: "scripted-python",
        commands: &[(".", "python/bin/python", &["-m", "pytest", "-q", "sdk/python", "plugins/overtime"])],
    },
    Suite {
        language: "c",
        guest: "scripted-c",
        commands: &[("sdk/c", "make", &["-s", "test"]), ("plugins/payroll", "make", &["-s", "test"])],
    },
];

/// Runs the tests that are written in other languages. What they need is there once the components are built.
pub(crate) fn test() -> anyhow::Result<()> {
    for Suite { language, guest, commands } in SUITES {
        // Where its tools are missing, the build has said so.
        if !release().join("guests").join(format!("{guest}.wasm")).is_file() {
            continue;
        }
        step(&format!("test the SDK and the connector in {language}"), || {
            for (folder, program, arguments) in commands {
                let program = if program.contains('/') { target().join(program) } else { PathBuf::from(program) };
                run(Command::new(program).args(*arguments).current_dir(root().join(folder)).env("PYTHONDONTWRITEBYTECODE", "1"))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn projects() -> anyhow::Result<Vec<Project>> {
    let mut projects = Vec::new();
    for (folder, to) in [("plugins", "plugins"), ("tests/guests", "guests")] {
        for entry in std::fs::read_dir(root().join(folder)).with_context(|| folder.to_owned())? {
            let folder = entry?.path();
            let Some(language) = language(&folder) else { continue };
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            projects.push(Project { plugin: release().join(to).join(format!("{name}.wasm")), folder, language });
        }
    }
    projects.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(projects)
}

/// What is no Rust and nothing else is no project.
fn language(folder: &Path) -> Option<&'static str> {
    if folder.join("Cargo.toml").exists() {
        return None;
    }
    let named = [("package.json", "javascript"), ("pyproject.toml", "python"), ("go.mod", "go"), ("compile_flags.txt", "c")];
    named.into_iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, language)| language)
}

impl Project {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(release().join("sangam"));
        command.args(["plugin", "build"]).arg(&self.folder).args(arguments);
        // Python's tools are large, and the same for all.
        command.env("SANGAM_PYTHON_VENV", target().join("python"));
        command
    }

    /// What is missing on this machine, as the author would be told.
    fn lacks(&self) -> anyhow::Result<Option<String>> {
        let output = self.command(&["--tools"]).output().context("asking for the tools")?;
        Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn is_fresh(&self) -> bool {
        let made = std::fs::metadata(&self.plugin).and_then(|found| found.modified());
        let sources = [self.folder.clone(), root().join("sdk").join(self.language), root().join("wit")];
        made.is_ok_and(|made| sources.iter().filter_map(|folder| newest(folder)).all(|changed| changed < made))
    }
}

/// When anything in a folder was last changed, but for what tools and tests leave there.
fn newest(folder: &Path) -> Option<SystemTime> {
    const LEFT_OUT: &[&str] = &["build", "node_modules", "target", "template", "tests", "test", "testing", "__pycache__"];
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().ok()?;
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) || kind.is_symlink() {
            return None;
        }
        if kind.is_dir() { newest(&entry.path()) } else { entry.metadata().ok()?.modified().ok() }
    });
    times.max()
}
