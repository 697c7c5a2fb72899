//! Published vectors of each scheme, and each of them tampered with part by part.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::{Delivery, Refused, Verified, verify};
use crate::config::{self, Outside, SourceKind, Verify};
use crate::credentials::Secret;

/// A delivery that fits, and what it has to be told.
struct Case {
    name: &'static str,
    /// `verify` as the file has it; its secrets are `${env:S1}`, `${env:S2}`.
    how: String,
    secrets: Vec<&'static str>,
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    now: i64,
    expected: Verified,
    /// Whether the URL is signed.
    signs_url: bool,
    /// Whether the body is signed.
    signs_body: bool,
}

fn how(text: &str) -> Verify {
    let file = format!("[[sources]]\nname = \"s\"\ntype = \"webhook\"\nevent-type = \"t\"\nverify = {text}\n");
    // Whatever a scheme asks for; not the variables by which OpenTelemetry is set up, which are read for every file.
    let env = |name: &str| (!name.starts_with("OTEL_")).then(|| "x".to_owned());
    let no_file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let loaded = config::parse(&file, "sangam.toml", Path::new("/"), &Outside { env: &env, file: &no_file });
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    match &loaded.config.sources[0].kind {
        SourceKind::Webhook(webhook) => webhook.verify.clone(),
        other => panic!("{other:?}"),
    }
}

impl Case {
    fn judge(&self) -> Result<Verified, Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        let secrets: Vec<Secret> = self.secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
        let now = Timestamp::from_millisecond(self.now).expect("a time");
        verify(&how(&self.how), &secrets, &Delivery { method: self.method, url: &self.url, headers: &headers, body: &self.body, now })
    }

    fn at(mut self, second: i64) -> Self {
        self.now = second * 1000;
        self
    }
}

fn case(name: &'static str, how: &str, secret: &'static str, headers: &[(&'static str, &str)], body: &str) -> Case {
    Case {
        name,
        how: how.to_owned(),
        secrets: vec![secret],
        method: "POST",
        url: "https://sangam.example/hooks/s".to_owned(),
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
        now: 0,
        expected: Verified::default(),
        signs_url: false,
        signs_body: true,
    }
}

fn scheme(name: &str) -> String {
    format!("{{ scheme = {name:?}, secret = \"${{env:S1}}\" }}")
}

/// HMAC-SHA256, for schemes whose vendors publish their rule and no vector.
fn signed(key: &str, message: &str) -> Vec<u8> {
    super::digest::mac(key.as_bytes(), config::HmacAlgorithm::Sha256, message.as_bytes()).as_ref().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

const ED25519: &str =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";

/// The request of RFC 9421 appendix B.2.
fn rfc9421(name: &'static str, how: &str, secrets: Vec<&'static str>, input: &str, signature: &str) -> Case {
    let headers = [
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-digest", "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"),
        ("content-length", "18"),
        ("signature-input", input),
        ("signature", signature),
    ];
    let at = Timestamp::from_second(1_618_884_473).expect("a time");
    Case {
        secrets,
        url: "https://example.com/foo?param=Value&Pet=dog".to_owned(),
        expected: Verified { delivery_id: None, sent_at: Some(at) },
        signs_body: false,
        ..case(name, how, "", &headers, "{\"hello\": \"world\"}")
    }
    .at(1_618_884_473)
}

fn cases() -> Vec<Case> {
    let second = |second| Some(Timestamp::from_second(second).expect("a time"));
    let id = |id: &str| Some(id.to_owned());
    let stripe = r#"{"id":"evt_1","object":"event"}"#;
    let slack = r#"{"type":"event_callback","event_id":"Ev1"}"#;
    let twilio_form = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let mango = form(&[("vpbx_api_key", "key"), ("sign", &super::digest::sha256_hex(b"key{}salt")), ("json", "{}")]);
    let outbound = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>00D000000000001EAA</OrganizationId></notifications></soapenv:Body></soapenv:Envelope>";
    vec![
        // Svix's documentation and the tests of its libraries; Standard Webhooks took the scheme over.
        Case {
            expected: Verified { delivery_id: id("msg_p5jXN8AQM9LWM0D4loKWxJek"), sent_at: second(1_614_265_330) },
            ..case(
                "standard-webhooks",
                &scheme("standard-webhooks"),
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                &[
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                    ("webhook-timestamp", "1614265330"),
                    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                ],
                r#"{"test": 2432232314}"#,
            )
        }
        .at(1_614_265_330),
        // HubSpot's documentation and the tests of its clients.
        Case {
            url: "https://www.example.com/webhook_uri".to_owned(),
            expected: Verified { delivery_id: None, sent_at: second(1_693_657_560) },
            signs_url: true,
            ..case(
                "hubspot-v3",
                &scheme("hubspot-v3"),
                "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
                &[
                    ("x-hubspot-signature-v3", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
                    ("x-hubspot-request-timestamp", "1693657560000"),
                ],
                "{'example_field':'example_value'}",
            )
        }
        .at(1_693_657_560),
        // The tests of Intuit's Java SDK.
        case(
            "intuit",
            &scheme("intuit"),
            "b5771f19b12ddb4bcdb9f08bdc50bc63878a",
            &[("intuit-signature", "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=")],
            r#"{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1","operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}"#,
        ),
        // GitHub's documentation.
        Case {
            expected: Verified { delivery_id: id("72d3162e"), sent_at: None },
            ..case(
                "github",
                &scheme("github"),
                "It's a Secret to Everybody",
                &[
                    ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
                    ("x-github-delivery", "72d3162e"),
                ],
                "Hello, World!",
            )
        },
        case(
            "meta",
            &scheme("meta"),
            "secret",
            &[("x-hub-signature-256", "sha256=1b2c16b75bd2a870c114153ccda5bcfca63314bc722fa160d690de133ccbb9db")],
            "data",
        ),
        Case {
            expected: Verified { delivery_id: id("evt_1"), sent_at: second(1_700_000_000) },
            ..case(
                "stripe",
                &scheme("stripe"),
                "whsec_stripe",
                &[("stripe-signature", &format!("t=1700000000,v0=aa,v1={}", super::digest::hex(&signed("whsec_stripe", &format!("1700000000.{stripe}")))))],
                stripe,
            )
        }
        .at(1_700_000_100),
        // The rule of Slack's documentation ("Verifying requests from Slack").
        Case {
            expected: Verified { delivery_id: id("Ev1"), sent_at: second(1_531_420_618) },
            ..case(
                "slack",
                &scheme("slack"),
                "8f742231b10e8888abcd99yyyzzz85a5",
                &[
                    ("x-slack-request-timestamp", "1531420618"),
                    (
                        "x-slack-signature",
                        &format!("v0={}", super::digest::hex(&signed("8f742231b10e8888abcd99yyyzzz85a5", &format!("v0:1531420618:{slack}")))),
                    ),
                ],
                slack,
            )
        }
        .at(1_531_420_618),
        case("jobber", &scheme("jobber"), "client", &[("x-jobber-hmac-sha256", &base64(&signed("client", "{}")))], "{}"),
        case("shopify", &scheme("shopify"), "app", &[("x-shopify-hmac-sha256", &base64(&signed("app", "{}")))], "{}"),
        // Twilio's documentation ("Validating requests").
        Case {
            url: "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
            signs_url: true,
            ..case(
                "twilio, a form",
                &scheme("twilio"),
                "12345",
                &[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("content-type", "application/x-www-form-urlencoded")],
                twilio_form,
            )
        },
        case(
            "mango-office",
            "{ scheme = \"mango-office\", api-key = \"${env:S1}\", salt = \"${env:S2}\" }",
            "key",
            &[],
            &mango,
        )
        .with(vec!["key", "salt"]),
        Case {
            url: "https://sangam.example/hooks/s?token=t0k3n".to_owned(),
            signs_body: false,
            ..case(
                "salesforce-outbound-message",
                "{ scheme = \"salesforce-outbound-message\", organization = \"00D000000000001\", token = \"${env:S1}\" }",
                "t0k3n",
                &[],
                outbound,
            )
        },
        Case {
            expected: Verified { delivery_id: id("d-1"), sent_at: second(1_700_000_000) },
            signs_url: true,
            ..case(
                "hmac, all of it",
                "{ scheme = \"hmac\", secret = \"${env:S1}\", secret-encoding = \"hex\", signed = \"{method}\\n{url}\\n{timestamp}\\n{id}\\n{body}\", header = \"X-Sig\", prefix = \"v9=\", encoding = \"base64url\", timestamp-header = \"X-Time\", timestamp = \"rfc3339\", tolerance = \"10s\", id-header = \"X-Id\" }",
                "6b6579",
                &[
                    ("x-sig", &format!("v9={}", base64(&signed("key", "POST\nhttps://sangam.example/hooks/s\n2023-11-14T22:13:20Z\nd-1\n{}")).replace('+', "-").replace('/', "_"))),
                    ("x-time", "2023-11-14T22:13:20Z"),
                    ("x-id", "d-1"),
                ],
                "{}",
            )
        }
        .at(1_700_000_005),
        case("bearer", "{ scheme = \"bearer\", token = \"${env:S1}\" }", "abc", &[("authorization", "bearer abc")], "{}").unsigned(),
        case(
            "basic",
            "{ scheme = \"basic\", username = \"me\", password = [\"${env:S1}\"] }",
            "me",
            &[("authorization", &format!("Basic {}", base64(b"me:pass:word")))],
            "{}",
        )
        .with(vec!["me", "pass:word"])
        .unsigned(),
        case("token", "{ scheme = \"token\", value = \"${env:S1}\", in = \"header:X-Token\" }", "abc", &[("x-token", "abc")], "{}").unsigned(),
        case("token in JSON", "{ scheme = \"token\", value = \"${env:S1}\", in = \"body:/auth/token\" }", "abc", &[], r#"{"auth":{"token":"abc"}}"#),
        // RFC 9421 appendices B.2.5 and B.2.6.
        rfc9421(
            "rfc9421, hmac-sha256",
            "{ scheme = \"rfc9421\", required = [\"date\"], keys = [{ id = \"test-shared-secret\", algorithm = \"hmac-sha256\", secret = \"${env:S1}\", secret-encoding = \"base64\" }] }",
            vec!["uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="],
            "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
            "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
        ),
        rfc9421(
            "rfc9421, ed25519",
            &format!("{{ scheme = \"rfc9421\", required = [\"@method\", \"@path\"], keys = [{{ id = \"test-key-ed25519\", algorithm = \"ed25519\", public-key = {ED25519:?} }}] }}"),
            vec![],
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        ),
    ]
}

impl Case {
    fn with(mut self, secrets: Vec<&'static str>) -> Self {
        self.secrets = secrets;
        self
    }

    fn unsigned(mut self) -> Self {
        self.signs_body = false;
        self
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[test]
fn published_vectors_are_verified() {
    for case in cases() {
        assert_eq!(case.judge(), Ok(case.expected.clone()), "{}", case.name);
    }
}

#[test]
fn another_secret_does_not_fit() {
    for mut case in cases() {
        for index in 0..case.secrets.len() {
            let right = std::mem::replace(&mut case.secrets[index], "YW5vdGhlcg==");
            // What is not in the form of the scheme is another way to be wrong.
            assert!(case.judge().is_err(), "{}: secret {index}", case.name);
            case.secrets[index] = right;
        }
    }
}

#[test]
fn every_byte_of_a_signed_body_counts() {
    for mut case in cases().into_iter().filter(|case| case.signs_body) {
        for at in 0..case.body.len() {
            let mut tampered = case.body.clone();
            tampered[at] ^= 1;
            let right = std::mem::replace(&mut case.body, tampered);
            // Where a secret stands in it, the rest of the body is not signed.
            let may = case.name.starts_with("token");
            assert!(may || case.judge().is_err(), "{}: byte {at}", case.name);
            case.body = right;
        }
        case.body.push(b' ');
        assert!(case.name.starts_with("token") || case.judge().is_err(), "{}: a byte more", case.name);
    }
}

#[test]
fn every_character_of_a_signature_counts() {
    for case in cases() {
        for index in 0..case.headers.len() {
            let (name, value) = case.headers[index].clone();
            let carries = ["sig", "hmac", "authorization", "token", "time", "stamp"].iter().any(|part| name.contains(part))
                && name != "signature-input";
            if !carries || name == "i-twilio-idempotency-token" {
                continue;
            }
            // The last character of base64 has bits that say nothing; a name has no case; Stripe's v0 is for tests.
            let end = value.len() - if name == "signature" { 5 } else { 3 };
            let begin = if name == "authorization" {
                7
            } else if name == "stripe-signature" {
                20
            } else {
                0
            };
            for at in begin..end {
                let mut bytes = value.clone().into_bytes();
                bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
                let mut tampered = case.like();
                tampered.headers[index].1 = String::from_utf8(bytes).expect("text");
                if tampered.headers[index].1 != value {
                    assert!(tampered.judge().is_err(), "{}: {name} {:?}", case.name, tampered.headers[index].1);
                }
            }
        }
    }
}

#[test]
fn what_is_missing_or_there_twice_is_refused() {
    for case in cases() {
        for index in 0..case.headers.len() {
            let name = case.headers[index].0;
            let needless = matches!(name, "host" | "content-type" | "content-digest" | "content-length" | "x-github-delivery" | "date");
            if needless {
                continue;
            }
            let mut without = case.like();
            without.headers.remove(index);
            assert!(without.judge().is_err(), "{} without {name}", case.name);
            let mut twice = case.like();
            twice.headers.push(case.headers[index].clone());
            assert!(twice.judge().is_err(), "{} with {name} twice", case.name);
        }
    }
}

#[test]
fn a_signed_url_counts() {
    for mut case in cases().into_iter().filter(|case| case.signs_url) {
        case.url.push_str("&more=1");
        assert_eq!(case.judge(), Err(Refused::Signature), "{}", case.name);
    }
}

#[test]
fn old_and_early_signatures_are_refused() {
    for mut case in cases() {
        let Some(sent_at) = case.expected.sent_at else { continue };
        case.now = sent_at.as_millisecond() + 301_000;
        assert!(matches!(case.judge(), Err(Refused::Old { .. })), "{}: {:?}", case.name, case.judge());
        case.now = sent_at.as_millisecond() - 301_000;
        assert!(matches!(case.judge(), Err(Refused::Early { .. })), "{}: {:?}", case.name, case.judge());
    }
}

#[test]
fn while_secrets_are_rotated_either_fits() {
    for mut case in cases().into_iter().filter(|case| case.how.contains("secret = \"${env:S1}\"") && !case.how.contains("rfc9421")) {
        case.how = case.how.replace("\"${env:S1}\"", "[\"${env:S1}\", \"${env:S2}\"]");
        for secrets in [vec![case.secrets[0], "aGV4"], vec!["aGV4", case.secrets[0]]] {
            let mut both = case.like();
            // In the form that the scheme wants.
            both.secrets =
                secrets.into_iter().map(|secret| if secret == "aGV4" && both.how.contains("hex") { "0011" } else { secret }).collect();
            assert_eq!(both.judge(), Ok(case.expected.clone()), "{}", case.name);
        }
    }
}

#[test]
fn a_message_signature_has_to_cover_what_is_asked_for() {
    for mut case in cases().into_iter().filter(|case| case.name.starts_with("rfc9421")) {
        for component in ["content-digest", "@target-uri", "@query"] {
            let mut more = case.like();
            more.how = more.how.replace("required = [", &format!("required = [{component:?}, "));
            assert_eq!(more.judge(), Err(Refused::Unsigned(component.to_owned())), "{}", case.name);
        }
        case.headers.iter_mut().find(|(name, _)| *name == "date").expect("it has a date").1.push('x');
        assert_eq!(case.judge(), Err(Refused::Signature), "{}", case.name);
    }
}

#[test]
fn the_digest_of_a_body_counts_where_it_is_signed() {
    let mut case = cases().into_iter().find(|case| case.name == "rfc9421, hmac-sha256").expect("it is there");
    case.how = case.how.replace("required = [\"date\"]", "required = [\"content-digest\"]");
    let key = super::digest::base64(case.secrets[0]).expect("base64");
    let digest = case.headers.iter().find(|(name, _)| *name == "content-digest").expect("it has one").1.clone();
    let params = "(\"content-digest\");created=1618884473;keyid=\"test-shared-secret\"";
    let base = format!("\"content-digest\": {digest}\n\"@signature-params\": {params}");
    let signature = super::digest::mac(&key, config::HmacAlgorithm::Sha256, base.as_bytes());
    for (name, value) in &mut case.headers {
        match *name {
            "signature-input" => *value = format!("s={params}"),
            "signature" => *value = format!("s=:{}:", base64(signature.as_ref())),
            _ => {}
        }
    }
    assert!(case.judge().is_ok());
    case.body = b"{\"hello\": \"World\"}".to_vec();
    assert_eq!(case.judge(), Err(Refused::Digest));
}

#[test]
fn twilio_signs_the_digest_of_json_with_the_url() {
    let body = r#"{"property": "value", "boolean": true}"#;
    let url = format!("https://sangam.example/hooks/s?bodySHA256={}", super::digest::sha256_hex(body.as_bytes()));
    assert!(url.ends_with("0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"));
    let signature = super::digest::mac(b"12345", config::HmacAlgorithm::Sha1, url.as_bytes());
    let headers = [("x-twilio-signature", base64(signature.as_ref())), ("content-type", "application/json".to_owned())];
    let mut case = Case { url, headers: headers.to_vec(), ..case("twilio", &scheme("twilio"), "12345", &[], body) };
    assert_eq!(case.judge(), Ok(Verified::default()));
    case.body.push(b' ');
    assert_eq!(case.judge(), Err(Refused::Digest));
    // Nor does the signed URL let in what is no JSON, or nothing at all.
    for (kind, body) in
        [("application/json", ""), ("application/x-www-form-urlencoded", ""), ("application/x-www-form-urlencoded", "From=me")]
    {
        case.headers[1].1 = kind.to_owned();
        case.body = body.as_bytes().to_vec();
        assert_eq!(case.judge(), Err(Refused::Digest), "{kind} {body:?}");
    }
}

#[test]
fn twilio_signs_with_sha_256_where_it_says_so() {
    let signature = super::digest::mac(b"12345", config::HmacAlgorithm::Sha256, b"https://sangam.example/hooks/sBodyhi");
    let headers = [
        ("x-twilio-signature", base64(signature.as_ref())),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("x-twilio-webhooks-signature-settings", "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256".to_owned()),
    ];
    let url = "https://sangam.example/hooks/s".to_owned();
    let mut case = Case { url, headers: headers.to_vec(), ..case("twilio", &scheme("twilio"), "12345", &[], "Body=hi") };
    assert_eq!(case.judge(), Ok(Verified::default()));
    case.headers.pop();
    assert_eq!(case.judge(), Err(Refused::Signature));
}

#[test]
fn a_label_that_is_there_twice_is_refused_whichever_comes_first() {
    for case in cases().into_iter().filter(|case| case.name.starts_with("rfc9421")) {
        let forged =
            ("signature", case.headers.iter().find(|(name, _)| *name == "signature").expect("it is signed").1.replacen(':', ":AAAA", 1));
        for at in [0, case.headers.len()] {
            let mut twice = case.like();
            twice.headers.insert(at, forged.clone());
            assert!(matches!(twice.judge(), Err(Refused::Doubled(_))), "{}", case.name);
        }
    }
}

#[test]
fn another_organization_is_refused() {
    let mut case = cases().into_iter().find(|case| case.name == "salesforce-outbound-message").expect("it is there");
    let body = String::from_utf8(case.body.clone()).expect("text");
    case.body = body.replace("00D000000000001EAA", "00D000000000002EAA").into_bytes();
    assert_eq!(case.judge(), Err(Refused::Organization));
    // Said twice, it could be read either way.
    let twice = "<OrganizationId>00D000000000002EAA</OrganizationId></notifications>";
    case.body = body.replace("</notifications>", twice).into_bytes();
    assert!(case.judge().is_err());
    case.body = format!("<!DOCTYPE x [<!ENTITY o \"00D000000000001\">]>{body}").into_bytes();
    assert!(case.judge().is_err());
}

#[test]
fn an_empty_secret_lets_nobody_in() {
    for mut case in cases() {
        if case.secrets.len() == 1 {
            case.secrets = vec![""];
            assert!(case.judge().is_err(), "{}", case.name);
        }
    }
    let bearer = case("bearer", "{ scheme = \"bearer\", token = \"${env:S1}\" }", "", &[("authorization", "Bearer ")], "{}");
    assert!(bearer.judge().is_err());
}

impl Case {
    fn like(&self) -> Case {
        Case {
            how: self.how.clone(),
            secrets: self.secrets.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            expected: self.expected.clone(),
            ..*self
        }
    }
}
