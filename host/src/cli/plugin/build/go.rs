//! Go: its own compiler makes a core module for WASI preview 1, which becomes a component here.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::raw;
use super::tool::{Need, Workshop};
use crate::cli::Failure;

const GO: Need = Need {
    what: "Go 1.24 or later",
    variable: "SANGAM_GO",
    programs: &["go"],
    get: "Install it from https://go.dev/dl (macOS: `brew install go`; Debian's package may be too old), then run this again",
};

/// The first that can export functions of a module.
const OLDEST: (u32, u32) = (1, 24);

/// Gives the core module.
pub(super) async fn module(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let go = GO.find()?;
    let version = workshop.asked(Command::new(&go).args(["env", "GOVERSION"]).current_dir(folder)).await;
    if release(&version).is_some_and(|release| release < OLDEST) {
        return Err(GO.missing(&format!("{} is {version}", go.display())));
    }
    let output = raw(folder);
    let mut build = Command::new(go);
    build.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&output).arg(".");
    build.env("GOOS", "wasip1").env("GOARCH", "wasm").current_dir(folder);
    workshop.run("go build", &mut build).await?;
    Ok(output)
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
}
