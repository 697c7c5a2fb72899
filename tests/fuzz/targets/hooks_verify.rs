//! Deliveries to a webhook, by every scheme that the documents show. Nobody's input makes the host panic, the same delivery is judged the same twice, and
//! what one secret lets in another does not.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sangam::config::{Outside, SourceKind, Verify, parse};
use sangam::credentials::Secret;
use sangam::hooks::{Delivery, verify};

/// The schemes as the documents show them.
const DOCUMENT: &str = include_str!("../../../docs/webhooks.md");
/// The secret of all of them; text and, after its mark, base64.
const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1zb3VyY2UtbjE=";
const OTHER: &str = "whsec_bm9ib2R5LXNpZ25lZC10aGlzLWV2ZXI=";
/// When all of them come; the corpus was signed then.
const NOW: i64 = 1_795_000_000;

static SCHEMES: LazyLock<Vec<Verify>> = LazyLock::new(|| {
    let blocks: Vec<&str> = DOCUMENT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let outside = Outside { env: &|_| None, file: &|_: &Path| Ok(String::new()) };
    let loaded = parse(&blocks.concat(), "webhooks.md", Path::new("/base"), &outside).unwrap_or_else(|problems| panic!("{problems}"));
    let webhook = |kind: &SourceKind| match kind {
        SourceKind::Webhook(webhook) => Some(webhook.verify.clone()),
        _ => None,
    };
    loaded.config.sources.iter().filter_map(|source| webhook(&source.kind)).collect()
});

// One byte for the scheme; then lines: method, URL, headers, an empty one; then the body.
fuzz_target!(|input: &[u8]| {
    let Some((&scheme, rest)) = input.split_first() else { return };
    let how = &SCHEMES[usize::from(scheme) % SCHEMES.len()];
    let (head, body) = split(rest, b"\n\n");
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut text = || lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let (method, url) = (text(), text());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = split(line, b":");
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let now = Timestamp::from_second(NOW).expect("a time");
    let delivery = Delivery { method, url, headers: &headers, body, now };
    let judged = |secret: &str| {
        let secrets: Vec<Secret> = how.secrets().iter().map(|_| Secret::new(secret.to_owned())).collect();
        verify(how, &secrets, &delivery)
    };
    let verdict = judged(SECRET);
    assert_eq!(verdict, judged(SECRET), "the same delivery is judged in two ways");
    match verdict {
        Ok(_) => assert!(judged(OTHER).is_err(), "{} lets in what anybody sends", how.scheme()),
        Err(why) => assert!(!why.to_string().is_empty() && !why.code().is_empty()),
    }
});

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at);
    found.map_or((bytes, &[]), |index| (&bytes[..index], &bytes[index + at.len()..]))
}
