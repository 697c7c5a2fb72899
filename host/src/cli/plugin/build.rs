//! `sangam plugin build`: from a project in any of the languages to a plugin that a host takes.

mod c;
mod go;
mod javascript;
mod language;
mod python;
mod report;
mod rust;
mod tool;

use std::path::{Path, PathBuf};

use super::{about, write};
use crate::cli::Failure;
use crate::engine::Engine;
use crate::registry::{self, Component, Descriptor};
use crate::schema::Schema;
use crate::telemetry;

pub(super) use language::Language;
pub(super) use report::{Built, time};
use tool::Workshop;

/// Makes a plugin of the connector project in a folder: DIR/build/NAME.wasm. The language is told by the project's files (Cargo.toml, package.json,
/// pyproject.toml, go.mod, or src/*.c); its tools are looked for, and what is missing is explained. Tools that npm and pip install go into the project.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Environment: CARGO, SANGAM_NODE, SANGAM_NPM, SANGAM_PYTHON, SANGAM_GO, SANGAM_CC and WASI_SDK_PATH name other tools than those on the PATH."
)]
pub(super) struct Build {
    /// The project
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Where to write the plugin; default DIR/build/NAME.wasm
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show every command, and all that the tools say
    #[arg(long)]
    verbose: bool,
    /// Build nothing: only look for the language's tools, and explain what is missing
    #[arg(long)]
    tools: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Build {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.tools {
            return tools(&self.folder, Workshop { verbose: self.verbose }).await;
        }
        let engine = engine()?;
        let built = build(&self.folder, self.output.as_deref(), self.verbose, &engine).await?;
        if self.json {
            anstream::println!("{:#}", built.document())
        } else {
            built.show()
        }
        Ok(())
    }
}

/// The engine that looks at what was built. Kept over the builds of one process.
pub(super) fn engine() -> Result<Engine, Failure> {
    Engine::for_tools().map_err(|error| Failure::error(&error))
}

/// Builds a project and writes the plugin.
pub(super) async fn build(folder: &Path, output: Option<&Path>, verbose: bool, engine: &Engine) -> Result<Built, Failure> {
    let shown = folder;
    let (folder, language) = project(folder)?;
    let started = std::time::Instant::now();
    let bytes = component(&folder, language, Workshop { verbose }).await?;
    let building = started.elapsed();
    let raw = Component::new(bytes).map_err(|error| about(shown, &error))?;
    let (text, costs) = report::measured(engine, &raw).await.map_err(Failure::Failed)?;
    let descriptor = Descriptor::parse(&text).map_err(|error| about(shown, &error))?;
    fits(&descriptor).map_err(Failure::Failed)?;
    let bytes = match raw.inspection.descriptor {
        Some(_) => raw.bytes.to_vec(),
        None => registry::embed(&raw.bytes, &text),
    };
    // What is written must be what a host will take.
    let component = Component::new(bytes).map_err(|error| about(shown, &error))?;
    let here = if shown == Path::new(".") { Path::new("") } else { shown };
    let file = output.map_or_else(|| here.join("build").join(format!("{}.wasm", descriptor.name)), Path::to_path_buf);
    write(&file, &component.bytes)?;
    Ok(Built { file, language, descriptor, component, building, costs })
}

/// Looks for the tools of a project's language.
async fn tools(folder: &Path, workshop: Workshop) -> Result<(), Failure> {
    let (folder, language) = project(folder)?;
    let found = match language {
        Language::Rust => rust::tools(&folder, workshop).await?,
        Language::JavaScript => javascript::tools(workshop).await?,
        Language::Python => python::tools().await?,
        Language::Go => go::tools(&folder, workshop).await?,
        Language::C => c::tools(&folder, workshop).await?,
    };
    anstream::println!("{}: {found}", language.title());
    Ok(())
}

/// A project's folder, whole, and its language.
fn project(folder: &Path) -> Result<(PathBuf, Language), Failure> {
    let absolute = std::fs::canonicalize(folder).map_err(|error| Failure::Usage(format!("{}: {error}", folder.display())))?;
    let language = Language::of(&absolute).ok_or_else(|| {
        Failure::Usage(format!(
            "there is no connector project in {}: no Cargo.toml, package.json, pyproject.toml, go.mod and no src/*.c; \
             `sangam plugin new NAME --lang LANGUAGE` makes one",
            folder.display()
        ))
    })?;
    Ok((absolute, language))
}

/// The component as the language's tools make it.
async fn component(folder: &Path, language: Language, workshop: Workshop) -> Result<Vec<u8>, Failure> {
    if language != Language::Rust {
        // Cargo makes its own folder; the others are told where to write.
        let made = std::fs::create_dir_all(folder.join("build"));
        made.map_err(|error| Failure::failed(format!("can't make {}: {error}", folder.join("build").display())))?;
    }
    let read = |file: PathBuf| std::fs::read(&file).map_err(|error| Failure::failed(format!("can't read {}: {error}", file.display())));
    match language {
        Language::Rust => read(rust::component(folder, workshop).await?),
        Language::JavaScript => read(javascript::component(folder, workshop).await?),
        Language::Python => read(python::component(folder, workshop).await?),
        Language::Go => go::component(folder, workshop).await,
        Language::C => {
            let module = c::module(folder, workshop).await?;
            registry::wrap(&read(module)?, None).map_err(|error| about(folder, &error))
        }
    }
}

/// Where a language's tools leave what is not a plugin yet.
fn raw(folder: &Path) -> PathBuf {
    folder.join("build/raw.wasm")
}

/// A file of the SDK that a project is built with: beside it in `sangam-sdk`, or that of the tree that the project is part of.
fn sdk_file(folder: &Path, language: &str, file: &str) -> Result<PathBuf, Failure> {
    let own = folder.join("sangam-sdk").join(file);
    let tree = || folder.ancestors().map(|above| above.join("sdk").join(language).join(file)).find(|path| path.exists());
    if own.exists() { Some(own) } else { tree() }.ok_or_else(|| {
        Failure::Failed(format!(
            "the SDK is not there: no {} in {} (`sangam plugin new` writes it)",
            Path::new("sangam-sdk").join(file).display(),
            folder.display()
        ))
    })
}

/// What a host asks of a plugin's schemas when it loads it.
fn fits(descriptor: &Descriptor) -> Result<(), String> {
    let compile = |what: String, schema: &serde_json::Value| {
        Schema::compile(schema).map(|_| ()).map_err(|error| format!("{what} is no schema that a host takes: {}", telemetry::chain(&error)))
    };
    compile("the configuration".to_owned(), &descriptor.configuration)?;
    for action in &descriptor.actions {
        compile(format!("the input of action {}", action.name), &action.input)?;
        compile(format!("the output of action {}", action.name), &action.output)?;
    }
    Ok(())
}
