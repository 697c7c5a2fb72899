/** `EventTarget`, `AbortController` and `AbortSignal`. */

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };

/** Something that happened. */
export class Event {
  readonly type: string;
  target: EventTarget | null = null;
  defaultPrevented = false;

  constructor(type: string) {
    this.type = type;
  }

  preventDefault(): void {
    this.defaultPrevented = true;
  }
}

/** Something that things happen to. */
export class EventTarget {
  readonly #listeners = new Map<string, { listener: Listener; once: boolean }[]>();

  addEventListener(type: string, listener: Listener | null, options: { once?: boolean } | boolean = {}): void {
    const list = this.#listeners.get(type) ?? [];
    if (listener === null || list.some((entry) => entry.listener === listener)) {
      return;
    }
    this.#listeners.set(type, [...list, { listener, once: typeof options === "object" && options.once === true }]);
  }

  removeEventListener(type: string, listener: Listener | null): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? []).filter((entry) => entry.listener !== listener));
  }

  dispatchEvent(event: Event): boolean {
    event.target = this;
    for (const { listener, once } of this.#listeners.get(event.type) ?? []) {
      if (once) {
        this.removeEventListener(event.type, listener);
      }
      if (typeof listener === "function") {
        listener.call(this, event);
      } else {
        listener.handleEvent(event);
      }
    }
    return !event.defaultPrevented;
  }
}

/** Says that something is to stop. */
export class AbortSignal extends EventTarget {
  aborted = false;
  reason: unknown = undefined;
  onabort: ((event: Event) => void) | null = null;
  /** When it will be aborted, on `performance.now()`: requests are given what is left as their time. */
  deadline: number | undefined;

  throwIfAborted(): void {
    if (this.aborted) {
      throw this.reason;
    }
  }

  static abort(reason: unknown = new DOMException("this operation was aborted", "AbortError")): AbortSignal {
    const signal = new AbortSignal();
    signal.aborted = true;
    signal.reason = reason;
    return signal;
  }

  static timeout(delay: number): AbortSignal {
    const signal = new AbortSignal();
    signal.deadline = performance.now() + delay;
    setTimeout(() => abort(signal, new DOMException("the operation took too long", "TimeoutError")), delay);
    return signal;
  }

  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const combined = new AbortSignal();
    for (const signal of signals) {
      if (signal.aborted) {
        return AbortSignal.abort(signal.reason);
      }
      if (signal.deadline !== undefined) {
        combined.deadline = Math.min(combined.deadline ?? Number.POSITIVE_INFINITY, signal.deadline);
      }
      signal.addEventListener("abort", () => abort(combined, signal.reason), { once: true });
    }
    return combined;
  }
}

function abort(signal: AbortSignal, reason: unknown): void {
  if (signal.aborted) {
    return;
  }
  signal.aborted = true;
  signal.reason = reason;
  const event = new Event("abort");
  signal.onabort?.(event);
  signal.dispatchEvent(event);
}

/** Stops something. */
export class AbortController {
  readonly signal = new AbortSignal();

  abort(reason: unknown = new DOMException("this operation was aborted", "AbortError")): void {
    abort(this.signal, reason);
  }
}
