//! Credentials and what plugins may do.

use super::*;

const HMAC: &str = "type='hmac'\nkey='${secret:k}'\n";
const CODE: &str = "type='oauth2-authorization-code'\n";
const CREDENTIAL: &str = "[credentials.c]\nhosts=['https://api.example.com']\n";

#[test]
fn each_type_of_credential_has_its_keys() {
    let oauth = "token-url='https://l.example.com/t'\nclient-id='id'\n";
    let cases: &[(String, &[&str])] = &[
        ("type='bearer'\ntoken='${env:TOKEN}'".into(), &[]),
        ("type='bearer'".into(), &["1:1 `token` is missing in [credentials.c]"]),
        (
            "type='bearer'\ntoken='${secret:t}'\npassword='${secret:p}'".into(),
            &["5:1 `password` does not belong to a credential of type \"bearer\""],
        ),
        ("type='bearer'\ntoken='abc'".into(), &["4:7 `token` is a secret and can't stand in the file in clear text"]),
        ("type='bearer'\ntoken='${env:NOPE}'".into(), &["4:8 the environment variable `NOPE` is not set"]),
        ("type='basic'\nusername='u'\npassword='${file:pw}'".into(), &[]),
        ("type='header'\nname='X-Key'\nvalue='Key ${secret:k}'".into(), &[]),
        ("type='header'\nname='Host'\nvalue='${secret:k}'".into(), &["4:6 the header `Host` belongs to the connection and can't be set"]),
        (format!("type='oauth2-client-credentials'\n{oauth}client-secret='${{secret:s}}'"), &[]),
        (format!("type='oauth2-client-credentials'\n{oauth}"), &["1:1 `client-secret` is missing in [credentials.c]"]),
        (format!("type='oauth2-refresh-token'\n{oauth}refresh-token='${{secret:r}}'\nscopes=['a']"), &[]),
        (format!("type='oauth2-jwt-bearer'\n{oauth}subject='s'\nprivate-key='${{secret:k}}'\nalgorithm='ES256'"), &[]),
        (
            "type='bearer'\ntoken='${secret:t}'\ntoken-url='x'".into(),
            &["5:1 `token-url` does not belong to a credential of type \"bearer\""],
        ),
        ("type='query'\nname='api_key'\nvalue='${secret:k}'".into(), &[]),
        ("type='query'\nname='a&b'\nvalue='${secret:k}'".into(), &["4:6 \"a&b\" is not the name of a query parameter"]),
        ("type='query'\nname='key'\nvalue='abc'".into(), &["5:7 `value` is a secret and can't stand in the file in clear text"]),
        ("type='placeholder'\nvalue='${secret:k}'\nin=['path','query','query:a','body','body:/a/b','header:X-Key']".into(), &[]),
        ("type='placeholder'\nvalue='${secret:k}'".into(), &["1:1 `in` is missing in [credentials.c]"]),
        (
            "type='placeholder'\nvalue='${secret:k}'\nin=['header','path:x','body:','heder:X']".into(),
            &[
                "5:5 \"header\" is not a place of a request",
                "5:14 \"path:x\" is not a place of a request",
                "5:23 \"body:\" names nothing after the colon",
                "5:31 \"heder:X\" is not a place of a request",
            ],
        ),
        (
            "type='placeholder'\nvalue='${secret:k}'\nin=[]".into(),
            &["5:4 `in` names no place, so that the secret would never be filled in"],
        ),
        (format!("{HMAC}signed='{{method}}{{url}}{{body}}'\nheader='X-Signature'"), &[]),
        (
            format!(
                "{HMAC}signed='{{timestamp}}.{{nonce}}.{{target}}.{{header:Date}}.{{body-sha256}}'\nheader='Authorization'\n\
                 format='HMAC {{key-id}}:{{signature}}'\nkey-id='k7'\nkey-encoding='base64'\nencoding='base64'\nalgorithm='sha512'\n\
                 timestamp='http'\ntimestamp-header='Date'\nnonce-header='X-Nonce'"
            ),
            &[],
        ),
        (format!("{HMAC}header='X-Signature'"), &["1:1 `signed` is missing in [credentials.c]"]),
        (format!("{HMAC}signed='{{bdy}}'\nheader='X'"), &["5:8 `{bdy}` is no part of a request"]),
        (format!("{HMAC}signed='{{timestamp}}'\nheader='X'"), &["5:8 `{timestamp}` is signed, but the other side is not told it"]),
        (format!("{HMAC}signed='{{key-id}}'\nheader='X'"), &["5:8 `key-id` is missing, and its header or `{key-id}` is there"]),
        (
            format!("{HMAC}signed='{{signature}}'\nheader='X'\nformat='{{body}}'"),
            &[
                "5:8 `signed` can't hold `{signature}`, which is made of it",
                "7:8 `format` lacks `{signature}`",
                "7:8 `format` takes `{signature}`, `{timestamp}`, `{nonce}` and `{key-id}` only",
            ],
        ),
        (format!("{HMAC}signed='{{body}}'\nheader='X'\nencoding='text'"), &["7:10 `encoding` can't be \"text\""]),
        (format!("{CODE}{oauth}auth-url='https://l.example.com/a'\nscopes=['a']\nissuer='https://l.example.com'\nkeep-alive='1d'"), &[]),
        (format!("{CODE}{oauth}auth-url='https://l.example.com/a'\nauth-parameters={{access_type='offline'}}\nkeep-alive=false"), &[]),
        (
            format!("{CODE}{oauth}auth-url='http://l.example.com/a'\nauth-parameters={{state='x'}}\nkeep-alive='1s'"),
            &[
                "6:10 `http://l.example.com/a` would send a secret unencrypted: write https://",
                "7:18 `state` is set by the host",
                "8:12 `keep-alive` is 1s, but must be from 1m to 365d",
            ],
        ),
        (format!("{CODE}{oauth}"), &["1:1 `auth-url` is missing in [credentials.c]"]),
        ("type='beaerr'".into(), &["3:6 unknown credential type \"beaerr\""]),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(&format!("{CREDENTIAL}{text}")), *expected, "{text}");
    }
}

#[test]
fn a_secret_in_clear_text_is_not_shown() {
    let shown = read(&format!("{CREDENTIAL}type='bearer'\ntokn='hunter2'\ntoken='hunter3' # why?\n")).expect_err("refused").to_string();
    assert!(shown.contains("tokn=*********"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn credentials_travel_encrypted_to_exact_origins() {
    for (host, fine) in [
        ("https://api.example.com", true),
        ("http://127.0.0.1:7071", true),
        ("http://localhost", true),
        ("http://api.example.com", false),
        ("https://*.example.com", false),
        ("https://api.example.com/v1", false),
        ("api.example.com", false),
    ] {
        let text = format!("[credentials.c]\ntype='bearer'\ntoken='${{secret:t}}'\nhosts=['{host}']");
        assert_eq!(read(&text).is_ok(), fine, "{host}");
    }
    let loaded = valid("[credentials.c]\ntype='bearer'\ntoken='${secret:t}'\nhosts=['https://API.example.com:443/']");
    assert_eq!(loaded.config.credentials["c"].hosts, ["https://api.example.com"]);
}

#[test]
fn grants_fit_one_another() {
    let bearer = "type='bearer'\ntoken='${secret:t}'\n";
    let plugin = "[plugins.p]\ncomponent='p.wasm'\n";
    let covered = format!("{CREDENTIAL}{bearer}{plugin}credentials=['c']\nallow-hosts=['https://*.example.com']");
    assert_eq!(mistakes(&covered), Vec::<String>::new());
    let uncovered = format!("{CREDENTIAL}{bearer}{plugin}credentials=['c']");
    assert_eq!(mistakes(&uncovered), ["7:14 credential `c` is for https://api.example.com, which `allow-hosts` does not let `p` reach"]);
    let unknown = format!("{plugin}credentials=['d']");
    assert_eq!(mistakes(&unknown), ["3:14 there is no credential `d`"]);
    let two = format!("{covered}\n[credentials.d]\nhosts=['https://api.example.com']\n{bearer}").replace("['c']", "['c','d']");
    assert_eq!(mistakes(&two), ["7:18 credentials `c` and `d` both fill the header `authorization` at https://api.example.com"]);
    let query = "type='query'\nname='key'\nvalue='${secret:k}'\n";
    let apart = two.replacen(bearer, query, 1);
    assert_eq!(mistakes(&apart), Vec::<String>::new());
    let same = two.replace(bearer, query);
    assert_eq!(mistakes(&same), ["8:18 credentials `c` and `d` both fill the query parameter `key` at https://api.example.com"]);
    let placeholder = "type='placeholder'\nvalue='${secret:k}'\nin=['path']\n";
    assert_eq!(mistakes(&two.replace(bearer, placeholder)), Vec::<String>::new());
    let private = format!("{plugin}allow-hosts=['http://10.0.0.7']");
    assert_eq!(mistakes(&private), ["3:14 10.0.0.7 is a private address, which the address check stops"]);
    let let_through = format!("{private}\nallow-private-addresses=['10.0.0.0/8']");
    assert_eq!(mistakes(&let_through), Vec::<String>::new());
    let crooked = format!("{plugin}allow-private-addresses=['10.0.0.7/8','x']");
    assert_eq!(mistakes(&crooked).len(), 2);
}

#[test]
fn a_grant_narrowed_to_a_method_or_path_covers_its_origin() {
    let narrow = "allow-hosts=['GET https://api.example.com/crm/**','https://api.example.com/tasks']";
    let text = format!("{CREDENTIAL}type='bearer'\ntoken='${{secret:t}}'\n[plugins.p]\ncomponent='p.wasm'\ncredentials=['c']\n{narrow}");
    let loaded = valid(&text);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let shown: Vec<String> = loaded.config.plugins["p"].grants.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["GET https://api.example.com/crm/**", "https://api.example.com/tasks"]);
    assert_eq!(
        mistakes("[plugins.p]\ncomponent='p.wasm'\nallow-hosts=['FETCH! https://a.example','https://a.example/x*']"),
        [
            "3:14 `FETCH! https://a.example` is not a host pattern: before a space stands one method in capitals, such as \"GET https://api.example.com\"",
            "3:41 `https://a.example/x*` is not a host pattern: `*` stands for a whole segment, such as \"https://api.example.com/crm/**\"",
        ]
    );
}

#[test]
fn in_open_mode_no_plugin_is_granted_the_whole_api_of_the_host() {
    let with = |access: &str, listen: &str, allow: &str| {
        mistakes(&format!(
            "[server]\naccess='{access}'\nlisten='{listen}'\n[plugins.p]\ncomponent='p.wasm'\nallow-hosts=['{allow}']\n\
             allow-private-addresses=['127.0.0.0/8','::1/128']"
        ))
    };
    for allow in
        ["http://127.0.0.1:7070", "http://localhost:7070/", "http://127.9.9.9:7070", "http://[::1]:7070", "GET http://127.0.0.1:7070"]
    {
        let found = with("open", "127.0.0.1:7070", allow);
        assert!(found.len() == 1 && found[0].starts_with("6:14 ") && found[0].contains("this host itself"), "{allow}: {found:?}");
    }
    for (access, listen, allow) in [
        ("open", "127.0.0.1:7070", "POST http://127.0.0.1:7070/v1/events"),
        ("open", "127.0.0.1:7070", "http://127.0.0.1:7071"),
        ("open", "127.0.0.1:0", "http://127.0.0.1:7070"),
        ("tokens", "127.0.0.1:7070", "http://127.0.0.1:7070"),
    ] {
        assert_eq!(with(access, listen, allow), Vec::<String>::new(), "{access} {allow}");
    }
}

#[test]
fn authorities_of_ones_own_are_read_from_a_file_of_certificates() {
    let plugin = |value: &str| format!("[plugins.p]\ncomponent='p.wasm'\nca-file='{value}'");
    assert_eq!(valid(&plugin("ca.pem")).config.plugins["p"].grants.authorities.len(), 1);
    assert_eq!(valid("[plugins.p]\ncomponent='p.wasm'").config.plugins["p"].grants.authorities.len(), 0);
    assert_eq!(mistakes(&plugin("pw")), ["3:9 /etc/sangam/pw: there is no certificate in it"]);
    let missing = mistakes(&plugin("nope.pem"));
    assert!(missing.len() == 1 && missing[0].starts_with("3:9 can't read /etc/sangam/nope.pem: "), "{missing:?}");
}

#[test]
fn a_certificate_of_our_own_has_a_file_and_a_secret_key() {
    let plugin = |value: &str| format!("[plugins.p]\ncomponent='p.wasm'\nclient-certificate={value}");
    let loaded = valid(&plugin("{file='ca.pem',key='${secret:k}'}"));
    let certificate = loaded.config.plugins["p"].grants.certificate.clone().expect("it was given");
    assert_eq!((certificate.chain.len(), certificate.key.parts.clone()), (1, vec![ReferencePart::Secret("k".into())]));
    assert_eq!(
        mistakes(&plugin("{file='pw'}")),
        ["3:20 `key` is missing in `client-certificate`", "3:26 /etc/sangam/pw: there is no certificate in it"]
    );
    let shown = read(&plugin("{file='ca.pem',key='hunter3'}")).expect_err("a key in clear text").to_string();
    assert!(shown.contains("can't stand in the file in clear text") && !shown.contains("hunter3"), "{shown}");
}

#[test]
fn a_plugin_is_read_whole() {
    let digest = "0123456789abcdef".repeat(4);
    let loaded = valid(&format!(
        "[plugins.p]\ncomponent='plugins/p.wasm'\ndigest='sha256:{digest}'\nallow-hosts=['https://${{env:TOKEN}}.example.com']\n\
         emits=['a.*']\nread-only=['POST /a/*']\nconcurrency=3\nkeep-alive='5s'\nidempotency-header=false\ninstances='reuse'\nahead=2\n\
         rate-limit={{requests=25,per='1s'}}\nbreaker={{cooldown='5s'}}\nlimits={{memory='1MiB',http-calls=0}}\n\
         config={{who='${{env:TOKEN}}',template='${{ .x }}',big=12345678901234567890,exact=10.10,list=[{{pw='${{file:pw}}'}}]}}\n"
    ));
    let plugin = &loaded.config.plugins["p"];
    assert_eq!(plugin.component, ComponentSource::Path("/etc/sangam/plugins/p.wasm".into()));
    assert_eq!(plugin.grants.hosts[0].to_string(), "https://t0p.example.com");
    assert_eq!((plugin.concurrency, plugin.keep_alive, plugin.idempotency_header.as_deref()), (3, Duration::from_secs(5), None));
    assert_eq!(plugin.instances, Instances::Reuse);
    assert_eq!(plugin.ahead, Some(2));
    assert_eq!(plugin.rate_limit, Some(RateLimit { requests: 25, per: Duration::from_secs(1) }));
    assert_eq!(plugin.breaker, Some(Breaker { failures: 10, cooldown: Duration::from_secs(5) }));
    assert_eq!((plugin.limits.memory, plugin.limits.http_calls, plugin.limits.output_size), (1 << 20, 0, 1 << 20));
    assert_eq!(
        plugin.config.to_string(),
        r#"{"big":12345678901234567890,"exact":10.10,"list":[{"pw":"hunter2"}],"template":"${ .x }","who":"t0p"}"#
    );
}

#[test]
fn how_runs_are_gathered_is_read_and_switched_off() {
    let plugin = |batch: &str| format!("[plugins.p]\ncomponent='p.wasm'\n{batch}\n");
    let read = |batch: &str| valid(&plugin(batch)).config.plugins["p"].batch;
    let usual = Batching { most: None, gather: Duration::from_millis(5) };
    assert_eq!((read(""), read("batch={}"), read("batch=true"), read("batch=false")), (Some(usual), Some(usual), Some(usual), None));
    assert_eq!(read("batch={most=20,gather='1s'}"), Some(Batching { most: Some(20), gather: Duration::from_secs(1) }));
    assert_eq!(
        (usual.most_of(30), Batching { most: Some(20), ..usual }.most_of(30), Batching { most: Some(50), ..usual }.most_of(30)),
        (30, 20, 30)
    );
    assert_eq!(
        mistakes(&plugin("batch='5ms'")),
        ["3:7 `batch` must be a table such as { most = 50, gather = \"5ms\" }, or false, but this is a string"]
    );
    let found = mistakes(&plugin("batch={most=1,gather='6s',mots=3}"));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|mistake| mistake.starts_with("3:")), "{found:?}");
}

#[test]
fn a_secret_in_the_configuration_of_a_plugin_is_refused() {
    assert_eq!(
        mistakes("[plugins.p]\ncomponent='p.wasm'\nconfig={a='x${secret:s}'}"),
        ["3:13 `${secret:…}` can't stand here: this value is no secret and plugins or people can see it"]
    );
}
