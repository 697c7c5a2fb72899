//! The figures of Sangam, each beside a reference in the same run and an A/A pair: `cargo xtask bench [ROWS…]`; `docs/performance.md`.
//!
//! Every row measures rounds of *reference, host, reference again*; the figure is the median of the rounds' ratios, and the two references
//! against each other say how much of it is noise. Results are counted where they arrive: in the store and at the sinks. A row of which an
//! event is lost or doubled is void. It prints figures; it is not a test.

/// The host's, so that what stands beside it has the same.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod machine;
mod report;

mod bare;
mod configuration;
mod event;
mod peer;
mod program;
mod pump;
mod stored;

mod rows;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;

use history::Earlier;
use line::Line;
use report::Report;
use rows::{Row, When};
use sangam_bench::{figures, history, line, load, sinks};

/// Longest time for one row; beyond it the row is void.
const LONGEST_ROW: Duration = Duration::from_secs(180);
/// The same with `--full`, and for rows that must be named.
const LONGEST_FULL_ROW: Duration = Duration::from_secs(2 * 3600);

/// Measures Sangam against references in the same run.
#[derive(clap::Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Rows to measure (`--list` names them); all but the longest without any
    #[arg(value_parser = rows::named)]
    rows: Vec<&'static dyn Row>,
    /// Say which rows there are, with goal and reference, and measure nothing
    #[arg(long)]
    list: bool,
    /// Also write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Add a line with the figures to the history, tests/bench/history.jsonl
    #[arg(long)]
    record: bool,
    /// Compare with an earlier run: a commit of the history, or a FILE of --json. Ends with 1 if something became worse
    #[arg(long, value_name = "COMMIT|FILE")]
    against: Option<String>,
    /// A look rather than a measurement: fewer and shorter rounds, small sizes
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The sizes of the goals, up to 10 million events, and the longest rows: hours
    #[arg(long)]
    full: bool,
    /// Measure hosts that are compiled by what they do, as `cargo xtask pgo` makes them; by itself it only says so
    #[arg(long)]
    pgo: bool,
    #[command(flatten)]
    sizes: Sizes,
    /// Be the bare HTTP server that rows compare with
    #[arg(long, hide = true)]
    serve_bare: bool,
}

/// Sizes that were asked for.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Sizes {
    /// Routes of the row `routes` [default: 1000]
    #[arg(long, value_name = "NUMBER")]
    routes: Option<usize>,
    /// Plugins of the row `plugins` [default: 200]
    #[arg(long, value_name = "NUMBER")]
    plugins: Option<usize>,
    /// Events in the store in the row `stored` [default: 200000, with --full 10 million]
    #[arg(long, value_name = "NUMBER")]
    stored: Option<u64>,
    /// Runs waiting on a dead sink in the row `waiting` [default: 20000, with --full 100000]
    #[arg(long, value_name = "NUMBER")]
    waiting: Option<u64>,
    /// Order keys in the row `order` [default: 5000, with --full a million]
    #[arg(long, value_name = "NUMBER")]
    keys: Option<u64>,
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

const WHOLE: Effort = Effort { rounds: 5, time: Duration::from_millis(2000), samples: 150, quick: false };
const QUICK: Effort = Effort { rounds: 3, time: Duration::from_millis(500), samples: 30, quick: true };

/// What rows are given.
#[derive(Debug)]
pub(crate) struct Bench {
    /// How much.
    pub(crate) effort: Effort,
    /// The sizes of the goals, whatever it takes.
    pub(crate) full: bool,
    sizes: Sizes,
}

impl Bench {
    fn size(&self, asked: Option<u64>, quick: u64, whole: u64, full: u64) -> u64 {
        asked.unwrap_or(if self.effort.quick {
            quick
        } else if self.full {
            full
        } else {
            whole
        })
    }

    /// Routes of a large host.
    pub(crate) fn routes(&self) -> usize {
        self.sizes.routes.unwrap_or(if self.effort.quick { 200 } else { 1000 })
    }

    /// Plugins of a large host.
    pub(crate) fn plugins(&self) -> usize {
        self.sizes.plugins.unwrap_or(if self.effort.quick { 40 } else { 200 })
    }

    /// Events in a large store.
    pub(crate) fn stored(&self) -> u64 {
        self.size(self.sizes.stored, 10_000, 200_000, 10_000_000)
    }

    /// Runs that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.size(self.sizes.waiting, 1_000, 20_000, 100_000)
    }

    /// Order keys.
    pub(crate) fn keys(&self) -> u64 {
        self.size(self.sizes.keys, 500, 5_000, 1_000_000)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.serve_bare {
        bare::serve().await?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.list {
        print!("{}", rows::list());
        return Ok(ExitCode::SUCCESS);
    }
    // Before hours of measuring: an earlier run that is not there is a mistake.
    let earlier = arguments.against.as_deref().map(Earlier::find).transpose()?;
    let bench = Bench { effort: if arguments.quick { QUICK } else { WHOLE }, full: arguments.full, sizes: arguments.sizes };
    let rows: Vec<&'static dyn Row> = match &arguments.rows[..] {
        [] => rows::ALL.iter().copied().filter(|row| bench.full || row.about().when == When::Always).collect(),
        asked => asked.to_vec(),
    };
    // Broken off, it ends like a row that failed: hosts and peers end with what started them.
    let report = tokio::select! {
        report = measure(&bench, &rows, arguments.pgo) => report?,
        signal = broken_off() => anyhow::bail!("broken off ({signal})"),
    };
    print!("{report}");
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    let worse = match earlier {
        Some(earlier) => {
            let comparison = earlier.compare(&report.summary());
            print!("\n{comparison}");
            comparison.is_worse()
        }
        None => false,
    };
    if arguments.record {
        history::add(&report.summary())?;
    }
    Ok(if worse { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A signal that ends it.
async fn broken_off() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

async fn measure(bench: &Bench, rows: &[&'static dyn Row], pgo: bool) -> anyhow::Result<Report> {
    let started = Instant::now();
    let machine = machine::describe().await.context("looking at the machine")?;
    let mut lines = Vec::new();
    for &row in rows {
        let about = row.about();
        eprintln!("── {}: {}", about.name, about.what);
        if let Err(error) = tokio::task::block_in_place(|| row.prepare()) {
            lines.push(Line::void(about.name, format!("{error:#}")));
            continue;
        }
        let row_started = Instant::now();
        let longest = if bench.full || about.when == When::Asked { LONGEST_FULL_ROW } else { LONGEST_ROW };
        lines.extend(match tokio::time::timeout(longest, row.run(bench)).await {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) => vec![Line::void(about.name, format!("{error:#}"))],
            Err(_) => vec![Line::void(about.name, format!("it took longer than {longest:?}"))],
        });
        eprintln!("── {}: {:.1} s", about.name, row_started.elapsed().as_secs_f64());
    }
    Ok(Report::new(machine, bench.effort.quick, pgo, started.elapsed(), lines))
}
