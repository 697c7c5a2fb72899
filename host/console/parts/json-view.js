// JSON, to be opened and closed, searched and copied. Strings in it are text of others.
import { html, useMemo, useState } from "../preact.js";
import { t } from "../i18n.js";
import { Copy } from "./code.js";
import { Icon } from "./icon.js";
import { useScrollable } from "./scrollable.js";
import { Text } from "./text.js";

/** Members that are drawn at once; more on request. */
const CHUNK = 100;
const isTree = (value) => value !== null && typeof value === "object";
const entries = (value) => (Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value));

/** Whether a value or a name in it holds `text`. Small letters only. */
function holds(value, text) {
  if (isTree(value)) return entries(value).some(([name, one]) => String(name).toLowerCase().includes(text) || holds(one, text));
  return String(value).toLowerCase().includes(text);
}

function Leaf({ value, found }) {
  const kind = value === null ? "null" : typeof value;
  const shown = kind === "string" ? html`"<${Text} value=${value} lines />"` : String(value);
  return html`<span class=${`json-${kind}`}>${found ? html`<mark>${shown}</mark>` : shown}</span>`;
}

function Name({ name, found }) {
  return html`<span class="json-name">${found ? html`<mark><${Text} value=${String(name)} /></mark>` : html`<${Text} value=${String(name)} />`}: </span>`;
}

function Node({ name, value, depth, search }) {
  const [open, setOpen] = useState(depth > 0);
  const [most, setMost] = useState(CHUNK);
  const named = name !== undefined;
  const nameFound = Boolean(search) && named && String(name).toLowerCase().includes(search);
  if (!isTree(value)) {
    return html`<div class="json-row">${named && html`<${Name} name=${name} found=${nameFound} />`}
      <${Leaf} value=${value} found=${Boolean(search) && String(value).toLowerCase().includes(search)} /></div>`;
  }
  const inside = entries(value);
  const [before, after] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (inside.length === 0) return html`<div class="json-row">${named && html`<${Name} name=${name} found=${nameFound} />`}${before}${after}</div>`;
  const shown = open || (Boolean(search) && holds(value, search));
  return html`<div class="json-node">
    <button type="button" class="json-toggle" aria-expanded=${shown ? "true" : "false"} onClick=${() => setOpen(!open)}>
      <${Icon} name=${shown ? "down" : "right"} size="12" />${named && html`<${Name} name=${name} found=${nameFound} />`}<span>${before}</span>
      ${!shown && html`<span class="faint"> ${t("common.members", { n: inside.length })} ${after}</span>`}
    </button>
    ${shown && html`<div class="json-inside">
      ${inside.slice(0, most).map(([key, one]) => html`<${Node} key=${key} name=${Array.isArray(value) ? undefined : key} value=${one} depth=${depth - 1} search=${search} />`)}
      ${inside.length > most && html`<button type="button" class="button quiet small" onClick=${() => setMost(most + CHUNK)}>${t("common.members-more", { n: inside.length - most })}</button>`}
    </div><div class="json-end">${after}</div>`}
  </div>`;
}

/** `value`: anything JSON. `open`: how many levels are open at first. `label` is read. */
export function JsonView({ value, label, open = 2 }) {
  const [search, setSearch] = useState("");
  const tree = useScrollable();
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "null", [value]);
  const small = search.trim().toLowerCase();
  return html`<div class="json">
    <div class="json-tools">
      ${text.length > 400 && html`<input type="search" aria-label=${t("common.search-in", { what: label ?? "JSON" })} placeholder=${t("common.search")} value=${search}
        onInput=${(event) => setSearch(event.target.value)} />`}
      ${small && !holds(value, small) && html`<span role="status">${t("common.not-in-it")}</span>`}
      <${Copy} text=${text} label=${t("common.copy-what", { what: label ?? "JSON" })} />
    </div>
    <div class="json-tree" ref=${tree} role="group" aria-label=${label ?? "JSON"}><${Node} value=${value} depth=${open} search=${small} /></div>
  </div>`;
}
