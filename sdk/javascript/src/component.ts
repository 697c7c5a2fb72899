/** The exports of a component. The build writes a module that calls this. */

import "./guest/globals.ts";

import { Failure, translateStacks } from "./failure.ts";
import { resetClock } from "./guest/clock.ts";
import { resetConsole } from "./guest/console.ts";
import { imports } from "./guest/host.ts";
import { resetLoop, runUntil } from "./guest/loop.ts";
import { unhandledReasons } from "./guest/promise.ts";
import { resetRandom } from "./guest/random.ts";
import { type SourceLines, translator } from "./guest/stack.ts";
import { stringify } from "./exact.ts";
import { useHost } from "./host.ts";
import { log } from "./log.ts";
import type { AnyPlugin } from "./plugin.ts";
import type { WireInbound } from "./stream.ts";

/** How a component is made of a plugin. */
export interface ComponentOptions {
  /** Of `package.json`. */
  name: string;
  version: string;
  /** Where the lines of the bundled program come from, and how frames call it. */
  lines?: () => SourceLines | undefined;
  file?: string;
}

/** The exports of the contract, for `plugin`. */
export function component(plugin: AnyPlugin, { name, version, lines, file = "" }: ComponentOptions) {
  const descriptor = plugin.descriptor({ name, version });
  if (lines !== undefined) {
    translateStacks(translator(lines, file));
  }
  return {
    plugin: { describe: (): string => descriptor },
    actions: {
      invoke: (action: string, input: string, context: string) => call(() => plugin.invoke(action, input, context)),
    },
    events: {
      poll: (stream: string, cursor: string | null | undefined, limit: number, context: string) =>
        call(() => plugin.poll(stream, cursor ?? undefined, limit, context)),
      receive: (stream: string, request: WireInbound, context: string) => call(() => plugin.receive(stream, request, context)),
    },
  };

  function call<T>(run: () => Promise<T>): T {
    try {
      return within(run);
    } catch (error) {
      throw wireFailure(Failure.from(error));
    }
  }

}

/** Does what the host has called for, to the end of all its promises. */
export function within<T>(run: () => Promise<T>): T {
  useHost(imports);
  resetLoop();
  resetRandom();
  resetClock();
  resetConsole();
  const outcome = runUntil(run());
  for (const reason of unhandledReasons()) {
    log.warn("a promise was rejected and nobody looked: is an `await` missing?", { reason: String(reason) });
  }
  return outcome;
}

/** A failure as the contract has it; what is thrown at the boundary is its error. */
export function wireFailure({ kind, reason, after, details }: Failure): object {
  return {
    tag: kind,
    val: { reason: reason.toWellFormed(), afterMs: after, details: details === undefined ? undefined : stringify(details) },
  };
}
