//! Compiling, in a process of its own: whoever writes a component chooses how much work and memory compiling it takes. In there it is stopped when
//! it is too much, with nothing of the host's in reach and without slowing it down.

use std::io::{Read as _, Write as _};
use std::num::NonZeroUsize;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;

use super::progress::{Progress, telling};
use super::{EngineError, configuration};
use crate::config;

/// The hidden verb of the program that is the other end.
pub const VERB: &str = "compile-component";
/// Name of the program that has it.
const PROGRAM: &str = "sangam";
/// Has jemalloc ask for memory when it needs it rather than ahead: all that it has asked for counts against the bound.
const MALLOC: (&str, &str) = ("MALLOC_CONF", "retain:false,narenas:1");
/// Lets everything else go first.
#[cfg(target_os = "linux")]
const NICE: i32 = 15;
/// Compilers at the same time where nobody says how many.
const MOST_BY_ITSELF: usize = 4;
/// Longest reason taken from the other end.
const MAX_WHY: usize = 2 << 10;

/// Compiles a few components at a time: as many as `engine.compile-processes` says.
#[derive(Debug)]
pub(super) struct Compiler {
    limits: config::Engine,
    /// A program that embeds the library (a benchmark) has no such verb, and compiles in itself.
    apart: bool,
    turns: tokio::sync::Semaphore,
}

impl Compiler {
    pub(super) fn new(limits: &config::Engine) -> Compiler {
        let apart = std::env::current_exe().is_ok_and(|program| program.file_stem().is_some_and(|name| name == PROGRAM));
        Compiler { limits: limits.clone(), apart, turns: tokio::sync::Semaphore::new(at_once(limits)) }
    }

    /// How long one may take.
    pub(super) fn time(&self) -> Duration {
        self.limits.compile_time
    }

    /// Compiled code. `what` is being compiled, for people.
    pub(super) async fn compile(
        &self,
        engine: &wasmtime::Engine,
        what: &str,
        bytes: &[u8],
        progress: &Progress,
    ) -> Result<Vec<u8>, EngineError> {
        if bytes.len() as u64 > self.limits.component_size {
            let most = self.limits.component_size;
            return Err(EngineError::Compile(format!("it has {} bytes; at most {most} (engine.component-size)", bytes.len())));
        }
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let what = format!("compiling {what}");
        if !self.apart {
            let (engine, bytes) = (engine.clone(), bytes.to_owned());
            let work = tokio::task::spawn_blocking(move || engine.precompile_component(&bytes));
            return telling(progress, &what, work).await.map_err(EngineError::compile)?.map_err(EngineError::compile);
        }
        let time = self.limits.compile_time;
        match telling(progress, &what, tokio::time::timeout(time, self.compile_apart(bytes))).await {
            Ok(Ok(output)) => self.judge(output),
            Ok(Err(error)) => Err(EngineError::Compile(format!("the compiler did not start: {error}"))),
            // The process is killed with its handle.
            Err(_) => Err(EngineError::Compile(format!("it took longer than {time:?} (engine.compile-time)"))),
        }
    }

    async fn compile_apart(&self, bytes: &[u8]) -> std::io::Result<Output> {
        // On Linux this is the program that runs, also after its file was replaced by another version.
        let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
        let mut command = tokio::process::Command::new(program);
        command.arg(VERB).arg(self.limits.compile_memory.to_string()).arg(self.limits.compile_time.as_secs().saturating_add(1).to_string());
        command
            .env_clear()
            .env(MALLOC.0, MALLOC.1)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that has ended already says why itself.
            let _ = input.write_all(bytes).await;
        }
        child.wait_with_output().await
    }

    fn judge(&self, output: Output) -> Result<Vec<u8>, EngineError> {
        use std::os::unix::process::ExitStatusExt as _;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let text = String::from_utf8_lossy(&output.stderr[..output.stderr.len().min(MAX_WHY)]).trim().to_owned();
        if text.contains("memory allocation of") || text.contains("Cannot allocate memory") {
            let most = self.limits.compile_memory;
            return Err(EngineError::Compile(format!("it took more than {most} bytes of memory (engine.compile-memory)")));
        }
        Err(EngineError::Compile(match output.status.signal() {
            Some(signal) => format!("the compiler broke off with signal {signal}: {text}"),
            None => text,
        }))
    }
}

/// Components that are compiled at the same time. Each compiler uses all processors, but not all of the time; each may take the memory of one.
pub(super) fn at_once(limits: &config::Engine) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    limits.compile_processes.map_or_else(|| processors().min(MOST_BY_ITSELF), |count| count as usize)
}

/// The other end: takes a component from standard input and gives compiled code to standard output, within so many bytes of memory and seconds.
///
/// # Errors
/// What is wrong with the component.
pub fn serve(memory: u64, time: Duration) -> Result<(), EngineError> {
    let io = |error: std::io::Error| EngineError::Compile(error.to_string());
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
    // Its threads, one for each processor, start later and inherit it all.
    let engine = wasmtime::Engine::new(&configuration(None)).map_err(EngineError::start)?;
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let bounds = [
        (Resource::Data, memory),
        // Should the host be gone, and with it who would stop this.
        (Resource::Cpu, time.as_secs().saturating_mul(processors)),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in bounds {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(|error| io(error.into()))?;
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(io)?;
    let code = engine.precompile_component(&bytes).map_err(|error| EngineError::Compile(format!("{error:#}")))?;
    std::io::stdout().lock().write_all(&code).map_err(io)
}
