//! Refresh tokens that are good once: never used twice, never lost.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::support::{API, Vendor, attach, broker, by, clock, credential, secret, store, text, vault};
use crate::clock::Clock;
use crate::config::CredentialKind;
use crate::credentials::{Remedy, Secret, State};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_requests_at_once_refresh_once() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let all = || {
        join_all((0..50).map(|_| {
            tokio::spawn({
                let broker = broker.clone();
                async move { attach(&broker).await }
            })
        }))
    };

    for answer in all().await {
        assert_eq!(answer.expect("no panic").expect("a token").0, "Bearer access-1");
    }
    assert_eq!(vendor.asked(), 1);

    clock.advance(Duration::from_secs(3_000)); // less than a fifth of its life is left
    for answer in all().await {
        assert_eq!(answer.expect("no panic").expect("a token").0, "Bearer access-2");
    }
    assert_eq!(vendor.asked(), 2);
    assert_eq!(vendor.forms()[1]["refresh_token"], "refresh-1");
    assert!(!vendor.saw_reuse());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refusals_of_one_token_refresh_once_and_a_late_one_not_at_all() {
    let (store, vendor) = (store().await, Vendor::open().await);
    let broker = broker(&store, &clock(), [vendor.refreshing(text("refresh-0"))]).await;
    let (_, attached) = attach(&broker).await.expect("a token");
    let refusals = (0..50).map(|_| {
        let (broker, attached) = (broker.clone(), attached.clone());
        tokio::spawn(async move { broker.refused(&attached).await })
    });
    for answer in join_all(refusals).await {
        assert!(answer.expect("no panic").expect("refreshed"), "try again");
    }
    assert_eq!(vendor.asked(), 2);
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-2");
    assert!(broker.refused(&attached).await.expect("known"), "the next one is there already");
    assert_eq!(vendor.asked(), 2);
}

#[tokio::test]
async fn a_restart_needs_no_refresh_and_after_one_the_rotated_token_is_used() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let credentials = || [vendor.refreshing(text("refresh-0"))];
    let first = broker(&store, &clock, credentials()).await;
    attach(&first).await.expect("a token");
    drop(first); // a crash right after the save, before anything used the token

    let second = broker(&store, &clock, credentials()).await;
    assert_eq!(attach(&second).await.expect("a token").0, "Bearer access-1");
    assert_eq!(vendor.asked(), 1);
    drop(second);

    clock.advance(Duration::from_secs(4_000));
    let third = broker(&store, &clock, credentials()).await;
    assert_eq!(attach(&third).await.expect("a token").0, "Bearer access-2");
    assert_eq!(vendor.forms()[1]["refresh_token"], "refresh-1");
    assert!(!vendor.saw_reuse());
}

#[tokio::test]
async fn who_gives_up_waiting_does_not_take_the_refresh_down() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    vendor.hold();
    let impatient = tokio::spawn({
        let broker = broker.clone();
        async move { attach(&broker).await }
    });
    vendor.until_asked(1).await;
    impatient.abort();
    assert!(impatient.await.expect_err("given up").is_cancelled());
    assert_eq!(broker.status()[0].state, State::Refreshing);
    vendor.release();
    broker.close().await;
    let row = store.credential_state("books").await.expect("the store answers").expect("saved");
    assert_eq!((row.version, row.lease_until), (1, None));
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-1");
    assert_eq!(vendor.asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_on_one_store_share_one_refresh() {
    let (store, vendor) = (store().await, Vendor::open().await);
    let mut hosts = Vec::new();
    for _ in 0..4 {
        hosts.push(broker(&store, &Clock::system(), [vendor.refreshing(text("refresh-0"))]).await);
    }
    let answers = hosts.iter().cycle().take(40).cloned().map(|host| tokio::spawn(async move { attach(&host).await }));
    for answer in join_all(answers).await {
        assert_eq!(answer.expect("no panic").expect("a token").0, "Bearer access-1");
    }
    assert_eq!(vendor.asked(), 1);

    let (_, attached) = attach(&hosts[0]).await.expect("a token");
    let refusals = hosts.iter().map(|host| host.refused(&attached));
    for answer in join_all(refusals).await {
        assert!(answer.expect("refreshed"));
    }
    assert_eq!((vendor.asked(), vendor.saw_reuse()), (2, false));
}

#[tokio::test]
async fn a_lease_that_a_dead_host_left_ends_by_itself() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let end = crate::clock::later(clock.now(), Duration::from_secs(45));
    assert!(store.credential_lease("books", 0, "dead", end, clock.now()).await.expect("leased"));
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { attach(&broker).await }
    });
    for _ in 0..44 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!((vendor.asked(), waiting.is_finished()), (0, false));
    while !waiting.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(waiting.await.expect("no panic").expect("a token").0, "Bearer access-1");
}

#[tokio::test]
async fn a_refresh_token_newly_configured_wins_over_the_rotated_one() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let vault = vault(&store, &clock).await;
    vault.put("first", &Secret::new("refresh-0".into()), &by()).await.expect("kept");
    let broker = broker(&store, &clock, [vendor.refreshing(secret("first"))]).await;
    attach(&broker).await.expect("a token");

    vendor.accept("refresh-by-hand");
    vault.put("first", &Secret::new("refresh-by-hand".into()), &by()).await.expect("kept");
    broker.recheck().await;
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-2");
    assert_eq!(vendor.forms()[1]["refresh_token"], "refresh-by-hand");
    clock.advance(Duration::from_secs(4_000));
    attach(&broker).await.expect("a token");
    assert_eq!(vendor.forms()[2]["refresh_token"], "refresh-2");
    assert!(!vendor.saw_reuse());
}

#[tokio::test]
async fn a_vendor_that_does_not_rotate_keeps_its_refresh_token() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    for i in 1..=2 {
        vendor.say(200, &format!(r#"{{"access_token":"plain-{i}","expires_in":1800}}"#));
        assert_eq!(attach(&broker).await.expect("a token").0, format!("Bearer plain-{i}"));
        clock.advance(Duration::from_secs(1_800));
    }
    assert_eq!(vendor.forms()[1]["refresh_token"], "refresh-0");
}

#[tokio::test]
async fn a_token_without_a_stated_end_is_kept_until_it_is_refused() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    vendor.lifetime(None);
    let pem = include_str!("../jwt/vectors/rfc7515-a2-pkcs8.pem");
    let kind = CredentialKind::OAuth2JwtBearer {
        client: crate::config::OAuth2Client { client_secret: None, ..vendor.client() },
        issuer: None,
        subject: text("user@acme.example"),
        private_key: text(pem),
        algorithm: crate::config::JwtAlgorithm::Rs256,
    };
    let broker = broker(&store, &clock, [credential("books", &[API], kind)]).await;
    let (_, attached) = attach(&broker).await.expect("a token");
    clock.advance(Duration::from_secs(365 * 24 * 3600));
    assert_eq!(attach(&broker).await.expect("a token").1, attached);
    assert!(broker.refused(&attached).await.expect("signed anew"));
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-2");
    let form = &vendor.forms()[1];
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(form.keys().collect::<Vec<_>>(), ["assertion", "grant_type"]);
    assert!(!vendor.headers(0).contains_key("authorization"));
}

#[tokio::test]
async fn failures_are_followed_by_growing_pauses_and_the_old_token_is_used_to_its_end() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    attach(&broker).await.expect("a token");
    clock.advance(Duration::from_secs(3_000));
    vendor.say(503, "down");
    assert_eq!(attach(&broker).await.expect("the old one").0, "Bearer access-1");
    assert_eq!(attach(&broker).await.expect("the old one").0, "Bearer access-1");
    assert_eq!((vendor.asked(), broker.status()[0].state), (2, State::CoolingDown));

    clock.advance(Duration::from_secs(601)); // it has ended now
    for (pause, asked) in [(10, 3), (20, 4), (40, 5)] {
        vendor.say(503, "down");
        let error = attach(&broker).await.expect_err("down");
        let Remedy::At(at) = error.remedy() else { panic!("{error}") };
        assert_eq!(at.duration_since(clock.now()).as_secs(), pause);
        assert!(attach(&broker).await.is_err());
        assert_eq!(vendor.asked(), asked, "spared during the pause");
        clock.advance(Duration::from_secs(pause.unsigned_abs()));
    }
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-2");
    let status = &broker.status()[0];
    assert_eq!((status.state, status.refreshes, status.failures), (State::Ok, 2, 4));
    assert!(!vendor.saw_reuse());
}

#[tokio::test]
async fn a_system_that_refuses_every_fresh_token_does_not_drain_the_token_endpoint() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    for _ in 0..20 {
        let (_, attached) = attach(&broker).await.expect("a token");
        assert!(broker.refused(&attached).await.expect("one more try"));
    }
    assert_eq!(vendor.asked(), 4);
    clock.advance(Duration::from_secs(301));
    let (_, attached) = attach(&broker).await.expect("a token");
    assert!(broker.refused(&attached).await.expect("refreshed"));
    assert_eq!(vendor.asked(), 5);
}

#[tokio::test]
async fn what_another_host_got_mends_a_broken_credential() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = Arc::new([
        broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await,
        broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await,
    ]);
    vendor.say(400, r#"{"error":"invalid_grant"}"#);
    attach(&broker[0]).await.expect_err("broken");
    assert_eq!(attach(&broker[1]).await.expect("a token").0, "Bearer access-1");
    let changes = broker[0].changes();
    broker[0].recheck().await;
    assert!(changes.has_changed().expect("the broker lives"));
    assert_eq!(broker[0].status()[0].state, State::Ok);
    assert_eq!(vendor.asked(), 2);
    assert_eq!(broker[0].status()[0].expires_at, Some(clock.now().checked_add(Duration::from_secs(3600)).unwrap_or(Timestamp::MAX)));
}

#[tokio::test]
async fn an_answer_that_comes_after_the_lease_gives_way_to_what_the_next_host_saved() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let slow = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let next = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    vendor.hold();
    let late = tokio::spawn({
        let slow = slow.clone();
        async move { attach(&slow).await }
    });
    vendor.until_asked(1).await;
    clock.advance(Duration::from_secs(46));
    let overtaking = tokio::spawn(async move { attach(&next).await });
    vendor.until_asked(2).await;
    vendor.say(200, r#"{"access_token":"theirs","refresh_token":"refresh-theirs"}"#);
    vendor.say(200, r#"{"access_token":"theirs","refresh_token":"refresh-theirs"}"#);
    vendor.release();
    while !late.is_finished() || !overtaking.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        clock.advance(Duration::from_millis(100));
    }
    for answer in [late, overtaking] {
        assert_eq!(answer.await.expect("no panic").expect("a token").0, "Bearer theirs");
    }
    let row = store.credential_state("books").await.expect("the store answers").expect("saved");
    assert_eq!((row.version, vendor.asked()), (1, 2));
}

#[tokio::test]
async fn what_is_in_use_is_renewed_before_a_request_has_to_wait() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    broker.tend().await;
    assert_eq!(vendor.asked(), 0, "nobody needs it");
    attach(&broker).await.expect("a token");
    clock.advance(Duration::from_secs(2_500));
    broker.tend().await;
    assert_eq!(vendor.asked(), 1, "not yet");
    attach(&broker).await.expect("a token");
    // Requests would have it renewed from 2880 s on.
    clock.advance(Duration::from_secs(205));
    broker.tend().await;
    assert_eq!(vendor.asked(), 2);
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-2");
    assert_eq!(vendor.asked(), 2);

    // Nobody has used the third one.
    clock.advance(Duration::from_secs(3_500));
    broker.tend().await;
    assert_eq!(vendor.asked(), 3);
    clock.advance(Duration::from_secs(3_500));
    broker.tend().await;
    assert_eq!(vendor.asked(), 3);
}

#[tokio::test]
async fn a_refresh_token_that_nobody_needs_is_kept_alive_also_over_a_restart() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let credentials = |keep_alive: Option<u64>| {
        let client = crate::config::OAuth2Client { keep_alive: keep_alive.map(Duration::from_secs), ..vendor.client() };
        [credential("books", &[API], CredentialKind::OAuth2RefreshToken { client, refresh_token: text("refresh-0") })]
    };
    let day = 24 * 3600;
    let first = broker(&store, &clock, credentials(Some(day))).await;
    attach(&first).await.expect("a token");
    clock.advance(Duration::from_secs(day - 10));
    first.tend().await;
    assert_eq!(vendor.asked(), 1);
    drop(first);
    clock.advance(Duration::from_secs(10));
    let never = broker(&store, &clock, credentials(None)).await;
    never.tend().await;
    assert_eq!(vendor.asked(), 1);
    let second = broker(&store, &clock, credentials(Some(day))).await;
    for asked in [2, 2] {
        second.tend().await;
        assert_eq!(vendor.asked(), asked);
    }
    assert_eq!(vendor.forms()[1]["refresh_token"], "refresh-1");
    // Another host hears of it, and does not ask for itself.
    never.tend().await;
    assert_eq!(never.status()[0].state, State::Ok);
    assert_eq!((vendor.asked(), vendor.saw_reuse()), (2, false));
}
