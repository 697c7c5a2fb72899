//! Calls of a small plugin through the testing host.

use sangam_sdk::{
    prelude::*,
    testing::{self, Host, NoAnswer},
};

struct Desk;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    base_url: String,
}

impl Plugin for Desk {
    type Config = Config;
    const NAME: &'static str = "desk";
    const TITLE: &'static str = "Desk";
}

impl Connector for Desk {
    fn actions(a: &mut Actions<Self>) {
        a.action("add-notes", "Add notes", add_notes).undo("remove-notes");
        a.action("remove-notes", "Remove notes", remove_notes).idempotent();
    }
}

impl Source for Desk {
    fn streams(s: &mut Streams<Self>) {
        s.stream("tickets", "Tickets").poll(poll).receive(receive).types(&["ticket.opened"]);
    }
}

sangam_sdk::export!(Desk as duplex);

/// Adds notes to a ticket.
#[derive(Deserialize, JsonSchema)]
struct AddNotes {
    ticket: String,
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Added {
    total: i64,
}

fn add_notes(input: AddNotes, cx: &Context<Config>) -> Result<Output<Added>, Failure> {
    let total = kv::increment("total", 1)?;
    for note in &input.notes {
        cx.post(format!("{}/tickets/{}/notes", cx.config.base_url, encode(&input.ticket)))
            .name(format!("note/{note}"))
            .form([("text", note), ("key", &cx.key("x"))])
            .send()?
            .ok()?;
    }
    log::info("added", &[("notes", &input.notes.len())]);
    Ok(Output::new(Added { total }).emit(NewEvent::new("notes.added", &input.notes)?))
}

fn remove_notes(undo: Undo<AddNotes, Added>, cx: &Context<Config>) -> Result<(), Failure> {
    for effect in &undo.effects {
        let name = effect.name.as_deref().unwrap_or_default();
        cx.delete(format!("{}/tickets/{}", cx.config.base_url, undo.input.ticket)).name(name).send()?.ok()?;
    }
    Ok(())
}

fn poll(poll: Poll<u64>, cx: &SourceContext<Config>) -> Result<Page<u64>, Failure> {
    let after = poll.cursor.unwrap_or_default();
    let ticket: Value = cx.get(&cx.config.base_url).query("a b", "ä&+ ").query("after", after).send()?.ok()?.json()?;
    let event = NewEvent::new("ticket.opened", &ticket)?.id("7/1").time("2026-01-01T00:00:00Z");
    Ok(Page { events: vec![event], next_cursor: Some(after + 1), ..Page::default() })
}

fn receive(request: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    sangam_sdk::Write::new("POST", &cx.config.base_url).name("seen").send()?;
    Ok(Received::new(vec![NewEvent::new("ticket.opened", request.json::<Value>()?)?]))
}

fn host<A: testing::Answer>(system: impl FnMut(&testing::Sent) -> A + 'static) -> Host {
    let mut host = Host::new(system);
    host.config = json!({ "base-url": "https://desk.example" });
    host
}

#[test]
fn a_second_attempt_sends_only_what_was_not_done() {
    let mut answers = [200, 503, 200].into_iter();
    let mut host = host(move |_| testing::text(answers.next().expect("three requests"), ""));
    let input = json!({ "ticket": "A/1", "notes": ["a", "b"] });

    let failure = host.invoke::<Desk>("add-notes", input.clone()).expect_err("503");
    assert_eq!(failure.kind, FailureKind::Retry);
    assert!(host.store.is_empty(), "what a failed call has set is forgotten");
    assert!(host.events.is_empty());

    host.attempt = 2;
    assert_eq!(host.invoke::<Desk>("add-notes", input), Ok(json!({ "total": 1 })));
    let names: Vec<_> = host.sent.iter().filter_map(|sent| sent.name.as_deref()).collect();
    assert_eq!(names, ["note/a", "note/b", "note/b"]);
    assert_eq!(host.sent[1].key, host.sent[2].key);
    assert_eq!(host.sent[0].path(), "/tickets/A%2F1/notes");
    assert_eq!(host.sent[0].text(), format!("text=a&key={}", testing::key("x")));
    assert_eq!(host.events, [json!({ "specversion": "1.0", "type": "notes.added", "data": ["a", "b"] })]);
    assert_eq!(host.lines[0].fields, [("notes".to_owned(), "2".to_owned())]);
}

#[test]
fn two_writes_of_one_name_are_refused() {
    let mut host = host(|_| testing::text(200, ""));
    let failure = host.invoke::<Desk>("add-notes", json!({ "ticket": "1", "notes": ["a", "a"] })).expect_err("same name");
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.reason.contains("`note/a`"), "{}", failure.reason);
}

#[test]
fn no_answer_is_tried_again() {
    let mut host = host(|_| NoAnswer::Connection("reset".into()));
    let failure = host.invoke::<Desk>("add-notes", json!({ "ticket": "1", "notes": ["a"] })).expect_err("reset");
    assert_eq!(failure, Failure::retry("POST https://desk.example/tickets/1/notes failed: reset"));
}

#[test]
fn an_undo_sees_what_was_written() {
    let mut host = host(|_| testing::text(204, ""));
    let effects = json!([{ "name": "note/a", "key": "k", "state": "in-doubt", "request": {}, "response": null }]);
    let undo = json!({ "input": { "ticket": "1", "notes": ["a"] }, "output": null, "effects": effects });
    assert_eq!(host.invoke::<Desk>("remove-notes", undo), Ok(json!(null)));
    assert_eq!(host.sent[0].method, "DELETE");
}

#[test]
fn a_host_insists_and_undoes_what_came_of_it() {
    let mut answers = [200, 503, 429, 200, 204, 204].into_iter();
    let mut host = host(move |_| testing::text(answers.next().expect("six requests"), ""));
    let input = json!({ "ticket": "1", "notes": ["a", "b"] });
    let (output, attempts) = host.insist::<Desk>("add-notes", &input);
    assert_eq!((&output, attempts), (&json!({ "total": 1 }), 3));
    assert_eq!(host.undo::<Desk>("remove-notes", &input, &output), Ok(json!(null)));
    let removed: Vec<_> = host.sent[4..].iter().map(|sent| (sent.method.as_str(), sent.name.as_deref())).collect();
    assert_eq!(removed, [("DELETE", Some("note/a")), ("DELETE", Some("note/b"))]);
}

#[test]
#[should_panic(expected = "answered 400")]
fn a_host_does_not_insist_where_that_is_no_use() {
    host(|_| testing::text(400, "")).insist::<Desk>("add-notes", &json!({ "ticket": "1", "notes": ["a"] }));
}

/// Says of its undo's writes what it was told.
struct Told;

impl Plugin for Told {
    type Config = Value;
    const NAME: &'static str = "told";
    const TITLE: &'static str = "Told";
}

impl Connector for Told {
    fn actions(a: &mut Actions<Self>) {
        a.action("write", "Write", |_: Value, cx: &Context<Value>| {
            cx.post("https://a.example").name("w").send().map(|answer| answer.status)
        });
        a.action("tell", "Tell", |undo: Undo<Value, Value>, _: &Context<Value>| {
            Ok(json!(undo.effects.iter().map(|effect| format!("{:?}", effect.state)).collect::<Vec<_>>()))
        });
    }
}

#[test]
fn an_undo_is_told_what_is_known_of_each_write() {
    let told = |answers: &[u16]| {
        let mut left = std::collections::VecDeque::from(answers.to_vec());
        let mut host = Host::new(move |_| {
            left.pop_front().filter(|status| *status > 0).map(|status| testing::text(status, "")).ok_or(NoAnswer::Timeout("late".into()))
        });
        for attempt in 1..=answers.len() {
            host.attempt = attempt as u32;
            let _ = host.invoke::<Told>("write", json!({}));
        }
        host.undo::<Told>("tell", &json!({}), &Value::Null).expect("told")
    };
    let cases: [(&[u16], &str); 6] =
        [(&[200], "Done"), (&[503], "InDoubt"), (&[0], "InDoubt"), (&[422], "Failed"), (&[503, 422], "InDoubt"), (&[503, 200], "Done")];
    for (answers, state) in cases {
        assert_eq!(told(answers), json!([state]), "{answers:?}");
    }
}

#[test]
fn a_stream_gives_events_and_a_cursor_and_may_not_write() {
    let mut host = host(|_| testing::json(200, json!({ "ticket": 7 })));
    let page = host.poll::<Desk>("tickets", Some(json!(3)), 10).expect("a page");
    assert_eq!(page.next_cursor, Some(json!(4)));
    assert_eq!(host.sent[0].url, "https://desk.example?a%20b=%C3%A4%26%2B%20&after=3");
    assert_eq!((&host.events[0]["id"], &host.events[0]["data"]), (&json!("7/1"), &json!({ "ticket": 7 })));

    let request = Inbound { body: b"{}".to_vec(), ..Inbound::default() };
    let failure = host.receive::<Desk>("tickets", request).expect_err("a write");
    assert_eq!(failure.reason, "POST https://desk.example is not allowed: streams may only read");
}

#[test]
fn what_is_not_there_is_rejected() {
    let mut host = host(|_| testing::text(200, ""));
    assert_eq!(host.invoke::<Desk>("fly", json!({})), Err(Failure::rejected("desk has no action `fly`")));
    host.config = json!({});
    let failure = host.invoke::<Desk>("add-notes", json!({})).expect_err("no configuration");
    assert_eq!(failure.reason, "configuration: missing field `base-url`");
}

#[test]
fn the_descriptor_says_it_all() {
    let descriptor: Value = serde_json::from_str(&descriptor()).expect("JSON");
    assert_eq!(descriptor["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(descriptor["configuration"]["required"], json!(["base-url"]));
    assert_eq!(descriptor["actions"][0]["description"], "Adds notes to a ticket.");
    assert_eq!(descriptor["actions"][0]["undo"], "remove-notes");
    assert_eq!(descriptor["actions"][1]["output"], json!({ "type": "null" }));
    assert_eq!(
        descriptor["streams"],
        json!([{ "name": "tickets", "title": "Tickets", "poll": true, "receive": true, "types": ["ticket.opened"] }])
    );
    assert!(!descriptor.to_string().contains("$ref"), "schemas stand for themselves");
}

/// Counts what is there, page by page.
#[derive(Deserialize, JsonSchema)]
struct Count {
    most: usize,
}

struct Counter;

impl Plugin for Counter {
    type Config = Value;
    const NAME: &'static str = "counter";
    const TITLE: &'static str = "Counter";
}

impl Connector for Counter {
    fn actions(a: &mut Actions<Self>) {
        a.action("count", "Count", count);
        a.action("remember", "Remember", remember);
    }
}

fn count(input: Count, cx: &Context<Value>) -> Result<Vec<u32>, Failure> {
    let found = pages(cx.get("https://a.example/things").query("page", 1), |answer| {
        let answer = answer.ok()?;
        Ok((answer.json()?, answer.next_link().map(|url| cx.get(url))))
    });
    found.take(input.most).collect()
}

fn remember(input: Value, _: &Context<Value>) -> Result<Vec<String>, Failure> {
    kv::update("n/sum", |sum: Option<i64>| Ok(sum.unwrap_or(0) + input["add"].as_i64().unwrap_or(0)))?;
    kv::keys("n/").collect()
}

#[test]
fn pages_are_read_one_after_another_and_only_as_far_as_wanted() {
    let system = |request: &testing::Sent| match request.query("page") {
        Some("1") => testing::response(200, &[("link", "</things?page=2>; rel=\"next\"")], "[1, 2]"),
        Some("2") => testing::response(200, &[("link", "</things?page=3>; rel=\"next\"")], "[]"),
        _ => testing::text(503, "come back later"),
    };
    let mut host = Host::new(system);
    assert_eq!(host.invoke::<Counter>("count", json!({ "most": 2 })), Ok(json!([1, 2])));
    assert_eq!(host.sent.len(), 1);
    let failure = host.invoke::<Counter>("count", json!({ "most": 9 })).expect_err("the third page fails");
    assert_eq!(failure.kind, FailureKind::Retry);
    assert_eq!(host.sent.last().map(|sent| sent.url.as_str()), Some("https://a.example/things?page=3"));
}

#[test]
fn a_value_is_changed_and_all_keys_are_listed() {
    let mut host = Host::new(|_| testing::text(500, ""));
    host.store.extend((0..1500).map(|n| (format!("n/{n:04}"), Vec::new())));
    let keys = host.invoke::<Counter>("remember", json!({ "add": 2 })).expect("no failure");
    assert_eq!(keys.as_array().map(Vec::len), Some(1501));
    host.invoke::<Counter>("remember", json!({ "add": 3 })).expect("no failure");
    assert_eq!(host.store["n/sum"], b"5");
}
