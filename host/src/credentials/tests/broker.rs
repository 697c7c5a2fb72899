use http::{HeaderValue, header};
use url::Url;

use super::support::{API, Vendor, assert_no_secret, attach, broker, by, clock, credential, request, secret, store, text, vault};
use crate::config::{CredentialKind, Place};
use crate::credentials::{Attached, CredentialError, Remedy, Secret, State};

fn bearer(name: &str, hosts: &[&str], token: &str) -> (String, std::sync::Arc<crate::config::Credential>) {
    credential(name, hosts, CredentialKind::Bearer { token: text(token) })
}

#[tokio::test]
async fn the_first_granted_credential_of_the_exact_origin_is_attached() {
    let credentials = [
        bearer("a", &["https://one.example", "https://two.example"], "token-a"),
        bearer("b", &["https://two.example"], "token-b"),
        bearer("c", &["https://one.example:8443"], "token-c"),
        bearer("local", &["http://127.0.0.1:9", "http://[::1]:9"], "token-l"),
    ];
    let store = store().await;
    let broker = broker(&store, &clock(), credentials).await;
    let all = &["b", "a", "c", "local"][..];
    for (granted, url, expected) in [
        (all, "https://one.example/x", Some("a")),
        (all, "https://two.example/x", Some("b")),
        (&["a", "b"], "https://TWO.example:443/", Some("a")),
        (all, "https://one.example:8443/", Some("c")),
        (&["b"], "https://one.example/", None),
        (&["gone"], "https://one.example/", None),
        (all, "https://sub.one.example/", None),
        (all, "https://one.example.evil.example/", None),
        (all, "https://one.example@evil.example/", None),
        (all, "http://one.example/", None),
        (all, "http://127.0.0.1:9/", Some("local")),
        (all, "http://[::1]:9/", Some("local")),
        (all, "ws://127.0.0.1:9/", None),
        (all, "data:text/plain,x", None),
    ] {
        let granted = granted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut request = request(url);
        let attached = broker.attach(&granted, &mut request).await.expect("attaches");
        assert_eq!(attached.iter().flat_map(Attached::credentials).next(), expected, "{url}");
        let value = request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().expect("ascii").to_owned());
        let token = |name: &str| format!("Bearer token-{}", &name[..1]);
        assert_eq!(value, expected.map(token), "{url}");
    }
}

#[tokio::test]
async fn credentials_that_fill_different_places_go_together() {
    let credentials = [
        bearer("a", &[API], "token-a"),
        credential("b", &[API], CredentialKind::Header { name: "X-App".into(), value: text("app-key-1") }),
        credential("c", &[API], CredentialKind::Query { name: "key".into(), value: text("query-key-1") }),
        credential("d", &[API], CredentialKind::Placeholder { value: text("path/key"), places: vec![Place::Path] }),
        bearer("z", &[API], "token-z"),
    ];
    let store = store().await;
    let broker = broker(&store, &clock(), credentials).await;
    let granted = ["a", "b", "c", "d", "z"].map(String::from);
    let mut sent = request(&format!("{API}/x/{{{{credential:d}}}}?q=1"));
    let attached = broker.attach(&granted, &mut sent).await.expect("attaches").expect("belongs there");
    assert_eq!(sent.url.as_str(), format!("{API}/x/path%2Fkey?q=1&key=query-key-1"));
    assert_eq!(
        (&sent.headers["authorization"], &sent.headers["x-app"]),
        (&HeaderValue::from_static("Bearer token-a"), &HeaderValue::from_static("app-key-1"))
    );
    assert_eq!(attached.credentials().filter(|name| *name != "z").count(), 4);

    // Without its placeholder there is nothing to fill in.
    let attached = broker.attach(&["d".into()], &mut request(API)).await.expect("attaches");
    assert!(attached.is_none());
}

#[tokio::test]
async fn nothing_goes_out_in_the_clear_and_what_the_plugin_set_is_replaced() {
    let credentials = [bearer("a", &["http://erp.example", "https://erp.example"], "token-a")];
    let store = store().await;
    let broker = broker(&store, &clock(), credentials).await;
    let mut request = request("http://erp.example/");
    request.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("mine"));
    let error = broker.attach(&["a".into()], &mut request).await.expect_err("in the clear");
    assert!(matches!(error, CredentialError::Exposed { .. }), "{error}");
    assert_eq!(request.headers[header::AUTHORIZATION], "mine");

    request.headers.append(header::AUTHORIZATION, HeaderValue::from_static("another"));
    request.url = Url::parse("https://erp.example/").expect("a URL");
    broker.attach(&["a".into()], &mut request).await.expect("attaches").expect("belongs there");
    let values = request.headers.get_all(header::AUTHORIZATION).iter().collect::<Vec<_>>();
    assert_eq!(values, ["Bearer token-a"]);
}

#[tokio::test]
async fn present_and_last_secrets_are_masked_in_what_comes_back() {
    let (store, vendor) = (store().await, Vendor::open().await);
    let broker = broker(&store, &clock(), [vendor.refreshing(text("refresh-0"))]).await;
    let (_, first) = attach(&broker).await.expect("a token");
    assert!(broker.refused(&first).await.expect("refreshed"));
    attach(&broker).await.expect("a token");
    let echo = b"access-1 access-2 refresh-0 refresh-1 refresh-2 the-client-secret access-3";
    let masked = String::from_utf8_lossy(&broker.redact(echo)).into_owned();
    assert_eq!(masked, format!("{}access-3", "[redacted] ".repeat(6)));
}

#[tokio::test]
async fn a_new_configuration_counts_at_once_and_keeps_the_stored_token() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(text("refresh-0"))]).await;
    let (_, attached) = attach(&broker).await.expect("a token");
    let mut changes = broker.changes();
    let before = broker.epoch("books");

    broker.replace([vendor.refreshing(text("refresh-0")), bearer("new", &["https://new.example"], "token-new")].into());
    assert!(changes.has_changed().expect("the broker lives"));
    changes.mark_unchanged();
    assert!(broker.epoch("books") > before);
    let (value, again) = attach(&broker).await.expect("a token");
    assert_eq!((value.as_str(), &again), ("Bearer access-1", &attached));
    assert_eq!(vendor.asked(), 1);

    broker.replace([].into());
    assert!(!broker.refused(&attached).await.expect("nothing to refresh"));
    assert_eq!(broker.epoch("books"), None);
    assert!(broker.status().is_empty());
}

#[tokio::test]
async fn a_bad_credential_is_broken_until_its_secret_changes() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let vault = vault(&store, &clock).await;
    vault.put("first", &Secret::new("refresh-stale".into()), &by()).await.expect("kept");
    let broker = broker(&store, &clock, [vendor.refreshing(secret("first"))]).await;
    assert_eq!(broker.status()[0].state, State::Unused);

    for _ in 0..5 {
        let error = attach(&broker).await.expect_err("refused");
        assert_eq!(error.remedy(), Remedy::Change);
        let host = vendor.url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/token")).expect("a URL");
        assert_eq!(
            error.in_full(),
            format!(
                "credential `books`: {host} refused it: invalid_grant (Token invalid or used); get a new refresh token \
                 from the vendor and set it in place of the old one"
            )
        );
        clock.advance(std::time::Duration::from_secs(3600));
        broker.recheck().await;
    }
    assert_eq!(vendor.asked(), 1, "a vendor that has judged is not asked again");
    let status = &broker.status()[0];
    assert_eq!(status.state, State::Broken);
    assert!(status.last_error.as_ref().is_some_and(|error| error.contains("invalid_grant")));

    let mut changes = broker.changes();
    vault.put("first", &Secret::new("refresh-0".into()), &by()).await.expect("kept");
    broker.recheck().await;
    assert!(changes.has_changed().expect("the broker lives"), "who waits for a change is woken");
    changes.mark_unchanged();
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-1");
    assert_eq!((broker.status()[0].state, broker.status()[0].last_error.clone()), (State::Ok, None));
    assert!(vendor.saw_reuse(), "the stale one");
}

#[tokio::test]
async fn a_secret_that_is_missing_breaks_its_credential_until_it_is_set() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let broker = broker(&store, &clock, [vendor.refreshing(secret("first"))]).await;
    let error = attach(&broker).await.expect_err("missing");
    assert_eq!(error.in_full(), "credential `books` is incomplete: there is no secret `first`: set it with `sangam secret set first`");
    assert_eq!((error.remedy(), broker.status()[0].state), (Remedy::Change, State::Broken));
    let changes = broker.changes();
    vault(&store, &clock).await.put("first", &Secret::new("refresh-0".into()), &by()).await.expect("kept");
    broker.recheck().await;
    assert!(changes.has_changed().expect("the broker lives"));
    assert_eq!(attach(&broker).await.expect("a token").0, "Bearer access-1");
}

#[tokio::test]
async fn no_secret_shows_in_debug_output_status_or_errors() {
    let (store, clock, vendor) = (store().await, clock(), Vendor::open().await);
    let vault = vault(&store, &clock).await;
    vault.put("first", &Secret::new("refresh-0".into()), &by()).await.expect("kept");
    let broker = broker(&store, &clock, [vendor.refreshing(secret("first"))]).await;
    let (_, attached) = attach(&broker).await.expect("a token");
    assert_no_secret(&format!("{attached:?} {:?} {vault:?}", broker.status()));
    for (status, body) in [
        (400, r#"{"error":"refresh-1","error_description":"got refresh-1 from the-client-secret"}"#),
        (500, "you sent refresh-1 and the-client-secret"),
        (200, "access_token=access-9&refresh_token=refresh-9"),
        (200, r#"{"access_token":["access-9"]}"#),
        (400, r#"{"error":"invalid_grant","error_description":"refresh-1"}"#),
    ] {
        vendor.say(status, body);
        let (_, attached) = match attach(&broker).await {
            Ok(attached) => attached,
            Err(_) => (String::new(), attached.clone()),
        };
        let error = broker.refused(&attached).await.expect_err("no token");
        assert_no_secret(&format!("{error} {error:?} {} {:?}", error.in_full(), broker.status()));
        clock.advance(std::time::Duration::from_secs(400));
    }
    assert_eq!(vendor.asked(), 6);
}
