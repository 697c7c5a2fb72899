use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

use super::support::{API, Vendor, attach, broker, clock, credential, store, text};
use crate::config::{CredentialKind, OAuth2Client};
use crate::credentials::{CredentialError, Remedy};

#[tokio::test]
async fn the_client_says_who_it_is_as_the_vendor_wants() {
    let (store, vendor) = (store().await, Vendor::open().await);
    let kind = CredentialKind::OAuth2ClientCredentials(vendor.client());
    let broker = broker(&store, &clock(), [credential("books", &[API], kind)]).await;
    attach(&broker).await.expect("a token");
    let headers = vendor.headers(0);
    assert_eq!(headers["authorization"], "Basic dGhlLWNsaWVudDp0aGUtY2xpZW50LXNlY3JldA==");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers["accept"], "application/json");
    assert_eq!(vendor.forms()[0].keys().collect::<Vec<_>>(), ["grant_type"]);
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_not_read() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let location = HeaderMap::from_iter([("location".parse().expect("a name"), HeaderValue::from_static("/token"))]);
    vendor.say_with(307, location, "");
    let error = attach(&broker).await.expect_err("not followed").in_full();
    assert!(error.contains("answered 307 Temporary Redirect, a redirect, which is not followed"), "{error}");
    assert_eq!(vendor.asked(), 1);

    clock.advance(Duration::from_secs(5));
    vendor.say(200, &format!(r#"{{"access_token":"{}"}}"#, "x".repeat(64 * 1024)));
    let error = attach(&broker).await.expect_err("too long").in_full();
    assert!(error.contains("longer than 64 KiB"), "{error}");
    assert_eq!(vendor.asked(), 2);
}

#[tokio::test]
async fn retry_after_is_respected() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let wait = HeaderMap::from_iter([("retry-after".parse().expect("a name"), HeaderValue::from_static("120"))]);
    vendor.say_with(429, wait, r#"{"error":"invalid_grant"}"#);
    let error = attach(&broker).await.expect_err("told to wait");
    let at = crate::clock::later(clock.now(), Duration::from_secs(120));
    assert_eq!(error.remedy(), Remedy::At(at), "{error}");
    clock.advance(Duration::from_secs(119));
    attach(&broker).await.expect_err("still waiting");
    assert_eq!(vendor.asked(), 1);
    clock.advance(Duration::from_secs(1));
    attach(&broker).await.expect("a token");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_passing_trouble() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://localhost:{}/token", free.local_addr().expect("an address").port());
    drop(free);
    let vendor = Vendor::open().await;
    let kind = CredentialKind::OAuth2ClientCredentials(OAuth2Client { token_url: url, ..vendor.client() });
    let store = store().await;
    let broker = broker(&store, &clock(), [credential("books", &[API], kind)]).await;
    let error = attach(&broker).await.expect_err("nobody there");
    assert!(matches!(error, CredentialError::NoAnswer { .. }) && matches!(error.remedy(), Remedy::At(_)), "{error}");
    assert!(error.in_full().contains("the token endpoint can't be reached"), "{}", error.in_full());
}

#[tokio::test]
async fn secrets_are_sent_over_tls_or_to_this_machine_only() {
    let vendor = Vendor::open().await;
    for url in ["http://vendor.example/token", "https://user:pass@vendor.example/token", "ftp://localhost/", "token"] {
        let kind = CredentialKind::OAuth2ClientCredentials(OAuth2Client { token_url: url.into(), ..vendor.client() });
        let store = store().await;
        let broker = broker(&store, &clock(), [credential("books", &[API], kind)]).await;
        let error = attach(&broker).await.expect_err(url);
        assert!(matches!(error, CredentialError::TokenUrl { .. }), "{error}");
    }
}

#[tokio::test]
async fn localhost_is_this_machine_whoever_answers_for_dns() {
    let vendor = Vendor::open().await;
    let url = vendor.url.replace("127.0.0.1", "localhost");
    let kind = CredentialKind::OAuth2ClientCredentials(OAuth2Client { token_url: url, ..vendor.client() });
    let store = store().await;
    let broker = broker(&store, &clock(), [credential("books", &[API], kind)]).await;
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-1");
}
