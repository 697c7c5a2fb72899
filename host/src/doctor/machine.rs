//! The machine: room on the disk, files that may be open, memory against what the configuration may take, and the clock.

use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};

use super::Patient;
use super::finding::{Check, Finding, shown};
use crate::amount::{count, size, span};
use crate::clock;
use crate::config::Config;
use crate::crash;
use crate::store::Store;
use crate::telemetry;

/// Files that a host has open besides connections and calls: store, log, cache, pools to a database.
const OWN_FILES: u64 = 256;
/// Memory of the host itself, bytes.
const OWN_MEMORY: u64 = 128 << 20;
/// A clock that is wrong by less is right: `Date` has seconds, and an answer its way.
const CLOSE: SignedDuration = SignedDuration::from_secs(5);
/// From here on signatures, tokens and leases fail. Vendors allow 30 seconds to five minutes.
const FAR: SignedDuration = SignedDuration::from_secs(60);

/// Switches of testers.
pub(super) fn switches() -> Vec<Finding> {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    [clock::AHEAD, crash::VARIABLE]
        .iter()
        .filter(|name| is_set(name))
        .map(|name| {
            let advice = format!("take {name} out of the environment of hosts that do real work");
            Check::TestSwitch.warning(name, "it is set: a tester's switch, which makes a host's clock wrong or kills it", advice)
        })
        .collect()
}

/// Room where the store is, and where compiled code and components are.
pub(super) async fn disk(patient: &Patient) -> Vec<Finding> {
    let config = &patient.config;
    let folder = config.store.folder(&config.base);
    let Some(there) = folder.ancestors().find(|folder| folder.is_dir()) else { return Vec::new() };
    let name = shown(&folder, &config.base);
    let Ok(system) = statvfs(there) else { return vec![Check::Disk.ok(&name, "its file system does not say how much room it has")] };
    let (free, least) = (system.f_bavail.saturating_mul(system.f_frsize), config.store.min_free_space);
    // Of a server's disk only the server knows; here are compiled code and components then.
    let is_store = config.store.url.starts_with("sqlite://");
    let told = format!("{} free, at least {} must be (store.min-free-space)", size(free), size(least));
    if system.f_files > 0 && system.f_favail == 0 {
        return vec![Check::Disk.error(&name, "its file system takes no more files (no inodes left)", "remove files that nobody needs")];
    }
    vec![match (free < least, free / 2 < least) {
        (true, _) if is_store => {
            let advice = "make room, shorten `retention`, or move the store; `sangam store size` says what is large";
            Check::Disk.error(&name, format!("the disk is full: events are refused (503): {told}"), advice)
        }
        (true, _) => Check::Disk.warning(&name, told, "make room: compiled code and fetched components are kept there"),
        (false, true) => Check::Disk.warning(&name, told, "make room before it is less: events are refused then"),
        (false, false) => Check::Disk.ok(&name, told),
    }]
}

/// Files and connections that may be open at the same time. A host takes as many as it is let.
pub(super) async fn open_files(config: &Config) -> Vec<Finding> {
    let Some(most) = getrlimit(Resource::Nofile).maximum else { return vec![Check::OpenFiles.ok("", "as many as it likes")] };
    let calls: u64 = config.plugins.values().map(|plugin| u64::from(plugin.concurrency)).sum();
    let needed = OWN_FILES + u64::from(config.server.connections.most) + calls * 2;
    vec![if most < needed {
        Check::OpenFiles.warning(
            "",
            format!("{most} may be open, and the configuration may need {needed}: connections are refused when they are used up"),
            format!(
                "raise the limit (systemd: `LimitNOFILE={}`), or lower `max-connections` and `concurrency`",
                needed.next_power_of_two()
            ),
        )
    } else {
        Check::OpenFiles.ok("", format!("{most} may be open, the configuration may need {needed}"))
    }]
}

/// The same where nothing is known of a configuration.
pub(super) fn open_files_there() -> Vec<Finding> {
    let most = getrlimit(Resource::Nofile).maximum.map_or("as many as it likes".to_owned(), |most| most.to_string());
    vec![Check::OpenFiles.ok("", format!("{most} may be open"))]
}

/// Memory of this machine or its control group, against all plugins busy at once.
pub(super) async fn memory(config: &Config) -> Vec<Finding> {
    let Some(there) = memory_there() else { return Vec::new() };
    let plugins: u64 = config.plugins.values().map(|plugin| u64::from(plugin.concurrency) * plugin.limits.memory as u64).sum();
    let needed = OWN_MEMORY + plugins + config.server.max_intake_memory as u64 + config.engine.ahead_memory;
    let told = format!("{} here; with all plugins busy the configuration may take {}", size(there), size(needed));
    vec![if needed > there {
        Check::Memory.warning(
            "",
            format!("{told}: the system may then end the host (nothing is lost, but it stops)"),
            "lower `concurrency`, `limits.memory` or `max-intake-memory`, or give the machine more",
        )
    } else {
        Check::Memory.ok("", told)
    }]
}

/// Bytes: the least of the machine's and its control group's.
fn memory_there() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.saturating_mul(1024);
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    Some(machine.min(group.unwrap_or(u64::MAX)))
}

/// How far other clocks are from this one: positive, they are behind.
#[derive(Debug, Default)]
pub(super) struct Dates {
    hosts: Mutex<Vec<(String, SignedDuration)>>,
    /// The database was asked, or has this machine's clock.
    right: Mutex<Option<Finding>>,
}

impl Dates {
    pub(super) fn add(&self, host: &str, off: SignedDuration) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).push((host.to_owned(), off));
    }

    /// This machine's clock against the middle one of all that were asked: one that is wrong itself proves nothing.
    pub(super) fn judge(&self) -> Vec<Finding> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hosts.sort_by_key(|(_, off)| *off);
        let own = self.right.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((host, off)) = hosts.get(hosts.len() / 2) else { return own.into_iter().collect() };
        let how = format!("this machine's clock is {} those of the systems that were asked ({host} among them)", ahead(*off));
        let advice = "set it, and keep it right with NTP (`timedatectl set-ntp true`): signatures, tokens, schedules and leases go by it";
        let judged = match off.abs() {
            off if off >= FAR => Check::Clock.error("", how, advice),
            off if off > CLOSE => Check::Clock.warning("", how, advice),
            _ => Check::Clock.ok("", format!("it agrees with {}", count(hosts.len() as u64, "other system", "other systems"))),
        };
        own.into_iter().chain([judged]).collect()
    }
}

fn ahead(off: SignedDuration) -> String {
    let way = if off.is_negative() { "behind" } else { "ahead of" };
    format!("{} {way}", span(off.as_secs()))
}

/// The clock against the database's, and against what was written down before: it may have been set back.
pub(super) async fn store_clock(patient: &Patient, store: &Store, dates: &Dates) -> Vec<Finding> {
    let failed = |error: &dyn std::error::Error| vec![Check::Clock.error("", telemetry::chain(error), "see what is said of the store")];
    let mut findings = Vec::new();
    match store.time().await {
        Ok(Some(theirs)) => {
            let off = patient.now().duration_since(theirs);
            let how = format!("this machine's clock is {} the database server's", ahead(off));
            let advice = "keep both right with NTP: hosts judge each other's leases by it";
            if off.abs() >= FAR {
                findings.push(Check::Clock.error("", how, advice));
            } else if off.abs() > CLOSE {
                findings.push(Check::Clock.warning("", how, advice));
            } else {
                *dates.right.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Check::Clock.ok("", "that of the database server agrees with it"));
            }
        }
        Ok(None) => {}
        Err(error) => return failed(&error),
    }
    match store.newest_event().await {
        Ok(Some(newest)) if newest.duration_since(patient.now()) > CLOSE => {
            let by = span(newest.duration_since(patient.now()).as_secs());
            findings.push(Check::Clock.error(
                "",
                format!("the newest event came in {by} from now: the clock was ahead then, or has been set back"),
                "set the clock; if it is right now, waits, retries and retention that were reckoned meanwhile come that much later",
            ));
        }
        Ok(_) => {}
        Err(error) => return failed(&error),
    }
    findings
}
