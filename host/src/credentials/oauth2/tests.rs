use std::collections::BTreeMap;

use super::*;
use crate::config::{OAuth2Client, Reference};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn sources(grant: Grant, client_secret: Option<&str>, client_auth: ClientAuth) -> Sources {
    Sources {
        client: OAuth2Client {
            token_url: "https://vendor.example/token".into(),
            client_id: Reference { parts: Vec::new() },
            client_secret: None,
            client_auth,
            scopes: vec!["read".into(), "write".into()],
            audience: Some("https://api.vendor.example".into()),
            keep_alive: None,
        },
        client_id: secret("id:1"),
        client_secret: client_secret.map(secret),
        grant,
        fingerprint: [0; 32],
    }
}

fn form(request: &TokenRequest) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.form.expose().as_bytes()).into_owned().collect()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn ask(sources: &Sources, refresh: Option<&Secret>) -> TokenRequest {
    request(sources, refresh, "https://vendor.example", Timestamp::UNIX_EPOCH).expect("needs no signature")
}

#[test]
fn the_client_proves_itself_in_the_header_the_body_or_by_name_only() {
    let common = [("grant_type", "client_credentials"), ("scope", "read write"), ("audience", "https://api.vendor.example")];
    let header = ask(&sources(Grant::ClientCredentials, Some("s&t"), ClientAuth::Basic), None);
    assert_eq!(form(&header), map(common));
    // Form-encoded first: `id%3A1:s%26t`.
    assert_eq!(header.authorization.expect("a header").expose(), "Basic aWQlM0ExOnMlMjZ0");

    let body = ask(&sources(Grant::ClientCredentials, Some("s&t"), ClientAuth::Body), None);
    assert_eq!(form(&body), [map(common), map([("client_id", "id:1"), ("client_secret", "s&t")])].into_iter().flatten().collect());
    assert!(body.authorization.is_none());

    let public = ask(&sources(Grant::ClientCredentials, None, ClientAuth::Basic), None);
    assert_eq!(form(&public), [map(common), map([("client_id", "id:1")])].into_iter().flatten().collect());
    assert!(public.authorization.is_none());
}

#[test]
fn a_rotated_refresh_token_goes_in_place_of_the_first() {
    let sources = sources(Grant::RefreshToken { first: secret("rt-0") }, Some("s"), ClientAuth::Basic);
    assert_eq!(form(&ask(&sources, None))["refresh_token"], "rt-0");
    assert_eq!(form(&ask(&sources, Some(&secret("rt-7"))))["refresh_token"], "rt-7");
}

fn answer(status: u16, body: &str) -> Result<Granted, Refusal> {
    let sources = sources(Grant::RefreshToken { first: secret("first-refresh") }, Some("client-secret"), ClientAuth::Basic);
    let refresh = secret("rotated-refresh");
    let request = ask(&sources, Some(&refresh));
    let status = StatusCode::from_u16(status).expect("a status");
    read(status, body.as_bytes(), &request, &sources, Some(&refresh))
}

#[test]
fn lifetimes_are_read_as_vendors_write_them() {
    for (written, expected) in [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("3599.6", Some(3599)),
        ("0", None),
        ("-1", None),
        ("null", None),
        ("\"soon\"", None),
        ("1e300", Some(LONGEST_LIFE)),
    ] {
        let body = format!(r#"{{"access_token":"at","expires_in":{written},"x":1}}"#);
        assert_eq!(answer(200, &body).expect("granted").lifetime, expected, "{written}");
    }
    assert_eq!(answer(200, r#"{"access_token":"at"}"#).expect("granted").lifetime, None);
}

#[test]
fn refusals_are_final_only_where_the_credential_is_to_blame() {
    for (status, body, is_final) in [
        (400, r#"{"error":"invalid_grant"}"#, true),
        (401, r#"{"error":"invalid_client"}"#, true),
        (200, r#"{"error":"invalid_grant","access_token":"x"}"#, true),
        (400, r#"{"error":"invalid_request"}"#, false),
        (400, r#"{"error":"temporarily_unavailable"}"#, false),
        (429, r#"{"error":"invalid_grant"}"#, false),
        (503, r#"{"error":"invalid_grant"}"#, false),
        (400, "<html>", false),
        (200, "access_token=at", false),
        (200, "{}", false),
        (200, r#"{"access_token":7}"#, false),
    ] {
        assert_eq!(answer(status, body).expect_err(body).is_final, is_final, "{status} {body}");
    }
}

#[test]
fn what_a_vendor_says_is_shown_bounded_printable_and_without_what_was_sent() {
    let refusal =
        answer(400, r#"{"error":"invalid_grant","error_description":"bad rotated-refresh of first-refresh\u001b[31m, client-secret"}"#)
            .expect_err("refused");
    assert_eq!(refusal.answer.description.as_deref(), Some(r"bad [redacted] of [redacted]\u{1b}[31m, [redacted]"));
    let long = answer(500, &"x".repeat(10_000)).expect_err("refused");
    assert_eq!(long.answer.description.expect("the start").len(), MOST_TEXT);
    let token_in_another_format = answer(200, "access_token=at-1&token_type=bearer").expect_err("refused");
    assert_eq!(token_in_another_format.answer.description, None);
}
