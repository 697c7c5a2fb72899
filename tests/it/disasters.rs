//! What is taken from the host while it works: room on the disk, the right to write, systems that answer. What it has accepted
//! survives; what it can't take in, it refuses with 503 and `Retry-After`; and it recovers by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Answer, Client, Host, HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, effects, outcomes, script, sink};

/// Longest time for the trouble to be noticed, and for it to be over.
const BOUND: Duration = Duration::from_secs(90);
/// Events that are under way when the trouble begins.
const BEFORE: usize = 12;
/// Largest event the trouble is looked for with: a log file with room left takes small ones for long.
const LARGE: usize = 200 << 10;
/// Retries that outlast the trouble.
const PATIENT: &str = r#"
[[routes]]
name = "script"
on = { type = "script" }
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 1000, initial = "50ms", factor = 1, jitter = 0 }
"#;

/// A file system of its own over a folder, with little room. Gone with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nobody lets us mount: then nothing here can be shown.
    fn over(folder: &Path) -> anyhow::Result<Option<SmallDisk>> {
        std::fs::create_dir_all(folder)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "sangam-test"]).arg(folder).output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Ok(Some(SmallDisk(folder.to_owned())));
        }
        eprintln!("only root can mount a small file system: the full disk is not tested now");
        Ok(None)
    }

    fn fill(&self) -> anyhow::Result<()> {
        use std::io::Write as _;
        let mut filler = std::fs::File::create(self.0.join("filler"))?;
        for portion in [1 << 20, 4096, 512] {
            while filler.write_all(&vec![b'x'; portion]).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A store that can't be written for a while.
struct ReadOnly<'a>(&'a HostFolder);

impl ReadOnly<'_> {
    /// False where this can't be had here.
    fn begin(&self) -> anyhow::Result<bool> {
        self.set(true)
    }

    fn end(&self) -> anyhow::Result<()> {
        ensure!(self.set(false)?, "what was made read-only can be written again");
        Ok(())
    }

    /// PostgreSQL: what a server is that was demoted in a fail-over, with its connections lost. A file: the attribute that stops writes
    /// by whoever has it open, root included, as a file system does that goes read-only after an error.
    fn set(&self, on: bool) -> anyhow::Result<bool> {
        if let Some(database) = self.0.database() {
            database.read_only(on)?;
            return Ok(true);
        }
        // Not the index of the log: it is mapped into memory, and the kernel ends whoever writes to a mapping that it may not write back.
        let files = ["sangam.db", "sangam.db-wal"].map(|name| self.0.path().join("data").join(name));
        let set = Command::new("chattr").arg(if on { "+i" } else { "-i" }).args(files.iter().filter(|file| file.exists())).output();
        let done = set.is_ok_and(|done| done.status.success());
        if !done {
            eprintln!("chattr does nothing for this user or file system: a read-only store is not tested now");
        }
        Ok(done)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        // A folder with such files can't be removed.
        let _ = self.set(false);
    }
}

fn large(id: &str, lines: &Value) -> Value {
    let mut event = script(id, lines.clone());
    event["data"]["echo"] = json!("x".repeat(LARGE));
    event
}

/// Sends new events until one is refused; each of those before was accepted. Gives the refusal, and the eids.
async fn until_refused(client: &Client, name: &str, lines: impl Fn(&str) -> Value) -> anyhow::Result<(Answer, Value, Vec<String>)> {
    let mut accepted = Vec::new();
    let look = async {
        for number in 0.. {
            let id = format!("{name}-{number}");
            let event = large(&id, &lines(&id));
            let answer = client.send_raw(&event, "").await?;
            if answer.status != 202 {
                return Ok((answer, event));
            }
            accepted.push(answer.json["accepted"][0]["eid"].as_str().context("an eid")?.to_owned());
        }
        anyhow::bail!("the numbers have no end")
    };
    let (answer, event) = tokio::time::timeout(BOUND, look).await.context("nothing is refused")??;
    Ok((answer, event, accepted))
}

/// Sends it until it is accepted, as a good sender does.
pub async fn until_accepted(client: &Client, event: &Value) -> anyhow::Result<String> {
    let look = async {
        loop {
            let answer = client.send_raw(event, "").await?;
            if answer.status == 202 {
                return answer.json["accepted"][0]["eid"].as_str().map(str::to_owned).context("an eid");
            }
            check_refusal(&answer)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(BOUND, look).await.context("the host does not recover")?
}

fn check_refusal(answer: &Answer) -> anyhow::Result<()> {
    ensure!(answer.status == 503, "{} {}", answer.status, answer.text);
    ensure!(answer.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "no Retry-After: {:?}", answer.headers);
    ensure!(answer.header("content-type") == Some("application/problem+json"), "{:?}", answer.headers);
    Ok(())
}

/// The course of a trouble that stops the store from being written. Everything accepted arrives once; the refused event never does, until
/// it is sent again.
async fn store_trouble(
    sink: &Stand,
    host: &Host,
    begin: impl FnOnce() -> anyhow::Result<bool>,
    end: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let write = |id: &str| json!([{ "do": "write", "name": "w", "url": format!("{}/{id}", sink.url()) }]);
    let mut eids = Vec::new();
    // Under way when it begins: their answers come later than that.
    for number in 0..BEFORE {
        let id = format!("before-{number}");
        sink.fault(Fault::once(format!("/{id}"), FaultAct::Delay { ms: 700 }));
        eids.push(host.client.send(&script(&id, write(&id))).await?);
    }
    if !begin()? {
        return Ok(());
    }
    let (refusal, refused, accepted) = until_refused(&host.client, "during", write).await?;
    check_refusal(&refusal)?;
    let after = format!("/{}", refused["id"].as_str().unwrap_or_default());
    ensure!(sink.requests().iter().all(|request| request.path != after), "what was refused was done: {after}");
    // The host lives, and answers what needs no write.
    ensure!(host.client.get("/healthz").await?.status == 200, "the host is alive");
    end()?;
    eids.extend(accepted);
    eids.push(until_accepted(&host.client, &refused).await?);
    for eid in &eids {
        host.client.until(eid, "succeeded").await.with_context(|| format!("after the trouble; {}", log_end(host)))?;
    }
    let state = sink.state();
    let by_path = state["by_path"].as_object().context("the sink counts by path")?;
    ensure!(by_path.len() == eids.len(), "{} effects of {} events", by_path.len(), eids.len());
    ensure!(by_path.values().all(|count| count == 1), "done more than once: {by_path:?}");
    Ok(())
}

/// A configuration that takes events in until the disk is full; by default a host stops before.
fn to_the_last_byte(sink: &str) -> String {
    format!("{}\n[store]\nmin-free-space = \"0B\"\n", configuration(sink, "", PATIENT))
}

fn log_end(host: &Host) -> String {
    let log = host.log();
    log.lines().rev().take(5).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_senders_and_loses_nothing() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::on(TestStore::Sqlite, &to_the_last_byte(&sink.url()))?;
    let Some(disk) = SmallDisk::over(&folder.path().join("data"))? else { return Ok(()) };
    let host = folder.start().await?;
    let begin = || disk.fill().map(|()| true);
    store_trouble(&sink, &host, begin, || disk.free()).await?;
    // Nothing of that was only in memory.
    host.kill().await?;
    let host = folder.start().await?;
    let listed = host.client.get("/v1/events?status=succeeded&limit=500").await?.json;
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(sink.state()["count"].as_u64().unwrap_or(0) as usize));
    host.kill().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_starts_on_a_full_disk_says_so_and_starts_when_there_is_room() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::on(TestStore::Sqlite, &to_the_last_byte(&sink.url()))?;
    let Some(disk) = SmallDisk::over(&folder.path().join("data"))? else { return Ok(()) };
    disk.fill()?;
    let error = folder.start().await.map(drop).expect_err("there is no room for a store");
    let said = format!("{error:#}");
    ensure!(said.contains("store") && said.contains("full"), "it says what is wrong: {said}");
    disk.free()?;
    let host = folder.start().await?;
    let url = format!("{}/w", sink.url());
    let event = host.client.send_and_wait(&script("1", json!([{ "do": "write", "name": "w", "url": url }]))).await?;
    assert_eq!(event["status"], "succeeded");
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_little_room_refuses_senders_before_it_is_full() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::on(TestStore::Sqlite, &configuration(&sink.url(), "", PATIENT))?;
    let Some(_disk) = SmallDisk::over(&folder.path().join("data"))? else { return Ok(()) };
    let host = folder.start().await?;
    let url = format!("{}/w", sink.url());
    let answer = host.client.send_raw(&script("1", json!([{ "do": "write", "name": "w", "url": url }])), "").await?;
    ensure!(answer.status == 503 && answer.header("retry-after").is_some(), "{} {}", answer.status, answer.text);
    ensure!(answer.text.contains("store.min-free-space"), "it says what to change: {}", answer.text);
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_turns_read_only_refuses_senders_and_loses_nothing() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", PATIENT))?;
    let host = folder.start().await?;
    let store = ReadOnly(&folder);
    store_trouble(&sink, &host, || store.begin(), || store.end()).await?;
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_that_hang_trickle_break_off_or_lie_get_each_write_once() -> anyhow::Result<()> {
    // Each leaves it open whether the write was done; the last figure says whether it was.
    let troubles = [
        ("hang", FaultAct::Hang, 0),
        ("trickle", FaultAct::Trickle { ms: 300 }, 1),
        ("truncate", FaultAct::Truncate { bytes: 3 }, 1),
        ("truncate-all", FaultAct::Truncate { bytes: 0 }, 1),
        ("disown", FaultAct::Disown { status: 500 }, 1),
        ("lose", FaultAct::LoseAnswer, 1),
        ("reset", FaultAct::Reset, 0),
    ];
    let mut repeated = 0;
    let scene = Scene::granting("limits = { time = \"600ms\" }", SCRIPT).await?;
    for (name, trouble, done) in troubles {
        let path = format!("/{name}");
        scene.fault(&path, trouble, 1);
        let event = scene.play(name, json!([{ "do": "write", "name": "w", "url": scene.url(&path) }])).await?;
        ensure!(event["status"] == "succeeded", "{name}: {event:#}");
        assert_eq!(outcomes(&event, "run")?.len(), 2, "{name}: {event:#}");
        assert_eq!(effects(&event, 1)?[0]["state"], "in-doubt", "{name}: nobody knows whether it was done");
        let keys = scene.keys(&path);
        assert_eq!((keys.len(), &keys[0], scene.effects(&path)), (2, &keys[1], 1), "{name}: sent again under its key, done once");
        repeated += done;
        assert_eq!(scene.sink.state()["repeated"], repeated, "{name}");
    }
    Ok(())
}
