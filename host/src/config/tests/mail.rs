//! `[mail.NAME]`, `[templates.NAME]`, `quiet`.

use super::*;

const RELAY: &str = "[mail.office]\nhost='smtp.acme.example'\nfrom='Acme <office@acme.example>'\n";

#[test]
fn a_relay_has_defaults_that_keep_to_tls() {
    let relay = valid(RELAY).config.mail["office"].clone();
    assert_eq!((relay.port, relay.tls, relay.login.clone(), relay.max_recipients), (587, RelayTls::StartTls, None, 100));
    assert_eq!((relay.url(), relay.origin()), ("smtp://smtp.acme.example:587".to_owned(), "https://smtp.acme.example:587".to_owned()));
    assert_eq!(valid(&format!("{RELAY}tls='implicit'")).config.mail["office"].port, 465);
    let local = valid("[mail.m]\nhost='::1'\ntls='none'\nfrom='a@b.example'\nrate-limit={messages=30,per='1m'}");
    let relay = &local.config.mail["m"];
    assert_eq!((relay.url(), relay.rate_limit.map(|rate| rate.requests)), ("smtp://[::1]:25".to_owned(), Some(30)));
}

#[test]
fn a_relays_password_is_a_credential_that_goes_nowhere_else() {
    let loaded = valid(&format!("{RELAY}username='office'\npassword='${{secret:mail}}'"));
    let credential = &loaded.config.credentials["mail/office"];
    assert_eq!(credential.hosts, ["https://smtp.acme.example:587"]);
    assert!(matches!(credential.kind, CredentialKind::Basic { .. }));
    assert_eq!(loaded.config.mail["office"].login.as_ref().map(|login| login.credential.as_str()), Some("mail/office"));
    let content = loaded.revision_content().to_string();
    assert!(content.contains("${secret:mail}"), "{content}");
    // No plugin may have it.
    let granted = mistakes(&format!(
        "{RELAY}username='o'\npassword='${{env:TOKEN}}'\n[plugins.p]\ncomponent='builtin:http'\ncredentials=['mail/office']"
    ));
    assert_eq!(granted, ["8:14 there is no credential `mail/office`"]);
}

#[test]
fn a_token_goes_to_a_relay_that_its_credential_names() {
    let credential =
        |host: &str| format!("[credentials.c]\ntype='bearer'\nhosts=['{host}']\ntoken='${{env:TOKEN}}'\n{RELAY}credential='c'\n");
    let login = valid(&credential("https://smtp.acme.example:587")).config.mail["office"].login.clone();
    assert_eq!(login, Some(RelayLogin { credential: "c".to_owned(), username: None }));
    assert_eq!(mistakes(&credential("https://smtp.acme.example")), ["8:12 credential `c` may not go to this relay"]);
    assert_eq!(mistakes(&format!("{RELAY}credential='d'")), ["4:12 there is no credential `d`"]);
}

#[test]
fn what_is_wrong_with_a_relay_is_said_in_its_place() {
    for (text, expected) in [
        ("[mail.m]\nhost='h.example'", "1:1 `from` is missing in [mail.m]"),
        (
            "[mail.m]\nhost='h.example'\nfrom='a@b.example'\ntls='none'",
            "2:6 without TLS anybody between here and h.example could read what passes",
        ),
        ("[mail.m]\nhost='smtp://h.example'\nfrom='a@b.example'", "2:6 \"smtp://h.example\" is not the name of a host"),
        (
            "[mail.m]\nhost='h.example'\nfrom='a@b.example\\r\\n'",
            "3:6 \"a@b.example\\\\r\\\\n\" is not an address: after the `@` belongs the name of a domain",
        ),
        ("[mail.m]\nhost='h.example'\nfrom='a@b.example'\npasword='x'", "4:1 unknown key `pasword` in [mail.m]"),
        (
            "[mail.m]\nhost='h.example'\nfrom='a@b.example'\nusername='u'\npassword='x'",
            "5:10 `password` is a secret and can't stand in the file in clear text",
        ),
        (
            "[mail.m]\nhost='h.example'\nfrom='a@b.example'\nallow-to=['*acme.example']",
            "4:11 \"*acme.example\" is no pattern for addresses: write one address, or a domain with `*@` before it",
        ),
        ("[mail.m]\nhost='h.example'\nfrom='a@b.example'\nmax-recipients=0", "4:16 `max-recipients` is 0, but must be from 1 to 10000"),
        ("[mail.m]\nhost='h.example'\nfrom='a@b.example'\nhello='a b'", "4:7 \"a b\" is not the name of a host"),
    ] {
        assert_eq!(mistakes(text), [expected], "{text}");
    }
    let shown = read("[mail.m]\nhost='h.example'\nfrom='a@b.example'\npasword='s3cr3t'").expect_err("a slip").to_string();
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn addresses_are_let_through_by_domain_and_in_any_case() {
    let relay = valid(&format!("{RELAY}allow-to=['*@ACME.example','*@*.b.example','Boss@c.example']")).config.mail["office"].clone();
    let allowed = relay.allow_to.clone().expect("there is a list");
    let fits = |address: &str| allowed.iter().any(|pattern| pattern.matches(address));
    assert!(fits("anna@acme.example") && fits("x@a.b.example") && fits("boss@c.example"));
    assert!(!fits("anna@evilacme.example") && !fits("x@b.example") && !fits("other@c.example"));
}

#[test]
fn a_template_is_text_in_the_file_or_beside_it_in_several_languages() {
    let loaded = valid(
        "[templates.reminder]\nsubject='Invoice ${ .number }'\ntext={file='reminder.txt'}\n[templates.reminder.de]\nsubject='Rechnung ${ .number }'\n\
         [templates.reminder.de-AT]\ntext='Servus'\n",
    );
    let template = &loaded.config.templates["reminder"];
    let nearest = template.nearest("de_AT");
    assert_eq!(
        nearest.iter().map(|texts| (texts.subject.is_some(), texts.text.is_some())).collect::<Vec<_>>(),
        [(false, true), (true, false), (true, true)]
    );
    assert_eq!(template.nearest("fr").len(), 1);
    let content = loaded.revision_content();
    assert_eq!(content["templates"]["reminder"]["text"], "Dear ${ .name },\nplease pay.", "a revision holds its templates");
    let again = parse_revision(content, Path::new("/nowhere"), &Outside { env: &|_| None, file: &|_| Err(io::ErrorKind::NotFound.into()) });
    assert_eq!(again.expect("it reads back").config.templates["reminder"].languages.len(), 2);
}

#[test]
fn what_is_wrong_with_a_template_is_found_before_a_mail_is_due() {
    for (text, expected) in [
        ("[templates.t]\nsubject='x'", "1:12 template `t` says nothing"),
        ("[templates.t]\ntext='${ .a | }'", "2:15 this expression does not compile: expected a filter, found nothing"),
        ("[templates.t]\ntext='a'\ntxt='b'", "3:1 unknown key `txt` in [templates.t]"),
        ("[templates.t]\ntext={file='none.txt'}", "2:12 can't read the template /etc/sangam/none.txt: entity not found"),
        (
            "[templates.t]\ntext={file='broken.txt'}",
            "2:12 an expression at /etc/sangam/broken.txt:2:7 does not compile: this is not a token: )",
        ),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let (place, _) = expected.split_once(": ").unwrap_or((expected, ""));
        assert!(found[0].starts_with(place), "{text}: {found:?}");
    }
}

#[test]
fn a_step_that_mails_names_a_relay_and_a_template_that_are_there() {
    let step = |with: &str| {
        format!("[[routes]]\nname='r'\non={{type='a'}}\n[[routes.steps]]\nname='m'\nuses='sangam.mail'\nwith={{to='a@b.example'{with}}}\n")
    };
    let found =
        |text: &str| mistakes(text).into_iter().filter(|line| line.contains("relay") || line.contains("template")).collect::<Vec<_>>();
    assert_eq!(found(&step("")), ["6:6 there is no relay that this mail could leave through"]);
    assert_eq!(found(&format!("{RELAY}{}", step(",relay='offise'"))), ["10:30 there is no relay `offise`"]);
    assert_eq!(found(&format!("{RELAY}{}", step(",template='t'"))), ["10:33 there is no template `t`"]);
    let two = format!("{RELAY}{}", RELAY.replace("office]", "other]"));
    assert_eq!(found(&format!("{two}{}", step(""))), ["12:6 there are several relays (office, other), and this step names none"]);
    assert!(found(&format!("{RELAY}{}", step(",relay='${ .event.data.relay }'"))).is_empty());
}

#[test]
fn quiet_hours_are_read_and_what_would_never_end_is_refused() {
    let step = |quiet: &str| {
        format!(
            "[plugins.p]\ncomponent='builtin:http'\n[[routes]]\nname='r'\non={{type='a'}}\n[[routes.steps]]\nname='a'\nuses='p.x'\nquiet={quiet}\n"
        )
    };
    let loaded = valid(&step("{from='20:00',to='08:00',time-zone='Europe/Berlin',days=['sat','sun'],holidays=['12-25',2026-04-06]}"));
    let quiet = loaded.config.routes[0].steps[0].quiet.clone().expect("it has quiet hours");
    assert_eq!((quiet.days.len(), quiet.holidays.len(), quiet.hours.is_some()), (2, 2, true));
    for (text, expected) in [
        ("{from='20:00',to='08:00'}", "`time-zone` is missing in `quiet`"),
        ("{from='20:00',time-zone='UTC'}", "`from` and `to` belong together"),
        ("{from='8',to='20:00',time-zone='UTC'}", "\"8\" is no time of day"),
        ("{from='08:00',to='08:00',time-zone='UTC'}", "`from` and `to` are the same time"),
        ("{from='20:00',to='08:00',time-zone='Berlin'}", "\"Berlin\" is no time zone"),
        ("{time-zone='UTC'}", "nothing is quiet here"),
        ("{time-zone='UTC',days=['mon','tue','wed','thu','fri','sat','sun']}", "every day of the week is quiet"),
        ("{time-zone='UTC',days=['monday']}", "`days` can't be \"monday\""),
        ("{time-zone='UTC',holidays=['25.12.']}", "\"25.12.\" is no day"),
        ("{from='20:00',to='08:00',time-zone='UTC',form='x'}", "unknown key `form` in `quiet`"),
    ] {
        let found = mistakes(&step(text));
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
}
