//! The console's code, read by the TypeScript compiler: no name, no import and no word too many or too few.

use std::process::Command;

use anyhow::Context as _;
use sangam_tests::BrowserTests;

/// What is looked for: syntax, names and imports that are not there, arguments too many or too few, names that nobody uses. Types are not: the code has none.
const WRONG: &[&str] =
    &["TS1", "TS2304", "TS2305", "TS2307", "TS2451", "TS2552", "TS2554", "TS2614", "TS2724", "TS6133", "TS6192", "TS6196"];

#[test]
fn every_name_in_the_console_s_code_is_there_and_used() -> anyhow::Result<()> {
    if BrowserTests::here()?.is_none() {
        return Ok(());
    }
    let output = Command::new("node")
        .args(["node_modules/typescript/bin/tsc", "-p", "tsconfig.json", "--pretty", "false"])
        .current_dir(BrowserTests::folder())
        .output()
        .context("the compiler could not be started")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // `PATH(LINE,COLUMN): error TSNUMBER: WHAT`
    let is_wrong = |line: &&str| {
        let number = line.split(": error ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default();
        !line.contains("/vendor/")
            && WRONG.iter().any(|wrong| number == *wrong || *wrong == "TS1" && number.len() == 6 && number.starts_with("TS1"))
    };
    let wrong: Vec<&str> = said.lines().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(said.contains("/vendor/") || output.status.success(), "the compiler read nothing: {said}");
    Ok(())
}
