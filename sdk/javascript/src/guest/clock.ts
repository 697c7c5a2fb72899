/** `performance` of a component: QuickJS's own counts from the moment of the build. */

const native = globalThis.performance;

let begun: { now: number; origin: number } | undefined;

/** Forgets when an earlier call began. */
export function resetClock(): void {
  begun = undefined;
}

function begin(): { now: number; origin: number } {
  begun ??= { now: native.now(), origin: Date.now() };
  return begun;
}

/** The global `performance`: counts from the first time that a call asks. */
export const performance = {
  now(): number {
    const { now } = begin();
    return native.now() - now;
  },

  get timeOrigin(): number {
    return begin().origin;
  },
};
