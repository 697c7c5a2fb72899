//! One thing that was looked at: how it is, what that means, and what to do.

use std::path::Path;

use crate::config::{self, Problem};
use crate::telemetry::plain;

/// Where the things belong that are looked at, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The file, its components, their lock.
    Configuration,
    /// The sealing key and what it seals.
    Secrets,
    /// The database.
    Store,
    /// Disk, memory, files, clock.
    Machine,
    /// What is shown to other systems and to this host.
    Credentials,
    /// Other systems.
    Reach,
    /// The host and its address.
    Host,
    /// What the host has to do.
    Work,
}

impl Area {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Area::Configuration => "configuration",
            Area::Secrets => "secrets",
            Area::Store => "store",
            Area::Machine => "machine",
            Area::Credentials => "credentials",
            Area::Reach => "reach",
            Area::Host => "host",
            Area::Work => "work",
        }
    }
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])* $name:ident $code:literal $area:ident;)*) => {
        /// What is looked at. Its code is stable: scripts go by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $($(#[doc = $doc])* $name,)*
        }

        impl Check {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Check] = &[$(Check::$name),*];

            /// Its code.
            pub fn as_str(self) -> &'static str {
                match self { $(Check::$name => $code,)* }
            }

            /// Where it belongs.
            pub fn area(self) -> Area {
                match self { $(Check::$name => Area::$area,)* }
            }
        }
    };
}

checks! {
    /// The file itself.
    Configuration "configuration" Configuration;
    /// Components, and what the file makes of them.
    Components "components" Configuration;
    /// `sangam.lock` and `[trust]`.
    Lock "lock" Configuration;
    /// Who may read and change the files.
    Permissions "permissions" Configuration;
    /// Switches of testers that are set.
    TestSwitch "test-switch" Configuration;
    /// The key that seals.
    Key "sealing-key" Secrets;
    /// What is sealed, and what the file names of it.
    Secrets "secrets" Secrets;
    /// Whether the database opens.
    Store "store" Store;
    /// Migrations.
    Schema "schema" Store;
    /// Damage.
    Integrity "integrity" Store;
    /// Whether it can be written.
    Writable "writable" Store;
    /// Room on its disk.
    Disk "disk-room" Machine;
    /// Files and connections open at the same time.
    OpenFiles "open-files" Machine;
    /// Memory against what the configuration may take.
    Memory "memory" Machine;
    /// Time, here and elsewhere.
    Clock "clock" Machine;
    /// `[credentials.NAME]`.
    Credential "credential" Credentials;
    /// Tokens of the host's own API, and who can get in at all.
    ApiTokens "api-tokens" Credentials;
    /// `allow-hosts` of plugins.
    GrantedHost "granted-host" Reach;
    /// Token endpoints of credentials.
    TokenEndpoint "token-endpoint" Reach;
    /// `[webhooks.NAME]`.
    Endpoint "webhook-endpoint" Reach;
    /// `[nats.NAME]`.
    Nats "nats-server" Reach;
    /// `[mail.NAME]`.
    Mail "mail-relay" Reach;
    /// Registries that components come from.
    Registry "registry" Reach;
    /// `[server.oidc]`.
    Login "login-provider" Reach;
    /// `[telemetry]`.
    Collector "collector" Reach;
    /// `server.listen`.
    Listen "listen-address" Host;
    /// The host's own certificate.
    Certificate "certificate" Host;
    /// A host that runs.
    Running "running-host" Host;
    /// What it runs against what the file says.
    Revision "revision" Host;
    /// The hosts that share the store.
    Hosts "hosts" Host;
    /// Runs that nobody takes.
    Unserved "unserved-runs" Work;
    /// How long runs have waited.
    Pending "oldest-pending" Work;
    /// How many wait.
    Backlog "backlog" Work;
    /// Dead letters.
    DeadLetters "dead-letters" Work;
    /// Sources that bring nothing in.
    Sources "sources" Work;
    /// Webhooks that are sent nothing.
    Webhooks "webhooks" Work;
    /// Hosts that are left alone.
    Breakers "breakers" Work;
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It works, but not as well or not as long as it should.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// What was found. Its texts are safe to print and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// Which one of several; empty: there is one.
    pub subject: String,
    /// How it is.
    pub severity: Severity,
    /// How it is and what that means, a sentence without a full stop.
    pub message: String,
    /// What to do; `None`: nothing.
    pub advice: Option<String>,
    /// Where it is written.
    pub place: Option<Place>,
}

impl Check {
    /// All is well.
    pub fn ok(self, subject: &str, message: impl AsRef<str>) -> Finding {
        self.finding(subject, Severity::Ok, message.as_ref(), None)
    }

    /// Something to see to.
    pub fn warning(self, subject: &str, message: impl AsRef<str>, advice: impl AsRef<str>) -> Finding {
        self.finding(subject, Severity::Warning, message.as_ref(), Some(advice.as_ref()))
    }

    /// Something to mend.
    pub fn error(self, subject: &str, message: impl AsRef<str>, advice: impl AsRef<str>) -> Finding {
        self.finding(subject, Severity::Error, message.as_ref(), Some(advice.as_ref()))
    }

    fn finding(self, subject: &str, severity: Severity, message: &str, advice: Option<&str>) -> Finding {
        Finding { check: self, subject: plain(subject), severity, message: plain(message), advice: advice.map(plain), place: None }
    }

    /// A mistake in a file.
    pub fn problem(self, file: &str, problem: &Problem) -> Finding {
        let severity = match problem.severity {
            config::Severity::Error => Severity::Error,
            config::Severity::Warning => Severity::Warning,
        };
        let advice = problem.help.as_deref().unwrap_or("`sangam check` shows the line");
        let place = Place { file: plain(file), line: problem.line, column: problem.column };
        Finding { place: Some(place), ..self.finding("", severity, &problem.message, Some(advice)) }
    }
}

/// A path as people know it: relative to the folder of the configuration, if it is in there.
pub(super) fn shown(path: &Path, base: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_code() {
        let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")).expect("the manual");
        for check in Check::ALL {
            assert!(manual.contains(&format!("`{}`", check.as_str())), "{} is not in docs/operations.md", check.as_str());
        }
    }

    #[test]
    fn what_others_wrote_can_not_rule_a_terminal() {
        let finding = Check::GrantedHost.error("a\u{1b}[2J", "b\u{202e}", "c\nd");
        assert_eq!((finding.subject.as_str(), finding.message.as_str()), ("a\\u{1b}[2J", "b\\u{202e}"));
        assert_eq!(finding.advice.as_deref(), Some("c\\nd"));
    }
}
