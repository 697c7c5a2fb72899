//! Components carried in one file to a machine without a network, and files that pretend to be such.

use anyhow::Context as _;
use sangam_tests::raw_registry::digest;
use sangam_tests::registry::{self, OciRegistry};
use sangam_tests::{HostFolder, fresh_guest, guest};
use serde_json::{Value, json};

use crate::registry::said;
use crate::scene::{SCRIPT, results, script};

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[tokio::test]
async fn a_bundle_makes_a_configuration_run_where_there_is_no_network() -> anyhow::Result<()> {
    if !registry::is_there()? {
        return Ok(());
    }
    let oci = OciRegistry::open()?;
    let near = HostFolder::new(SERVER)?;
    let file = guest("scripted");
    let file = file.to_str().context("a path of this machine")?;
    let done = near.run(&["plugin", "push", file, &format!("{}/s:1", oci.host()), "--json"], "")?;
    let pushed: Value = serde_json::from_slice(&done.stdout)?;
    let reference = pushed["reference"].as_str().context("a reference")?;
    // One from a registry, one from a file, one in the binary.
    let other = digest(&fresh_guest("misbehaving"));
    std::fs::write(near.path().join("m.wasm"), fresh_guest("misbehaving"))?;
    let configuration = format!(
        "{SERVER}[plugins.s]\ncomponent = {reference:?}\n[plugins.m]\ncomponent = \"m.wasm\"\n\
         [plugins.h]\ncomponent = \"builtin:http\"\n{SCRIPT}"
    );
    near.configure(&configuration)?;
    let (code, text) = said(&near, &["plugin", "approve", "--yes"])?;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = said(&near, &["plugin", "bundle", "create", "all.tar"])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("2 component(s)") && text.contains("h: travels in the binary"), "{text}");
    let (code, text) = said(&near, &["plugin", "bundle", "create", "again.tar"])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(std::fs::read(near.path().join("all.tar"))? == std::fs::read(near.path().join("again.tar"))?, "the same gives the same");
    assert_eq!(said(&near, &["plugin", "bundle", "create", "all.tar"])?.0, Some(2), "nothing is overwritten");

    drop(oci);
    let far = HostFolder::new(&configuration)?;
    std::fs::copy(near.path().join("all.tar"), far.path().join("all.tar"))?;
    let (code, text) = said(&far, &["check"])?;
    assert_eq!(code, Some(2), "without the bundle there is neither: {text}");
    let (code, text) = said(&far, &["plugin", "bundle", "install", "all.tar"])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&other) && text.contains(reference), "{text}");
    assert!(!far.path().join("sangam.lock").exists(), "nobody asked for what others have approved");
    // The file is not here, and only the lock says which it was.
    let (code, text) = said(&far, &["check"])?;
    assert!(code == Some(2) && text.contains("plugin m: ") && !text.contains("plugin s: "), "{text}");
    let (code, text) = said(&far, &["plugin", "bundle", "install", "all.tar", "--lock"])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(std::fs::read(far.path().join("sangam.lock"))? == std::fs::read(near.path().join("sangam.lock"))?);
    let host = far.start().await?;
    results(&host.client.send_and_wait(&script("far", json!([]))).await?)?;
    Ok(())
}

/// A header of the ustar format (POSIX.1-1988) with that type and these bytes after it.
fn entry(name: &str, kind: u8, size: u64, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[148..156].fill(b' ');
    header[156] = kind;
    if matches!(kind, b'1' | b'2') {
        header[157..168].copy_from_slice(b"/etc/passwd");
    }
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut entry = header.to_vec();
    entry.extend_from_slice(bytes);
    entry.resize(512 + bytes.len().next_multiple_of(512), 0);
    entry
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    entry(name, b'0', bytes.len() as u64, bytes)
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    file(&format!("blobs/sha256/{}", digest(bytes).trim_start_matches("sha256:")), bytes)
}

/// The entries of an honest bundle with that component.
fn honest(component: &[u8]) -> Vec<Vec<u8>> {
    let layer = json!({ "mediaType": "application/wasm", "digest": digest(component), "size": component.len() });
    let config = json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(b"{}"), "size": 2 });
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] }).to_string();
    let entry = json!({ "mediaType": MANIFEST, "digest": digest(manifest.as_bytes()), "size": manifest.len(),
        "annotations": { "sangam.plugin": "x\u{1b}[31m", "org.opencontainers.image.ref.name": "../../y" } });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    vec![
        file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        file("index.json", index.as_bytes()),
        blob(manifest.as_bytes()),
        blob(b"{}"),
        blob(component),
    ]
}

fn and(mut entries: Vec<Vec<u8>>, more: Vec<u8>) -> Vec<Vec<u8>> {
    entries.push(more);
    entries
}

fn without(mut entries: Vec<Vec<u8>>, which: usize) -> Vec<Vec<u8>> {
    entries.remove(which);
    entries
}

/// What is wrong with a bundle, its entries, and words of the sentence that says so.
type Impostor = (&'static str, Vec<Vec<u8>>, &'static [&'static str]);

/// Files that are no bundle to be trusted.
fn impostors() -> Vec<Impostor> {
    let guest = fresh_guest("scripted");
    let good = || honest(&guest);
    let mut flipped = good();
    let last = flipped[4].len() - 1024;
    flipped[4][last] ^= 1;
    let mut gzip = vec![0x1f, 0x8b, 8, 0];
    gzip.resize(4096, 0);
    let mut short = good();
    short[4].truncate(8192);
    let huge = 1_u64 << 32;
    vec![
        ("climbs out", and(good(), file("../../../tmp/sangam-bundle-escape", b"x")), &["../../../tmp/sangam-bundle-escape", "no place"]),
        ("climbs out of the blobs", and(good(), file("blobs/sha256/../../../x", b"x")), &["no place"]),
        ("absolute", and(good(), file("/tmp/sangam-bundle-escape", b"x")), &["/tmp/sangam-bundle-escape", "no place"]),
        ("a symbolic link", and(good(), entry("index.json", b'2', 0, b"")), &["index.json", "no plain file"]),
        ("a hard link", and(good(), entry("blobs/sha256/0", b'1', 0, b"")), &["no plain file"]),
        ("a device", and(good(), entry("index.json", b'3', 0, b"")), &["no plain file"]),
        ("a folder elsewhere", and(good(), entry("../x/", b'5', 0, b"")), &["no plain file"]),
        ("a long name in an extension", and(good(), entry("././@LongLink", b'L', 9, b"/etc/cron")), &["no plain file"]),
        ("another name in an extension", and(good(), entry("pax", b'x', 20, b"20 path=/etc/passwd\n")), &["no plain file"]),
        ("sparse", and(good(), entry("index.json", b'S', huge, b"")), &["no plain file"]),
        ("a file of 4 GiB", and(good(), entry(&format!("blobs/sha256/{}", "0".repeat(64)), b'0', huge, b"")), &["more than it may"]),
        ("twice", and(good(), file("index.json", b"{}")), &["index.json", "twice"]),
        ("a blob more", and(good(), blob(b"stowaway")), &["nothing in its index leads to"]),
        ("another byte", flipped, &["blobs/sha256/", "has the digest sha256:"]),
        ("no index", without(good(), 1), &["lacks index.json"]),
        ("no component", without(good(), 4), &["lacks blobs/sha256/"]),
        ("cut short", short, &["the bundle ends within", "bundle"]),
        ("no plugin", honest(b"\0asm\x01\0\0\0"), &["core WebAssembly module"]),
        ("compressed", vec![gzip], &["is compressed"]),
        ("no tar", vec![vec![b'x'; 4096]], &["can't read the bundle"]),
        ("empty", vec![], &["lacks oci-layout"]),
    ]
}

#[test]
fn a_bundle_that_lies_is_refused_and_leaves_nothing_behind() -> anyhow::Result<()> {
    for (name, entries, words) in impostors() {
        let folder = HostFolder::new(SERVER)?;
        let mut bytes = entries.concat();
        if name != "cut short" {
            bytes.resize(bytes.len() + 1024, 0);
        }
        std::fs::write(folder.path().join("b.tar"), bytes)?;
        let (code, text) = said(&folder, &["plugin", "bundle", "install", "b.tar"])?;
        assert_eq!(code, Some(1), "{name}: {text}");
        for word in words {
            assert!(text.contains(word), "{name}: {word:?} is not in {text}");
        }
        assert!(!folder.path().join("data/components").exists(), "{name}: something was kept");
    }
    assert!(!std::path::Path::new("/tmp/sangam-bundle-escape").exists());
    // The honest one is taken, and its texts don't rule the terminal.
    let folder = HostFolder::new(SERVER)?;
    std::fs::write(folder.path().join("b.tar"), and(honest(&fresh_guest("scripted")), vec![0; 1024]).concat())?;
    let (code, text) = said(&folder, &["plugin", "bundle", "install", "b.tar"])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(std::fs::read_dir(folder.path().join("data/components"))?.count(), 3);
    Ok(())
}
