/** The event loop of a call: jobs of promises and timers, run until what the call waits for is there. */

import { subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.12";

import { dropJobs, runJobs } from "./promise.ts";

interface Timer {
  id: number;
  due: number;
  every: number | undefined;
  run: () => void;
}

let timers: Timer[] = [];
let lastId = 0;

/** Forgets what an earlier call left behind. */
export function resetLoop(): void {
  timers = [];
  dropJobs();
}

/** `setTimeout` (`every` undefined) and `setInterval`. */
export function addTimer(run: () => void, delay: unknown, every: boolean): number {
  const wait = Math.max(0, Number(delay) || 0);
  lastId += 1;
  timers.push({ id: lastId, due: performance.now() + wait, every: every ? Math.max(1, wait) : undefined, run });
  return lastId;
}

/** `clearTimeout` and `clearInterval`. */
export function removeTimer(id: unknown): void {
  timers = timers.filter((timer) => timer.id !== id);
}

/** Runs everything until the promise is settled; gives its value or throws its reason. */
export function runUntil<T>(promise: PromiseLike<T>): T {
  let outcome: { value: T } | { reason: unknown } | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (reason: unknown) => {
      outcome = { reason };
    },
  );
  for (;;) {
    runJobs();
    if (outcome !== undefined) {
      break;
    }
    fireNext();
  }
  if ("reason" in outcome) {
    throw outcome.reason;
  }
  return outcome.value;
}

function fireNext(): void {
  let next: Timer | undefined;
  for (const timer of timers) {
    if (next === undefined || timer.due < next.due) {
      next = timer;
    }
  }
  if (next === undefined) {
    throw new Error("the call waits for a promise that nothing will ever settle");
  }
  const wait = next.due - performance.now();
  if (wait > 0) {
    subscribeDuration(Math.ceil(wait * 1e6)).block();
  }
  if (next.every === undefined) {
    removeTimer(next.id);
  } else {
    next.due += next.every;
  }
  next.run();
}
