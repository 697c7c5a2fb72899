//! Where in a trace something stands: W3C Trace Context read, handed on, and derived.
//!
//! A run spans crashes, hosts and days, so nothing about it is kept open. Ids of spans are derived from what they stand for: every host, after every
//! crash, gives the same run and the same attempt the same id, and what is kept with the event is what its sender said, nothing else.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Longest `tracestate` that is kept: what the specification asks to be handed on at least (section 3.3.1.5).
const MAX_STATE: usize = 512;
/// Flag: the sender records this trace.
const SAMPLED: u8 = 1;
/// Flag: the last seven bytes of the trace id are random (Trace Context level 2).
const RANDOM: u8 = 2;

/// A place in a trace: a span, and the trace that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, not all zero.
    pub trace: u128,
    /// 8 bytes, not all zero.
    pub span: u64,
    /// Flags of the header.
    pub flags: u8,
    /// `tracestate`, as it came.
    pub state: Option<Arc<str>>,
    /// Spans are recorded here, and have ids of their own. Otherwise what a sender said is handed on as it came.
    pub records: bool,
    /// It is known to somebody: to the sender, or to where spans go. What nobody knows is not sent along.
    pub is_known: bool,
}

impl TraceContext {
    /// Reads the headers, or the attributes of a CloudEvent. What is not as the specification says is as if it were not there.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<TraceContext> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        if !(is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)) || version == "ff" {
            return None;
        }
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        if trace == 0 || span == 0 {
            return None;
        }
        let is_state =
            |state: &&str| !state.is_empty() && state.len() <= MAX_STATE && state.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let state = tracestate.map(str::trim).filter(is_state).map(Arc::from);
        let flags = u8::from_str_radix(flags, 16).ok()? & (SAMPLED | RANDOM);
        Some(TraceContext { trace, span, flags, state, records: false, is_known: true })
    }

    /// As it is kept with an event: both headers, a space between them.
    pub fn kept(&self) -> String {
        match &self.state {
            Some(state) => format!("{} {state}", self.traceparent()),
            None => self.traceparent(),
        }
    }

    /// Reads what [`TraceContext::kept`] wrote.
    pub fn of_kept(text: &str) -> Option<TraceContext> {
        match text.split_once(' ') {
            Some((traceparent, state)) => TraceContext::parse(traceparent, Some(state)),
            None => TraceContext::parse(text, None),
        }
    }

    /// Value of the header.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }

    /// Whether this trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Whether spans of it are to be sent to the collector.
    pub fn is_recorded(&self) -> bool {
        self.records && self.is_sampled()
    }

    /// The place below it that stands for `parts`, the same whoever asks. Where no spans are recorded it is the place above: nobody would find
    /// the one between.
    pub fn child(&self, parts: &[&str]) -> TraceContext {
        if !self.records && self.is_known {
            return self.clone();
        }
        TraceContext { span: span_id(parts), ..self.clone() }
    }

    /// The ids for a log line or an example of a metric; `None`: nobody would find them.
    pub fn trace_id(&self) -> Option<String> {
        self.is_known.then(|| format!("{:032x}", self.trace))
    }
}

/// How traces are recorded and handed on here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracing {
    /// Spans go to a collector.
    pub records: bool,
    /// What is sent says where in the trace it stands.
    pub propagate: bool,
    /// Share of the traces that begin here and are recorded, 0 to 1.
    pub sample: f64,
}

impl Tracing {
    /// The span of an event, and the one above it: what its sender said. Without that a trace begins with it, under the event's own id.
    pub fn of_event(&self, eid: &str, kept: Option<&str>) -> (TraceContext, Option<TraceContext>) {
        if let Some(parent) = kept.and_then(TraceContext::of_kept) {
            let above = TraceContext { records: self.records, ..parent.clone() };
            return (above.child(&["event", eid]), Some(parent));
        }
        // A UUIDv7: its last bytes are random, as the flag says.
        let trace = eid.parse::<uuid::Uuid>().map_or(0, |eid| eid.as_u128()).max(1);
        let flags = RANDOM | if self.records && within(trace, self.sample) { SAMPLED } else { 0 };
        let own = TraceContext { trace, span: 1, flags, state: None, records: self.records, is_known: self.records };
        (own.child(&["event", eid]), None)
    }
}

/// The specification's consistent sampling: the same traces for whoever has the same share.
fn within(trace: u128, share: f64) -> bool {
    let random = (trace & ((1 << 56) - 1)) as u64;
    // 56 bits fit into a double, give or take the last ones.
    (random as f64) < share * (1u64 << 56) as f64
}

/// An id that stands for these words.
fn span_id(parts: &[&str]) -> u64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let bytes: [u8; 32] = digest.finalize().into();
    u64::from_be_bytes(bytes[..8].try_into().expect("a digest has more bytes")).max(1)
}

/// The headers that say where in a trace a request stands.
pub fn headers(context: &TraceContext) -> Vec<(&'static str, Cow<'_, str>)> {
    let mut headers = vec![("traceparent", Cow::Owned(context.traceparent()))];
    if let Some(state) = &context.state {
        headers.push(("tracestate", Cow::Borrowed(&**state)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const EID: &str = "0192e4a0-5cf1-7a3f-8e21-b0d4c3f2a1e0";

    #[test]
    fn only_what_the_specification_calls_a_trace_is_one() {
        let read = TraceContext::parse(SENT, Some("a=1,b=2")).expect("the specification's own example");
        assert_eq!((read.traceparent().as_str(), read.state.as_deref()), (SENT, Some("a=1,b=2")));
        assert_eq!(TraceContext::of_kept(&read.kept()), Some(read));
        // A later version may say more after the flags.
        assert!(TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", None).is_some());
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert_eq!(TraceContext::parse(wrong, None), None, "{wrong}");
        }
        assert_eq!(TraceContext::parse(SENT, Some("a=1\r\nx: y")).and_then(|read| read.state), None, "no header is smuggled in");
    }

    #[test]
    fn every_host_gives_a_run_the_same_place_and_another_run_another() {
        let tracing = Tracing { records: true, propagate: true, sample: 1.0 };
        let (event, parent) = tracing.of_event(EID, Some(SENT));
        assert_eq!(parent.map(|parent| parent.traceparent()).as_deref(), Some(SENT));
        assert_eq!(format!("{:032x}", event.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(event.child(&["run", "a"]), tracing.of_event(EID, Some(SENT)).0.child(&["run", "a"]));
        assert_ne!(event.child(&["run", "a"]).span, event.child(&["run", "b"]).span);
        assert_ne!(event.child(&["run", "ab"]).span, event.child(&["runa", "b"]).span);
    }

    #[test]
    fn where_nothing_is_recorded_the_sender_s_place_is_handed_on_as_it_came() {
        let tracing = Tracing { records: false, propagate: true, sample: 1.0 };
        let (event, _) = tracing.of_event(EID, Some(SENT));
        assert_eq!(event.child(&["run", "a"]).child(&["attempt"]).traceparent(), SENT);
        let (event, parent) = tracing.of_event(EID, None);
        assert!(parent.is_none() && !event.is_known && !event.is_recorded());
    }

    #[test]
    fn the_sender_decides_whether_its_trace_is_recorded_and_the_share_decides_the_rest() {
        let none = Tracing { records: true, propagate: true, sample: 0.0 };
        assert!(none.of_event(EID, Some(SENT)).0.is_recorded());
        let unsampled = SENT.replace("-01", "-00");
        let all = Tracing { sample: 1.0, ..none };
        assert!(!all.of_event(EID, Some(&unsampled)).0.is_recorded());
        let recorded = |sample: f64| {
            let tracing = Tracing { sample, ..none };
            // Of different times: those of one millisecond differ by a counter, and are recorded or not together.
            let eid = |_| uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_790_000_000, 0)).to_string();
            (0..2000).map(eid).filter(|eid| tracing.of_event(eid, None).0.is_recorded()).count()
        };
        assert_eq!((recorded(0.0), recorded(1.0)), (0, 2000));
        let half = recorded(0.5);
        assert!((800..1200).contains(&half), "{half} of 2000");
    }
}
