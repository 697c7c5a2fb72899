//! Puts what travels in the binary where it is included: connectors (`registry::builtin`), SDKs (`cli::plugin::new`) and the console
//! (`api::console`).
//!
//! `cargo xtask` builds the components first and names the file in `SANGAM_BUILTIN_HTTP`. A plain `cargo build` builds it here, in a target
//! folder of its own (cargo's own is locked meanwhile).

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/console.rs"]
mod console;
#[path = "build/sdks.rs"]
mod sdks;

fn main() {
    println!("cargo::rerun-if-env-changed=SANGAM_BUILTIN_HTTP");
    for source in ["../wit", "../sdk/rust/src", "../plugins/http/src"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let component = match std::env::var_os("SANGAM_BUILTIN_HTTP") {
        Some(file) => {
            println!("cargo::rerun-if-changed={}", Path::new(&file).display());
            PathBuf::from(file)
        }
        None => build(&out),
    };
    let bytes = std::fs::read(&component).unwrap_or_else(|error| panic!("can't read {}: {error}", component.display()));
    std::fs::write(out.join("http.wasm"), embed(bytes, &http::descriptor())).expect("OUT_DIR can be written");
    console::pack(Path::new("console"), &out);
    std::fs::write(out.join("sdks.tar"), sdks::pack(Path::new(".."))).expect("OUT_DIR can be written");
}

/// The connector itself, natively: says here what its component says when it is asked, so that no host has to run it for that.
#[path = "../plugins/http/src/lib.rs"]
#[allow(dead_code, reason = "only its descriptor is wanted")]
mod http;

/// The component with its descriptor as a custom section (see `registry::custom_section`).
fn embed(mut component: Vec<u8>, descriptor: &str) -> Vec<u8> {
    use wasm_encoder::{CustomSection, Encode as _, Section as _};
    let section = CustomSection { name: "sangam:descriptor".into(), data: descriptor.as_bytes().into() };
    component.push(section.id());
    section.encode(&mut component);
    component
}

fn build(out: &Path) -> PathBuf {
    let target = out.join("builtin");
    let status = Command::new(std::env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["build", "--profile", "plugin", "--target", "wasm32-wasip2", "--package", "sangam-plugin-http"])
        .env("CARGO_TARGET_DIR", &target)
        // Flags for the host's own target don't fit the guest's.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "builtin:http did not build; `rustup target add wasm32-wasip2` adds the target it needs");
    target.join("wasm32-wasip2/plugin/sangam_plugin_http.wasm")
}
