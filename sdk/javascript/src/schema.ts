/**
 * Schemas: what a value looks like, once for the host (JSON Schema) and once for the type checker.
 *
 * ```ts
 * const Invoice = s.object({ customer: s.string({ description: "The customer's id." }), lines: s.array(Line) });
 * type Invoice = Infer<typeof Invoice>;
 * ```
 *
 * Wherever the SDK takes a schema it also takes one of zod (from 4.2 on), or of any library with Standard JSON Schema.
 */

import type { ExactNumber } from "./exact.ts";

/** A JSON Schema (draft 2020-12) as plain data. */
export type JsonSchema = { [keyword: string]: unknown };

declare const TYPE: unique symbol;

/** A schema of values of type `T`. `O` says whether a property of it may be left out. */
export interface Schema<T, O extends boolean = boolean> {
  readonly json: JsonSchema;
  readonly optional: O;
  /** How a number that matches is given to the author: as a number, or with all its digits. */
  readonly exact?: "bigint" | "exact" | undefined;
  /** Of an object, array, record or union: the schemas inside. */
  readonly inner?: Inner | undefined;
  readonly [TYPE]?: T;
}

/** What a schema is made of. */
export type Inner =
  | { kind: "object"; properties: Record<string, Schema<unknown>>; open: boolean }
  | { kind: "array"; item: Schema<unknown> }
  | { kind: "record"; value: Schema<unknown> }
  | { kind: "union"; options: readonly Schema<unknown>[] };

/** A schema of another library: Standard Schema with Standard JSON Schema, such as zod 4.2. */
export interface StandardSchema<I = unknown, O = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<O> | Promise<StandardResult<O>>;
    readonly types?: { readonly input: I; readonly output: O } | undefined;
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
      readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
  };
}

type StandardResult<O> =
  | { readonly value: O; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string; readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined }> };

/** Any schema that the SDK takes. */
export type AnySchema = Schema<unknown> | StandardSchema;

/** The type of the values of a schema. */
export type Infer<S> =
  S extends Schema<infer T> ? T : S extends StandardSchema<unknown, infer O> ? O : never;

/** The type of the values that a schema takes, before defaults. */
export type InferInput<S> = S extends StandardSchema<infer I> ? I : Infer<S>;

/** What can be said of any value. */
export interface Annotations<T> {
  title?: string;
  /** Shown to administrators, and by editors of `with`. */
  description?: string;
  /** Makes the property one that may be left out; the action is then given this. */
  default?: T;
  examples?: T[];
  /** Personal data: the host hides, exports and erases it wherever it turns up. */
  personal?: boolean;
  /** Identifies the person whom the data are about. */
  subject?: boolean;
}

/** Of texts. */
export interface TextRules {
  minLength?: number;
  maxLength?: number;
  /** A regular expression (ECMA-262), anywhere in the text. */
  pattern?: string;
  /** Such as `date`, `date-time`, `email`, `uri`: for people; the host doesn't check it. */
  format?: string;
}

/** Of numbers. */
export interface NumberRules {
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
}

type Props = Record<string, Schema<unknown>>;
type Need<P extends Props> = { [K in keyof P]: P[K] extends Schema<unknown, true> ? never : K }[keyof P];
type May<P extends Props> = Exclude<keyof P, Need<P>>;
/** Written so that editors show the properties, and not how they came about. */
type ObjectOf<P extends Props> = { [K in Need<P>]: Infer<P[K]> } & { [K in May<P>]?: Infer<P[K]> | undefined } extends infer T ? { [K in keyof T]: T[K] } : never;

function make<T, O extends boolean = false>(json: JsonSchema, annotations: object = {}, more: Partial<Schema<T>> = {}): Schema<T, O> {
  const { personal, subject, ...rest } = annotations as Annotations<T>;
  const marks = { ...(personal ? { "x-personal": true } : {}), ...(subject ? { "x-subject": true } : {}) };
  return { json: { ...json, ...rest, ...marks }, optional: false as O, ...more } as Schema<T, O>;
}

/** Makes schemas. */
export const s = {
  string: (rules: TextRules & Annotations<string> = {}): Schema<string, false> => make({ type: "string" }, rules),

  /** Any number, as the nearest JavaScript number. */
  number: (rules: NumberRules & Annotations<number> = {}): Schema<number, false> => make({ type: "number" }, rules),

  /** A whole number. One that a JavaScript number can't hold (above 2^53) is refused; take `bigint` where they occur. */
  integer: (rules: NumberRules & Annotations<number> = {}): Schema<number, false> => make({ type: "integer" }, rules),

  /** A whole number of any size. */
  bigint: (rules: Annotations<never> = {}): Schema<bigint, false> => make({ type: "integer" }, rules, { exact: "bigint" }),

  /** A number with all its digits, such as `10.10`; never compute money in floating point. */
  exact: (rules: Annotations<never> = {}): Schema<ExactNumber, false> => make({ type: "number" }, rules, { exact: "exact" }),

  boolean: (rules: Annotations<boolean> = {}): Schema<boolean, false> => make({ type: "boolean" }, rules),

  null: (rules: Annotations<null> = {}): Schema<null, false> => make({ type: "null" }, rules),

  /** Exactly this value. */
  literal: <const T extends string | number | boolean>(value: T, rules: Annotations<T> = {}): Schema<T, false> => make({ const: value }, rules),

  /** One of these texts. */
  enum: <const T extends readonly string[]>(values: T, rules: Annotations<T[number]> = {}): Schema<T[number], false> =>
    make({ type: "string", enum: [...values] }, rules),

  array: <T>(item: Schema<T>, rules: { minItems?: number; maxItems?: number } & Annotations<T[]> = {}): Schema<T[], false> =>
    make({ type: "array", items: item.json }, rules, { inner: { kind: "array", item } }),

  /** An object with any names. */
  record: <T>(value: Schema<T>, rules: Annotations<Record<string, T>> = {}): Schema<Record<string, T>, false> =>
    make({ type: "object", additionalProperties: value.json }, rules, { inner: { kind: "record", value } }),

  /** An object with these properties. Others are refused, so that a misspelt one is found before an event comes; `open` lets them pass. */
  object: <P extends Props>(properties: P, rules: { open?: boolean } & Annotations<ObjectOf<P>> = {}): Schema<ObjectOf<P>, false> => {
    const { open = false, ...annotations } = rules;
    const names = Object.keys(properties);
    const required = names.filter((name) => !mayBeLeftOut(properties[name] as Schema<unknown>));
    const json: JsonSchema = {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, (properties[name] as Schema<unknown>).json])),
      ...(required.length > 0 ? { required } : {}),
      ...(open ? {} : { additionalProperties: false }),
    };
    return make(json, annotations, { inner: { kind: "object", properties, open } });
  },

  /** A property that may be left out. */
  optional: <T>(schema: Schema<T>): Schema<T, true> => ({ ...schema, optional: true }),

  /** The value or null. */
  nullable: <T>(schema: Schema<T>, rules: Annotations<T | null> = {}): Schema<T | null, false> => s.union([schema, s.null()], rules) as Schema<T | null, false>,

  /** One of these. */
  union: <const S extends readonly Schema<unknown>[]>(options: S, rules: Annotations<Infer<S[number]>> = {}): Schema<Infer<S[number]>, false> =>
    make({ anyOf: options.map((option) => option.json) }, rules, { inner: { kind: "union", options } }),

  /** Anything. Numbers that a JavaScript number can't give back digit by digit are `ExactNumber`s. */
  unknown: (rules: Annotations<unknown> = {}): Schema<unknown, false> => make({}, rules),

  /** A JSON Schema of your own, and the type that you say it has. */
  of: <T>(json: JsonSchema): Schema<T, false> => make({ ...json }),
};

/** Whether a property of that schema may be left out. */
export function mayBeLeftOut(schema: Schema<unknown>): boolean {
  return schema.optional || "default" in schema.json;
}

/** Whether it is one of the SDK's own schemas. */
export function isOwn(schema: AnySchema): schema is Schema<unknown> {
  return !("~standard" in schema);
}

/** The JSON Schema of a schema, for the descriptor. */
export function jsonSchema(schema: AnySchema, side: "input" | "output"): JsonSchema {
  if (isOwn(schema)) {
    return schema.json;
  }
  const { jsonSchema: standard, vendor } = schema["~standard"];
  if (standard === undefined) {
    throw new TypeError(`a schema of ${vendor} without JSON Schema: take zod 4.2 or later, or the SDK's own \`s\``);
  }
  const { $schema: _, ...json } = standard[side]({ target: "draft-2020-12" });
  return json;
}
