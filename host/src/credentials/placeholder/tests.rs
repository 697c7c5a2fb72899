use http::{HeaderMap, Method};
use url::Url;

use super::*;

const SECRET: &str = "a/b\"c+d &<";
const WRITTEN: &str = "{{credential:key}}";

fn request(url: &str, kind: &str, body: &str) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, kind.parse().expect("ascii"));
    headers.insert("x-key", format!("Key {WRITTEN}").parse().expect("ascii"));
    Outgoing { method: Method::POST, url: Url::parse(url).expect(url), headers, body: Bytes::from(body.to_owned()) }
}

fn filled(request: &mut Outgoing, places: &[Place]) -> Result<bool, &'static str> {
    fill(request, "key", &Secret::new(SECRET.into()), places)
}

#[test]
fn each_place_is_filled_in_with_its_own_escapes() {
    let (anywhere, json, form) = (Place::Body(None), "application/json; charset=utf-8", "application/x-www-form-urlencoded");
    for (place, url, kind, body, expected) in [
        (Place::Path, "https://v.example/rest/1/{{credential:key}}/m", "", "", "https://v.example/rest/1/a%2Fb%22c%2Bd%20%26%3C/m"),
        (Place::Query(None), "https://v.example/?a=1&k={{credential:key}}", "", "", "https://v.example/?a=1&k=a%2Fb%22c%2Bd%20%26%3C"),
        (
            Place::Query(Some("k".into())),
            "https://v.example/?k=%7B%7bcredential%3Akey%7D%7D",
            "",
            "",
            "https://v.example/?k=a%2Fb%22c%2Bd%20%26%3C",
        ),
        (anywhere.clone(), "https://v.example/", json, r#"{"n":10.10,"k":"x {{credential:key}}"}"#, r#"{"n":10.10,"k":"x a/b\"c+d &<"}"#),
        (anywhere.clone(), "https://v.example/", form, "k=%7B%7Bcredential%3Akey%7D%7D&x=1", "k=a%2Fb%22c%2Bd+%26%3C&x=1"),
        (anywhere.clone(), "https://v.example/", "application/soap+xml", "<p>{{credential:key}}</p>", "<p>a/b&quot;c+d &amp;&lt;</p>"),
        (
            Place::Body(Some("k".into())),
            "https://v.example/",
            form,
            "n={{credential:key}}&k={{credential:key}}",
            "n={{credential:key}}&k=a%2Fb%22c%2Bd+%26%3C",
        ),
        (
            Place::Body(Some("k".into())),
            "https://v.example/",
            json,
            r#"{"k":"{{credential:key}}","n":"{{credential:key}}"}"#,
            r#"{"k":"a/b\"c+d &<","n":"{{credential:key}}"}"#,
        ),
        (
            Place::Body(Some("/a/0".into())),
            "https://v.example/",
            json,
            r#"{"a":["{{credential:key}}",10.10]}"#,
            r#"{"a":["a/b\"c+d &<",10.10]}"#,
        ),
    ] {
        let mut request = request(url, kind, body);
        assert_eq!(filled(&mut request, std::slice::from_ref(&place)), Ok(true), "{place:?}");
        let got = if body.is_empty() { request.url.to_string() } else { String::from_utf8_lossy(&request.body).into_owned() };
        assert_eq!(got, expected, "{place:?}");
    }
    let mut request = request("https://v.example/", "", "");
    assert_eq!(filled(&mut request, &[Place::Header("x-key".into())]), Ok(true));
    assert_eq!(request.headers["x-key"], format!("Key {SECRET}"));
    assert!(request.headers["x-key"].is_sensitive());
}

#[test]
fn other_places_keep_the_text_as_it_is() {
    let url = format!("https://v.example/{WRITTEN}?q={WRITTEN}");
    let body = format!(r#"{{"note":"{WRITTEN}","other":"{{{{credential:keys}}}}"}}"#);
    let before = request(&url, "application/json", &body);
    for places in [&[Place::Header("x-other".into())][..], &[Place::Body(Some("key".into()))], &[Place::Query(Some("key".into()))]] {
        let mut request = before.clone();
        assert_eq!(filled(&mut request, places), Ok(false), "{places:?}");
        assert_eq!((&request.url, &request.body), (&before.url, &before.body));
    }
}

#[test]
fn what_stands_twice_or_cannot_be_escaped_is_refused_and_nothing_is_filled_in() {
    let twice = request(&format!("https://v.example/?a={WRITTEN}"), "application/json", &format!(r#"{{"note":"{WRITTEN}"}}"#));
    let elsewhere = request("https://v.example/", "text/plain", WRITTEN);
    for (before, places) in [(twice, vec![Place::Query(None), Place::Body(None)]), (elsewhere, vec![Place::Body(None)])] {
        let mut request = before.clone();
        assert!(filled(&mut request, &places).is_err());
        assert_eq!((&request.url, &request.body), (&before.url, &before.body));
    }
    let mut request = request(&format!("https://v.example/{WRITTEN}/x"), "", "");
    assert!(fill(&mut request, "key", &Secret::new("..".into()), &[Place::Path]).is_err());
    assert!(fill(&mut request, "key", &Secret::new("a\nb".into()), &[Place::Header("x-key".into())]).is_err());
}
