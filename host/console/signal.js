// A value that is watched: what the whole console shares (session, language, place) stands in one of these.
import { useEffect, useState } from "./preact.js";

export class Signal {
  #value;
  #watchers = new Set();

  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher(value);
  }

  /** Calls `watcher` with every later value. Gives the function that ends it. */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

/** The value of a signal, in a component that is drawn anew when it changes. */
export function useSignal(signal) {
  const [, draw] = useState(0);
  useEffect(() => signal.watch(() => draw((n) => n + 1)), [signal]);
  return signal.value;
}
