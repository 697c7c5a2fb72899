//! The absences that hold the house up, read off the source text of `host/src`. `ARCHITECTURE.md` says why each is there.
//!
//! Comments are left out, and so is test code: a test may look behind a wall that the program may not.

use std::path::{Path, PathBuf};

/// One source file of the host, without comments and tests.
struct Source {
    /// Relative to `host/src`, with slashes.
    path: String,
    /// The code, line by line, with line numbers from 1.
    lines: Vec<(usize, String)>,
}

impl Source {
    /// Whether the file is, or is in, one of these: `store`, `cli/up.rs`.
    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            let rest = self.path.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
        })
    }
}

/// All of the host's code. Fails where it is not found, so that no rule holds for want of something to look at.
fn house() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("an entry of a folder that is being read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&root, &path) {
                sources.push(source(&root, &path));
            }
        }
    }
    assert!(sources.len() > 100, "only {} files in {}", sources.len(), root.display());
    sources
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).expect("a file of the folder that was read").to_owned()
}

fn is_test(root: &Path, path: &Path) -> bool {
    relative(root, path).iter().any(|part| part == "tests" || part == "tests.rs")
}

fn source(root: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // By this house's habit a module of tests ends its file.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let without_comment = |line: &str| {
        // `//` within a string is part of a URL.
        let comment = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
        line[..comment.unwrap_or(line.len())].to_owned()
    };
    let lines = code.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line))).collect();
    Source { path: relative(root, path).to_string_lossy().replace('\\', "/"), lines }
}

/// Whether a line uses a word as a path: `word::…` or `use word;`, not as part of a longer word or of a text.
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let rest = &line[at + word.len()..];
        let begins = !line[..at].chars().next_back().is_some_and(part_of_word);
        begins && (rest.starts_with("::") || (line.contains("use ") && rest.starts_with(';')))
    })
}

/// Lines outside of `places` that use the crate.
fn strays(krate: &str, places: &[&str]) -> Vec<String> {
    let house = house();
    let inside = house.iter().filter(|source| source.is_in(places)).flat_map(|source| &source.lines);
    assert!(inside.clone().any(|(_, line)| uses(line, krate)), "nobody uses {krate}: the rule looks for the wrong word");
    let outside = house.iter().filter(|source| !source.is_in(places));
    let lines = outside.flat_map(|source| source.lines.iter().map(|(number, line)| (&source.path, number, line)));
    lines.filter(|(.., line)| uses(line, krate)).map(|(path, number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

fn none(strays: &[String], rule: &str) {
    assert!(strays.is_empty(), "{rule}; but:\n{}", strays.join("\n"));
}

#[test]
fn only_the_store_knows_sql() {
    none(&strays("sqlx", &["store"]), "SQL is in `store`, which gives domain types");
}

#[test]
fn only_the_engine_knows_wasmtime() {
    none(&strays("wasmtime", &["engine"]), "wasmtime is in `engine`, and leaves it as a value");
    none(&strays("wasmtime_wasi", &["engine"]), "WASI is in `engine`");
}

#[test]
fn only_ingress_and_api_know_axum() {
    // `server` serves a router, and knows nothing of what is in it. `cli/connect.rs` waits for one request of the
    // person's own browser.
    none(&strays("axum", &["ingress", "api", "server", "cli/connect.rs"]), "axum is in `ingress` and `api`");
}

#[test]
fn only_the_table_of_routes_makes_routes() {
    // There every way in says what it needs; `every_route_needs_what_its_line_says` walks them.
    none(&mentions("Router::new()", &["api/routes.rs", "cli/connect.rs"]), "routes are in the table of `api/routes.rs`");
}

#[test]
fn only_the_configuration_knows_toml() {
    none(&strays("toml", &["config"]), "TOML is in `config`; everyone else gets types that are already valid");
}

#[test]
fn sockets_open_in_few_places() {
    // `outbound` and `credentials` send on a plugin's behalf. `cli/client.rs` is the operator's own client of a host, and
    // `cli/send.rs` names its methods and statuses. `registry/client.rs` speaks to registries that the administrator wrote.
    // `cli/ready.rs` names a method, too.
    // `telemetry/otlp` sends to the collector that the administrator wrote.
    // `access/oidc/provider.rs` asks the provider where people log in, on nobody's behalf. `cli/plugin/dev.rs` names a method, as `cli/send.rs` does.
    let clients = [
        "outbound",
        "credentials",
        "registry/client.rs",
        "access/oidc/provider.rs",
        "cli/client.rs",
        "cli/send.rs",
        "cli/plugin/dev.rs",
        "cli/ready.rs",
        "telemetry/otlp",
    ];
    none(&strays("reqwest", &clients), "HTTP leaves through `outbound` and `credentials`");
    // What plugins send goes through a client without reqwest, and nothing else does.
    none(&strays("hyper_rustls", &["outbound/client.rs"]), "HTTP leaves through `outbound`");
    none(&mentions("hyper_util::client", &["outbound/client.rs", "outbound/resolver.rs"]), "HTTP leaves through `outbound`");
    // `builtin/mail/relay.rs` dials the relays that the administrator wrote; mail is no HTTP.
    // `nats/greeting.rs` hears out a server that the administrator wrote, before anybody has logged in: the client of `nats` would log in.
    // `doctor/host.rs` finds out whether a host could listen, and opens nothing.
    // `outbound` resolves names, checked; `cli/up.rs` listens, `server` accepts, and `cli/connect.rs` listens on loopback for a vendor's answer.
    none(
        &strays(
            "tokio::net",
            &[
                "outbound/resolver.rs",
                "cli/up.rs",
                "server/connections.rs",
                "cli/connect.rs",
                "builtin/mail/relay.rs",
                "nats/greeting.rs",
                "doctor/host.rs",
            ],
        ),
        "nobody else resolves names or opens sockets",
    );
    for raw in ["TcpStream", "TcpListener", "UdpSocket", "UnixStream"] {
        none(
            &mentions(raw, &["cli/up.rs", "server/connections.rs", "cli/connect.rs", "builtin/mail/relay.rs", "nats/greeting.rs"]),
            "nobody opens a socket by hand",
        );
    }
}

#[test]
fn only_nats_and_its_source_know_the_broker_s_client() {
    // `nats` connects and publishes; `ingress/nats` reads what a consumer is sent.
    none(&strays("async_nats", &["nats", "ingress/nats"]), "NATS is in `nats`, and in `ingress/nats` for what comes in");
}

#[test]
fn pure_modules_do_no_io_and_read_no_clock() {
    const PURE: &[&str] = &["asyncapi", "catalogue", "event", "hooks", "router", "mapping", "personal", "run", "schema", "source"];
    // Time, files, network, environment and randomness are arguments. `mapping` does await a thread and a timer
    // (`tokio::sync`, `tokio::time::timeout`), since it must bound expressions: neither tells it the time.
    const FORBIDDEN: &[&str] = &[
        "std::fs",
        "std::env",
        "std::process",
        "tokio::fs",
        "tokio::net",
        "tokio::process",
        "reqwest",
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "new_v4",
        "now_v7",
        "getrandom",
        "SystemRandom",
    ];
    let house = house();
    let pure: Vec<&Source> = house.iter().filter(|source| source.is_in(PURE)).collect();
    for module in PURE {
        assert!(pure.iter().any(|source| source.is_in(&[module])), "there is no module {module} any more");
    }
    let mut found = Vec::new();
    for source in pure {
        for (number, line) in &source.lines {
            if FORBIDDEN.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none(&found, "`asyncapi`, `catalogue`, `event`, `hooks`, `router`, `mapping`, `personal`, `run`, `schema` and `source` are pure");
}

#[test]
fn unsafe_code_is_one_reviewed_block() {
    // Loading code that this installation compiled and authenticated: see the comment there.
    none(&mentions("unsafe {", &["engine/cache.rs"]), "unsafe code is in `engine/cache.rs` alone");
    none(&mentions("unsafe fn", &[]), "no function is unsafe");
}

/// A write of the SDK is sent only once it has a name or is said to have none.
#[test]
fn first_party_connectors_name_every_write() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")];
    let (mut named, mut unnamed) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the connectors") {
            let path = entry.expect("an entry of a folder that is being read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                named += text.matches(".name(").count();
                unnamed.extend(text.contains("unnamed()").then(|| path.display().to_string()));
            }
        }
    }
    assert!(named >= 5, "only {named} named writes: the rule looks for the wrong word");
    none(&unnamed, "first-party connectors name every write");
}

#[test]
fn there_are_no_process_wide_statics() {
    // `mapping/meter.rs` keeps the budget of the present evaluation per thread, as jq's library offers no place for it.
    let meter = ["mapping/meter.rs"];
    for word in ["static mut ", "LazyLock", "OnceLock", "lazy_static"] {
        none(&mentions(word, &meter), "state belongs to somebody");
    }
    // How long a thread has had a processor is that thread's own.
    let of_threads = ["mapping/meter.rs", "engine/lanes.rs"];
    none(&mentions("thread_local!", &of_threads), "state belongs to somebody");
    let item = |line: &str| {
        ["static ", "pub static ", "pub(crate) static ", "pub(super) static "].iter().any(|start| line.trim_start().starts_with(start))
    };
    // The allocator is the program's, not the library's.
    let outside = house().into_iter().filter(|source| !source.is_in(&of_threads) && !source.is_in(&["main.rs"]));
    let statics: Vec<String> = outside.filter(|source| source.lines.iter().any(|(_, line)| item(line))).map(|source| source.path).collect();
    none(&statics, "state belongs to somebody");
}

/// Its own words: where the page and the code differ, one of the two has a bug.
#[test]
fn the_architecture_is_that_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = read("ARCHITECTURE.md");
    let words: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let library = read("host/src/lib.rs");
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let unsaid: Vec<String> = modules.filter(|module| !words.contains(module)).map(str::to_owned).collect();
    none(&unsaid, "every module has its line in ARCHITECTURE.md");
    let mut files = words.into_iter().filter(|word| word.ends_with(".rs") || word.starts_with("tests/")).peekable();
    assert!(files.peek().is_some(), "it names no file: the rule looks for the wrong word");
    let is_there = |file: &str| ["", "host/src", "tests/it"].iter().any(|place| root.join(place).join(file).exists());
    let gone: Vec<String> = files.filter(|file| !is_there(file)).map(str::to_owned).collect();
    none(&gone, "ARCHITECTURE.md names files that are there");
}

/// Lines outside of `places` in which the text stands.
fn mentions(text: &str, places: &[&str]) -> Vec<String> {
    let house = house();
    let outside = house.iter().filter(|source| !source.is_in(places));
    let lines = outside.flat_map(|source| source.lines.iter().map(|(number, line)| (&source.path, number, line)));
    lines.filter(|(.., line)| line.contains(text)).map(|(path, number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert!(uses("    sqlx::query(\"select 1\")", "sqlx"));
    assert!(uses("use sqlx;", "sqlx"));
    assert!(uses("use tokio::net::TcpListener;", "tokio::net"));
    assert!(!uses("    \"info,sqlx=warn\".into()", "sqlx"));
    assert!(!uses("    let wasmtime = Engine::new();", "wasmtime"));
    assert!(!uses("    revision_toml::parse()", "toml"));
    let code = Source { path: "store/claim.rs".to_owned(), lines: Vec::new() };
    assert!(code.is_in(&["store"]) && !code.is_in(&["sto", "claim.rs"]));
}
