//! The figures of Sangam, each beside a reference in the same run and an A/A pair: `cargo xtask bench [ROWS…] [--json FILE] [--quick]`.
//!
//! Rules: `quality.md`. Every row measures rounds of *reference, host, reference again*; the figure is the median of the rounds' ratios, and the
//! two references against each other say how much of it is noise. Results are counted where they arrive: in the store and at the sinks. A row
//! of which an event is lost or doubled is void. It prints figures; it is not a test.

mod figures;
mod machine;
mod report;

mod bare;
mod event;
mod load;
mod program;
mod sinks;
mod stored;

mod rows;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;

use report::{Report, Row};
use rows::Name;

/// Longest time for one row; beyond it the row is void.
const LONGEST_ROW: Duration = Duration::from_secs(180);

/// Measures Sangam against references in the same run.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Rows to measure; all of them without any
    rows: Vec<Name>,
    /// Also write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A look rather than a measurement: fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Be the bare HTTP server that rows compare with
    #[arg(long, hide = true)]
    serve_bare: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of reference, host, reference.
    pub(crate) rounds: usize,
    /// Length of each measurement in a round.
    pub(crate) time: Duration,
    /// The same where single events are timed.
    pub(crate) samples: usize,
    /// It is only a look.
    pub(crate) quick: bool,
}

const FULL: Effort = Effort { rounds: 5, time: Duration::from_millis(2000), samples: 150, quick: false };
const QUICK: Effort = Effort { rounds: 3, time: Duration::from_millis(500), samples: 30, quick: true };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.serve_bare {
        return bare::serve().await;
    }
    let effort = if arguments.quick { QUICK } else { FULL };
    let names = if arguments.rows.is_empty() { Name::all() } else { arguments.rows.clone() };
    let started = Instant::now();
    let machine = machine::describe().await.context("looking at the machine")?;
    let mut rows = Vec::new();
    for name in names {
        let row_started = Instant::now();
        eprintln!("── {name}");
        let measured = tokio::time::timeout(LONGEST_ROW, rows::measure(name, effort)).await;
        rows.extend(match measured {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => vec![Row::void(&name.to_string(), format!("{error:#}"))],
            Err(_) => vec![Row::void(&name.to_string(), format!("it took longer than {LONGEST_ROW:?}"))],
        });
        eprintln!("── {name}: {:.1} s", row_started.elapsed().as_secs_f64());
    }
    let report = Report { machine, quick: arguments.quick, seconds: started.elapsed().as_secs_f64(), rows };
    print!("{report}");
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
