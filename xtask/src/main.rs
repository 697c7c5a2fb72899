//! The commands of the README: `cargo xtask demo` and `cargo xtask test`; and what they are made of.

mod book;
mod build;
mod commands;
mod deny;
mod dist;
mod fuzz;
mod languages;
mod notices;
mod pgo;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo [--stay]   builds everything, starts stand-in business systems and the host, and sends a morning of events
  demo --scenario NAME|all|list   the same for the scenarios of tests/demo/scenarios
  test [FILTER]   runs all tests, those at the edge on SQLite and on PostgreSQL
  crash [ARGS]    kills hosts at random instants under load and counts what was lost or doubled (--help says more)
  build           makes the release host (release/sangam) and the components (release/plugins/NAME.wasm)
  dist [--pgo]    packs the program, its connectors, manual pages and completions into one archive (dist/ in the target folder)
  notices         prints what others wrote and the program and its connectors hold, with the notices that the licences ask for
  bench [ROW…]    measures every row of docs/performance.md beside its reference (--help says more, --list names the rows)
  pgo             makes a host that is compiled by what it does under load (pgo/release/sangam); with --pgo, `dist` packs it and `bench` measures it
  fuzz [ARGS]     feeds whatever reads bytes from outside with bytes that nobody would write (--help says more)
  book            makes the connector author's book (book/index.html in the target folder)
  deny            looks at the dependencies: licences, sources, known weaknesses
  lint            formatting and clippy, warnings as errors
";

fn main() -> ExitCode {
    if let Some(status) = fuzz::wrapped() {
        return status;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().map_or(("help", &[][..]), |(command, rest)| (command.as_str(), rest));
    let done = match command {
        "build" => build::all().map(|_| ()),
        "dist" => dist::dist(rest),
        "pgo" => pgo::pgo().map(|release| println!("{}", release.display())),
        "notices" => notices::print(),
        "demo" => commands::demo(rest),
        "test" => commands::test(rest),
        "crash" => commands::crash(rest),
        "bench" => commands::bench(rest),
        "fuzz" => fuzz::fuzz(rest),
        "book" => book::book(),
        "deny" => deny::deny(),
        "lint" => commands::lint(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => {
            eprintln!("no command {other:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
