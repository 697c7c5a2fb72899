//! Durable intake on PostgreSQL, beside the database's own rate for the same rows, by its own `pgbench`.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::postgres::{self, Database};

use super::{About, Row, Running, When};
use crate::configuration::Configuration;
use crate::event::{self, STRUCTURED};
use crate::figures::Rounds;
use crate::line::{DURABLE_POSTGRES, Line};
use crate::load::Load;
use crate::peer;
use crate::program::Program;
use crate::{Bench, Effort};

/// Connections of the generator, and clients of pgbench.
const CONNECTIONS: usize = 64;
/// At least this share of the reference's rate: as for intake on SQLite.
const GOAL: f64 = 0.5;

/// The row `postgres`.
pub(super) struct Postgres;

impl Row for Postgres {
    fn about(&self) -> About {
        About {
            name: "postgres",
            what: "single events over HTTP on 64 connections, made durable on PostgreSQL",
            goal: ">= 0.5 of pgbench",
            reference: "pgbench, 64 clients, prepared statements, a transaction for the same two rows in the same tables",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let pgbench = match peer::pgbench()? {
        Ok(pgbench) => pgbench,
        Err(missing) => return Ok(vec![Line::without_reference(about.name, about.goal, DURABLE_POSTGRES, &missing)]),
    };
    let mut line = Line::new(about.name, about.goal, DURABLE_POSTGRES);
    let databases = [postgres::database()?, postgres::database()?, postgres::database()?];
    let folder = tempfile::tempdir()?;
    // Each database gets its tables from a host; those of the references stop then.
    let mut hosts = Vec::new();
    for (index, database) in databases.iter().enumerate() {
        let home = folder.path().join(index.to_string());
        std::fs::create_dir(&home)?;
        Configuration::new().on_postgres(&database.url()).save(&home)?;
        hosts.push(Program::host(&home).await?);
    }
    let host = hosts.remove(1);
    for other in hosts {
        other.stop().await?;
    }
    let script = folder.path().join("events.sql");
    std::fs::File::create(&script)?.write_all(script_of_rows().as_bytes())?;
    let bench = |database: &Database, time| rate_of(&pgbench, database, &script, time);
    let load = Load { connections: CONNECTIONS, content_type: STRUCTURED, events: 1, body: one, next: Arc::new(AtomicU64::new(1)) };

    let warm = load.send(host.address, effort.time / 4).await?;
    let (mut accepted, mut refused) = (warm.accepted.len() as u64, warm.refused);
    let mut rounds = Rounds::default();
    for round in 1..=effort.rounds {
        let before = bench(&databases[0], effort.time)?;
        let answered = load.send(host.address, effort.time).await?;
        let after = bench(&databases[2], effort.time)?;
        rounds.add(before, answered.accepted.len() as f64 / answered.time.as_secs_f64(), after);
        accepted += answered.accepted.len() as u64;
        refused += answered.refused;
        eprintln!("   round {round} of {}", effort.rounds);
    }
    host.stop().await?;
    line.compare(&rounds, about.reference, "events/s");
    line.at_least(GOAL);
    let stored = databases[1].ask("select count(*) from event where type = 'bench.intake'")?;
    line.notes.push(format!("{accepted} events answered with 202, {stored} in the store, {refused} refused; the host shares transactions"));
    if stored != accepted.to_string() || refused > 0 {
        line.void_if(Some(format!("{accepted} events were answered with 202 and {stored} are stored; {refused} were refused")));
    }
    for database in [&databases[0], &databases[2]] {
        let events = database.ask("select count(*) from event")?;
        ensure!(events != "0", "pgbench wrote no event");
    }
    Ok(vec![line])
}

fn one(serial: u64) -> String {
    event::structured("bench.intake", serial)
}

/// What `store::accept` writes for an event that no route wants, one transaction an event.
fn script_of_rows() -> String {
    let body = one(0).replace('\'', "''");
    format!(
        "begin;\n\
         insert into event (eid, source, id, type, received_at, hops, body, digest, seen_until) values (gen_random_uuid()::text, '/bench', \
         gen_random_uuid()::text, 'bench.intake', (extract(epoch from clock_timestamp()) * 1000)::bigint, 0, '{body}', \
         decode('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex'), 1800000000000) on conflict do nothing;\n\
         end;\n"
    )
}

/// Transactions a second, as pgbench counts them.
fn rate_of(pgbench: &Command, database: &Database, script: &std::path::Path, time: Duration) -> anyhow::Result<f64> {
    let mut command = Command::new(pgbench.get_program());
    let (clients, seconds) = (CONNECTIONS.to_string(), time.as_secs().max(1).to_string());
    command.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--client", &clients, "--time", &seconds]);
    command.arg("--file").arg(script).arg(database.url());
    let said = peer::finish(&mut command)?;
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench says no rate: {said}"))
}
