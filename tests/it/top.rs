//! `sangam top`: against a real host, as text and in a terminal.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sangam_tests::tool;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::scene::{SCRIPT, Scene, event};

const TRAP: &str = "[[routes]]\nname = \"trap\"\non = { type = \"trap\" }\n[[routes.steps]]\nname = \"jump\"\nuses = \"m.trap\"\nretry = { max-attempts = 1 }\n";

/// A host one of whose plugins fails.
async fn failing() -> anyhow::Result<Scene> {
    let scene = Scene::start(&format!("{SCRIPT}{TRAP}")).await?;
    scene.client().send_and_wait(&event("a", "trap", json!({}))).await?;
    let end = Instant::now() + Duration::from_secs(30);
    while scene.client().get("/v1/overview").await?.json["failing"][0]["dead_letters"] != 1 {
        ensure!(Instant::now() < end, "the overview never named what fails");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(scene)
}

#[tokio::test]
async fn one_frame_is_text_and_the_figures_are_json() -> anyhow::Result<()> {
    let scene = failing().await?;
    let url = scene.client().url.clone();
    let done = scene.folder.run(&["top", "--once", "--url", &url], "")?;
    let text = String::from_utf8(done.stdout)?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let line = text.lines().find(|line| line.contains("m.trap")).context("what fails is named")?;
    ensure!(line.contains("1/1") && line.contains("trap"), "{text}");
    ensure!(!text.contains('\u{1b}'), "no colours where there is no terminal: {text:?}");
    let done = scene.folder.run(&["top", "--json", "--window", "1h", "--url", &url], "")?;
    let figures: Value = serde_json::from_slice(&done.stdout)?;
    assert_eq!((&figures["overview"]["window_ms"], &figures["failing"][0]["plugin"]), (&json!(3_600_000), &json!("m")));
    ensure!(figures["failing"][0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{figures:#}");
    assert_eq!(scene.folder.run(&["top", "--once", "--url", "http://127.0.0.1:1"], "")?.status.code(), Some(3));
    Ok(())
}

/// The program in a terminal that `script` (util-linux) makes, with what was drawn there. Around it the shell says how the terminal is set.
struct Terminal {
    script: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

/// Says before and after the program how the terminal is set, and which process it is.
const SHELL: &str = "stty cols 100 rows 30; echo \"set $(stty -g)\"; sh -c 'echo \"process $$ $(tty) \"; exec \"$SANGAM\" top --url \"$HOST\"'; \
                     echo \"ended $?\"; echo \"set $(stty -g)\"";

impl Terminal {
    fn start(url: &str) -> anyhow::Result<Terminal> {
        let mut script = Command::new("script")
            .args(["--quiet", "--flush", "--command", SHELL, "/dev/null"])
            .env("SANGAM", sangam_tests::sangam())
            .env("HOST", url)
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut output, into) = (script.stdout.take().context("it is piped")?, shown.clone());
        // Ends with the program.
        tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes).await {
                into.lock().expect("nobody panics with it").extend_from_slice(&bytes[..read]);
            }
        });
        Ok(Terminal { script, shown })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("nobody panics with it")).into_owned()
    }

    /// Waits until all of these words were drawn since it was last asked; gives what was drawn.
    async fn until(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let text = self.text();
            if words.iter().all(|word| text.contains(word)) {
                self.shown.lock().expect("nobody panics with it").clear();
                return Ok(text);
            }
            ensure!(Instant::now() < end, "never drawn: {words:?} in {text:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn keys(&mut self, keys: &str) -> anyhow::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let input = self.script.stdin.as_mut().context("it is piped")?;
        input.write_all(keys.as_bytes()).await?;
        Ok(input.flush().await?)
    }
}

/// The line that begins so, without that.
fn said<'t>(text: &'t str, begins: &str) -> anyhow::Result<&'t str> {
    let line = text.lines().find_map(|line| line.split_once(begins)).with_context(|| format!("no line {begins:?} in {text:?}"))?;
    Ok(line.1.trim())
}

fn is_there() -> anyhow::Result<bool> {
    let version = std::process::Command::new("script").arg("--version").output();
    let found = version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("util-linux"));
    tool::is_there(found, "no `script` of util-linux on PATH: on Debian, `apt-get install bsdutils`")
}

#[tokio::test]
async fn in_a_terminal_the_failing_event_is_found_and_replayed() -> anyhow::Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let scene = failing().await?;
    let mut terminal = Terminal::start(&scene.client().url)?;
    let begun = terminal.until(&["FAILING", "m.trap", "choose"]).await?;
    let before = said(&begun, "set ")?.to_owned();
    ensure!(begun.contains("\u{1b}[?1049h"), "it has a screen of its own");
    terminal.keys("\r").await?;
    terminal.until(&["jump", "eid"]).await?;
    terminal.keys("r").await?;
    terminal.until(&["replay", "yes,"]).await?;
    terminal.keys("y").await?;
    terminal.until(&["1 replay of"]).await?;
    let letters = scene.client().get("/v1/events").await?.json;
    let eid = letters["events"][0]["eid"].as_str().context("the event")?.to_owned();
    assert_eq!(scene.client().event(&eid).await?["runs"].as_array().map(Vec::len), Some(2));
    terminal.keys("q").await?;
    terminal.until(&["FAILING"]).await?;
    terminal.keys("q").await?;
    let left = terminal.until(&["ended ", "set "]).await?;
    ensure!(left.contains("\u{1b}[?1049l") && left.contains("\u{1b}[?25h"), "the screen and the cursor come back: {left:?}");
    assert_eq!((said(&left, "ended ")?, said(&left, "set ")?), ("0", before.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_terminal_of_another_size_is_drawn_anew_and_given_back_at_a_signal() -> anyhow::Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let scene = failing().await?;
    let mut terminal = Terminal::start(&scene.client().url)?;
    let begun = terminal.until(&["m.trap", "choose"]).await?;
    let before = said(&begun, "set ")?.to_owned();
    let (process, device) = said(&begun, "process ")?.split_once(' ').context("a process in a terminal")?;
    let does = |program: &str, arguments: &[&str]| -> anyhow::Result<()> {
        ensure!(std::process::Command::new(program).args(arguments).status()?.success(), "{program} {arguments:?}");
        Ok(())
    };
    does("stty", &["-F", device.trim(), "cols", "40", "rows", "12"])?;
    // What is cut at 40 columns ends so.
    terminal.until(&["m.trap", "…"]).await?;
    does("kill", &["-TERM", process])?;
    let left = terminal.until(&["ended ", "set "]).await?;
    ensure!(left.contains("\u{1b}[?1049l"), "{left:?}");
    assert_eq!((said(&left, "ended ")?, said(&left, "set ")?), ("0", before.as_str()));
    Ok(())
}
