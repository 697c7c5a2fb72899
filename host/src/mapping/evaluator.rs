//! Evaluation off the async threads, bounded in time and in number.

use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::meter::{STACK, Stop, metered};
use super::value::Val;
use super::{EvalError, Expr, Limits, Scope, Template, Written, plain};
use crate::clock;

/// Evaluates expressions on threads of its own, with stacks large enough for what the limits allow. A thread serves one call at a
/// time and is kept for the next, unless the call ran into a limit: then its stack may have grown, and it ends.
#[derive(Debug)]
pub struct Evaluator {
    limits: Limits,
    slots: Arc<Semaphore>,
    idle: Arc<Idle>,
}

/// Threads that wait for work.
type Idle = Mutex<Vec<mpsc::Sender<Job>>>;

/// Work for a thread; says whether the thread may be kept.
type Work = Box<dyn FnOnce() -> bool + Send>;

/// Work, and the way to the thread that does it, to be kept for the next.
struct Job {
    work: Work,
    way: mpsc::Sender<Job>,
    slot: OwnedSemaphorePermit,
}

impl Evaluator {
    /// An evaluator that works on at most `at_once` calls at the same time; others wait, without their time counting.
    pub fn new(limits: Limits, at_once: usize) -> Self {
        Self { limits, slots: Arc::new(Semaphore::new(at_once.max(1))), idle: Arc::default() }
    }

    /// The same threads with other limits.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, slots: Arc::clone(&self.slots), idle: Arc::clone(&self.idle) }
    }

    /// The value of an expression.
    pub async fn expr(&self, expr: Arc<Expr>, scope: Arc<Scope>) -> Result<Value, EvalError> {
        let plain = Plain::of(&scope).and(expr.terms());
        self.run_as(plain, move |session| session.expr(&expr, &scope)).await
    }

    /// The value of a template.
    pub async fn template(&self, template: Arc<Template>, scope: Arc<Scope>) -> Result<Value, EvalError> {
        let plain = Plain::of(&scope).and(template.terms());
        self.run_as(plain, move |session| session.template(&template, &scope)).await
    }

    /// Several evaluations together: here, where all that is evaluated is plain, or else as [`Evaluator::run`] does it.
    pub async fn run_as<T, F>(&self, plain: Plain, work: F) -> Result<T, EvalError>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, EvalError> + Send + 'static,
    {
        if plain.is_plain() {
            // It ends by itself long before any time: nobody needs to be able to stop it.
            return work(&Session { limits: self.limits, stop: Arc::default(), until: Duration::MAX });
        }
        self.run(work).await
    }

    /// Several evaluations on one thread, under one limit of time: that for which the thread has a processor, so that a machine which is busy with other
    /// things fails none. Dropping the future stops them.
    pub async fn run<T, F>(&self, work: F) -> Result<T, EvalError>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, EvalError> + Send + 'static,
    {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        let stop = StopOnDrop(Arc::default());
        let (limits, stopped) = (self.limits, Arc::clone(&stop.0));
        let (answer, mut answered) = oneshot::channel();
        let work = Box::new(move || {
            let result = work(&Session { limits, stop: stopped, until: clock::processor_time().saturating_add(limits.time) });
            let keep = !matches!(result, Err(EvalError::Overrun(_) | EvalError::Broken));
            // Nobody listens if the future was dropped.
            _ = answer.send(result);
            keep
        });
        self.hand_over(work, slot)?;
        let answer = match timeout(self.limits.time, &mut answered).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                stop.0.is_late();
                // It ends at its next step, once it has had its time. No function of the library runs for long between two of them.
                answered.await
            }
        };
        answer.unwrap_or(Err(EvalError::Broken))
    }
}

impl Evaluator {
    fn hand_over(&self, work: Work, slot: OwnedSemaphorePermit) -> Result<(), EvalError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let way = match idle {
            Some(way) => way,
            None => start(Arc::downgrade(&self.idle))?,
        };
        let job = Job { work, way: way.clone(), slot };
        way.send(job).map_err(|_gone| EvalError::Thread("a thread that waited for work is gone".to_owned()))
    }
}

/// Starts a thread that works until it is not kept, or nobody can reach it any more.
fn start(idle: Weak<Idle>) -> Result<mpsc::Sender<Job>, EvalError> {
    let (way, jobs) = mpsc::channel::<Job>();
    thread::Builder::new()
        .name("mapping".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            while let Ok(Job { work, way, slot }) = jobs.recv() {
                if !work() {
                    return;
                }
                // Without an evaluator there is no next call.
                let Some(idle) = idle.upgrade() else { return };
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(way);
                drop(slot);
            }
        })
        .map_err(|error| EvalError::Thread(error.to_string()))?;
    Ok(way)
}

struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.drop_it();
    }
}

/// Whether expressions are plain enough, all together, to be evaluated where they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Plain(Option<usize>);

impl Plain {
    /// Nothing yet, of what such a scope allows.
    pub fn of(scope: &Scope) -> Plain {
        Plain(scope.is_light().then_some(0))
    }

    /// And this expression.
    pub fn expr(self, expr: Option<&Arc<Expr>>) -> Plain {
        expr.map_or(self, |expr| self.and(expr.terms()))
    }

    /// And this template.
    pub fn template(self, template: Option<&Arc<Template>>) -> Plain {
        template.map_or(self, |template| self.and(template.terms()))
    }

    fn and(self, terms: Option<usize>) -> Plain {
        Plain(self.0.zip(terms).map(|(before, terms)| before + terms))
    }

    fn is_plain(self) -> bool {
        self.0.is_some_and(|terms| terms <= plain::MOST_TOGETHER)
    }
}

/// Proof that the current thread can evaluate: its stack is large enough for what the limits allow, or for what is evaluated.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    stop: Arc<Stop>,
    /// What the thread's processor time may come to.
    until: Duration,
}

impl Session {
    /// The value of an expression.
    pub fn expr(&self, expr: &Expr, scope: &Scope) -> Result<Value, EvalError> {
        self.metered(|| expr.run(scope.input(), &self.limits)?.to_json().ok_or(EvalError::NotJson))
    }

    /// Whether the value of an expression is neither false nor null.
    pub fn truth(&self, expr: &Expr, scope: &Scope) -> Result<bool, EvalError> {
        self.metered(|| Ok(jaq_core::ValT::as_bool(&expr.run(scope.input(), &self.limits)?)))
    }

    /// The value of a template.
    pub fn template(&self, template: &Template, scope: &Scope) -> Result<Value, EvalError> {
        template.eval(self, scope)
    }

    /// The text of a template that is one string, for people to read: null is a failure there.
    pub fn text(&self, template: &Template, scope: &Scope, written: Written) -> Result<String, EvalError> {
        template.text(self, scope, written)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The value of an expression as an expression sees it.
    pub(super) fn part(&self, expr: &Expr, scope: &Scope) -> Result<Val, EvalError> {
        self.metered(|| expr.run(scope.input(), &self.limits))
    }

    fn metered<T>(&self, work: impl FnOnce() -> Result<T, EvalError>) -> Result<T, EvalError> {
        metered(&self.limits, &self.stop, self.until, work)
    }
}

/// Evaluates on a thread of its own while this one waits, without a limit of time. For commands and tests.
pub fn evaluate<T: Send>(limits: &Limits, work: impl FnOnce(&Session) -> Result<T, EvalError> + Send) -> Result<T, EvalError> {
    let session = Session { limits: *limits, stop: Arc::default(), until: Duration::MAX };
    on_large_stack(move || work(&session))?
}

/// Runs something recursive on a thread with a large stack.
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, EvalError> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("mapping".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| EvalError::Thread(error.to_string()))?
            .join()
            .map_err(|_panic| EvalError::Broken)
    })
}
