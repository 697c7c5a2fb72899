//! What a component may ask for, as a reviewer sees it: in sets that can be compared, and in words.

use std::collections::BTreeSet;

/// What a component may ask for. It gets none of it by asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Interfaces and WASI packages that it imports, without versions: `sangam:connector/http`, `wasi:clocks`, `wasi:http/outgoing-handler`.
    pub imports: BTreeSet<String>,
    /// Origins that it expects to reach, perhaps with `${NAME}`; [`Permissions::ANY_HOST`] where it sends requests and names none.
    pub hosts: BTreeSet<String>,
    /// Requests that only read, as it says.
    pub read_only: BTreeSet<String>,
    /// Types of events that its actions may bring in, as it says.
    pub emits: BTreeSet<String>,
    /// Streams of events that it offers.
    pub streams: BTreeSet<String>,
}

impl Permissions {
    /// It sends requests and does not say where.
    pub const ANY_HOST: &str = "*";
    /// One of the two imports without which nothing leaves.
    pub const HTTP: &str = "sangam:connector/http";
    /// The other one: the way that its language's own HTTP client takes.
    pub const WASI_HTTP: &str = "wasi:http/outgoing-handler";
    /// The import without which nothing is kept.
    pub const KEY_VALUE: &str = "sangam:connector/key-value";
    /// The import of log lines.
    pub const LOG: &str = "sangam:connector/log";

    /// Whether it can send requests at all.
    pub fn sends(&self) -> bool {
        self.imports.contains(Self::HTTP) || self.imports.contains(Self::WASI_HTTP)
    }

    /// Each thing that it may ask for, as words after "it may".
    pub fn words(&self) -> Vec<String> {
        let hosts = self.hosts.iter().map(|host| match host.as_str() {
            Self::ANY_HOST => "send requests to hosts that it does not name".to_owned(),
            host => format!("send requests to {host}"),
        });
        let read_only = self.read_only.iter().map(|request| format!("have `{request}` count as a read"));
        let emits = self.emits.iter().map(|kind| format!("bring in events of type {kind}"));
        let streams = self.streams.iter().map(|stream| format!("bring in events by its stream {stream}"));
        let imports = self.imports.iter().filter(|import| *import != Self::HTTP).map(|import| match import.as_str() {
            Self::KEY_VALUE => "keep values in a space of its own in the store".to_owned(),
            Self::WASI_HTTP => "use its language's own HTTP client (wasi:http), by the same grants, limits and journal".to_owned(),
            Self::LOG => "write lines into the log of its runs".to_owned(),
            "wasi:clocks" => "tell the time and sleep, by the clock that the host gives it".to_owned(),
            "wasi:random" => "draw random numbers that the host gives it".to_owned(),
            "wasi:cli" => "write to standard output, which is its log; no environment or input is behind wasi:cli".to_owned(),
            wasi if wasi.starts_with("wasi:") => format!("call {wasi}, with nothing behind it"),
            other => format!("call {other}"),
        });
        hosts.chain(read_only).chain(emits).chain(streams).chain(imports).collect()
    }

    /// What it may ask for beyond another, as words.
    pub fn beyond(&self, other: &Permissions) -> Vec<String> {
        let others = other.words();
        self.words().into_iter().filter(|word| !others.contains(word)).collect()
    }
}
