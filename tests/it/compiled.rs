//! Compiled code: made once by whoever is first, kept for all, and used only where it is what this installation made.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use sangam_tests::{HostFolder, sangam};
use serde_json::json;

use crate::malformed::{entangled, plugin_with};
use crate::scene::{SCRIPT, Scene, configuration, results, sink};

/// A component that takes some seconds to compile.
fn slow() -> anyhow::Result<Vec<u8>> {
    plugin_with(&entangled(20_000))
}

fn code_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cwasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn inspect(component: &Path, cache: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(sangam());
    command.args(["plugin", "inspect"]).arg(component).env("SANGAM_CACHE", cache);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

fn said(child: Child) -> anyhow::Result<String> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{text}");
    Ok(text)
}

#[test]
fn two_processes_at_once_compile_a_component_once_and_say_what_they_do() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (component, cache) = (folder.path().join("slow.wasm"), folder.path().join("cache"));
    std::fs::write(&component, slow()?)?;
    let (first, second) = (inspect(&component, &cache)?, inspect(&component, &cache)?);
    let mut words = [said(first)?, said(second)?];
    words.sort();
    let [compiled, waited] = &words;
    assert!(compiled.contains("compiling the component (") && compiled.contains("MB) … "), "{words:?}");
    assert!(waited.contains("waiting for another process that compiles the component (") && waited.contains(" s\n"), "{words:?}");
    assert!(!waited.lines().any(|line| line.starts_with("compiling")), "both of them compiled: {words:?}");
    assert_eq!(code_in(&cache)?.len(), 1);
    assert_eq!(std::fs::read_dir(&cache)?.count(), 2, "the code and the key, and nothing that was needed meanwhile");
    assert_eq!(said(inspect(&component, &cache)?)?, "", "from then on it is there");
    Ok(())
}

#[test]
fn a_process_that_dies_while_it_compiles_holds_nobody_up() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (component, cache) = (folder.path().join("slow.wasm"), folder.path().join("cache"));
    std::fs::write(&component, slow()?)?;
    let mut first = inspect(&component, &cache)?;
    let claimed = || {
        std::fs::read_dir(&cache).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|extension| extension == "lock")))
        })
    };
    while !claimed() {
        anyhow::ensure!(first.try_wait()?.is_none(), "it ended without having compiled anything");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    first.kill()?;
    first.wait()?;
    let words = said(inspect(&component, &cache)?)?;
    assert!(words.contains("compiling the component") && !words.contains("waiting"), "{words}");
    assert_eq!(code_in(&cache)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn at_the_first_start_several_are_compiled_side_by_side_and_the_log_shows_how_far_they_are() -> anyhow::Result<()> {
    let sink = sink().await?;
    let plugins = "[engine]\ncompile-processes = 2\n[plugins.a]\ncomponent = \"a.wasm\"\n[plugins.b]\ncomponent = \"b.wasm\"\n";
    let folder = HostFolder::new(&configuration(&sink.url(), "", &format!("{SCRIPT}\n{plugins}")))?.with_code_of_its_own();
    std::fs::write(folder.path().join("a.wasm"), slow()?)?;
    std::fs::write(folder.path().join("b.wasm"), plugin_with(&entangled(20_001))?)?;
    let host = folder.start().await?;
    let log = host.log();
    let at = |word: &str| log.find(word).with_context(|| format!("no {word:?} in {log}"));
    let done = |name: &str| {
        let line = log.lines().find(|line| line.contains(&format!("compiling {name} (")) && line.contains("done after"));
        at(line.with_context(|| format!("{name} took less than two seconds: {log}"))?)
    };
    // One after the other, the first word about the second would come after the last one about the first.
    assert!(at("compiling a (")? < done("b")? && at("compiling b (")? < done("a")?, "{log}");
    // What takes less than two seconds is not worth a word. On a busy machine this one may take longer.
    for line in log.lines().filter(|line| line.contains("compiling s (")) {
        let seconds = line.split("done after ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        assert!(seconds.is_none_or(|seconds| seconds >= 2), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn code_that_was_damaged_planted_or_put_in_anothers_place_is_said_and_not_used() -> anyhow::Result<()> {
    let scene = Scene::with_code_of_its_own(SCRIPT).await?;
    results(&scene.play("before", json!([])).await?)?;
    let cache = scene.folder.path().join("data/cache");
    let (folder, sink) = (scene.folder, scene.sink);
    assert_eq!(scene.host.terminate().await?, Some(0));
    let files = code_in(&cache)?;
    let [first, second] = &files[..] else { anyhow::bail!("the code of two plugins: {files:?}") };
    let (one, other) = (std::fs::read(first)?, std::fs::read(second)?);
    let flipped = |at: usize| {
        let mut bytes = one.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("a bit of the code", flipped(one.len() / 2)),
        ("a bit of the tag", flipped(0)),
        ("cut off", one[..one.len() / 2].to_vec()),
        ("no longer than a tag", one[..20].to_vec()),
        ("something after it", [&one[..], b"x"].concat()),
        // Made by this very installation, for another plugin, which may have been granted less.
        ("another's code", other.clone()),
        ("code without a tag", one[32..].to_vec()),
    ];
    for (what, bytes) in cases {
        std::fs::write(first, bytes)?;
        let before = std::fs::read_to_string(folder.path().join("host.log"))?.len();
        let host = folder.start().await?;
        let log = host.log().split_off(before);
        assert_eq!(log.matches("compiled code in the cache is not used").count(), 1, "{what}: {log}");
        assert!(std::fs::read(first)? == one, "{what}: it was not compiled again");
        let event = host.client.send_and_wait(&crate::scene::script(what, json!([]))).await?;
        results(&event)?;
        assert_eq!(host.terminate().await?, Some(0));
    }
    drop(sink);
    Ok(())
}

#[tokio::test]
async fn the_cache_lies_where_it_is_wanted_and_keeps_to_its_size() -> anyhow::Result<()> {
    let sink = sink().await?;
    let engine = |size: &str| configuration(&sink.url(), "", &format!("{SCRIPT}\n[engine]\ncache = \"code\"\ncache-size = \"{size}\"\n"));
    let folder = HostFolder::new(&engine("64MiB"))?.with_code_of_its_own();
    let host = folder.start().await?;
    let cache = folder.path().join("code");
    assert_eq!(code_in(&cache)?.len(), 2);
    assert!(!folder.path().join("data/cache").exists());
    assert_eq!(host.terminate().await?, Some(0));
    // One more that is larger than all may be: what was there makes room for it, and it stays.
    std::fs::write(folder.path().join("many.wasm"), plugin_with(&"(func (param i64) (result i64) (local.get 0))".repeat(30_000))?)?;
    folder.configure(&format!("{}\n[plugins.many]\ncomponent = \"many.wasm\"\n", engine("1MiB")))?;
    let host = folder.start().await?;
    let left = code_in(&cache)?;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(host.terminate().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn hosts_that_share_the_cache_of_their_user_compile_a_component_once() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let cache = home.path().join("code");
    let sink = sink().await?;
    let mut made = Vec::new();
    for round in ["first", "second"] {
        let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT))?.env("SANGAM_CACHE", &cache.to_string_lossy());
        let host = folder.start().await?;
        results(&host.client.send_and_wait(&crate::scene::script(round, json!([]))).await?)?;
        assert_eq!(host.terminate().await?, Some(0));
        assert!(!folder.path().join("data/cache").exists(), "{round}: it has a cache of its own beside it");
        let files = code_in(&cache)?;
        // One that is made anew is another file of the same name.
        let numbers = files.iter().map(|file| Ok(file.metadata()?.ino())).collect::<anyhow::Result<Vec<_>>>()?;
        made.push((files, numbers));
    }
    assert_eq!((made[0].0.len(), &made[0]), (2, &made[1]), "the second host made them anew");
    // A key that others may read authenticates nothing.
    let key = cache.join("key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644))?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", SCRIPT))?.env("SANGAM_CACHE", &cache.to_string_lossy());
    let refused = folder.run(&["up", "--shared-cache"], "")?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("others may read"), "{:?} {said}", refused.status);
    Ok(())
}
