//! A host with a secret in every place that a credential or a source can have one, and systems that give back what they were sent.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::Method;
use sangam_saas::{FaultAct, Stand};
use sangam_tests::Host;
use serde_json::json;

use super::needle::{base64, url_encoded};

/// The values: none like another, none that a text holds by chance, some with characters that are spelled in several ways.
pub(super) const BEARER: &str = "bearer-Zq81-tok+en/wert==x";
pub(super) const USERNAME: &str = "user-Hx55-w8nn@example.com";
pub(super) const PASSWORD: &str = "password-Kk20-\"ber\\lin\"&co";
pub(super) const HEADER: &str = "header-Pp93-vT7-wert";
pub(super) const CLIENT_SECRET: &str = "client-secret-Uu48/Ra+nd";
pub(super) const REFRESH: &str = "refresh-first-Ww17-Lm";
pub(super) const ROTATED: &str = "refresh-rotated-Ee62-Qo";
pub(super) const ACCESS: &str = "access-token-Rr39-Bn";
pub(super) const ACCESS_TOO: &str = "access-token-Tt74-Vc";
pub(super) const ACCESS_JWT: &str = "access-token-Aa66-Hy";
pub(super) const QUERY: &str = "query-Nn40-Sw/ap+x";
pub(super) const MAC: &str = "mac-key-Bb63-Ko=lu";
pub(super) const PLACE: &str = "placeholder-Gg28-Fi/ve";
pub(super) const HOOK: &str = "whsec_aG9vay1Tczg0LXRoZS1zZWNyZXQtb2YtYS1zb3VyY2U=";
/// The bytes that it stands for.
pub(super) const HOOK_KEY: &str = "hook-Ss84-the-secret-of-a-source";
pub(super) const HOOK_TOKEN: &str = "hook-token-Dd07-Mi/la";
pub(super) const HOOK_FORM: &str = "hook-field-Ii19-Pe+ru";
pub(super) const HOOK_PASSWORD: &str = "hook-password-Oo56-Ni&ke";
pub(super) const HANDSHAKE: &str = "handshake-Vv32-Ro=ma";
/// The key of RFC 7515 appendix A.2, which signs assertions here.
pub(super) const PRIVATE_KEY: &str = include_str!("../../../host/src/credentials/jwt/vectors/rfc7515-a2-pkcs8.pem");
pub(super) const IN_CLEAR: &str = "in-clear-Yy05-Sd";
pub(super) const IN_A_MISTAKE: &str = "mistaken-Jj88-Fg";
pub(super) const DATABASE: &str = "database-Mm31-pw";

/// Nine stand-ins, each with a credential of another kind.
pub(super) fn text(stands: &[Stand; 9], key_file: &Path) -> String {
    let [bearer, basic, header, client, refresh, query, mac, place, jwt] = stands.each_ref().map(Stand::url);
    let hosts = stands.each_ref().map(|stand| format!("\"{}\"", stand.url())).join(", ");
    let plugin = |name: &str, file: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {:?}\nallow-hosts = [{hosts}]\nallow-private-addresses = [\"127.0.0.0/8\"]\n\
             credentials = [\"bearer\", \"basic\", \"header\", \"client\", \"refresh\", \"query\", \"mac\", \"place\", \"jwt\"]\n",
            sangam_tests::guest(file)
        )
    };
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"tokens\"\n\n[secrets]\nkey-command = [\"cat\", {key_file:?}]\n\n{}\n{}\n{}\n{}\n{}\n\
         [credentials.bearer]\ntype = \"bearer\"\nhosts = [\"{bearer}\"]\ntoken = \"${{secret:bearer}}\"\n\
         [credentials.basic]\ntype = \"basic\"\nhosts = [\"{basic}\"]\nusername = \"${{env:SEARCH_USERNAME}}\"\npassword = \"${{env:SEARCH_PASSWORD}}\"\n\
         [credentials.header]\ntype = \"header\"\nhosts = [\"{header}\"]\nname = \"X-Api-Key\"\nvalue = \"${{file:header.secret}}\"\n\
         [credentials.client]\ntype = \"oauth2-client-credentials\"\nhosts = [\"{client}\"]\ntoken-url = \"{client}/token\"\nclient-id = \"id\"\n\
         client-secret = \"${{secret:client}}\"\nclient-auth = \"body\"\n\
         [credentials.refresh]\ntype = \"oauth2-refresh-token\"\nhosts = [\"{refresh}\"]\ntoken-url = \"{refresh}/token\"\nclient-id = \"id\"\n\
         refresh-token = \"${{secret:refresh}}\"\n\
         [credentials.query]\ntype = \"query\"\nhosts = [\"{query}\"]\nname = \"api_key\"\nvalue = \"${{secret:query}}\"\n\
         [credentials.mac]\ntype = \"hmac\"\nhosts = [\"{mac}\"]\nkey = \"${{secret:mac}}\"\nsigned = \"{{method}}{{target}}{{body}}\"\n\
         header = \"X-Signature\"\n\
         [credentials.place]\ntype = \"placeholder\"\nhosts = [\"{place}\"]\nvalue = \"${{secret:place}}\"\nin = [\"path\"]\n\
         [credentials.jwt]\ntype = \"oauth2-jwt-bearer\"\nhosts = [\"{jwt}\"]\ntoken-url = \"{jwt}/token\"\nclient-id = \"id\"\n\
         subject = \"kim@acme.example\"\naudience = \"{jwt}\"\nprivate-key = \"${{secret:jwt}}\"\n",
        plugin("s", "scripted"),
        plugin("m", "misbehaving"),
        crate::scene::SCRIPT,
        SOURCES,
        "[[routes]]\nname = \"trap\"\non = { type = \"trap\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.trap\"\nretry = { max-attempts = 1 }\n\
         [[routes]]\nname = \"ask\"\non = { type = \"ask\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.request\"\nretry = { max-attempts = 1 }\n",
    )
}

/// Sources whose senders show a secret, each in another place.
pub(super) const SOURCES: &str = r#"
[[sources]]
name = "signed"
type = "webhook"
event-type = "hook"
verify = { scheme = "standard-webhooks", secret = "${secret:hook}" }
handshake = { kind = "meta", token = "${secret:handshake}" }
[[sources]]
name = "in-query"
type = "webhook"
event-type = "hook"
verify = { scheme = "token", in = "query:k", value = "${secret:hook-token}" }
[[sources]]
name = "in-form"
type = "webhook"
event-type = "hook"
verify = { scheme = "token", in = "form:k", value = "${secret:hook-form}" }
[[sources]]
name = "in-json"
type = "webhook"
event-type = "hook"
verify = { scheme = "token", in = "body:/auth/k", value = "${secret:hook-form}" }
[[sources]]
name = "by-password"
type = "webhook"
event-type = "hook"
verify = { scheme = "basic", username = "erp", password = "${secret:hook-password}" }
[[sources]]
name = "unreadable"
type = "webhook"
event = { type = "hook", subject = "${ error(.query | tostring) }" }
verify = { scheme = "token", in = "query:k", value = "${secret:hook-token}" }
"#;

/// Deliveries that come in, that are refused, and that nobody can read: each with the secret in it, or half of it.
pub(super) async fn deliveries(host: &Host) -> anyhow::Result<()> {
    let encoded = |text: &str| String::from_utf8(url_encoded(text.as_bytes())).unwrap_or_default();
    let (token, form) = (encoded(HOOK_TOKEN), encoded(HOOK_FORM));
    let basic = |password: &str| String::from_utf8(base64(format!("erp:{password}").as_bytes()));
    let stranger = sangam_tests::Client::new(&host.client.url);
    let send = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str, expected: u16| {
        let answer = stranger.ask(method, path, headers, body.as_bytes().to_vec()).await?;
        anyhow::ensure!(answer.status == expected, "{path}: {} {}", answer.status, answer.text);
        anyhow::Ok(())
    };
    let (json, kind) = (("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded"));
    for (extra, expected) in [("", 200), ("x", 401)] {
        send(Method::POST, &format!("/hooks/in-query?k={token}{extra}"), &[json], "{}", expected).await?;
        send(Method::POST, &format!("/hooks/unreadable?k={token}{extra}"), &[json], "{}", expected).await?;
        send(Method::POST, "/hooks/in-form", &[kind], &format!("a=1&k={form}{extra}"), expected).await?;
        let body = json!({ "a": 1, "auth": { "k": format!("{HOOK_FORM}{extra}") } }).to_string();
        send(Method::POST, "/hooks/in-json", &[json], &body, expected).await?;
        let authorization = format!("Basic {}", basic(&format!("{HOOK_PASSWORD}{extra}"))?);
        send(Method::POST, "/hooks/by-password", &[json, ("authorization", &authorization)], "{}", expected).await?;
    }
    for (extra, expected) in [("", 200), ("x", 403)] {
        let path = format!("/hooks/signed?hub.mode=subscribe&hub.challenge=7&hub.verify_token={}{extra}", encoded(HANDSHAKE));
        send(Method::GET, &path, &[], "", expected).await?;
    }
    // As a sender would that takes the secret for the signature.
    let wrong = [json, ("webhook-id", "1"), ("webhook-timestamp", "1"), ("webhook-signature", HOOK)];
    send(Method::POST, "/hooks/signed", &wrong, "{}", 401).await
}

/// Answers with everything that a system could have been sent.
pub(super) fn echo(status: u16, extra: &str) -> FaultAct {
    let basic = String::from_utf8(base64(format!("{USERNAME}:{PASSWORD}").as_bytes())).unwrap_or_default();
    let all = [BEARER, PASSWORD, HEADER, CLIENT_SECRET, REFRESH, ACCESS, ACCESS_TOO, ACCESS_JWT, ROTATED, QUERY, MAC, PLACE, &basic, extra];
    let headers = [
        ("x-echo".to_owned(), format!("Bearer {BEARER} {HEADER} {ACCESS} Basic {basic}")),
        ("set-cookie".to_owned(), format!("session={ACCESS_TOO}")),
    ];
    FaultAct::Status {
        status,
        headers: headers.into(),
        body: json!({ "you sent": all, "error": format!("bad token {BEARER}") }).to_string(),
    }
}

pub(super) fn token(access: &str, refresh: Option<&str>) -> FaultAct {
    FaultAct::Status {
        status: 200,
        headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
        body: json!({ "access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600 }).to_string(),
    }
}
