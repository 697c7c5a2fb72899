//! Programs of others that do the same work: found or built where their tools are, once, under `target/peers`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::sinks::Sinks;

/// A tool is not here: a sentence that says how to get it.
#[derive(Debug)]
pub(crate) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; so there is no reference", self.0)
    }
}

/// Something of a peer, or how to get it.
pub(crate) type Found<T> = Result<T, Missing>;

/// `go build` wants this; Debian's is called so, too.
const GO: &str = "no Go here (`go version` fails): install it from Debian (`apt-get install golang-go`) or as golang.org says";
const NODE: &str = "no Node.js with npm here (`npm --version` fails): on Debian, `apt-get install nodejs npm`";
const POSTGRES: &str =
    "no PostgreSQL with pgbench here (`pgbench --version` fails, or there is no initdb): on Debian, `apt-get install postgresql`";
const WASM: &str = "the compiler lacks a target: `rustup target add wasm32-unknown-unknown`";

/// The pipeline of three requests in Go, from its standard library alone.
pub(crate) fn go() -> anyhow::Result<Found<Command>> {
    build_go("go", "pipeline.go", &[("GO111MODULE", "off")])
}

/// The same of Benthos' parts. Its modules come through Go's own client.
pub(crate) fn benthos() -> anyhow::Result<Found<Command>> {
    build_go("benthos", ".", &[])
}

/// The same as a Node-RED flow. Its packages come through npm.
pub(crate) fn node_red() -> anyhow::Result<Found<Command>> {
    if !answers("npm") || !answers("node") {
        return Ok(Err(Missing(NODE.to_owned())));
    }
    let home = made("node-red")?;
    for file in ["package.json", "package-lock.json", "pipeline.mjs"] {
        std::fs::copy(source("node-red").join(file), home.join(file))?;
    }
    if !home.join("node_modules/node-red").is_dir() {
        eprintln!("   fetching Node-RED");
        // No package of it has to run anything of its own at install.
        finish(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(&home))?;
    }
    let mut command = Command::new("node");
    command.arg(home.join("pipeline.mjs"));
    Ok(Ok(command))
}

/// The host with Extism in it, and its guest.
pub(crate) fn extism() -> anyhow::Result<Found<(PathBuf, PathBuf)>> {
    let (home, target) = (source("extism"), made("extism")?);
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(["build", "--quiet", "--locked"]).args(arguments).current_dir(&home).env("CARGO_TARGET_DIR", &target);
        command
    };
    eprintln!("   building the peer with Extism (minutes, the first time)");
    let mut guest = cargo(&["--profile", "plugin", "--target", "wasm32-unknown-unknown", "-p", "sangam-bench-extism-guest"]);
    if let Err(error) = finish(&mut guest) {
        return match format!("{error:#}").contains("can't find crate for `core`") {
            true => Ok(Err(Missing(WASM.to_owned()))),
            false => Err(error),
        };
    }
    finish(&mut cargo(&["--release", "-p", "sangam-bench-extism"]))?;
    let guest = target.join("wasm32-unknown-unknown/plugin/sangam_bench_extism_guest.wasm");
    Ok(Ok((target.join("release/sangam-bench-extism"), guest)))
}

/// The least that a pipeline must do to keep its events. The compiler that built this builds it.
pub(crate) fn floor() -> anyhow::Result<PathBuf> {
    let target = made("floor")?;
    eprintln!("   building the peer floor (a minute, the first time)");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--locked", "--release"]).current_dir(source("floor")).env("CARGO_TARGET_DIR", &target);
    finish(&mut build)?;
    Ok(target.join("release/sangam-bench-floor"))
}

/// PostgreSQL's own `pgbench`, where there is a server to be started, too.
pub(crate) fn pgbench() -> anyhow::Result<Found<Command>> {
    let is_there = sangam_tests::postgres::is_there()? && answers("pgbench");
    Ok(if is_there { Ok(Command::new("pgbench")) } else { Err(Missing(POSTGRES.to_owned())) })
}

/// A pipeline that posts to these sinks.
pub(crate) fn to(pipeline: &Command, sinks: &Sinks) -> Command {
    let mut command = Command::new(pipeline.get_program());
    command.args(pipeline.get_args()).args(sinks.addresses.iter().map(|sink| format!("http://{sink}/")));
    command
}

fn build_go(folder: &str, package: &str, environment: &[(&str, &str)]) -> anyhow::Result<Found<Command>> {
    if !Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        return Ok(Err(Missing(GO.to_owned())));
    }
    eprintln!("   building the pipeline of peers/{folder}");
    let program = made(folder)?.join("pipeline");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(package).current_dir(source(folder));
    finish(build.env("CGO_ENABLED", "0").envs(environment.iter().copied()))?;
    Ok(Ok(Command::new(program)))
}

fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs to its end; what it says is the error.
pub(crate) fn finish(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is in the tree.
fn source(peer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(peer)
}

/// Where it is built: beside the release build.
fn made(peer: &str) -> anyhow::Result<PathBuf> {
    let program = sangam_tests::sangam();
    let target = program.parent().and_then(Path::parent).context("the program is in a target folder")?;
    let folder = target.join("peers").join(peer);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
