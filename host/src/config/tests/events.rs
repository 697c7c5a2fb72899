//! `[[events]]`, and how long a route keeps its events.

use super::*;

const RULES: &str = r#"
[[events]]
type = ["job.*", "visit.completed"]
source = "/field-service/*"
schema = { json = '{"properties": {"customer": {"properties": {"id": {"x-subject": true}, "email": {"x-personal": true}, "odd": {"enum": [null]}}}}}' }
personal = [".data.customer.email", ".subject"]
subject = [".data.customer.id"]
"#;

#[test]
fn what_is_marked_is_known_and_comes_back_from_a_revision() {
    let loaded = valid(RULES);
    let rule = &loaded.config.events[0];
    assert!(rule.is_about("job.completed", "/field-service/x") && rule.is_about("visit.completed", "/field-service/"));
    assert!(!rule.is_about("job.completed", "/other") && !rule.is_about("visit.begun", "/field-service/x"));
    assert!(rule.has_marks());
    let env = |_: &str| None;
    let file = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let content = loaded.revision_content();
    let again = parse_revision(content, Path::new("/etc/sangam"), &Outside { env: &env, file: &file })
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(again.revision_content(), content);
    assert_eq!(again.config.events[0].personal, rule.personal);
}

#[test]
fn a_schema_file_is_part_of_the_revision() {
    let text = "[[events]]\ntype = \"a\"\nschema = \"a.json\"\n";
    let with = |schema: &'static str| {
        let env = |_: &str| None;
        let file = move |path: &Path| match path.to_str() {
            Some("/etc/sangam/a.json") => Ok(schema.to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        parse(text, "sangam.toml", Path::new("/etc/sangam"), &Outside { env: &env, file: &file })
            .unwrap_or_else(|problems| panic!("{problems}"))
    };
    let (one, same, other) = (with(r#"{"type": "object"}"#), with(r#"{ "type":"object" }"#), with(r#"{"type": "string"}"#));
    assert_eq!(one.revision_digest(), same.revision_digest(), "spaces don't count");
    assert_ne!(one.revision_digest(), other.revision_digest(), "another schema is another revision");
    assert_eq!(one.revision_content()["events"][0]["schema"]["json"], r#"{"type":"object"}"#);
}

#[test]
fn paths_that_the_schema_does_not_have_are_named_with_their_place() {
    let text = RULES.replace("[\".data.customer.email\", ", "[\".data.customer.emial\", \"data.x\", \".id\", ");
    assert_eq!(
        mistakes(&text),
        [
            "6:13 the schema of these events has no `emial` at .data.customer.emial",
            "6:37 \"data.x\" is not a path into an event: write it such as \".data.customer.email\" or \".data.items[].name\"",
            "6:47 `id` identifies an event or says how to read it, and is neither hidden nor erased: have the sender put nothing personal there",
        ]
    );
    let problems = read(&text).expect_err("there are mistakes");
    assert_eq!(problems.list[0].help.as_deref(), Some("did you mean `email`?"));
    assert_eq!(
        mistakes("[[events]]\ntype = \"a\"\nschema = \"gone.json\"\nshema = 1\n"),
        ["3:10 can't read the schema /etc/sangam/gone.json: entity not found", "4:1 unknown key `shema` in [[events]]"]
    );
    assert_eq!(
        mistakes("[[events]]\ntype = \"a\"\nschema = { json = '{\"$ref\": \"http://x/y\"}' }\n"),
        ["3:19 this schema can't be used: the schema refers to `http://x/y` at ``; only references into itself (#/$defs/…) are followed"]
    );
}

#[test]
fn a_route_may_keep_its_events_shorter_or_longer_than_the_store() {
    let route = |more: &str| {
        format!(
            "[plugins.p]\ncomponent = \"p.wasm\"\n[[routes]]\nname = \"r\"\non = {{ type = \"a\" }}\n{more}\n[[routes.steps]]\nname = \"s\"\nuses = \"p.x\"\n"
        )
    };
    let of = |more: &str| {
        let loaded = valid(&route(more));
        (loaded.config.routes[0].retention, loaded.config.routes[0].dead_letter_retention)
    };
    assert_eq!(of(""), (None, None));
    let days = |days: u64| Some(Retention::For(Duration::from_secs(days * 86_400)));
    assert_eq!(of("retention = \"7d\"\ndead-letter-retention = \"90d\""), (days(7), days(90)));
    assert_eq!(of("retention = \"forever\""), (Some(Retention::Forever), None));
    assert_eq!(mistakes(&route("retention = 7")), ["6:13 `retention` is a duration and needs a unit"]);
}

#[test]
fn a_schema_may_be_the_catalogues_by_type_and_by_version() {
    let rule = |schema: &str| format!("[[events]]\ntype = [\"job.*\", \"acme.done\"]\nschema = {schema}\n");
    let of = |schema: &str, event_type: &str, dataschema: Option<&str>| {
        let loaded = valid(&rule(schema));
        let content = loaded.revision_content();
        let env = |_: &str| None;
        let file = |_: &Path| Err(io::ErrorKind::NotFound.into());
        parse_revision(content, Path::new("/etc/sangam"), &Outside { env: &env, file: &file })
            .unwrap_or_else(|problems| panic!("{problems}"));
        let rule = loaded.config.events[0].clone();
        assert!(rule.has_marks());
        rule.schema
            .as_ref()
            .expect("it has a schema")
            .of(event_type, dataschema)
            .map(|schema| schema.map(|schema| schema.check(&serde_json::json!({})).len()))
    };
    assert_eq!(of("\"catalogue\"", "job.completed", None), Ok(Some(1)), "`job_id` is missing");
    assert_eq!(of("\"catalogue\"", "acme.done", None), Ok(None), "a type that is not in it");
    assert_eq!(of("\"catalogue:job.completed\"", "acme.done", None), Ok(Some(1)), "another type, the same data");
    assert_eq!(of("\"catalogue\"", "job.completed", Some("urn:sangam:schema:job.completed:1")), Ok(Some(1)));
    assert_eq!(of("\"catalogue\"", "job.completed", Some("https://acme.example/job.json")), Ok(Some(1)), "somebody else's name");
    let unknown = of("\"catalogue\"", "job.completed", Some("urn:sangam:schema:job.completed:9")).expect_err("there is no such version");
    assert_eq!(unknown.to_string(), "its `dataschema` names version 9 of job.completed, which this host does not know; it knows up to 1");
    assert_eq!(
        of("\"catalogue:job.completed:1\"", "job.completed", Some("urn:sangam:schema:job.completed:9")),
        Ok(Some(1)),
        "the configuration decides"
    );
    assert_eq!(mistakes(&rule("\"catalogue:job.complete\"")), ["3:10 the catalogue has no schema for events of type `job.complete`"]);
    assert_eq!(mistakes(&rule("\"catalogue:job.completed:2\"")), ["3:10 the catalogue has no such version of `job.completed`"]);
    let problems = read(&rule("\"job.completed\"")).expect_err("it is no file");
    assert_eq!(problems.list[0].help.as_deref(), Some("if the catalogue's is meant, write \"catalogue:job.completed\""));
    let none = valid("[[events]]\ntype = \"job.complete\"\nschema = \"catalogue\"\n");
    assert_eq!(none.warnings[0].message, "the catalogue has no schema for events of type job.complete, so that none is checked");
    assert_eq!(none.warnings[0].help.as_deref(), Some("did you mean `job.completed`?"));
    let marked = |path: &str| format!("{}personal = [{path:?}]\n", rule("\"catalogue\""));
    valid(&marked(".data.customer.tax_number"));
    assert_eq!(
        mistakes(&marked(".data.custmer.tax_number")),
        ["4:13 the schema of these events has no `custmer` at .data.custmer.tax_number"]
    );
}

#[test]
fn an_expression_that_reads_what_the_schema_lacks_is_named_with_its_place() {
    let text = |on: &str, schema: &str, step: &str| {
        format!(
            "[[events]]\ntype = \"job.completed\"\n{schema}\n[plugins.p]\ncomponent = \"p.wasm\"\n[[routes]]\nname = \"r\"\non = {on}\n{step}\n[[routes.steps]]\nname = \"s\"\nuses = \"p.x\"\nwith = {{ a = \"Job ${{ .event.data.jobid }} of ${{ [.event.data.parts[] | {{quantitty}}] }}\" }}\n"
        )
    };
    let warnings = |on: &str, schema: &str, when: &str| {
        let loaded = valid(&text(on, schema, when));
        let shown = |problem: &Problem| format!("{}:{} {}", problem.line, problem.column, problem.message);
        let problems = loaded.problems(loaded.warnings.clone());
        problems.list.iter().map(shown).collect::<Vec<_>>()
    };
    let job = "{ type = \"job.completed\" }";
    let catalogue = "schema = \"catalogue\"";
    assert_eq!(
        warnings(job, catalogue, "when = '.event.data.customer.emial != null and .event.data.van'"),
        [
            "9:30 events of type job.completed have no `.data.customer.emial`, as their schema says",
            "13:34 events of type job.completed have no `.data.jobid`, as their schema says",
            "13:72 events of type job.completed have no `.data.parts[].quantitty`, as their schema says",
        ]
    );
    let none: [&str; 0] = [];
    assert_eq!(warnings("{ type = \"job.*\" }", catalogue, ""), none, "other types may have it");
    assert_eq!(warnings("{ type = [\"job.completed\", \"acme.done\"] }", catalogue, ""), none, "one of them has no schema");
    assert_eq!(warnings(job, "source = \"/a\"\nschema = \"catalogue\"", ""), none, "other sources may have it");
    assert_eq!(warnings("{ type = \"job.completed\", source = \"/a\" }", "source = \"/*\"\nschema = \"catalogue\"", "").len(), 2);
    let closed = r#"schema = { json = '{"properties": {"id": {}}, "additionalProperties": false}' }"#;
    assert_eq!(warnings(job, closed, "order-by = '.event.data.zone'").len(), 3, "what is refused can't be there, whatever its name");
}
