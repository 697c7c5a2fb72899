/** The input of an action that undoes another: what the other was given, what it returned and what it wrote. */

import { type AnySchema, type Infer, type JsonSchema, type Schema, jsonSchema, s } from "./schema.ts";
import { check, fit } from "./check.ts";

/** One write of a step. */
export interface Effect {
  /** The name it was given. */
  name?: string | null | undefined;
  /** Its idempotency key. */
  key?: string | null | undefined;
  /**
   * What is known of it: `intent` (recorded, and perhaps sent), `done`, `failed` (refused, and did nothing), `in-doubt` (without a complete
   * answer: perhaps it was done).
   */
  state: "intent" | "done" | "failed" | "in-doubt";
  /** What was sent: `{method, url, headers, body}`; null where it was too large to be kept. */
  request?: unknown;
  /** What was answered: `{status, headers, body}`; null where nothing was. */
  response?: unknown;
}

/** What is undone. */
export interface Undo<I, O> {
  /** The input of the step. */
  readonly input: I;
  /** Its output; null where it failed. Then writes may have been done all the same: see `effects`. */
  readonly output: O | null;
  /** Its writes, in the order they were sent. */
  readonly effects: readonly Effect[];
  /** The last write of that name, if it was sent. */
  effect(name: string): Effect | undefined;
  /** The same, unless it was refused and so did nothing. */
  maybeDone(name: string): Effect | undefined;
}

const text = s.nullable(s.string());
const Effects = s.array(
  s.object(
    {
      name: s.optional(text),
      key: s.optional(text),
      state: s.enum(["intent", "done", "failed", "in-doubt"]),
      request: s.optional(s.unknown()),
      response: s.optional(s.unknown()),
    },
    { open: true },
  ),
);
const Given = s.object({ input: s.unknown(), output: s.optional(s.unknown()), effects: s.optional(Effects) }, { open: true });

/** The JSON Schema of the undo of an action with that input and output. */
export function undoSchema(input: AnySchema, output: AnySchema): JsonSchema {
  return {
    type: "object",
    properties: { input: jsonSchema(input, "input"), output: { anyOf: [jsonSchema(output, "output"), { type: "null" }] }, effects: Effects.json },
    required: ["input"],
  };
}

/** The undo that JSON tells of. */
export async function readUndo<I extends AnySchema, O extends AnySchema>(value: unknown, input: I, output: O): Promise<Undo<Infer<I>, Infer<O>>> {
  const given = fit(Given as Schema<{ input: unknown; output?: unknown; effects?: Effect[] }>, value, "input");
  const effects = given.effects ?? [];
  const effect = (name: string): Effect | undefined => effects.filter((one) => one.name === name).at(-1);
  return {
    input: await check(input, given.input, "input.input"),
    output: given.output == null ? null : await check(output, given.output, "input.output"),
    effects,
    effect,
    maybeDone: (name) => {
      const found = effect(name);
      return found?.state === "failed" ? undefined : found;
    },
  };
}
