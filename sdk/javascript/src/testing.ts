/**
 * Tests of a connector with `node --test`: no component, no host, a system that your test scripts.
 *
 * ```ts
 * const host = new Host((request) => json(201, { id: "c-1" }));
 * assert.deepEqual(await host.invoke(plugin, "add-comment", { ticket: "7", text: "done" }), { id: "c-1" });
 * assert.equal(host.sent[0]?.json().text, "done");
 * ```
 */

import { invokeTogether } from "./batch.ts";
import { parse, plain, stringify } from "./exact.ts";
import { Failure } from "./failure.ts";
import { type Host as Imports, type Level, type WireRequest, type WireResponse, useHost } from "./host.ts";
import type { AnyPlugin } from "./plugin.ts";
import type { Page } from "./stream.ts";
import { decodeText, encodeText } from "./text.ts";
import { fetch } from "./web/fetch.ts";

/** Any JSON, for tests to look into. */
// biome-ignore lint: tests look into answers of any shape
export type Any = any;

/** A request that left the connector. */
export class Sent {
  /** In upper case. */
  readonly method: string;
  /** With its query. */
  readonly url: string;
  /** As the connector set them. */
  readonly headers: readonly (readonly [string, Uint8Array])[];
  readonly body: Uint8Array;
  /** The name of the write. */
  readonly name: string | undefined;
  /** The idempotency key of a named write. */
  readonly key: string | undefined;
  readonly readOnly: boolean;

  constructor(wire: WireRequest) {
    this.method = wire.method;
    this.url = wire.url;
    this.headers = wire.headers;
    this.body = wire.body;
    this.name = wire.name;
    this.key = wire.name === undefined ? undefined : key(wire.name);
    this.readOnly = wire.readOnly;
  }

  /** The body as JSON; null where it is none. */
  json(): Any {
    try {
      return plain(parse(this.text()));
    } catch {
      return null;
    }
  }

  text(): string {
    return decodeText(this.body);
  }

  /** The URL without scheme, host and query. */
  get path(): string {
    return this.url.replace(/^[a-z]+:\/\/[^/?#]*/, "").replace(/[?#].*$/s, "");
  }

  /** A value of the query, decoded. */
  query(name: string): string | undefined {
    return new URL(this.url).searchParams.get(name) ?? undefined;
  }

  header(name: string): string | undefined {
    const found = this.headers.find(([present]) => present.toLowerCase() === name.toLowerCase());
    return found === undefined ? undefined : decodeText(found[1]);
  }

  /** Whether it is recorded in the journal. */
  get writes(): boolean {
    return !this.readOnly && !/^(GET|HEAD|OPTIONS)$/.test(this.method);
  }
}

/** An answer of a scripted system. */
export interface Scripted {
  status: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** Thrown by a scripted system that does not answer. */
export class NoAnswer extends Error {
  readonly payload: { tag: string; val: unknown };

  constructor(tag: string, val: unknown) {
    super(`${tag}: ${val}`);
    this.payload = { tag, val };
  }

  /** Broken off: whether the system did it, nobody knows. */
  static connection(why = "connection reset"): NoAnswer {
    return new NoAnswer("connection", why);
  }

  static timeout(why = "no answer in time"): NoAnswer {
    return new NoAnswer("timeout", why);
  }

  static denied(why = "the host is not granted"): NoAnswer {
    return new NoAnswer("denied", why);
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Scripted {
  return { status, headers: { "content-type": "application/json", ...headers }, body: stringify(body) };
}

/** An answer with a body of text. */
export function text(status: number, body = "", headers: Record<string, string> = {}): Scripted {
  return { status, headers: { "content-type": "text/plain", ...headers }, body };
}

/** A line of the log. */
export interface Line {
  level: Level;
  message: string;
  fields: Record<string, string>;
}

type System = (request: Sent) => Scripted;

/** Calls run one after another, since the functions of the host are the same for all. */
let last: Promise<unknown> = Promise.resolve();

/**
 * A stand-in for the host, for one step: it keeps what the step did between calls, as the journal does.
 *
 * A named write that succeeded is answered from the journal on attempts after the first. Key-value writes stay where the call succeeds. A write
 * from a stream is denied. It does not check input against schemas of other steps, nor hosts against grants: `sangam plugin test` and `sangam check` do.
 */
export class Host {
  /** The plugin's configuration. */
  config: unknown = {};
  /** The CloudEvent of the run. */
  event: Record<string, unknown> = { specversion: "1.0", id: "1", source: "/test", type: "test", data: null };
  /** Raise it to try again. */
  attempt = 1;
  /** `since` of a poll. */
  since: string | undefined;
  /** Every request that reached the system, of all calls. */
  readonly sent: Sent[] = [];
  /** Every line of the log. */
  readonly lines: Line[] = [];
  /** Events that succeeded calls brought in, as CloudEvents. */
  readonly events: Any[] = [];
  /** The key-value space. */
  store = new Map<string, Uint8Array>();
  readonly #system: System;
  readonly #journal = new Map<string, WireResponse>();
  readonly #doneNow = new Set<string>();
  #mayWrite = true;

  /** A host whose requests that function answers; it throws a {@link NoAnswer} where there is to be none. */
  constructor(system: System = () => text(200)) {
    this.#system = system;
  }

  /** Does an action and gives its output. Throws its {@link Failure}. */
  async invoke(plugin: AnyPlugin, action: string, input: unknown): Promise<Any> {
    const output = await this.#call(true, () => plugin.invoke(action, stringify(input), this.#context(action, "run-1", key(""))));
    this.#bring(output.events);
    return parse(output.data);
  }

  /**
   * Does an action for several runs at once, each with an id and a key of its own; the journal is the batch's. Gives what became of each: its output, or
   * its {@link Failure}.
   */
  async invokeBatch(plugin: AnyPlugin, action: string, inputs: readonly unknown[]): Promise<Any[]> {
    const invocations = inputs.map((input, place) => ({ input: stringify(input), context: this.#context(action, `run-${place + 1}`, key(`run-${place + 1}`)) }));
    const outcomes = await this.#call(true, () => invokeTogether(plugin, action, invocations));
    return outcomes.map((outcome) => {
      if (outcome instanceof Failure) {
        return outcome;
      }
      this.#bring(outcome.events);
      return parse(outcome.data);
    });
  }

  /** Reads the next page of a stream; its events go to `events` too. */
  async poll(plugin: AnyPlugin, stream: string, cursor?: unknown, limit = 100): Promise<Omit<Page<Any>, "events"> & { events: Any[] }> {
    const from = cursor === undefined ? undefined : stringify(cursor);
    const page = await this.#call(false, () => plugin.poll(stream, from, limit, this.#sourceContext()));
    return {
      events: this.#bring(page.events),
      nextCursor: page.nextCursor === undefined ? undefined : parse(page.nextCursor),
      more: page.more,
      setAside: page.setAside.map(({ data, reason }) => ({ record: parse(data), reason })),
    };
  }

  /** Hands a webhook to a stream; its events go to `events` too. */
  async receive(
    plugin: AnyPlugin,
    stream: string,
    request: { method?: string; path?: string; headers?: Record<string, string>; json?: unknown; body?: string },
  ): Promise<{ events: Any[]; reply: { status: number; headers: Record<string, string>; body: string } }> {
    const { method = "POST", path = "/hooks/test", headers = {}, body = stringify(request.json) } = request;
    const pairs = Object.entries(headers).map(([name, value]): [string, Uint8Array] => [name.toLowerCase(), encodeText(value)]);
    const wire = { method, path, headers: pairs, body: encodeText(body) };
    const received = await this.#call(false, () => plugin.receive(stream, wire, this.#sourceContext()));
    const { status, headers: replied, body: said } = received.response;
    const reply = { status, headers: Object.fromEntries(replied.map(([name, value]) => [name, decodeText(value)])), body: decodeText(said) };
    return { events: this.#bring(received.events), reply };
  }

  /** The value of a key as text. */
  value(key: string): string | undefined {
    const value = this.store.get(key);
    return value === undefined ? undefined : decodeText(value);
  }

  #bring(events: string[]): Any[] {
    const brought = events.map((event) => parse(event));
    this.events.push(...brought);
    return brought;
  }

  #context(action: string, run: string, idempotencyKey: string): string {
    return stringify({
      event: this.event,
      run: { id: run, root: run, route: "test" },
      step: { name: "test", uses: `test.${action}`, round: 0 },
      attempt: this.attempt,
      idempotency_key: idempotencyKey,
      deadline: "2100-01-01T00:00:00Z",
      configuration: this.config,
    });
  }

  #sourceContext(): string {
    return stringify({ source: "test", since: this.since, deadline: "2100-01-01T00:00:00Z", configuration: this.config });
  }

  #call<T>(mayWrite: boolean, run: () => Promise<T>): Promise<T> {
    const mine = last.then(async () => {
      const stored = new Map(this.store);
      const web = globalThis.fetch;
      const before = useHost(this.#imports());
      this.#mayWrite = mayWrite;
      this.#doneNow.clear();
      globalThis.fetch = fetch as unknown as typeof globalThis.fetch;
      try {
        return await run();
      } catch (error) {
        this.store = stored;
        throw error;
      } finally {
        globalThis.fetch = web;
        useHost(before);
      }
    });
    last = mine.catch(() => undefined);
    return mine;
  }

  #imports(): Imports {
    return {
      http: { send: (request) => this.#send(request), key },
      keyValue: {
        get: (name) => this.store.get(name),
        set: (name, value) => void this.store.set(name, value),
        delete: (name) => void this.store.delete(name),
        increment: (name, delta) => this.#increment(name, delta),
        compareAndSwap: (name, expected, value) => {
          const present = this.store.get(name);
          const same = present === undefined ? expected === undefined : expected !== undefined && decodeText(present) === decodeText(expected);
          if (same) {
            this.store.set(name, value);
          }
          return same;
        },
        list: (prefix, cursor, limit) => this.#list(prefix, cursor, limit),
      },
      log: (level, message, fields) => void this.lines.push({ level, message, fields: Object.fromEntries(fields) }),
    };
  }

  #send(request: WireRequest): WireResponse {
    const sent = new Sent(request);
    if (sent.writes && !this.#mayWrite) {
      throw new NoAnswer("denied", "streams may only read");
    }
    const name = sent.writes ? sent.name : undefined;
    if (name !== undefined) {
      if (this.#doneNow.has(name)) {
        throw new NoAnswer("name-used", name);
      }
      const recorded = this.#journal.get(name);
      if (recorded !== undefined && this.attempt > 1) {
        this.#doneNow.add(name);
        return recorded;
      }
    }
    this.sent.push(sent);
    const { status, headers = {}, body = "" } = this.#system(sent);
    const pairs = Object.entries(headers).map(([header, value]): [string, Uint8Array] => [header.toLowerCase(), encodeText(value)]);
    const response = { status, headers: pairs, body: typeof body === "string" ? encodeText(body) : body };
    if (name !== undefined && status >= 200 && status < 300) {
      this.#doneNow.add(name);
      this.#journal.set(name, response);
    }
    return response;
  }

  #increment(name: string, delta: number): number {
    const present = this.value(name) ?? "0";
    const sum = Number(present) + delta;
    if (!/^-?\d+$/.test(present) || !Number.isSafeInteger(sum)) {
      throw new NoAnswer("invalid", "not a number, or too large a one");
    }
    this.store.set(name, encodeText(String(sum)));
    return sum;
  }

  #list(prefix: string, cursor: string | undefined, limit: number): { keys: string[]; nextCursor: string | undefined } {
    const all = [...this.store.keys()].filter((name) => name.startsWith(prefix) && (cursor === undefined || name > cursor)).sort();
    const keys = all.slice(0, limit);
    return { keys, nextCursor: all.length > limit ? keys.at(-1) : undefined };
  }
}

/** The key that {@link Host} gives to the write of that name: 36 characters, like a real one. */
export function key(name: string): string {
  let digest = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of encodeText(name)) {
    digest = ((digest ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
  }
  return `00000000-0000-5000-8000-${(digest & 0xffff_ffff_ffffn).toString(16).padStart(12, "0")}`;
}

/** The failure that a call ends with; an error where it succeeds. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  let output: unknown;
  try {
    output = await call;
  } catch (error) {
    return Failure.from(error);
  }
  throw new Error(`the call succeeded, with ${stringify(output)}`);
}
