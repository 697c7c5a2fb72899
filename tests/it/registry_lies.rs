//! Registries that lie, dawdle and point elsewhere: each is refused by name, within bounds, and learns nothing it should not.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sangam_tests::authority::{Authority, Identity};
use sangam_tests::raw_registry::{Asked, RawRegistry, Reply, digest, reply};
use sangam_tests::{HostFolder, fresh_guest};
use serde_json::{Value, json};

use crate::registry::said;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What an honest registry would have.
#[derive(Clone)]
struct Kept {
    component: Arc<Vec<u8>>,
    config: Vec<u8>,
    manifest: Value,
}

impl Kept {
    fn new() -> Kept {
        let (component, config) = (fresh_guest("scripted"), b"{}".to_vec());
        let layer = json!({ "mediaType": "application/wasm", "digest": digest(&component), "size": component.len() });
        let config_blob = json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(&config), "size": config.len() });
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": [layer] });
        Kept { component: Arc::new(component), config, manifest }
    }

    /// The same with another manifest.
    fn but(&self, change: impl FnOnce(&mut Value)) -> Kept {
        let mut kept = self.clone();
        change(&mut kept.manifest);
        kept
    }

    fn pin(&self) -> String {
        digest(self.manifest.to_string().as_bytes())
    }

    /// The honest answer.
    fn answer(&self, asked: &Asked) -> Reply {
        let last = asked.path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or("");
        let body = match asked.path.contains("/manifests/") {
            true => self.manifest.to_string().into_bytes(),
            false if last == digest(&self.config) => self.config.clone(),
            false if last == digest(&self.component) => self.component.to_vec(),
            false => return Reply::Whole(reply("404 Not Found", &[], b"")),
        };
        let media_type = if asked.path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
        Reply::Whole(reply("200 OK", &[&format!("content-type: {media_type}")], &body))
    }

    fn is_component(&self, asked: &Asked) -> bool {
        asked.path.ends_with(&digest(&self.component))
    }
}

fn is_manifest(asked: &Asked) -> bool {
    asked.path.contains("/manifests/")
}

fn whole(status: &str, headers: &[&str], body: &[u8]) -> Reply {
    Reply::Whole(reply(status, headers, body))
}

type Answer = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// An honest registry but for what `lie` says.
fn honest_but(kept: &Kept, lie: impl Fn(&Kept, &Asked) -> Option<Reply> + Send + Sync + 'static) -> Answer {
    let kept = kept.clone();
    Box::new(move |asked| lie(&kept, asked).unwrap_or_else(|| kept.answer(asked)))
}

/// Lies, and words of the sentence that refuses each.
fn lies(kept: &Kept) -> Vec<(&'static str, Answer, &'static [&'static str])> {
    let manifest_of = |change: fn(&mut Value)| -> Answer {
        let other = kept.but(change);
        Box::new(move |asked| other.answer(asked))
    };
    let component = |lie: fn(&Kept) -> Reply| honest_but(kept, move |kept, asked| kept.is_component(asked).then(|| lie(kept)));
    let manifest = |lie: fn(&Kept) -> Reply| honest_but(kept, move |kept, asked| is_manifest(asked).then(|| lie(kept)));
    let everything = |lie: fn() -> Reply| -> Answer { Box::new(move |_| lie()) };
    vec![
        (
            "another component for a digest",
            component(|kept| {
                let mut bytes = kept.component.to_vec();
                *bytes.last_mut().expect("a component has bytes") ^= 1;
                whole("200 OK", &[], &bytes)
            }),
            &["gave other bytes than were asked for", "the component has the digest"],
        ),
        (
            "another manifest than its own digest says",
            manifest(|kept| {
                let claimed = format!("docker-content-digest: sha256:{}", "0".repeat(64));
                whole("200 OK", &[&claimed], kept.manifest.to_string().as_bytes())
            }),
            &["the manifest has the digest"],
        ),
        (
            "a blob without end",
            component(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec())),
            &["gave more than"],
        ),
        (
            "a manifest without end",
            manifest(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec())),
            &["gave more than 1048576 bytes where the manifest has 1048576 at most"],
        ),
        ("a blob cut short", component(|kept| whole("200 OK", &[], &kept.component[..1000])), &["gave 1000 bytes where the component has"]),
        (
            "a blob cut short behind its own length",
            component(|kept| {
                let mut bytes = reply("200 OK", &[], &kept.component);
                bytes.truncate(2000);
                Reply::Whole(bytes)
            }),
            &["can't be reached"],
        ),
        ("compressed", component(|kept| whole("200 OK", &["content-encoding: gzip"], &kept.component[..1000])), &["gave 1000 bytes"]),
        (
            "silence after the head",
            component(|kept| Reply::Silent(reply("200 OK", &[], &kept.component)[..500].to_vec())),
            &["was silent for 1s", "stall-timeout"],
        ),
        (
            "a byte now and then",
            component(|kept| Reply::Dripping(reply("200 OK", &[], &kept.component))),
            &["took longer than 10s", "`timeout`"],
        ),
        ("silence", everything(|| Reply::Silent(Vec::new())), &["was silent for 1s"]),
        (
            "an image",
            manifest_of(|manifest| manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip".into()),
            &["its layer is of type application/vnd.oci.image.layer.v1.tar+gzip"],
        ),
        ("an index", manifest_of(|manifest| manifest["manifests"] = json!([])), &["it is an index"]),
        ("no layers", manifest_of(|manifest| manifest["layers"] = json!([])), &["it has 0 layers"]),
        (
            "two layers",
            manifest_of(|manifest| {
                let layer = manifest["layers"][0].clone();
                manifest["layers"] = json!([layer, layer]);
            }),
            &["it has 2 layers"],
        ),
        (
            "a layer from elsewhere",
            manifest_of(|manifest| manifest["layers"][0]["urls"] = json!(["http://169.254.169.254/latest"])),
            &["(urls)"],
        ),
        (
            "a digest that is a path",
            manifest_of(|manifest| manifest["layers"][0]["digest"] = "sha256:../../../../etc/passwd".into()),
            &["by something else than a sha256 digest"],
        ),
        (
            "a layer of a terabyte",
            manifest_of(|manifest| manifest["layers"][0]["size"] = json!(1_u64 << 40)),
            &["1099511627776 bytes, and may have"],
        ),
        (
            "a megabyte of annotations",
            manifest_of(|manifest| manifest["annotations"] = json!({ "x": "y".repeat(1 << 20) })),
            &["where the manifest has 1048576 at most"],
        ),
        ("no manifest at all", manifest(|_| whole("200 OK", &[], b"<html>welcome</html>")), &["its manifest can't be read"]),
        (
            "two types for one manifest",
            manifest(|kept| {
                whole("200 OK", &["content-type: application/vnd.oci.image.index.v1+json"], kept.manifest.to_string().as_bytes())
            }),
            &["calls its manifest application/vnd.oci.image.index.v1+json"],
        ),
        ("nothing there", everything(|| whole("404 Not Found", &[], b"")), &["has no oci://"]),
        (
            "an error that echoes",
            everything(|| whole("500 Oops", &[], br#"{"errors":[{"code":"UNKNOWN","message":"\u001b[31mecho"}]}"#)),
            &["answered 500", ": UNKNOWN"],
        ),
        (
            "a redirect to itself",
            everything(|| whole("307 Temporary Redirect", &["location: ?again"], b"")),
            &["from place to place, more than 5 times"],
        ),
        (
            "blobs at the clouds' metadata",
            component(|_| whole("307 Temporary Redirect", &["location: https://169.254.169.254/latest/meta-data"], b"")),
            &["https://169.254.169.254", "link-local", "allow-hosts"],
        ),
        (
            "blobs at a name for this machine",
            component(|_| whole("307 Temporary Redirect", &["location: https://localhost:1/"], b"")),
            &["https://localhost:1", "a loopback address"],
        ),
        (
            "blobs without TLS",
            component(|_| whole("302 Found", &["location: http://example.com/x"], b"")),
            &["http://example.com", "not reached by https"],
        ),
        ("blobs in a file", component(|_| whole("302 Found", &["location: file:///etc/passwd"], b"")), &["not reached by https"]),
        (
            "a login that is never enough",
            everything(|| whole("401 Unauthorized", &["www-authenticate: Basic realm=\"x\""], b"")),
            &["wants a login or refuses the one it got (401"],
        ),
        (
            "a token service at the clouds' metadata",
            everything(|| {
                whole("401 Unauthorized", &["www-authenticate: Bearer realm=\"http://169.254.169.254/token\",service=\"x\""], b"")
            }),
            &["http://169.254.169.254", "not reached by https"],
        ),
        (
            "a token service in the cellar",
            everything(|| whole("401 Unauthorized", &["www-authenticate: Bearer realm=\"https://10.0.0.1/token\""], b"")),
            &["https://10.0.0.1", "a private address"],
        ),
        (
            "a challenge of nonsense",
            everything(|| whole("401 Unauthorized", &["www-authenticate: Bearer \"\"\"=,,"], b"")),
            &["wants a login"],
        ),
        ("not HTTP", everything(|| Reply::Whole(b"SSH-2.0-OpenSSH\r\n".to_vec())), &["can't be reached"]),
    ]
}

fn configuration(registry: &RawRegistry, more: &str) -> String {
    format!(
        "[registries.{:?}]\nstall-timeout = \"1s\"\ntimeout = \"10s\"\nusername = \"u\"\npassword = \"${{secret:pw}}\"\n{more}\n",
        registry.host()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_of_a_registry_is_refused_by_name_in_bounded_time() -> anyhow::Result<()> {
    let kept = Kept::new();
    for (name, answer, words) in lies(&kept) {
        let registry = RawRegistry::start(move |asked: &Asked| answer(asked)).await?;
        let folder = HostFolder::new(&configuration(&registry, ""))?;
        folder.secret("pw", "hunter-2-secret")?;
        let began = Instant::now();
        let (code, text) = said(&folder, &["plugin", "pull", &format!("{}/s:1", registry.host()), "-o", "s.wasm"])?;
        assert_eq!(code, Some(1), "{name}: {text}");
        for word in words {
            assert!(text.contains(word), "{name}: {word:?} is not in {text}");
        }
        assert!(!text.contains("hunter") && !text.contains('\u{1b}') && !text.contains("echo"), "{name}: {text}");
        assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
        assert!(!folder.path().join("s.wasm").exists(), "{name}: a file was written");
        assert!(!folder.path().join("data/components").join(digest(&kept.component).replace(':', "-")).exists(), "{name}: it was kept");
        assert!(registry.asked().len() <= 8, "{name}: asked {} times", registry.asked().len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_with_a_certificate_of_ones_own_is_trusted_by_that_authority_alone() -> anyhow::Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    for (name, identity, word) in [
        ("good", authority.identity(&["127.0.0.1"])?, None),
        ("of another authority", stranger.identity(&["127.0.0.1"])?, Some("and was not signed by it")),
        ("for another name", authority.identity(&["registry.example"])?, Some("for other names")),
        ("expired", authority.expired(&["127.0.0.1"])?, Some("has expired")),
        ("self-signed", Identity::self_signed(&["127.0.0.1"])?, Some("no TLS with")),
    ] {
        let kept = Kept::new();
        let registry = RawRegistry::tls(identity.server()?, move |asked| kept.answer(asked)).await?;
        let section = |more: &str| format!("[registries.{:?}]\ntls = true\n{more}\n", registry.host());
        let folder = HostFolder::new(&section("ca-file = \"ca.pem\""))?;
        std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
        let reference = format!("{}/s:1", registry.host());
        let (code, text) = said(&folder, &["plugin", "pull", &reference, "-o", "s.wasm"])?;
        assert_eq!(code, Some(i32::from(word.is_some())), "{name}: {text}");
        assert!(text.contains(word.unwrap_or("sha256:")), "{name}: {text}");
        // Without the authority not even the good one.
        folder.configure(&section(""))?;
        let (code, text) = said(&folder, &["plugin", "pull", &reference, "-o", "t.wasm"])?;
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(text.contains("no TLS with") && !folder.path().join("t.wasm").exists(), "{name}: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_reference_takes_no_other_manifest_whatever_the_registry_says() -> anyhow::Result<()> {
    let kept = Kept::new();
    let other = kept.but(|manifest| manifest["annotations"] = json!({ "moved": "yes" }));
    let registry = RawRegistry::start(move |asked| other.answer(asked)).await?;
    let folder = HostFolder::new("")?;
    let (code, text) = said(&folder, &["plugin", "pull", &format!("{}/s:1@{}", registry.host(), kept.pin())])?;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the manifest has the digest"), "{text}");
    assert!(registry.asked().iter().all(|asked| asked.path.ends_with(&kept.pin())), "the tag was not even asked for");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_goes_to_the_token_service_a_token_to_the_registry_and_neither_to_where_blobs_are() -> anyhow::Result<()> {
    let kept = Kept::new();
    let blobs = {
        let kept = kept.clone();
        RawRegistry::start(move |asked| kept.answer(asked)).await?
    };
    let tokens = RawRegistry::start(|_| whole("200 OK", &[], br#"{"token":"t0ken"}"#)).await?;
    let (realm, store) = (tokens.host(), blobs.host());
    let honest = kept.clone();
    let registry = RawRegistry::start(move |asked| {
        let challenge = format!("www-authenticate: Bearer realm=\"http://{realm}/auth\",service=\"the registry\",scope=\"repository:*:*\"");
        match asked.headers.get("authorization").map(String::as_str) {
            Some("Bearer t0ken") if is_manifest(asked) => honest.answer(asked),
            Some("Bearer t0ken") => whole("307 Temporary Redirect", &[&format!("location: http://{store}{}", asked.path)], b""),
            _ => whole("401 Unauthorized", &[&challenge], b""),
        }
    })
    .await?;
    let allowed = format!("allow-hosts = [\"http://{}\", \"http://{}\"]", tokens.host(), blobs.host());
    let folder = HostFolder::new(&configuration(&registry, &allowed))?;
    folder.secret("pw", "p")?;
    let (code, text) = said(&folder, &["plugin", "pull", &format!("{}/team/s:1", registry.host()), "-o", "s.wasm"])?;
    assert_eq!(code, Some(0), "{text}");
    let to_tokens = tokens.asked();
    assert_eq!(to_tokens.len(), 1, "one token serves for all: {to_tokens:?}");
    assert_eq!(to_tokens[0].headers["authorization"], "Basic dTpw");
    assert!(to_tokens[0].path.contains("scope=repository%3Ateam%2Fs%3Apull&"), "no more than is needed: {}", to_tokens[0].path);
    assert!(to_tokens[0].path.contains("service=the+registry"), "{}", to_tokens[0].path);
    let to_blobs = blobs.asked();
    assert_eq!(to_blobs.len(), 2, "{to_blobs:?}");
    assert!(to_blobs.iter().all(|asked| !asked.headers.contains_key("authorization")), "{to_blobs:?}");
    assert!(registry.asked().iter().all(|asked| asked.headers.get("authorization").is_none_or(|sent| sent == "Bearer t0ken")));

    // Not named in the configuration, neither is gone to: both are on this machine and without TLS.
    folder.configure(&configuration(&registry, ""))?;
    let (code, text) = said(&folder, &["plugin", "pull", &format!("{}/team/s:1", registry.host()), "-o", "t.wasm"])?;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("sends this host to") && tokens.asked().len() == 1, "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_registry_dawdles_serves_on_and_says_what_it_waits_for() -> anyhow::Result<()> {
    let kept = Kept::new();
    let slow: Arc<Mutex<bool>> = Arc::default();
    let (dawdles, honest) = (slow.clone(), kept.clone());
    let registry = RawRegistry::start(move |asked| match *dawdles.lock().expect("nobody panics with it") && honest.is_component(asked) {
        true => Reply::Silent(reply("200 OK", &[], &honest.component)[..500].to_vec()),
        false => honest.answer(asked),
    })
    .await?;
    let host = registry.host();
    let configuration = |stall: &str, plugin: &str| {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[registries.{host:?}]\nstall-timeout = {stall:?}\n\
             [plugins.{plugin}]\ncomponent = \"oci://{host}/s@{}\"\n{}",
            kept.pin(),
            crate::scene::SCRIPT.replace("s.run", &format!("{plugin}.run"))
        )
    };
    let folder = HostFolder::new(&configuration("5s", "s"))?;
    let running = folder.start().await?;
    std::fs::remove_dir_all(folder.path().join("data/components"))?;
    *slow.lock().expect("nobody panics with it") = true;
    folder.configure(&configuration("5s", "t"))?;
    let client = running.client.clone();
    let reload = tokio::spawn(async move { client.post("/v1/reload", &json!({})).await });
    crate::scene::results(&running.client.send_and_wait(&crate::scene::script("meanwhile", json!([]))).await?)?;
    assert!(!reload.is_finished(), "events are served while it waits");
    let answer = reload.await??;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("was silent for 5s"), "{}", answer.text);
    assert!(running.log().contains("fetching oci://"), "{}", running.log());
    crate::scene::results(&running.client.send_and_wait(&crate::scene::script("after", json!([]))).await?)?;
    Ok(())
}
