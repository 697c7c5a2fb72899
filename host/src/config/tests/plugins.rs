//! Files against what plugins say of themselves.

use super::*;

fn facts() -> BTreeMap<String, PluginFacts> {
    let input = json!({
        "type": "object",
        "required": ["case_id"],
        "additionalProperties": false,
        "properties": {
            "case_id": {"type": "string"},
            "count": {"type": "integer"},
            "status": {"$ref": "#/$defs/status"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "$defs": {"status": {"enum": ["open", "closed"]}},
    });
    let action = ActionFacts { input, ..ActionFacts::default() };
    let facts = PluginFacts {
        name: "salesforce".into(),
        version: "1.0.0".into(),
        config_schema: json!({
            "type": "object",
            "required": ["instance"],
            "additionalProperties": false,
            "properties": {"instance": {"type": "string"}, "api-version": {"type": "string", "pattern": "^v[0-9]+"}},
        }),
        hosts: vec!["${instance}/services".into(), "https://login.example.com".into()],
        read_only: vec!["POST /crm/*/search".into()],
        emits: None,
        sends: true,
        streams: BTreeMap::new(),
        actions: BTreeMap::from([("resolve-case".to_owned(), action)]),
    };
    BTreeMap::from([("crm".to_owned(), facts)])
}

fn found(plugin: &str, step: &str) -> Vec<String> {
    let text = format!(
        "[plugins.crm]\ncomponent='c.wasm'\nallow-hosts=['https://a.example.com','https://login.example.com']\n\
         read-only=['POST /crm/*/search']\n{plugin}\n[[routes]]\nname='r'\non={{type='a'}}\n[[routes.steps]]\nname='s'\n{step}\n"
    );
    let loaded = valid(&text);
    let mut list = check_plugins(&loaded, &facts());
    list.extend(check_grants(&loaded, &facts()));
    let problems = loaded.problems(list);
    let show = |problem: &Problem| {
        let help = problem.help.as_ref().map(|help| format!(" / {help}")).unwrap_or_default();
        format!("{}:{} {}{help}", problem.line, problem.column, problem.message)
    };
    problems.list.iter().map(show).collect()
}

const GOOD_PLUGIN: &str = "config={instance='https://a.example.com'}";
const GOOD_STEP: &str = "uses='crm.resolve-case'\nwith={case_id='${ .event.data.id }',count='${ .event.data.n }',tags=['x']}";

#[test]
fn gathering_for_a_plugin_that_takes_one_run_at_a_time_is_pointed_out() {
    let found = found(&format!("{GOOD_PLUGIN}\nbatch={{most=5}}"), GOOD_STEP);
    assert_eq!(found, ["6:1 plugin `crm` has no action that takes several runs at once: `batch` changes nothing"]);
}

#[test]
fn what_fits_passes() {
    assert_eq!(found(GOOD_PLUGIN, GOOD_STEP), Vec::<String>::new());
    assert_eq!(found(GOOD_PLUGIN, "uses='crm.resolve-case'"), Vec::<String>::new());
    assert_eq!(found(GOOD_PLUGIN, "uses='crm.resolve-case'\nwith='${ .event.data }'"), Vec::<String>::new());
}

#[test]
fn a_configuration_fits_the_schema() {
    let plugin = "[plugins.crm.config]\ninstance='https://a.example.com'\napi-versio='v66'\napi-version='66'";
    assert_eq!(
        found(plugin, GOOD_STEP),
        [
            "7:1 plugin `crm` does not take this as `api-versio`: `api-versio` is not known here / did you mean `api-version`?",
            "8:1 plugin `crm` does not take this as `api-version`: value does not match \"^v[0-9]+\"",
        ]
    );
    assert_eq!(found("", GOOD_STEP), ["1:10 plugin `crm` does not take this as `config`: `instance` is missing"]);
}

#[test]
fn an_input_fits_the_schema_as_far_as_can_be_told() {
    let with = |with: &str| found(GOOD_PLUGIN, &format!("uses='crm.resolve-case'\nwith={with}"));
    let says = |text: &str| vec![text.to_owned()];
    assert_eq!(with("{}"), says("12:1 `crm.resolve-case` does not take this: `case_id` is missing"));
    assert_eq!(
        with("{case_id='1',coutn=2}"),
        says("12:19 `crm.resolve-case` does not take this: `coutn` is not known here / did you mean `count`?")
    );
    assert_eq!(with("{case_id=1}"), says("12:7 `crm.resolve-case` does not take this: it must be string, but this is a number"));
    assert_eq!(
        with("{case_id='1',count='${ .a } pieces'}"),
        says("12:19 `crm.resolve-case` does not take this: it must be integer, but this is a string")
    );
    assert_eq!(
        with("{case_id='1',status='shut'}"),
        says("12:19 `crm.resolve-case` does not take this: it must be one of \"open\", \"closed\"")
    );
    assert_eq!(
        with("{case_id='1',tags=['a',2]}"),
        says("12:29 `crm.resolve-case` does not take this: it must be string, but this is a number")
    );
}

#[test]
fn unknown_actions_are_found() {
    assert_eq!(
        found(GOOD_PLUGIN, "uses='crm.resolv-case'"),
        ["11:1 plugin `crm` has no action `resolv-case` / did you mean `resolve-case`?"]
    );
}

#[test]
fn an_undo_that_cannot_be_complete_names_what_stays() {
    let step = |name: &str, uses: &str, rest: &str| format!("[[routes.steps]]\nname='{name}'\nuses='crm.{uses}'\n{rest}\n");
    let with = "with={case_id='x'}";
    let text = format!(
        "[plugins.crm]\ncomponent='c.wasm'\nallow-hosts=['https://a.example.com','https://login.example.com']\n\
         read-only=['POST /crm/*/search']\n{GOOD_PLUGIN}\n[[routes]]\nname='r'\non={{type='a'}}\n{}{}{}",
        step("a", "resolve-case", with),
        step("b", "undoable", &format!("{with}\non-failure='undo'")),
        step("c", "resolve-case", with),
    );
    let loaded = valid(&text);
    let mut facts = facts();
    let crm = facts.get_mut("crm").expect("it is there");
    let undoable = ActionFacts { undo: Some("resolve-case".to_owned()), ..crm.actions["resolve-case"].clone() };
    crm.actions.insert("undoable".to_owned(), undoable);
    let problems = check_plugins(&loaded, &facts);
    let shown: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
    // `c` needs `b`, so it has not begun when `b` fails.
    assert_eq!(shown, ["not everything can be undone: no undo action is declared for `a` (crm.resolve-case)"]);
    assert_eq!(problems[0].severity, Severity::Warning);
}

#[test]
fn a_canary_undoes_like_the_component_it_may_replace() {
    let action = |undo: Option<&str>| ActionFacts { input: json!({}), undo: undo.map(str::to_owned), ..ActionFacts::default() };
    let component = |actions: &[(&str, Option<&str>)]| PluginFacts {
        name: "crm".into(),
        config_schema: json!({}),
        actions: actions.iter().map(|(name, undo)| ((*name).to_owned(), action(*undo))).collect(),
        ..PluginFacts::default()
    };
    let said = |on_failure: &str, canary: &[(&str, Option<&str>)]| {
        let loaded = valid(&format!(
            "[plugins.crm]\ncomponent='c.wasm'\ncanary={{component='d.wasm',share=0.5,max-error-rate=0.1}}\n\
             [[routes]]\nname='r'\non={{type='a'}}\n[[routes.steps]]\nname='s'\nuses='crm.make'\n[[routes.steps]]\nname='t'\nuses='crm.look'\n\
             on-failure='{on_failure}'\n"
        ));
        let stable = component(&[("make", Some("unmake")), ("unmake", None), ("look", None)]);
        let facts = BTreeMap::from([("crm".to_owned(), stable), ("crm/canary".to_owned(), component(canary))]);
        let found = check_plugins(&loaded, &facts).into_iter().filter(|problem| problem.message.contains("canary"));
        found.map(|problem| (problem.severity, problem.message)).collect::<Vec<_>>()
    };
    let same: &[_] = &[("make", Some("unmake")), ("unmake", None), ("look", None)];
    assert_eq!(said("undo", same), []);
    let none = said("undo", &[("make", None), ("unmake", None), ("look", None)]);
    assert_eq!(
        none,
        [(Severity::Error, "the canary of plugin `crm` declares no undo of `make`, which `unmake` undoes otherwise".to_owned())]
    );
    let other: &[_] = &[("make", Some("revoke")), ("revoke", None), ("unmake", None), ("look", None)];
    let why = "the canary of plugin `crm` undoes `make` by `revoke` and not by `unmake`; an undo calls `unmake` of it".to_owned();
    assert_eq!(said("undo", other), [(Severity::Error, why.clone())]);
    assert_eq!(said("continue", other), [(Severity::Warning, why)], "nobody undoes");
    // Without the action itself, which no step uses, it is a reason too.
    let gone = said("undo", &[("make", Some("unmake")), ("look", None)]);
    let why = "the canary of plugin `crm` has no action `unmake`, which undoes `make`".to_owned();
    assert!(gone.contains(&(Severity::Error, why)), "{gone:?}");
}
