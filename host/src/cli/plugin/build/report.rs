//! What a build made, and what it costs a host.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Language;
use crate::cli::one_line;
use crate::config::Limits;
use crate::engine::Engine;
use crate::registry::{Component, Descriptor};
use crate::telemetry;

/// Starts that are measured; the middle one counts.
const STARTS: usize = 7;

/// A plugin, just written.
#[derive(Debug)]
pub(in crate::cli::plugin) struct Built {
    pub(in crate::cli::plugin) file: PathBuf,
    pub(in crate::cli::plugin) language: Language,
    pub(in crate::cli::plugin) descriptor: Descriptor,
    pub(in crate::cli::plugin) component: Component,
    /// By the language's tools.
    pub(in crate::cli::plugin) building: Duration,
    pub(in crate::cli::plugin) costs: Costs,
}

/// What a host pays.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::plugin) struct Costs {
    /// Compiling it, once on a machine.
    compile: Duration,
    /// A fresh instance, up to its own description.
    start: Duration,
}

/// Compiles a component and asks it what it is: the answer, the same each time, and the costs.
pub(super) async fn measured(engine: &Engine, component: &Component) -> Result<(String, Costs), String> {
    let chain = |error: crate::engine::EngineError| telemetry::chain(&error);
    let begun = Instant::now();
    let code = engine.load("the component", &component.digest, &component.bytes).await.map_err(chain)?;
    let compile = begun.elapsed();
    let limits = Limits::default();
    let mut said: Option<String> = None;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let text = engine.describe(&code, &limits).await.map_err(chain)?;
        starts.push(begun.elapsed());
        if said.as_ref().is_some_and(|said| *said != text) {
            return Err("it describes itself otherwise each time it is asked: what `describe` returns may depend on nothing".to_owned());
        }
        said = Some(text);
    }
    starts.sort();
    let start = starts[STARTS / 2];
    Ok((said.unwrap_or_default(), Costs { compile, start }))
}

impl Built {
    pub(in crate::cli::plugin) fn show(&self) {
        let Built { file, language, descriptor, component, building, costs } = self;
        let inspection = &component.inspection;
        let (title, version) = (one_line(&descriptor.title), one_line(&descriptor.version));
        anstream::println!("{}: {title} {version} in {}, {}", file.display(), language.title(), size(inspection.size));
        anstream::println!("  digest    {}", component.digest);
        anstream::println!("  contract  {}", inspection.contract);
        let memory = size(usize::try_from(inspection.memory).unwrap_or(usize::MAX));
        anstream::println!("  instance  {} core instance(s), {memory} of memory to begin with", inspection.core_instances);
        anstream::println!("  build     {}", time(*building));
        anstream::println!("  compile   {} on this machine, once; then it is kept", time(costs.compile));
        anstream::println!("  start     {} for a fresh instance to say what it is", time(costs.start));
    }

    /// In short, for those who build again and again.
    pub(in crate::cli::plugin) fn line(&self) -> String {
        format!("built {} ({}) in {}", self.file.display(), size(self.component.inspection.size), time(self.building + self.costs.compile))
    }

    pub(in crate::cli::plugin) fn document(&self) -> Value {
        let inspection = &self.component.inspection;
        json!({
            "file": self.file,
            "language": self.language.name(),
            "name": self.descriptor.name,
            "version": self.descriptor.version,
            "contract": inspection.contract,
            "digest": self.component.digest,
            "size": inspection.size,
            "core_instances": inspection.core_instances,
            "memory": inspection.memory,
            "build_ms": milliseconds(self.building),
            "compile_ms": milliseconds(self.costs.compile),
            "start_ms": milliseconds(self.costs.start),
        })
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// As people say it: `41 µs`, `1.3 ms`, `12 s`.
pub(in crate::cli::plugin) fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_as_people_say_them() {
        assert_eq!(time(Duration::from_micros(41)), "41 µs");
        assert_eq!(time(Duration::from_micros(1_340)), "1.3 ms");
        assert_eq!(time(Duration::from_secs(12)), "12.0 s");
        assert_eq!(size(1025), "2 KiB");
        assert_eq!(size(18 << 20), "18.0 MiB");
    }
}
