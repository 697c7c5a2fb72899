//! This process as the operating system sees it (Linux: `/proc`), by the names that all Prometheus clients use. Elsewhere there is nothing to tell.

use super::looked::Sample;

/// Ticks of a second in `/proc`: a constant of Linux's interface to programs (USER_HZ), whatever the kernel itself uses.
const TICKS: f64 = 100.0;

/// What can be told.
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    samples.extend(field("VmRSS").map(|kib| Sample::new("process_resident_memory_bytes", kib * 1024.0)));
    samples.extend(field("Threads").map(|threads| Sample::new("process_threads", threads)));
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        samples.push(Sample::new("process_open_fds", open.count() as f64));
    }
    if let Some(most) = read("/proc/self/limits")
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse::<f64>().ok())
    {
        samples.push(Sample::new("process_max_fds", most));
    }
    // After the name, which may hold anything, in parentheses: fields 3 and on (proc_pid_stat(5)).
    let stat = read("/proc/self/stat");
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    if let (Some(user), Some(system), Some(started)) = (fields.get(11), fields.get(12), fields.get(19)) {
        samples.push(Sample::new("process_cpu_seconds_total", (user + system) / TICKS));
        let booted = read("/proc/stat").lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        samples.extend(booted.map(|booted| Sample::new("process_start_time_seconds", booted + started / TICKS)));
    }
    samples
}
