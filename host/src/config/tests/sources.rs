//! `[[sources]]`: what may stand there, and what is said where it may not.

use super::*;

const HOOK: &str = "[[sources]]\nname='crm'\ntype='webhook'\nverify='none'\n";

fn webhook(more: &str) -> Webhook {
    let loaded = valid(&format!("{HOOK}{more}"));
    match &loaded.config.sources[0].kind {
        SourceKind::Webhook(webhook) => webhook.clone(),
        other => panic!("{other:?}"),
    }
}

fn errors(text: &str) -> Vec<String> {
    let problems = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.list,
    };
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message)).collect()
}

#[test]
fn a_webhook_has_defaults_that_most_senders_are_content_with() {
    let found = webhook("event-type='contact.changed'\n");
    assert_eq!(found.methods, ["POST"]);
    assert_eq!((found.max_size, found.max_file_size), (None, 64 << 10));
    assert_eq!((found.body, found.on_unreadable), (BodyForm::Auto, OnUnreadable::Keep));
    assert_eq!((found.answer, found.handshake), (Answer::Status(200), None));
}

#[test]
fn what_can_be_said_of_a_webhook_arrives() {
    let found = webhook(
        "event-type='call.missed'\nmethods=['GET','POST']\nmax-size='2MiB'\nbody='form'\nmax-file-size='0B'\n\
         answer={status=202,content-type='text/plain',body='ok'}\non-unreadable='refuse'\n\
         handshake={kind='cloudevents',origins=['EventGrid.azure.net'],rate=120}\n",
    );
    assert_eq!((found.methods, found.max_size, found.max_file_size), (vec!["GET".into(), "POST".into()], Some(2 << 20), 0));
    assert_eq!((found.body, found.on_unreadable), (BodyForm::Form, OnUnreadable::Refuse));
    assert_eq!(found.answer, Answer::Text { status: 202, content_type: "text/plain".into(), body: "ok".into() });
    assert_eq!(found.handshake, Some(Handshake::CloudEvents { origins: vec!["eventgrid.azure.net".into()], rate: Some(120) }));
    assert_eq!(webhook("event-type='a'\nanswer=204\n").answer, Answer::Status(204));
    assert_eq!(webhook("event-type='a'\nanswer='salesforce'\n").answer, Answer::SalesforceAck);
    assert_eq!(webhook("event-type='a'\nhandshake='slack'\n").handshake, Some(Handshake::Slack));
    assert_eq!(webhook("body='cloudevents'\n").body, BodyForm::CloudEvents);
}

#[test]
fn sources_are_part_of_the_revision_and_come_back_from_it() {
    let text = format!(
        "{HOOK}each='.body.items[]'\nevent={{type='${{ .item.kind }}',id='${{ .item.id }}',data='${{ .item }}'}}\n\
         answer={{content-type='text/plain',body='ok'}}\nhandshake={{kind='meta',token='${{secret:meta}}'}}\n"
    );
    let loaded = valid(&text);
    let again = parse_revision(
        loaded.revision_content(),
        Path::new("/etc/sangam"),
        &Outside { env: &|_| None, file: &|_| Err(io::ErrorKind::NotFound.into()) },
    );
    let again = again.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.revision_digest(), again.revision_digest());
    let source = &again.config.sources[0];
    assert_eq!((source.name.as_str(), source.uri().as_str(), source.kind.word()), ("crm", "/sources/crm", "webhook"));
    assert_eq!(source.shape.each.as_ref().map(|each| each.source()), Some("[.body.items[]\n]"));
    assert!(source.shape.event.is_some() && source.shape.event_type.is_none());
}

#[test]
fn mistakes_of_sources_are_shown_with_their_places() {
    let cases: &[(&str, &[&str])] = &[
        ("[[sources]]", &["1:1 `name` is missing in [[sources]]", "1:1 `type` is missing in [[sources]]"]),
        ("[[sources]]\nname='Crm'\ntype='webhok'", &["2:6 \"Crm\" can't be the name of a source", "3:6 `type` can't be \"webhok\""]),
        ("[sources]\nname='crm'", &["1:1 there may be many of these, so each begins with [[sources]]"]),
        (
            "[[sources]]\nname='crm'\ntype='webhook'",
            &["1:1 `verify` is missing in source `crm`", "1:1 nothing in source `crm` says of which type its events are"],
        ),
        (
            "[[sources]]\nname='crm'\ntype='webhook'\nverify='non'\nevent-type='a'\nevnt={}",
            &["4:8 `verify` can't be \"non\"", "6:1 unknown key `evnt` in source `crm`"],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='x'\n[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='x'",
            &["7:6 there is a source `a` already, on line 2"],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='x'\nevent={type='y',dta=1,id=7}\neach='.body['",
            &["5:1 `event-type` and the `type` of `event` both say of which type the events are"],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='${ .x }'\neach='${ .body[] }'",
            &[
                "5:12 `event-type` is one fixed type; write event = { type = \"${ … }\" } where it depends on what came",
                "6:6 `each` is an expression as a whole and needs no ${ … }",
            ],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='sangam.x'",
            &["5:12 types that begin with `sangam.` are the host's own"],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nuses='crn'\nstream='changes'\nevent-type='x'\nanswer=200\n[plugins.crm]\ncomponent='a.wasm'",
            &[
                "5:6 there is no plugin `crn`",
                "7:1 `event-type` means nothing here: the plugin says what the events are",
                "8:1 `answer` means nothing here: the plugin reads the body and says what is answered",
            ],
        ),
        (
            "[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nevent-type='x'\nhandshake='meta'\nmethods=[]\nanswer=404",
            &[
                "6:11 this handshake proves who asks with a token that you choose",
                "7:9 `methods` is an empty list, so that nothing could come in",
                "8:8 `answer` is 404, but must be from 200 to 299",
            ],
        ),
    ];
    for (text, expected) in cases {
        let found = errors(text);
        for line in *expected {
            assert!(found.iter().any(|found| found == line), "{text}\nlacks {line}\nhas {found:#?}");
        }
    }
}

#[test]
fn a_webhook_that_nobody_verifies_is_warned_of() {
    let found = mistakes(&format!("{HOOK}event-type='a'"));
    assert_eq!(found, ["4:8 nobody verifies what comes in here: whoever reaches this host can send events through this source"]);
}

#[test]
fn a_stream_is_held_against_what_its_plugin_says() {
    let stream = |poll, receive| StreamFacts { types: vec!["contact.*".into()], poll, receive };
    let facts = PluginFacts {
        config_schema: json!({}),
        streams: BTreeMap::from([("changes".to_owned(), stream(false, true)), ("leave".to_owned(), stream(true, false))]),
        ..PluginFacts::default()
    };
    let facts = BTreeMap::from([("crm".to_owned(), facts)]);
    let check = |stream: &str, emits: &str| {
        let loaded = valid(&format!(
            "[plugins.crm]\ncomponent='a.wasm'\nemits=[{emits}]\n[[sources]]\nname='a'\ntype='webhook'\nverify='none'\nuses='crm'\nstream='{stream}'"
        ));
        let line =
            |problem: Problem| format!("{}:{} {} ({})", problem.line, problem.column, problem.message, problem.help.unwrap_or_default());
        check_plugins(&loaded, &facts).into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(check("changes", "'contact.*'"), Vec::<String>::new());
    assert_eq!(check("change", "'contact.*'"), ["9:1 plugin `crm` has no stream `change` (did you mean `changes`?)"]);
    assert_eq!(check("leave", "'contact.*'"), ["9:1 stream `leave` of plugin `crm` takes no webhooks (write type = \"poll\")"]);
    assert_eq!(
        check("changes", "'case.opened'"),
        [
            "9:1 stream `changes` brings in events of type \"contact.*\", which plugin `crm` is not allowed to (if you agree, write emits = [\"case.opened\", \"contact.*\"] in [plugins.crm])"
        ]
    );
}
