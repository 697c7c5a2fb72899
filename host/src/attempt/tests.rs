//! The journal's rules (interfaces, *Effects and their keys*), by data.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::journal::{Decision, Journal, settle};
use super::{Abilities, Attempt, AttemptId, AttemptLimits, Began, Break, Conduct, HTTP, KeyLimits, NewAttempt};
use crate::outbound::{HttpError, Request, Response};
use crate::store::{EffectRow, EffectState, JournalSnapshot, Receipt, Store, StoreError};

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

/// A store may refuse the end of a step, and take what was queued behind it.
#[tokio::test]
async fn no_write_leaves_before_the_end_of_the_step_before_is_durable() {
    let receipt = |said: Result<(), StoreError>| -> Receipt { std::future::ready(said.map_err(Arc::new)).boxed().shared() };
    let refused = StoreError::Unavailable("the disk is full".to_owned());
    for (behind, leaves, state) in [
        (Ok(()), "leaves", EffectState::Intent),
        (Err(refused), "store", EffectState::Failed),
        (Err(StoreError::Fenced), "fenced", EffectState::Intent),
    ] {
        let (store, _folder, run) = Store::with_a_run().await;
        let mut attempt = Attempt::new(NewAttempt {
            id: AttemptId { run: run.id.clone(), root: run.root.clone(), fence: run.fence, ..id() },
            abilities: Abilities::Act,
            conduct: Conduct::Real { journal: true, record_reads: false },
            holds: false,
            limits: AttemptLimits {
                http_calls: 1,
                log_size: 1024,
                key_value: KeyLimits { calls: 0, transfer: 0, space: 0 },
                ends: Instant::now() + Duration::from_secs(60),
            },
            input: "{}".to_owned(),
            started_at: run.created_at,
            store: store.clone(),
            outbound: None,
            snapshot: JournalSnapshot::default(),
            random_secret: [0; 32],
            behind: Some(receipt(behind)),
            cancel: CancellationToken::new(),
            trace: None,
        });
        let (request, url) = request(Some("w"), "POST", "http://sink/", "{}");
        let began = match attempt.begin(&request, &url, HTTP).await {
            Ok(Began::Send(_)) => "leaves",
            Err(Break::Store(why)) if why.contains("the disk is full") => "store",
            Err(Break::Fenced) => "fenced",
            other => panic!("{:?}", other.map(drop)),
        };
        assert_eq!(began, leaves);
        // Behind whatever was queued.
        store.renew(vec![(run.id.clone(), run.fence)], Timestamp::MAX).await.expect("the store works");
        let journal = store.journal(&run.root, &run.id, "invoice", 0, "books").await.expect("the store works");
        assert_eq!(journal.effects[0].state, state, "{leaves}");
    }
}
