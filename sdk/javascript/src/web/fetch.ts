/**
 * `fetch` and its classes: requests go the same way as those of `http`, under the same grants and journal.
 *
 * A write is named by the header `Sangam-Effect-Name`; a POST that only reads says `Sangam-Effect: read`. The host sees neither as a header. Bodies are
 * whole, not streams.
 */

import { parse } from "../exact.ts";
import { type WireRequest, host, thrown } from "../host.ts";
import { decodeText, encodeText } from "../text.ts";
import type { AbortSignal } from "./abort.ts";

type HeadersInit = Headers | Iterable<readonly [string, string]> | Record<string, string>;
type Body = string | ArrayBuffer | ArrayBufferView | { toString(): string } | null;

/** What a request may have. */
export interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: Body;
  signal?: AbortSignal | null;
  redirect?: "follow" | "manual" | "error";
}

/** Names and values. */
export class Headers {
  readonly #pairs: [string, string][] = [];

  constructor(init: HeadersInit = []) {
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs) {
      this.append(name, value);
    }
  }

  append(name: string, value: string): void {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      throw new TypeError(`\`${name}\` is no name of a header`);
    }
    this.#pairs.push([name.toLowerCase(), String(value).trim()]);
  }

  delete(name: string): void {
    const kept = this.#pairs.filter(([present]) => present !== name.toLowerCase());
    this.#pairs.splice(0, this.#pairs.length, ...kept);
  }

  get(name: string): string | null {
    const values = this.#pairs.filter(([present]) => present === name.toLowerCase()).map(([, value]) => value);
    return values.length === 0 ? null : values.join(", ");
  }

  getSetCookie(): string[] {
    return this.#pairs.filter(([name]) => name === "set-cookie").map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  forEach(each: (value: string, name: string, headers: Headers) => void): void {
    for (const [name, value] of this) {
      each(value, name, this);
    }
  }

  *entries(): Generator<[string, string]> {
    const names = [...new Set(this.#pairs.map(([name]) => name))].sort();
    for (const name of names) {
      if (name === "set-cookie") {
        yield* this.getSetCookie().map((value): [string, string] => [name, value]);
      } else {
        yield [name, this.get(name) as string];
      }
    }
  }

  *keys(): Generator<string> {
    for (const [name] of this) {
      yield name;
    }
  }

  *values(): Generator<string> {
    for (const [, value] of this) {
      yield value;
    }
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }
}

/** What requests and answers have in common: a body that is read once. */
class Message {
  readonly headers: Headers;
  bodyUsed = false;
  readonly #bytes: Uint8Array | null;

  constructor(headers: Headers, bytes: Uint8Array | null) {
    this.headers = headers;
    this.#bytes = bytes;
  }

  /** The body in one chunk; a stand-in for a stream that can be iterated. */
  get body(): AsyncIterable<Uint8Array> | null {
    if (this.#bytes === null) {
      return null;
    }
    const take = (): Uint8Array => this.take();
    return {
      async *[Symbol.asyncIterator]() {
        yield take();
      },
    };
  }

  take(): Uint8Array {
    if (this.bodyUsed) {
      throw new TypeError("the body has been read already: clone() it before");
    }
    this.bodyUsed = this.#bytes !== null;
    return this.#bytes ?? new Uint8Array(0);
  }

  /** The bytes, without using them up. */
  peek(): Uint8Array | null {
    if (this.bodyUsed) {
      throw new TypeError("the body has been read already");
    }
    return this.#bytes;
  }

  async bytes(): Promise<Uint8Array> {
    return this.take().slice();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.take().slice().buffer as ArrayBuffer;
  }

  async text(): Promise<string> {
    return decodeText(this.take()).replace(/^\ufeff/, "");
  }

  // biome-ignore lint: any, as everywhere
  async json(): Promise<any> {
    return parse(await this.text());
  }
}

/** A request. */
export class Request extends Message {
  readonly method: string;
  readonly url: string;
  readonly signal: AbortSignal | null;
  readonly redirect: string;

  constructor(input: Request | string | { toString(): string }, init: RequestInit = {}) {
    const from = input instanceof Request ? input : undefined;
    const headers = new Headers(init.headers ?? from?.headers ?? []);
    const given = init.body == null ? undefined : bodyOf(init.body);
    if (given?.type !== undefined && !headers.has("content-type")) {
      headers.set("content-type", given.type);
    }
    super(headers, given?.bytes ?? from?.peek() ?? null);
    const method = init.method ?? from?.method ?? "GET";
    this.method = /^(get|head|post|put|delete|options|patch)$/i.test(method) ? method.toUpperCase() : method;
    this.url = from?.url ?? String(input);
    this.signal = init.signal ?? from?.signal ?? null;
    this.redirect = init.redirect ?? from?.redirect ?? "follow";
    if (/^(GET|HEAD)$/.test(this.method) && this.peek() !== null) {
      throw new TypeError(`a ${this.method} request has no body`);
    }
  }

  clone(): Request {
    return new Request(this);
  }
}

/** An answer. */
export class Response extends Message {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected = false;
  readonly type = "default";

  constructor(body: Body = null, { status = 200, statusText = "", headers = [] as HeadersInit, url = "" } = {}) {
    const all = new Headers(headers);
    const given = body == null ? undefined : bodyOf(body);
    if (given?.type !== undefined && !all.has("content-type")) {
      all.set("content-type", given.type);
    }
    super(all, given?.bytes ?? null);
    this.status = status;
    this.statusText = statusText;
    this.url = url;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  clone(): Response {
    return new Response(this.peek(), { status: this.status, statusText: this.statusText, headers: this.headers, url: this.url });
  }

  static json(data: unknown, init: { status?: number; headers?: HeadersInit } = {}): Response {
    const headers = new Headers(init.headers ?? []);
    if (!headers.has("content-type")) {
      headers.set("content-type", "application/json");
    }
    return new Response(JSON.stringify(data), { ...init, headers });
  }

  static error(): Response {
    return new Response(null, { status: 0 });
  }
}

function bodyOf(body: Exclude<Body, null>): { bytes: Uint8Array; type?: string } {
  if (typeof body === "string") {
    return { bytes: encodeText(body), type: "text/plain;charset=UTF-8" };
  }
  if (body instanceof ArrayBuffer) {
    return { bytes: new Uint8Array(body) };
  }
  if (ArrayBuffer.isView(body)) {
    return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) };
  }
  if (body?.constructor?.name === "URLSearchParams") {
    return { bytes: encodeText(String(body)), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  if (typeof (body as { getReader?: unknown }).getReader === "function" || body?.constructor?.name === "FormData") {
    throw new TypeError("a body is text, bytes or URLSearchParams here: streams and FormData are not available in a connector");
  }
  return { bytes: encodeText(String(body)), type: "text/plain;charset=UTF-8" };
}

/** Sends a request. Fails with `TypeError` where there is no answer, as everywhere; its `cause` is the case of the contract. */
export async function fetch(input: Request | string | { toString(): string }, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  request.signal?.throwIfAborted();
  const { headers, signal } = request;
  const name = headers.get("sangam-effect-name") ?? undefined;
  const readOnly = /^read$/i.test(headers.get("sangam-effect") ?? "");
  headers.delete("sangam-effect-name");
  headers.delete("sangam-effect");
  const deadline = signal?.deadline;
  const wire: WireRequest = {
    method: request.method,
    url: request.url.replace(/#.*$/s, "").toWellFormed(),
    headers: [...headers].map(([header, value]) => [header, encodeText(value)]),
    body: request.take(),
    timeoutMs: deadline === undefined ? undefined : Math.max(1, Math.round(deadline - performance.now())),
    name,
    readOnly,
  };
  let answer;
  try {
    answer = host().http.send(wire);
  } catch (error) {
    const { tag, val } = thrown(error);
    if (tag === "timeout" && deadline !== undefined) {
      throw new DOMException("the operation took too long", "TimeoutError");
    }
    throw new TypeError(`fetch failed: ${tag}: ${val}`, { cause: { code: tag, message: val } });
  }
  const body = /^(101|204|205|304)$/.test(String(answer.status)) ? null : answer.body;
  const pairs = answer.headers.map(([header, value]): [string, string] => [header, decodeText(value)]);
  return new Response(body, { status: answer.status, headers: pairs, url: wire.url });
}
