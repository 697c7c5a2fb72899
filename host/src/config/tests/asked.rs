//! What plugins ask for against what they are granted.

use super::*;

fn facts() -> PluginFacts {
    PluginFacts {
        name: "salesforce".into(),
        version: "1.0.0".into(),
        config_schema: json!({ "properties": { "instance": { "type": "string" } } }),
        hosts: vec!["${instance}/services".into(), "https://login.example.com".into()],
        read_only: vec!["POST /query".into()],
        emits: None,
        sends: true,
        streams: BTreeMap::new(),
        actions: BTreeMap::new(),
    }
}

/// Every problem as `LINE:COLUMN severity message / help`; the plugin's keys begin on line 3.
fn found(keys: &str, facts: PluginFacts) -> Vec<String> {
    let loaded = valid(&format!("[plugins.crm]\ncomponent='c.wasm'\n{keys}\n"));
    let problems = check_grants(&loaded, &BTreeMap::from([("crm".to_owned(), facts)]));
    let show = |problem: Problem| {
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        format!("{}:{} {severity} {} / {}", problem.line, problem.column, problem.message, problem.help.unwrap_or_default())
    };
    problems.into_iter().map(show).collect()
}

const GRANTED: &str = "allow-hosts=['https://a.example.com','https://login.example.com']\nread-only=['POST /query']\nconfig={instance='https://a.example.com'}";

#[test]
fn what_is_asked_for_and_granted_is_fine() {
    assert_eq!(found(GRANTED, facts()), Vec::<String>::new());
}

#[test]
fn more_than_is_granted_is_refused_with_the_line_to_write() {
    assert_eq!(
        found(&GRANTED.replace("config={instance='https://a.", "config={instance='https://b."), facts())[0],
        "3:1 error plugin `crm` expects to reach https://b.example.com, which it is not allowed to / if you agree, write allow-hosts = \
         [\"https://a.example.com\", \"https://login.example.com\", \"https://b.example.com\"]; if it is to go without, write declines = \
         [\"https://b.example.com\"]"
    );
    assert_eq!(
        found(&GRANTED.replace("read-only=['POST /query']\n", ""), facts()),
        ["1:10 error plugin `crm` says that `POST /query` only reads; unless you agree it counts as a write / if you agree, write \
         read-only = [\"POST /query\"]; if it is to go without, write declines = [\"POST /query\"]"]
    );
    let emitting = |emits: &[&str]| PluginFacts { emits: Some(emits.iter().map(|kind| (*kind).to_owned()).collect()), ..facts() };
    assert_eq!(
        found(&format!("{GRANTED}\nemits=['job.*']"), emitting(&["job.done", "job.*", "case.closed"])),
        ["6:1 error plugin `crm` brings in events of type `case.closed`, which it is not allowed to / if you agree, write emits = \
         [\"job.*\", \"case.closed\"]; if it is to go without, write declines = [\"case.closed\"]"]
    );
    assert!(found(&format!("{GRANTED}\nemits=['job.done']"), emitting(&["job.*"]))[0].contains("`job.*`"), "a pattern needs a pattern");
}

#[test]
fn what_a_value_of_the_configuration_would_say_is_not_guessed() {
    let keys = "allow-hosts=['https://login.example.com']\nread-only=['POST /query']\nconfig={instance=''}";
    assert_eq!(found(keys, facts()), Vec::<String>::new());
}

#[test]
fn a_plugin_may_go_without_what_it_asks_for() {
    let keys = "allow-hosts=['https://login.example.com']\nconfig={instance='https://a.example.com'}\n";
    let declines = "declines=['https://a.example.com','POST /query']";
    assert_eq!(found(&format!("{keys}{declines}"), facts()), Vec::<String>::new());
    assert_eq!(
        found(&format!("{keys}declines=['https://a.example.com','POST /query','https://login.example.com','POST /qery']"), facts()),
        [
            "5:49 error `https://login.example.com` is granted to plugin `crm` all the same / take it out of `declines`, or out of what is granted",
            "5:77 warning plugin `crm` does not ask for `POST /qery` / did you mean `POST /query`?",
        ]
    );
}

#[test]
fn what_is_granted_and_never_asked_for_is_said() {
    let keys = GRANTED.replace("login.example.com']", "login.example.com','https://*.example.com','https://evil.example']");
    assert_eq!(
        found(&keys.replace("['POST /query']", "['POST /query','POST /write']"), facts()),
        [
            "3:66 warning https://*.example.com is more than plugin `crm` asks for / it asks for https://a.example.com, https://login.example.com",
            "3:90 warning https://evil.example is granted but never asked for / plugin `crm` asks for https://a.example.com, https://login.example.com; take it out",
            "4:26 warning `POST /write` is granted but never asked for / plugin `crm` does not say that it only reads; take it out",
        ]
    );
    let silent = PluginFacts { hosts: Vec::new(), read_only: Vec::new(), ..facts() };
    assert_eq!(found("allow-hosts=['https://anywhere.example']\nemits=['x']", silent.clone()), Vec::<String>::new(), "it does not say");
    let deaf = PluginFacts { sends: false, emits: Some(Vec::new()), ..silent };
    assert_eq!(
        found("allow-hosts=['https://anywhere.example']\nemits=['x']", deaf),
        ["3:1 warning `allow-hosts` is granted but never asked for / plugin `crm` sends no requests; take it out"]
    );
}

#[test]
fn a_canary_gets_no_more_than_the_plugin() {
    let loaded =
        valid(&format!("[plugins.crm]\ncomponent='c.wasm'\n{GRANTED}\ncanary={{component='d.wasm',share=0.5,max-error-rate=0.1}}\n"));
    let canary = PluginFacts { hosts: vec!["https://evil.example".into()], ..facts() };
    let problems = check_grants(&loaded, &BTreeMap::from([("crm".to_owned(), facts()), ("crm/canary".to_owned(), canary)]));
    let messages: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
    assert_eq!(messages, ["the canary of plugin `crm` expects to reach https://evil.example, which it is not allowed to"]);
}
