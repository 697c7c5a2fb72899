//! What the operating system may not do with this process's memory.

/// No core dump, and no debugger of another user's: the memory holds secrets. Where the system can't do that, it is left as it is.
pub(super) fn keep_private() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
