/** What programs expect to find in the global scope, put there before any of theirs runs. */

import { performance } from "./clock.ts";
import { structuredClone } from "./clone.ts";
import { console } from "./console.ts";
import { TextDecoder, TextEncoder } from "./encoding.ts";
import { addTimer, removeTimer } from "./loop.ts";
import { GuestPromise, enqueue } from "./promise.ts";
import { crypto, random } from "./random.ts";
import { AbortController, AbortSignal, Event, EventTarget } from "../web/abort.ts";
import { Headers, Request, Response, fetch } from "../web/fetch.ts";

Object.defineProperty(GuestPromise, "name", { value: "Promise" });

/** `Array.fromAsync`; QuickJS's own makes promises of QuickJS. */
async function fromAsync(items: Iterable<unknown> | AsyncIterable<unknown> | ArrayLike<unknown>, map?: (item: unknown, index: number) => unknown): Promise<unknown[]> {
  const iterable = Symbol.asyncIterator in items || Symbol.iterator in items ? (items as AsyncIterable<unknown>) : Array.from(items);
  const all: unknown[] = [];
  for await (const item of iterable) {
    all.push(map === undefined ? item : await map(item, all.length));
  }
  return all;
}

function timer(every: boolean) {
  return (run: (...values: unknown[]) => void, delay?: number, ...values: unknown[]): number => addTimer(() => run(...values), delay, every);
}

const all: Record<string, unknown> = {
  Promise: GuestPromise,
  queueMicrotask: (job: () => void): void => enqueue(job),
  setTimeout: timer(false),
  setInterval: timer(true),
  setImmediate: (run: (...values: unknown[]) => void, ...values: unknown[]): number => addTimer(() => run(...values), 0, false),
  clearTimeout: removeTimer,
  clearInterval: removeTimer,
  clearImmediate: removeTimer,
  performance,
  console,
  crypto,
  structuredClone,
  TextEncoder,
  TextDecoder,
  fetch,
  Headers,
  Request,
  Response,
  AbortController,
  AbortSignal,
  Event,
  EventTarget,
  self: globalThis,
};

for (const [name, value] of Object.entries(all)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
Object.defineProperty(Array, "fromAsync", { value: fromAsync, writable: true, configurable: true });
Math.random = random;
// Its jobs would never run.
Reflect.deleteProperty(globalThis, "AsyncDisposableStack");
// Of the build, and no business of a connector.
Reflect.deleteProperty(globalThis, "wit");
