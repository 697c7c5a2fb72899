use std::sync::Arc;
use std::time::Duration;

use super::support::{API, assert_no_secret, attach, broker, by, clock, credential, secret, store, text, vault};
use crate::config::{Credential, CredentialKind};
use crate::credentials::{CredentialError, Remedy, Secret, State};

fn books(kind: CredentialKind) -> [(String, Arc<Credential>); 1] {
    [credential("books", &[API], kind)]
}

#[tokio::test]
async fn each_kind_writes_its_header() {
    for (kind, value) in [
        (CredentialKind::Bearer { token: text("t0ken-12") }, "Bearer t0ken-12"),
        (
            CredentialKind::Basic { username: text("Aladdin"), password: text("open sesame") },
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", // RFC 7617 section 2
        ),
        (CredentialKind::Header { name: "X-Api-Key".into(), value: text("Token s3cr3t-value") }, "Token s3cr3t-value"),
    ] {
        let store = store().await;
        let broker = broker(&store, &clock(), books(kind)).await;
        assert_eq!(broker.status()[0].state, State::Unused);
        let (written, attached) = attach(&broker).await.expect("attaches");
        assert_eq!(written, value);
        assert!(!broker.refused(&attached).await.expect("looked"), "nothing newer can be had");
        assert_eq!(broker.status()[0].state, State::Ok);
    }
}

#[tokio::test]
async fn values_are_masked_in_the_forms_they_are_sent_in() {
    for (kind, text, expected) in [
        (
            CredentialKind::Basic { username: text("Aladdin"), password: text("open sesame") },
            "Aladdin QWxhZGRpbjpvcGVuIHNlc2FtZQ== open sesame",
            "Aladdin [redacted] [redacted]",
        ),
        // The vendor's API key as the user name.
        (CredentialKind::Basic { username: text("4p1-k3y-0123"), password: text("x") }, "4p1-k3y-0123 x", "[redacted] x"),
        (
            CredentialKind::Header { name: "x".into(), value: text("Bearer s3cr3t-value") },
            "Bearer s3cr3t-value, Bearer ok, s3cr3t-value",
            "[redacted], Bearer ok, [redacted]",
        ),
    ] {
        let store = store().await;
        let broker = broker(&store, &clock(), books(kind)).await;
        attach(&broker).await.expect("attaches");
        assert_eq!(String::from_utf8_lossy(&broker.redact(text.as_bytes())), expected);
    }
}

#[tokio::test]
async fn a_secret_set_by_another_process_counts_within_seconds_and_wakes_who_waits() {
    let (store, clock) = (store().await, clock());
    let vault = vault(&store, &clock).await;
    vault.put("key", &Secret::new("hunter2-old".into()), &by()).await.expect("kept");
    let broker = broker(&store, &clock, books(CredentialKind::Bearer { token: secret("key") })).await;
    let (_, old) = attach(&broker).await.expect("attaches");
    let mut changes = broker.changes();
    broker.recheck().await;
    assert!(!changes.has_changed().expect("the broker lives"));

    vault.put("key", &Secret::new("hunter2-new".into()), &by()).await.expect("kept");
    assert_eq!(attach(&broker).await.expect("attaches").0, "Bearer hunter2-old", "fresh enough");
    clock.advance(Duration::from_secs(6));
    let (value, new) = attach(&broker).await.expect("attaches");
    assert_eq!(value, "Bearer hunter2-new");
    assert!(changes.has_changed().expect("the broker lives"));
    changes.mark_unchanged();
    assert!(broker.refused(&old).await.expect("looked"), "there is a newer one");
    assert!(!broker.refused(&new).await.expect("looked"));
    assert_eq!(&*broker.redact(b"hunter2-old hunter2-new"), b"[redacted] [redacted]");
}

#[tokio::test]
async fn after_a_refusal_a_new_value_is_found_at_once() {
    let (store, clock) = (store().await, clock());
    let vault = vault(&store, &clock).await;
    vault.put("key", &Secret::new("hunter2-old".into()), &by()).await.expect("kept");
    let broker = broker(&store, &clock, books(CredentialKind::Bearer { token: secret("key") })).await;
    let (_, old) = attach(&broker).await.expect("attaches");
    vault.put("key", &Secret::new("hunter2-new".into()), &by()).await.expect("kept");
    assert!(broker.refused(&old).await.expect("looked"));
    assert_eq!(attach(&broker).await.expect("attaches").0, "Bearer hunter2-new");
}

#[tokio::test]
async fn what_no_header_carries_is_refused_without_showing_it() {
    for kind in [
        CredentialKind::Bearer { token: text("hunter2\nX-Evil: 1") },
        CredentialKind::Basic { username: text("a:b"), password: text("hunter2") },
        CredentialKind::Header { name: "x y".into(), value: text("hunter2") },
        CredentialKind::Header { name: "x".into(), value: text("hunter2\r\n") },
    ] {
        let store = store().await;
        let broker = broker(&store, &clock(), books(kind)).await;
        let error = attach(&broker).await.expect_err("can't be written");
        assert!(matches!(error, CredentialError::Unwritable { .. }), "{error}");
        assert_eq!((error.remedy(), broker.status()[0].state), (Remedy::Change, State::Broken));
        assert_no_secret(&format!("{error} {error:?}"));
    }
}
