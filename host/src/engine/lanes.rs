//! Where guests run: on threads of their own, in two lanes, so that whoever computes for long holds up nobody.
//!
//! A call begins in the quick lane, where most calls end within a fraction of a millisecond. One that has used more processor time than that goes
//! on in the slow lane, whose threads give way to all others of the host when processors are short. So calls that are short never queue
//! behind ones that are not, however many of those there are, and neither do the host's own tasks.

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::meter::Meter;

/// Processor time after which a call is a long one: two looks at it.
const QUICK: Duration = Duration::from_millis(10);
/// How far the threads of long calls give way: about a tenth of a processor beside a busy thread, and all of an idle one.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Both lanes.
pub(super) struct Lanes {
    quick: Option<Runtime>,
    slow: Option<Runtime>,
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
    pub(super) fn start() -> std::io::Result<Lanes> {
        let quick = Builder::new_multi_thread().thread_name("guest").enable_all().build()?;
        let slow = Builder::new_multi_thread().thread_name("guest-long").enable_all().on_thread_start(give_way).build()?;
        Ok(Lanes { quick: Some(quick), slow: Some(slow) })
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

    /// Does the work of a call, which is within [`Meter::around`] of this meter. Nobody who waits for it any more: it is broken off.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        meter: &Meter,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        let quick = Lanes::lane(&self.quick);
        let mut work = Box::pin(work);
        let used = meter.clone();
        let begun = AbortOnDropHandle::new(quick.spawn(async move {
            let done = std::future::poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if used.used() > QUICK => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await;
            done.ok_or(work)
        }));
        let mut work = match begun.await? {
            Ok(done) => return Ok(done),
            Err(work) => work,
        };
        let quick = quick.clone();
        let rest = std::future::poll_fn(move |context| {
            // What a call starts, such as the connection of a request, serves others too and belongs into the quick lane.
            let _quick = quick.enter();
            work.as_mut().poll(context)
        });
        AbortOnDropHandle::new(Lanes::lane(&self.slow).spawn(rest)).await
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
