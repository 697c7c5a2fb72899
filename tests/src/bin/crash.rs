//! `cargo xtask crash`: the crash campaign, and its figures.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sangam_tests::campaign::Campaign;
use sangam_tests::{TestStore, postgres};
use tokio::signal::unix::{SignalKind, signal};

/// Kills hosts with SIGKILL at random instants under load, starts them again at once, and compares what arrived with what was accepted.
/// Exits with 1 if anything was lost, doubled or out of order.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask crash", max_term_width = 100)]
struct Arguments {
    /// How many kills of hosts
    #[arg(long, default_value_t = 500)]
    kills: u32,
    /// Of the schedule; another each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Under the hosts
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// How many hosts on the store; more than one needs PostgreSQL
    #[arg(long, default_value_t = 1)]
    hosts: usize,
    /// Kill the database now and then too
    #[arg(long)]
    kill_database: bool,
    /// Say only whether PostgreSQL is here
    #[arg(long, hide = true)]
    has_postgres: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.has_postgres {
        return Ok(if postgres::is_there()? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let store = if arguments.store == Store::Postgres { TestStore::Postgres } else { TestStore::Sqlite };
    anyhow::ensure!(
        store == TestStore::Postgres || (arguments.hosts == 1 && !arguments.kill_database),
        "one SQLite file serves one host: --store postgres"
    );
    anyhow::ensure!(arguments.hosts > 0, "--hosts is at least 1");
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("{} kills, {} host(s) on {:?}, seed {seed}", arguments.kills, arguments.hosts, arguments.store);
    let campaign =
        Campaign { kills: arguments.kills, seed, store, hosts: arguments.hosts, kill_database: arguments.kill_database, progress: true };
    // Hosts die with this program, also when a person stops it.
    let mut terminate = signal(SignalKind::terminate())?;
    let report = tokio::select! {
        report = campaign.run() => report?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("broken off"),
        _ = terminate.recv() => anyhow::bail!("broken off"),
    };
    print!("\n{report}");
    Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
