//! `[trust]`.

use super::*;

const ONE: &str = "ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO: &str = "ed25519:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

#[test]
fn keys_are_trusted_for_names_of_plugins() {
    let text = format!(
        "[trust]\nrequire-lock=true\nrevoked=['{TWO}']\n[trust.keys.acme]\nkey='{ONE}'\nplugins=['crm','acme-*']\n\
         [trust.keys.both]\nkey=['{ONE}','{TWO}']\nplugins='billing'\n"
    );
    let revoked = "8:61 this key of `both` is revoked, and counts for nothing";
    assert_eq!(mistakes(&text), [revoked, "9:9 `plugins` must be a list, but this is a string"]);
    let loaded = valid(&text.replace("='billing'", "=['billing']"));
    let trust = &loaded.config.trust;
    assert_eq!((trust.require_signature, trust.require_lock, trust.revoked.len()), (false, true, 1));
    let names = |plugin: &str| trust.signers_of(plugin).iter().map(|signer| signer.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names("crm"), names("acme-x"), names("billing"), names("hr")),
        (vec!["acme".to_owned()], vec!["acme".to_owned()], vec!["both".to_owned()], vec![])
    );
    assert!(trust.demands_signature("crm") && !trust.demands_signature("hr"), "a key that is trusted for a plugin must have signed it");
    assert_eq!(trust.signers[1].keys[0].to_string(), ONE);
    assert_eq!(mistakes(&text.replace("='billing'", "=['billing']")), [revoked]);
    assert!(!loaded.revision_content().to_string().contains("ed25519"), "trust is each host's own");
}

#[test]
fn mistakes_in_trust_have_their_place() {
    let cases: &[(String, &[&str])] = &[
        ("[trust]\nrequire-signatur=true".into(), &["2:1 unknown key `require-signatur` in [trust]"]),
        (
            "[trust]\nrevoked=['ed25519:AQ==']".into(),
            &["2:10 `ed25519:AQ==` is not a public key: write ed25519: and its 32 bytes in base64, as `sangam plugin keygen` prints it"],
        ),
        ("[trust.keys.acme]\nplugins=['crm']".into(), &["1:1 `key` is missing in [trust.keys.acme]"]),
        (
            format!("[trust.keys.Acme]\nkey='{ONE}'\nplugins=['']"),
            &["1:13 \"Acme\" can't be the name of a signer", "3:10 a pattern can't be empty; `*` matches everything"],
        ),
        (
            "[trust]\nrequire-signature=true\n[plugins.p]\ncomponent='p.wasm'\nrequire-signature=false".into(),
            &["5:19 [trust] requires a signature of every plugin, and a plugin can't lift that"],
        ),
        (
            format!("[trust.keys.acme]\nkey='{ONE}'\nplugins=['p*']\n[plugins.p]\ncomponent='p.wasm'\nrequire-signature=false"),
            &["6:19 [trust] requires a signature of a plugin that a key is trusted for, and a plugin can't lift that"],
        ),
        ("[plugins.p]\ncomponent='p.wasm'\nrequire-signature=false".into(), &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(text), *expected, "{text}");
    }
}
