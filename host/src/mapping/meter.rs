//! What one evaluation may still spend, and how it is stopped.
//!
//! jaq offers no way to interrupt a filter: operators and `Clone` have no access to a context, and `From` can't fail.
//! So the meter of the running evaluation is a thread-local, set for exactly that evaluation on a thread made for it,
//! and an overrun leaves the interpreter by unwinding, which no `try` in the expression can catch. The process's panic
//! hook never sees it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{EvalError, Limits, Overrun};
use crate::clock;

/// Price of executing one term of jq, in units of work: about the bytes that the interpreter allocates for it.
pub(super) const STEP: u64 = 128;
/// Price and weight of one value, whatever it holds besides.
pub(super) const VALUE: usize = 24;
/// Stack that jq's own recursion may use. Iterators that were built at this depth use several times as much when they
/// are advanced or dropped, which is why threads get [`STACK`].
const RECURSION: usize = 8 << 20;
/// Stack of a thread that compiles or evaluates. Reserved, not used: pages are only taken when they are touched.
/// The longest chain that the default [`Limits::work`] can build is dropped recursively within it.
pub(super) const STACK: usize = 512 << 20;
/// Whether it is to stop is looked at once per this much work.
const LOOK: u64 = 1 << 12;

/// Why and when a call of the evaluator stops before its end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// Nobody waits for it any more.
    dropped: AtomicBool,
    /// Its time is over by the clock on the wall: from now on it is asked how much of that it has had a processor. Asking takes a while.
    late: AtomicBool,
}

impl Stop {
    pub(super) fn drop_it(&self) {
        self.dropped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_late(&self) {
        self.late.store(true, Ordering::Relaxed);
    }

    fn stops(&self, processor_time: Duration) -> bool {
        self.dropped.load(Ordering::Relaxed) || (self.late.load(Ordering::Relaxed) && clock::processor_time() >= processor_time)
    }
}

struct Meter {
    work: Cell<u64>,
    depth: Cell<usize>,
    weight: Cell<usize>,
    stack_end: Cell<usize>,
    stop: RefCell<Option<(Arc<Stop>, Duration)>>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            work: Cell::new(u64::MAX),
            depth: Cell::new(usize::MAX),
            weight: Cell::new(usize::MAX),
            stack_end: Cell::new(0),
            stop: RefCell::new(None),
        }
    };
}

/// Runs `work` on this thread under `limits`, until it is to `stop`, at the latest once the thread has had the processor for `until`.
pub(super) fn metered<T>(
    limits: &Limits,
    stop: &Arc<Stop>,
    until: Duration,
    work: impl FnOnce() -> Result<T, EvalError>,
) -> Result<T, EvalError> {
    METER.with(|meter| {
        meter.work.set(limits.work);
        meter.depth.set(limits.depth);
        meter.weight.set(limits.value);
        meter.stack_end.set(stack_pointer().saturating_sub(RECURSION));
        meter.stop.replace(Some((Arc::clone(stop), until)));
    });
    // Nothing that the closure can leave half-changed outlives it: values are dropped by the unwinding.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    METER.with(|meter| {
        meter.work.set(u64::MAX);
        meter.depth.set(usize::MAX);
        meter.weight.set(usize::MAX);
        meter.stack_end.set(0);
        meter.stop.replace(None);
    });
    outcome.unwrap_or_else(|payload| match payload.downcast::<Overrun>() {
        Ok(overrun) => Err(EvalError::Overrun(*overrun)),
        Err(_) => Err(EvalError::Broken),
    })
}

/// Pays `units` of work.
pub(super) fn spend(units: usize) {
    charge(units as u64);
}

/// Pays for one term of jq and looks at the stack that is left.
pub(super) fn step() {
    charge(STEP);
    if stack_pointer() < METER.with(|meter| meter.stack_end.get()) {
        overrun(Overrun::Recursion);
    }
}

/// Checks a value that is about to be made: its nesting, and its weight with everything that it holds.
pub(super) fn admit(depth: usize, weight: usize) {
    let (most_depth, most_weight) = METER.with(|meter| (meter.depth.get(), meter.weight.get()));
    if depth > most_depth {
        overrun(Overrun::Depth);
    }
    if weight > most_weight {
        overrun(Overrun::Value);
    }
}

fn charge(units: u64) {
    METER.with(|meter| {
        let before = meter.work.get();
        let Some(after) = before.checked_sub(units) else {
            overrun(Overrun::Work);
        };
        meter.work.set(after);
        if before / LOOK != after / LOOK {
            let stopped = matches!(&*meter.stop.borrow(), Some((stop, until)) if stop.stops(*until));
            if stopped {
                overrun(Overrun::Time);
            }
        }
    });
}

fn overrun(overrun: Overrun) -> ! {
    resume_unwind(Box::new(overrun))
}

/// Where the stack is now, near enough: the address of a local. It grows downwards wherever this host runs.
#[inline(never)]
fn stack_pointer() -> usize {
    let local = 0u8;
    std::hint::black_box(&raw const local).addr()
}
