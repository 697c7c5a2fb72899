//! The command line: one file per verb.

mod audit;
mod check;
mod client;
mod compile;
mod connect;
mod credentials;
mod data;
mod dead_letters;
mod decide;
mod doctor;
mod dry_run;
mod events;
mod init;
mod man;
mod memory;
mod plugin;
mod ready;
mod rotate_key;
mod schema;
mod secret;
mod send;
mod session;
mod sources;
mod store;
mod timeline;
mod token;
mod top;
mod try_out;
mod up;
mod webhooks;

pub use timeline::draw;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};
use futures::future::LocalBoxFuture;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::credentials::Vault;
use crate::registry::Sources;
use crate::store::Store;
use crate::telemetry::{plain, plain_json, plain_lines};

/// Integration runtime: takes business events in, keeps them safely, and routes each through sandboxed connectors.
#[derive(Debug, Parser)]
#[command(
    name = "sangam",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 it failed, 2 bad usage or configuration, 3 host not reachable."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Which configuration.
#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// Configuration file
    #[arg(long, env = "SANGAM_CONFIG", default_value = "sangam.toml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a working configuration, an example event and a first route
    Init(init::Init),
    /// Run the host
    Up(up::Up),
    /// Find every mistake in the configuration, its expressions, plugins and grants
    Check(check::Check),
    /// Look at everything that a host stands on, and say what is wrong and what to do; changes nothing
    Doctor(doctor::Doctor),
    /// Ask a host whether it would take events in
    Ready(ready::Ready),
    /// Send an event, or a batch of events, to a running host
    Send(send::Send),
    /// Watch a running host: rates, latency, backlog, what fails and why
    Top(top::Top),
    /// Look at and handle events
    Events(Box<events::Events>),
    /// Try an expression or routes on a sample event, without effects
    Try(try_out::Try),
    /// Look at and handle the sources that bring events in
    Sources(sources::Sources),
    /// Connect a credential: agree at the vendor, in the browser
    Connect(connect::Connect),
    /// See how credentials are doing
    Credentials(credentials::Credentials),
    /// Find, export and erase a person's data
    Data(data::Data),
    /// Build and inspect plugins
    Plugin(plugin::Plugin),
    /// Keep secrets in the store
    Secret(secret::Secret),
    /// Measure, back up and verify the store
    Store(store::Store),
    /// Look at, verify and export the audit log
    Audit(audit::Audit),
    /// Make and revoke API tokens
    Token(token::Token),
    /// List who is logged in, and end sessions
    Session(session::Session),
    /// See how endpoints of webhooks are doing, enable and test them, make them new secrets
    Webhooks(webhooks::Webhooks),
    /// Print the published JSON Schemas, the OpenAPI document of the HTTP API, and the AsyncAPI document of a configuration
    Schema(schema::Schema),
    /// Compile a component: what a host starts to have it done apart
    #[command(name = crate::engine::COMPILER, hide = true)]
    Compile(compile::Compile),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man(man::Man),
}

/// How a verb fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// It failed.
    #[error("{0}")]
    Failed(String),
    /// Usage or configuration is wrong. Already readable.
    #[error("{0}")]
    Usage(String),
    /// No host answers.
    #[error("{0}")]
    Unreachable(String),
    /// It failed, and all about it was printed already.
    #[error("")]
    Told,
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Failure {
        Failure::Failed(error.to_string())
    }

    fn error(error: &dyn std::error::Error) -> Failure {
        Failure::Failed(crate::telemetry::chain(error))
    }

    fn code(&self) -> u8 {
        match self {
            Failure::Failed(_) | Failure::Told => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        }
    }
}

/// Does what the command line asks for. In a box: a future is compiled by whoever gives it a type, and the program would compile all of this once more.
pub fn run() -> LocalBoxFuture<'static, ExitCode> {
    Box::pin(done())
}

async fn done() -> ExitCode {
    memory::keep_private();
    let done = match Cli::parse().verb {
        Verb::Init(verb) => verb.run(),
        Verb::Up(verb) => verb.run().await,
        Verb::Check(verb) => verb.run().await,
        Verb::Doctor(verb) => verb.run().await,
        Verb::Ready(verb) => verb.run().await,
        Verb::Send(verb) => verb.run().await,
        Verb::Top(verb) => verb.run().await,
        Verb::Events(verb) => verb.run().await,
        Verb::Try(verb) => verb.run().await,
        Verb::Sources(verb) => verb.run().await,
        Verb::Connect(verb) => verb.run().await,
        Verb::Credentials(verb) => verb.run().await,
        Verb::Webhooks(verb) => verb.run().await,
        Verb::Data(verb) => verb.run().await,
        Verb::Plugin(verb) => verb.run().await,
        Verb::Secret(verb) => verb.run().await,
        Verb::Store(verb) => verb.run().await,
        Verb::Token(verb) => verb.run().await,
        Verb::Audit(verb) => verb.run().await,
        Verb::Session(verb) => verb.run().await,
        Verb::Schema(verb) => verb.run().await,
        Verb::Compile(verb) => verb.run(),
        Verb::Man(verb) => verb.run(Cli::command()),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "sangam", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                anstream::eprintln!("{}", failure.to_string().trim_end());
            }
            ExitCode::from(failure.code())
        }
    }
}

/// The store of a configuration beside a running host, with the vault that opens what is sealed in it and signs what is put on record.
async fn vault(config: &ConfigArg) -> Result<(Store, Vault), Failure> {
    let loaded = config::load(&config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let store = Store::open_beside(&loaded.config.store.url).await.map_err(|error| Failure::error(&error))?;
    let vault = Vault::open(store.clone(), &loaded.config.secrets, Clock::system()).await.map_err(|error| Failure::error(&error))?;
    Ok((store, vault))
}

/// Where components come from; people who wait are told for what.
fn sources(config: &Config) -> Sources {
    let tell = |what: &str, bytes: u64| anstream::eprintln!("{}: {} KiB so far", plain(what), bytes >> 10);
    Sources::new(config, None, Arc::new(tell))
}

/// On one line: a line break in it must not begin a line that looks like one of ours.
fn one_line(text: &str) -> String {
    plain(text)
}
