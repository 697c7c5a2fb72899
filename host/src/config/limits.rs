//! How much a plugin may use: `limits`, `rate-limit`, `batch`, `breaker`.

use std::time::Duration;

use toml::de::DeValue;

use super::item::Item;
use super::model::{Batching, Breaker, Limits, RateLimit};
use super::reader::Reader;
use super::units::MAX_DURATION;

pub(super) const DEFAULT_LIMITS: Limits = Limits {
    memory: 64 << 20,
    table_elements: 100_000,
    handles: 1000,
    time: Duration::from_secs(30),
    cpu: Duration::from_secs(1),
    host_call_size: 16 << 20,
    http_calls: 20,
    response_size: 4 << 20,
    output_size: 1 << 20,
    events: 1000,
    events_size: 4 << 20,
    log_size: 64 << 10,
    key_value_calls: 1000,
    key_value_transfer: 16 << 20,
    key_value_size: 64 << 20,
};
impl Default for Limits {
    /// What a plugin gets that the file says nothing about.
    fn default() -> Limits {
        DEFAULT_LIMITS
    }
}

/// What one slot of the engine's pool holds.
const LARGEST_MEMORY: u64 = 1 << 30;
/// What one table of the engine's pool holds.
const MOST_TABLE_ELEMENTS: u32 = 1_000_000;
/// Each takes some hundred bytes of the host's own memory.
const MOST_HANDLES: u32 = 100_000;
/// Copied into the host's own memory, by each call under way.
const LARGEST_HOST_CALL: u64 = 1 << 30;
/// All are written in one transaction.
const MOST_EVENTS: u32 = 10_000;
/// Kept with every attempt, for as long as its event.
const LARGEST_LOG: u64 = 16 << 20;
const MOST_KEY_VALUE_CALLS: u32 = 1_000_000;
/// Lies in the store, beside everything else.
const LARGEST_KEY_VALUE_SPACE: u64 = 16 << 30;
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
    let host_call_size = size(r, "host-call-size", d.host_call_size, LARGEST_HOST_CALL);
    let response_size = size(r, "response-size", d.response_size, LARGEST_RESPONSE);
    let output_size = size(r, "output-size", d.output_size, LARGEST_RESPONSE);
    let events_size = size(r, "events-size", d.events_size, LARGEST_RESPONSE);
    let log_size = size(r, "log-size", d.log_size, LARGEST_LOG);
    let key_value_transfer = size(r, "key-value-transfer", d.key_value_transfer, LARGEST_RESPONSE);
    let key_value_size = section.get("key-value-size").and_then(|item| item.size(r, 1..=LARGEST_KEY_VALUE_SPACE));
    let mut time = |key, default| {
        let range = Duration::from_millis(1)..=LONGEST_CALL;
        section.get(key).and_then(|item| item.duration(r, range)).unwrap_or(default)
    };
    let (time, cpu) = (time("time", d.time), time("cpu", d.cpu));
    let mut count =
        |r: &mut Reader<'_>, key, default: u32, most| section.get(key).and_then(|item| item.count(r, 0..=most)).unwrap_or(default);
    let http_calls = count(r, "http-calls", d.http_calls, MOST_HTTP_CALLS);
    let key_value_calls = count(r, "key-value-calls", d.key_value_calls, MOST_KEY_VALUE_CALLS);
    let mut number = |r: &mut Reader<'_>, key, default: usize, most| {
        let value = section.get(key).and_then(|item| item.count(r, 0..=most));
        value.and_then(|value| usize::try_from(value).ok()).unwrap_or(default)
    };
    let table_elements = number(r, "table-elements", d.table_elements, MOST_TABLE_ELEMENTS);
    let handles = number(r, "handles", d.handles, MOST_HANDLES);
    let events = number(r, "events", d.events, MOST_EVENTS);
    section.finish(r);
    Some(Limits {
        memory,
        table_elements,
        handles,
        time,
        cpu,
        host_call_size,
        http_calls,
        response_size,
        output_size,
        events,
        events_size,
        log_size,
        key_value_calls,
        key_value_transfer,
        key_value_size: key_value_size.unwrap_or(d.key_value_size),
    })
}

/// Reads `rate-limit`.
pub(super) fn rate_limit(r: &mut Reader<'_>, item: &Item<'_>) -> Option<RateLimit> {
    let mut section = item.table(r, "`rate-limit`")?;
    let requests = section.required(r, "requests", "25").and_then(|item| item.count(r, 1..=u32::MAX));
    let per = section.required(r, "per", "\"1s\"").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    section.finish(r);
    Some(RateLimit { requests: requests?, per: per? })
}

/// Where nothing is said, a run waits so long for others: some round trips within a data centre, and less than any vendor's API takes.
const GATHER: Duration = Duration::from_millis(5);
/// Whoever waits for longer than this wants a schedule.
const LONGEST_GATHER: Duration = Duration::from_secs(5);

/// How runs are gathered where nothing is said.
pub(super) const DEFAULT_BATCHING: Batching = Batching { most: None, gather: GATHER };

/// Reads `batch`: `false`, or a table. The outer value is missing where it can't be read.
pub(super) fn batch(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Option<Batching>> {
    match item.value {
        DeValue::Boolean(gathers) => return Some(gathers.then_some(DEFAULT_BATCHING)),
        DeValue::Table(_) => {}
        _ => return item.wrong_type(r, "a table such as { most = 50, gather = \"5ms\" }, or false"),
    }
    let mut section = item.table(r, "`batch`")?;
    let most = section.get("most").map(|item| item.count(r, 2..=1000));
    let gather = section.get("gather").map(|item| item.duration(r, Duration::ZERO..=LONGEST_GATHER));
    section.finish(r);
    let most = match most {
        Some(most) => Some(most?),
        None => None,
    };
    Some(Some(Batching { most, gather: gather.unwrap_or(Some(GATHER))? }))
}

/// Reads `breaker`.
pub(super) fn breaker(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Breaker> {
    let mut section = item.table(r, "`breaker`")?;
    let failures = section.get("failures").and_then(|item| item.count(r, 1..=u32::MAX));
    let cooldown = section.get("cooldown").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    section.finish(r);
    Some(Breaker { failures: failures.unwrap_or(DEFAULT_BREAKER.failures), cooldown: cooldown.unwrap_or(DEFAULT_BREAKER.cooldown) })
}
