/** What a call knows, and its way outside. */

import { check } from "./check.ts";
import { parse } from "./exact.ts";
import { type NewEvent, eventText } from "./event.ts";
import type { CloudEvent } from "./event.ts";
import { type Http, type ReadOnlyHttp, http, readOnlyHttp } from "./http.ts";
import { type Kv, kv } from "./kv.ts";
import { type Log, log } from "./log.ts";
import type { AnySchema } from "./schema.ts";

/**
 * What an action knows of its call, and its way outside.
 *
 * The same call may come again after a crash or a failure. Then the input is the same, clocks and random numbers come out the same, writes that
 * succeeded are answered from the journal, and reads are live.
 */
export interface Context<C> {
  /** The event that the run handles. */
  readonly event: CloudEvent;
  readonly run: {
    /** UUIDv7. */
    readonly id: string;
    /** The first run of its line; its own id where it is no replay. */
    readonly root: string;
    /** Name of the route. */
    readonly route: string;
  };
  readonly step: {
    /** Its name in the route. */
    readonly name: string;
    /** `plugin.action`. */
    readonly uses: string;
    /** Of a step with `repeat`. */
    readonly round: number;
  };
  /** From 1. */
  readonly attempt: number;
  /**
   * Whether nothing of this step can have been written before: a replay counts attempts from 1 again, but shares the journal, and the doubts, of
   * the runs before it. Where a system has no idempotency keys, look for your own marker before writing unless this is true.
   */
  readonly firstAttempt: boolean;
  /** A UUID, the same on every attempt of the step. Keys of single writes: `http.key(name)`. */
  readonly idempotencyKey: string;
  /** When the call's time ends, on the clock that the plugin sees. */
  readonly deadline: Date;
  /** W3C Trace Context, where there is one. */
  readonly traceparent: string | undefined;
  /** The plugin's configuration. */
  readonly config: C;
  readonly http: Http;
  readonly kv: Kv;
  readonly log: Log;
  /** Brings an event in, together with the step's success or not at all. Its type must be granted with `emits`. */
  emit(event: NewEvent): void;
}

/** What a stream knows of its call, and its way outside. Streams may only read. */
export interface SourceContext<C> {
  /** Name of the source. */
  readonly source: string;
  /** Where the first poll starts. */
  readonly since: Date | undefined;
  readonly deadline: Date;
  readonly traceparent: string | undefined;
  readonly config: C;
  readonly http: ReadOnlyHttp;
  readonly kv: Kv;
  readonly log: Log;
}

interface Wire {
  event?: CloudEvent;
  run?: { id: string; root?: string; route?: string };
  step?: { name: string; uses?: string; round?: number };
  attempt?: number;
  idempotency_key?: string;
  source?: string;
  since?: string | null;
  deadline: string;
  traceparent?: string;
  configuration: unknown;
}

/** The context of `invoke`, and where its events gather. */
export async function actionContext<C>(text: string, config: AnySchema, emitted: string[]): Promise<Context<C>> {
  const wire = parse(text) as Wire;
  const { id = "", root = "", route = "" } = wire.run ?? {};
  const { name = "", uses = "", round = 0 } = wire.step ?? {};
  const attempt = wire.attempt ?? 1;
  return {
    event: wire.event as CloudEvent,
    run: { id, root, route },
    step: { name, uses, round },
    attempt,
    firstAttempt: attempt <= 1 && (root === "" || root === id),
    idempotencyKey: wire.idempotency_key ?? "",
    ...(await common<C>(wire, config)),
    http,
    emit: (event) => void emitted.push(eventText(event)),
  };
}

/** The context of `poll` and `receive`. */
export async function sourceContext<C>(text: string, config: AnySchema): Promise<SourceContext<C>> {
  const wire = parse(text) as Wire;
  return {
    source: wire.source ?? "",
    since: wire.since == null ? undefined : new Date(wire.since),
    ...(await common<C>(wire, config)),
    http: readOnlyHttp,
  };
}

async function common<C>(wire: Wire, config: AnySchema): Promise<Pick<Context<C>, "deadline" | "traceparent" | "config" | "kv" | "log">> {
  return {
    deadline: new Date(wire.deadline),
    traceparent: wire.traceparent,
    config: (await check(config, wire.configuration, "configuration")) as C,
    kv,
    log,
  };
}
