/** Streams: pages of events that are polled, and webhooks that are received. */

import { check } from "./check.ts";
import { type NewEvent, eventText } from "./event.ts";
import { parse, stringify } from "./exact.ts";
import { Failure } from "./failure.ts";
import type { AnySchema, Infer } from "./schema.ts";
import { decodeText, decodeTextStrictly, encodeText } from "./text.ts";

/** What a poll is asked for. */
export interface Poll<K> {
  /** Where to start; undefined the first time: then start at the context's `since`. */
  readonly cursor: K | undefined;
  /** The most events wanted. */
  readonly limit: number;
}

/** One page of a stream. */
export interface Page<K> {
  /** Oldest first. Give each an `id` made of the record and its version, and a `time`. */
  events: NewEvent[];
  /** Where the next poll starts; kept only together with the events. Left out: the present one is kept. */
  nextCursor?: K | undefined;
  /** There is more now: poll again at once. */
  more?: boolean;
  /** Records that can't be made into events. They are kept with their reason, shown, and stop nothing. */
  setAside?: { record: unknown; reason: string }[];
}

/** What a webhook comes to. */
export interface Received {
  /** Accepted before the sender is answered. */
  events: NewEvent[];
  /** What the sender is answered; an empty 200 if it is left out. */
  reply?: { status?: number; headers?: Record<string, string>; body?: string | Uint8Array };
}

/** A request as it crosses the boundary. */
export interface WireInbound {
  method: string;
  path: string;
  headers: [string, Uint8Array][];
  body: Uint8Array;
}

/** A page as it crosses the boundary. */
export interface WirePage {
  events: string[];
  nextCursor: string | undefined;
  more: boolean;
  setAside: { data: string; reason: string }[];
}

/** A webhook's outcome as it crosses the boundary. */
export interface WireReceived {
  events: string[];
  response: { status: number; headers: [string, Uint8Array][]; body: Uint8Array };
}

/** A request that came in at `POST /hooks/SOURCE`. */
export class Inbound {
  /** In upper case. */
  readonly method: string;
  /** Path and query as they came. */
  readonly path: string;
  /** Names in lower case, in the order they came. */
  readonly headers: readonly (readonly [string, Uint8Array])[];
  readonly body: Uint8Array;

  constructor(wire: WireInbound) {
    this.method = wire.method;
    this.path = wire.path;
    this.headers = wire.headers;
    this.body = wire.body;
  }

  /** The body as JSON, of the type that the schema says; without one as unknown. */
  json(): unknown;
  json<S extends AnySchema>(schema: S): Promise<Infer<S>>;
  json(schema?: AnySchema): unknown {
    let value: unknown;
    try {
      value = parse(decodeTextStrictly(this.body));
    } catch (cause) {
      throw Failure.rejected(`the body of the webhook is no JSON: ${(cause as Error).message}`);
    }
    return schema === undefined ? value : check(schema, value, "body");
  }

  text(): string {
    return decodeText(this.body);
  }

  /** The first header of that name, as text. */
  header(name: string): string | undefined {
    const found = this.headers.find(([present]) => present.toLowerCase() === name.toLowerCase());
    return found === undefined ? undefined : decodeText(found[1]);
  }
}

/** A page for the contract. */
export function wirePage({ events, nextCursor, more = false, setAside = [] }: Page<unknown>): WirePage {
  return {
    events: events.map(eventText),
    nextCursor: nextCursor === undefined ? undefined : stringify(nextCursor),
    more,
    setAside: setAside.map(({ record, reason }) => ({ data: stringify(record), reason: reason.toWellFormed() })),
  };
}

/** A webhook's outcome for the contract. */
export function wireReceived({ events, reply = {} }: Received): WireReceived {
  const { status = 200, headers = {}, body = "" } = reply;
  return {
    events: events.map(eventText),
    response: {
      status,
      headers: Object.entries(headers).map(([name, value]) => [name, encodeText(value)]),
      body: typeof body === "string" ? encodeText(body) : body,
    },
  };
}
