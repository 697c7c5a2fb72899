//! Whole files in, problems or domain types out.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::*;

mod asked;
mod events;
mod grants;
mod journal;
mod limits;
mod lock;
mod mail;
mod outward;
mod plugins;
mod revisions;
mod sources;
mod texts;
mod trust;

/// Parses in the folder `/etc/sangam`, where `TOKEN` is `t0p`, the file `/etc/sangam/pw` holds `hunter2`, and `ca.pem` an authority's certificate.
fn read(text: &str) -> Result<Loaded, Problems> {
    let env = |name: &str| (name == "TOKEN").then(|| "t0p".to_owned());
    let file = |path: &Path| match path.to_str() {
        Some("/etc/sangam/pw") => Ok("hunter2\n".to_owned()),
        Some("/etc/sangam/reminder.txt") => Ok("Dear ${ .name },\nplease pay.\n".to_owned()),
        Some("/etc/sangam/broken.txt") => Ok("Dear\n${ .a )} x".to_owned()),
        Some("/etc/sangam/ca.pem") => Ok(include_str!("tests/authority.pem").to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    parse(text, "sangam.toml", Path::new("/etc/sangam"), &Outside { env: &env, file: &file })
}

fn valid(text: &str) -> Loaded {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every problem as `LINE:COLUMN message`.
fn mistakes(text: &str) -> Vec<String> {
    let list = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.list,
    };
    list.iter().map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message)).collect()
}

#[test]
fn every_mistake_of_a_file_is_shown_at_once() {
    let text = r#"[server]
lisen = "127.0.0.1:7070"
access = "opn"

[store]
retention = 30

[credentials.crm]
type = "bearer"
hosts = ["http://crm.example.com"]
token = "s3cr3t"

[plugins.crm]
component = "crm.wasm"
credentials = ["crn"]
limits = { memory = "64mb" }

[[routes]]
name = "Job Completed"
on = { type = "job.completed" }
when = '.event.data["größe"] ==) 1'

[[routes.steps]]
name = "case"
uses = "crn.resolve"
needs = ["invoice"]

[[routes.steps]]
name = "invoice"
uses = "crm.invoice"
timeout = "2 minutes"
repeat = { every = "3d" }
"#;
    let shown = read(text).expect_err("the file has mistakes").to_string();
    assert_eq!(shown, include_str!("tests/mistakes.txt"), "{shown}");
}

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let config = valid("").config;
    assert_eq!(config.server.listen, "127.0.0.1:7070".parse::<SocketAddr>().expect("an address"));
    assert_eq!(config.server.access, Access::Tokens);
    assert_eq!(config.server.max_event_size, 1 << 20);
    assert_eq!((config.server.max_backlog, config.server.max_waiting), (1_000_000, 10_000_000));
    assert_eq!(config.server.max_intake_memory, 64 << 20);
    assert_eq!(config.store.min_free_space, 64 << 20);
    assert_eq!(config.server.shutdown_grace, Duration::from_secs(20));
    let connections = &config.server.connections;
    assert_eq!((connections.most, connections.most_per_address, connections.max_header_size), (4096, 1024, 32 << 10));
    assert_eq!((connections.header_timeout, connections.body_timeout), (Duration::from_secs(30), Duration::from_secs(60)));
    assert_eq!((connections.wrong_tokens, connections.wrong_tokens_overall), (50, 1000));
    assert!(config.server.tls.is_none() && config.server.oidc.is_none() && connections.trusted_proxies.is_empty());
    assert_eq!(config.server.lease, Duration::from_secs(15));
    assert_eq!(config.store.url, "sqlite:///etc/sangam/data/sangam.db");
    assert_eq!(config.store.retention, Retention::For(Duration::from_secs(30 * 86_400)));
    assert_eq!(config.store.dead_letter_retention, Retention::Forever);
    assert_eq!(config.store.dedup_window, Duration::from_secs(90 * 86_400));
    assert_eq!(config.secrets, Secrets::File(PathBuf::from("/etc/sangam/sangam.key")));
}

#[test]
fn a_file_that_is_not_there_is_a_problem_like_others() {
    let problems = load(Path::new("/nowhere/sangam.toml")).expect_err("there is no such file");
    assert_eq!(
        problems.to_string(),
        "/nowhere/sangam.toml:1:1: error: can't read the configuration: No such file or directory (os error 2)\n   \
         help: `sangam init` writes a working one; `--config FILE` names another\n"
    );
}

#[test]
fn the_files_of_init_work() {
    let [(name, text), (event_name, event)] = init::files();
    assert_eq!((name, event_name), ("sangam.toml", "events/job-completed.json"));
    let loaded = valid(text);
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.server.access, Access::Open);
    assert_eq!(loaded.config.routes[0].steps[0].plugin, "http");
    let event: Value = serde_json::from_str(event).expect("the event is JSON");
    assert_eq!(event["type"], "job.completed");
}

#[test]
fn people_log_in_with_the_documented_defaults() {
    let oidc = valid("[server.oidc]\nissuer='https://l.example/realms/a'\nclient-id='s'\nroles={viewer='*',admin=['realm.roles:a:b']}\n");
    let oidc = oidc.config.server.oidc.expect("it is there");
    assert_eq!(oidc.issuer, "https://l.example/realms/a", "as it is written");
    assert_eq!(oidc.scopes, ["openid", "profile", "email"]);
    assert_eq!((oidc.session_idle, oidc.session_lifetime), (Duration::from_secs(8 * 3600), Duration::from_secs(24 * 3600)));
    let roles: Vec<String> = oidc.roles.iter().map(|(role, rules)| format!("{role} {}", rules[0])).collect();
    assert_eq!(roles, ["admin realm.roles:a:b", "viewer *"]);
}

#[test]
fn a_route_has_the_documented_defaults() {
    let loaded = valid(
        "[plugins.p]\ncomponent='builtin:http'\n[[routes]]\nname='r'\non={type=['a','b.*']}\n\
         steps=[{name='one',uses='p.x'},{name='two',uses='p.x'},{name='three',uses='p.x',needs=[]}]\n",
    );
    let route = &loaded.config.routes[0];
    assert_eq!((route.types.len(), route.sources.len()), (2, 0));
    assert_eq!(route.deadline, Duration::from_secs(7 * 86_400));
    assert_eq!(route.order_on_dead, OrderOnDead::Release);
    let needs: Vec<&[usize]> = route.steps.iter().map(|step| step.needs.as_slice()).collect();
    assert_eq!(needs, [&[][..], &[0], &[]]);
    let step = &route.steps[0];
    let retry = Retry { max_attempts: 8, initial: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(600), jitter: 0.2 };
    assert_eq!((step.retry, step.timeout), (retry, Duration::from_secs(120)));
    assert_eq!((step.on_failure, step.on_doubt), (OnFailure::DeadLetter, OnDoubt::Resend));
}

#[test]
fn mistakes_have_their_place() {
    let route = "[plugins.p]\ncomponent='builtin:http'\n[[routes]]\nname='r'\non={type='a'}\n";
    let cases: &[(&str, &[&str])] = &[
        ("[server]\nlisten='localhost:80'", &["2:8 `localhost:80` is not an address with a port"]),
        (
            "[server]\nlisten='0.0.0.0:80'\naccess='open'",
            &["3:8 `access = \"open\"` on 0.0.0.0:80 would let everyone in who reaches that address"],
        ),
        ("[server]\nlisten='0.0.0.0:80'", &["2:8 API tokens and events pass over the network in clear text"]),
        ("[server]\nlisten='0.0.0.0:80'\npublic-url='https://sangam.example'", &[]),
        ("[server]\nlisten='0.0.0.0:80'\ntrusted-proxies=['10.0.0.5']", &[]),
        (
            "[server]\naccess='open'\npublic-url='https://sangam.example'",
            &["2:8 `access = \"open\"` would let everyone in who reaches sangam.example, which `public-url` says leads here"],
        ),
        ("[server]\nforwarded-header='forwarded'", &["2:1 `forwarded-header` is read from trusted proxies only, and there are none"]),
        (
            "[server]\nheader-timeout='10ms'\nmax-header-size='1KiB'\nmax-connections=0",
            &[
                "2:16 `header-timeout` is 10ms, but must be from 1s to 1h",
                "3:17 `max-header-size` is 1KiB, but must be from 8KiB to 1MiB",
                "4:17 `max-connections` is 0, but must be from 1 to 1000000",
            ],
        ),
        (
            "[server.tls]\ncertificate='c.pem'",
            &["1:1 `key` is missing in [server.tls]", "2:13 can't read /etc/sangam/c.pem: entity not found"],
        ),
        (
            "[server.oidc]\nissuer='http://login.example'\nclient-id='sangam'\nclient-secret='hunter2'\nroles={admn=['*'],admin='groups'}",
            &[
                "2:8 `http://login.example` would send a secret unencrypted: write https://",
                "4:15 `client-secret` is a secret and can't stand in the file in clear text",
                "5:8 unknown key `admn` in `roles`",
                "5:25 `groups` says neither \"*\" nor claim and value, such as \"groups:sangam-admins\" or \"email:ann@acme.example\"",
            ],
        ),
        (
            "[server]\nlisten='0.0.0.0:80'\npublic-url='http://sangam.example'\n[server.oidc]\nissuer='https://l.example'\nclient-id='s'\nroles={admin='*'}",
            &[
                "2:8 API tokens and events pass over the network in clear text",
                "3:12 who logs in here would show the session to everyone on the way: this is not https",
                "7:14 everybody whom the provider lets in becomes an administrator",
            ],
        ),
        ("[server]\ntrusted-proxies=[]", &[]),
        ("[server]\ntrusted-proxies=['10.0.0.1', '10.1.0.0/16', 'fd00::/8']", &[]),
        (
            "[server]\ntrusted-proxies=['proxy', '0.0.0.0/0']",
            &[
                "2:18 `proxy` is no address or block of addresses: write \"10.0.0.5\" or \"10.0.0.0/24\"",
                "2:27 `0.0.0.0/0` trusts the whole world to say who it is",
            ],
        ),
        (
            "[server]\nmax-event-size='2MiB'\nmax-intake-memory='1MiB'",
            &["3:19 `max-intake-memory` is smaller than one event may be (2MiB)"],
        ),
        (
            "[plugins.p]\ncomponent='builtin:http'\ncanary={component='builtin:http',share=2}",
            &["3:8 `max-error-rate` is missing in `canary`", "3:40 `share` is 2, but must be from 0.0001 to 1"],
        ),
        ("[store]\nretention='120d'\ndedup-window='90d'", &["3:14 `dedup-window` (90d) is shorter than `retention` (120d)"]),
        ("[store]\nretention='120d'", &[]),
        ("[store]\nretention='forever'\ndedup-window='90d'", &[]),
        ("[store]\nurl='postgres://u@h/'", &["2:5 this URL names no database"]),
        ("[store]\nurl='postgres://u:secret@h:x/d'", &["2:5 this is not the URL of a database: invalid port number"]),
        ("[secrets]\nkey-file='k'\nkey-env='TOKEN'", &["3:1 `key-file` and `key-env` both say where the key is"]),
        ("[plugins.sangam]\ncomponent='builtin:http'", &["1:10 the plugin name `sangam` is reserved for the host's own steps"]),
        ("[plugins.Crm]\ncomponent='a.wasm'", &["1:10 \"Crm\" can't be the name of a plugin"]),
        ("[plugins.p]", &["1:1 `component` is missing in [plugins.p]"]),
        (
            "[plugins.p]\ncomponent='oci://x/y:1'",
            &["2:11 `oci://x/y:1` is not a reference to a registry: `x` is not the host of a registry: name it in full, such as \
               registry.example; write oci://registry.example/name:tag@sha256:… and 64 digits"],
        ),
        (
            "[registries.'r.example']\ntls=false\nusername='u'\npassword='p'\nallow-hosts=['http://10.0.0.1']\nstall='1s'",
            &[
                "2:5 without TLS anybody between here and r.example could read and change what passes",
                "4:10 `password` is a secret and can't stand in the file in clear text",
                "5:14 `http://10.0.0.1` would carry a login unencrypted",
                "6:1 unknown key `stall` in [registries.\"r.example\"]",
            ],
        ),
        (
            "[registries.example]\ntoken='${secret:t}'",
            &["1:13 `example` is not the host of a registry: name it in full, such as registry.example"],
        ),
        ("[registries.'r.example']\ntoken='${secret:t}'\nusername='u'", &["2:1 `token` and `username` both say who logs in"]),
        ("[plugins.p]\ncomponent='a.wasm'\n[plugins.p]\n", &["3:10 `p` is there already"]),
        (
            "a = \nb = 1\nc = ]",
            &[
                "1:5 this is not TOML: string values must be quoted, expected literal string",
                "3:5 this is not TOML: missing array opening, expected `[`",
            ],
        ),
        ("[[routes]]\nname='r'\non={type='a'}\nsteps=[]", &["4:7 this route has no steps, so that it would do nothing"]),
        ("[routes]\nname='r'", &["1:1 there may be many of these, so each begins with [[routes]]"]),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(text), *expected, "{text}");
    }
    let cases: &[(&str, &[&str])] = &[
        (
            "steps=[{name='a',uses='p.x',needs=['b']},{name='b',uses='p.x'}]",
            &["6:35 these steps wait for each other for ever: `a` needs `b` needs `a`"],
        ),
        ("steps=[{name='a',uses='p.x',needs=['a']}]", &["6:35 these steps wait for each other for ever: `a` needs `a`"]),
        ("steps=[{name='a',uses='p.x'},{name='a',uses='p.x'}]", &["6:36 there is a step `a` already, on line 6"]),
        ("steps=[{name='a',uses='p'}]", &["6:23 \"p\" does not name an action"]),
        ("steps=[{name='a',uses='p.x',with={s='${ .steps.b.output }'}}]", &["6:48 there is no step `b` in this route"]),
        (
            "steps=[{name='a',uses='p.x'},{name='b',uses='p.x',needs=[],when='.steps.a.output'}]",
            &["6:73 step `a` need not have run before this, so that its output may be null"],
        ),
        ("steps=[{name='a',uses='p.x',when='${ .event }'}]", &["6:34 `when` is an expression as a whole and needs no ${ … }"]),
        (
            "when='.steps.a.output'\nsteps=[{name='a',uses='p.x'}]",
            &["6:14 no step has run yet when this is asked, so that `a` has no output"],
        ),
        (
            "steps=[{name='a-b',uses='p.x'},{name='c',uses='p.x',when='.steps.a-b.output'}]",
            &["6:66 there is no step `a` in this route", "6:68 this expression does not compile: there is no function `b`"],
        ),
        ("steps=[{name='a-b',uses='p.x'},{name='c',uses='p.x',when='.steps[\"a-b\"].output'}]", &[]),
        ("steps=[{name='a',uses='p.x',when='.event.data.steps.x'}]", &[]),
        (
            "redact=['.event.data[0]']\nsteps=[{name='a',uses='p.x'}]",
            &["6:9 \".event.data[0]\" is not a path: write it such as \".event.data.customer.email\""],
        ),
        ("order-while-waiting=true\nsteps=[{name='a',uses='p.x'}]", &["6:1 `order-while-waiting` means nothing without `order-by`"]),
        ("steps=[{name='a',uses='sangam.wait',with={for='1d'}},{name='b',uses='sangam.emit',with={type='t'}}]", &[]),
        (
            "steps=[{name='a',uses='sangam.wait',with={event={type='t',where='.event.x ==) 1'}}}]",
            &["6:77 this expression does not compile: `)` means nothing in jq here"],
        ),
        (
            "steps=[{name='a',uses='sangam.wait',with={event={type='t',where='${ .event.x }'}}}]",
            &["6:65 `where` is an expression as a whole and needs no ${ … }"],
        ),
        ("steps=[{name='a',uses='p.x',repeat={until='.output.done',every='3d',max=5}}]", &[]),
        ("steps=[{name='a',uses='p.x'},{name='b',uses='p.x',repeat={event={type='t'},every='3d',max=5,look=['a']}}]", &[]),
        (
            "steps=[{name='a',uses='p.x'},{name='b',uses='p.x'},{name='c',uses='p.x',repeat={until='.output',every='3d',max=5,look=['a']}}]",
            &["6:120 `look` names a step that this one does not need itself: `a`"],
        ),
        (
            "steps=[{name='a',uses='p.x',repeat={until='.output',every='3d',max=5,look=['b'],event={type='t.*'}}}]",
            &["6:76 there is no step `b` in this route", "6:93 \"t.*\" is no type: types that are waited for are compared exactly"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(&format!("{route}{text}")), *expected, "{text}");
    }
}

#[test]
fn the_place_of_a_jq_mistake_is_found_in_every_kind_of_string() {
    let bad = |string: &str| {
        let text = format!(
            "[plugins.p]\ncomponent='builtin:http'\n[[routes]]\nname='r'\non={{type='a'}}\nwhen={string}\nsteps=[{{name='a',uses='p.x'}}]"
        );
        mistakes(&text).first().map(|line| line.split_once(' ').map_or("", |(place, _)| place).to_owned())
    };
    for (string, place) in [
        ("'.[\"ö\"] ==) 1'", "6:16"),
        ("\".a ==) 1\"", "6:12"),
        (r#"".a == \"x\" and .b ==) 1""#, "6:28"),
        (r#"".[\"\u00f6\"] ==) 1""#, "6:23"),
        ("'''\n.a\n  ==) 1'''", "8:5"),
        ("\"\"\"\n.a \\\n  ==) 1\"\"\"", "8:5"),
    ] {
        assert_eq!(bad(string).as_deref(), Some(place), "{string}");
    }
}
