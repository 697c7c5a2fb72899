//! Random routes and random histories: whatever happens in whatever order, the invariants of the module hold after every step, and every run
//! ends once the world is fair to it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Steps of a route, at most.
const STEPS: usize = 6;
/// Rounds of a fair world: two deadlines of an hour take 1200 of the longest delays each.
const ROUNDS: usize = 5000;
/// What happens in a history, at most.
const EVENTS: usize = 60;

#[derive(Debug, Clone)]
struct Random {
    route: Route,
    facts: Vec<UndoFacts>,
}

fn any_route() -> impl Strategy<Value = Random> {
    let on_failure = prop_oneof![1 => Just(OnFailure::DeadLetter), 1 => Just(OnFailure::Continue), 2 => Just(OnFailure::Undo)];
    let repeated = prop_oneof![2 => Just((0, 0)), 1 => (1..4_u32, any::<u32>())];
    let any_step = (any::<u32>(), on_failure, 1..4_u32, any::<bool>(), any::<(bool, bool)>(), repeated);
    vec(any_step, 1..=STEPS).prop_map(|drawn| {
        let mut facts = Vec::new();
        let steps =
            drawn.into_iter().enumerate().map(|(index, (needs, on_failure, attempts, hold, (undoes, effects), (rounds, looks)))| {
                // A step needs some of those before it, so there is no cycle.
                let needs: Vec<usize> = (0..index).filter(|before| needs >> before & 1 == 1).collect();
                let mut drawn = step(&format!("s{index}"), &needs, on_failure);
                drawn.retry.max_attempts = attempts;
                drawn.on_doubt = if hold { OnDoubt::Hold } else { OnDoubt::Resend };
                if rounds > 0 {
                    let look = needs.iter().copied().filter(|need| looks >> need & 1 == 1).collect();
                    let repeat = Repeat { until: None, every: Duration::from_secs(60), max: rounds, look, event: None };
                    drawn.repeat = Some(std::sync::Arc::new(repeat));
                }
                facts.push(UndoFacts { action: undoes.then(|| "undo".to_owned()), effects });
                drawn
            });
        let route = route(steps.collect());
        Random { route, facts }
    })
}

/// What may happen. Numbers choose among what is possible.
#[derive(Debug, Clone)]
enum Happening {
    Start(usize),
    Ends(usize, Outcome),
    Crash,
    Passes(i64),
    Decides(usize),
    /// A step waits instead: for so many seconds, or for an event.
    Sleeps(usize, Option<i64>),
    /// What the driver does first: waits whose time is over end.
    Wakes,
    /// An event comes that a step waits for.
    Comes(usize),
    /// An outcome, a start or a release that makes no sense.
    Nonsense(usize, Outcome),
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    use FailureKind as Kind;
    let kinds = [
        Kind::Retry,
        Kind::RateLimited,
        Kind::Unauthorized,
        Kind::Rejected,
        Kind::Trap,
        Kind::Timeout,
        Kind::Interrupted,
        Kind::Conflict,
        Kind::Busy,
        Kind::InvalidInput,
        Kind::InvalidOutput,
        Kind::Expression,
        Kind::Diverged,
        Kind::Unavailable,
    ];
    let doubt = HeldEffect { seq: 1, attempt: 1, what: "POST x".to_owned() };
    prop_oneof![
        4 => Just(Outcome::Succeeded),
        1 => Just(Outcome::Skipped),
        4 => prop::sample::select(kinds.to_vec()).prop_map(failed),
        2 => prop::sample::select(kinds.to_vec()).prop_map(move |kind| Outcome::InDoubt(StepFailure::new(kind, "why"), vec![doubt.clone()])),
    ]
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        5 => any::<usize>().prop_map(Happening::Start),
        6 => (any::<usize>(), any_outcome()).prop_map(|(which, outcome)| Happening::Ends(which, outcome)),
        1 => Just(Happening::Crash),
        1 => (0..2000_i64).prop_map(Happening::Passes),
        2 => any::<usize>().prop_map(Happening::Decides),
        1 => (any::<usize>(), prop::option::of(0..2000_i64)).prop_map(|(which, seconds)| Happening::Sleeps(which, seconds)),
        3 => Just(Happening::Wakes),
        1 => any::<usize>().prop_map(Happening::Comes),
        1 => (any::<usize>(), any_outcome()).prop_map(|(which, outcome)| Happening::Nonsense(which, outcome)),
    ]
}

/// A run with what a worker and the world know of it.
struct World {
    random: Random,
    state: RunState,
    now: Timestamp,
    running: BTreeSet<Task>,
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[which % from.len()])
}

impl World {
    fn new(random: Random) -> World {
        let state = begin(&random.route);
        World { random, state, now: NOW, running: BTreeSet::new() }
    }

    fn happens(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let before = self.state.clone();
        let route = self.random.route.clone();
        match happening {
            Happening::Start(which) => {
                if let Some(task) = pick(&self.state.ready(&route, self.now), which) {
                    let legal = self.state.start(&route, task, self.now);
                    prop_assert!(legal.is_ok(), "what is ready can start: {legal:?}");
                    self.running.insert(task);
                    self.check_start(&before, task)?;
                }
            }
            Happening::Ends(which, outcome) => {
                let running: Vec<Task> = self.running.iter().copied().collect();
                if let Some(task) = pick(&running, which) {
                    // An undo has no `when`.
                    let outcome = if matches!((task, &outcome), (Task::Undo(_), Outcome::Skipped)) { Outcome::Succeeded } else { outcome };
                    self.running.remove(&task);
                    let outcome = self.round(task, outcome, which);
                    let legal = self.state.apply(&route, task, outcome, self.now, 0.5);
                    prop_assert_eq!(legal, Ok(()));
                }
            }
            Happening::Sleeps(which, seconds) => {
                let running: Vec<Task> = self.running.iter().copied().filter(|task| matches!(task, Task::Step(_))).collect();
                if let Some(task) = pick(&running, which) {
                    self.running.remove(&task);
                    let until = seconds.map(|seconds| self.now + SignedDuration::from_secs(seconds));
                    let events = if until.is_none() { vec!["t".to_owned()] } else { Vec::new() };
                    let wait = Wait { since: self.now, until, events, what: WaitFor::End, reason: None };
                    prop_assert_eq!(self.state.apply(&route, task, Outcome::Waits(wait), self.now, 0.5), Ok(()));
                }
            }
            Happening::Wakes => {
                for task in self.state.awake(self.now) {
                    if !self.state.wake(&route, task) {
                        prop_assert_eq!(self.state.apply(&route, task, Outcome::Succeeded, self.now, 0.5), Ok(()));
                    }
                }
                prop_assert_eq!(self.state.awake(self.now), vec![], "nobody oversleeps");
            }
            Happening::Comes(which) => {
                let asleep: Vec<Task> = self.state.tasks().filter(|(_, state)| state.is_asleep()).map(|(task, _)| task).collect();
                if let Some(task) = pick(&asleep, which) {
                    prop_assert_eq!(self.state.apply(&route, task, Outcome::Succeeded, self.now, 0.5), Ok(()));
                    prop_assert!(self.state.task(task).is_some_and(|state| state.wait.is_none()));
                }
            }
            Happening::Crash => {
                // Whoever claims it next knows only what was stored, and the lease of the one before is lost: its outcomes are discarded.
                let stored = serde_json::to_string(&self.state).expect("plain data");
                self.state = serde_json::from_str(&stored).expect("what was written can be read");
                prop_assert_eq!(&self.state, &before);
                let interrupted = self.state.claimed(self.now);
                prop_assert_eq!(interrupted.iter().copied().collect::<BTreeSet<_>>(), std::mem::take(&mut self.running));
                for task in interrupted {
                    let legal = self.state.apply(&route, task, failed(FailureKind::Interrupted), self.now, 0.5);
                    prop_assert_eq!(legal, Ok(()));
                }
            }
            Happening::Passes(seconds) => self.now += SignedDuration::from_secs(seconds),
            Happening::Decides(which) => {
                let held: Vec<Task> = self.state.tasks().filter(|(_, state)| !state.held.is_empty()).map(|(task, _)| task).collect();
                if let Some(task) = pick(&held, which) {
                    prop_assert_eq!(self.state.release(task), Ok(()));
                }
            }
            Happening::Nonsense(which, outcome) => self.nonsense(which, outcome)?,
        }
        self.turn_back()?;
        self.check(&before)
    }

    /// What the driver makes of the success of a step that is repeated: the last round, or one of several.
    fn round(&self, task: Task, outcome: Outcome, which: usize) -> Outcome {
        let Task::Step(index) = task else { return outcome };
        let Some(repeat) = &self.random.route.steps[index].repeat else { return outcome };
        if outcome != Outcome::Succeeded || which.is_multiple_of(3) {
            return outcome;
        }
        if self.state.steps[index].round + 1 >= repeat.max {
            return Outcome::Exhausted;
        }
        let until = Some(self.now + SignedDuration::try_from(repeat.every).expect("a minute"));
        Outcome::Waits(Wait { since: self.now, until, events: Vec::new(), what: WaitFor::Round, reason: None })
    }

    /// What is illegal is named and changes nothing.
    fn nonsense(&mut self, which: usize, outcome: Outcome) -> Result<(), TestCaseError> {
        let route = self.random.route.clone();
        let before = self.state.clone();
        let index = which % route.steps.len();
        for task in [Task::Step(index), Task::Undo(index)] {
            if !self.state.ready(&route, self.now).contains(&task) {
                prop_assert!(self.state.start(&route, task, self.now).is_err());
            }
            let open = self.state.task(task).is_some_and(StepState::is_open);
            let on_course = matches!(task, Task::Step(_)) == self.state.course.is_forward();
            if !(open && on_course) {
                prop_assert!(self.state.apply(&route, task, outcome.clone(), self.now, 0.5).is_err());
            }
            if self.state.task(task).is_none_or(|state| state.held.is_empty()) {
                prop_assert!(self.state.release(task).is_err());
            }
        }
        prop_assert_eq!(&self.state, &before);
        Ok(())
    }

    /// What the driver does on the verdict.
    fn turn_back(&mut self) -> Result<(), TestCaseError> {
        let route = &self.random.route;
        let verdict = self.state.verdict(route, self.now);
        let legal = self.state.begin_undo(route, &self.random.facts, self.now, self.now + SignedDuration::from_secs(3600));
        prop_assert_eq!(legal.is_ok(), matches!(verdict, Verdict::Undo(_)), "{:?}", verdict);
        if legal.is_ok() {
            prop_assert!(self.running.is_empty(), "an undo begins only when nothing is running");
            let failed = self.state.steps.iter().zip(&route.steps).any(|(state, step)| {
                step.on_failure == OnFailure::Undo && (state.status == StepStatus::Failed || state.status == StepStatus::Pending)
            });
            prop_assert!(failed, "nobody asked for an undo");
        }
        Ok(())
    }

    fn check_start(&self, before: &RunState, task: Task) -> Result<(), TestCaseError> {
        let route = &self.random.route;
        match task {
            Task::Step(index) => {
                prop_assert!(before.course.is_forward(), "no step starts on the way back");
                prop_assert_eq!(before.steps[index].status, StepStatus::Pending);
                for &need in &route.steps[index].needs {
                    let status = before.steps[need].status;
                    let met = matches!(status, StepStatus::Succeeded | StepStatus::Skipped)
                        || status == StepStatus::Failed && route.steps[need].on_failure == OnFailure::Continue;
                    prop_assert!(met, "step {} started before step {} was met", index, need);
                }
                let undo = before.steps.iter().zip(&route.steps);
                let decided =
                    undo.filter(|(_, step)| step.on_failure == OnFailure::Undo).any(|(state, _)| state.status == StepStatus::Failed);
                prop_assert!(!decided, "a step started after an undo was decided");
            }
            Task::Undo(index) => {
                prop_assert!(!before.course.is_forward());
                prop_assert!(self.running.len() == 1, "undos run one at a time");
                for (other, state) in before.steps.iter().enumerate() {
                    let open = other != index && state.undo.as_ref().is_some_and(|undo| undo.is_open());
                    let after = state.ended.unwrap_or(u32::MAX) > before.steps[index].ended.unwrap_or(u32::MAX);
                    prop_assert!(!(open && route.steps[other].needs.contains(&index)), "undone before a step that needs it");
                    let unrelated = !route.needs(other, index) && !route.needs(index, other);
                    prop_assert!(!(open && after && unrelated && self.no_dependents_open(before, other)), "not in reverse order");
                }
            }
        }
        Ok(())
    }

    fn no_dependents_open(&self, state: &RunState, index: usize) -> bool {
        !state.steps.iter().enumerate().any(|(other, step)| {
            other != index && step.undo.as_ref().is_some_and(|undo| undo.is_open()) && self.random.route.needs(other, index)
        })
    }

    /// After everything that happens.
    fn check(&mut self, before: &RunState) -> Result<(), TestCaseError> {
        let route = self.random.route.clone();
        let running: BTreeSet<Task> =
            self.state.tasks().filter(|(_, state)| state.status == StepStatus::Running).map(|(task, _)| task).collect();
        prop_assert_eq!(&running, &self.running, "what runs is known");
        for (index, (old, new)) in before.steps.iter().zip(&self.state.steps).enumerate() {
            let ended = matches!(old.status, StepStatus::Succeeded | StepStatus::Skipped | StepStatus::Failed);
            let back = matches!(new.status, StepStatus::Undoing | StepStatus::Undone | StepStatus::UndoFailed);
            let looks_again = new.round == old.round + 1 && self.looks(index);
            prop_assert!(
                !ended || new.status == old.status || back || looks_again,
                "step {} went from {:?} to {:?}",
                index,
                old.status,
                new.status
            );
            let most = route.steps[index].repeat.as_ref().map_or(0, |repeat| repeat.max - 1);
            prop_assert!(new.round == old.round || new.round == old.round + 1, "rounds come one after another");
            prop_assert!(
                new.round == old.round || new.round <= most || self.looks(index),
                "step {} is in round {} of at most {}",
                index,
                new.round,
                most
            );
            prop_assert!(!new.is_asleep() || self.state.course.is_forward(), "nothing waits on the way back");
            prop_assert!(new.wait.is_none() || new.is_asleep());
            prop_assert!(new.tries >= old.tries && (new.status != StepStatus::Running || new.tries > 0));
            prop_assert!(new.held.is_empty() || new.status == StepStatus::Waiting, "held is waiting");
            prop_assert!(!back || new.undo.is_some());
        }
        let verdict = self.state.verdict(&route, self.now);
        let over = matches!(verdict, Verdict::Succeeded | Verdict::Dead(_));
        prop_assert!(!over || self.running.is_empty(), "it ended while something was running");
        match &verdict {
            Verdict::Succeeded => {
                let met = self.state.steps.iter().zip(&route.steps).all(|(state, step)| match state.status {
                    StepStatus::Succeeded | StepStatus::Skipped => true,
                    StepStatus::Failed => step.on_failure == OnFailure::Continue,
                    _ => false,
                });
                prop_assert!(met && self.state.undone().is_none());
            }
            Verdict::Dead(_) if self.state.undone() == Some(true) => {
                for (state, facts) in self.state.steps.iter().zip(&self.random.facts) {
                    prop_assert!(!facts.effects || state.status == StepStatus::Undone, "{:?} has effects and is not undone", state.name);
                }
            }
            Verdict::Working if self.running.is_empty() => {
                let works = !self.state.ready(&route, self.now).is_empty() || !self.state.awake(self.now).is_empty();
                prop_assert!(works, "it works at nothing: {:?}", self.state);
            }
            Verdict::Later(time) => prop_assert!(*time > self.now, "it would spin"),
            Verdict::Asleep(_) => {
                prop_assert!(self.state.steps.iter().any(StepState::is_asleep) && self.state.awake(self.now).is_empty());
                prop_assert!(self.state.wakes_at().is_some() || self.state.awaits_event(), "it would sleep for ever");
            }
            _ => {}
        }
        if over {
            prop_assert_eq!(self.state.ready(&route, self.now), vec![], "an ended run starts nothing");
            prop_assert_eq!(self.state.verdict(&route, self.now + SignedDuration::from_hours(1)), verdict, "an ended run stays as it is");
        }
        Ok(())
    }

    /// Whether a repeated step has this one done anew before its rounds.
    fn looks(&self, index: usize) -> bool {
        self.random.route.steps.iter().filter_map(|step| step.repeat.as_ref()).any(|repeat| repeat.look.contains(&index))
    }

    fn over(&mut self) -> bool {
        matches!(self.state.verdict(&self.random.route, self.now), Verdict::Succeeded | Verdict::Dead(_))
    }

    /// A fair world: whatever may start does, people decide, credentials come back, time passes. Systems may fail for ever.
    fn fair(&mut self, ends: &[Outcome]) -> Result<(), TestCaseError> {
        let mut ends = ends.iter().cycle().cloned();
        for round in 0..ROUNDS {
            if self.over() {
                return Ok(());
            }
            self.happens(Happening::Wakes)?;
            for which in 0..self.random.route.steps.len() {
                self.happens(Happening::Start(which))?;
            }
            while !self.running.is_empty() {
                let end = match ends.next().unwrap_or(Outcome::Succeeded) {
                    // Nobody can be asked for ever: what needs a person comes to an end.
                    Outcome::InDoubt(..) if round > 50 => failed(FailureKind::Retry),
                    Outcome::Failed(failure) if round > 50 && failure.kind == FailureKind::Unauthorized => failed(FailureKind::Retry),
                    end => end,
                };
                self.happens(Happening::Ends(0, end))?;
            }
            for _ in 0..self.random.route.steps.len() {
                self.happens(Happening::Decides(0))?;
            }
            match self.state.verdict(&self.random.route, self.now) {
                Verdict::Later(time) => self.now = self.now.max(time),
                Verdict::Asleep(_) => {
                    let deadline = self.state.deadline;
                    self.state.waiting_since = Some(self.now);
                    let wakes = self.state.wakes_at();
                    let slept = wakes.map_or(SignedDuration::from_hours(48), |wakes| wakes.duration_since(self.now));
                    self.now += slept;
                    self.happens(Happening::Crash)?;
                    prop_assert_eq!(self.state.deadline, deadline + slept, "the time that it waits does not count");
                    if wakes.is_none() {
                        self.happens(Happening::Comes(0))?;
                    }
                }
                Verdict::Waiting(_) => {
                    self.state.waiting_since = Some(self.now);
                    self.now += SignedDuration::from_secs(60);
                    self.happens(Happening::Crash)?;
                }
                _ => self.now += SignedDuration::from_secs(1),
            }
        }
        prop_assert!(false, "the run does not end: {:?}", self.state);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold_and_every_run_ends(
        random in any_route(),
        happenings in vec(any_happening(), 0..EVENTS),
        ends in vec(any_outcome(), 1..8),
    ) {
        let mut world = World::new(random);
        for happening in happenings {
            if world.over() {
                break;
            }
            world.happens(happening)?;
        }
        world.fair(&ends)?;
    }

    #[test]
    fn a_replay_on_another_route_goes_on_from_what_is_true(
        random in any_route(),
        other in any_route(),
        happenings in vec(any_happening(), 0..EVENTS),
        ends in vec(any_outcome(), 1..8),
        from_start in any::<bool>(),
        cancelled in any::<bool>(),
    ) {
        let mut world = World::new(random);
        for happening in happenings {
            world.happens(happening)?;
        }
        // Cancelled anywhere, or ended by itself.
        if !cancelled {
            world.fair(&ends)?;
        }
        let before = world.state.clone();
        let from = if from_start { From::Start } else { From::Failed };
        let half_undone: Vec<&StepState> =
            before.steps.iter().filter(|step| matches!(step.status, StepStatus::Undoing | StepStatus::UndoFailed)).collect();
        let known = |step: &StepState| other.route.steps.iter().any(|known| known.name == step.name);
        let Ok((state, kept)) = before.resume(&other.route, from, world.now + SignedDuration::from_secs(3600), &BTreeSet::new(), |_| Some("undo".to_owned())) else {
            prop_assert!(half_undone.iter().any(|step| !known(step)), "refused for no reason");
            return Ok(());
        };
        prop_assert!(half_undone.iter().all(|step| known(step)), "what is half undone was forgotten");
        for step in &state.steps {
            let old = before.steps.iter().find(|old| old.name == step.name);
            let keeps = from == From::Failed && old.is_some_and(|old| old.status == StepStatus::Succeeded);
            prop_assert_eq!(keeps, step.status == StepStatus::Succeeded);
            prop_assert_eq!(keeps, kept.contains(&step.name));
        }
        let undos = state.ready(&other.route, world.now);
        let first_undo = undos.iter().all(|task| matches!(task, Task::Undo(_)));
        prop_assert!(half_undone.is_empty() || first_undo, "it goes forward before what is half undone is undone");
        let mut replay = World { random: other, state, now: world.now, running: BTreeSet::new() };
        replay.fair(&ends)?;
    }
}
