//! The connector that `test` and `certify` are about: a project's, or a component alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{descriptor, read};
use crate::cli::Failure;
use crate::rehearsal::{Description, Descriptions, Project};

/// Where a project's cases are.
const CASES: &str = "tests";
/// What a build leaves beside the component: without its descriptor.
const RAW: &str = "raw.wasm";
/// Where a build leaves the component.
const BUILD: &str = "build";

/// Finds the component, and reads it.
pub(super) async fn project(what: &Path) -> Result<Project, Failure> {
    let file = if what.is_dir() { built(what)? } else { what.to_owned() };
    let component = read(&file)?;
    let (descriptor, _) = descriptor(&component).await.map_err(Failure::Failed)?;
    let file = std::path::absolute(&file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    Ok(Project { file, component, descriptor })
}

/// The one component in `DIR/build`.
fn built(folder: &Path) -> Result<PathBuf, Failure> {
    let build = folder.join(BUILD);
    let missing =
        || Failure::Usage(format!("there is no component in {}: `sangam plugin build {}` makes it", build.display(), folder.display()));
    let entries = std::fs::read_dir(&build).map_err(|_| missing())?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm") && !path.ends_with(RAW))
        .collect();
    found.sort();
    match found.len() {
        0 => Err(missing()),
        1 => Ok(found.remove(0)),
        _ => {
            let named = folder.canonicalize().ok().and_then(|folder| Some(build.join(folder.file_name()?).with_extension("wasm")));
            let named = named.filter(|named| found.contains(named));
            named.ok_or_else(|| Failure::Usage(format!("there are several components in {}: name the one that is meant", build.display())))
        }
    }
}

/// Where the cases are: in the project, or beside the component (or beside the folder it was built into).
pub(super) fn cases_folder(what: &Path) -> PathBuf {
    if what.is_dir() {
        return what.join(CASES);
    }
    let beside = what.parent().unwrap_or(Path::new("."));
    let within = beside.join(CASES);
    if !within.is_dir() && beside.ends_with(BUILD) { beside.with_file_name(CASES) } else { within }
}

/// What a system's makers describe; `None`: nothing was named.
pub(super) fn descriptions(files: &[PathBuf]) -> Result<Option<Arc<Descriptions>>, Failure> {
    let read = |file: &PathBuf| {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| Failure::Usage(format!("can't read {shown}: {error}")))?;
        Description::parse(&text, &shown).map_err(|error| Failure::Usage(error.to_string()))
    };
    let read = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((!read.is_empty()).then(|| Arc::new(Descriptions::new(read))))
}
