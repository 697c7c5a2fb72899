//! What an administrator asks when something is odd, or before going live: a look at everything that a host stands on, and what to do about what is
//! wrong.
//!
//! It changes nothing. The store is opened for reading only and brought to no other schema, no credential is used or renewed, and what is sent to other
//! systems is a TLS handshake, a bare `HEAD`, or what a server is told before it knows who asks. It works beside a running host, without one, and, as
//! far as can be, with a configuration that has mistakes.
//!
//! One file for each noun; [`Check`] lists what is looked at.

mod components;
mod configuration;
mod credentials;
mod finding;
mod host;
mod machine;
mod reach;
mod round;
mod secrets;
mod store;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

pub use self::components::{Compared, compare};
pub use self::finding::{Area, Check, Finding, Place, Severity};
pub use self::round::Progress;

use self::host::Seen;
use self::round::{Round, all};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};

/// What is to be looked at, and how.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The configuration file.
    pub file: PathBuf,
    /// No other system is asked, but for the database.
    pub offline: bool,
    /// How long each look may take.
    pub timeout: Duration,
    /// Where a host runs; `None`: where the configuration has it listen.
    pub url: Option<String>,
    /// For that host's API.
    pub token: Option<String>,
    /// Trusted for that host besides the operating system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What time it is here.
    pub clock: Clock,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The configuration file, as it was given.
    pub file: String,
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// By area and check.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings are like that.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What is looked at.
struct Patient {
    config: Config,
    /// The whole of it; `None`: the file has mistakes, and `config` is what could be read.
    loaded: Option<Loaded>,
    file: PathBuf,
    clock: Clock,
}

impl Patient {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Looks at everything, side by side. `tell` is told how far it is.
pub async fn examine(asked: &Asked, tell: Progress<'_>) -> Report {
    let round = Round::new(asked.timeout, tell);
    let (mut findings, patient) = match config::load_as_far_as_possible(&asked.file) {
        Ok(loaded) => {
            let findings = configuration::warnings(&loaded);
            (findings, Some((loaded.config.clone(), Some(loaded))))
        }
        Err((problems, config)) => (configuration::problems(&problems), config.map(|config| (*config, None))),
    };
    findings.extend(machine::switches());
    match patient {
        Some((config, loaded)) => {
            let patient = Patient { config, loaded, file: asked.file.clone(), clock: asked.clock.clone() };
            findings.extend(whole(asked, &round, &patient).await);
        }
        // Nothing is known but the machine, and perhaps where a host runs.
        None => findings.extend(host::without_configuration(asked, &round).await),
    }
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| (finding.check.area(), finding.check, finding.place.as_ref().map_or(0, |place| place.line));
        order(one).cmp(&order(other)).then_with(|| one.subject.cmp(&other.subject))
    });
    Report { file: asked.file.display().to_string(), at: asked.clock.now(), findings }
}

async fn whole(asked: &Asked, round: &Round<'_>, patient: &Patient) -> Vec<Finding> {
    let dates = machine::Dates::default();
    let outside = async {
        let looks = if asked.offline { Vec::new() } else { reach::looks(round, patient, &dates) };
        all(looks).await
    };
    let here = all(vec![
        round.look(Check::Components, "", configuration::components(patient)),
        round.look(Check::Permissions, "", configuration::permissions(patient)),
        round.look(Check::Disk, "", machine::disk(patient)),
        round.look(Check::OpenFiles, "", machine::open_files(&patient.config)),
        round.look(Check::Memory, "", machine::memory(&patient.config)),
    ]);
    let inside = async {
        let (opened, seen) = futures::join!(store::open(patient, round.timeout), host::see(asked, patient));
        within(round, patient, opened, &seen, &dates).await
    };
    let (outside, here, inside) = futures::join!(outside, here, inside);
    [outside, here, inside, dates.judge()].into_iter().flatten().collect()
}

/// What takes the store, and what a host answered.
async fn within(
    round: &Round<'_>,
    patient: &Patient,
    (mut findings, store): (Vec<Finding>, Option<crate::store::Store>),
    seen: &Seen,
    dates: &machine::Dates,
) -> Vec<Finding> {
    findings.extend(host::answers(patient, seen));
    let Some(store) = store else {
        findings.extend(secrets::key_alone(patient).await);
        return findings;
    };
    let key = round.look(Check::Key, "", async {
        let (mut found, vault) = secrets::key(patient, &store).await;
        if let Some(vault) = &vault {
            let looks = vec![
                round.look(Check::Secrets, "", secrets::sealed(patient, vault)),
                round.look(Check::Credential, "", credentials::all(patient, &store, vault, seen)),
                round.look(Check::Certificate, "", host::certificate(patient, vault, seen)),
            ];
            found.extend(all(looks).await);
        }
        found
    });
    let looks = vec![
        key,
        round.look(Check::Integrity, "", store::integrity(&store)),
        round.look(Check::Writable, "", store::writable(patient, &store)),
        round.look(Check::Clock, "", machine::store_clock(patient, &store, dates)),
        round.look(Check::ApiTokens, "", credentials::api_tokens(patient, &store)),
        round.look(Check::Revision, "", host::revision(patient, &store, seen)),
        round.look(Check::Hosts, "", host::hosts(patient, &store)),
        round.look(Check::Pending, "", work::waiting(patient, &store, seen)),
        round.look(Check::DeadLetters, "", work::dead_letters(patient, &store)),
        round.look(Check::Sources, "", work::sources(patient, &store)),
        round.look(Check::Webhooks, "", work::webhooks(patient, &store)),
        round.look(Check::Breakers, "", work::breakers(patient, &store)),
    ];
    findings.extend(all(looks).await);
    // A look that was given up may hold a connection still.
    let _ = tokio::time::timeout(Duration::from_secs(1), store.close()).await;
    findings
}
