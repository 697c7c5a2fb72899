//! How much the host holds for a call: headers and bodies that the guest has made or not yet read. A handle is small and what is behind it is
//! not, so bytes are counted beside `limits.handles`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config;
use crate::outbound::MAX_RESPONSE_HEADERS;

/// The room of one instance. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes of one body that the guest makes.
    body: AtomicUsize,
    /// Bytes of one answer, which are taken before the request leaves: what was sent must not fail for want of room.
    answer: AtomicUsize,
    used: AtomicUsize,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Room,
    bytes: usize,
}

/// The room is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host holds no more headers and bodies for it")]
pub(in crate::engine) struct TooMuchHeld;

impl Room {
    pub(in crate::engine) fn new(limits: &config::Limits) -> Room {
        let room = Room(Arc::new(Inner { body: AtomicUsize::new(0), answer: AtomicUsize::new(0), used: AtomicUsize::new(0) }));
        room.resize(limits);
        room
    }

    /// For another call of the same instance. What the guest still holds counts on.
    pub(in crate::engine) fn resize(&self, limits: &config::Limits) {
        self.0.body.store(limits.host_call_size, Ordering::Relaxed);
        self.0.answer.store(limits.response_size.saturating_add(MAX_RESPONSE_HEADERS), Ordering::Relaxed);
    }

    /// Takes a part.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held, TooMuchHeld> {
        let mut held = Held { room: self.clone(), bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }

    /// Takes what an answer can need.
    pub(super) fn hold_answer(&self) -> Result<Held, TooMuchHeld> {
        self.hold(self.0.answer.load(Ordering::Relaxed))
    }

    fn most(&self) -> usize {
        self.0.body.load(Ordering::Relaxed).saturating_add(self.0.answer.load(Ordering::Relaxed))
    }
}

impl Held {
    /// Takes more.
    pub(super) fn grow(&mut self, by: usize) -> Result<(), TooMuchHeld> {
        // A call is worked on by one thread at a time.
        let used = self.room.0.used.load(Ordering::Relaxed).saturating_add(by);
        if used > self.room.most() {
            return Err(TooMuchHeld);
        }
        self.room.0.used.store(used, Ordering::Relaxed);
        self.bytes += by;
        Ok(())
    }

    /// Takes more for a body, of which each alone is bounded, too: there is always room for an answer beside it.
    pub(super) fn grow_body(&mut self, by: usize) -> Result<(), TooMuchHeld> {
        if self.bytes.saturating_add(by) > self.room.0.body.load(Ordering::Relaxed) {
            return Err(TooMuchHeld);
        }
        self.grow(by)
    }

    /// Parts with some of it; the rest, up to `bytes`, is kept.
    pub(super) fn split(&mut self, bytes: usize) -> Held {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Held { room: self.room.clone(), bytes }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_body_leaves_room_for_the_largest_answer_and_nothing_else() {
        let room = Room::new(&config::Limits { host_call_size: 1000, response_size: 500, ..config::Limits::default() });
        let mut body = room.hold(0).expect("nothing is there");
        body.grow_body(1000).expect("it is as large as a body may be");
        assert_eq!(body.grow_body(1), Err(TooMuchHeld));
        let mut answer = room.hold_answer().expect("there is always room for an answer");
        assert_eq!(room.hold(1).map(drop), Err(TooMuchHeld));
        let kept = answer.split(200);
        drop(answer);
        drop(body);
        assert!(room.hold(1000 + 300 + MAX_RESPONSE_HEADERS).is_ok());
        assert_eq!(room.hold(1000 + 300 + MAX_RESPONSE_HEADERS + 1).map(drop), Err(TooMuchHeld));
        drop(kept);
        assert!(room.hold(1000 + 500 + MAX_RESPONSE_HEADERS).is_ok());
    }
}
