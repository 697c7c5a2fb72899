//! Guests that no compiler would make: core modules as text (`tests/hostile`), wrapped into components by what wraps every plugin.

use std::path::PathBuf;

use anyhow::Context as _;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

fn source(path: &str) -> anyhow::Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hostile").join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The component of a guest; `{{part}}` in its text stands for a file of `parts`.
pub fn hostile(name: &str) -> anyhow::Result<Vec<u8>> {
    let mut text = source(&format!("{name}.wat"))?;
    while let Some((before, rest)) = text.split_once("{{") {
        let (part, after) = rest.split_once("}}").context("a part's name ends")?;
        text = format!("{before}{}{after}", source(&format!("parts/{part}.wat"))?);
    }
    component(&text).with_context(|| name.to_owned())
}

/// The component of a core module in text, which has the contract's exports.
pub fn component(module: &str) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    resolve.push_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    let package = resolve.push_str("world.wit", &source("world.wit")?)?;
    let world = if module.contains("[resource-new]") { "hostile-with-a-resource" } else { "hostile" };
    let world = resolve.select_world(&[package], Some(world))?;
    let mut module = wat::parse_str(module)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

/// A component with nothing more in it than before, but larger than a mebibyte.
pub fn big(component: Vec<u8>) -> Vec<u8> {
    // A custom section: id 0, size in five bytes of LEB128, a name of one letter, zeros.
    let size = (2_u32 << 20) + 2;
    let leb: Vec<u8> = (0..5).map(|at| (size >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 }).collect();
    [component, vec![0], leb, vec![1, b'x'], vec![0; 2 << 20]].concat()
}
