/**
 * Write Sangam connectors in JavaScript and TypeScript: see README.md.
 *
 * In the order of a call: a plugin with actions and streams, schemas of what goes in and out, the context of a call, requests and their answers,
 * failures.
 */

export { definePlugin, Plugin } from "./plugin.ts";
export type { Action, ActionOptions, BatchOptions, PluginOptions, StreamOptions, UndoOptions } from "./plugin.ts";
export { s } from "./schema.ts";
export type { AnySchema, Infer, InferInput, JsonSchema, Schema, StandardSchema } from "./schema.ts";
export type { Context, SourceContext } from "./context.ts";
export type { BatchContext, Item, ItemContext } from "./batch.ts";
export type { CloudEvent, NewEvent } from "./event.ts";
export type { Effect, Undo } from "./undo.ts";
export type { Inbound, Page, Poll, Received } from "./stream.ts";
export type { Answer, Http, Pairs, ReadOnlyHttp, RequestOptions, WriteOptions } from "./http.ts";
export { http } from "./http.ts";
export { Response } from "./response.ts";
export type { Judge } from "./response.ts";
export { Failure } from "./failure.ts";
export type { Duration, FailureKind, FailureOptions } from "./failure.ts";
export { kv } from "./kv.ts";
export type { Keys, Kv } from "./kv.ts";
export { log } from "./log.ts";
export type { Fields, Log } from "./log.ts";
export { ExactNumber, parse as parseJson, stringify as stringifyJson } from "./exact.ts";
export { check } from "./check.ts";
export { encode } from "./url.ts";
export { sleep } from "./sleep.ts";
