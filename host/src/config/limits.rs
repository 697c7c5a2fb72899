//! How much a plugin may use: `limits`, `rate-limit`, `breaker`.

use std::time::Duration;

use super::item::Item;
use super::model::{Breaker, Limits, RateLimit};
use super::reader::Reader;
use super::units::MAX_DURATION;

pub(super) const DEFAULT_LIMITS: Limits = Limits {
    memory: 64 << 20,
    time: Duration::from_secs(30),
    cpu: Duration::from_secs(1),
    http_calls: 20,
    response_size: 4 << 20,
    output_size: 1 << 20,
};
/// What one slot of the engine's pool holds.
const LARGEST_MEMORY: u64 = 1 << 30;
/// Responses to writes are kept whole in the store.
const LARGEST_RESPONSE: u64 = 256 << 20;
/// No call may hold a worker for longer than this.
const LONGEST_CALL: Duration = Duration::from_secs(3600);
const MOST_HTTP_CALLS: u32 = 10_000;
const DEFAULT_BREAKER: Breaker = Breaker { failures: 10, cooldown: Duration::from_secs(30) };

/// Reads `limits`.
pub(super) fn limits(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Limits> {
    let mut section = item.table(r, "`limits`")?;
    let d = DEFAULT_LIMITS;
    let mut size = |r: &mut Reader<'_>, key, default: usize, most: u64| {
        let value = section.get(key).and_then(|item| item.size(r, 1..=most));
        value.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(default)
    };
    let memory = size(r, "memory", d.memory, LARGEST_MEMORY);
    let response_size = size(r, "response-size", d.response_size, LARGEST_RESPONSE);
    let output_size = size(r, "output-size", d.output_size, LARGEST_RESPONSE);
    let mut time = |key, default| {
        let range = Duration::from_millis(1)..=LONGEST_CALL;
        section.get(key).and_then(|item| item.duration(r, range)).unwrap_or(default)
    };
    let (time, cpu) = (time("time", d.time), time("cpu", d.cpu));
    let http_calls = section.get("http-calls").and_then(|item| item.count(r, 0..=MOST_HTTP_CALLS));
    section.finish(r);
    Some(Limits { memory, time, cpu, http_calls: http_calls.unwrap_or(d.http_calls), response_size, output_size })
}

/// Reads `rate-limit`.
pub(super) fn rate_limit(r: &mut Reader<'_>, item: &Item<'_>) -> Option<RateLimit> {
    let mut section = item.table(r, "`rate-limit`")?;
    let requests = section.required(r, "requests", "25").and_then(|item| item.count(r, 1..=u32::MAX));
    let per = section.required(r, "per", "\"1s\"").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    section.finish(r);
    Some(RateLimit { requests: requests?, per: per? })
}

/// Reads `breaker`.
pub(super) fn breaker(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Breaker> {
    let mut section = item.table(r, "`breaker`")?;
    let failures = section.get("failures").and_then(|item| item.count(r, 1..=u32::MAX));
    let cooldown = section.get("cooldown").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    section.finish(r);
    Some(Breaker { failures: failures.unwrap_or(DEFAULT_BREAKER.failures), cooldown: cooldown.unwrap_or(DEFAULT_BREAKER.cooldown) })
}
