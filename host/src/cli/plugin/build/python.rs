//! Python: the SDK's own driver runs componentize-py in a virtual environment of the project.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::tool::{Need, Workshop};
use super::{raw, sdk_file};
use crate::cli::Failure;

const PYTHON: Need = Need {
    what: "Python 3.10 or later with venv",
    variable: "SANGAM_PYTHON",
    programs: &["python3", "python"],
    get: "Install it (Debian, Ubuntu: `apt install python3 python3-venv`; macOS: `brew install python`)",
};

/// Says whether it is fit: by its status.
const FIT: &str = "import sys,venv,ensurepip; sys.exit(sys.version_info < (3,10))";

/// What there is to build with.
pub(super) async fn tools() -> Result<String, Failure> {
    let found = PYTHON.find()?;
    let fit = Command::new(&found).args(["-c", FIT]).kill_on_drop(true).output().await;
    if !fit.is_ok_and(|output| output.status.success()) {
        return Err(PYTHON.missing(&format!("{} is older, or has no venv", found.display())));
    }
    Ok(found.display().to_string())
}

/// Gives the component.
pub(super) async fn component(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let driver = sdk_file(folder, "python", "build.py")?;
    let output = raw(folder);
    let mut build = Command::new(python(folder, workshop).await?);
    build.arg(driver).arg("--project").arg(folder).arg("--output").arg(&output);
    // Connectors of one tree may share what is installed.
    if let Some(shared) = std::env::var_os("SANGAM_PYTHON_VENV") {
        build.arg("--venv").arg(shared);
    }
    build.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    workshop.run("the build of the Python component", &mut build).await?;
    Ok(output)
}

/// The project's own, which is made the first time.
async fn python(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let own = folder.join(".venv/bin/python");
    let shared = std::env::var_os("SANGAM_PYTHON_VENV").is_some();
    if own.is_file() && !shared {
        return Ok(own);
    }
    let found = tools().await?;
    if shared {
        return Ok(found.into());
    }
    let mut make = Command::new(&found);
    make.args(["-m", "venv", ".venv"]).current_dir(folder);
    workshop.quietly("making .venv, Python's environment of this project", &mut make).await?;
    Ok(own)
}
