//! Published vectors: of the RFCs for the arithmetic, of vendors for the recipes.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::*;
use crate::config::{Reference, ReferencePart};

fn recipe(signed: Vec<SignedPart>, encoding: Encoding) -> Hmac {
    Hmac {
        key: Reference { parts: vec![ReferencePart::Text(String::new())] },
        key_encoding: Encoding::Text,
        algorithm: HmacAlgorithm::Sha256,
        signed,
        header: "X-Signature".into(),
        format: vec![SignedPart::Signature],
        encoding,
        key_id: None,
        key_id_header: None,
        timestamp: TimeForm::Seconds,
        timestamp_header: None,
        nonce_header: None,
    }
}

fn request(method: Method, url: &str, body: &[u8]) -> Outgoing {
    Outgoing { method, url: Url::parse(url).expect(url), headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
}

fn signed(recipe: &Hmac, key: &str, request: &mut Outgoing, now: &str) -> String {
    let signer = Signer::new(recipe, &Secret::new(key.into()), Some(Secret::new("key-7".into()))).expect("a key");
    let signature = signer.sign(request, now.parse().expect(now), "nonce-1").expect("signs");
    let written = signature.values().next().expect("a signature");
    String::from_utf8(written.to_vec()).expect("text")
}

const NOW: &str = "2026-03-01T10:00:00.125Z";
const URL: &str = "https://api.vendor.example/a";

/// RFC 4231 sections 4.2 to 4.4 and 4.7, and RFC 2202 section 3 (1 and 3).
#[test]
fn the_vectors_of_the_rfcs() {
    use HmacAlgorithm::{Sha1, Sha256, Sha384, Sha512};
    let (twenty, aa) = ("0b".repeat(20), "aa".repeat(20));
    let dd = [0xdd; 50];
    for (algorithm, key, data, expected) in [
        (Sha256, &twenty, &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (Sha384, &twenty, b"Hi There", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"),
        (
            Sha512,
            &twenty,
            b"Hi There",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (Sha256, &hex(b"Jefe"), b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (Sha256, &aa, &dd, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            Sha256,
            &"aa".repeat(131),
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (Sha1, &twenty, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (Sha1, &aa, &dd, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
    ] {
        let recipe = Hmac { algorithm, key_encoding: Encoding::Hex, ..recipe(vec![SignedPart::Body], Encoding::Hex) };
        assert_eq!(signed(&recipe, key, &mut request(Method::POST, URL, data), NOW), expected);
    }
}

#[test]
fn vendors_schemes_are_recipes() {
    use SignedPart::{Body, Header, Method as Verb, Signature, Text, Timestamp, Url as Whole};
    // HubSpot's signature v3.
    let mut sent = request(Method::POST, "https://www.example.com/webhook_uri", b"{'example_field':'example_value'}");
    let hubspot = Hmac {
        timestamp: TimeForm::Milliseconds,
        timestamp_header: Some("X-HubSpot-Request-Timestamp".into()),
        ..recipe(vec![Verb, Whole, Body, Timestamp], Encoding::Base64)
    };
    let signature = signed(&hubspot, "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", &mut sent, "2023-09-02T12:26:00Z");
    assert_eq!(signature, "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=");
    assert_eq!(
        (&sent.headers["x-hubspot-request-timestamp"], &sent.headers["x-signature"]),
        (&"1693657560000".parse().expect("ascii"), &signature.parse().expect("ascii"))
    );

    // Intuit's.
    let body = br#"{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1","operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}"#;
    let intuit = recipe(vec![Body], Encoding::Base64);
    let signature = signed(&intuit, "b5771f19b12ddb4bcdb9f08bdc50bc63878a", &mut request(Method::POST, URL, body), NOW);
    assert_eq!(signature, "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=");

    // GitHub's and Meta's.
    let mut sent = request(Method::POST, URL, b"Hello, World!");
    let github = Hmac { format: vec![Text("sha256=".into()), Signature], ..recipe(vec![Body], Encoding::Hex) };
    signed(&github, "It's a Secret to Everybody", &mut sent, NOW);
    assert_eq!(sent.headers["x-signature"], "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");

    // Standard Webhooks.
    let mut sent = request(Method::POST, URL, br#"{"test": 2432232314}"#);
    sent.headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().expect("ascii"));
    let dot = || Text(".".into());
    let standard = Hmac {
        key_encoding: Encoding::Base64,
        header: "webhook-signature".into(),
        format: vec![Text("v1,".into()), Signature],
        timestamp_header: Some("webhook-timestamp".into()),
        ..recipe(vec![Header("webhook-id".into()), dot(), Timestamp, dot(), Body], Encoding::Base64)
    };
    signed(&standard, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &mut sent, "2021-02-25T15:02:10Z");
    assert_eq!(sent.headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn every_part_is_what_it_says() {
    use SignedPart::{Body, BodySha256, BodySha256Base64, Header, Host, KeyId, Nonce, Path, Query, Target, Text};
    let mut sent = request(Method::PUT, "https://api.vendor.example:8443/a%20b?q=1", b"x");
    sent.headers.insert("x-a", "v".parse().expect("ascii"));
    let given = Given { time: "T", nonce: "N", key_id: Some(&Secret::new("K".into())), signature: "S" };
    let parts = [
        Host,
        Path,
        Query,
        Target,
        Body,
        SignedPart::Timestamp,
        Nonce,
        KeyId,
        SignedPart::Signature,
        Header("x-a".into()),
        Header("x-b".into()),
    ];
    let parts: Vec<SignedPart> = parts.into_iter().flat_map(|part| [part, Text("|".into())]).collect();
    let written = String::from_utf8(text(&parts, &sent, &given)).expect("text");
    assert_eq!(written, "api.vendor.example:8443|/a%20b|q=1|/a%20b?q=1|x|T|N|K|S|v||");
    assert_eq!(text(&[BodySha256], &sent, &given), b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
    assert_eq!(text(&[BodySha256Base64], &sent, &given), b"LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=");

    let now: Timestamp = NOW.parse().expect("a time");
    let times = [TimeForm::Seconds, TimeForm::Milliseconds, TimeForm::Rfc3339, TimeForm::Http].map(|form| super::written(form, now));
    assert_eq!(times, ["1772359200", "1772359200125", "2026-03-01T10:00:00Z", "Sun, 01 Mar 2026 10:00:00 GMT"]);
}

#[test]
fn a_key_that_is_not_written_as_it_should_be_signs_nothing() {
    for (key_encoding, key) in [(Encoding::Hex, "0g"), (Encoding::Hex, "abc"), (Encoding::Base64, "a!b")] {
        let recipe = Hmac { key_encoding, ..recipe(vec![SignedPart::Body], Encoding::Hex) };
        assert!(Signer::new(&recipe, &Secret::new(key.into()), None).is_err(), "{key}");
    }
}
