//! What can be read off a component's bytes. Nothing is compiled, nothing runs.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use super::custom_section::SECTION;
use super::descriptor::{Descriptor, DescriptorError};
use super::signature::{self, SignatureError};
use crate::config::PublicKey;

/// The contract this host speaks: version and its compatible line.
pub const CONTRACT: &str = "0.1.0";
const CONTRACT_LINE: &str = "0.1.";
const PACKAGE: &str = "sangam:connector/";
const INTERFACES: &[&str] = &["http", "key-value", "log", "types"];
/// Packages of WASI 0.2 that are linked, with nothing behind them.
const WASI: &[&str] = &["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// Of `wasi:http` what goes out: the way of the contract's `http`, for guests that bring their language's own client along.
const WASI_HTTP: &[&str] = &["wasi:http/types", "wasi:http/outgoing-handler"];

/// What was found.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Version of the contract it was built for.
    pub contract: String,
    /// It exports `actions`.
    pub actions: bool,
    /// It exports `events`.
    pub events: bool,
    /// It exports `batches`.
    pub batches: bool,
    /// Everything it imports, in its order.
    pub imports: Vec<String>,
    /// Everything it exports, in its order.
    pub exports: Vec<String>,
    /// Core instances of one instantiation.
    pub core_instances: usize,
    /// Memory that its core modules begin with, bytes.
    pub memory: u64,
    /// Bytes.
    pub size: usize,
    /// Keys that signed it; every signature fits. Whether they are trusted is another question.
    pub signed_by: Vec<PublicKey>,
    /// The custom section.
    pub descriptor: Option<Descriptor>,
    /// As embedded.
    pub descriptor_text: Option<String>,
}

/// Why bytes are not a plugin for this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Neither component nor module.
    #[error(
        "it is not WebAssembly (it does not start with the magic number); a plugin is a component, such as `cargo build --target wasm32-wasip2` makes"
    )]
    NotWasm,
    /// A core module.
    #[error("it is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`")]
    CoreModule,
    /// Broken.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// No exports of the contract.
    #[error("it is a component, but no Sangam plugin: it exports nothing of {PACKAGE}*; build it with an SDK for contract {CONTRACT}")]
    NotAPlugin,
    /// Built for another version.
    #[error("it was built for contract {found}, and this host speaks {CONTRACT}; rebuild it with an SDK of the {CONTRACT_LINE}x line")]
    OtherContract {
        /// Its version.
        found: String,
    },
    /// The contract is not whole.
    #[error("it exports {has}, but not {lacks}, which every plugin has")]
    Incomplete {
        /// What it has.
        has: String,
        /// What it lacks.
        lacks: String,
    },
    /// It says that it takes what it has no function for.
    #[error(
        "its action {action} takes several invocations at once (batch), but it does not export batches; build it for the world `batching`"
    )]
    NoBatches {
        /// The action.
        action: String,
    },
    /// Imports what is not there.
    #[error("it imports what this host does not offer: {}", .0.join(", "))]
    UnknownImports(Vec<String>),
    /// The section can't be read.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// Who reads the first would see another plugin than who reads the last.
    #[error("it has two descriptors (custom sections {SECTION}); build it again")]
    TwoDescriptors,
    /// Its signatures don't fit.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Inspection {
    /// Looks at a component.
    pub fn of(bytes: &[u8]) -> Result<Inspection, InspectError> {
        if Parser::is_core_wasm(bytes) {
            return Err(InspectError::CoreModule);
        }
        if !Parser::is_component(bytes) {
            return Err(InspectError::NotWasm);
        }
        let invalid = |error: wasmparser::BinaryReaderError| InspectError::Invalid(error.to_string());
        Validator::new_with_features(WasmFeatures::default()).validate_all(bytes).map_err(invalid)?;
        let mut found = Found::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(invalid)? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    found.core_modules += usize::from(encoding == Encoding::Module);
                }
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        found.imports.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        found.exports.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::InstanceSection(section) => {
                    for instance in section {
                        let instantiates = matches!(instance.map_err(invalid)?, wasmparser::Instance::Instantiate { .. });
                        found.core_instances += usize::from(instantiates);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory.map_err(invalid)?;
                        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                        found.memory = found.memory.saturating_add(memory.initial.saturating_mul(page));
                    }
                }
                Payload::CustomSection(section) if depth == 1 && section.name() == SECTION => {
                    if found.descriptor.is_some() {
                        return Err(InspectError::TwoDescriptors);
                    }
                    found.descriptor = Some(String::from_utf8_lossy(section.data()).into_owned());
                }
                _ => {}
            }
        }
        found.judge(bytes)
    }
}

#[derive(Default)]
struct Found {
    imports: Vec<String>,
    exports: Vec<String>,
    core_modules: usize,
    core_instances: usize,
    memory: u64,
    descriptor: Option<String>,
}

impl Found {
    fn judge(self, bytes: &[u8]) -> Result<Inspection, InspectError> {
        let ours: Vec<(&str, &str)> =
            self.exports.iter().filter_map(|name| name.strip_prefix(PACKAGE)).filter_map(|name| name.split_once('@')).collect();
        let Some(&(_, contract)) = ours.first() else { return Err(InspectError::NotAPlugin) };
        if let Some(&(_, found)) = ours.iter().find(|(_, version)| !version.starts_with(CONTRACT_LINE)) {
            return Err(InspectError::OtherContract { found: found.to_owned() });
        }
        let exports = |name: &str| ours.iter().any(|(export, _)| *export == name);
        let has = || ours.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        if !exports("plugin") {
            return Err(InspectError::Incomplete { has: has(), lacks: "plugin".to_owned() });
        }
        if !exports("actions") && !exports("events") {
            return Err(InspectError::Incomplete { has: has(), lacks: "actions or events".to_owned() });
        }
        let unknown: Vec<String> = self.imports.iter().filter(|import| !offered(import)).cloned().collect();
        if !unknown.is_empty() {
            return Err(InspectError::UnknownImports(unknown));
        }
        let descriptor = self.descriptor.as_deref().map(Descriptor::parse).transpose()?;
        if let Some(action) = descriptor.as_ref().and_then(Descriptor::batching)
            && !exports("batches")
        {
            return Err(InspectError::NoBatches { action: action.name.clone() });
        }
        Ok(Inspection {
            contract: contract.to_owned(),
            actions: exports("actions"),
            events: exports("events"),
            batches: exports("batches"),
            exports: self.exports.clone(),
            imports: self.imports,
            core_instances: self.core_instances,
            memory: self.memory,
            size: bytes.len(),
            signed_by: signature::signers(bytes)?,
            descriptor,
            descriptor_text: self.descriptor,
        })
    }
}

fn offered(import: &str) -> bool {
    let Some((name, version)) = import.split_once('@') else { return false };
    match name.strip_prefix(PACKAGE) {
        Some(interface) => INTERFACES.contains(&interface) && version.starts_with(CONTRACT_LINE),
        None => version.starts_with("0.2.") && (WASI.iter().any(|package| name.starts_with(package)) || WASI_HTTP.contains(&name)),
    }
}
