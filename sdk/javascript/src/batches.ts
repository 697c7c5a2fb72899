/** The export `batches` of a component: apart, so that a plugin whose actions take one run at a time is not made larger by it. */

import { type WireInvocation, invokeTogether } from "./batch.ts";
import { wireFailure, within } from "./component.ts";
import { Failure } from "./failure.ts";
import type { AnyPlugin, WireOutput } from "./plugin.ts";

/** The export, for `plugin`: a result for each invocation, whatever happens. */
export function batches(plugin: AnyPlugin) {
  return {
    invokeBatch: (action: string, invocations: WireInvocation[]): object[] =>
      outcomes(action, invocations).map((outcome) => (outcome instanceof Failure ? { tag: "err", val: wireFailure(outcome) } : { tag: "ok", val: outcome })),
  };

  function outcomes(action: string, invocations: WireInvocation[]): (WireOutput | Failure)[] {
    try {
      return within(() => invokeTogether(plugin, action, invocations));
    } catch (error) {
      const failure = Failure.from(error);
      return invocations.map(() => failure);
    }
  }
}
