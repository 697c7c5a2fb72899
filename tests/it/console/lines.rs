//! What the console makes of the runs of an event, asked of its own code.

use std::process::Command;

use anyhow::ensure;
use sangam_tests::tool;

use super::serving;

#[test]
fn a_replay_stands_in_the_line_of_its_run_also_where_that_began_with_a_whole_second() -> anyhow::Result<()> {
    let advice = "Node.js is not installed here: install version 20 or later (Debian: `apt-get install nodejs`)";
    if !tool::is_there(tool::runs("node", &["--version"]), advice)? {
        return Ok(());
    }
    let code = std::fs::read_to_string(serving::root().join("pages/event/lines.js"))?;
    let runs = r#"[{ id: "b", replay_of: "a", created_at: "2026-12-01T08:00:00.251Z" }, { id: "a", created_at: "2026-12-01T08:00:00Z" }]"#;
    let asked = format!("{code}\nconsole.log(linesOf({runs}).map((line) => line.runs.map((run) => run.id).join(\" \")).join(\"; \"));");
    let answer = Command::new("node").args(["--input-type=module", "--eval", &asked]).output()?;
    ensure!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert_eq!(String::from_utf8(answer.stdout)?.trim(), "a b");
    Ok(())
}
