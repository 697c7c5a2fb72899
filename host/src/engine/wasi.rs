//! WASI 0.2 for languages whose toolchains need it, with nothing behind it: no files, sockets or environment; a virtual clock, keyed
//! randomness, and standard output that goes to the plugin's log.

use std::convert::Infallible;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::random::insecure_seed;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamError, StreamResult, subscribe};
use wasmtime_wasi::{WasiCtx, WasiView as _, async_trait};

use super::state::HostState;
use crate::attempt::{Level, Present, VirtualClock};

/// Most random bytes of one call of `get-random-bytes`.
const MAX_RANDOM: u64 = 64 << 10;
/// Bytes that standard output takes at a time.
const OUTPUT_CHUNK: usize = 4 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // The clock is ours: it moves with each reading and each sleep.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    // The seed is that of the call, not of whenever the instance was made.
    insecure_seed::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

pub(super) fn context(present: &Present) -> WasiCtx {
    let stream = |which| Stream { present: present.clone(), which };
    WasiCtx::builder()
        .stdout(Lines { present: present.clone(), level: Level::Info })
        .stderr(Lines { present: present.clone(), level: Level::Warn })
        .wall_clock(Clock(present.clone()))
        .monotonic_clock(Clock(present.clone()))
        .secure_random(stream(Which::Random))
        .insecure_random(stream(Which::Insecure))
        .max_random_size(MAX_RANDOM)
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

/// One of the random streams of the present call.
struct Stream {
    present: Present,
    which: Which,
}

#[derive(Clone, Copy)]
enum Which {
    Random,
    Insecure,
}

impl Stream {
    fn fill(&self, target: &mut [u8]) {
        let present = self.present.look();
        let stream = match self.which {
            Which::Random => &present.random,
            Which::Insecure => &present.insecure,
        };
        stream.lock().unwrap_or_else(PoisonError::into_inner).fill(target);
    }
}

impl rand_core::TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        self.fill(target);
        Ok(())
    }
}

#[derive(Debug)]
struct Clock(Present);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.0.look().clock.wall()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.look().clock.monotonic()
    }
}

impl monotonic_clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.present.look().clock.monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1_000)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let left = when.saturating_sub(self.present.look().clock.monotonic());
        self.subscribe_duration(left)
    }

    fn subscribe_duration(&mut self, nanoseconds: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let length = Duration::from_nanos(nanoseconds);
        let until = tokio::time::Instant::now().checked_add(length);
        let sleep = Sleep { until, length, clock: self.present.look().clock, done: false };
        let table = self.ctx().table;
        let sleep = table.push(sleep)?;
        subscribe(table, sleep)
    }
}

impl insecure_seed::Host for HostState {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let mut seed = [0; 16];
        // The stream itself stays where it is: the seed is the same however often it is asked for.
        self.present.look().insecure.lock().unwrap_or_else(PoisonError::into_inner).fork("seed").fill(&mut seed);
        let seed = u128::from_le_bytes(seed);
        Ok((seed as u64, (seed >> 64) as u64))
    }
}

/// A sleep that really waits and then moves the plugin's clock.
struct Sleep {
    until: Option<tokio::time::Instant>,
    length: Duration,
    clock: VirtualClock,
    done: bool,
}

#[async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        if self.done {
            return;
        }
        match self.until {
            // Lets others run, even when the plugin polls in a loop.
            Some(_) if self.length.is_zero() => tokio::task::yield_now().await,
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
        self.done = true;
        self.clock.advance(self.length);
    }
}

/// Standard output or error: lines for the plugin's log.
#[derive(Clone)]
struct Lines {
    present: Present,
    level: Level,
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only the 0.2 stream below is linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineStream { lines: self.clone(), partial: Vec::new() })
    }
}

struct LineStream {
    lines: Lines,
    partial: Vec<u8>,
}

impl LineStream {
    fn emit(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            self.lines.present.get().log.add(self.lines.level, text.trim_end(), Vec::new());
        }
    }
}

#[async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // WASI's own rule; without it one call could have the host work through whatever the guest's memory holds.
        if bytes.len() > OUTPUT_CHUNK {
            return Err(StreamError::trap("more was written at once than `check-write` allows"));
        }
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            self.partial.extend_from_slice(line);
            if lines.peek().is_some() || line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.emit(&line);
            }
        }
        if self.partial.len() >= OUTPUT_CHUNK {
            let line = std::mem::take(&mut self.partial);
            self.emit(&line);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(OUTPUT_CHUNK)
    }
}

impl Drop for LineStream {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.partial);
        self.emit(&line);
    }
}
