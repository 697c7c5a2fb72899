//! The connector author's book, made of `docs/book` by mdBook.

use std::process::{Command, Stdio};

use anyhow::bail;

use crate::tools::{root, run, target};

const ADVICE: &str =
    "the book needs mdBook: `cargo install --locked --no-default-features mdbook` (links and code of the book are tested without it)";

/// Makes `book/index.html` in the target folder. Where mdBook is missing, says how to get it, and fails in CI.
pub(crate) fn book() -> anyhow::Result<()> {
    let there = Command::new("mdbook").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            bail!("{ADVICE}");
        }
        eprintln!("{ADVICE}; it is not made now");
        return Ok(());
    }
    let made = target().join("book");
    run(Command::new("mdbook").arg("build").arg(root().join("docs/book")).arg("--dest-dir").arg(&made))?;
    eprintln!("{}", made.join("index.html").display());
    Ok(())
}
