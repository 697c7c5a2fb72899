//! `[engine]`: what compiling plugins' components may cost this host, where the code is kept, and what waits for calls.

use std::path::PathBuf;
use std::time::Duration;

use super::item::Item;
use super::model::Engine;
use super::reader::Reader;
use super::reference::resolved;
use super::section::Section;

/// Connectors in Python have 18 MiB.
const DEFAULT_COMPONENT_SIZE: u64 = 128 << 20;
/// One of those takes 12 seconds on two quick processors.
const DEFAULT_COMPILE_TIME: Duration = Duration::from_secs(300);
const LONGEST_COMPILE_TIME: Duration = Duration::from_secs(3600);
const DEFAULT_COMPILE_MEMORY: u64 = 4 << 30;
/// The compiler itself needs some.
const COMPILE_MEMORY: std::ops::RangeInclusive<u64> = 64 << 20..=1 << 40;
const MOST_COMPILE_PROCESSES: u32 = 64;
/// The code of some thirty connectors in JavaScript or Python.
const DEFAULT_CACHE_SIZE: u64 = 1 << 30;
const CACHE_SIZE: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;
/// Of some forty connectors in JavaScript or Python.
const DEFAULT_AHEAD_MEMORY: u64 = 512 << 20;
const DEFAULT_AHEAD_IDLE: Duration = Duration::from_secs(600);
const AHEAD_IDLE: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);

impl Default for Engine {
    /// What holds where the file says nothing.
    fn default() -> Engine {
        Engine {
            component_size: DEFAULT_COMPONENT_SIZE,
            compile_time: DEFAULT_COMPILE_TIME,
            compile_memory: DEFAULT_COMPILE_MEMORY,
            compile_processes: None,
            cache: None,
            cache_size: DEFAULT_CACHE_SIZE,
            ahead_memory: DEFAULT_AHEAD_MEMORY,
            ahead_idle: DEFAULT_AHEAD_IDLE,
        }
    }
}

/// Reads `[engine]`.
pub(super) fn engine(r: &mut Reader<'_>, mut section: Section<'_>) -> Engine {
    let d = Engine::default();
    let component_size = section.get("component-size").and_then(|item| item.size(r, 1..=DEFAULT_COMPONENT_SIZE));
    let compile_time = section.get("compile-time").and_then(|item| item.duration(r, Duration::from_secs(1)..=LONGEST_COMPILE_TIME));
    let compile_memory = section.get("compile-memory").and_then(|item| item.size(r, COMPILE_MEMORY));
    let compile_processes = section.get("compile-processes").and_then(|item| item.count(r, 1..=MOST_COMPILE_PROCESSES));
    let cache = section.get("cache").and_then(|item| folder(r, &item));
    let cache_size = section.get("cache-size").and_then(|item| item.size(r, CACHE_SIZE));
    let ahead_memory = section.get("ahead-memory").and_then(|item| item.size(r, 0..=1 << 40));
    let ahead_idle = section.get("ahead-idle").and_then(|item| item.duration(r, AHEAD_IDLE));
    section.finish(r);
    Engine {
        component_size: component_size.unwrap_or(d.component_size),
        compile_time: compile_time.unwrap_or(d.compile_time),
        compile_memory: compile_memory.unwrap_or(d.compile_memory),
        compile_processes,
        cache,
        cache_size: cache_size.unwrap_or(d.cache_size),
        ahead_memory: ahead_memory.unwrap_or(d.ahead_memory),
        ahead_idle: ahead_idle.unwrap_or(d.ahead_idle),
    }
}

fn folder(r: &mut Reader<'_>, item: &Item<'_>) -> Option<PathBuf> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    if value.is_empty() {
        r.error(&text.span, "`cache` names no folder").help("write the path of a folder, or leave `cache` out");
        return None;
    }
    Some(r.absolute(&value))
}
