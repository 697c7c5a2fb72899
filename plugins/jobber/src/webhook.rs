//! Webhooks: a topic and an id. The record is read as it is now, so that webhooks that come twice or out of order do no harm.

use sangam_sdk::prelude::*;

use crate::{
    config::Config,
    graphql::{query, taken, text},
    job::by_id,
    look,
};

const VISIT: &str = "query Visit($id: EncodedId!) { visit(id: $id) { id title instructions startAt endAt completedAt isComplete visitStatus job { id } client { id name companyName emails { address } phones { number } } property { address { street1 city province postalCode country } } assignedUsers(first: 10) { nodes { id name { full } email { raw } } } } }";
const CLIENT: &str = "query Client($id: EncodedId!) { client(id: $id) { id name firstName lastName companyName createdAt updatedAt jobberWebUri emails { address } phones { number } billingAddress { street1 city province postalCode country } } }";

pub fn receive(inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let body: Value = inbound.json()?;
    let told = &body["data"]["webHookEvent"];
    let (Some(topic), Some(id)) = (text(&told["topic"]), text(&told["itemId"])) else {
        return Err(Failure::rejected("The webhook has no `data.webHookEvent` with `topic` and `itemId`"));
    };
    if cx.config.account_id.as_ref().is_some_and(|ours| told["accountId"] != ours.as_str()) {
        return Ok(Received::default());
    }
    // Apps of before December 2023 are told the time under another spelling.
    let at = if told["occurredAt"].is_string() { &told["occurredAt"] } else { &told["occuredAt"] };
    let (object, happened) = topic.split_once('_').unwrap_or((&topic, ""));
    let object = match object {
        "JOB" => "job",
        "VISIT" => "visit",
        "CLIENT" => "client",
        _ => return Ok(Received::default()),
    };
    let gone = || look::gone(object, &id, at.as_str().unwrap_or_default()).map(Some);
    let event = if matches!(happened, "DESTROY" | "DELETE") {
        gone()?
    } else {
        match object {
            "job" => match by_id(&cx.config, &id)? {
                Some(job) => look::job(&job, &cx.config, false)?,
                None => gone()?,
            },
            "visit" => match taken(&mut query(&cx.config, VISIT, json!({ "id": id }))?, "/visit") {
                Value::Null => gone()?,
                visit => look::visit(&visit, &cx.config, at)?,
            },
            _ => match taken(&mut query(&cx.config, CLIENT, json!({ "id": id }))?, "/client") {
                Value::Null => gone()?,
                client => look::client(&client)?,
            },
        }
    };
    Ok(Received::new(event.into_iter().collect()))
}
