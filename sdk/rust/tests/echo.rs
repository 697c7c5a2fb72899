//! Echoes of our own writes, told from the changes of others.

use sangam_sdk::{
    echo::{self, Change},
    prelude::*,
    testing::Host,
};

struct Crm;

impl Plugin for Crm {
    type Config = Value;
    const NAME: &'static str = "crm";
    const TITLE: &'static str = "CRM";
}

impl Connector for Crm {
    fn actions(a: &mut Actions<Self>) {
        a.action("wrote", "Wrote", |fields: Value, _| {
            let fields = fields.as_object().expect("an object");
            echo::wrote("contact", "a/1", fields.iter().map(|(name, value)| (name.as_str(), value)))
        });
        a.action("look", "Look", |input: Value, _| {
            let fields = input["fields"].as_object().expect("an object");
            let change = echo::look("contact", "a/1", fields.iter().map(|(name, value)| (name.as_str(), value)), input["by_us"] == true)?;
            Ok(match change {
                Change::New => json!("new"),
                Change::Same => json!("same"),
                Change::Ours => json!("ours"),
                Change::Fields(fields) => json!(fields),
            })
        });
        a.action("forget", "Forget", |(): (), _| echo::forget("contact", "a/1"));
    }
}

fn host() -> Host {
    Host::new(|_| sangam_sdk::testing::text(500, "nobody asks"))
}

fn wrote(host: &mut Host, fields: Value) {
    host.invoke::<Crm>("wrote", fields).expect("remembered");
}

fn look(host: &mut Host, fields: Value) -> Value {
    host.invoke::<Crm>("look", json!({ "fields": fields })).expect("a look")
}

#[test]
fn what_actions_wrote_is_no_news_and_what_others_change_is() {
    let mut host = host();
    assert_eq!(look(&mut host, json!({ "email": "a@x", "phone": "1" })), "new");
    assert_eq!(look(&mut host, json!({ "email": "a@x", "phone": "1" })), "same");
    wrote(&mut host, json!({ "email": "b@x" }));
    assert_eq!(look(&mut host, json!({ "email": "b@x", "phone": "1" })), "ours");
    assert_eq!(look(&mut host, json!({ "email": "b@x", "phone": "2" })), json!(["phone"]));
    // Ours and somebody else's at once: somebody else's counts.
    wrote(&mut host, json!({ "email": "c@x" }));
    assert_eq!(look(&mut host, json!({ "email": "c@x", "phone": "3" })), json!(["email", "phone"]));
}

#[test]
fn a_write_is_remembered_until_it_was_seen_and_no_longer() {
    let mut host = host();
    look(&mut host, json!({ "email": "a@x" }));
    wrote(&mut host, json!({ "email": "b@x" }));
    // A system that shows changes late shows the old value first.
    assert_eq!(look(&mut host, json!({ "email": "a@x" })), "same");
    assert_eq!(look(&mut host, json!({ "email": "b@x" })), "ours");
    // Somebody changes it, and back to what we once wrote: that is news.
    assert_eq!(look(&mut host, json!({ "email": "c@x" })), json!(["email"]));
    assert_eq!(look(&mut host, json!({ "email": "b@x" })), json!(["email"]));
    // Overwritten before it was seen: it was never seen, and is over.
    wrote(&mut host, json!({ "email": "d@x" }));
    assert_eq!(look(&mut host, json!({ "email": "e@x" })), json!(["email"]));
    assert_eq!(look(&mut host, json!({ "email": "d@x" })), json!(["email"]));
}

#[test]
fn a_record_that_we_made_is_no_news() {
    let mut by_fields = host();
    wrote(&mut by_fields, json!({ "email": "a@x", "note": "not told" }));
    assert_eq!(look(&mut by_fields, json!({ "email": "a@x", "phone": null, "city": "" })), "ours");
    assert!(by_fields.store.keys().all(|key| key.starts_with("seen/")), "what was written is forgotten: {:?}", by_fields.store.keys());
    // The system filled in something of its own: only its word tells.
    let mut by_user = host();
    wrote(&mut by_user, json!({ "email": "a@x" }));
    let record = json!({ "fields": { "email": "a@x", "status": "New" }, "by_us": true });
    assert_eq!(by_user.invoke::<Crm>("look", record), Ok(json!("ours")));
}

#[test]
fn a_field_that_is_told_since_now_has_not_changed() {
    let mut host = host();
    look(&mut host, json!({ "email": "a@x" }));
    assert_eq!(look(&mut host, json!({ "email": "a@x", "channel": "SMS" })), "same");
    assert_eq!(look(&mut host, json!({ "email": "a@x", "channel": "Mail" })), json!(["channel"]));
}

#[test]
fn values_are_not_kept_and_a_record_that_is_gone_leaves_nothing() {
    let mut host = host();
    look(&mut host, json!({ "email": "ada@acme.example" }));
    wrote(&mut host, json!({ "email": "ben@acme.example" }));
    let kept = host.store.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<String>();
    assert!(!kept.contains("acme"), "{kept}");
    host.invoke::<Crm>("forget", Value::Null).expect("forgotten");
    assert!(host.store.is_empty());
}
