//! `[nats.NAME]` and `[webhooks.NAME]`: what may stand there, and what is said where it may not.

use super::*;

fn errors(text: &str) -> Vec<String> {
    let problems = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.list,
    };
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.message).collect()
}

#[test]
fn a_password_leaves_this_machine_over_tls_only() {
    for (server, login, needs) in [
        ("nats://127.0.0.1:4222", "token='${secret:t}'", false),
        ("nats://localhost:4222", "user='u'\npassword='${secret:t}'", false),
        ("nats://nats.example:4222", "token='${secret:t}'", true),
        ("nats://nats.example:4222", "nkey='${secret:t}'", false),
        ("nats://nats.example:4222", "", false),
        ("tls://nats.example:4222", "", true),
    ] {
        let loaded = valid(&format!("[nats.bus]\nservers=['{server}']\n{login}\n"));
        assert_eq!(loaded.config.nats["bus"].tls_required, needs, "{server} {login}");
    }
}

#[test]
fn mistakes_about_nats_servers_are_named() {
    for (text, said) in [
        ("servers=[]", "1 to 64 servers"),
        ("servers=['http://x:1']", "neither nats nor tls"),
        ("servers=['nats://u:p@x:1']", "can't hold a user or password"),
        ("servers=['nats://x:1/path']", "scheme, host and port alone"),
        ("servers=['nats://x:1']\ntoken='in clear text'", "can't stand in the file in clear text"),
        ("servers=['nats://x:1']\ntoken='${secret:t}'\nnkey='${secret:n}'", "two ways"),
        ("servers=['nats://x:1']\npassword='${secret:t}'", "`password` without `user`"),
        ("servers=['nats://x:1']\ntoken='${secret:t}'\nlogin='x'", "unknown key `login`"),
    ] {
        let found = errors(&format!("[nats.bus]\n{text}\n"));
        assert!(found.iter().any(|message| message.contains(said)), "{text}: {found:?}");
        assert!(!found.iter().any(|message| message.contains("in clear text'")), "{found:?}");
    }
}

#[test]
fn an_endpoint_has_the_documented_defaults_and_a_route_of_its_own() {
    let loaded = valid("[webhooks.acme]\nurl='https://acme.example/hooks'\nsecret='${secret:acme}'\n");
    let found = &loaded.config.webhooks["acme"];
    assert_eq!((found.format, found.ordered, found.timeout), (SubscriberFormat::StandardWebhooks, true, Duration::from_secs(20)));
    assert_eq!((found.disable_after, found.retry.max_attempts), (Some(Duration::from_secs(5 * 24 * 3600)), 8));
    assert!(found.wants("anything"));
    let route = loaded.config.routes.iter().find(|route| route.name == "sangam.webhooks.acme").expect("its route");
    assert!(route.order_by.is_some() && route.steps.len() == 1);
    assert_eq!((route.steps[0].plugin.as_str(), route.steps[0].action.as_str()), ("sangam", "deliver"));
    assert_eq!(route.deadline, Duration::from_secs(30 * 24 * 3600));
    // The same from the stored revision, in which no route of that name stands.
    let again = parse_revision(
        loaded.revision_content(),
        Path::new("/etc/sangam"),
        &Outside { env: &|_| None, file: &|_| Err(io::ErrorKind::NotFound.into()) },
    )
    .expect("a stored revision");
    assert_eq!(again.config.webhooks, loaded.config.webhooks);
    assert!(again.config.routes.iter().any(|route| route.name == "sangam.webhooks.acme"));
    let side_by_side = valid("[webhooks.a]\nurl='https://a.example'\nformat='cloudevents'\nordered=false\ndisable-after='never'\n");
    assert!(side_by_side.config.routes[0].order_by.is_none());
}

#[test]
fn mistakes_about_endpoints_are_named() {
    for (text, said) in [
        ("secret='${secret:s}'", "`url` is missing"),
        ("url='https://x.example'", "nothing to sign with"),
        ("url='http://x.example'\nsecret='${secret:s}'", "unencrypted"),
        ("url='https://u:p@x.example'\nsecret='${secret:s}'", "neither user and password"),
        ("url='https://x.example'\nsecret='whsec_aaaa'", "can't stand in the file in clear text"),
        ("url='https://x.example'\nsecret=[]", "1 to 8"),
        ("url='https://x.example'\nsecret='${secret:s}'\nheaders={webhook-id='x'}", "can't be set"),
        ("url='https://x.example'\nsecret='${secret:s}'\nformat='xml'", "format"),
        ("url='https://x.example'\nsecret='${secret:s}'\nretries=3", "unknown key `retries`"),
    ] {
        let found = errors(&format!("[webhooks.acme]\n{text}\n"));
        assert!(found.iter().any(|message| message.contains(said)), "{text}: {found:?}");
        assert!(!found.iter().any(|message| message.contains("aaaa")), "{found:?}");
    }
}
