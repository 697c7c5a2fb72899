//! What a file refers to outside of itself: environment variables and other files.

use std::io::{self, Read};
use std::path::Path;

/// Largest file that a `${file:…}` may name, in bytes.
const MAX_REFERENCED_FILE_SIZE: u64 = 1 << 20;

/// What a file may refer to outside of itself.
pub struct Outside<'a> {
    /// The value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file.
    pub file: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl Outside<'static> {
    /// The environment of this process and the files of this machine.
    pub fn process() -> Self {
        Self { env: &|name| std::env::var(name).ok(), file: &|path| read_bounded(path, MAX_REFERENCED_FILE_SIZE) }
    }
}

/// The text of a file of at most `most` bytes.
pub(super) fn read_bounded(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(text)
}
