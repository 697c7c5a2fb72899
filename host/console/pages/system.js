// System: the host and those beside it, room in the store and on the disk, limits, and the configurations that were applied.
import { html, useEffect, useState } from "../preact.js";
import { get, useGet, useList } from "../api.js";
import { bytes, duration, knows, number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Button, Code, Dialog, Icon, LoadMore, Loading, Page, Problem, RelativeTime, Section, Select, Status, Table, Tabs } from "../parts/index.js";
import { Facts, Names } from "../parts/facts.js";
import { useReload } from "../parts/reload.js";

/** Signs of life and room change without anything being told. */
const EVERY = 10_000;
/** Days before the end of a certificate from which on it is told. */
const CERTIFICATE_DAYS = 21;
const LIMITS = [
  ["max_event_size", bytes], ["max_backlog", number], ["max_waiting", number], ["max_intake_memory", bytes], ["max_connections", number], ["max_connections_per_address", number], ["max_wrong_tokens", number],
  ["max_wrong_tokens_overall", number], ["header_timeout_ms", duration], ["body_timeout_ms", duration], ["shutdown_grace_ms", duration], ["lease_ms", duration],
];

export default function System() {
  const [parts, setParts] = useState(false);
  const system = useGet("/v1/system", parts ? { parts: true } : {});
  const revisions = useList("/v1/revisions", "revisions", { limit: 20 });
  const both = () => Promise.all([system.reload(), revisions.reload()]);
  const { button, outcome } = useReload(both);
  useRefresh(["revision.applied"], both, 2_000);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && system.reload(), EVERY);
    return () => clearInterval(timer);
  }, [system.reload]);
  const { data, problem } = system;
  return html`<${Page} title=${t("common.page-system")} lead=${data && t("system.lead", { version: data.version, time: duration(data.uptime_ms) })} actions=${button}>
    ${outcome}
    ${problem && html`<${Problem} problem=${problem} retry=${system.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<div class="columns"><${This} of=${data} /><${Room} of=${data} /></div>
      <${Hosts} hosts=${data.hosts} />
      <${Revisions} list=${revisions} />
      <div class="columns"><${Store} store=${data.store} measure=${() => setParts(true)} /><${Limits} limits=${data.limits} /></div>`}
  <//>`;
}

function This({ of }) {
  const { host, certificate } = of;
  const days = certificate ? (Date.parse(certificate.ends_at) - Date.parse(of.at)) / 86_400_000 : null;
  return html`<${Section} title=${t("system.this-host")}><${Facts} facts=${[
    [t("system.version"), plain(of.version)], [t("system.contract"), plain(of.contract)],
    [t("system.id"), html`<code class="digest">${plain(host.id)}</code>`],
    [t("system.url"), html`<code class="digest">${plain(host.url ?? "–")}</code>`],
    [t("system.started"), html`<${RelativeTime} at=${host.started_at} full />`],
    [t("system.file"), host.config_file && html`<code>${plain(host.config_file)}</code>`],
    [t("system.access"), of.access === "open" ? html`<${Status} state="doubt" label=${t("system.access-open")} />` : t("system.access-tokens")],
    [t("system.login"), of.login ? plain(of.login.issuer) : t("system.no-login")],
    [t("system.key"), of.key && html`<code>${plain(of.key.id)}</code>`],
    [t("system.certificate"), certificate ? html`<span class="row"><${RelativeTime} at=${certificate.ends_at} full />${days < CERTIFICATE_DAYS && html`<${Status} state=${days < 0 ? "expired" : "expiring"} tone=${days < 0 ? "bad" : undefined} />`}</span>` : t("system.no-tls")],
  ]} /><//>`;
}

function Room({ of }) {
  const { disk, store } = of;
  const short = disk.free_bytes !== null && disk.free_bytes < 2 * disk.min_free_bytes;
  const keep = (ms) => (ms === null || ms === undefined ? t("system.for-ever") : duration(ms));
  return html`<${Section} title=${t("system.room")}><${Facts} facts=${[
    [t("system.store"), t(`system.store-${store.kind}`)],
    [t("system.store-size"), bytes(store.size_bytes)],
    [t("system.disk-free"), html`<span class="row">${bytes(disk.free_bytes)} ${short && html`<${Status} state="doubt" label=${t("system.disk-short")} />`}</span>`],
    [t("system.disk-least"), bytes(disk.min_free_bytes)],
    [t("system.retention"), keep(store.retention_ms)],
    [t("system.letters-retention"), keep(store.dead_letter_retention_ms)],
    [t("system.dedup"), keep(store.dedup_window_ms)],
    [t("system.oldest"), store.oldest_event_at && html`<${RelativeTime} at=${store.oldest_event_at} />`],
    [t("system.pruned"), store.last_pruned && html`<${RelativeTime} at=${store.last_pruned.at} /> · ${t("system.pruned-events", { n: store.last_pruned.events })}`],
  ]} /><//>`;
}

function Hosts({ hosts }) {
  return html`<${Section} title=${t("system.hosts")}><${Table} cards="narrow" caption=${t("system.hosts")} rows=${hosts} columns=${[
    { key: "id", title: t("system.host"), render: (row) => html`<code>${plain(row.id)}</code>${row.own && html` <span class="small">${t("system.own")}</span>`}` },
    { key: "state", title: t("system.state"), render: (row) => html`<${Status} state=${row.alive ? "alive" : "gone"} />` },
    { key: "seen", title: t("system.seen"), render: (row) => html`<${RelativeTime} at=${row.seen_at} />` },
    { key: "version", title: t("system.version"), render: (row) => plain(row.version) },
    { key: "revision", title: t("system.revision"), align: "end", render: (row) => number(row.revision) },
    { key: "cannot", title: t("system.cannot-serve"), narrow: false, render: (row) => (row.cannot_serve?.length > 0 ? html`<span class="bad-number">${t("system.cannot-serve-n", { n: row.cannot_serve.length })}</span>` : "–") },
    { key: "started", title: t("system.started"), narrow: false, render: (row) => html`<${RelativeTime} at=${row.started_at} />` },
  ]} /><//>`;
}

/** What a table of the store holds, in words; by its name where these words are not known. */
function partOf({ name }) {
  const key = `system.part-of-${name.replaceAll("_", "-")}`;
  return knows(key) ? t(key) : plain(name);
}

/** Parts of the store that are told at first: the largest. */
const MOST_PARTS = 12;

function Store({ store, measure }) {
  const [all, setAll] = useState(false);
  const parts = [...(store.parts ?? [])].sort((one, other) => other.size_bytes - one.size_bytes);
  const shown = all ? parts : parts.slice(0, MOST_PARTS);
  return html`<${Section} title=${t("system.parts")} actions=${!store.parts && html`<${Button} small onClick=${measure}>${t("system.measure")}<//>`}>
    ${!store.parts ? html`<p class="faint">${t("system.not-measured")}</p>` : html`<p class="faint small">${t("system.measured")} <${RelativeTime} at=${store.measured_at} /></p>
      <${Table} caption=${t("system.parts")} rows=${shown} sorted=${{ key: "size", down: true }} columns=${[
        { key: "name", title: t("system.part"), sort: partOf, render: (row) => html`<span title=${plain(row.name)}>${partOf(row)}</span>` },
        { key: "rows", title: t("system.rows"), align: "end", sort: (row) => row.rows, render: (row) => number(row.rows) },
        { key: "size", title: t("system.size"), align: "end", sort: (row) => row.size_bytes, render: (row) => bytes(row.size_bytes) },
      ]} />
      ${parts.length > shown.length && html`<div><${Button} kind="quiet" small onClick=${() => setAll(true)}>${t("system.all-parts", { n: parts.length })}<//></div>`}`}
  <//>`;
}

function Limits({ limits }) {
  return html`<${Section} title=${t("system.limits")}><p class="faint small">${t("system.limits-lead")}</p>
    <${Facts} facts=${LIMITS.filter(([name]) => limits[name] !== undefined).map(([name, format]) => [t(`system.limit-${name}`), format(limits[name])])} /><//>`;
}

function Revisions({ list }) {
  const [shown, setShown] = useState(null);
  const { items, problem } = list;
  return html`<${Section} title=${t("system.revisions")}>
    ${problem && html`<${Problem} problem=${problem} retry=${list.reload} />`}
    <${Table} cards="narrow" caption=${t("system.revisions")} rows=${items} rowKey=${(row) => row.number} columns=${[
      { key: "number", title: t("system.revision"), align: "end", render: (row) => html`${number(row.number)}` },
      { key: "state", title: t("system.state"), render: (row) => (row.present ? html`<${Status} state="active" label=${t("system.in-force")} />` : html`<span class="faint">${t("system.former")}</span>`) },
      { key: "at", title: t("system.applied"), render: (row) => html`<${RelativeTime} at=${row.applied_at} />` },
      { key: "by", title: t("system.by"), render: (row) => (row.by ? html`${plain(row.by.name || row.by.kind)} <span class="faint small">${knows(`audit.kind-${row.by.kind}`) ? t(`audit.kind-${row.by.kind}`) : plain(row.by.kind)}</span>` : "–") },
      { key: "hosts", title: t("system.on-hosts"), narrow: false, align: "end", render: (row) => number(row.hosts.length) },
      { key: "show", title: t("system.text"), render: (row) => html`<${Button} small label=${t("system.show-what", { n: row.number })} onClick=${() => setShown(row.number)}>${t("system.show")}<//>` },
    ]} />
    ${list.more && html`<${LoadMore} list=${list} />`}
    ${shown !== null && html`<${Revision} key=${shown} number_=${shown} others=${items.map((row) => row.number).filter((one) => one !== shown)} onClose=${() => setShown(null)} />`}
  <//>`;
}

/** A value of a configuration, as it stands in it. */
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function Revision({ number_: n, others, onClose }) {
  const before = others.find((one) => one < n) ?? others[0] ?? null;
  const [against, setAgainst] = useState(before);
  const [tab, setTab] = useState(before === null ? "text" : "changes");
  const revision = useGet(`/v1/revisions/${n}`, against === null ? {} : { against });
  const { data, problem } = revision;
  const changes = data?.difference?.changes ?? [];
  const tabs = [{ id: "text", title: t("system.text"), content: () => html`<${Code} text=${data.toml} label=${t("system.text")} from=${1} />` }];
  if (against !== null) {
    tabs.unshift({ id: "changes", title: t("system.changes"), content: () => html`<div class="stack">
      <div class="filters"><${Select} label=${t("system.against")} value=${String(against)} onChange=${(value) => setAgainst(Number(value))} options=${others.map((one) => ({ value: String(one), label: t("system.revision-n", { n: one }) }))} /></div>
      ${changes.length === 0 ? html`<p class="calm"><${Icon} name="ok" /> ${t("system.no-changes")}</p>` : html`<ul class="changes">${changes.map((change) => html`<li key=${change.path}><code>${plain(change.path)}</code>
        ${"then" in change && html`<del><span class="unseen">${t("system.was")} </span>${plain(written(change.then))}</del>`}
        ${"now" in change && html`<ins><span class="unseen">${t("system.is")} </span>${plain(written(change.now))}</ins>`}</li>`)}</ul>`}
      ${data.difference?.more_changes > 0 && html`<p>${t("system.more-changes", { n: data.difference.more_changes })}</p>`}</div>` });
  }
  const copy = async () => {
    const whole = await get(`/v1/revisions/${n}`);
    const url = URL.createObjectURL(new Blob([whole.toml], { type: "application/toml" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: `sangam-revision-${n}.toml` });
    link.click();
    URL.revokeObjectURL(url);
  };
  return html`<${Dialog} open wide title=${t("system.revision-n", { n })} onClose=${onClose} actions=${html`<${Button} onClick=${copy}>${t("system.save")}<//><${Button} kind="primary" onClick=${onClose}>${t("common.close")}<//>`}>
    ${problem && html`<${Problem} problem=${problem} retry=${revision.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Facts} facts=${[
      [t("system.applied"), html`<${RelativeTime} at=${data.applied_at} full />`], [t("system.digest"), html`<code class="digest">${plain(data.digest)}</code>`],
      [t("system.on-hosts"), html`<${Names} values=${data.hosts} none=${t("system.none")} />`]]} />
      <${Tabs} label=${t("system.revision-n", { n })} tabs=${tabs} value=${tab} onChange=${setTab} />`}
  <//>`;
}
