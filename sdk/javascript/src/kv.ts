/**
 * A small durable store, one space for each plugin, shared by all its runs.
 *
 * Writes take effect together with the success of the step (or with the events of a poll), and not at all otherwise. Reading, computing and
 * writing back is safe: if another run changes a key in between, the attempt is made again. **Read first:** once the step has sent a write,
 * reading a key it had not read before is refused.
 *
 * Keys have up to 512 bytes, values 256 KiB. All failures are `rejected`, but `retry` where the store can't be reached.
 */

import { check } from "./check.ts";
import { parse, stringify } from "./exact.ts";
import { Failure } from "./failure.ts";
import { type Host, host, thrown } from "./host.ts";
import type { AnySchema, Infer } from "./schema.ts";
import { decodeTextStrictly, encodeText } from "./text.ts";

/** A page of keys. */
export interface Keys {
  /** In byte order. */
  keys: string[];
  /** Give it to the next call; undefined at the end. */
  nextCursor: string | undefined;
}

/** The key-value store of the plugin. */
export const kv = {
  /** The value of a key as text; undefined if there is none. */
  get: async (key: string): Promise<string | undefined> => {
    const value = bytes(key);
    return value === undefined ? undefined : text(key, value);
  },

  /** The value of a key as bytes; undefined if there is none. */
  getBytes: async (key: string): Promise<Uint8Array | undefined> => bytes(key),

  /** The value of a key as JSON, of the type that the schema says; undefined if there is none. */
  getJson,

  /** Sets a value: text or bytes. Without reading the key before, the last one counts. */
  set: async (key: string, value: string | Uint8Array): Promise<void> => using(key, (store) => store.set(key, toBytes(value))),

  /** Sets a value as JSON. */
  setJson: async (key: string, value: unknown): Promise<void> => using(key, (store) => store.set(key, encodeText(stringify(value)))),

  /** Removes a key; nothing happens if there is none. */
  delete: async (key: string): Promise<void> => using(key, (store) => store.delete(key)),

  /** Adds to a whole number kept as text (an absent key counts as 0) and gives the sum. Counts as reading. */
  increment: async (key: string, delta = 1): Promise<number> => {
    if (!Number.isSafeInteger(delta)) {
      throw new TypeError(`key \`${key}\` is incremented by a whole number below 2^53, not by ${delta}`);
    }
    const sum = using(key, (store) => store.increment(key, delta));
    if (!Number.isSafeInteger(sum)) {
      throw Failure.rejected(`key \`${key}\`: the sum is too large for a JavaScript number; read it as text`);
    }
    return sum;
  },

  /** Sets the value if the present one is `expected` (undefined: absent); says whether it did. Counts as reading. */
  compareAndSwap: async (key: string, expected: string | Uint8Array | undefined, value: string | Uint8Array): Promise<boolean> =>
    using(key, (store) => store.compareAndSwap(key, expected === undefined ? undefined : toBytes(expected), toBytes(value))),

  /** Keys with a prefix, at most `limit` (1 to 1000) at a time. Counts as reading the whole prefix. */
  list: async (prefix: string, { cursor, limit = 1000 }: { cursor?: string | undefined; limit?: number } = {}): Promise<Keys> => {
    const { keys, nextCursor } = using(prefix, (store) => store.list(prefix, cursor, limit));
    return { keys: [...keys], nextCursor: nextCursor ?? undefined };
  },
};

/** The store, as a context has it. */
export type Kv = typeof kv;

async function getJson(key: string): Promise<unknown>;
async function getJson<S extends AnySchema>(key: string, schema: S): Promise<Infer<S> | undefined>;
async function getJson(key: string, schema?: AnySchema): Promise<unknown> {
  const value = bytes(key);
  if (value === undefined) {
    return undefined;
  }
  let json: unknown;
  try {
    json = parse(text(key, value));
  } catch (cause) {
    throw cause instanceof Failure ? cause : Failure.rejected(`key \`${key}\` holds no JSON: ${(cause as Error).message}`);
  }
  return schema === undefined ? json : check(schema, json, `key \`${key}\``);
}

function bytes(key: string): Uint8Array | undefined {
  return using(key, (store) => store.get(key)) ?? undefined;
}

function text(key: string, value: Uint8Array): string {
  try {
    return decodeTextStrictly(value);
  } catch {
    throw Failure.rejected(`key \`${key}\` holds bytes that are no text: read it with \`getBytes\``);
  }
}

function toBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new TypeError("a value is text or a Uint8Array; use `setJson` for others");
  }
  return typeof value === "string" ? encodeText(value) : value;
}

function using<T>(key: string, run: (store: Host["keyValue"]) => T): T {
  if (!key.isWellFormed()) {
    throw Failure.rejected(`key \`${key.toWellFormed()}\` is no well-formed text`);
  }
  try {
    return run(host().keyValue);
  } catch (error) {
    const { tag, val } = thrown(error);
    const details = { keyValue: tag };
    switch (tag) {
      case "not-claimed":
        throw Failure.rejected(`key \`${key}\` was first read after a write: read all keys before`, { details });
      case "too-large":
        throw Failure.rejected(`key \`${key}\` or its value is too large: ${val}`, { details });
      case "full":
        throw Failure.rejected(`key \`${key}\`: the plugin's space is full (\`key-value-size\`): ${val}`, { details });
      case "invalid":
        throw Failure.rejected(`key \`${key}\`: ${val}`, { details });
      default:
        throw Failure.retry(`key \`${key}\`: ${val}`, { details });
    }
  }
}
