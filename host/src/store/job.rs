//! What is handed to the [`writer`](super::writer), and how those who handed it over are answered.

use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use futures::{FutureExt as _, TryFutureExt as _};
use tokio::sync::oneshot;

use super::StoreError;
use super::accept::{Accepted, NewEvent, Rows, Taken};
use super::joint::Joint;
use super::sql::Connection;
use super::terms::Terms;
use crate::live::{Feed, News};

/// Something to be written.
pub(super) enum Job {
    /// Events taken in; all that wait are inserted together.
    Accept {
        events: Vec<NewEvent>,
        rows: Rows,
        terms: Terms,
        reply: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
    },
    /// A write that shares its statements with others.
    Joint {
        write: Joint,
        terms: Terms,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Any other write.
    Write {
        write: Box<dyn Write>,
        terms: Terms,
    },
    /// Copies what is left in the log of a file into it.
    Checkpoint,
    Close,
}

impl Job {
    pub(super) fn terms(&self) -> Option<&Terms> {
        match self {
            Job::Accept { terms, .. } | Job::Joint { terms, .. } | Job::Write { terms, .. } => Some(terms),
            Job::Checkpoint | Job::Close => None,
        }
    }
}

/// A write that can be applied again after a rollback.
pub(super) trait Write: Send {
    fn apply<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, Result<(), StoreError>>;
    fn reply(self: Box<Self>, result: Result<(), StoreError>);
}

/// A write made of a closure.
pub(super) struct Closure<F, R> {
    pub(super) apply: F,
    pub(super) output: Option<R>,
    pub(super) reply: oneshot::Sender<Result<R, StoreError>>,
}

impl<F, R> Write for Closure<F, R>
where
    F: for<'c> FnMut(&'c mut Connection) -> BoxFuture<'c, Result<R, StoreError>> + Send,
    R: Send,
{
    fn apply<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            self.output = None;
            self.output = Some((self.apply)(connection).await?);
            Ok(())
        })
    }

    fn reply(self: Box<Self>, result: Result<(), StoreError>) {
        let Closure { output, reply, .. } = *self;
        let result = result.map(|()| output.expect("a write that was applied has an output"));
        // The asker may have gone away; the write is done all the same.
        let _ = reply.send(result);
    }
}

/// A write on its way: awaited by who needs it durable, dropped by who only needs it in order.
pub(super) struct Pending<R>(pub(super) oneshot::Receiver<Result<R, StoreError>>);

impl<R> Pending<R> {
    pub(super) async fn durable(self) -> Result<R, StoreError> {
        self.0.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Pending<()> {
    /// Says whether it is durable to all who ask.
    pub(super) fn receipt(self) -> Receipt {
        self.durable().map_err(Arc::new).boxed().shared()
    }
}

/// Whether what a run stands on is durable: its acceptance, or the end of its last step. What the run has queued behind it and finds durable finds this
/// answered.
pub type Receipt = Shared<BoxFuture<'static, Result<(), Arc<StoreError>>>>;

/// Says to runs that have begun with their acceptance whether it is durable.
pub(super) type Begun = oneshot::Sender<Result<(), StoreError>>;

/// They are written, and not durable yet: runs that this host leased with their acceptance begin. `taken`: what became of the intakes among them, in order.
pub(super) fn begin(jobs: &[Job], taken: &[Arc<Taken>]) -> Option<Begun> {
    let leased = |event: &NewEvent| event.runs.iter().any(|run| run.lease.is_some());
    if !intakes(jobs).any(|events| events.iter().any(leased)) {
        return None;
    }
    let (begun, answer) = oneshot::channel();
    hand_over(jobs, taken, Some(&Pending(answer).receipt()));
    Some(begun)
}

/// Without `behind` they are durable.
pub(super) fn hand_over(jobs: &[Job], taken: &[Arc<Taken>], behind: Option<&Receipt>) {
    intakes(jobs).zip(taken).for_each(|(events, taken)| taken.hand_over(events, behind));
}

fn intakes(jobs: &[Job]) -> impl Iterator<Item = &[NewEvent]> {
    jobs.iter().filter_map(|job| match job {
        Job::Accept { events, .. } => Some(events.as_slice()),
        Job::Joint { .. } | Job::Write { .. } | Job::Checkpoint | Job::Close => None,
    })
}

/// They are durable: who waits is answered, and all is told. `taken`: what became of the intakes among them, in order; `changed`: what the writes have changed.
pub(super) fn answer(jobs: Vec<Job>, taken: Vec<Arc<Taken>>, changed: Vec<News>, feed: &Feed) {
    let mut news = Vec::new();
    let mut taken = taken.into_iter();
    for job in jobs {
        match job {
            Job::Accept { events, reply, .. } => {
                let taken = taken.next().expect("something became of every intake");
                taken.tell(&events, &mut news);
                let _ = reply.send(Ok(taken.outcomes(&events)));
            }
            Job::Joint { reply, .. } => {
                let _ = reply.send(Ok(()));
            }
            Job::Write { write, .. } => write.reply(Ok(())),
            Job::Checkpoint | Job::Close => {}
        }
    }
    // Who waits for the flush does not wait for this.
    feed.publish(news.into_iter().chain(changed), true);
}

/// None of them is durable, for all that is known.
pub(super) fn refuse_all(jobs: Vec<Job>, error: &StoreError) {
    let why = crate::telemetry::chain(error);
    for job in jobs {
        refuse(job, StoreError::Unavailable(why.clone()));
    }
}

/// It is not durable, for all that is known.
pub(super) fn refuse(job: Job, error: StoreError) {
    match job {
        Job::Accept { reply, .. } => {
            let _ = reply.send(Err(error));
        }
        Job::Joint { reply, .. } => {
            let _ = reply.send(Err(error));
        }
        Job::Write { write, .. } => write.reply(Err(error)),
        Job::Checkpoint | Job::Close => {}
    }
}
