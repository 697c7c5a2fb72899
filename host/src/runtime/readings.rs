//! Marked personal data that was shown in clear: who saw which events, counted and put on record together, so that a page that looks every second
//! fills neither the log nor the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::Runtime;
use crate::audit::{Act, Action, By};
use crate::store::StoreError;

/// Most readers told apart at a time; what the others see is put on record as theirs together.
const MOST_READERS: usize = 64;
/// Most events named in one entry; the others are counted.
const MOST_EVENTS: usize = 100;

/// Who saw what since the last time.
#[derive(Debug, Default)]
pub struct Readings(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// By kind and id of the reader, and where they are.
    by_reader: BTreeMap<(&'static str, String, String), Reading>,
    by_others: u64,
}

#[derive(Debug)]
struct Reading {
    by: Arc<By>,
    events: BTreeSet<String>,
    more: u64,
}

impl Readings {
    /// Somebody was shown an event with its marked fields.
    pub fn note(&self, by: &Arc<By>, eid: &str) {
        let reader = (by.actor.kind(), by.actor.id().to_owned(), by.from.clone());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.by_reader.len() >= MOST_READERS && !seen.by_reader.contains_key(&reader) {
            seen.by_others += 1;
            return;
        }
        let reading = seen.by_reader.entry(reader).or_insert_with(|| Reading { by: by.clone(), events: BTreeSet::new(), more: 0 });
        if reading.events.len() < MOST_EVENTS {
            reading.events.insert(eid.to_owned());
        } else if !reading.events.contains(eid) {
            reading.more += 1;
        }
    }

    fn take(&self) -> Vec<Act> {
        let Seen { by_reader, by_others } = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut acts: Vec<Act> = by_reader
            .into_values()
            .map(|Reading { by, events, more }| {
                let act = by.did(Action::DataRead, "events").with("events", events.into_iter().collect::<Vec<_>>());
                if more > 0 { act.with("more", more) } else { act }
            })
            .collect();
        if by_others > 0 {
            let nobody = By::request(crate::audit::Actor::Anyone, None);
            acts.push(nobody.did(Action::DataRead, "events").with("by-other-readers", json!(by_others)));
        }
        acts
    }
}

impl Runtime {
    /// Puts on record who was shown marked personal data since the last time, if anybody was.
    pub async fn record_readings(&self) -> Result<(), StoreError> {
        for act in self.readings.take() {
            self.store.audit(act, self.clock.now()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::audit::Actor;

    #[test]
    fn each_reader_has_one_entry_which_is_bounded() {
        let readings = Readings::default();
        let reader = |id: usize| Arc::new(By::request(Actor::Token { id: format!("t{id:03}"), name: String::new() }, None));
        for number in 0..150 {
            readings.note(&reader(0), &format!("e{number}"));
            readings.note(&reader(0), "e0");
        }
        for id in 1..100 {
            readings.note(&reader(id), "e");
        }
        let acts = readings.take();
        assert_eq!(acts.len(), MOST_READERS + 1);
        let count = |act: &Act| act.details["events"].as_array().map(Vec::len);
        assert_eq!((count(&acts[0]), &acts[0].details["more"]), (Some(MOST_EVENTS), &Value::from(50)));
        assert_eq!((count(&acts[1]), acts[1].details.get("more")), (Some(1), None));
        assert_eq!(acts[MOST_READERS].details["by-other-readers"], 36);
        assert!(readings.take().is_empty());
    }
}
