//! `sangam`: see [`sangam::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Memory comes from jemalloc, in C code (SQLite) too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    sangam::cli::run().await
}
