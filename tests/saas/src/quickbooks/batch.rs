//! Batches: up to thirty operations, each with its own outcome.

use serde_json::{Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::query;
use super::select;
use super::write::{Operation, write};

const MAX_ITEMS: usize = 30;

/// Does a batch; answers `BatchItemResponse`.
pub(super) fn batch(company: &mut Company, body: &Value) -> Result<Value, Fault> {
    let items = body["BatchItemRequest"].as_array().ok_or_else(|| Fault::missing("BatchItemRequest"))?;
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(Fault::batch_size(items.len(), MAX_ITEMS));
    }
    let answers: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut answer = one(company, item).unwrap_or_else(|fault| json!({ "Fault": fault.content() }));
            answer["bId"] = item["bId"].clone();
            answer
        })
        .collect();
    Ok(json!({ "BatchItemResponse": answers }))
}

fn one(company: &mut Company, item: &Value) -> Result<Value, Fault> {
    if item["bId"].as_str().is_none_or(str::is_empty) {
        return Err(Fault::missing("bId"));
    }
    if let Some(text) = item["Query"].as_str() {
        return Ok(json!({ "QueryResponse": select::select(company, &query::parse(text)?)? }));
    }
    let asked = item["operation"].as_str().ok_or_else(|| Fault::missing("operation"))?;
    let operation = match (Operation::parse(asked), item["optionsData"].as_str()) {
        (Some(Operation::Save), Some("void")) => Operation::Void,
        (Some(operation), _) => operation,
        (None, _) => return Err(Fault::unsupported_operation(asked)),
    };
    let fields = item.as_object().into_iter().flatten();
    let found = fields.filter_map(|(name, body)| Some((Entity::parse(name)?, body))).next();
    let (entity, body) = found.ok_or_else(|| Fault::missing("an entity in the batch item"))?;
    let has_id = body.get("Id").is_some();
    if (asked == "create" && has_id) || (asked == "update" && !has_id) {
        return Err(Fault::unsupported("Id", &format!("does not go with the operation {asked}")));
    }
    Ok(json!({ entity.name(): write(company, entity, operation, body)? }))
}
