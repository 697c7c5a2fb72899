//! What events are known by here: UUIDs of version 7 (RFC 9562 section 5.7) of the time at which they came. Their order as text is that in which the events
//! came, so that a list of them needs no other.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use uuid::{ContextV7, Uuid};

/// How far an eid may be ahead of the time at which its event came: that much a clock may be set back without one being before another.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// Gives eids, one after another.
#[derive(Debug, Default)]
pub struct Eids(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    last: Option<Timestamp>,
    context: ContextV7,
}

impl Eids {
    /// That of an event which came then.
    pub fn next(&self, received_at: Timestamp) -> Arc<str> {
        self.of_several(received_at, 1).swap_remove(0)
    }

    /// Those of events which came then together: one after another, with none of another event between them. Those of one millisecond are in the order in
    /// which they are asked for.
    pub fn of_several(&self, received_at: Timestamp, count: usize) -> Vec<Arc<str>> {
        let (seconds, nanos) = (received_at.as_second(), received_at.subsec_nanosecond());
        let (seconds, nanos) = (u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0));
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if given.last.is_some_and(|last| last.duration_since(received_at) >= AHEAD) {
            given.context = ContextV7::new();
            given.last = None;
        }
        given.last = given.last.max(Some(received_at));
        let mut text = Uuid::encode_buffer();
        let mut next = || {
            let eid = Uuid::new_v7(uuid::Timestamp::from_unix(&given.context, seconds, nanos));
            Arc::from(&*eid.hyphenated().encode_lower(&mut text))
        };
        (0..count).map(|_| next()).collect()
    }
}

/// What is before the eid of every event that came then or later.
pub fn before_eids_of(time: Timestamp) -> String {
    let millis = u64::try_from(time.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80).to_string()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn their_order_is_that_of_time_and_then_that_in_which_they_were_given() {
        let eids = Eids::default();
        let now: Timestamp = "2026-11-30T07:00:00.123Z".parse().expect("a time");
        let mut of_now: Vec<Arc<str>> = (0..50).map(|_| eids.next(now)).collect();
        of_now.extend(eids.of_several(now, 50));
        assert!(of_now.is_sorted());
        let later = now + 1.millisecond();
        assert!(*before_eids_of(now) < *of_now[0] && *of_now[99] < *before_eids_of(later));
        assert!(*before_eids_of(later) < *eids.next(later));
        assert!(eids.next(now) > of_now[99], "a clock that was set back a little");
        let before = now - 1.hour();
        assert!(
            (before_eids_of(before)..before_eids_of(before + 1.millisecond())).contains(&eids.next(before).to_string()),
            "one that was set right"
        );
        assert_eq!(Uuid::parse_str(&of_now[0]).expect("a UUID").get_version_num(), 7);
        assert_eq!(before_eids_of(Timestamp::MIN), "00000000-0000-0000-0000-000000000000");
    }
}
