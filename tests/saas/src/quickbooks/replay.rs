//! What was answered under which `requestid`.

use std::collections::HashMap;

use super::answer::Answer;
use super::fault::Fault;

const MAX_LENGTH: usize = 50;

/// First outcomes, successes and faults alike, by request id.
#[derive(Default)]
pub(super) struct Replay {
    first: HashMap<String, (String, Answer)>,
    served: u64,
}

impl Replay {
    /// The first outcome under this id, if there is one. The body of the repetition is not looked at, as at Intuit.
    ///
    /// # Errors
    /// When the id is too long, or has served for another operation.
    pub(super) fn recall(&mut self, id: &str, operation: &str) -> Result<Option<Answer>, Fault> {
        if id.len() > MAX_LENGTH {
            return Err(Fault::too_long("requestid", MAX_LENGTH, id.len()));
        }
        match self.first.get(id) {
            None => Ok(None),
            Some((of, _)) if of != operation => Err(Fault::duplicate_request(id)),
            Some((_, answer)) => {
                self.served += 1;
                Ok(Some(answer.clone()))
            }
        }
    }

    /// Keeps an outcome.
    pub(super) fn keep(&mut self, id: &str, operation: &str, answer: &Answer) {
        self.first.insert(id.to_owned(), (operation.to_owned(), answer.clone()));
    }

    /// Number of repetitions answered from memory.
    pub(super) fn served(&self) -> u64 {
        self.served
    }
}
