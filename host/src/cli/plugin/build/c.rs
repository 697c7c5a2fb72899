//! C: clang, a wasi-sdk or zig makes a core module of the project's and the SDK's sources, which becomes a component here.
//!
//! What the editor sees is what is built: the flags are those of `compile_flags.txt`, the file of clangd.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::raw;
use super::tool::{Workshop, on_path};
use crate::cli::Failure;

const TARGET: &str = "--target=wasm32-wasi";
/// Where a project has no `compile_flags.txt`.
const FLAGS: &str = "-Isangam-sdk/include\n-std=c11\n-Wall\n-Wextra";
/// Small, without what nobody calls.
const COMPILE: [&str; 4] = ["-Os", "-mexec-model=reactor", "-fno-exceptions", "-ffunction-sections"];
/// All of a stack is made anew after each call. In this one values as deep as an event's come through (tests/it/conformance.rs).
const LINK: [&str; 2] = ["-Wl,--strip-all", "-Wl,-z,stack-size=65536"];
/// So that running over the end of the stack traps and overwrites nothing. zig does it by itself, and knows no such flag.
const STACK_FIRST: &str = "-Wl,--stack-first";
/// Deepest folder of sources that is looked into, and most of them.
const DEEPEST: usize = 8;
const MOST_SOURCES: usize = 1000;

/// What there is to build with.
pub(super) async fn tools(folder: &Path, workshop: Workshop) -> Result<String, Failure> {
    let words = compiler(folder, workshop).await?;
    Ok(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}

/// Gives the core module.
pub(super) async fn module(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let flags = flags(folder)?;
    let sdk = sdk(folder, &flags)?;
    let mut sources = Vec::new();
    gather(&folder.join("src"), 0, &mut sources)?;
    gather(&sdk, 0, &mut sources)?;
    let compiler = compiler(folder, workshop).await?;
    let output = raw(folder);
    let mut build = Command::new(&compiler[0]);
    build.args(&compiler[1..]).args(COMPILE).args(&flags).args(&sources).args(LINK);
    let zig = compiler.iter().any(|word| word == "cc");
    if !zig {
        build.arg(STACK_FIRST);
    }
    build.arg("-o").arg(&output).current_dir(folder);
    workshop.run("the C compiler", &mut build).await?;
    Ok(output)
}

/// One flag a line; which machine they are for is ours to say.
fn flags(folder: &Path) -> Result<Vec<String>, Failure> {
    let file = folder.join("compile_flags.txt");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FLAGS.to_owned(),
        Err(error) => return Err(Failure::failed(format!("can't read {}: {error}", file.display()))),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.filter(|line| *line != "-fsyntax-only" && !line.starts_with("--target=")).map(str::to_owned).collect())
}

/// The folder of the SDK's sources: beside that of its header.
fn sdk(folder: &Path, flags: &[String]) -> Result<PathBuf, Failure> {
    let includes = flags.iter().filter_map(|flag| flag.strip_prefix("-I")).map(|path| folder.join(path));
    let found = includes.into_iter().find(|include| include.join("sangam.h").is_file()).map(|include| include.join("../src"));
    found.ok_or_else(|| {
        Failure::Failed("compile_flags.txt names no include folder with sangam.h; `sangam plugin new` writes it to sangam-sdk/".to_owned())
    })
}

/// The `.c` files under a folder, in order, so that the same sources make the same module.
fn gather(folder: &Path, depth: usize, sources: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("can't read {}: {error}", folder.display()));
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort();
    for path in entries {
        if path.is_dir() && depth < DEEPEST {
            gather(&path, depth + 1, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
        if sources.len() > MOST_SOURCES {
            return Err(Failure::Failed(format!("{} has more than {MOST_SOURCES} sources", folder.display())));
        }
    }
    Ok(())
}

/// The first compiler that can make modules for WASI: the named ones, clang with all that belongs to it, zig.
async fn compiler(folder: &Path, workshop: Workshop) -> Result<Vec<OsString>, Failure> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").filter(|named| !named.is_empty()) {
        let sdk = PathBuf::from(sdk);
        let clang = on_path(sdk.join("bin/clang").as_os_str());
        let clang = clang.ok_or_else(|| Failure::Failed(format!("WASI_SDK_PATH={} has no bin/clang in it", sdk.display())))?;
        // Newer ones name the target by the version of WASI.
        let newer = sdk.join("share/wasi-sysroot/lib/wasm32-wasip1").is_dir();
        return Ok(vec![clang.into(), if newer { "--target=wasm32-wasip1" } else { TARGET }.into()]);
    }
    // Not `CC`, which names the compiler for this very machine.
    if let Some(named) = std::env::var_os("SANGAM_CC").filter(|named| !named.is_empty()) {
        let clang = on_path(&named).ok_or_else(|| Failure::Failed(format!("SANGAM_CC={named:?} names no program that can be run")))?;
        if let Some(missing) = lacks(&clang, workshop).await {
            return Err(explained(&format!("{} (named by SANGAM_CC) has no {missing} for WebAssembly", clang.display())));
        }
        return Ok(vec![clang.into(), TARGET.into()]);
    }
    let clang = on_path("clang".as_ref());
    let why = match &clang {
        None => "clang was looked for on the PATH".to_owned(),
        Some(clang) => match lacks(clang, workshop).await {
            None => return Ok(vec![clang.into(), TARGET.into()]),
            Some(missing) => format!("{} was found, but it has no {missing} for WebAssembly", clang.display()),
        },
    };
    if let Some(zig) = on_path("zig".as_ref()) {
        return Ok(vec![zig.into(), "cc".into(), TARGET.into()]);
    }
    let pythons = [Some(folder.join(".venv/bin/python")), on_path("python3".as_ref())];
    for python in pythons.into_iter().flatten().filter(|python| python.is_file()) {
        let has = Command::new(&python).args(["-c", "import ziglang"]).kill_on_drop(true).output().await;
        if has.is_ok_and(|output| output.status.success()) {
            return Ok(vec![python.into(), "-m".into(), "ziglang".into(), "cc".into(), TARGET.into()]);
        }
    }
    Err(explained(&why))
}

/// What of a toolchain a clang lacks: each is a package of its own.
async fn lacks(clang: &Path, workshop: Workshop) -> Option<&'static str> {
    let parts = [
        ("-print-file-name=crt1-reactor.o", "C library (wasi-libc)"),
        ("-print-prog-name=wasm-ld", "linker (wasm-ld, package lld)"),
        ("-print-libgcc-file-name", "builtins library (libclang-rt-NN-dev-wasm32)"),
    ];
    for (question, part) in parts {
        let answer = workshop.asked(Command::new(clang).args([TARGET, question])).await;
        // A bare name is one that it did not find.
        if !Path::new(&answer).is_absolute() || !Path::new(&answer).exists() {
            return Some(part);
        }
    }
    None
}

fn explained(why: &str) -> Failure {
    Failure::Failed(format!(
        "there is no C compiler for WebAssembly: {why}. Install clang, lld, wasi-libc and libclang-rt-dev-wasm32 (Debian, Ubuntu: \
         `apt install clang lld wasi-libc libclang-rt-dev-wasm32`), or zig (`pip install ziglang`), or unpack a wasi-sdk and set WASI_SDK_PATH"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_s_flags_are_the_build_s_but_for_the_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "-Isdk/include\n\n--target=wasm32-wasi\n-fsyntax-only\n  -std=c11\n";
        std::fs::write(folder.path().join("compile_flags.txt"), text).expect("a file");
        assert_eq!(flags(folder.path()).expect("flags"), ["-Isdk/include", "-std=c11"]);
    }

    #[test]
    fn the_sdk_is_found_by_its_header_and_its_absence_is_explained() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = ["-Iother".to_owned(), "-Isdk/include".to_owned()];
        let missing = sdk(folder.path(), &flags).expect_err("there is none").to_string();
        assert!(missing.contains("sangam plugin new"), "{missing}");
        std::fs::create_dir_all(folder.path().join("sdk/include")).expect("a folder");
        std::fs::write(folder.path().join("sdk/include/sangam.h"), "").expect("a file");
        assert_eq!(sdk(folder.path(), &flags).expect("it is there"), folder.path().join("sdk/include/../src"));
    }
}
