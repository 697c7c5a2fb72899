/** JSON from outside becomes typed values; what does not fit is refused with the path of the field. */

import { ExactNumber, plain } from "./exact.ts";
import { Failure } from "./failure.ts";
import { type AnySchema, type Infer, type JsonSchema, type Schema, isOwn, mayBeLeftOut } from "./schema.ts";

/**
 * The value as the schema says: defaults put in, numbers as the schema wants them. `what` is how a failure calls it
 * (`input`, `configuration`). Throws `rejected`.
 */
export async function check<S extends AnySchema>(schema: S, value: unknown, what: string): Promise<Infer<S>> {
  if (isOwn(schema)) {
    return fit(schema, value, what) as Infer<S>;
  }
  const outcome = await schema["~standard"].validate(plain(value));
  if (outcome.issues !== undefined) {
    const [first] = outcome.issues;
    const steps = (first?.path ?? []).map((step) => (typeof step === "object" ? step.key : step));
    throw misfit(what, steps.map((step) => (typeof step === "number" ? `[${step}]` : member(String(step)))).join(""), first?.message ?? "does not fit");
  }
  return outcome.value as Infer<S>;
}

/** The same for one of the SDK's own schemas, at once. */
export function fit<T>(schema: Schema<T>, value: unknown, what: string): T {
  const problems: Problem[] = [];
  const fitted = walk(schema, value, "", problems);
  const [first] = problems;
  if (first !== undefined) {
    throw misfit(what, first.path, first.message);
  }
  return fitted as T;
}

interface Problem {
  path: string;
  message: string;
}

function misfit(what: string, path: string, message: string): Failure {
  return Failure.rejected(`${what}${path}: ${message}`, { details: { path } });
}

function member(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function walk(schema: Schema<unknown>, value: unknown, path: string, problems: Problem[]): unknown {
  const { inner, json } = schema;
  const say = (message: string): unknown => {
    problems.push({ path, message });
    return value;
  };
  if (inner?.kind === "union") {
    return union(inner.options, value, path, problems);
  }
  if (value instanceof ExactNumber || typeof value === "number" || typeof value === "bigint") {
    return numeric(schema, value, say);
  }
  const wanted = json["type"];
  if (typeof wanted === "string" && wanted !== typeOf(value)) {
    return say(`${shown(value)}, expected ${article(wanted)}`);
  }
  const complaint = rules(json, value);
  if (complaint !== undefined) {
    return say(complaint);
  }
  switch (inner?.kind) {
    case "object":
      return object(inner.properties, inner.open, value as Record<string, unknown>, path, problems);
    case "array":
      return (value as unknown[]).map((item, index) => walk(inner.item, item, `${path}[${index}]`, problems));
    case "record":
      return Object.fromEntries(
        Object.entries(value as object).map(([name, item]) => [name, walk(inner.value, item, path + member(name), problems)]),
      );
    default:
      return value;
  }
}

function object(properties: Record<string, Schema<unknown>>, open: boolean, value: Record<string, unknown>, path: string, problems: Problem[]): unknown {
  const fitted: Record<string, unknown> = {};
  for (const name of Object.keys(properties)) {
    const property = properties[name] as Schema<unknown>;
    if (value[name] !== undefined) {
      fitted[name] = walk(property, value[name], path + member(name), problems);
    } else if ("default" in property.json) {
      fitted[name] = structuredCopy(property.json["default"]);
    } else if (!mayBeLeftOut(property)) {
      problems.push({ path, message: `\`${name}\` is missing` });
    }
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(properties, name)) {
      continue;
    }
    if (open) {
      fitted[name] = value[name];
    } else if (value[name] !== undefined) {
      problems.push({ path: path + member(name), message: `there is no such property; there are ${Object.keys(properties).map((known) => `\`${known}\``).join(", ") || "none"}` });
    }
  }
  return fitted;
}

/** A default belongs to the schema, and is not for the action to change. */
function structuredCopy(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value;
}

function union(options: readonly Schema<unknown>[], value: unknown, path: string, problems: Problem[]): unknown {
  let nearest: Problem[] | undefined;
  for (const option of options) {
    const found: Problem[] = [];
    const fitted = walk(option, value, path, found);
    if (found.length === 0) {
      return fitted;
    }
    // The option that got deepest is the one that was meant.
    if (nearest === undefined || (found[0] as Problem).path.length > (nearest[0] as Problem).path.length) {
      nearest = found;
    }
  }
  problems.push(...(nearest ?? [{ path, message: "nothing fits" }]));
  return value;
}

function numeric(schema: Schema<unknown>, value: ExactNumber | number | bigint, say: (message: string) => unknown): unknown {
  const { json, exact } = schema;
  const wanted = json["type"];
  const text = value instanceof ExactNumber ? value.text : String(value);
  if (wanted === undefined) {
    const complaint = rules(json, value);
    return complaint === undefined ? value : say(complaint);
  }
  if (wanted !== "number" && wanted !== "integer") {
    return say(`${text} is a number, expected ${article(String(wanted))}`);
  }
  const near = Number(text);
  if (wanted === "integer" && !Number.isInteger(near)) {
    return say(`${text} is no whole number`);
  }
  const complaint = rules(json, near);
  if (complaint !== undefined) {
    return say(complaint);
  }
  if (exact === "bigint") {
    return /^-?\d+$/.test(text) ? BigInt(text) : BigInt(near);
  }
  if (exact === "exact") {
    return value instanceof ExactNumber ? value : new ExactNumber(text);
  }
  if (wanted === "integer" && !Number.isSafeInteger(near)) {
    return say(`${text} is too large for a JavaScript number; declare it as \`s.bigint()\``);
  }
  return near;
}

/** What the keywords of a schema say against a value, if anything. */
function rules(json: JsonSchema, value: unknown): string | undefined {
  const limit = (keyword: string): number | undefined => (typeof json[keyword] === "number" ? (json[keyword] as number) : undefined);
  if ("const" in json && json["const"] !== value) {
    return `${shown(value)}, expected ${JSON.stringify(json["const"])}`;
  }
  if (Array.isArray(json["enum"]) && !json["enum"].includes(value)) {
    return `${shown(value)}, expected one of ${json["enum"].map((one) => JSON.stringify(one)).join(", ")}`;
  }
  if (typeof value === "number") {
    const bounds: [string, (bound: number) => boolean, string][] = [
      ["minimum", (bound) => value < bound, "at least"],
      ["maximum", (bound) => value > bound, "at most"],
      ["exclusiveMinimum", (bound) => value <= bound, "more than"],
      ["exclusiveMaximum", (bound) => value >= bound, "less than"],
    ];
    for (const [keyword, broken, words] of bounds) {
      const bound = limit(keyword);
      if (bound !== undefined && broken(bound)) {
        return `${value}, expected ${words} ${bound}`;
      }
    }
    const step = limit("multipleOf");
    return step !== undefined && !Number.isInteger(value / step) ? `${value}, expected a multiple of ${step}` : undefined;
  }
  if (typeof value === "string") {
    const pattern = json["pattern"];
    if (typeof pattern === "string" && !new RegExp(pattern, "u").test(value)) {
      return `${shown(value)}, expected to match /${pattern}/`;
    }
    return size([...value].length, limit("minLength"), limit("maxLength"), "character");
  }
  return Array.isArray(value) ? size(value.length, limit("minItems"), limit("maxItems"), "item") : undefined;
}

function size(length: number, least: number | undefined, most: number | undefined, unit: string): string | undefined {
  const units = (count: number): string => `${count} ${unit}${count === 1 ? "" : "s"}`;
  if (least !== undefined && length < least) {
    return `${units(length)}, expected at least ${least}`;
  }
  return most !== undefined && length > most ? `${units(length)}, expected at most ${most}` : undefined;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function article(type: string): string {
  return type === "null" ? "null" : type === "integer" ? "a whole number" : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function shown(value: unknown): string {
  if (typeof value === "string") {
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} is a string`;
  }
  return typeof value === "object" && value !== null ? `this is ${article(typeOf(value))}` : `${String(value)} is ${article(typeOf(value))}`;
}
