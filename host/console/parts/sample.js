// Samples of events: made from what the host says of a type, so that a route can be tried before its first event has come.
import { DEEPEST, resolved } from "./json-schema.js";

const FORMATS = { "date-time": "2026-03-02T10:00:00Z", date: "2026-03-02", time: "10:00:00Z", email: "someone@example.com", uri: "https://example.com/1", "uri-reference": "/example", uuid: "00000000-0000-4000-8000-000000000001" };

/** Text that a schema takes, or nothing where it is of a shape that is not thought of here. */
function textOf({ format, minLength = 0, pattern }) {
  const shape = pattern && new RegExp(pattern, "u");
  return [FORMATS[format], "text".padEnd(minLength, "x"), "EUR", "1"].find((text) => text && (!shape || shape.test(text)));
}

/** A schema together with what its `allOf` adds to it. */
function together(schema, root, depth) {
  const one = resolved(schema, root);
  if (!one.allOf || depth > DEEPEST) return one;
  const parts = one.allOf.map((part) => together(part, root, depth + 1));
  return Object.assign({}, ...parts, one, { properties: Object.assign({}, ...parts.map((part) => part.properties), one.properties) });
}

/** A value that fits a JSON schema, as far as a sample needs it: examples and defaults first, else the least of its kind. */
export function sampleOf(schema, root = schema, depth = 0) {
  const one = together(schema, root, depth);
  if (one.const !== undefined) return one.const;
  if (one.examples?.length) return one.examples[0];
  if (one.default !== undefined) return one.default;
  if (one.enum) return one.enum[0];
  const variant = (one.oneOf ?? one.anyOf)?.find((choice) => resolved(choice, root).type !== "null");
  if (variant && !Object.keys(one.properties ?? {}).length) return sampleOf(variant, root, depth + 1);
  const kinds = [one.type ?? (Object.keys(one.properties ?? {}).length > 0 ? "object" : "null")].flat();
  const kind = kinds.find((name) => name !== "null") ?? "null";
  if (kind === "string") return textOf(one) ?? (kinds.includes("null") ? null : "text");
  if (kind === "integer" || kind === "number") return Math.max(one.minimum ?? 1, 1);
  if (kind === "boolean") return true;
  if (depth > DEEPEST) return kind === "array" ? [] : {};
  if (kind === "array") return one.items ? [sampleOf(one.items, root, depth + 1)] : [];
  if (kind === "object") return Object.fromEntries(Object.entries(one.properties ?? {}).map(([name, member]) => [name, sampleOf(member, root, depth + 1)]));
  return null;
}

/** Whether a pattern of a route, in which `*` stands for any run of characters, takes a type. */
export const takes = (pattern, type) => new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "u").test(type);

/** Events by type, as the AsyncAPI document of the host describes them: `[{ type, title, event }]`. */
export function catalogue(document) {
  const found = new Map();
  for (const message of Object.values(document?.components?.messages ?? {})) {
    const payload = message.payload?.schema ?? message.payload ?? {};
    const type = payload.properties?.type?.const ?? message.name;
    if (!type || found.has(type)) continue;
    const data = payload.properties?.data;
    found.set(type, { type, title: message.title ?? type, event: message.examples?.[0]?.payload ?? { type, source: "/sample", data: data ? sampleOf(data, document) : {} } });
  }
  return [...found.values()];
}
