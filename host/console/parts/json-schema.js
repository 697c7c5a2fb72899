// JSON schemas, as both those who read them and those who make samples of them take them.

/** Deeper than this nobody looks into one. */
export const DEEPEST = 6;
/** References that lead to references. */
const MOST_HOPS = 8;

/** What a schema says once its references within the document (`root`) are followed. */
export function resolved(schema, root) {
  let found = schema;
  for (let hops = 0; found?.$ref?.startsWith("#/") && hops < MOST_HOPS; hops += 1) {
    found = found.$ref.slice(2).split("/").reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], root);
  }
  return found ?? {};
}
