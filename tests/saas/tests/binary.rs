//! The program: where it listens, and how it ends.

mod client;

use std::process::Stdio;

use client::client;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn it_prints_where_it_listens_and_ends_on_sigterm() {
    let mut program =
        Command::new(env!("CARGO_BIN_EXE_sangam-saas")).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    let line = lines.next_line().await.expect("readable").expect("a line");
    let origins: Value = serde_json::from_str(&line).expect("JSON");
    for name in [
        "salesforce",
        "hubspot",
        "quickbooks",
        "hr",
        "sink",
        "slack",
        "warehouse",
        "files",
        "fieldservice",
        "jobber",
        "servicetitan",
        "housecall",
    ] {
        let origin = origins[name].as_str().expect(name);
        assert!(origin.starts_with("http://127.0.0.1:"), "{origin}");
        let state = client().get(format!("{origin}/__stand/state")).send().await.expect("answered");
        assert_eq!(state.status(), 200, "{name}");
    }
    let pid = program.id().expect("running").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(sent.success());
    assert!(program.wait().await.expect("ended").success());
    assert_eq!(lines.next_line().await.expect("readable"), None);
}

#[tokio::test]
async fn ports_that_do_not_exist_are_refused() {
    let program = Command::new(env!("CARGO_BIN_EXE_sangam-saas")).args(["--ports", "65533"]).output();
    let output = program.await.expect("it ends");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("ports from there on"));
}
