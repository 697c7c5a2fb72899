//! The ledger: which sealed values are the present ones.
//!
//! A sealed value says whose it is, but not that it is the newest: somebody with the database could put back the one from before, such as a token that
//! was taken from its owner since. So the store keeps one more sealed value with the digest of every other. What the ledger does not name is refused.
//! Only when values and ledger are set back *together* does that go unseen by a host that starts later: that is what restoring a backup looks like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::key::{OpenError, Purpose, SealingKey};
use crate::audit::hex;

/// What the ledger itself is called.
const NAME: &str = "ledger";

/// Digests of the present values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Raised with every change: one that is lower than was seen before has been put back.
    edition: u64,
    digests: BTreeMap<String, String>,
}

impl Ledger {
    /// As the store has it; a store without one has no values either.
    ///
    /// # Errors
    /// It was damaged, or written by somebody without the key.
    pub fn open(key: &SealingKey, sealed: Option<&[u8]>) -> Result<Ledger, OpenError> {
        let Some(sealed) = sealed else { return Ok(Ledger::default()) };
        let text = key.open(Purpose::Ledger, NAME, sealed)?;
        serde_json::from_slice(&text).map_err(|_| OpenError::Refused)
    }

    /// For the store.
    pub fn seal(&self, key: &SealingKey) -> Vec<u8> {
        key.seal(Purpose::Ledger, NAME, &serde_json::to_vec(self).expect("texts and a number are JSON"))
    }

    /// From now on that is the present value; `None`: there is none.
    pub fn put(&mut self, purpose: Purpose, name: &str, sealed: Option<&[u8]>) {
        self.edition += 1;
        match sealed {
            Some(sealed) => drop(self.digests.insert(entry(purpose, name), digest(sealed))),
            None => drop(self.digests.remove(&entry(purpose, name))),
        }
    }

    /// Whether that is the present value.
    pub fn has(&self, purpose: Purpose, name: &str, sealed: &[u8]) -> bool {
        self.digests.get(&entry(purpose, name)).is_some_and(|known| *known == digest(sealed))
    }

    /// Counts its changes.
    pub fn edition(&self) -> u64 {
        self.edition
    }
}

fn entry(purpose: Purpose, name: &str) -> String {
    format!("{} {name}", purpose.as_str())
}

fn digest(sealed: &[u8]) -> String {
    hex(&Sha256::digest(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_value_that_was_kept_last_is_the_present_one() {
        let key = SealingKey::new(&[7; 32]);
        let mut ledger = Ledger::open(&key, None).expect("an empty one");
        ledger.put(Purpose::Secret, "crm", Some(b"one"));
        ledger.put(Purpose::Credential, "crm", Some(b"other"));
        let before = ledger.seal(&key);
        ledger.put(Purpose::Secret, "crm", Some(b"two"));
        let ledger = Ledger::open(&key, Some(&ledger.seal(&key))).expect("opens");
        assert!(ledger.has(Purpose::Secret, "crm", b"two") && ledger.has(Purpose::Credential, "crm", b"other"));
        assert!(!ledger.has(Purpose::Secret, "crm", b"one"), "an earlier value");
        assert!(!ledger.has(Purpose::Secret, "crm", b"other"), "the value of another kind");
        assert!(Ledger::open(&key, Some(&before)).expect("opens").edition() < ledger.edition(), "an earlier ledger");
        assert!(Ledger::open(&SealingKey::new(&[8; 32]), Some(&before)).is_err(), "another key's");
    }
}
