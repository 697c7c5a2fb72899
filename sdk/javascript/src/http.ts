/** HTTP that leaves the sandbox. */

import { Failure, type Duration, milliseconds } from "./failure.ts";
import { stringify } from "./exact.ts";
import { type WireError, host, thrown } from "./host.ts";
import { type Judge, Response } from "./response.ts";
import type { AnySchema, Infer } from "./schema.ts";
import { encodeText } from "./text.ts";
import { encode, withoutQuery } from "./url.ts";

/** Values of a query or form; those that are undefined are left out. */
export type Pairs = Record<string, string | number | bigint | boolean | undefined> | [string, string | number | bigint | boolean][];

/** What any request may have. One of `json`, `form`, `text` and `body` is the body. */
export interface RequestOptions {
  /** Added to the URL's query, percent-encoded. */
  query?: Pairs;
  headers?: Record<string, string | Uint8Array | undefined>;
  /** Sent as JSON, with its content type unless one is set. */
  json?: unknown;
  /** Sent as a form, with its content type unless one is set. */
  form?: Pairs;
  /** Sent as text (`text/plain` unless another content type is set). */
  text?: string;
  /** Sent as it is; say in a header what it is. */
  body?: Uint8Array;
  /** For the whole exchange. Without one: what is left of the call's time. */
  timeout?: Duration;
}

/**
 * A write says what it is. `name` stands for it on every attempt, whatever its body: name every write; in a loop put the record's own id
 * into the name (`note/4711`), never its position. `readOnly` is a request that only reads, though its method is a writing one (list it in the
 * plugin's `readOnly` too). `unnamed` is known by its method, URL and body, which must then come out the same on every attempt.
 */
export type WriteOptions = RequestOptions &
  (
    | { name: string; readOnly?: never; unnamed?: never }
    | { readOnly: true; name?: never; unnamed?: never }
    | { unnamed: true; name?: never; readOnly?: never }
  );

/** An answer to come: `await` it, or go on at once: `await http.get(url).orFail().json(Invoice)`. */
export interface Answer extends Promise<Response> {
  /** As {@link Response.orFail}. */
  orFail(judge?: Judge): Answer;
  /** As {@link Response.json}. */
  json(): Promise<unknown>;
  json<S extends AnySchema>(schema: S): Promise<Infer<S>>;
  /** As {@link Response.text}. */
  text(): Promise<string>;
}

/** The requests of an action. The host attaches credential and idempotency key, and follows no redirect. */
export interface Http {
  /** A read: live on every attempt. */
  get(url: string, options?: RequestOptions): Answer;
  head(url: string, options?: RequestOptions): Answer;
  post(url: string, options: WriteOptions): Answer;
  put(url: string, options: WriteOptions): Answer;
  patch(url: string, options: WriteOptions): Answer;
  delete(url: string, options: WriteOptions): Answer;
  /** Any method, in upper case. */
  request(method: string, url: string, options: WriteOptions): Answer;
  /**
   * The idempotency key of the write of that name, before it is sent: a UUID, for systems that want it in the URL or the body. Others get it
   * as the header `Idempotency-Key` without asking.
   */
  key(name: string): string;
}

/** The requests of a stream, which may only read. */
export interface ReadOnlyHttp {
  get(url: string, options?: RequestOptions): Answer;
  head(url: string, options?: RequestOptions): Answer;
  /** A POST that only reads, such as a search. The administrator has to agree: list it in the plugin's `readOnly`. */
  post(url: string, options?: RequestOptions): Answer;
}

type Any = RequestOptions & { name?: string | undefined; readOnly?: boolean | undefined; unnamed?: boolean | undefined };

/** For actions. */
export const http: Http = {
  get: (url, options = {}) => send("GET", url, options),
  head: (url, options = {}) => send("HEAD", url, options),
  post: (url, options) => write("POST", url, options),
  put: (url, options) => write("PUT", url, options),
  patch: (url, options) => write("PATCH", url, options),
  delete: (url, options) => write("DELETE", url, options),
  request: (method, url, options) => write(method, url, options),
  key: (name) => host().http.key(name.toWellFormed()),
};

/** For streams. */
export const readOnlyHttp: ReadOnlyHttp = {
  get: http.get,
  head: http.head,
  post: (url, options = {}) => send("POST", url, { ...options, readOnly: true }),
};

function write(method: string, url: string, options: Any | undefined): Answer {
  const known = options?.name !== undefined || options?.readOnly === true || options?.unnamed === true;
  if (!known && !/^(GET|HEAD|OPTIONS)$/.test(method)) {
    // The type checker says so too; this is for those who write JavaScript.
    const words = `${method} ${withoutQuery(url)} has no name: give the write one ({ name: "…" }), or say { readOnly: true } or { unnamed: true }`;
    return answer(Promise.reject(Failure.rejected(words)));
  }
  return send(method, url, options ?? {});
}

function send(method: string, url: string, options: Any): Answer {
  return answer(new Promise((resolve) => resolve(exchange(method, url, options))));
}

function exchange(method: string, url: string, options: Any): Response {
  const { body, type } = bodyOf(options);
  const headers = Object.entries(options.headers ?? {}).filter(([, value]) => value !== undefined) as [string, string | Uint8Array][];
  if (type !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["content-type", type]);
  }
  return call({
    method,
    url: withQuery(url, options.query).toWellFormed(),
    headers: headers.map(([name, value]) => [name, typeof value === "string" ? encodeText(value) : value]),
    body,
    timeoutMs: options.timeout === undefined ? undefined : milliseconds(options.timeout),
    name: options.name?.toWellFormed(),
    readOnly: options.readOnly === true,
  });
}

/** Sends a request as the contract has it. Throws a `Failure` where there is no answer. */
export function call(request: Parameters<ReturnType<typeof host>["http"]["send"]>[0]): Response {
  const to = `${request.method} ${withoutQuery(request.url)}`;
  let wire;
  try {
    wire = host().http.send(request);
  } catch (error) {
    throw unanswered(to, thrown(error), error);
  }
  return new Response(wire, to);
}

function unanswered(to: string, { tag, val }: WireError, cause: unknown): Failure {
  const details = { http: tag };
  switch (tag) {
    case "denied":
      return Failure.rejected(`${to} is not allowed: ${val}`, { details });
    case "invalid-request":
      return Failure.rejected(`${to} is no valid request: ${val}`, { details });
    case "name-used":
      return Failure.rejected(`${to}: this step has already written \`${val}\`; each write needs its own name`, { details });
    case "too-many-calls":
      return Failure.rejected(`${to} would be more than the ${val} requests of one call (\`http-calls\`)`, { details });
    case "timeout":
      return Failure.retry(`${to} was not answered in time: ${val}`, { details });
    case "connection":
      return Failure.retry(`${to} failed: ${val}`, { details });
    case "response-too-large":
      return Failure.retry(`${to} was answered with more than ${val} bytes (\`response-size\`)`, { details });
    case "unavailable":
    case "other":
      return Failure.retry(`${to} was not sent: ${val}`, { details });
    default:
      return Failure.retry(`${to} failed as \`${tag}\``, { cause });
  }
}

function bodyOf({ json, form, text, body }: RequestOptions): { body: Uint8Array; type?: string } {
  if ([json, form, text, body].filter((given) => given !== undefined).length > 1) {
    throw new TypeError("a request has one body: give one of `json`, `form`, `text` and `body`");
  }
  if (json !== undefined) {
    return { body: encodeText(stringify(json)), type: "application/json" };
  }
  if (form !== undefined) {
    return { body: encodeText(pairs(form)), type: "application/x-www-form-urlencoded" };
  }
  if (text !== undefined) {
    return { body: encodeText(text), type: "text/plain; charset=utf-8" };
  }
  return { body: body ?? new Uint8Array(0) };
}

function withQuery(url: string, query: Pairs | undefined): string {
  const added = query === undefined ? "" : pairs(query);
  return added === "" ? url : `${url}${url.includes("?") ? "&" : "?"}${added}`;
}

function pairs(values: Pairs): string {
  const list = Array.isArray(values) ? values : Object.entries(values).filter(([, value]) => value !== undefined);
  return list.map(([name, value]) => `${encode(name)}=${encode(String(value))}`).join("&");
}

function answer(promise: Promise<Response>): Answer {
  return Object.assign(promise, {
    orFail: (judge?: Judge) => answer(promise.then((response) => response.orFail(judge))),
    json: (schema?: AnySchema) => promise.then((response) => (schema === undefined ? response.json() : response.json(schema))),
    text: () => promise.then((response) => response.text()),
  }) as Answer;
}
