//! A log that somebody has been at, without the database: every change is found, and the first bad entry named.

use jiff::Timestamp;

use super::{Action, Anchor, AuditKey, Broken, By, Head, PublicKey, Record, Rotation, Verified, Verifier};

fn key(seed: u8) -> AuditKey {
    AuditKey::new(&[seed; 32], [seed; 32])
}

/// A log of as many entries, signed.
fn log(entries: u8, key: &AuditKey) -> Vec<Record> {
    let at = Timestamp::from_second(1_800_000_000).expect("a time");
    let mut log: Vec<Record> = Vec::new();
    for number in 0..entries {
        let act = By::host("h").did(Action::SecretSet, format!("secret-{number}")).with("number", number).with("text", "ä\"\n\u{7}");
        let previous = log.last().map(|record| (record.seq, record.hash.clone()));
        log.push(Record::after(previous, &act, at, key));
    }
    log
}

fn verified(log: &[Record], key: PublicKey, anchor: Option<&str>) -> Result<Verified, Broken> {
    let mut verifier = Verifier::new(key, log.iter().filter_map(Rotation::of).collect(), anchor.and_then(Anchor::parse));
    for record in log {
        verifier.take(record)?;
    }
    verifier.finish(None)
}

/// All hashes fit again, as somebody without the key can make them fit.
fn rehashed(mut log: Vec<Record>) -> Vec<Record> {
    let mut previous = super::NOTHING_BEFORE.to_owned();
    for (seq, record) in (1..).zip(&mut log) {
        record.seq = seq;
        record.previous = previous;
        record.hash = record.computed_hash();
        previous = record.hash.clone();
    }
    log
}

#[test]
fn an_untouched_log_verifies_and_comes_back_from_its_export() {
    let key = key(1);
    let log = log(5, &key);
    let whole = verified(&log, key.public(), Some(&log[2].hash)).expect("nothing is wrong");
    assert_eq!((whole.entries, whole.head), (5, log[4].hash.clone()));
    for record in &log {
        assert_eq!(Record::parse(&record.document().to_string()).as_ref(), Ok(record));
    }
}

#[test]
fn a_hash_is_what_any_other_program_computes() {
    let record = &log(1, &key(1))[0];
    let mut content = record.content();
    content["from"] = "machine".into();
    // Written out by hand, once: what an auditor hashes.
    assert_eq!(
        super::canonical(&content),
        "{\"action\":\"secret.set\",\"actor\":{\"id\":\"h\",\"kind\":\"host\",\"name\":\"\"},\"at\":\"2027-01-15T08:00:00Z\",\
         \"details\":{\"number\":0,\"text\":\"ä\\\"\\n\\u0007\"},\"from\":\"machine\",\"object\":\"secret-0\",\
         \"previous\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"seq\":1}"
    );
}

#[test]
fn every_change_is_found_at_the_first_bad_entry() {
    let key = key(1);
    let good = log(6, &key);
    type Attack = fn(&mut Vec<Record>);
    let attacks: [(&str, Attack, Broken); 9] = [
        ("a text edited", |log| log[2].object = "other".to_owned(), Broken::Changed(3)),
        ("a detail edited", |log| drop(log[2].details.remove("number")), Broken::Changed(3)),
        ("a time edited", |log| log[2].at = Timestamp::UNIX_EPOCH, Broken::Changed(3)),
        (
            "edited, with its hash",
            |log| {
                log[2].actor_name = "anna".to_owned();
                log[2].hash = log[2].computed_hash();
            },
            Broken::Forged(3),
        ),
        ("removed", |log| drop(log.remove(2)), Broken::Missing { expected: 3, found: 4 }),
        ("the first removed", |log| drop(log.remove(0)), Broken::Missing { expected: 1, found: 2 }),
        ("put in twice", |log| log.insert(3, log[2].clone()), Broken::Missing { expected: 4, found: 3 }),
        ("moved", |log| log.swap(1, 3), Broken::Missing { expected: 2, found: 4 }),
        (
            "moved, with its number",
            |log| {
                log.swap(1, 3);
                log[1].seq = 2;
                log[3].seq = 4;
            },
            Broken::Changed(2),
        ),
    ];
    for (name, attack, expected) in attacks {
        let mut log = good.clone();
        attack(&mut log);
        assert_eq!(verified(&log, key.public(), None), Err(expected), "{name}");
    }
}

#[test]
fn a_log_computed_anew_without_the_key_is_found() {
    let key = key(1);
    let mut changed = log(6, &key);
    changed[2].object = "other".to_owned();
    assert_eq!(verified(&rehashed(changed), key.public(), None), Err(Broken::Forged(3)), "hashes fit, the signature can't");
    let mut shorter = log(6, &key);
    shorter.remove(2);
    assert_eq!(verified(&rehashed(shorter), key.public(), None), Err(Broken::Forged(3)));
    // With a key, but somebody else's.
    assert_eq!(verified(&log(6, &self::key(2)), key.public(), None), Err(Broken::Forged(1)));
}

#[test]
fn a_cut_end_is_found_by_the_signed_head_or_by_an_anchor() {
    let key = key(1);
    let log = log(6, &key);
    let ended = |entries: &[Record], head: Option<Head>| {
        let mut verifier = Verifier::new(key.public(), Vec::new(), None);
        entries.iter().for_each(|record| verifier.take(record).expect("nothing is wrong with the entries"));
        verifier.finish(Some(head))
    };
    assert!(ended(&log, Some(Head::of(&log[5], &key))).is_ok());
    assert_eq!(ended(&log[..4], Some(Head::of(&log[5], &key))), Err(Broken::Cut { last: 4, head: 6 }));
    assert_eq!(ended(&log[..4], None), Err(Broken::Head(4)));
    // The signature of the entry, which is there for all to see, does not make a head.
    let forged = Head { seq: 4, hash: log[3].hash.clone(), signature: log[3].signature.clone() };
    assert_eq!(ended(&log[..4], Some(forged)), Err(Broken::Head(4)));
    assert_eq!(ended(&[], Some(Head::of(&log[5], &key))), Err(Broken::Cut { last: 0, head: 6 }));
    // An older head, kept by somebody who had the database before: only what is kept elsewhere tells.
    assert!(ended(&log[..4], Some(Head::of(&log[3], &key))).is_ok());
    assert_eq!(verified(&log[..4], key.public(), Some(&log[5].hash)), Err(Broken::Anchor));
}

#[test]
fn a_changed_key_signs_for_all_before_it() {
    let (former, present) = (key(1), key(2));
    let mut log = log(3, &former);
    let at = Timestamp::from_second(1_800_000_000).expect("a time");
    let act = By::host("h").did(Action::KeyRotated, "key").with("former_audit_key", former.public().to_string());
    let last = log.last().map(|record| (record.seq, record.hash.clone()));
    log.push(Record::after(last, &act, at, &present));
    let last = log.last().map(|record| (record.seq, record.hash.clone()));
    log.push(Record::after(last, &By::host("h").did(Action::SecretSet, "s"), at, &present));
    assert!(verified(&log, present.public(), None).is_ok());
    assert_eq!(verified(&log, former.public(), None), Err(Broken::Forged(4)), "the former key is over");
    // Whoever has the former key can't write an entry after the change, nor another history before it.
    let last = log.last().map(|record| (record.seq, record.hash.clone()));
    let forged = Record::after(last, &By::host("h").did(Action::SecretSet, "s"), at, &former);
    let longer: Vec<Record> = log.iter().cloned().chain([forged]).collect();
    assert_eq!(verified(&longer, present.public(), None), Err(Broken::Forged(6)));
    let mut other = self::log(3, &former);
    other[0].object = "other".to_owned();
    let act = By::host("h").did(Action::SecretSet, "other");
    let mut history = vec![Record::after(None, &act, at, &former)];
    for _ in 0..2 {
        let last = history.last().map(|record| (record.seq, record.hash.clone()));
        history.push(Record::after(last, &act, at, &former));
    }
    history.extend(log[3..].iter().cloned());
    assert_eq!(verified(&history, present.public(), None), Err(Broken::Unlinked(4)));
}

#[test]
fn what_is_put_on_record_has_bounds() {
    let act = By::host("h")
        .did(Action::SecretSet, "n\0".repeat(2000))
        .with("long", "x".repeat(10_000))
        .with("many", vec![1; 1000])
        .with("large", u64::MAX)
        .with("deep", serde_json::json!([[[[[[1]]]]]]));
    assert_eq!(act.object.chars().count(), 513);
    assert!(!act.object.contains('\0'));
    assert_eq!(act.details["long"].as_str().map(|text| text.chars().count()), Some(513));
    assert_eq!(act.details["many"].as_array().map(Vec::len), Some(100));
    assert_eq!(act.details["large"], "18446744073709551615", "a number that not every reader keeps");
    assert_eq!(act.details["deep"].to_string(), "[[[[\"…\"]]]]");
}
