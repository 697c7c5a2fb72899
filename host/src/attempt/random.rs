//! The randomness that a plugin sees: a stream keyed by a secret of the store, the root run, the step and the round, so that it comes out the
//! same on every attempt and can't be guessed by anyone outside.
//!
//! Block n is HMAC-SHA256(key, n) with key = HMAC-SHA256(secret, root ‖ 0 ‖ step ‖ 0 ‖ round). Written out here because the stream is part of what
//! stored runs rely on: it must not change with a library's version.

use ring::hmac;

use super::AttemptId;

/// A deterministic stream of random bytes.
#[derive(Debug, Clone)]
pub struct KeyedRandom {
    key: hmac::Key,
    block: u64,
    buffer: [u8; 32],
    used: usize,
}

impl KeyedRandom {
    /// The stream of an attempt.
    pub fn new(secret: &[u8; 32], id: &AttemptId) -> KeyedRandom {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
        context.update(id.root.as_bytes());
        context.update(&[0]);
        context.update(id.step.as_bytes());
        context.update(&[0]);
        context.update(&id.round.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref());
        KeyedRandom { key, block: 0, buffer: [0; 32], used: 32 }
    }

    /// A separate stream for another purpose.
    pub fn fork(&self, purpose: &str) -> KeyedRandom {
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.key, purpose.as_bytes()).as_ref());
        KeyedRandom { key, block: 0, buffer: [0; 32], used: 32 }
    }

    /// The next bytes of the stream.
    pub fn fill(&mut self, target: &mut [u8]) {
        for byte in target {
            if self.used == self.buffer.len() {
                self.buffer.copy_from_slice(hmac::sign(&self.key, &self.block.to_be_bytes()).as_ref());
                self.block += 1;
                self.used = 0;
            }
            *byte = self.buffer[self.used];
            self.used += 1;
        }
    }
}
