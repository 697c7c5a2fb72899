// A JSON schema as people read it: members with their kinds, what they are for, and which must be there.
import { html } from "../preact.js";
import { list, t } from "../i18n.js";
import { plain } from "../text.js";
import { DEEPEST, resolved } from "./json-schema.js";
import { JsonView } from "./json-view.js";
import { Text } from "./text.js";

/** The kind of a value in a few words: `string (date-time)`, `array of string`, `"a" or "b"`. */
function kindOf(schema, root) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return list(schema.enum.map((one) => JSON.stringify(one)));
  const variants = schema.oneOf ?? schema.anyOf;
  if (!schema.type && variants) return list(variants.map((one) => kindOf(resolved(one, root), root)));
  const kinds = [schema.type ?? (schema.properties ? "object" : "any")].flat();
  const named = kinds.map((kind) => (kind === "array" && schema.items ? t("plugins.array-of", { kind: kindOf(resolved(schema.items, root), root) }) : kind));
  return `${named.join(" | ")}${schema.format ? ` (${schema.format})` : ""}`;
}

function Members({ schema, root, depth }) {
  const whole = resolved(schema, root);
  const inside = whole.properties ? whole : resolved(whole.items, root);
  const members = Object.entries(inside.properties ?? {});
  if (members.length === 0 || depth > DEEPEST) return null;
  return html`<ul class="schema">${members.map(([name, member]) => {
    const one = resolved(member, root);
    return html`<li key=${name}><div><code>${plain(name)}</code> <span class="faint small">${plain(kindOf(one, root))}</span>
      ${inside.required?.includes(name) && html` <span class="small schema-required">${t("plugins.required")}</span>`}
      ${one.default !== undefined && html` <span class="faint small">${t("plugins.default", { value: plain(JSON.stringify(one.default)) })}</span>`}</div>
      ${one.description && html`<p class="small"><${Text} value=${one.description} lines /></p>`}
      <${Members} schema=${one} root=${root} depth=${depth + 1} /></li>`;
  })}</ul>`;
}

/** `schema`: JSON Schema; `label`: what it describes. */
export function Schema({ schema, label }) {
  if (!schema) return html`<p class="faint small">${t("plugins.no-schema")}</p>`;
  const whole = resolved(schema, schema);
  const hasMembers = Object.keys(whole.properties ?? resolved(whole.items, schema).properties ?? {}).length > 0;
  return html`<div class="stack schema-whole">
    ${whole.description && html`<p class="small"><${Text} value=${whole.description} lines /></p>`}
    ${hasMembers ? html`<${Members} schema=${schema} root=${schema} depth=${0} />` : html`<p class="small"><code>${plain(kindOf(whole, schema))}</code></p>`}
    <details class="small"><summary>${t("plugins.as-schema")}</summary><${JsonView} value=${schema} label=${label} /></details>
  </div>`;
}
