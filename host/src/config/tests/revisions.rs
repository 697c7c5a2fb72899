//! What makes a revision.

use super::*;

const FILE: &str = r#"
[server]
listen = "127.0.0.1:1"
[credentials.c]
type = "bearer"
hosts = ["https://api.example.com"]
token = "${env:TOKEN}"
[plugins.p]
component = "p.wasm"
allow-hosts = ["https://api.example.com"]
credentials = ["c"]
config = { "odd key" = "a\"b\\\u007f\n", exact = 10.10, when = 2026-03-02 }
[[routes]]
name = "r"
on = { type = "a" }
[[routes.steps]]
name = "s"
uses = "p.x"
with = { a = "${ .event.id }", b = [1, { c = true }] }
"#;

#[test]
fn a_revision_can_be_read_back() {
    let loaded = valid(FILE);
    let content = loaded.revision_content();
    assert!(!content.to_string().contains("t0p"), "{content}");
    assert!(content.get("server").is_none());
    let env = |name: &str| (name == "TOKEN").then(|| "other".to_owned());
    let file = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let again = parse_revision(content, Path::new("/etc/sangam"), &Outside { env: &env, file: &file })
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(again.revision_content(), content);
    assert_eq!(again.revision_digest(), loaded.revision_digest());
    assert_eq!(again.config.plugins["p"].config, loaded.config.plugins["p"].config);
}

#[test]
fn only_what_counts_makes_a_new_revision() {
    let digest = |text: &str| valid(text).revision_digest();
    let original = digest(FILE);
    assert_eq!(digest(&FILE.replace("127.0.0.1:1", "127.0.0.1:2")), original);
    assert_eq!(digest(&FILE.replace('\n', "\r\n# note\r\n")), original);
    assert_ne!(digest(&FILE.replace("10.10", "10.1")), original);
    assert_ne!(digest(&FILE.replace("p.x", "p.y")), original);
}

#[test]
fn places_are_kept() {
    let loaded = valid(FILE);
    let at = |path: &str| loaded.positions.get(path).map(|place| &loaded.text[place.value.clone()]);
    assert_eq!(at("plugins.p.config.exact"), Some("10.10"));
    assert_eq!(at("plugins.p.config.\"odd key\""), Some(r#""a\"b\\\u007f\n""#));
    assert_eq!(at("routes[0].steps[0].with.b[1].c"), Some("true"));
    let found = loaded.positions.locate("routes[0].steps[0].with", "/b/1/c/deeper").expect("a place");
    assert_eq!(&loaded.text[found.value.clone()], "true");
}
