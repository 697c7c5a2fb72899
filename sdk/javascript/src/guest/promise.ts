/**
 * Promises of a component.
 *
 * Functions of the contract are synchronous, and QuickJS's own jobs run only after such a function has returned. So a component has promises of its
 * own, whose jobs `loop.ts` runs to the end within the call. `async` functions use them too: the bundler writes them as generators. Follows ECMA-262,
 * section 27.2, order of jobs included.
 */

type Job = () => void;
type Settle<T> = (value: T) => void;

const jobs: Job[] = [];
let head = 0;
const unhandled = new Set<GuestPromise<unknown>>();

/** Adds a job to the queue. */
export function enqueue(job: Job): void {
  jobs.push(job);
}

/** Runs jobs until there are none. */
export function runJobs(): void {
  while (head < jobs.length) {
    const job = jobs[head] as Job;
    head += 1;
    if (head === 1024) {
      jobs.splice(0, head);
      head = 0;
    }
    job();
  }
  jobs.length = head = 0;
}

/** Forgets what an earlier call left behind. */
export function dropJobs(): void {
  jobs.length = head = 0;
  unhandled.clear();
}

/** Reasons of rejected promises that nobody has handled. */
export function unhandledReasons(): unknown[] {
  return [...unhandled].map((promise) => promise.reason());
}

/** How a promise stands. */
const STATE = { pending: 0, fulfilled: 1, rejected: 2 } as const;

interface Reaction {
  fulfilled: Settle<unknown>;
  rejected: Settle<unknown>;
}

/** A promise; becomes the global `Promise`. */
export class GuestPromise<T> {
  #state: 0 | 1 | 2 = STATE.pending;
  #value: unknown = undefined;
  #reactions: Reaction[] | undefined = [];
  #handled = false;

  constructor(executor: (resolve: (value: T | PromiseLike<T>) => void, reject: (reason?: unknown) => void) => void) {
    if (typeof executor !== "function") {
      throw new TypeError("the executor of a promise is a function");
    }
    const [resolve, reject] = this.#functions();
    try {
      executor(resolve as (value: T | PromiseLike<T>) => void, reject);
    } catch (error) {
      reject(error);
    }
  }

  #functions(): [Settle<unknown>, Settle<unknown>] {
    let called = false;
    const once =
      (settle: Settle<unknown>): Settle<unknown> =>
      (value) => {
        if (!called) {
          called = true;
          settle(value);
        }
      };
    return [once((value) => this.#resolve(value)), once((reason) => this.#settle(STATE.rejected, reason))];
  }

  #resolve(value: unknown): void {
    if (value === this) {
      this.#settle(STATE.rejected, new TypeError("a promise can't be resolved with itself"));
      return;
    }
    if ((typeof value !== "object" || value === null) && typeof value !== "function") {
      this.#settle(STATE.fulfilled, value);
      return;
    }
    let then: unknown;
    try {
      then = (value as { then?: unknown }).then;
    } catch (error) {
      this.#settle(STATE.rejected, error);
      return;
    }
    if (typeof then !== "function") {
      this.#settle(STATE.fulfilled, value);
      return;
    }
    enqueue(() => {
      const [resolve, reject] = this.#functions();
      try {
        (then as (...functions: unknown[]) => void).call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state: 1 | 2, value: unknown): void {
    const reactions = this.#reactions ?? [];
    this.#state = state;
    this.#value = value;
    this.#reactions = undefined;
    if (state === STATE.rejected && !this.#handled) {
      unhandled.add(this as GuestPromise<unknown>);
    }
    for (const reaction of reactions) {
      this.#react(reaction);
    }
  }

  #react(reaction: Reaction): void {
    const { fulfilled, rejected } = reaction;
    enqueue(() => (this.#state === STATE.fulfilled ? fulfilled(this.#value) : rejected(this.#value)));
  }

  /** Of a rejected promise. */
  reason(): unknown {
    return this.#value;
  }

  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): GuestPromise<A | B> {
    const derived = capability<A | B>(species(this));
    const step =
      (handler: unknown, otherwise: Settle<unknown>): Settle<unknown> =>
      (value) => {
        if (typeof handler !== "function") {
          otherwise(value);
          return;
        }
        try {
          derived.resolve((handler as (value: unknown) => A | B)(value));
        } catch (error) {
          derived.reject(error);
        }
      };
    const reaction: Reaction = { fulfilled: step(onFulfilled, derived.resolve as Settle<unknown>), rejected: step(onRejected, derived.reject) };
    this.#handled = true;
    unhandled.delete(this as GuestPromise<unknown>);
    if (this.#reactions === undefined) {
      this.#react(reaction);
    } else {
      this.#reactions.push(reaction);
    }
    return derived.promise;
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): GuestPromise<T | B> {
    return this.then(undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): GuestPromise<T> {
    if (typeof onFinally !== "function") {
      return this.then(onFinally as null, onFinally as null);
    }
    const make = species(this) as unknown as typeof GuestPromise;
    return this.then(
      (value) => make.resolve(onFinally()).then(() => value) as unknown as T,
      (reason) =>
        make.resolve(onFinally()).then(() => {
          throw reason;
        }) as unknown as T,
    );
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  static get [Symbol.species](): typeof GuestPromise {
    return this;
  }

  static resolve(value?: unknown): GuestPromise<unknown> {
    if (value instanceof GuestPromise && value.constructor === this) {
      return value;
    }
    const { promise, resolve } = capability<unknown>(this);
    resolve(value);
    return promise;
  }

  static reject(reason?: unknown): GuestPromise<never> {
    const { promise, reject } = capability<never>(this);
    reject(reason);
    return promise;
  }

  static withResolvers<T>(): Capability<T> {
    return capability<T>(this);
  }

  static try(run: (...args: unknown[]) => unknown, ...args: unknown[]): GuestPromise<unknown> {
    return new this((resolve) => resolve(run(...args)));
  }

  static all(values: Iterable<unknown>): GuestPromise<unknown[]> {
    return gather(this, values, (results, index, one, done, reject) => one.then((value) => done(results, index, value), reject));
  }

  static allSettled(values: Iterable<unknown>): GuestPromise<unknown[]> {
    return gather(this, values, (results, index, one, done) =>
      one.then(
        (value) => done(results, index, { status: "fulfilled", value }),
        (reason) => done(results, index, { status: "rejected", reason }),
      ),
    );
  }

  static any(values: Iterable<unknown>): GuestPromise<unknown> {
    return gather(
      this,
      values,
      (errors, index, one, done, _reject, resolve) => one.then(resolve, (reason) => done(errors, index, reason)),
      (errors, _resolve, reject) => reject(new AggregateError(errors, "all promises were rejected")),
    );
  }

  static race(values: Iterable<unknown>): GuestPromise<unknown> {
    return new this((resolve, reject) => {
      for (const value of values) {
        this.resolve(value).then(resolve, reject);
      }
    });
  }
}

interface Capability<T> {
  promise: GuestPromise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason?: unknown) => void;
}

function capability<T>(make: typeof GuestPromise): Capability<T> {
  let functions: Pick<Capability<T>, "resolve" | "reject"> | undefined;
  const promise = new make<T>((resolve, reject) => {
    functions = { resolve, reject };
  });
  return { promise, ...(functions as Pick<Capability<T>, "resolve" | "reject">) };
}

function species(promise: object): typeof GuestPromise {
  const made = (promise.constructor as { [Symbol.species]?: typeof GuestPromise } | undefined)?.[Symbol.species];
  return made ?? GuestPromise;
}

/** Waits for all values; `each` says what becomes of one, `end` of all. */
function gather<R = unknown[]>(
  make: typeof GuestPromise,
  values: Iterable<unknown>,
  each: (
    results: unknown[],
    index: number,
    one: GuestPromise<unknown>,
    done: (results: unknown[], index: number, value: unknown) => void,
    reject: (reason?: unknown) => void,
    resolve: (value: unknown) => void,
  ) => void,
  end: (results: unknown[], resolve: (value: unknown) => void, reject: (reason?: unknown) => void) => void = (results, resolve) => resolve(results),
): GuestPromise<R> {
  return new make<R>((settle, reject) => {
    const resolve = settle as (value: unknown) => void;
    const results: unknown[] = [];
    let open = 1;
    const close = (): void => {
      open -= 1;
      if (open === 0) {
        end(results, resolve, reject);
      }
    };
    let index = 0;
    for (const value of values) {
      results.push(undefined);
      open += 1;
      const done = (into: unknown[], at: number, result: unknown): void => {
        into[at] = result;
        close();
      };
      each(results, index, make.resolve(value), done, reject, resolve);
      index += 1;
    }
    close();
  });
}
