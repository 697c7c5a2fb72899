//! The search for secrets: distinctive values are put wherever a secret can be, everything is made to fail that can, and then whatever the host has written,
//! printed or answered is searched for them, in every usual spelling.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use anyhow::Context as _;
use reqwest::Method;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Hand, Host, HostFolder};
use serde_json::json;

use crate::scene::{event, script, sink};

/// A value that must be nowhere but where it belongs.
struct Needle {
    name: &'static str,
    spellings: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    fn new(name: &'static str, value: &str) -> Needle {
        Needle::of(name, value.as_bytes())
    }

    fn of(name: &'static str, bytes: &[u8]) -> Needle {
        let each = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<String>().into_bytes();
        let mut spellings = vec![
            ("as it is", bytes.to_vec()),
            ("hexadecimal", each(|byte| format!("{byte:02x}"))),
            ("hexadecimal, upper case", each(|byte| format!("{byte:02X}"))),
            ("percent", each(|byte| format!("%{byte:02X}"))),
            ("a form's", url_encoded(bytes)),
            ("JSON escapes", each(|byte| format!("\\u{byte:04x}"))),
            ("backwards", bytes.iter().rev().copied().collect()),
        ];
        // At each of the three places that a text can have within base64; what its neighbours share is left out.
        for place in 0..3 {
            let padded: Vec<u8> = std::iter::repeat_n(0, place).chain(bytes.iter().copied()).collect();
            let whole = base64(&padded);
            let own = whole[(place * 8).div_ceil(6)..padded.len() * 8 / 6].to_vec();
            let for_urls = own
                .iter()
                .map(|byte| match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => *other,
                })
                .collect();
            spellings.push(("base64", own));
            spellings.push(("base64 for URLs", for_urls));
        }
        Needle { name, spellings }
    }
}

/// Which values are in which places, and how they are spelled there.
fn found(needles: &[Needle], haystack: &[(String, Vec<u8>)]) -> std::collections::BTreeSet<String> {
    // By its first two bytes, so that one pass looks for all spellings at once.
    let mut beginning: Vec<Vec<(&Needle, &str, &[u8])>> = vec![Vec::new(); 1 << 16];
    for needle in needles {
        for (how, spelling) in &needle.spellings {
            beginning[usize::from(spelling[0]) << 8 | usize::from(spelling[1])].push((needle, how, spelling));
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for (place, bytes) in haystack {
        for (at, pair) in bytes.windows(2).enumerate() {
            for (needle, how, spelling) in &beginning[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                if bytes[at..].starts_with(spelling) {
                    found.insert(format!("{} ({how}) in {place}", needle.name));
                }
            }
        }
    }
    found
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |digit| DIGITS[(bits >> (18 - 6 * digit)) as usize & 63])
        })
        .collect()
}

fn url_encoded(bytes: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    bytes.iter().flat_map(|byte| if plain(*byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() }).collect()
}

/// Files of a folder, whatever their depth, but those where the administrator put secrets.
fn files(folder: &Path, own: &[&str], into: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if own.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files(&path, own, into)?;
        } else {
            // SQLite removes its log while this looks, and pipes don't end.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_file() {
                into.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    Ok(())
}

/// The values: none like another, none that a text holds by chance, some with characters that are spelled in several ways.
const BEARER: &str = "bearer-Zq81-tok+en/wert==x";
const USERNAME: &str = "user-Hx55-w8nn@example.com";
const PASSWORD: &str = "password-Kk20-\"ber\\lin\"&co";
const HEADER: &str = "header-Pp93-vT7-wert";
const CLIENT_SECRET: &str = "client-secret-Uu48/Ra+nd";
const REFRESH: &str = "refresh-first-Ww17-Lm";
const ROTATED: &str = "refresh-rotated-Ee62-Qo";
const ACCESS: &str = "access-token-Rr39-Bn";
const ACCESS_TOO: &str = "access-token-Tt74-Vc";
const ACCESS_JWT: &str = "access-token-Aa66-Hy";
const QUERY: &str = "query-Nn40-Sw/ap+x";
const MAC: &str = "mac-key-Bb63-Ko=lu";
const PLACE: &str = "placeholder-Gg28-Fi/ve";
const HOOK: &str = "whsec_aG9vay1Tczg0LXRoZS1zZWNyZXQtb2YtYS1zb3VyY2U=";
/// The bytes that it stands for.
const HOOK_KEY: &str = "hook-Ss84-the-secret-of-a-source";
const HOOK_TOKEN: &str = "hook-token-Dd07-Mi/la";
const HOOK_FORM: &str = "hook-field-Ii19-Pe+ru";
const HOOK_PASSWORD: &str = "hook-password-Oo56-Ni&ke";
const HANDSHAKE: &str = "handshake-Vv32-Ro=ma";
/// The key of RFC 7515 appendix A.2, which signs assertions here.
const PRIVATE_KEY: &str = include_str!("../../host/src/credentials/jwt/vectors/rfc7515-a2-pkcs8.pem");
const IN_CLEAR: &str = "in-clear-Yy05-Sd";
const IN_A_MISTAKE: &str = "mistaken-Jj88-Fg";
const DATABASE: &str = "database-Mm31-pw";

struct Searched {
    needles: Vec<Needle>,
    haystack: Vec<(String, Vec<u8>)>,
}

impl Searched {
    fn add(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.haystack.push((place.to_owned(), bytes.into()));
    }

    fn verb(&mut self, folder: &HostFolder, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
        let done = folder.run(arguments, input)?;
        self.add(&format!("output of `sangam {}`", arguments.join(" ")), done.stdout.clone());
        self.add(&format!("errors of `sangam {}`", arguments.join(" ")), done.stderr.clone());
        Ok(done)
    }

    async fn ask(
        &mut self,
        host: &Host,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<sangam_tests::Answer> {
        let answer = host.client.ask(method.clone(), path, headers, body.as_bytes().to_vec()).await?;
        self.add(&format!("answer to {method} {path}"), format!("{:?}\n{}", answer.headers, answer.text));
        Ok(answer)
    }

    fn found(&self) -> Vec<String> {
        found(&self.needles, &self.haystack).into_iter().collect()
    }
}

/// Bytes that a line of a key in PEM stands for.
fn unarmoured(line: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = line.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)?.try_into().ok()).collect();
    let group = |group: &[u32]| group.iter().fold(0, |bits, digit| bits << 6 | digit).to_be_bytes()[1..].to_vec();
    digits.chunks_exact(4).flat_map(group).collect()
}

/// A line from within a private key, as it stands in PEM and as the bytes that it stands for.
fn key_needles(name: &'static str, pem: &str) -> anyhow::Result<[Needle; 2]> {
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    // Of an RSA key the middle is private; of an Ed25519 key what follows 16 bytes that are the same in all.
    let line = lines[if lines.len() > 8 { lines.len() / 2 } else { 0 }];
    let line = line.get(24..64).context("the key is too short to be searched for")?;
    Ok([Needle::new(name, line), Needle::of(name, &unarmoured(line))])
}

/// Nine stand-ins, each with a credential of another kind.
fn text(stands: &[Stand; 9], key_file: &Path) -> String {
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
const SOURCES: &str = r#"
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
async fn deliveries(host: &Host) -> anyhow::Result<()> {
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
fn echo(status: u16, extra: &str) -> FaultAct {
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

fn token(access: &str, refresh: Option<&str>) -> FaultAct {
    FaultAct::Status {
        status: 200,
        headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
        body: json!({ "access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600 }).to_string(),
    }
}

#[test]
fn the_search_finds_a_value_in_every_spelling() {
    let needles = [Needle::new("it", PASSWORD)];
    let found = |bytes: Vec<u8>| found(&needles, &[("there".to_owned(), bytes)]).into_iter().collect::<Vec<_>>().join("\n");
    assert_eq!(found(b"password-Kk20".to_vec()), "");
    for (how, spelling) in &needles[0].spellings {
        assert!(found([b"before", spelling.as_slice(), b"after"].concat()).contains(how), "{how}");
    }
    // As it stands in a longer text that is encoded as a whole.
    for place in 0..6 {
        let whole = format!("{}{PASSWORD}:more", "x".repeat(place));
        assert!(found(base64(whole.as_bytes())).contains("base64"), "{place}");
    }
    // Signs of the alphabet's end, where the two alphabets differ.
    assert_eq!(base64(b"\xfb\xff\xfe").as_slice(), b"+//+");
    assert_eq!(base64(b"ab").as_slice(), b"YWI");
}

#[tokio::test]
async fn no_secret_is_anywhere_but_where_it_belongs() -> anyhow::Result<()> {
    let stands = [
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
    ];
    let elsewhere = tempfile::tempdir()?;
    let key_file = elsewhere.path().join("key");
    // 32 bytes that are text, so that they can be searched for.
    let master = "sealing-key-Cc26-0123456789abcde";
    std::fs::write(&key_file, base64(master.as_bytes()).iter().chain(b"=\n").copied().collect::<Vec<u8>>())?;
    let text = text(&stands, &key_file);
    let folder = HostFolder::new(&text)?.env("SEARCH_USERNAME", USERNAME).env("SEARCH_PASSWORD", PASSWORD);
    std::fs::write(folder.path().join("header.secret"), format!("{HEADER}\n"))?;
    if let Some(database) = folder.database() {
        // The server trusts whoever asks; what matters is where the host shows the password.
        let url = database.url();
        let config = folder.path().join("sangam.toml");
        let with_password = url.replacen("@", &format!(":{DATABASE}@"), 1);
        std::fs::write(&config, std::fs::read_to_string(&config)?.replace(&url, &with_password))?;
    }
    let mut searched = Searched {
        needles: [
            ("bearer token", BEARER),
            ("password", PASSWORD),
            ("header value", HEADER),
            ("client's secret", CLIENT_SECRET),
            ("refresh token", REFRESH),
            ("rotated refresh token", ROTATED),
            ("access token", ACCESS),
            ("second access token", ACCESS_TOO),
            ("third access token", ACCESS_JWT),
            ("value of a parameter", QUERY),
            ("key of signatures", MAC),
            ("value of a placeholder", PLACE),
            ("secret of a source", HOOK),
            ("key of a source", HOOK_KEY),
            ("token of a source", HOOK_TOKEN),
            ("token in a body", HOOK_FORM),
            ("password of a source", HOOK_PASSWORD),
            ("token of a handshake", HANDSHAKE),
            ("value in clear", IN_CLEAR),
            ("value in a mistake", IN_A_MISTAKE),
            ("database's password", DATABASE),
            ("sealing key", master),
        ]
        .map(|(name, value)| Needle::new(name, value))
        .into(),
        haystack: Vec::new(),
    };
    searched.needles.extend(key_needles("private key", PRIVATE_KEY)?);
    let secrets = [
        ("bearer", BEARER),
        ("client", CLIENT_SECRET),
        ("refresh", REFRESH),
        ("query", QUERY),
        ("mac", MAC),
        ("place", PLACE),
        ("jwt", PRIVATE_KEY),
        ("hook", HOOK),
        ("hook-token", HOOK_TOKEN),
        ("hook-form", HOOK_FORM),
        ("hook-password", HOOK_PASSWORD),
        ("handshake", HANDSHAKE),
    ];
    for (name, value) in secrets {
        let set = searched.verb(&folder, &["secret", "set", name], value)?;
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }
    // The one verb whose output is a secret.
    let made = folder.run(&["token", "create", "--name", "searcher"], "")?;
    let api_token = String::from_utf8(made.stdout)?.trim().to_owned();
    searched.needles.push(Needle::new("API token", &api_token));
    searched.add("errors of `sangam token create`", made.stderr);

    // Traces of everything, so that a secret has the most places to be in.
    let mut host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;
    host.client.token = Some(api_token.clone());
    let [bearer, basic, header, client, refresh, query, mac, place, jwt] = &stands;
    client.fault(Fault::once("/token", token(ACCESS, None)));
    refresh.fault(Fault::once("/token", token(ACCESS_TOO, Some(ROTATED))));
    jwt.fault(Fault::once("/token", token(ACCESS_JWT, None)));
    // The plugin writes the placeholder, wherever it goes.
    let url_of = |stand: &Stand, path: &str| {
        let filled = if stand.url() == place.url() { "/{{credential:place}}" } else { "" };
        format!("{}{filled}{path}", stand.url())
    };
    // All of them work, and the stand-ins get what they should.
    for (number, stand) in stands.iter().enumerate() {
        let lines = json!([{ "do": "write", "name": "w", "url": url_of(stand, "/w") }]);
        let document = host.client.send_and_wait(&script(&format!("good-{number}"), lines)).await?;
        assert_eq!(document["status"], "succeeded", "{document:#}");
    }
    let sent =
        |stand: &Stand, name: &str| stand.requests().last().and_then(|request| request.headers.get(name).cloned()).unwrap_or_default();
    assert_eq!(sent(bearer, "authorization"), format!("Bearer {BEARER}"));
    assert!(sent(basic, "authorization").starts_with("Basic "));
    assert_eq!(sent(header, "x-api-key"), HEADER);
    assert_eq!(
        (sent(client, "authorization"), sent(refresh, "authorization")),
        (format!("Bearer {ACCESS}"), format!("Bearer {ACCESS_TOO}"))
    );
    let path = |stand: &Stand| stand.requests().last().map(|request| request.path.clone()).unwrap_or_default();
    assert_eq!((path(query).as_str(), path(place).as_str()), ("/w?api_key=query-Nn40-Sw%2Fap%2Bx", "/placeholder-Gg28-Fi%2Fve/w"));
    assert_eq!(sent(jwt, "authorization"), format!("Bearer {ACCESS_JWT}"));
    // What was made with keys is as good as they are: for one request, or for some minutes.
    let signature = sent(mac, "x-signature");
    assert_eq!(signature.len(), 64);
    searched.needles.push(Needle::new("signature", &signature));
    let asked: String = jwt.requests().into_iter().map(|request| request.body).collect();
    let assertion = asked.split("assertion=").nth(1).and_then(|rest| rest.split('&').next()).context("an assertion was sent")?;
    searched.needles.push(Needle::new("assertion", assertion.rsplit('.').next().unwrap_or_default()));

    // Then nothing does: systems refuse and echo, token endpoints refuse and echo, plugins trap and tell what they were told.
    let mut eids = Vec::new();
    for (number, stand) in stands.iter().enumerate() {
        for status in [400, 500, 200, 302] {
            let path = url_of(stand, &format!("/echo-{status}"))
                .replacen(&stand.url(), "", 1)
                .replace("{{credential:place}}", "placeholder-Gg28-Fi%2Fve");
            stand.fault(Fault { times: 10, ..Fault::once(path, echo(status, "")) });
            for kind in ["ask", "script"] {
                let url = url_of(stand, &format!("/echo-{status}"));
                let data = match kind {
                    "ask" => json!({ "url": url, "method": "POST", "name": "n", "body": "x" }),
                    _ => {
                        json!({ "lines": [{ "do": "write", "name": "w", "url": url, "body": { "x": 1 } }, { "do": "log", "key": "said" }] })
                    }
                };
                let eid = host.client.send(&event(&format!("{kind}-{number}-{status}"), kind, data)).await?;
                eids.push(eid);
            }
        }
        stand.fault(Fault { times: 3, ..Fault::once("/token", echo(400, "invalid_grant")) });
        stand.fault(Fault { times: 20, ..Fault::once("/denied", echo(401, "")) });
        let lines = json!([{ "do": "write", "name": "w", "url": format!("{}/denied", stand.url()) }]);
        eids.push(host.client.send(&script(&format!("denied-{number}"), lines)).await?);
    }
    eids.push(host.client.send(&event("trap", "trap", json!({}))).await?);
    deliveries(&host).await?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    for eid in &eids {
        loop {
            let document = host.client.event(eid).await?;
            let status = document["status"].clone();
            // Whether it waits for a credential that is cooling down makes no difference to what is written where.
            let tried = document["runs"][0]["steps"][0]["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty());
            if status == "dead" || status == "succeeded" || status == "waiting" || (status == "pending" && tried) {
                break;
            }
            anyhow::ensure!(tokio::time::Instant::now() < end, "event {eid} is {status}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    // Every answer, to those with a token and to those without, good and bad.
    let mut paths: Vec<String> = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/events?limit=1000",
        "/v1/dead-letters?limit=1000",
        "/v1/dead-letters/groups",
        "/v1/routes",
        "/v1/plugins",
        "/v1/credentials",
        "/v1/sources",
        "/v1/audit?limit=1000",
        "/v1/me",
        "/v1/sources/signed",
        "/v1/sources/unreadable/set-aside",
        "/v1/data/erasures",
        "/openapi.json",
        "/",
        "/v1/nothing",
        "/v1/events/nothing",
        "/v1/events?status=%22",
        "/v1/events?q=a&cursor=x",
    ]
    .map(str::to_owned)
    .into();
    let hooks = host.client.get("/v1/events?type=hook&limit=100").await?;
    let hooks = hooks.json["events"].as_array().context("a list of events")?.clone();
    anyhow::ensure!(hooks.len() == 4, "{} deliveries came in", hooks.len());
    paths.extend(hooks.iter().filter_map(|event| Some(format!("/v1/events/{}", event["eid"].as_str()?))));
    paths.extend(eids.iter().map(|eid| format!("/v1/events/{eid}")));
    for path in &paths {
        let answer = searched.ask(&host, Method::GET, path, &[], "").await?;
        assert!(answer.status != 401, "{path}");
    }
    for body in ["", "{", "[]", "{\"specversion\":\"1.0\"}"] {
        searched.ask(&host, Method::POST, "/v1/events", &[("content-type", "application/cloudevents+json")], body).await?;
        searched.ask(&host, Method::POST, &format!("/v1/events/{}/replay", eids[0]), &[], body).await?;
    }
    for verb in ["find", "export"] {
        let whose = json!({ "subjects": ["kim@acme.example", BEARER] }).to_string();
        let answer =
            host.client.ask(Method::POST, &format!("/v1/data/{verb}"), &[("content-type", "application/json")], whose.into_bytes()).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        // Whoever asks for a text may see it again.
        searched.add(&format!("answer to POST /v1/data/{verb}"), answer.text.replace(BEARER, ""));
    }
    let dry = json!({ "dry_run": true, "reads": "live", "from": "start" }).to_string();
    for eid in &eids {
        searched.ask(&host, Method::POST, &format!("/v1/events/{eid}/replay"), &[], &dry).await?;
    }
    searched.ask(&host, Method::POST, "/v1/dead-letters/replay", &[], "{}").await?;
    searched.ask(&host, Method::GET, "/v1/events", &[("authorization", "Bearer sgm_wrong")], "").await?;

    // Mistakes beside secrets, told by `check`, by a reload and at the start.
    let mistaken = format!(
        "{}\n[credentials.more]\ntype = \"bearer\"\nhosts = [\"https://a.invalid/path\"]\ntoken = \"{IN_A_MISTAKE}\"\ntokn = \"{IN_A_MISTAKE}\"\n\
         [credentials.clear]\ntype = \"bearer\"\nhosts = [\"https://nowhere.invalid\"]\ntoken = \"{IN_CLEAR}\"\n\
         [credentials.other]\ntype = \"nothing\"\npassword = \"{IN_A_MISTAKE}\"\n[server2]\nx = 1\n",
        std::fs::read_to_string(folder.path().join("sangam.toml"))?
    );
    let config = folder.path().join("sangam.toml");
    let good = std::fs::read_to_string(&config)?;
    for broken in
        [mistaken.clone(), format!("{mistaken}\ntoken = \"{IN_A_MISTAKE}\nunclosed"), mistaken.replace("type = \"nothing\"", "type = 1")]
    {
        std::fs::write(&config, broken)?;
        let checked = searched.verb(&folder, &["check"], "")?;
        assert_eq!(checked.status.code(), Some(2));
        assert_eq!(searched.ask(&host, Method::POST, "/v1/reload", &[], "").await?.status, 422);
        searched.verb(&folder, &["up"], "")?;
        searched.verb(&folder, &["secret", "list"], "")?;
    }
    std::fs::write(&config, good)?;

    // What the system tells of the process to others.
    let process = host.process().context("the host runs")?;
    searched.add("the host's arguments", std::fs::read(format!("/proc/{process}/cmdline"))?);
    // The process is closed to other users; whoever may not read it here finds nothing there either.
    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let without_given: Vec<u8> =
        environment.split(|byte| *byte == 0).filter(|entry| !entry.starts_with(b"SEARCH_")).collect::<Vec<_>>().join(&0);
    searched.add("the host's environment", without_given);

    // A key that signs plugins, which is the administrator's own.
    searched.verb(&folder, &["plugin", "keygen", "signing.pem"], "")?;
    searched.needles.extend(key_needles("signing key", &std::fs::read_to_string(folder.path().join("signing.pem"))?)?);
    std::fs::copy(sangam_tests::guest("scripted"), folder.path().join("mine.wasm"))?;
    for verb in [
        &["plugin", "sign", "mine.wasm", "--key", "signing.pem"][..],
        &["plugin", "sign", "mine.wasm", "--key", "signing.pem"],
        &["plugin", "verify", "mine.wasm"],
        &["plugin", "inspect", "mine.wasm"],
        &["plugin", "keygen", "signing.pem"],
    ] {
        searched.verb(&folder, verb, "")?;
    }

    // Every verb that prints.
    let url = host.client.url.clone();
    let ask = ["--url", &url, "--token", &api_token];
    for verb in [&["events", "list"][..], &["events", "list", "--json"], &["events", "dead"], &["events", "dead", "--json"]] {
        // The token is an argument here: what is searched is what comes out.
        let done = folder.run(&[verb, &ask].concat(), "")?;
        searched.add(&format!("output of {verb:?}"), [done.stdout, done.stderr].concat());
    }
    for eid in eids.iter().take(12) {
        for more in [&[][..], &["--json"]] {
            let done = folder.run(&[&["events", "show", eid.as_str()], more, &ask[..]].concat(), "")?;
            searched.add(&format!("output of events show {eid}"), [done.stdout, done.stderr].concat());
        }
    }
    for verb in [
        &["check"][..],
        &["secret", "list"],
        &["secret", "list", "--json"],
        &["token", "list"],
        &["token", "list", "--json"],
        &["store", "size"],
        &["store", "verify"],
        &["audit", "list", "--limit", "1000"],
        &["audit", "verify"],
        &["audit", "export"],
        &["schema", "config"],
        &["secret", "set", "not a name"],
        &["secret", "remove", "absent"],
        &["token", "revoke", "absent"],
    ] {
        searched.verb(&folder, verb, "value")?;
    }
    if folder.database().is_none() {
        searched.verb(&folder, &["store", "backup", "copy.db"], "")?;
    }
    std::fs::write(&key_file, "no key\n")?;
    searched.verb(&folder, &["secret", "list"], "")?;
    assert_eq!(host.terminate().await?, Some(0));

    // What is left behind: the database with its log, the cache of compiled code, logs, a backup.
    files(folder.path(), &["sangam.toml", "header.secret", "signing.pem"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    assert!(searched.haystack.iter().any(|(place, bytes)| place.ends_with("host.log") && bytes.len() > 10_000), "the host told little");
    assert!(searched.haystack.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 1 << 20, "there was little to search");
    let found = searched.found();
    assert!(found.is_empty(), "{} secrets found:\n{}", found.len(), found.join("\n"));

    // The same search finds one that somebody has kept in clear, in the store and beside it.
    let in_store =
        format!("insert into canary_rollback (trial, plugin, digest, rolled_back_at, reason) values ('t', 'p', 'd', 0, '{BEARER}')");
    Hand::into(&folder).await?.run(&in_store).await?;
    std::fs::write(folder.path().join("data/left-behind"), base64(format!("Basic {USERNAME}:{PASSWORD}").as_bytes()))?;
    files(folder.path(), &["sangam.toml", "header.secret", "signing.pem"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    let found = searched.found();
    assert!(found.iter().any(|found| found.starts_with("password (base64)") && found.ends_with("left-behind")), "{found:#?}");
    assert!(found.iter().any(|found| found == "bearer token (as it is) in table canary_rollback"), "{found:#?}");
    Ok(())
}

#[tokio::test]
async fn a_session_is_nowhere_but_in_its_browser() -> anyhow::Result<()> {
    use sangam_tests::oidc::{CLIENT_ID, CLIENT_SECRET};
    if !sangam_tests::OpenIdProvider::is_there()? {
        return Ok(());
    }
    let provider = sangam_tests::OpenIdProvider::start(&json!({})).await?;
    let folder = HostFolder::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[server.oidc]\nissuer = \"{}\"\nclient-id = \"{CLIENT_ID}\"\n\
         client-secret = \"${{secret:oidc}}\"\nroles = {{ admin = [\"groups:sangam-admins\"] }}\n",
        provider.issuer
    ))?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;
    let url = host.client.url.clone();
    let mut browser = sangam_tests::Browser::new();
    let back = browser.login_until(&format!("{url}/login"), "admin-ann", "/login/callback").await?;
    let under_way = browser.cookie("sangam-login").map(str::to_owned);
    anyhow::ensure!(browser.get(&back).await?.status == 303, "nobody was let in");
    let session = browser.cookie("sangam").context("a session began")?.to_owned();
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).context("a code came back")?.to_owned();
    let mut searched = Searched { needles: Vec::new(), haystack: Vec::new() };
    searched.needles.extend([Needle::new("session", &session), Needle::new("code", &code), Needle::new("client's secret", CLIENT_SECRET)]);
    searched.needles.extend(under_way.map(|cookie| Needle::new("login under way", &cookie)));
    for path in ["/v1/me", "/v1/audit?limit=1000", "/v1/events", "/v1/credentials", "/v1/data/erasures", "/", "/metrics", "/v1/nothing"] {
        let answer = browser.get(&format!("{url}{path}")).await?;
        anyhow::ensure!(answer.status != 401, "{path}: {}", answer.text);
        searched.add(&format!("answer to {path}"), format!("{:?}\n{}", answer.headers, answer.text));
    }
    // The same code once more, a cookie that is none, and the end.
    for answer in [browser.get(&back).await?, browser.get(&format!("{url}/login/callback?code=x&state=y")).await?] {
        searched.add("answer to a second callback", answer.text);
    }
    searched.verb(&folder, &["audit", "export"], "")?;
    assert_eq!(host.terminate().await?, Some(0));
    files(folder.path(), &["sangam.toml"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    let found = searched.found();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    // Its name is there: somebody was looked at.
    assert!(
        searched.haystack.iter().any(|(place, bytes)| place.contains("/v1/me") && String::from_utf8_lossy(bytes).contains("admin-ann"))
    );
    Ok(())
}
