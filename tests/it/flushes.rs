//! A run begins while its event is on its way to the disk; and nothing that it writes leaves before that is there.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::{HostFolder, TestStore};
use serde_json::{Value, json};

use crate::disasters::until_accepted;
use crate::scene::{SCRIPT, Scene, configuration, outcomes, script, sink};

/// How long nothing may come that must not come.
const WHILE: Duration = Duration::from_millis(400);

/// A disk whose flushes a test holds up, or has fail.
struct Disk<'f>(&'f Path);

impl Disk<'_> {
    fn does(&self, what: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.0.join(what), [])?)
    }

    fn does_not(&self, what: &str) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.0.join(what))?)
    }
}

/// A host on such a disk, with that option of its step and leases of that length; `None` where there is nothing to make the disk with.
async fn scene(option: &str, lease: &str) -> anyhow::Result<Option<Scene>> {
    if !cfg!(target_os = "linux") {
        eprintln!("a disk that holds up its flushes is made on Linux only: not tested now");
        return Ok(None);
    }
    let sink = sink().await?;
    let routes = SCRIPT.replace("uses = \"s.run\"", &format!("uses = \"s.run\"\n{option}"));
    let configuration = configuration(&sink.url(), "", &routes).replacen("[server]\n", &format!("[server]\nlease = \"{lease}\"\n"), 1);
    let folder = HostFolder::on(TestStore::Sqlite, &configuration)?;
    let disk = folder.path().join("disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/flushes/disk.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&disk).arg(&source).output();
    let made = made.context("the C compiler `cc`, which Rust links with as well (Debian: `apt-get install gcc`)")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let place = folder.path().to_str().context("a path in UTF-8")?.to_owned();
    let folder = folder.env("DISK", &place).env("LD_PRELOAD", disk.to_str().context("a path in UTF-8")?);
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    // A host that has just started looks for what is due before it begins what comes in, and what it writes beside has its flushes.
    scene.play("0", json!([])).await?;
    tokio::time::sleep(WHILE).await;
    Ok(Some(scene))
}

fn look_and_write(scene: &Scene, id: &str) -> Value {
    script(id, json!([{ "do": "read", "url": scene.url("/look") }, { "do": "write", "name": "w", "url": scene.url("/w") }]))
}

#[tokio::test]
async fn a_run_begins_beside_the_flush_of_its_event_and_its_write_leaves_after_it() -> anyhow::Result<()> {
    let Some(scene) = scene("", "15s").await? else { return Ok(()) };
    let disk = Disk(scene.folder.path());
    for id in 1..=10 {
        disk.does("holds")?;
        let event = look_and_write(&scene, &format!("{id}"));
        let meanwhile = async {
            let begun = tokio::time::timeout(Duration::from_secs(1), scene.arrived("/look")).await.is_ok();
            tokio::time::sleep(WHILE).await;
            ensure!(!begun || scene.requests("/w").is_empty(), "it wrote, and its event could still be lost");
            disk.does_not("holds")?;
            Ok(begun)
        };
        let (eid, begun) = tokio::try_join!(scene.client().send(&event), meanwhile)?;
        let event = scene.client().until(&eid, "succeeded").await?;
        if begun {
            assert_eq!(outcomes(&event, "run")?, ["succeeded"]);
            assert_eq!((scene.requests("/look").len(), scene.requests("/w").len()), (1, 1));
            return Ok(());
        }
        // Other writes of the host's were held up before it was written.
        scene.sink.reset();
    }
    anyhow::bail!("no run began beside the flush of its event")
}

#[tokio::test]
async fn a_run_whose_writes_are_not_journalled_begins_when_its_event_is_durable() -> anyhow::Result<()> {
    let Some(scene) = scene("journal = false", "15s").await? else { return Ok(()) };
    let disk = Disk(scene.folder.path());
    disk.does("holds")?;
    let event = look_and_write(&scene, "1");
    let meanwhile = async {
        tokio::time::sleep(WHILE).await;
        ensure!(scene.requests("/look").is_empty() && scene.requests("/w").is_empty(), "nothing holds its write back");
        disk.does_not("holds")
    };
    let (eid, ()) = tokio::try_join!(scene.client().send(&event), meanwhile)?;
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.requests("/look").len(), scene.requests("/w").len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_event_whose_flush_failed_is_refused_and_nothing_leaves_before_its_run_is_claimed_anew() -> anyhow::Result<()> {
    // A write that was left in doubt would wait for a person.
    let Some(scene) = scene("on-doubt = \"hold\"", "3s").await? else { return Ok(()) };
    let disk = Disk(scene.folder.path());
    for id in 1..=20 {
        let event = script(&format!("{id}"), json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]));
        let before = scene.requests("/w").len();
        disk.does("holds")?;
        let meanwhile = async {
            // By then the run wants to write.
            tokio::time::sleep(WHILE).await;
            disk.does("fails")?;
            disk.does_not("holds")
        };
        let (answer, ()) = tokio::try_join!(scene.client().send_raw(&event, ""), meanwhile)?;
        if answer.status == 202 {
            // Another write of the host's was flushed first, and failed.
            scene.client().until(&until_accepted(scene.client(), &event).await?, "succeeded").await?;
            continue;
        }
        ensure!(answer.status == 503 && answer.header("retry-after").is_some(), "{} {}", answer.status, answer.text);
        // All of the log is written again with what the run writes next: its event is there after all, and it would be durable.
        tokio::time::sleep(WHILE).await;
        ensure!(scene.requests("/w").len() == before, "it wrote, and its sender was told that it was not taken in");
        let eid = until_accepted(scene.client(), &event).await?;
        let event = scene.client().until(&eid, "succeeded").await?;
        assert_eq!(scene.requests("/w").len(), before + 1, "{event:#}");
        return Ok(());
    }
    anyhow::bail!("no event was refused")
}
