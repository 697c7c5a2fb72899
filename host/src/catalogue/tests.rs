//! The files of the catalogue, and that it never takes back what it has said.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::*;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

#[test]
fn every_file_is_in_the_catalogue_and_versions_are_without_gaps() {
    let files = std::fs::read_dir(folder()).expect("the folder of the schemas");
    let files: BTreeSet<String> = files.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let mut known: BTreeSet<String> = ENTRIES.iter().map(|entry| format!("{}.{}.json", entry.event_type, entry.version)).collect();
    known.insert("parts.json".to_owned());
    assert_eq!(files, known);
    for (at, entry) in ENTRIES.iter().enumerate() {
        let before = ENTRIES[..at].iter().filter(|other| other.event_type == entry.event_type).count();
        assert_eq!(entry.version as usize, before + 1, "{}", entry.event_type);
    }
}

#[test]
fn every_schema_compiles_says_what_it_is_and_marks_what_is_personal() {
    let catalogue = Catalogue::default();
    let parts: Value = serde_json::from_str(PARTS).expect("JSON");
    let mut used = BTreeSet::new();
    for entry in all() {
        let whole = entry.schema();
        assert_eq!(whole["$id"], entry.urn());
        assert!(!entry.title().is_empty() && whole["description"].is_string(), "{}", entry.urn());
        let schema = catalogue.schema(entry);
        assert!(schema.has_marks() || entry.event_type == "payroll.due", "{}", entry.urn());
        assert!(!schema.check(&json!([])).is_empty() && !schema.check(&json!({})).is_empty(), "{} takes anything", entry.urn());
        used.extend(whole["$defs"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    let all: BTreeSet<String> = parts["$defs"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    assert_eq!(used, all, "a part that nothing uses");
}

#[test]
fn names_are_read_in_one_way() {
    assert_eq!(parse("job.completed"), Some(("job.completed", None)));
    assert_eq!(parse("urn:sangam:schema:job.completed:1"), Some(("job.completed", Some(1))));
    for wrong in ["job.completed:", "job.completed:x", "job.completed:01", "job.completed:-1", "job.completed:1:2"] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
    let entry = find("job.completed", Some(1)).expect("it is there");
    assert_eq!((find("job.completed", None), find("job.completed", Some(99)), find("job.done", None)), (Some(entry), None, None));
    assert_eq!(entry.urn(), "urn:sangam:schema:job.completed:1");
}

#[test]
fn data_fits_or_the_place_is_named() {
    let catalogue = Catalogue::default();
    let check = |event_type: &str, data: Value| {
        let entry = find(event_type, None).expect("it is in the catalogue");
        catalogue.schema(entry).check(&data).into_iter().map(|violation| violation.pointer).collect::<Vec<_>>()
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(
        check(
            "job.completed",
            json!({ "job_id": "1", "labour": [{ "hours": 2.5, "rate": "95.00" }], "own_field": true, "customer": null })
        ),
        none
    );
    assert_eq!(check("job.completed", json!({ "job_id": 1, "labour": [{ "hours": "much" }] })), ["/job_id", "/labour/0/hours"]);
    assert_eq!(check("leave.approved", json!({ "id": "1", "employee_ref": "e", "start": "2026-12-01", "end": "2026-12-04" })), none);
    assert_eq!(check("leave.approved", json!({ "id": "1", "employee_ref": "e", "start": null, "end": "4.12.2026" })), ["/end", "/start"]);
    assert_eq!(check("lead.captured", json!({ "name": "Ada", "phone": "+49 30 1" })), none);
    assert_eq!(check("lead.captured", json!({ "name": "Ada", "email": null })), [""]);
    assert_eq!(check("visit.scheduled", json!({ "visit_id": "v", "scheduled_start": "2026-12-01T08:00:00+01:00" })), none);
    assert_eq!(check("visit.scheduled", json!({ "visit_id": "v", "scheduled_start": "2026-12-01 08:00" })), ["/scheduled_start"]);
}

/// What a reader or sender of the earlier version would stumble over in the present one.
fn broken(before: &Value, now: &Value, at: &str, found: &mut Vec<String>) {
    let (Value::Object(before), Value::Object(now)) = (before, now) else {
        if before != now {
            found.push(format!("{at}: was {before}, is {now}"));
        }
        return;
    };
    // Words for people may get better.
    let speaks = |key: &&String| matches!(key.as_str(), "title" | "description" | "$comment");
    let is_map = at.ends_with("/properties") || at.ends_with("/$defs");
    for (key, was) in before.iter().filter(|(key, _)| is_map || !speaks(key)) {
        let at = format!("{at}/{key}");
        match now.get(key) {
            None => found.push(format!("{at}: it is gone")),
            Some(is) => broken(was, is, &at, found),
        }
    }
    for key in now.keys().filter(|key| !before.contains_key(*key) && !is_map && !speaks(key)) {
        // What is marked can't become less, and what is asked for can't become more.
        if !matches!(key.as_str(), "x-personal" | "x-subject" | "properties" | "$defs") {
            found.push(format!("{at}/{key}: it is new"));
        }
    }
}

#[test]
fn what_was_released_is_never_taken_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/frozen");
    let versions =
        std::fs::read_dir(&folder).expect("the released versions").map(|entry| entry.expect("an entry").path().join("schemas.json"));
    let read = |file: std::path::PathBuf| std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let frozen: Vec<Map<String, Value>> = versions.map(|file| serde_json::from_str(&read(file)).expect("schemas by name")).collect();
    assert!(frozen.iter().map(Map::len).sum::<usize>() >= 43, "nothing was released?");
    for (urn, before) in frozen.iter().flatten() {
        let (event_type, version) = parse(urn).expect("a name");
        let now = find(event_type, version).unwrap_or_else(|| panic!("{urn} was released and is gone")).schema();
        let mut found = Vec::new();
        broken(before, &now, "", &mut found);
        assert!(
            found.is_empty(),
            "{urn} was released and must stay as it was but for new fields; what else changes needs a file with the next number:\n{}",
            found.join("\n")
        );
    }
}

#[test]
fn what_takes_something_back_is_noticed_and_what_adds_is_not() {
    let before = find("job.completed", Some(1)).expect("it is there").schema();
    let with = |pointer: &str, key: &str, value: Value| {
        let mut now = before.clone();
        let place = now.pointer_mut(pointer).and_then(Value::as_object_mut).expect("a place");
        if value.is_null() {
            drop(place.remove(key))
        } else {
            drop(place.insert(key.to_owned(), value))
        }
        let mut found = Vec::new();
        broken(&before, &now, "", &mut found);
        found.len()
    };
    assert_eq!(with("/$defs/job/properties", "van", json!({ "type": "string" })), 0, "a new field");
    assert_eq!(with("/$defs/party/properties/name", "description", json!("Else.")), 0);
    assert_eq!(with("/$defs/job/properties", "title", Value::Null), 1, "a field is gone");
    assert_eq!(with("/$defs/job", "required", json!(["job_id", "title"])), 1);
    assert_eq!(with("/$defs/job", "additionalProperties", json!(false)), 1);
    assert_eq!(with("/$defs/party/properties/email", "x-personal", Value::Null), 1, "a mark is gone");
    assert_eq!(with("/$defs/party/properties/phone", "type", json!("string")), 1);
}
