//! The journal's rules (interfaces, *Effects and their keys*), by data.

use url::Url;

use super::AttemptId;
use super::journal::{Decision, Journal, settle};
use crate::outbound::{HttpError, Request, Response};
use crate::store::{EffectRow, EffectState, JournalSnapshot};

fn id() -> AttemptId {
    AttemptId {
        run: "run".to_owned(),
        root: "01a20049-86f8-76e9-9174-51ebc77a3422".to_owned(),
        fence: 1,
        step: "invoice".to_owned(),
        round: 0,
        number: 1,
        plugin: "books".to_owned(),
        component: "sha256:0".to_owned(),
    }
}

fn request(name: Option<&str>, method: &str, url: &str, body: &str) -> (Request, Url) {
    let request = Request {
        method: method.to_owned(),
        url: url.to_owned(),
        body: body.as_bytes().to_vec(),
        name: name.map(str::to_owned),
        ..Request::default()
    };
    (request, Url::parse(url).expect("a URL of a test"))
}

/// Sends a write that ends like that, on a journal that may know earlier ones; gives the row.
fn sent(journal: &mut Journal, name: Option<&str>, url: &str, body: &str, result: Result<u16, HttpError>) -> EffectRow {
    let (request, url) = request(name, "POST", url, body);
    let Decision::Send(row) = journal.decide(&request, &url) else { panic!("the write was not sent") };
    let mut row = *row;
    settle(&mut row, &result.map(|status| Response { status, headers: Vec::new(), body: Vec::new() }));
    journal.record(row.clone().into());
    row
}

/// A later attempt.
fn again(rows: &[EffectRow]) -> Journal {
    Journal::new(&id(), &JournalSnapshot { effects: rows.to_vec(), ..JournalSnapshot::default() })
}

const URL: &str = "https://books.example/v3/invoice";

#[test]
fn answers_and_what_they_make_of_a_write() {
    use EffectState::{Done, Failed, InDoubt};
    let lost = || Err(HttpError::Connection("reset".to_owned()));
    let slow = || Err(HttpError::Timeout("late".to_owned()));
    let unsent = || Err(HttpError::NotSent("refused".to_owned()));
    // (answer, state, doubted, generation of the next try)
    let cases: Vec<(Result<u16, HttpError>, EffectState, bool, u32)> = vec![
        (Ok(200), Done, false, 0),
        (Ok(201), Done, false, 0),
        (Ok(302), Done, false, 0),
        (Ok(400), Failed, false, 1),
        (Ok(401), Failed, false, 1),
        (Ok(404), Failed, false, 1),
        (Ok(422), Failed, false, 1),
        (Ok(409), Failed, false, 0),
        (Ok(425), Failed, false, 0),
        (Ok(429), Failed, false, 0),
        (Ok(408), InDoubt, true, 0),
        (Ok(500), InDoubt, true, 0),
        (Ok(503), InDoubt, true, 0),
        (lost(), InDoubt, true, 0),
        (slow(), InDoubt, true, 0),
        (unsent(), Failed, false, 0),
    ];
    for (answer, state, doubted, generation) in cases {
        let row = sent(&mut again(&[]), Some("invoice"), URL, "{}", answer.clone());
        assert_eq!((row.state, row.doubted), (state, doubted), "{answer:?}");
        if state == Done {
            continue;
        }
        let next = sent(&mut again(std::slice::from_ref(&row)), Some("invoice"), URL, "{}", Ok(200));
        assert_eq!(next.id.generation, generation, "{answer:?}");
        assert_eq!(next.key == row.key, generation == 0, "{answer:?}: the key changes with the generation and only then");
    }
}

#[test]
fn after_a_doubt_no_refusal_proves_anything() {
    let doubt = sent(&mut again(&[]), Some("invoice"), URL, "{}", Ok(503));
    let refused = sent(&mut again(std::slice::from_ref(&doubt)), Some("invoice"), URL, "{}", Ok(404));
    assert_eq!((refused.state, refused.id.generation), (EffectState::InDoubt, 0));
    let unreachable = sent(&mut again(&[refused]), Some("invoice"), URL, "{}", Err(HttpError::NotSent(String::new())));
    assert_eq!((unreachable.state, unreachable.key), (EffectState::InDoubt, doubt.key));
}

#[test]
fn a_write_that_succeeded_is_answered_from_the_journal_whatever_its_body() {
    let done = sent(&mut again(&[]), Some("invoice"), URL, "{\"a\":1}", Ok(200));
    let mut later = again(&[done]);
    let (request, url) = request(Some("invoice"), "POST", &format!("{URL}?requestid=7"), "{\"a\":2}");
    assert!(matches!(later.decide(&request, &url), Decision::Replay(_)), "body and query may differ");
    assert!(matches!(later.decide(&request, &url), Decision::NameUsed(name) if name == "invoice"), "once an attempt");
}

#[test]
fn a_name_belongs_to_one_method_and_path() {
    for answer in [Ok(200), Ok(503)] {
        let row = sent(&mut again(&[]), Some("invoice"), URL, "{}", answer);
        let (other, url) = request(Some("invoice"), "POST", "https://books.example/v3/bill", "{}");
        assert!(matches!(again(&[row]).decide(&other, &url), Decision::Diverged(_)));
    }
    // What was refused did nothing: a new write may go elsewhere.
    let refused = sent(&mut again(&[]), Some("invoice"), URL, "{}", Ok(422));
    let (other, url) = request(Some("invoice"), "POST", "https://books.example/v3/bill", "{}");
    assert!(matches!(again(&[refused]).decide(&other, &url), Decision::Send(_)));
}

#[test]
fn unnamed_writes_are_known_by_content_and_ordinal() {
    let mut first = again(&[]);
    let one = sent(&mut first, None, URL, "{\"n\":1}", Ok(200));
    let two = sent(&mut first, None, URL, "{\"n\":1}", Ok(200));
    assert_ne!(one.key, two.key, "the same request twice is two writes");
    let mut later = again(&[one.clone(), two]);
    let (same, url) = request(None, "POST", URL, "{\"n\":1}");
    assert!(matches!(later.decide(&same, &url), Decision::Replay(row) if row.key == one.key));
    assert!(matches!(later.decide(&same, &url), Decision::Replay(_)));
    assert!(matches!(later.decide(&same, &url), Decision::Send(_)), "a third is new: all known ones were asked for");
    let (changed, url) = request(None, "POST", URL, "{\"n\":2}");
    assert!(matches!(again(&[one]).decide(&changed, &url), Decision::Diverged(_)), "is it a new write, or the old one with another body?");
}

#[test]
fn keys_are_uuids_and_known_beforehand() {
    let journal = again(&[]);
    let key = journal.key("invoice");
    assert_eq!(key.len(), 36);
    assert_eq!(sent(&mut again(&[]), Some("invoice"), URL, "{}", Ok(200)).key, key);
    assert_ne!(journal.key("send"), key);
    // Keys of stored runs derive from these very inputs: they must not change with a version of the host.
    assert_eq!(key, KNOWN_KEY);
    let refused = sent(&mut again(&[]), Some("invoice"), URL, "{}", Ok(422));
    assert_ne!(again(&[refused]).key("invoice"), key, "the next generation");
}

/// UUIDv5 of the line, step, round, undos, generation and identity above, computed by another implementation.
const KNOWN_KEY: &str = "23ea29be-ae3e-5266-a5db-3c0fb197109f";
