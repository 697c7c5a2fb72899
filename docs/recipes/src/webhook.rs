//! Webhooks: what a vendor sends, made into events.

use sangam_sdk::prelude::*;

/// The connector.
#[derive(Debug)]
pub struct Forms;

impl Plugin for Forms {
    type Config = Value;
    const NAME: &'static str = "forms";
    const TITLE: &'static str = "Forms";
}

impl Source for Forms {
    fn streams(s: &mut Streams<Self>) {
        s.stream("answers", "Answered forms").receive(|request, _| receive(&request)).types(&["form.answered"]);
    }
}

// ANCHOR: receive
#[derive(Deserialize)]
struct Delivery {
    /// The same on every delivery of this answer.
    answer_id: String,
    submitted_at: String,
    #[serde(default)]
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    question: String,
    text: String,
}

/// Only reads and transforms: the host has checked the signature already, and answers once the events are durable.
fn receive(request: &Inbound) -> Result<Received, Failure> {
    // The vendor asks whether we are there when somebody enters the address.
    if request.header("x-forms-event") == Some("ping") {
        return Ok(Received::default());
    }
    let delivery: Delivery = request.json()?;
    let answers: Value = delivery.answers.into_iter().map(|answer| (answer.question, Value::String(answer.text))).collect();
    // The vendor's own id: a delivery that comes twice brings in nothing twice.
    let event = NewEvent::new("form.answered", json!({ "answers": answers }))?.id(delivery.answer_id).time(delivery.submitted_at);
    Ok(Received::new(vec![event]))
}
// ANCHOR_END: receive

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_one_event_and_a_ping_none() {
        let body = json!({ "answer_id": "a-1", "submitted_at": "2026-11-02T08:00:00Z", "answers": [{ "question": "q", "text": "yes" }] });
        let delivery = Inbound { method: "POST".into(), body: body.to_string().into_bytes(), ..Inbound::default() };
        assert_eq!(receive(&delivery).map(|received| (received.events.len(), received.reply.status)), Ok((1, 200)));
        let ping = Inbound { headers: vec![("x-forms-event".into(), b"ping".to_vec())], ..Inbound::default() };
        assert_eq!(receive(&ping).map(|received| received.events.len()), Ok(0));
        let nonsense = Inbound { body: b"{}".to_vec(), ..Inbound::default() };
        assert_eq!(receive(&nonsense).map_err(|failure| failure.kind).err(), Some(FailureKind::Rejected));
    }
}
