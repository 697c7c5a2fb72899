//! Texts in all their spellings, whose a field is, and what erasing leaves.

use serde_json::{Value, json};

use super::*;
use crate::schema::{Marked, Schema};

fn values(of: &[Value]) -> Values {
    let mut values = Values::default();
    of.iter().for_each(|value| values.add(value));
    values
}

#[test]
fn a_text_is_found_however_it_is_spelled() {
    let name = values(&[json!("Zoë O'Hara, \"Zo\"")]);
    let spelled = [
        r#"for Zoë O'Hara, "Zo"!"#,
        r#"{"n":"Zoë O'Hara, \"Zo\""}"#,
        r#"{"n":"Zo\u00eb O'Hara, \"Zo\""}"#,
        "n=Zo%C3%AB+O%27Hara%2C+%22Zo%22&x=1",
        "/p/Zo%c3%ab%20O'Hara,%20%22Zo%22",
    ];
    for text in spelled {
        let mut text = text.to_owned();
        assert_eq!(name.mask_text(&mut text, Mask::Erased), 1, "{text}");
        assert!(text.contains(ERASED) && !text.contains("Hara"), "{text}");
        assert!(forms("Zoë O'Hara, \"Zo\"").len() >= 4);
    }
    let address = values(&[json!("Ada.Stone@acme.example")]);
    let mut text = "to ada.stone@ACME.example and AdaXStone@acme.example".to_owned();
    assert_eq!(address.mask_text(&mut text, Mask::Erased), 1, "capitals of an address don't count");
    assert_eq!(text, "to [erased] and AdaXStone@acme.example");
}

#[test]
fn longer_texts_go_before_what_they_contain() {
    let mut text = "Ann Smith, and Ann".to_owned();
    values(&[json!("Ann"), json!("Ann Smith")]).mask_text(&mut text, Mask::Erased);
    assert_eq!(text, "[erased], and [erased]");
}

#[test]
fn as_words_an_identifier_is_not_found_in_another() {
    let sought = Sought::new(vec!["emp-1".to_owned()], None).expect("an identifier");
    let mut document = json!({ "a": "emp-1", "b": "emp-10", "c": "xemp-1", "d": "hours of emp-1, week 3", "emp-1/2026": 3 });
    sought.words().mask(&mut document, Mask::Erased);
    assert_eq!(document, json!({ "a": ERASED, "b": "emp-10", "c": "xemp-1", "d": "hours of [erased], week 3", "[erased]/2026": 3 }));
}

#[test]
fn erasing_keeps_the_shape() {
    let mut value = json!({ "text": "x", "number": 3.5, "flag": true, "nothing": null, "list": ["a", 1] });
    Mask::Erased.cover(&mut value);
    assert_eq!(value, json!({ "text": ERASED, "number": 0, "flag": false, "nothing": null, "list": [ERASED, 0] }));
}

#[test]
fn a_field_belongs_to_the_nearest_subject() {
    let pointers = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let marked = Marked {
        personal: pointers(&["/data/customer/email", "/data/technician/name", "/data/notes", "/data/people/0/name", "/data/people/1/name"]),
        subject: pointers(&["/data/customer/id", "/data/technician/id", "/data/people/0/id", "/data/people/1/id"]),
    };
    let of = |subjects: &[&str]| belonging(&marked, &pointers(subjects));
    assert_eq!(of(&["/data/customer/id"]), ["/data/customer/id", "/data/customer/email", "/data/notes"]);
    assert_eq!(of(&["/data/people/1/id"]), ["/data/people/1/id", "/data/notes", "/data/people/1/name"]);
    let flat =
        Marked { personal: pointers(&["/data/name", "/data/technician/name"]), subject: pointers(&["/data/id", "/data/technician/id"]) };
    assert_eq!(belonging(&flat, &pointers(&["/data/id"])), ["/data/id", "/data/name"]);
}

#[test]
fn paths_lead_into_lists_and_not_to_what_identifies() {
    let event = json!({ "subject": "s", "data": { "items": [{ "name": "a" }, {}, { "name": "b" }], "odd-name": 1 } });
    let pointers = |path: &str| FieldPath::parse(path).expect("a path").pointers(&event);
    assert_eq!(pointers(".data.items[].name"), ["/data/items/0/name", "/data/items/2/name"]);
    assert_eq!(pointers(".data.odd-name"), ["/data/odd-name"]);
    assert_eq!(pointers(".subject"), ["/subject"]);
    assert!(pointers(".data.missing.x").is_empty());
    for wrong in ["", "data.x", ".", ".data..x", ".data.x y", ".data.[0]", ".id", ".source"] {
        assert!(FieldPath::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_schema_marks_by_annotation_also_behind_references() {
    let schema = Schema::compile(&json!({
        "$defs": { "person": { "properties": { "id": { "x-subject": true }, "mail": { "x-personal": true }, "of": { "$ref": "#/$defs/person" } } } },
        "properties": {
            "customer": { "allOf": [{ "$ref": "#/$defs/person" }] },
            "people": { "type": "array", "items": { "$ref": "#/$defs/person" } },
            "notes": { "x-personal": true },
            "plain": { "x-personal": false },
        },
    }))
    .expect("a schema");
    assert!(schema.has_marks());
    let mut marked = schema.marked(&json!({
        "customer": { "id": 1, "mail": "m", "of": { "mail": "n" } }, "people": [{ "id": 2 }, { "mail": "o" }], "notes": {}, "plain": 1,
    }));
    marked.personal.sort();
    assert_eq!(marked.personal, ["/customer/mail", "/customer/of/mail", "/notes", "/people/1/mail"]);
    assert_eq!(marked.subject, ["/customer/id", "/people/0/id"]);
    assert_eq!(schema.knows([Some("people"), None, Some("mail")]), Ok(()));
    let unknown = schema.knows([Some("customer"), Some("mial")]).expect_err("no such property");
    assert_eq!((unknown.name.as_str(), unknown.known.as_slice()), ("mial", &["id", "mail", "of"].map(str::to_owned)[..]));
}

#[test]
fn identifiers_are_bounded() {
    assert!(Sought::new(Vec::new(), None).is_err());
    assert!(Sought::new(vec!["ab".to_owned()], None).is_err(), "too short to be looked for everywhere");
    let field = FieldPath::parse(".data.id").expect("a path");
    assert!(Sought::new(vec!["7".to_owned()], Some(field)).is_ok());
    assert!(Sought::new(vec!["x".repeat(2000)], None).is_err());
    assert!(Sought::new(vec!["abc".to_owned(); 17], None).is_err());
    assert!(Sought::new(vec![" abc".to_owned()], None).is_err());
    let number = Sought::new(vec!["4711".to_owned()], None).expect("an identifier");
    assert!(number.is(&json!(4711)) && number.is(&json!("4711")) && !number.is(&json!(47110)));
}
