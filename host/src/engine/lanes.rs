//! Where guests run: on threads of their own, in two lanes, so that whoever computes for long holds up nobody.
//!
//! A call begins in the quick lane, where most calls end within a fraction of a millisecond. One that has used more processor time than that goes
//! on in the slow lane, whose threads give way to all others of the host when processors are short. So calls that are short never queue
//! behind ones that are not, however many of those there are, and neither do the host's own tasks.
//!
//! Calls of a component that has proved quick begin where they are asked for, and move to the quick lane if they are not.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::meter::Meter;
use super::pace::{self, Pace};
use crate::clock::processor_time;

/// Processor time after which a call is a long one: two looks at it.
const QUICK: Duration = Duration::from_millis(10);
/// How far the threads of long calls give way: about a tenth of a processor beside a busy thread, and all of an idle one.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Both lanes.
pub(super) struct Lanes {
    quick: Option<Runtime>,
    slow: Option<Runtime>,
    /// The host's own threads. What a call starts, such as the connection of a request, serves others too, and belongs there.
    home: Handle,
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // A runtime must not be waited for from within another: what still runs in guests is abandoned.
        for lane in [self.quick.take(), self.slow.take()].into_iter().flatten() {
            lane.shutdown_background();
        }
    }
}

impl Lanes {
    /// On one of the host's own threads.
    pub(super) fn start() -> std::io::Result<Lanes> {
        let quick = Builder::new_multi_thread().thread_name("guest").enable_all().build()?;
        let slow = Builder::new_multi_thread().thread_name("guest-long").enable_all().on_thread_start(give_way).build()?;
        Ok(Lanes { quick: Some(quick), slow: Some(slow), home: Handle::current() })
    }

    fn lane(lane: &Option<Runtime>) -> &Handle {
        lane.as_ref().expect("a lane lives as long as the engine").handle()
    }

    /// Does what nobody waits for. Not in the slow lane: what makes and unmakes instances holds the process's memory map, and whoever has
    /// it should not give way to others while quick calls wait for it.
    pub(super) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        // It ends by itself, or with the lane.
        drop(Lanes::lane(&self.quick).spawn(work));
    }

    /// Does the work of a call, which is within [`Meter::around`] of this meter. Nobody who waits for it any more: it is broken off. Boxed by whoever
    /// makes it: it is large, and each hand that it goes through by value would copy it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        meter: &Meter,
        pace: &Pace,
        mut work: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<T, JoinError> {
        if pace.is_quick()
            && let Some(done) = at_home(pace, work.as_mut()).await
        {
            return Ok(done);
        }
        let (used, home) = (meter.clone(), self.home.clone());
        let begun = AbortOnDropHandle::new(Lanes::lane(&self.quick).spawn(async move {
            let done = std::future::poll_fn(|context| {
                let _home = home.enter();
                match work.as_mut().poll(context) {
                    Poll::Ready(done) => Poll::Ready(Some(done)),
                    Poll::Pending if used.used() > QUICK => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await;
            done.ok_or(work)
        }));
        let mut work = match begun.await? {
            Ok(done) => {
                pace.ended(meter.used(), Instant::now());
                return Ok(done);
            }
            Err(work) => work,
        };
        pace.ended(meter.used(), Instant::now());
        let home = self.home.clone();
        let rest = std::future::poll_fn(move |context| {
            let _home = home.enter();
            work.as_mut().poll(context)
        });
        AbortOnDropHandle::new(Lanes::lane(&self.slow).spawn(rest)).await
    }
}

/// Works on a call where it is asked for, as long as its component proves quick. `None`: it has to go on elsewhere.
async fn at_home<T>(pace: &Pace, mut work: Pin<&mut (dyn Future<Output = T> + Send)>) -> Option<T> {
    std::future::poll_fn(|context| {
        if !pace.is_quick() {
            // Another of its calls has strayed since.
            return Poll::Ready(None);
        }
        let began = Instant::now();
        let used = used_at_most(began);
        let poll = work.as_mut().poll(context);
        // The thread's own time is asked for only where the ordinary clock leaves a doubt: it costs more.
        let held = if began.elapsed() > pace::SHORT { used_by_now().saturating_sub(used) } else { Duration::ZERO };
        let strays = held > pace::SHORT;
        if strays {
            pace.strayed(held, Instant::now());
        }
        match poll {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if strays => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

thread_local! {
    /// When this thread's own time was asked for last, and what it was.
    static ASKED: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// Processor time that this thread has used, as the system counts it.
fn used_by_now() -> Duration {
    // In this order: what passes between the two counts as used.
    let asked = Instant::now();
    let used = processor_time();
    ASKED.set(Some((asked, used)));
    used
}

/// The most that this thread can have used until now: what it was a moment ago, and all of the time since. To ask the system takes half a microsecond or more,
/// and a call is taken up a dozen times. It is too much by [`pace::SHORT`] at most, and by nothing where the thread has had no rest.
fn used_at_most(now: Instant) -> Duration {
    let known = ASKED.get().map(|(asked, used)| (now.saturating_duration_since(asked), used));
    match known {
        Some((since, used)) if since <= pace::SHORT => used + since,
        _ => used_by_now(),
    }
}

/// Lets the other threads of the host go first.
fn give_way() {
    // Linux knows a priority for each thread; elsewhere it would be that of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "threads of long calls can't give way to others");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    fn burn(time: Duration) {
        let began = processor_time();
        while processor_time() - began < time {
            std::hint::spin_loop();
        }
    }

    /// Where a call ran that computed for so long before and after a wait.
    async fn call(lanes: &Lanes, pace: &Pace, time: Duration) -> (String, String) {
        let meter = Meter::new(Duration::from_secs(5));
        let within = meter.clone();
        let work = async move {
            let work = async {
                burn(time);
                let first = here();
                tokio::task::yield_now().await;
                (first, here())
            };
            within.around(work).await.expect("time is left")
        };
        lanes.run(&meter, pace, Box::pin(work)).await.expect("it does not panic")
    }

    #[tokio::test]
    async fn quick_calls_run_where_they_are_asked_for_until_one_is_not() {
        let (lanes, pace) = (Lanes::start().expect("threads"), Pace::unknown());
        let (asked, guests) = (here(), "guest".to_owned());
        // On a busy machine one of them may be measured as a long one: then it takes some more.
        for call_number in 0.. {
            assert!(call_number < 10_000, "short calls earn no place");
            if call(&lanes, &pace, Duration::ZERO).await.0 == asked {
                break;
            }
        }
        // More than may be overlooked of it after a rest.
        let long = 4 * pace::SHORT;
        assert_eq!(call(&lanes, &pace, long).await, (asked, guests.clone()), "it has to wait for nobody, and goes on elsewhere");
        assert_eq!(call(&lanes, &pace, long).await, (guests.clone(), guests), "and the next begins there");
    }
}
