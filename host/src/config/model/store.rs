//! `[store]` and `[secrets]`: where things are kept, for how long, and under which key.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite://PATH`, the path made absolute, or `postgres://USER@HOST/DATABASE`, perhaps with a password.
    pub url: String,
    /// How long events whose runs have ended are kept.
    pub retention: Retention,
    /// How long dead letters are kept.
    pub dead_letter_retention: Retention,
    /// How long (`source`, `id`) pairs are remembered.
    pub dedup_window: Duration,
    /// Room left on the store's disk below which no more events are taken in, bytes; 0: not looked at.
    pub min_free_space: u64,
}

impl Store {
    /// Where this host keeps what is not in the database: the folder of the file, or with a server that of the default one.
    pub fn folder(&self, base: &Path) -> PathBuf {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => Path::new(path).parent().unwrap_or(Path::new(".")).to_owned(),
            None => base.join("data"),
        }
    }
}

/// For how long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Until it is this old.
    For(Duration),
    /// `"forever"`.
    Forever,
}

/// `[secrets]`: where the key that seals secrets comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// A file, made at first use with mode 0600.
    File(PathBuf),
    /// An environment variable that holds the key, base64.
    Env(String),
    /// A command whose standard output is the key, base64.
    Command(Vec<String>),
}
