use super::inspection::{InspectError, Inspection};
use super::signature::{SignatureError, sign, signers};
use super::trust::{TrustError, judge};
use super::{SigningKey, SigningKeyError};
use crate::config::{PublicKey, Signer, Trust};
use crate::router::Pattern;

#[test]
fn what_is_not_a_component_is_told_apart() {
    assert_eq!(Inspection::of(b"#!/bin/sh\n").expect_err("a script"), InspectError::NotWasm);
    assert_eq!(Inspection::of(b"").expect_err("nothing"), InspectError::NotWasm);
    assert_eq!(Inspection::of(b"\0asm\x01\0\0\0").expect_err("a core module"), InspectError::CoreModule);
    assert_eq!(Inspection::of(b"\0asm\x0d\0\x01\0").expect_err("an empty component"), InspectError::NotAPlugin);
    assert!(matches!(Inspection::of(b"\0asm\x0d\0\x01\0\x01\xff"), Err(InspectError::Invalid(_))));
}

/// A component of two custom sections.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0\0\x07\x03onetwo\0\x05\x01xabc";

fn key() -> SigningKey {
    SigningKey::generate().expect("a key").0
}

#[test]
fn a_signature_names_its_key_and_covers_those_before_it() {
    let (one, two) = (key(), key());
    assert_eq!(signers(COMPONENT), Ok(Vec::new()));
    let once = sign(COMPONENT, &one).expect("signed");
    assert_eq!(signers(&once), Ok(vec![one.public()]));
    let twice = sign(&once, &two).expect("signed");
    assert_eq!(signers(&twice), Ok(vec![one.public(), two.public()]));
    assert_eq!(sign(&twice, &one), Err(SignatureError::Twice(one.public())));
    // Without the first, the second does not cover what is there.
    let section = twice.len() - once.len();
    let without = [COMPONENT, &twice[once.len()..]].concat();
    assert_eq!(signers(&without), Err(SignatureError::Forged(two.public())));
    // In the other order neither does.
    let swapped = [COMPONENT, &twice[once.len()..], &twice[COMPONENT.len()..once.len()]].concat();
    assert_eq!(signers(&swapped), Err(SignatureError::Forged(two.public())));
    let doubled = [&twice[..], &twice[once.len()..]].concat();
    assert_eq!(signers(&doubled), Err(SignatureError::Twice(two.public())));
    assert_eq!(section, 116, "the section has one form");
}

#[test]
fn no_bit_of_a_signed_component_can_be_changed_unseen() {
    let (one, two) = (key(), key());
    let signed = sign(&sign(COMPONENT, &one).expect("signed"), &two).expect("signed");
    let whole = Ok(vec![one.public(), two.public()]);
    assert_eq!(signers(&signed), whole);
    for at in 0..signed.len() {
        for bit in 0..8 {
            let mut changed = signed.clone();
            changed[at] ^= 1 << bit;
            assert_ne!(signers(&changed), whole, "bit {bit} of byte {at}");
        }
    }
    // Cut anywhere it has at most one of the two.
    for end in 8..signed.len() {
        assert_ne!(signers(&signed[..end]), whole, "cut at {end}");
    }
}

#[test]
fn what_is_added_or_moved_is_seen() {
    let key = key();
    let signed = sign(COMPONENT, &key).expect("signed");
    let (body, signature) = signed.split_at(COMPONENT.len());
    let added = [&signed[..], b"\0\x05\x01xabc"].concat();
    assert_eq!(signers(&added), Err(SignatureError::NotLast));
    // To the front.
    let moved = [&body[..8], signature, &body[8..]].concat();
    assert_eq!(signers(&moved), Err(SignatureError::Forged(key.public())));
    // Onto another component.
    let pasted = [b"\0asm\x0d\0\x01\0\0\x07\x03onethr", signature].concat();
    assert_eq!(signers(&pasted), Err(SignatureError::Forged(key.public())));
    // The same section, its length written in more bytes than it needs.
    let long = [body, b"\0\xf2\0", &signature[2..]].concat();
    assert_eq!(signers(&long), Err(SignatureError::Form));
    let short = [body, b"\0\x12\x10sangam:signature\x01"].concat();
    assert_eq!(signers(&short), Err(SignatureError::Form));
    let many = (0..8).fold(COMPONENT.to_vec(), |bytes, _| sign(&bytes, &self::key()).expect("signed"));
    assert_eq!(sign(&many, &key), Err(SignatureError::TooMany));
}

#[test]
fn keys_are_read_as_other_tools_write_them() {
    let (key, pem) = SigningKey::generate().expect("a key");
    assert_eq!(SigningKey::from_pem(pem.as_bytes()).expect("a key").public(), key.public());
    // RFC 8410 section 10.3, and the public key that belongs to it (section 10.1).
    let rfc = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let public = PublicKey::parse("ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=").expect("a public key");
    assert_eq!(SigningKey::from_pem(rfc.as_bytes()).expect("a key").public(), public);
    assert_eq!(SigningKey::from_pem(b"secret").err(), Some(SigningKeyError::NotPem));
    assert_eq!(
        SigningKey::from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").err(),
        Some(SigningKeyError::OtherKind)
    );
}

#[test]
fn a_key_fills_the_places_it_is_trusted_for() {
    let [acme, vendor, old, stranger] = [1, 2, 3, 4].map(|byte| PublicKey([byte; 32]));
    let signer = |name: &str, keys: &[PublicKey], plugins: &[&str]| Signer {
        name: name.to_owned(),
        keys: keys.to_vec(),
        plugins: plugins.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect(),
    };
    let trust = Trust {
        signers: vec![signer("acme", &[acme, old], &["crm", "acme-*"]), signer("vendor", &[vendor], &["billing"])],
        revoked: vec![old],
        ..Trust::default()
    };
    let judge = |plugin: &str, keys: &[PublicKey]| judge(&trust, plugin, false, keys);
    assert_eq!(judge("crm", &[acme]), Ok(()));
    assert_eq!(judge("acme-hr", &[stranger, acme]), Ok(()), "one of the signatures is enough");
    assert_eq!(judge("crm", &[old, acme]), Ok(()), "signed anew by the key that follows");
    assert_eq!(judge("crm", &[old]), Err(TrustError::Revoked(old)));
    assert_eq!(judge("hr", &[old]), Err(TrustError::Revoked(old)), "also where no signature is asked for");
    assert!(matches!(judge("crm", &[]), Err(TrustError::Unsigned { .. })));
    assert!(matches!(judge("crm", &[vendor]), Err(TrustError::OtherPlugin { signer, .. }) if signer == "vendor"));
    assert!(matches!(judge("billing", &[acme]), Err(TrustError::OtherPlugin { signer, .. }) if signer == "acme"));
    assert!(matches!(judge("crm", &[stranger]), Err(TrustError::UnknownKey { key, .. }) if key == stranger));
    assert_eq!((judge("hr", &[]), judge("hr", &[stranger])), (Ok(()), Ok(())), "nobody asked for a signature");
    assert!(matches!(super::trust::judge(&trust, "hr", true, &[]), Err(TrustError::Unsigned { .. })));
    let all = Trust { require_signature: true, ..Trust::default() };
    assert!(matches!(super::trust::judge(&all, "hr", false, &[stranger]), Err(TrustError::UnknownKey { .. })));
}
