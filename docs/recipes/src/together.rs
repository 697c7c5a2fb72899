//! Several runs at once: one request for the records of many runs, and to each run its own result.

use sangam_sdk::prelude::*;

/// The connector.
#[derive(Debug)]
pub struct Crm;

/// Which system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API.
    base_url: String,
}

impl Plugin for Crm {
    type Config = Config;
    const NAME: &'static str = "crm";
    const TITLE: &'static str = "A CRM";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

/// Keeps a contact by its address.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Contact {
    email: String,
    name: String,
}

/// The contact as the CRM has it.
#[derive(Serialize, JsonSchema)]
struct Kept {
    id: String,
}

fn keep_contact(input: Contact, cx: &Context<Config>) -> Result<Kept, Failure> {
    let url = format!("{}/contacts/{}", cx.config.base_url, encode(&input.email));
    let answer: Value = cx.put(url).name("contact").json(&input).send()?.ok()?.json()?;
    kept(&answer)
}

fn kept(record: &Value) -> Result<Kept, Failure> {
    let id = record["id"].as_str().ok_or_else(|| Failure::rejected("The CRM gave a contact without an id"))?;
    Ok(Kept { id: id.to_owned() })
}

// ANCHOR: together
impl Connector for Crm {
    fn actions(a: &mut Actions<Self>) {
        a.action("keep-contact", "Keep a contact", keep_contact);
        a.batch("keep-contact", 100, keep_contacts); // up to 100 runs in one call
    }
}

fn keep_contacts(items: &[Item<Contact, Config>]) -> Result<Vec<Result<Kept, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    // What is sent follows from the items alone; the key of a run's step tells its record from others in the answer.
    let records: Vec<Value> = items.iter().map(|item| json!({ "ref": item.cx.idempotency_key, "contact": item.input })).collect();
    let url = format!("{}/contacts/batch", first.cx.config.base_url);
    let response = first.cx.post(url).name("contacts").json(&records).send()?;
    if response.status == 400 && items.len() > 1 {
        // Refused as a whole for one of them: after a retry each goes alone.
        return Err(Failure::retry("The CRM refused the batch").response(&response).after(Duration::ZERO));
    }
    let answer: Vec<Value> = response.ok()?.json()?;
    let result = |item: &Item<Contact, Config>| match answer.iter().find(|record| record["ref"] == item.cx.idempotency_key.as_str()) {
        Some(record) if record["error"].is_null() => kept(record),
        Some(record) => Err(Failure::rejected(format!("The CRM refused the contact: {}", record["error"]))),
        None => Err(Failure::retry("The CRM did not say what became of the contact")),
    };
    Ok(items.iter().map(result).collect()) // one result for each item, in their order
}
// ANCHOR_END: together

#[cfg(test)]
mod tests {
    use sangam_sdk::testing::{self, Host};

    use super::*;

    fn host(answer: impl Fn(&[Value]) -> Value + 'static) -> Host {
        let mut host = Host::new(move |sent| {
            let records = sent.json();
            let body = answer(records.as_array().map_or(&[][..], Vec::as_slice));
            testing::json(if body.is_array() { 200 } else { 400 }, body)
        });
        host.config = json!({ "base-url": "https://crm.example" });
        host
    }

    fn contacts() -> [Value; 3] {
        [json!({ "email": "a@b.example", "name": "A" }), json!({ "email": 7 }), json!({ "email": "c@b.example", "name": "C" })]
    }

    #[test]
    fn each_run_has_its_own_result_of_one_request() {
        let mut host = host(|records| {
            let one = |record: &Value| match record["contact"]["name"] == "A" {
                true => json!({ "ref": record["ref"], "id": "1" }),
                false => json!({ "ref": record["ref"], "error": "no such domain" }),
            };
            records.iter().rev().map(one).collect()
        });
        let results = host.invoke_batch::<Crm>("keep-contact", &contacts());
        assert_eq!((results[0].clone(), host.sent.len()), (Ok(json!({ "id": "1" })), 1));
        let reasons = [1, 2].map(|place: usize| results[place].clone().expect_err("refused").reason);
        assert_eq!(reasons[0], "input.email: invalid type: integer `7`, expected a string", "it is not sent");
        assert_eq!(reasons[1], "The CRM refused the contact: \"no such domain\"");
    }

    #[test]
    fn a_batch_that_is_refused_whole_is_tried_one_by_one() {
        let results = host(|_| json!({ "message": "no" })).invoke_batch::<Crm>("keep-contact", &contacts());
        assert_eq!(results.iter().filter(|result| result.as_ref().is_err_and(|failure| failure.kind == FailureKind::Retry)).count(), 2);
    }
}
