/** How a call ends that does not succeed. */

import type { Response } from "./response.ts";

/** Answers one question: try again, or never? */
export type FailureKind = "retry" | "rate-limited" | "unauthorized" | "rejected";

/** A number of milliseconds, or text with a unit: `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"`. */
export type Duration = number | string;

/** What more there is to say of a failure. */
export interface FailureOptions {
  /** When trying again makes sense. Without it the step's retry policy decides. */
  after?: Duration | undefined;
  /** Whatever helps to understand it, as JSON: the vendor's error code, the field, a correlation id. Never a secret. At most 64 KiB are kept. */
  details?: unknown;
  /** The answer it follows from: adds its status and the start of its body to the details, and waits as long as its `Retry-After` asks. */
  response?: Response | undefined;
  /** The error it follows from: its message and stack are added to the details. */
  cause?: unknown;
}

/**
 * Throw one to end a call. The reason is one sentence for the people who look at the run: what was tried, what the system
 * answered and, where it is known, what to do.
 *
 * ```ts
 * throw Failure.retry("QuickBooks holds the invoice locked", { after: "5s", details: { code: "5010" } });
 * ```
 *
 * Any other error that is thrown counts as `retry`, with its stack in the details.
 */
export class Failure extends Error {
  /** Again, or never. */
  readonly kind: FailureKind;
  /** Milliseconds. */
  readonly after: number | undefined;
  /** JSON. */
  readonly details: unknown;

  constructor(kind: FailureKind, reason: string, options: FailureOptions = {}) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Failure";
    this.kind = kind;
    const { response } = options;
    this.after = options.after === undefined ? response?.retryAfter() : milliseconds(options.after);
    const quoted = response === undefined ? undefined : { status: response.status, body: response.excerpt() };
    const cause = options.cause === undefined ? undefined : { cause: describeError(options.cause) };
    this.details = merged(options.details, quoted, cause);
  }

  /** One sentence; at most 4 KiB are kept. */
  get reason(): string {
    return this.message;
  }

  /** It may work later: a time-out, a 5xx, a lock held elsewhere. Uses up one attempt of the step's policy. */
  static retry(reason: string, options?: FailureOptions): Failure {
    return new Failure("retry", reason, options);
  }

  /** The system asks for patience: 429, or its own way of saying so. Uses up no attempt. */
  static rateLimited(reason: string, options?: FailureOptions): Failure {
    return new Failure("rate-limited", reason, options);
  }

  /** The credential was refused (401). The host renews it once; then the step is paused until it is mended. */
  static unauthorized(reason: string, options?: FailureOptions): Failure {
    return new Failure("unauthorized", reason, options);
  }

  /** Trying again can't help: the input is wrong, the record does not exist, a rule of the system forbids it. */
  static rejected(reason: string, options?: FailureOptions): Failure {
    return new Failure("rejected", reason, options);
  }

  /** The failure that an error stands for: itself if it is one, else `retry` with its stack. */
  static from(error: unknown): Failure {
    if (error instanceof Failure) {
      return error;
    }
    const what = error instanceof Error ? `${error.name}: ${error.message}` : `something other than an error was thrown: ${show(error)}`;
    return Failure.retry(what, { cause: error });
  }
}

function merged(details: unknown, ...more: (object | undefined)[]): unknown {
  const extra = Object.assign({}, ...more) as object;
  if (Object.keys(extra).length === 0) {
    return details;
  }
  const own = typeof details === "object" && details !== null && !Array.isArray(details) ? details : details === undefined ? {} : { details };
  return { ...extra, ...own };
}

let translate: (stack: string) => string = (stack) => stack;

/** Sets what leads a stack of the bundled program back to the author's own lines. */
export function translateStacks(by: (stack: string) => string): void {
  translate = by;
}

/** Where an error was made: the author's frames, one a line. */
export function stackOf(error: Error): string[] {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return translate(frames.join("\n")).split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) {
    return show(error);
  }
  const stack = stackOf(error);
  const cause = error.cause === undefined || depth > 3 ? {} : { cause: describeError(error.cause, depth + 1) };
  return { error: `${error.name}: ${error.message}`, stack: stack.slice(0, 30), ...cause };
}

function show(value: unknown): string {
  try {
    return typeof value === "object" ? (JSON.stringify(value) ?? String(value)) : String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in whole milliseconds. */
export function milliseconds(duration: Duration): number {
  if (typeof duration === "number") {
    if (!(duration >= 0)) {
      throw new TypeError(`a duration is a number of milliseconds from 0 on, not ${duration}`);
    }
    return Math.round(Math.min(duration, Number.MAX_SAFE_INTEGER));
  }
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
  if (parts === null) {
    throw new TypeError(`\`${duration}\` is no duration: write a number and a unit, such as "250ms", "30s", "5m", "2h"`);
  }
  return Math.round(Number(parts[1]) * (UNITS[parts[2] as string] as number));
}
