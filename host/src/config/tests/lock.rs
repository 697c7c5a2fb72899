//! `sangam.lock`.

use super::*;
use crate::config::lock;

fn pin(release: &str, digit: char) -> Pin {
    let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Pin {
        source: "plugins/\"crm\".wasm".to_owned(),
        digest: format!("sha256:{}", String::from(digit).repeat(64)),
        plugin: "salesforce".to_owned(),
        release: release.to_owned(),
        contract: "0.1.0".to_owned(),
        signed_by: vec![PublicKey([7; 32])],
        permissions: Permissions {
            imports: set(&["sangam:connector/http", "sangam:connector/log", "wasi:clocks"]),
            hosts: set(&["${base-url}"]),
            read_only: set(&["POST /query"]),
            ..Permissions::default()
        },
    }
}

fn approved() -> Lock {
    let bare = Pin { signed_by: Vec::new(), permissions: Permissions::default(), ..pin("2.0.0", 'b') };
    Lock {
        pins: BTreeMap::from([
            ("crm".to_owned(), pin("1.0.0", 'a')),
            ("crm/canary".to_owned(), pin("1.1.0", 'c')),
            ("crm-two".to_owned(), bare),
        ]),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let text = approved().text();
    assert_eq!(lock::parse(&text, "sangam.lock").expect("a lock"), approved());
    // One line for each thing, so that a diff shows what came and went.
    for line in ["version = 1", "[plugins.crm]", "[plugins.crm.canary]", "  \"POST /query\",", "source = \"plugins/\\\"crm\\\".wasm\""] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
    assert_eq!(lock::parse("version=1", "sangam.lock").expect("an empty lock"), Lock::default());
}

#[test]
fn a_lock_of_a_wrong_form_is_refused_with_its_lines() {
    let said = |text: &str| {
        let problems = lock::parse(text, "sangam.lock").expect_err("refused");
        assert_eq!(problems.file, "sangam.lock");
        problems.list.iter().map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message)).collect::<Vec<_>>()
    };
    let text = approved().text();
    assert_eq!(said(""), ["1:1 `version` is missing in the lock"]);
    assert_eq!(said("version = 2\n[plugins.crm]\n"), ["1:11 this lock has a form that this version of Sangam does not know (it knows 1)"]);
    assert!(said("version = \n")[0].starts_with("1:"), "not TOML");
    assert_eq!(said("version = 1\n[plugin.crm]\n"), ["2:2 unknown key `plugin` in the lock"]);
    assert_eq!(said(&text.replace("hosts =", "host ="))[0], "19:1 unknown key `host` in [plugins.crm]");
    assert!(said(&text.replace("digest = \"sha256:aaa", "digest = \"sha256:AAA"))[0].contains("is not a digest"));
    assert!(
        said(&text.replace("digest = \"sha256:aaa", "digits = \"sha256:aaa"))
            .iter()
            .any(|said| said.contains("`digest` is missing in [plugins.crm]"))
    );
    assert!(said(&text.replacen("ed25519:", "rsa:", 1))[0].contains("is not a public key"));
    assert!(said(&text.replacen("contract = \"0.1.0\"", "contract = 0.1", 1))[0].contains("`contract` must be a string"));
}

#[test]
fn another_component_stops_and_the_difference_is_said() {
    let lock = approved();
    let judge = |component: &str, found: &Pin| lock.judge("sangam.lock", component, found, true).map_err(|error| error.to_string());
    assert_eq!(judge("crm", &pin("1.0.0", 'a')), Ok(()));
    assert_eq!(judge("crm/canary", &pin("1.1.0", 'c')), Ok(()));
    assert_eq!(judge("hr", &pin("1.0.0", 'a')), Err("it was not approved: sangam.lock does not have it".to_owned()));
    assert_eq!(
        judge("crm", &pin("0.9.0", 'd')),
        Err("it is not the component that was approved (1.0.0 sha256:aaaaaaaaaaaa, now 0.9.0 sha256:dddddddddddd); it wants nothing more than what was approved".to_owned())
    );
    let mut more = pin("1.1.0", 'd');
    more.permissions.hosts.insert("https://evil.example".to_owned());
    more.permissions.imports.insert(Permissions::KEY_VALUE.to_owned());
    let said = judge("crm", &more).expect_err("another one");
    assert!(said.ends_with("it wants more than what was approved: to send requests to https://evil.example; to keep values in a space of its own in the store"), "{said}");
}

#[test]
fn a_lock_that_says_what_is_not_true_is_refused() {
    let mut lock = approved();
    let true_pin = pin("1.0.0", 'a');
    let edited = lock.pins.get_mut("crm").expect("it is there");
    edited.permissions.read_only.clear();
    edited.permissions.hosts = ["https://nice.example".to_owned()].into();
    let said = lock.judge("sangam.lock", "crm", &true_pin, true).expect_err("edited").to_string();
    for words in [
        "edited by hand",
        "it may send requests to ${base-url}",
        "it may have `POST /query` count as a read",
        "it can't send requests to https://nice.example",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    assert_eq!(lock.judge("sangam.lock", "crm", &true_pin, false), Ok(()), "what is not known yet is compared once it is");
}
