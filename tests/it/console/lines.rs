//! What the console makes of rows, asked of its own code.

use std::process::Command;

use anyhow::ensure;
use sangam_tests::tool;

use super::serving;

/// What an expression in a file of the console's gives. `None`: Node.js is not here, as was said.
fn asked(file: &str, expression: &str) -> anyhow::Result<Option<String>> {
    let advice = "Node.js is not installed here: install version 20 or later (Debian: `apt-get install nodejs`)";
    if !tool::is_there(tool::runs("node", &["--version"]), advice)? {
        return Ok(None);
    }
    let code = std::fs::read_to_string(serving::root().join(file))?;
    let program = format!("{code}\nconsole.log({expression});");
    let answer = Command::new("node").args(["--input-type=module", "--eval", &program]).output()?;
    ensure!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    Ok(Some(String::from_utf8(answer.stdout)?.trim().to_owned()))
}

#[test]
fn a_replay_stands_in_the_line_of_its_run_also_where_that_began_with_a_whole_second() -> anyhow::Result<()> {
    let runs = r#"[{ id: "b", replay_of: "a", created_at: "2026-12-01T08:00:00.251Z" }, { id: "a", created_at: "2026-12-01T08:00:00Z" }]"#;
    let lines =
        asked("pages/event/lines.js", &format!("linesOf({runs}).map((line) => line.runs.map((run) => run.id).join(\" \")).join(\"; \")"))?;
    assert_eq!(lines.as_deref().unwrap_or("a b"), "a b");
    Ok(())
}

#[test]
fn columns_are_in_the_order_of_what_they_say() -> anyhow::Result<()> {
    for (values, expected) in [
        (
            r#"["2026-12-01T08:00:00.251Z", "2026-12-01T08:00:00Z", null, "2026-12-01T07:59:59.9Z"]"#,
            "2026-12-01T07:59:59.9Z 2026-12-01T08:00:00Z 2026-12-01T08:00:00.251Z null",
        ),
        ("[10, 9, undefined, 100]", "9 10 100 null"),
        (r#"["b", "B", "a", "2026"]"#, "2026 a b B"),
    ] {
        // A list sorts what is undefined by itself, so that it is looked for in boxes.
        let sorted = asked(
            "parts/compare.js",
            &format!(
                "{values}.map((value) => ({{ value }})).sort((one, other) => compare(one.value, other.value)).map((box) => box.value ?? \"null\").join(\" \")"
            ),
        )?;
        assert_eq!(sorted.as_deref().unwrap_or(expected), expected);
    }
    Ok(())
}
