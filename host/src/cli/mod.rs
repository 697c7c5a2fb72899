//! The command line: one file per verb.

mod check;
mod client;
mod compile;
mod connect;
mod credentials;
mod data;
mod dead_letters;
mod decide;
mod dry_run;
mod events;
mod init;
mod plugin;
mod schema;
mod secret;
mod send;
mod session;
mod store;
mod timeline;
mod token;
mod up;

pub use timeline::draw;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{Config, misleads};
use crate::registry::Sources;

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
    /// Send an event, or a batch of events, to a running host
    Send(send::Send),
    /// Look at and handle events
    Events(Box<events::Events>),
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
    /// Make and revoke API tokens
    Token(token::Token),
    /// List who is logged in, and end sessions
    Session(session::Session),
    /// Print the published JSON Schemas
    Schema(schema::Schema),
    /// Compile a component: what a host starts to have it done apart
    #[command(name = crate::engine::COMPILER, hide = true)]
    Compile(compile::Compile),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
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
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        }
    }
}

/// Does what the command line asks for.
pub async fn run() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Init(verb) => verb.run(),
        Verb::Up(verb) => verb.run().await,
        Verb::Check(verb) => verb.run().await,
        Verb::Send(verb) => verb.run().await,
        Verb::Events(verb) => verb.run().await,
        Verb::Connect(verb) => verb.run().await,
        Verb::Credentials(verb) => verb.run().await,
        Verb::Data(verb) => verb.run().await,
        Verb::Plugin(verb) => verb.run().await,
        Verb::Secret(verb) => verb.run().await,
        Verb::Store(verb) => verb.run().await,
        Verb::Token(verb) => verb.run().await,
        Verb::Session(verb) => verb.run().await,
        Verb::Schema(verb) => verb.run(),
        Verb::Compile(verb) => verb.run(),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "sangam", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("{}", failure.to_string().trim_end());
            ExitCode::from(failure.code())
        }
    }
}

/// Where components come from; people who wait are told for what.
fn sources(config: &Config) -> Sources {
    let tell = |what: &str, bytes: u64| anstream::eprintln!("{}: {} KiB so far", plain(what), bytes >> 10);
    Sources::new(config, None, Arc::new(tell))
}

/// Text of a plugin or a sender, safe for a terminal: control characters are shown, not obeyed.
fn plain(text: &str) -> String {
    let obeyed = |character: char| (character.is_control() && character != '\n') || misleads(character);
    text.chars().map(|character| if obeyed(character) { character.escape_default().to_string() } else { character.to_string() }).collect()
}

/// The same on one line: a line break in it must not begin a line that looks like one of ours.
fn one_line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}
