//! Calls the guest beside through Extism. Arguments: the guest's file, and a file with what it is called with. Each line on standard input
//! is `fresh N` or `reused N`; each is answered with a line: the microseconds of N calls, as JSON.

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, UserData, Wasm, host_fn};

/// What the system answers, from memory.
const ANSWER: &str = r#"{"id":"S-4711"}"#;

host_fn!(send(_user: (); request: String) -> String {
    if !request.contains("hours") {
        return Err(extism::Error::msg("the request lacks its body"));
    }
    Ok(ANSWER.to_owned())
});

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (guest, input) = (arguments.next().context("no guest")?, arguments.next().context("no input")?);
    let input = std::fs::read_to_string(input)?;
    // Compiled once: a fresh plugin is an instance of it, as in Sangam.
    let builder = PluginBuilder::new(Manifest::new([Wasm::data(std::fs::read(guest)?)])).with_function(
        "send",
        [extism::PTR],
        [extism::PTR],
        UserData::new(()),
        send,
    );
    let compiled = CompiledPlugin::new(builder)?;
    let mut reused = Plugin::new_from_compiled(&compiled)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (mode, count) = line.split_once(' ').context("a line is MODE COUNT")?;
        let mut times = Vec::new();
        for _ in 0..count.parse::<usize>()? {
            let started = Instant::now();
            let answer = match mode {
                "fresh" => Plugin::new_from_compiled(&compiled)?.call::<&str, String>("write", &input)?,
                "reused" => reused.call::<&str, String>("write", &input)?,
                other => bail!("no mode {other:?}"),
            };
            times.push(started.elapsed().as_secs_f64() * 1e6);
            ensure!(answer.contains("S-4711"), "the guest gave {answer}");
        }
        println!("{}", serde_json::to_string(&times)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}
