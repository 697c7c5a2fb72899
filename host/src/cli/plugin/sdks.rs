//! The SDKs that travel in the binary.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::build::Language;

/// Packed by the build script: `LANG/…` of `sdk`, and `wit/…`.
const SDKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sdks.tar"));

/// A file of an SDK.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SdkFile {
    /// Where it belongs: in a template relative to the project, otherwise to the SDK's folder.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
}

/// The SDK of a language as a project has it beside itself, with the contract in `wit`.
pub(super) fn sdk(language: Language) -> Vec<SdkFile> {
    let of_language = under(language.name()).into_iter().filter(|file| !file.path.starts_with("template"));
    let contract = under("wit").into_iter().map(|file| SdkFile { path: Path::new("wit").join(file.path), ..file });
    of_language.chain(contract).collect()
}

/// The template of a language's projects.
pub(super) fn template(language: Language) -> Vec<SdkFile> {
    under(&format!("{}/template", language.name()))
}

/// The files of a folder of the archive.
fn under(folder: &str) -> Vec<SdkFile> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(SDKS);
    for entry in archive.entries().expect("the build script packed an archive") {
        let mut entry = entry.expect("the build script packed an archive");
        let Some(path) = entry.path().ok().and_then(|path| path.strip_prefix(folder).map(Path::to_path_buf).ok()) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("memory can be read");
        files.push(SdkFile { path, bytes });
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rust_sdk_is_whole_and_has_the_contract_beside_it() {
        let files = sdk(Language::Rust);
        let has = |path: &str| files.iter().any(|file| file.path == Path::new(path));
        assert!(has("Cargo.toml") && has("src/lib.rs") && has("wit/actions.wit"), "{files:?}");
        assert!(!files.iter().any(|file| file.path.starts_with("template") || file.path.starts_with("tests")));
    }

    #[test]
    fn every_sdk_in_the_tree_has_a_template_and_what_can_be_written_anywhere() {
        for language in Language::ALL {
            if sdk(language).len() == under("wit").len() {
                continue;
            }
            let files = template(language);
            assert!(!files.is_empty(), "{} has no template", language.name());
            for file in files {
                assert!(file.path.is_relative() && !file.path.to_string_lossy().contains(".."), "{:?}", file.path);
            }
        }
    }
}
