//! `sangam plugin`: one file per verb.

mod approve;
mod build;
mod bundle;
mod certify;
mod dev;
mod embed;
mod inspect;
mod keygen;
mod new;
mod pull;
mod push;
mod record;
mod rehearsed;
mod sdks;
mod sign;
mod test;
mod verify;

use std::io::Write as _;
use std::path::Path;

use super::Failure;
use crate::engine::Engine;
use crate::registry::{Component, Descriptor, MAX_COMPONENT};
use crate::telemetry;

/// Builds and inspects plugins, and says which of them may run.
#[derive(Debug, clap::Args)]
pub(super) struct Plugin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Begin a connector: a project in Rust, JavaScript, Python, Go or C that builds, tests and runs as it is
    New(new::New),
    /// Make a plugin of a project in Rust, JavaScript, Python, Go or C
    Build(build::Build),
    /// Build a project and run it, again after each change
    Dev(dev::Dev),
    /// Read off a component what it is and what it may ask for; nothing of it runs
    Inspect(inspect::Inspect),
    /// Accept the components of the configuration and what they may ask for: writes sangam.lock
    Approve(approve::Approve),
    /// Sign a component
    Sign(sign::Sign),
    /// Show who signed a component, and that nobody changed it since
    Verify(verify::Verify),
    /// Make a key to sign components with
    Keygen(keygen::Keygen),
    /// Embed a component's descriptor, so that it can be shown and checked without running it
    Embed(embed::Embed),
    /// Play a connector's cases: its calls against what the systems answer
    Test(test::Test),
    /// Put a connector to the proof: every input, every fault, every crash
    Certify(certify::Certify),
    /// Write a component to an OCI registry
    Push(push::Push),
    /// Fetch a component from an OCI registry into a file
    Pull(pull::Pull),
    /// Carry components to machines without a network
    Bundle(bundle::Bundle),
}

impl Plugin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::New(verb) => verb.run(),
            Verb::Dev(verb) => verb.run().await,
            Verb::Build(verb) => verb.run().await,
            Verb::Inspect(verb) => verb.run().await,
            Verb::Approve(verb) => verb.run().await,
            Verb::Sign(verb) => verb.run(),
            Verb::Verify(verb) => verb.run(),
            Verb::Keygen(verb) => verb.run(),
            Verb::Embed(verb) => verb.run().await,
            Verb::Test(verb) => verb.run().await,
            Verb::Certify(verb) => verb.run().await,
            Verb::Push(verb) => verb.run().await,
            Verb::Pull(verb) => verb.run().await,
            Verb::Bundle(verb) => verb.run().await,
        }
    }
}

/// A component in a file.
fn read(file: &Path) -> Result<Component, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::Usage(format!("can't read {}: {error}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| unreadable(&error))?.len();
    if size > MAX_COMPONENT {
        return Err(unreadable(&format!("it is larger than {MAX_COMPONENT} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|error| unreadable(&error))?;
    Component::new(bytes).map_err(|error| about(file, &error))
}

fn about(file: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::Failed(format!("{}: {}", file.display(), telemetry::chain(error)))
}

/// Writes a component whole, or leaves what was there.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("can't write {}: {error}", file.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let partial = folder.join(format!(".{}.part", uuid::Uuid::new_v4()));
    let written = std::fs::File::create_new(&partial).and_then(|mut target| target.write_all(bytes));
    written.and_then(|()| std::fs::rename(&partial, file)).map_err(|error| {
        // What could not be finished is of no use to anybody.
        let _ = std::fs::remove_file(&partial);
        failed(error)
    })
}

/// What a component says of itself: read off it, or, where nothing is embedded, by asking it with every import trapping.
pub(super) async fn descriptor(component: &Component) -> Result<(Descriptor, bool), String> {
    if let Some(descriptor) = &component.inspection.descriptor {
        return Ok((descriptor.clone(), false));
    }
    let descriptor = Descriptor::parse(&describe(component).await?).map_err(|error| telemetry::chain(&error))?;
    Ok((descriptor, true))
}

async fn describe(component: &Component) -> Result<String, String> {
    let engine = Engine::for_tools().map_err(|error| telemetry::chain(&error))?;
    let code = engine.load("the component", &component.digest, &component.bytes).await.map_err(|error| telemetry::chain(&error))?;
    engine.describe(&code, &crate::config::Limits::default()).await.map_err(|error| telemetry::chain(&error))
}
