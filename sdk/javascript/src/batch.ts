/** Several runs of one action, done by one call: each input is looked at by itself, and each run has a result of its own. */

import { check } from "./check.ts";
import { type Context, actionContext } from "./context.ts";
import { parse, stringify } from "./exact.ts";
import { Failure } from "./failure.ts";
import { type Http, http } from "./http.ts";
import { type Kv, kv } from "./kv.ts";
import { type Log, log } from "./log.ts";
import type { AnySchema } from "./schema.ts";
import type { AnyPlugin, WireOutput } from "./plugin.ts";

/** One run's part of a batch. */
export interface Item<I, C> {
  /** What the action is given. */
  readonly input: I;
  /** What it knows of its run. */
  readonly cx: ItemContext<C>;
  /** Its position among the runs of the call. */
  readonly place: number;
}

/**
 * What a batch knows of one of its runs. `attempt` is above 1 where the batch, or the run, was tried before; `idempotencyKey` is the same in every batch,
 * and so the marker of the run's record. Lines of its `log` are kept with that run alone. `emit` brings an event in with that run's success.
 */
export type ItemContext<C> = Omit<Context<C>, "http" | "kv">;

/** What a batch has in common, and its way outside. Requests belong to it as a whole. */
export interface BatchContext<C> {
  readonly deadline: Date;
  /** The plugin's configuration, the same for all of them. */
  readonly config: C;
  readonly http: Http;
  /** A batch takes nothing that reads: a key that was read would have to be held for each of the runs alone. */
  readonly kv: Pick<Kv, "set" | "setJson" | "delete">;
  /** Lines that are kept with every run of the batch. */
  readonly log: Log;
}

/** How an action takes several runs at once. */
export interface BatchEntry {
  most: number;
  config: AnySchema;
  input: AnySchema;
  output: AnySchema;
  run(items: readonly Item<unknown, unknown>[], batch: BatchContext<unknown>): Promise<readonly unknown[]>;
}

/** One run's part as it crosses the boundary. */
export interface WireInvocation {
  input: string;
  context: string;
}

interface Member {
  item: Item<unknown, unknown>;
  cx: Context<unknown>;
  events: string[];
}

/** Does an action for several runs; gives what became of each, in their order. */
export async function invokeTogether(plugin: AnyPlugin, action: string, invocations: readonly WireInvocation[]): Promise<(WireOutput | Failure)[]> {
  const batch = plugin.batchOf(action);
  if (batch === undefined) {
    throw Failure.rejected(`\`${action}\` takes one run at a time`);
  }
  const { config, input, output, run } = batch;
  const outcomes: (WireOutput | Failure)[] = [];
  const members: Member[] = [];
  for (const [place, wire] of invocations.entries()) {
    const events: string[] = [];
    try {
      const cx = await actionContext<unknown>(wire.context, config, events);
      members.push({ item: { input: await check(input, parse(wire.input), "input"), cx: { ...cx, log: logOf(place) }, place }, cx, events });
    } catch (error) {
      outcomes[place] = Failure.from(error);
    }
  }
  const [first] = members;
  if (first === undefined) {
    return outcomes;
  }
  const results = await settled(members, () => run(members.map(({ item }) => item), { deadline: first.cx.deadline, config: first.cx.config, http, kv, log }));
  for (const [index, { item, events }] of members.entries()) {
    const result = results[index] as PromiseSettledResult<unknown>;
    try {
      if (result.status === "rejected" || result.value instanceof Error) {
        throw result.status === "rejected" ? result.reason : result.value;
      }
      outcomes[item.place] = { data: stringify(await check(output, result.value ?? null, "output")), events };
    } catch (error) {
      outcomes[item.place] = Failure.from(error);
    }
  }
  return outcomes;
}

/** A result for each of the runs; what ends all of them at once is the result of each. */
async function settled(members: Member[], run: () => Promise<readonly unknown[]>): Promise<PromiseSettledResult<unknown>[]> {
  try {
    const results = await run();
    if (!Array.isArray(results) || results.length !== members.length) {
      const given = Array.isArray(results) ? `${results.length}` : `no list`;
      throw new TypeError(`a batch gives one result for each item, but of ${members.length} items it gave ${given}`);
    }
    return await Promise.allSettled(results);
  } catch (reason) {
    return members.map(() => ({ status: "rejected", reason }));
  }
}

/** Its lines are those of one run: the host goes by the field. */
function logOf(invocation: number): Log {
  const named = (write: Log["info"]): Log["info"] => (message, fields) => write(message, { ...fields, invocation });
  return { trace: named(log.trace), debug: named(log.debug), info: named(log.info), warn: named(log.warn), error: named(log.error) };
}
