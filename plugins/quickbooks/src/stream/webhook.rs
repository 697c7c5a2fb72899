//! Webhooks, in both of Intuit's forms: CloudEvents, of which every message is a list, and the `eventNotifications` of before.
//!
//! An app has one address for all companies, so what is of another is passed over. A message tells that records changed, not how; they are read as they are now. A payment
//! changes the invoices that it is for.

use sangam_sdk::prelude::*;

use super::{Beginning, Entity, look, moment};
use crate::{
    client::{quote_all, select_of},
    config::Config,
};

/// A record first seen is new if it was created at most so long before its last change.
const NEW_SECONDS: u32 = 300;
/// Records that are read by one query.
const BATCH: usize = 50;

/// That a record changed.
#[derive(Debug, PartialEq)]
struct Told {
    /// In lower case.
    entity: String,
    id: String,
    /// In lower case: `create`, `created`, `delete`, …
    operation: String,
    /// When, as far as the message says.
    time: String,
}

pub fn receive(entity: &Entity, inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let told = read(&inbound.json()?, &cx.config.realm_id)?;
    let name = entity.name.to_lowercase();
    let (mut changed, mut gone, mut payments) = (Vec::new(), Vec::new(), Vec::new());
    for told in told {
        let list = match told.entity.as_str() {
            own if own == name && told.operation.starts_with("delete") => {
                gone.push(told);
                continue;
            }
            own if own == name => &mut changed,
            "payment" if name == "invoice" && !told.operation.starts_with("delete") => &mut payments,
            _ => continue,
        };
        if !list.contains(&told.id) {
            list.push(told.id);
        }
    }
    for invoice in invoices_of(&payments, &cx.config)? {
        if !changed.contains(&invoice) {
            changed.push(invoice);
        }
    }
    changed.retain(|id| !gone.iter().any(|gone| gone.id == *id));

    let mut records = by_id(entity.name, &changed, &cx.config)?;
    let time = |record: &Value| record["MetaData"]["LastUpdatedTime"].as_str().unwrap_or_default().to_owned();
    records.sort_by(|one, other| moment::order(&time(one), &time(other)));
    let mut events = Vec::new();
    for record in &records {
        let since = moment::before(&time(record), NEW_SECONDS);
        events.extend(look(entity, record, &cx.config, Beginning { since: Some(&since), all: false })?);
    }
    for told in gone {
        let time = if told.time.is_empty() { moment::now() } else { told.time };
        let record = json!({ "Id": told.id, "status": "Deleted", "MetaData": { "LastUpdatedTime": time } });
        events.extend(look(entity, &record, &cx.config, Beginning { since: None, all: false })?);
    }
    Ok(Received::new(events))
}

/// What a message tells of a company.
fn read(body: &Value, realm: &str) -> Result<Vec<Told>, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Value::Array(events) = body {
        return Ok(events
            .iter()
            .filter(|event| event["intuitaccountid"] == realm)
            .filter_map(|event| {
                // qbo.invoice.created.v1
                let mut kind = event["type"].as_str()?.split('.').skip(1);
                let (entity, operation) = (kind.next()?.to_lowercase(), kind.next()?.to_lowercase());
                Some(Told { entity, id: text(&event["intuitentityid"]), operation, time: text(&event["time"]) })
            })
            .collect());
    }
    let Some(notifications) = body["eventNotifications"].as_array() else {
        return Err(Failure::rejected("The webhook is neither a list of CloudEvents nor has it `eventNotifications`"));
    };
    let of_realm = notifications.iter().filter(|notification| notification["realmId"] == realm);
    let entities = of_realm.filter_map(|notification| notification["dataChangeEvent"]["entities"].as_array()).flatten();
    Ok(entities
        .map(|entity| Told {
            entity: text(&entity["name"]).to_lowercase(),
            id: text(&entity["id"]),
            operation: text(&entity["operation"]).to_lowercase(),
            time: text(&entity["lastUpdated"]),
        })
        .collect())
}

/// Ids of the invoices that payments are for.
fn invoices_of(payments: &[String], config: &Config) -> Result<Vec<String>, Failure> {
    let payments = by_id("Payment", payments, config)?;
    let links = payments.iter().filter_map(|payment| payment["Line"].as_array()).flatten();
    let links = links.filter_map(|line| line["LinkedTxn"].as_array()).flatten().filter(|link| link["TxnType"] == "Invoice");
    Ok(links.filter_map(|link| link["TxnId"].as_str().map(str::to_owned)).collect())
}

fn by_id(entity: &str, ids: &[String], config: &Config) -> Result<Vec<Value>, Failure> {
    let mut records = Vec::with_capacity(ids.len());
    for ids in ids.chunks(BATCH) {
        let rest = format!("WHERE Id IN {}", quote_all(ids.iter().map(String::as_str)));
        records.extend(select_of::<Value>(config, entity, &rest)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same_and_other_companies_are_passed_over() {
        let events = json!([
            { "specversion": "1.0", "id": "e1", "source": "intuit.x", "type": "qbo.invoice.created.v1", "time": "2026-11-28T10:00:00Z", "intuitentityid": "7", "intuitaccountid": "1", "data": {} },
            { "specversion": "1.0", "id": "e2", "source": "intuit.x", "type": "qbo.invoice.created.v1", "time": "2026-11-28T10:00:00Z", "intuitentityid": "8", "intuitaccountid": "2", "data": {} },
        ]);
        let entity = |id: &str| json!({ "name": "Invoice", "id": id, "operation": "Create", "lastUpdated": "2026-11-28T10:00:00Z" });
        let notifications = json!({ "eventNotifications": [
            { "realmId": "1", "dataChangeEvent": { "entities": [entity("7")] } },
            { "realmId": "2", "dataChangeEvent": { "entities": [entity("8")] } },
        ] });
        let told = |operation: &str| {
            vec![Told { entity: "invoice".into(), id: "7".into(), operation: operation.into(), time: "2026-11-28T10:00:00Z".into() }]
        };
        assert_eq!(read(&events, "1"), Ok(told("created")));
        assert_eq!(read(&notifications, "1"), Ok(told("create")));
        assert_eq!(read(&json!({ "hello": 1 }), "1").expect_err("no webhook").kind, FailureKind::Rejected);
    }
}
