/** Events: those that runs handle, and those that a plugin brings in. */

import { stringify } from "./exact.ts";
import { Failure } from "./failure.ts";

/** An event that was accepted: a CloudEvent 1.0. */
export interface CloudEvent {
  /** Unique within its source. */
  readonly id: string;
  readonly source: string;
  /** Such as `job.completed`. */
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time?: string;
  /** JSON. Numbers that a JavaScript number can't give back digit by digit are `ExactNumber`s. */
  readonly data?: unknown;
  /** All other attributes. */
  readonly [attribute: string]: unknown;
}

/** An event to bring in. The host sets its `source`. */
export interface NewEvent {
  /** Must be granted with `emits`. */
  type: string;
  data: unknown;
  /**
   * Unique within the source. In a stream take it from the record and its version, so that seeing it again brings in nothing twice; an action may
   * leave it out.
   */
  id?: string | undefined;
  /** What it is about. */
  subject?: string | undefined;
  /** When it happened: a Date, or RFC 3339. */
  time?: string | Date | undefined;
  /** Extension attributes of CloudEvents: names of lower-case letters and digits. */
  attributes?: Record<string, string | number | boolean> | undefined;
}

/** An event as it crosses the boundary. */
export function eventText({ attributes, ...event }: NewEvent): string {
  if (typeof event.type !== "string" || event.type === "") {
    throw Failure.rejected("an event to bring in has no type");
  }
  const data = event.data === undefined ? null : event.data;
  return stringify({ specversion: "1.0", ...attributes, ...event, data });
}
