//! The console's files, packed for `api::console`: each with its content type, and packed by gzip where that makes it smaller.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

/// More would be something that got in by mistake.
const MOST_BYTES: usize = 2 << 20;

/// Writes `console.rs` into `out`: the expression of a table of `(path, content type, bytes, bytes packed)`.
pub fn pack(folder: &Path, out: &Path) {
    let mut files = Vec::new();
    gather(folder, &mut files);
    files.sort();
    let packed = out.join("console");
    fs::create_dir_all(&packed).expect("OUT_DIR can be written");
    let (mut table, mut total) = (String::from("&[\n"), 0);
    for (index, file) in files.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file
            .strip_prefix(folder)
            .expect("it was found there")
            .to_str()
            .expect("the console's files have plain names")
            .replace('\\', "/");
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("can't read {}: {error}", file.display()));
        total += bytes.len();
        // Without a name and a time, so that the same file is packed the same.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(&bytes).expect("memory can be written");
        let small = gzip.finish().expect("memory can be written");
        let whole = fs::canonicalize(file).expect("it has been read");
        let gzip = if small.len() < bytes.len() {
            let place = packed.join(format!("{index}.gz"));
            fs::write(&place, small).expect("OUT_DIR can be written");
            format!("Some(include_bytes!({place:?}))")
        } else {
            "None".to_owned()
        };
        writeln!(table, "    ({name:?}, {:?}, include_bytes!({whole:?}), {gzip}),", content_type(&name)).expect("text can be written");
    }
    assert!(total <= MOST_BYTES, "the console has {total} bytes, at most {MOST_BYTES}: what got in?");
    table.push(']');
    fs::write(out.join("console.rs"), table).expect("OUT_DIR can be written");
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("can't read {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be read to its end").path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "txt" | "LICENSE" => "text/plain; charset=utf-8",
        other if other.ends_with("LICENSE") => "text/plain; charset=utf-8",
        _ => panic!("{name}: a browser would not know what this is; name its content type in host/build/console.rs"),
    }
}
