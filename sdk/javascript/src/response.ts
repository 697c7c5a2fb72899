/** Answers of systems. */

import { check } from "./check.ts";
import { parse } from "./exact.ts";
import { Failure, type FailureKind } from "./failure.ts";
import type { WireResponse } from "./host.ts";
import type { AnySchema, Infer } from "./schema.ts";
import { decodeText, decodeTextStrictly } from "./text.ts";

/** How much of a body a failure quotes, in characters. */
const EXCERPT = 2048;

/** Judges an answer: a failure, or nothing to leave it to HTTP. */
export type Judge = (response: Response) => Failure | undefined;

/** A complete answer, of whatever status. */
export class Response {
  readonly status: number;
  /** Names in lower case, and values. */
  readonly headers: readonly (readonly [string, Uint8Array])[];
  /** As it came. */
  readonly body: Uint8Array;
  readonly #to: string;

  constructor(wire: WireResponse, to: string) {
    this.status = wire.status;
    this.headers = wire.headers;
    this.body = wire.body;
    this.#to = to;
  }

  /** Whether the status is 2xx. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /**
   * The answer itself if it is a success (2xx), else it throws the failure that HTTP says it is:
   *
   * | status | failure |
   * |---|---|
   * | 401 | unauthorized |
   * | 408, 425, 5xx | retry, after `Retry-After` |
   * | 429 | rate-limited, after `Retry-After` |
   * | all others | rejected |
   *
   * Each has the status and the start of the body in its details. Where a system has its own ways of failing, `judge` says them; it
   * is asked first, of successes too (for the APIs that answer `200 {"ok": false}`).
   */
  orFail(judge?: Judge): this {
    const failure = judge?.(this);
    if (failure !== undefined) {
      throw failure;
    }
    if (this.ok) {
      return this;
    }
    throw new Failure(kindOf(this.status), `${this.#to} answered ${this.status}`, { response: this });
  }

  /** The body as JSON, of the type that the schema says; without one as unknown. Throws `rejected` with the path of what does not fit. */
  json(): unknown;
  json<S extends AnySchema>(schema: S): Promise<Infer<S>>;
  json(schema?: AnySchema): unknown {
    const what = `the answer of ${this.#to}`;
    let value: unknown;
    try {
      value = parse(decodeTextStrictly(this.body));
    } catch (cause) {
      throw Failure.rejected(`${what} is no JSON: ${(cause as Error).message}`, { response: this });
    }
    return schema === undefined ? value : check(schema, value, `${what}: body`);
  }

  /** The body as text; what is not UTF-8 is replaced. */
  text(): string {
    return decodeText(this.body);
  }

  /** The first header of that name, as text. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const found = this.headers.find(([present]) => present.toLowerCase() === wanted);
    return found === undefined ? undefined : decodeText(found[1]);
  }

  /** How long `Retry-After` asks to wait, in milliseconds: seconds, or a date on the clock that the plugin sees. */
  retryAfter(): number | undefined {
    const value = this.header("retry-after")?.trim();
    if (value === undefined) {
      return undefined;
    }
    if (/^\d+$/.test(value)) {
      return Math.min(Number(value) * 1000, Number.MAX_SAFE_INTEGER);
    }
    const date = /GMT$/.test(value) ? Date.parse(value) : Number.NaN;
    return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
  }

  /** The start of the body, for people. */
  excerpt(): string {
    const text = decodeText(this.body.subarray(0, 4 * EXCERPT));
    return text.length > EXCERPT ? `${text.slice(0, EXCERPT).toWellFormed()}…` : text;
  }
}

function kindOf(status: number): FailureKind {
  if (status === 401) {
    return "unauthorized";
  }
  if (status === 429) {
    return "rate-limited";
  }
  return status === 408 || status === 425 || (status >= 500 && status <= 599) ? "retry" : "rejected";
}
