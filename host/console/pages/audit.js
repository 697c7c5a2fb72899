// Audit: who did what to what, and from where. Every entry is signed and holds the hash of the one before it.
import { html, useEffect, useState } from "../preact.js";
import { useGet, useList } from "../api.js";
import { knows, t, time } from "../i18n.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { Button, Code, Empty, Icon, Input, LoadMore, Loading, Page, Problem, RelativeTime, Section, Select, Table } from "../parts/index.js";

/** What was refused is what somebody looks for first. */
const TELLING = { "login.refused": "warn", "access.refused": "warn", "delivery.refused": "warn", "canary.rolled-back": "warn" };

/** What was done, in words; by its name where these words are not known. */
const words = (action) => {
  const key = `audit.did-${action.replaceAll(".", "-")}`;
  return knows(key) ? t(key) : plain(action);
};

/** A time of the field, in the reader's zone, as the API takes it. */
const moment = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined);

export default function Audit({ query }) {
  const params = { actor: query.actor, action: query.action, object: query.object, since: moment(query.since), until: moment(query.until), limit: 100 };
  const list = useList("/v1/audit", "entries", params);
  return html`<${Page} title=${t("common.page-audit")} lead=${t("audit.lead")}>
    <${Filters} query=${query} />
    ${list.problem && html`<${Problem} problem=${list.problem} retry=${list.reload} />`}
    ${!list.first && !list.problem && html`<${Loading} />`}
    ${list.first && html`<${Table} cards="wide" caption=${t("common.page-audit")} columns=${columns()} rows=${list.items} rowKey=${(row) => row.seq} rowTone=${(row) => TELLING[row.action]}
      empty=${html`<${Empty} title=${t("audit.none")} icon="audit" />`} />
      ${list.items.length > 0 && html`<${LoadMore} list=${list} />`}
      <${Section} title=${t("audit.verify")}><p>${t("audit.verify-how")}</p><${Code} text=${"sangam audit verify\nsangam audit export > audit.ndjson"} label=${t("audit.verify")} /><//>`}
  <//>`;
}

function Filters({ query }) {
  const actions = useGet("/v1/audit/actions").data?.actions ?? [];
  const [actor, setActor] = useState(query.actor ?? "");
  const [object, setObject] = useState(query.object ?? "");
  useEffect(() => setActor(query.actor ?? ""), [query.actor]);
  useEffect(() => setObject(query.object ?? ""), [query.object]);
  const apply = (event) => {
    event.preventDefault();
    setQuery({ actor: actor.trim(), object: object.trim() });
  };
  // Until the host has said which there are, and of a link that names one that it does not know, the chosen one stands there alone.
  const choices = query.action && !actions.includes(query.action) ? [query.action, ...actions] : actions;
  const filtered = ["actor", "action", "object", "since", "until"].some((name) => query[name]);
  return html`<form class="filters" role="search" aria-label=${t("audit.filter")} onSubmit=${apply}>
    <${Input} label=${t("audit.actor")} value=${actor} onInput=${setActor} onBlur=${apply} />
    <${Select} label=${t("audit.action")} value=${query.action ?? ""} onChange=${(action) => setQuery({ action })}
      options=${[{ value: "", label: t("audit.any") }, ...choices.map((value) => ({ value, label: words(value) }))]} />
    <${Input} label=${t("audit.object")} value=${object} onInput=${setObject} onBlur=${apply} />
    <${Input} label=${t("audit.since")} type="datetime-local" value=${query.since ?? ""} onInput=${(since) => setQuery({ since })} />
    <${Input} label=${t("audit.until")} type="datetime-local" value=${query.until ?? ""} onInput=${(until) => setQuery({ until })} />
    <${Button} type="submit" icon="filter">${t("audit.apply")}<//>
    ${filtered && html`<${Button} kind="quiet" onClick=${() => setQuery({ actor: "", action: "", object: "", since: "", until: "" })}>${t("audit.all")}<//>`}
  </form>`;
}

/** An id of a machine's making is told by its beginning; the whole one is in the title, in the link and in the export. */
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const shortly = (text) => (ID.test(text) ? `${text.slice(0, 8)}…` : plain(text));

function Actor({ actor }) {
  const kind = knows(`audit.kind-${actor.kind}`) ? t(`audit.kind-${actor.kind}`) : plain(actor.kind);
  const name = actor.name || actor.id;
  return html`${name ? html`<a href=${`/audit?actor=${encodeURIComponent(name)}`} title=${plain(name)}>${shortly(name)}</a>` : html`<span class="faint">–</span>`}<div class="faint small nowrap">${kind}</div>`;
}

function Details({ details }) {
  const entries = Object.entries(details ?? {});
  if (entries.length === 0) return html`<span class="faint">–</span>`;
  return html`<span class="names">${entries.map(([name, value]) => html`<span key=${name} class="small"><span class="faint">${plain(name)}</span> <code class="digest">${plain(typeof value === "string" ? value : JSON.stringify(value))}</code></span>`)}</span>`;
}

function columns() {
  return [
    { key: "at", title: t("audit.at"), render: (row) => html`<span class="nowrap number" title=${`#${row.seq}`}>${time(row.at)}</span><div class="faint small"><${RelativeTime} at=${row.at} /></div>` },
    { key: "actor", title: t("audit.actor"), render: (row) => html`<${Actor} actor=${row.actor} />` },
    { key: "action", title: t("audit.action"), render: (row) => html`${TELLING[row.action] && html`<${Icon} name="warn" size="12" /> `}${words(row.action)}<div><code class="faint">${plain(row.action)}</code></div>` },
    { key: "object", title: t("audit.object"), render: (row) => (row.object ? html`<a href=${`/audit?object=${encodeURIComponent(row.object)}`} title=${plain(row.object)}><code>${shortly(row.object)}</code></a>` : "–") },
    { key: "details", title: t("audit.details"), narrow: false, render: (row) => html`<${Details} details=${row.details} />` },
    { key: "from", title: t("audit.from"), narrow: false, render: (row) => plain(row.from || "–") },
  ];
}
