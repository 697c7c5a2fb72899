//! Files that somebody made to harm whoever looks at them: cut off, changed, swollen, nested, endless. `inspect`, `check` and a running host each
//! say what is wrong in a sentence, within bounded time and memory, and the host serves others meanwhile.

use std::time::Duration;

use sangam_tests::HostFolder;
use serde_json::json;

use crate::assembled::{component, hostile};
use crate::scene::{SCRIPT, Scene, results};

/// An unsigned number as WebAssembly writes it.
fn leb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [vec![id], leb(body.len() as u64), body.to_vec()].concat()
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A small plugin that does nothing bad.
fn small() -> anyhow::Result<Vec<u8>> {
    hostile("many-headers")
}

/// A component within a component, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = COMPONENT.to_vec();
    for _ in 0..depth {
        bytes = [COMPONENT.to_vec(), section(4, &bytes)].concat();
    }
    bytes
}

/// Components each of which makes ten instances of the one before: a file of some hundred bytes that stands for 10^levels instances.
fn laughs(levels: usize) -> Vec<u8> {
    let mut inner = [COMPONENT.to_vec(), section(1, MODULE), section(2, &[&[1, 0, 0][..], &[0]].concat())].concat();
    for _ in 0..levels {
        let ten: Vec<u8> = (0..10).flat_map(|_| [0, 0, 0]).collect();
        inner = [COMPONENT.to_vec(), section(4, &inner), section(5, &[vec![10], ten].concat())].concat();
    }
    inner
}

/// A plugin with something appended: a component is a sequence of sections.
fn with(sections: &[Vec<u8>]) -> anyhow::Result<Vec<u8>> {
    Ok([vec![small()?], sections.to_vec()].concat().concat())
}

/// Its name, its bytes, and words of the sentence that refuses it; without any it may be taken.
type Malformed = (String, Vec<u8>, Option<&'static str>);

/// Each with its name. What is merely odd may be taken; what is broken may not, and is told apart by `words`.
fn corpus() -> anyhow::Result<Vec<Malformed>> {
    let whole = small()?;
    let mut files = Vec::new();
    for at in (0..24).map(|step| 8 + step * (whole.len() - 8) / 24) {
        files.push((format!("cut-{at}"), whole[..at].to_vec(), Some("")));
    }
    let mut random = fastrand::Rng::with_seed(4);
    for number in 0..40 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(8..bytes.len());
            bytes[at] ^= 1 << random.u8(0..8);
        }
        files.push((format!("flipped-{number}"), bytes, None));
    }
    // Counts of four billion, in every section there is.
    for id in 0..=12 {
        files.push((format!("count-{id}"), with(&[section(id, &leb(0xffff_ffff))])?, (id != 0).then_some("not a valid component")));
    }
    let endless = [&[1_u8][..], &[0xff; 20]].concat();
    files.push(("endless-number".to_owned(), with(&[endless])?, Some("not a valid component")));
    let beyond = [vec![1], leb(0xffff_fff0), vec![0; 16]].concat();
    files.push(("beyond-the-end".to_owned(), with(&[beyond])?, Some("not a valid component")));
    files.push(("custom".to_owned(), with(&[section(0, &[b"\x01x".to_vec(), vec![0; 20 << 20]].concat())])?, None));
    let descriptor = |text: &[u8]| section(0, &[b"\x11sangam:descriptor".to_vec(), text.to_vec()].concat());
    files.push(("large-descriptor".to_owned(), with(&[descriptor(&vec![b' '; 2 << 20])])?, Some("descriptor")));
    files.push(("deep-descriptor".to_owned(), with(&[descriptor(&vec![b'['; 500_000])])?, Some("descriptor")));
    files.push(("nested-10".to_owned(), nested(10), Some("no Sangam plugin")));
    files.push(("nested-5000".to_owned(), nested(5000), Some("")));
    let instances: Vec<u8> = (0..1000).flat_map(|_| [0, 1, 0]).collect();
    let many = |count: u64| [leb(count), instances.repeat(usize::try_from(count / 1000).unwrap_or(1))].concat();
    files.push(("instances-1000".to_owned(), with(&[section(1, MODULE), section(2, &many(1000))])?, Some("instances")));
    files.push(("instances-100000".to_owned(), with(&[section(1, MODULE), section(2, &many(100_000))])?, Some("instances")));
    files.push(("laughs".to_owned(), with(&[section(4, &laughs(9))])?, None));
    files.push(("elf".to_owned(), b"\x7fELF\x02\x01\x01\0".repeat(100), Some("not WebAssembly")));
    files.push(("text".to_owned(), b"(component)".to_vec(), Some("not WebAssembly")));
    Ok(files)
}

#[tokio::test]
async fn a_running_host_refuses_them_in_a_sentence_and_goes_on() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.configure("", &format!("{SCRIPT}\n[plugins.x]\ncomponent = \"x.wasm\"\n"))?;
    let mut refused = 0;
    for (name, bytes, words) in corpus()? {
        std::fs::write(scene.folder.path().join("x.wasm"), bytes)?;
        let answer = tokio::time::timeout(Duration::from_secs(60), scene.reload()).await??;
        if answer.status != 200 {
            assert_eq!(answer.status, 422, "{name}: {}", answer.text);
            let message = answer.json["problems"][0]["message"].as_str().unwrap_or("");
            assert!(message.starts_with("plugin x: ") && message.contains(words.unwrap_or("")), "{name}: {message}");
            assert!(message.len() < 4096 && !message.contains('\u{1b}'), "{name}: {message}");
            refused += 1;
        }
        assert!(answer.status != 200 || words.is_none(), "{name} was taken");
        results(&scene.play(&name, json!([])).await?)?;
    }
    assert!(refused > 60, "only {refused} were refused");
    assert!(!scene.host.log().contains("panicked"), "{}", scene.host.log());
    Ok(())
}

#[test]
fn check_and_inspect_refuse_them_too() -> anyhow::Result<()> {
    for (name, bytes, words) in corpus()?.into_iter().filter(|(_, _, words)| words.is_some()) {
        let folder = HostFolder::new("[plugins.x]\ncomponent = \"x.wasm\"\n")?;
        std::fs::write(folder.path().join("x.wasm"), bytes)?;
        for arguments in [&["check"][..], &["plugin", "inspect", "x.wasm"]] {
            let done = folder.run(arguments, "")?;
            let text = String::from_utf8_lossy(&done.stderr);
            // What only compiling finds is not found by those who compile nothing.
            if done.status.code() == Some(0) && name.starts_with("instances") {
                continue;
            }
            assert!(matches!(done.status.code(), Some(1 | 2)), "{name} {arguments:?}: {:?} {text}", done.status);
            assert!(text.contains(words.unwrap_or("")) && !text.contains("panicked") && text.len() < 8192, "{name} {arguments:?}: {text}");
        }
    }
    Ok(())
}

/// A plugin with these functions beside its own.
pub fn plugin_with(functions: &str) -> anyhow::Result<Vec<u8>> {
    let part = |name: &str| std::fs::read_to_string(format!("{}/hostile/parts/{name}.wat", env!("CARGO_MANIFEST_DIR")));
    component(&format!(
        "(module {} {} {} {} {functions} (func (export \"sangam:connector/actions@0.1.0#invoke\") (param i32 i32 i32 i32 i32 i32) (result i32) \
         (call $done (i32.const 0) (i32.const 0))))",
        part("memory")?,
        part("realloc")?,
        part("describe")?,
        part("done")?
    ))
}

/// A function with so many variables, all of them needed all the time: the compiler's work grows with the square.
pub fn entangled(variables: usize) -> String {
    let next = |at: usize| at * 7919 % variables + 1;
    let steps =
        (1..=variables).map(|at| format!("(local.set {at} (i64.add (local.get {at}) (local.get {})))", next(at))).collect::<String>();
    let locals = " i64".repeat(variables);
    format!("(func (param i64) (result i64) (local{locals}) (loop {steps} (br_if 0 (i64.eqz (local.get 1)))) (local.get 1))")
}

/// A function of so many loops: a small file, and hundreds of megabytes in the compiler.
fn loops(count: usize) -> String {
    let steps = (0..count).map(|at| {
        let (one, other) = (at % 200 + 1, at * 31 % 200 + 1);
        format!("(loop (local.set {one} (i64.add (local.get {one}) (local.get {other}))) (br_if 0 (i64.eqz (local.get {one}))))")
    });
    format!("(func (param i64) (result i64) (local{}) {} (local.get 1))", " i64".repeat(200), steps.collect::<String>())
}

#[tokio::test]
async fn compiling_is_bounded_in_time_and_memory_and_holds_nobody_up() -> anyhow::Result<()> {
    // A minute, 400 MiB, and a megabyte, if they were let.
    let bombs = [
        ("compile-time = \"6s\"", entangled(40_000), "it took longer than 6s (engine.compile-time)"),
        ("compile-memory = \"100MiB\"", loops(4000), "it took more than 104857600 bytes of memory (engine.compile-memory)"),
        (
            "component-size = \"600KiB\"",
            format!("(data (i32.const 0) \"{}\")", "x".repeat(700_000)),
            "at most 614400 (engine.component-size)",
        ),
    ];
    for (engine, functions, words) in bombs {
        // The scene's own guests are small.
        let scene = Scene::start(&format!("{SCRIPT}\n[engine]\n{engine}\n")).await?;
        std::fs::write(scene.folder.path().join("bomb.wasm"), plugin_with(&functions)?)?;
        scene.configure("", &format!("{SCRIPT}\n[engine]\n{engine}\n[plugins.bomb]\ncomponent = \"bomb.wasm\"\n"))?;
        let client = scene.client().clone();
        let reload = tokio::spawn(async move { client.post("/v1/reload", &json!({})).await });
        results(&scene.play("meanwhile", json!([])).await?)?;
        let answer = reload.await??;
        assert_eq!(answer.status, 422, "{engine}: {}", answer.text);
        let message = answer.json["problems"][0]["message"].as_str().unwrap_or("");
        assert!(message.contains(words), "{engine}: {message}");
        results(&scene.play("afterwards", json!([])).await?)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_hundred_thousand_functions_are_a_plugin_like_another() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    std::fs::write(scene.folder.path().join("many.wasm"), plugin_with(&"(func (param i64) (result i64) (local.get 0))".repeat(100_000))?)?;
    scene.change("", &format!("{SCRIPT}\n[plugins.many]\ncomponent = \"many.wasm\"\n")).await?;
    results(&scene.play("fine", json!([])).await?)?;
    Ok(())
}

#[tokio::test]
async fn compiled_code_is_no_component() -> anyhow::Result<()> {
    let scene = Scene::with_code_of_its_own(SCRIPT).await?;
    let cache = scene.folder.path().join("data/cache");
    let mut refused = 0;
    for entry in std::fs::read_dir(cache)? {
        let kept = std::fs::read(entry?.path())?;
        // As it lies there, and without the tag before it: native code that a host would run unchecked.
        for code in [&kept[..], &kept[32..]] {
            std::fs::write(scene.folder.path().join("x.wasm"), code)?;
            scene.configure("", &format!("{SCRIPT}\n[plugins.x]\ncomponent = \"x.wasm\"\n"))?;
            let answer = scene.reload().await?;
            assert_eq!(answer.status, 422, "{}", answer.text);
            assert!(answer.text.contains("not WebAssembly"), "{}", answer.text);
            refused += 1;
        }
    }
    assert!(refused >= 4, "nothing was in the cache");
    results(&scene.play("fine", json!([])).await?)?;
    Ok(())
}
