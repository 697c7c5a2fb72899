// The runs of an event as lines: a run and its replays, of which the newest counts.

/** Whether a run has ended. */
export const isOver = (run) => run.ended_at !== null && run.ended_at !== undefined;

/** The sooner of two runs. As texts, a whole second would come after all of its fractions. */
const sooner = (one, other) => Date.parse(one.created_at) - Date.parse(other.created_at) || one.id.localeCompare(other.id);

/** `[{ route, runs }]`, each with its runs from the first to the newest. */
export function linesOf(runs) {
  const lines = [];
  const lineOf = new Map();
  for (const run of [...runs].sort(sooner)) {
    let line = run.replay_of ? lineOf.get(run.replay_of) : undefined;
    if (!line) {
      line = { route: run.route, runs: [] };
      lines.push(line);
    }
    line.runs.push(run);
    lineOf.set(run.id, line);
  }
  return lines;
}

export const newest = (line) => line.runs[line.runs.length - 1];

/** What a person looks at first: what failed, then what is held or waits, then what runs. */
const URGENT = ["dead", "waiting", "running", "pending", "cancelled", "succeeded"];

/** The run that the query names; else the one that most needs to be looked at. */
export function chosenRun(runs, query) {
  const named = runs.find((run) => run.id === query.run);
  if (named) return named;
  const heads = linesOf(runs).map(newest);
  const rank = (run) => {
    const at = URGENT.indexOf(run.status);
    return at < 0 ? URGENT.length : at;
  };
  return heads.sort((one, other) => rank(one) - rank(other))[0] ?? null;
}

/** The tasks of a run in their order: steps, each with its undo after it. */
export function tasksOf(run) {
  const tasks = [];
  for (const step of run.steps ?? []) {
    tasks.push({ task: step, undoes: null });
    if (step.undo) tasks.push({ task: step.undo, undoes: step });
  }
  return tasks;
}

/** The writes that a person has to decide on. */
export const heldOf = (task) => (Array.isArray(task.held) ? task.held : []);

/** What a task's state is to a reader: one that is held for a person says so rather than that it waits. */
export const stateOf = (task) => (heldOf(task).length > 0 ? "held" : task.status === "none" ? "undo-failed" : task.status);

/** When a task first began and how long it took, waiting between attempts included. */
export function spanOf(task) {
  const attempts = task.attempts ?? [];
  if (attempts.length === 0) return null;
  const from = Date.parse(attempts[0].started_at);
  const last = attempts[attempts.length - 1];
  const to = Date.parse(last.started_at) + (last.duration_ms ?? Math.max(0, Date.now() - Date.parse(last.started_at)));
  return { from, to: Math.max(from, to) };
}

/** Time in the plugin, over all attempts. */
export const workOf = (task) => (task.attempts ?? []).reduce((sum, attempt) => sum + (attempt.duration_ms ?? 0), 0);
