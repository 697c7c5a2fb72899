//! Takes secret values out of bytes that leave the host's own hands: answers to plugins, logs, error texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::error::VendorAnswer;
use super::hidden::Hidden;
use super::patterns::{Patterns, Spelled};

/// Whose values are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Of `[credentials.NAME]`.
    Credential(String),
    /// Of a source that verifies with them.
    Source(String),
    /// Of `[webhooks.NAME]`.
    Subscriber(String),
}

/// What one owner has. Its spellings are made once, not whenever another's change.
struct Held {
    hidden: Hidden,
    spelled: Arc<Spelled>,
}

/// The values in use now, by their owner.
#[derive(Default)]
pub(super) struct Redactor {
    values: Mutex<BTreeMap<Owner, Held>>,
    patterns: RwLock<Arc<Patterns>>,
}

impl Redactor {
    /// Replaces the values of one credential.
    pub(super) fn set(&self, credential: &str, hidden: Hidden) {
        self.change(|values| put(values, Owner::Credential(credential.to_owned()), hidden));
    }

    /// Keeps the values of these credentials only, and of those who have none.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.change(|values| retain(values, |owner| if let Owner::Credential(name) = owner { keep(name) } else { true }));
    }

    /// Replaces the values of all that are no credentials. `None`: those that it has can't be had now, and the former ones stay.
    pub(super) fn set_others(&self, others: Vec<(Owner, Option<Hidden>)>) {
        self.change(|values| {
            let others: BTreeMap<Owner, Option<Hidden>> = others.into_iter().collect();
            let mut differs = retain(values, |owner| matches!(owner, Owner::Credential(_)) || others.contains_key(owner));
            for (owner, hidden) in others.into_iter().filter_map(|(owner, hidden)| Some((owner, hidden?))) {
                differs |= put(values, owner, hidden);
            }
            differs
        });
    }

    pub(super) fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.patterns().redact(bytes)
    }

    pub(super) fn redact_start<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.patterns().redact_start(bytes)
    }

    /// A vendor's words, without the values of any credential: a system may know and repeat more than its own.
    pub(super) fn words(&self, answer: VendorAnswer) -> VendorAnswer {
        let clean = |text: Option<String>| text.map(|text| String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned());
        VendorAnswer { status: answer.status, error: clean(answer.error), description: clean(answer.description) }
    }

    fn patterns(&self) -> Arc<Patterns> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `change` says whether anything is another.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Owner, Held>) -> bool) {
        // Held until the patterns are in place, so that of two changes the later one stays.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut values) {
            let patterns = Arc::new(Patterns::of(values.values().map(|held| held.spelled.clone()).collect()));
            *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = patterns;
        }
    }
}

/// Says whether these are others than its owner had.
fn put(values: &mut BTreeMap<Owner, Held>, owner: Owner, hidden: Hidden) -> bool {
    let differs = values.get(&owner).is_none_or(|held| held.hidden != hidden);
    if differs {
        values.insert(owner, Held { spelled: Arc::new(Spelled::new(&hidden)), hidden });
    }
    differs
}

/// Says whether anybody has gone.
fn retain(values: &mut BTreeMap<Owner, Held>, keep: impl Fn(&Owner) -> bool) -> bool {
    let before = values.len();
    values.retain(|owner, _| keep(owner));
    values.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn hidden(values: &[&str]) -> Hidden {
        values.iter().map(|text| Secret::new((*text).to_owned())).collect::<Vec<_>>().iter().collect()
    }

    #[test]
    fn values_of_a_credential_are_replaced_and_forgotten() {
        let redactor = Redactor::default();
        redactor.set("a", hidden(&["first-value"]));
        redactor.set("b", hidden(&["other-value"]));
        redactor.set("a", hidden(&["second-value"]));
        assert_eq!(&*redactor.redact(b"first-value second-value other-value"), b"first-value [redacted] [redacted]");
        redactor.retain(|credential| credential == "a");
        assert_eq!(&*redactor.redact(b"second-value other-value"), b"[redacted] other-value");
    }

    #[test]
    fn values_of_others_stay_when_credentials_come_and_go() {
        let redactor = Redactor::default();
        redactor.set("a", hidden(&["first-value"]));
        redactor.set_others(vec![
            (Owner::Source("a".into()), Some(hidden(&["source-value"]))),
            (Owner::Subscriber("a".into()), Some(hidden(&["endpoint-value"]))),
        ]);
        redactor.retain(|_| false);
        assert_eq!(&*redactor.redact(b"first-value source-value endpoint-value"), b"first-value [redacted] [redacted]");
        redactor.set("a", hidden(&["first-value"]));
        redactor.set_others(vec![(Owner::Source("a".into()), Some(hidden(&["source-value"])))]);
        assert_eq!(&*redactor.redact(b"first-value source-value endpoint-value"), b"[redacted] [redacted] endpoint-value");
    }

    #[test]
    fn what_can_not_be_had_for_a_moment_stays_masked() {
        let redactor = Redactor::default();
        let (source, subscriber) = (Owner::Source("a".into()), Owner::Subscriber("b".into()));
        redactor
            .set_others(vec![(source.clone(), Some(hidden(&["source-value"]))), (subscriber.clone(), Some(hidden(&["endpoint-value"])))]);
        redactor.set_others(vec![(source.clone(), None), (subscriber.clone(), Some(hidden(&["another-value"])))]);
        assert_eq!(&*redactor.redact(b"source-value endpoint-value another-value"), b"[redacted] endpoint-value [redacted]");
        // Its source is gone.
        redactor.set_others(vec![(subscriber, None)]);
        assert_eq!(&*redactor.redact(b"source-value another-value"), b"source-value [redacted]");
        redactor.set_others(vec![(source, None)]);
        assert_eq!(&*redactor.redact(b"source-value another-value"), b"source-value another-value");
    }
}
