/**
 * The host's functions, as the contract has them. In a component they are its imports, in a test a scripted stand-in;
 * the rest of the SDK knows only this table.
 */

/** A request as it crosses the boundary. */
export interface WireRequest {
  method: string;
  url: string;
  headers: [string, Uint8Array][];
  body: Uint8Array;
  timeoutMs: number | undefined;
  name: string | undefined;
  readOnly: boolean;
}

/** An answer as it crosses the boundary. */
export interface WireResponse {
  status: number;
  headers: [string, Uint8Array][];
  body: Uint8Array;
}

/** A case of an error variant of the contract. Host functions throw an `Error` whose `payload` is one. */
export interface WireError {
  tag: string;
  val?: unknown;
}

/** How much a line of the log matters. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** A page of keys. */
export interface WireKeys {
  keys: string[];
  nextCursor?: string | null | undefined;
}

/** What a plugin may call. */
export interface Host {
  http: {
    send(request: WireRequest): WireResponse;
    key(name: string): string;
  };
  keyValue: {
    get(key: string): Uint8Array | null | undefined;
    set(key: string, value: Uint8Array): void;
    delete(key: string): void;
    increment(key: string, delta: number): number;
    compareAndSwap(key: string, expected: Uint8Array | undefined, value: Uint8Array): boolean;
    list(prefix: string, cursor: string | undefined, limit: number): WireKeys;
  };
  log(level: Level, message: string, fields: [string, string][]): void;
}

let present: Host | undefined;

/** The host of the call that runs now. */
export function host(): Host {
  if (present === undefined) {
    throw new Error("there is no host here: actions run in a component, or in a test through `Host` of @sangam/sdk/testing");
  }
  return present;
}

/** Puts another host in place and gives the one before. */
export function useHost(next: Host | undefined): Host | undefined {
  const before = present;
  present = next;
  return before;
}

/** The case of the contract's error that a host function threw. */
export function thrown(error: unknown): WireError {
  const payload = (error as { payload?: unknown } | null)?.payload;
  if (typeof payload === "object" && payload !== null && "tag" in payload) {
    return payload as WireError;
  }
  throw error;
}
