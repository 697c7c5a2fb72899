/** Waiting. */

import { type Duration, milliseconds } from "./failure.ts";

/** Waits, within the time limit of the call. The clock that the plugin sees moves on by as much. */
export function sleep(duration: Duration): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds(duration)));
}
