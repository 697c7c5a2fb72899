//! `cargo xtask fuzz`: libFuzzer on whatever reads bytes from outside (`tests/fuzz`), with the release's own dependencies.
//!
//! `cargo fuzz` compiles every dependency once more with instrumentation, wasmtime among them. Here only the host's own crate is instrumented: this very
//! program stands between cargo and rustc for the crates of the workspace (`RUSTC_WORKSPACE_WRAPPER`). Stable Rust can do all of it. The layout is that of
//! `cargo fuzz`, which works too: `cargo fuzz run --fuzz-dir tests/fuzz TARGET`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::build::builtin;
use crate::tools::{cargo, release, root, run, step, target};

const HELP: &str = "\
cargo xtask fuzz [TARGET…] [--seconds N]

  TARGET       event, configuration, expression, component, schema, body, hooks_verify; all, if none is named
  --seconds N  how long each target runs (10)

What is found is kept in target/fuzz/TARGET; `cargo xtask fuzz TARGET FILE` runs that one input again. An input that found something becomes a test of what it
found, and a file of tests/fuzz/corpus/TARGET.
";

/// Targets and their dictionaries.
const TARGETS: [(&str, &str); 7] = [
    ("event", "json"),
    ("configuration", "toml"),
    ("expression", "expression"),
    ("component", ""),
    ("schema", "json"),
    ("body", "json"),
    ("hooks_verify", "hooks"),
];
/// Set for the compilers that this program stands before.
const WRAPPING: &str = "SANGAM_FUZZ_WRAPPER";
/// What `cargo fuzz` gives the compiler for coverage, with the checks of a debug build.
const FLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Copt-level=1",
];
/// An allocation or a run of one input beyond these has found something.
const MOST_MEMORY_MB: u32 = 2048;
const LONGEST_RUN_S: u32 = 10;

/// Runs the targets.
pub(crate) fn fuzz(arguments: &[String]) -> anyhow::Result<()> {
    let (mut seconds, mut targets, mut input) = (10_u32, Vec::new(), None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            "--seconds" => seconds = rest.next().and_then(|text| text.parse().ok()).context("--seconds takes a number")?,
            name => match TARGETS.iter().find(|(target, _)| *target == name) {
                Some(target) => targets.push(*target),
                None if Path::new(name).is_file() && targets.len() == 1 => input = Some(std::path::absolute(name)?),
                None => bail!("no fuzz target {name:?}\n\n{HELP}"),
            },
        }
    }
    if targets.is_empty() {
        targets = TARGETS.to_vec();
    }
    if !has_cxx() {
        let why = "the fuzzer needs a C++ compiler (Debian: apt-get install g++)";
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            bail!(why);
        }
        eprintln!("── fuzzing is skipped: {why}");
        return Ok(());
    }
    step("build the fuzz targets", build)?;
    for (name, dictionary) in targets {
        match &input {
            Some(input) => run(Command::new(program(name)).arg(input))?,
            None => step(&format!("fuzz {name} for {seconds} s"), || one(name, dictionary, seconds))?,
        }
    }
    Ok(())
}

fn build() -> anyhow::Result<()> {
    let (variable, component) = builtin();
    let this = std::env::current_exe().context("where this program is")?;
    // The packages of the release beside it, so that what they share has the same features and is not compiled again; of their programs none.
    let packages = ["sangam", "sangam-saas", "sangam-tests", "sangam-fuzz"].map(|package| ["-p", package]).concat();
    let programs: Vec<&str> = TARGETS.iter().flat_map(|(name, _)| ["--bin", name]).collect();
    let mut build = cargo(&[&["build", "--release", "--quiet"], &packages[..], &programs].concat());
    run(build.env("RUSTC_WORKSPACE_WRAPPER", this).env(WRAPPING, "1").env(variable, component))
}

/// One target. What libFuzzer says goes to a file: of interest is what it found, or how much it tried.
fn one(name: &str, dictionary: &str, seconds: u32) -> anyhow::Result<()> {
    let fuzz = root().join("tests/fuzz");
    let found = target().join("fuzz").join(name);
    let grown = found.join("corpus");
    std::fs::create_dir_all(&grown)?;
    let mut command = Command::new(program(name));
    // New inputs are kept in the first folder, outside of the sources.
    command.arg(&grown).arg(fuzz.join("corpus").join(name));
    if name == "component" {
        // Real ones to begin with: what the build made.
        command.arg(release().join("plugins")).arg("-max_len=400000");
    }
    if !dictionary.is_empty() {
        command.arg(format!("-dict={}", fuzz.join("dictionaries").join(format!("{dictionary}.dict")).display()));
    }
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={LONGEST_RUN_S}"))
        .arg(format!("-rss_limit_mb={MOST_MEMORY_MB}"));
    command.arg("-print_final_stats=1").arg(format!("-artifact_prefix={}/", found.display()));
    let log = found.join("log");
    let file = std::fs::File::create(&log)?;
    let status =
        command.stdout(file.try_clone()?).stderr(file).status().with_context(|| format!("can't start {}", program(name).display()))?;
    let said = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    if !status.success() {
        let last: Vec<&str> = said.lines().rev().take(60).collect();
        eprintln!("{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        bail!(
            "{name} found something: run it again with `cargo xtask fuzz {name} FILE`, the file being the one named above ({})",
            log.display()
        );
    }
    let figure =
        |name: &str| said.lines().rev().find_map(|line| line.strip_prefix(&format!("stat::{name}:"))).unwrap_or("?").trim().to_owned();
    eprintln!(
        "   {} inputs, {} of them new ground, at most {} MiB",
        figure("number_of_executed_units"),
        figure("new_units_added"),
        figure("peak_rss_mb")
    );
    Ok(())
}

fn program(name: &str) -> PathBuf {
    release().join(name)
}

fn has_cxx() -> bool {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// As the compiler's wrapper (`WRAPPER RUSTC ARGUMENTS…`): adds the instrumentation where the host's own library is compiled.
pub(crate) fn wrapped() -> Option<ExitCode> {
    std::env::var_os(WRAPPING)?;
    let mut words = std::env::args_os().skip(1);
    let mut compile = Command::new(words.next()?);
    let words: Vec<OsString> = words.collect();
    let is_host = words.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == "sangam");
    compile.args(&words);
    if is_host && words.iter().any(|word| word == "lib") {
        compile.args(FLAGS);
    }
    let status = compile.status().ok().and_then(|status| status.code()).unwrap_or(1);
    Some(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}
