//! Change data capture: `GET /cdc?entities=Invoice,Customer&changedSince=…`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;

/// Records of an entity that an answer holds at most.
const MAX: usize = 1_000;
/// How far it reaches back.
const DAYS: i64 = 30;

/// What has changed of some entities since a moment.
pub(super) fn capture(company: &Company, entities: &str, since: &str) -> Result<Answer, Fault> {
    let since: Timestamp = since.parse().map_err(|_| Fault::unsupported("changedSince", "is no date and time"))?;
    if Timestamp::now().duration_since(since).as_secs() > DAYS * 24 * 60 * 60 {
        return Err(Fault::unsupported("changedSince", "is more than 30 days ago"));
    }
    let mut answers = Vec::new();
    for name in entities.split(',').map(str::trim) {
        let entity = Entity::parse(name).ok_or_else(|| Fault::unsupported_operation(name))?;
        let changed = |time: Option<&str>| time.and_then(|time| time.parse::<Timestamp>().ok()).is_some_and(|at| at >= since);
        let live = company.all(entity).filter(|record| changed(record.get("MetaData").and_then(|times| times["LastUpdatedTime"].as_str())));
        let mut found: Vec<Value> = live.map(|record| Value::Object(record.clone())).collect();
        let gone = company.deleted.iter().filter(|(of, _, at)| *of == entity && changed(Some(at)));
        found.extend(
            gone.map(|(_, id, at)| json!({ "domain": "QBO", "status": "Deleted", "Id": id, "MetaData": { "LastUpdatedTime": at } })),
        );
        found.truncate(MAX);
        let mut answer = Map::new();
        if !found.is_empty() {
            answer.insert("startPosition".to_owned(), 1.into());
            answer.insert("maxResults".to_owned(), found.len().into());
            answer.insert(entity.name().to_owned(), found.into());
        }
        answers.push(Value::Object(answer));
    }
    Ok(Answer::ok(json!({ "CDCResponse": [{ "QueryResponse": answers }] })))
}
