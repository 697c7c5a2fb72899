// One plugin: what it asks for and was granted, what it has used of its limits, whom it may not ask now, and what failed of late.
import { html, useState } from "../preact.js";
import { useGet } from "../api.js";
import { bytes, duration, number, percent, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Button, Copy, Icon, LinkButton, Loading, Page, Problem, RelativeTime, Section, Status, Table, Tabs, Text } from "../parts/index.js";
import { Facts, Meter, Names } from "../parts/facts.js";
import { Schema } from "../parts/schema.js";
import { breakerOf } from "./plugins.js";

/** Limits with what was used of them: `[key of limits, key of use, format]`. */
const LIMITS = [
  ["memory", "peak_memory", bytes], ["cpu_ms", "peak_cpu_ms", duration], ["time_ms", "peak_time_ms", duration], ["http_calls", "peak_http_calls", number],
  ["response_size", "peak_response_size", bytes], ["output_size", "peak_output_size", bytes], ["key_value_size", "key_value_size", bytes],
];
/** Limits of which nobody counts how much was used. */
const FURTHER = [
  ["table_elements", number], ["handles", number], ["host_call_size", bytes], ["events", number], ["events_size", bytes], ["log_size", bytes],
  ["key_value_calls", number], ["key_value_transfer", bytes],
];

export default function Plugin({ name }) {
  const plugin = useGet(`/v1/plugins/${encodeURIComponent(name)}`);
  useRefresh(["attempt.ended", "revision.applied"], plugin.reload, 2_000);
  const { data, problem } = plugin;
  const crumbs = [{ href: "/plugins", title: t("common.page-plugins") }];
  const letters = `/dead-letters?plugin=${encodeURIComponent(name)}`;
  return html`<${Page} title=${plain(name)} crumbs=${crumbs} lead=${data && plain(data.title ?? "")}
    actions=${html`<${LinkButton} icon="dead-letters" href=${letters}>${t("plugins.letters")}<//><${LinkButton} icon="events" href=${`/events?plugin=${encodeURIComponent(name)}`}>${t("plugins.events")}<//>`}>
    ${problem && html`<${Problem} problem=${problem} retry=${plugin.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<div class="columns"><${Identity} of=${data} />${!data.built_in && html`<${Permissions} of=${data} />`}</div>
      ${data.use && html`<${Use} of=${data} />`}
      ${!data.built_in && html`<div class="columns"><${Systems} of=${data} /><${Canary} canary=${data.canary} /></div>`}
      <${Failures} name=${name} />
      <${UsedBy} of=${data} />
      <${Abilities} of=${data} />`}
  <//>`;
}

function Identity({ of }) {
  const [all, setAll] = useState(false);
  const imports = of.imports ?? [];
  const shown = all ? imports : imports.slice(0, 6);
  return html`<${Section} title=${t("plugins.identity")}>
    <${Facts} facts=${[
      [t("plugins.component"), html`${plain(of.plugin)} ${plain(of.version)}`],
      [t("plugins.contract"), of.contract && plain(of.contract)],
      [t("plugins.digest"), of.digest && html`<span class="row"><code class="digest">${plain(of.digest)}</code><${Copy} text=${of.digest} label=${t("common.copy-what", { what: t("plugins.digest") })} /></span>`],
      [t("plugins.signed-by"), of.signed_by && html`<${Names} values=${of.signed_by} none=${t("plugins.nobody-signed")} />`],
      [t("plugins.instances"), of.instances && t(`plugins.instances-${of.instances}`)],
      [t("plugins.concurrency"), of.concurrency && t("plugins.under-way", { busy: of.calls_under_way ?? 0, most: of.concurrency })],
      [t("plugins.batch"), of.actions?.some((action) => action.batch) && (of.batch
        ? t(of.batch.most ? "plugins.batch-most" : "plugins.batch-whole", { n: of.batch.most ?? 0, time: duration(of.batch.gather_ms) })
        : t("plugins.batch-off"))],
      [t("plugins.imports"), imports.length > 0 && html`<span class="stack tight"><${Names} values=${shown} />
        ${imports.length > shown.length && html`<span><${Button} kind="quiet" small onClick=${() => setAll(true)}>${t("plugins.all-imports", { n: imports.length })}<//></span>`}</span>`],
    ]} />
  <//>`;
}

/** How each answer to what a component asks for looks. */
const ANSWERS = { granted: "ok", declined: "skipped", open: "doubt" };

function Permissions({ of }) {
  const grants = of.grants ?? {};
  const asked = of.permissions?.asked ?? [];
  return html`<${Section} title=${t("plugins.permissions")}>
    ${of.permissions?.words?.length > 0 && html`<div class="stack tight"><h3>${t("plugins.may")}</h3>
      <ul lang="en">${of.permissions.words.map((word) => html`<li key=${word}><${Text} value=${word} /></li>`)}</ul></div>`}
    ${asked.length > 0 && html`<${Asked} title=${t("plugins.asked")} asked=${asked} />`}
    <h3>${t("plugins.granted")}</h3>
    <${Facts} facts=${[
      [t("plugins.hosts"), html`<${Names} values=${grants.allow_hosts} none=${t("plugins.no-hosts")} />`],
      [t("plugins.private"), grants.allow_private_addresses?.length > 0 && html`<${Names} values=${grants.allow_private_addresses} />`],
      [t("plugins.credentials"), html`<${Names} values=${grants.credentials} href=${(name) => `/credentials?name=${encodeURIComponent(name)}`} />`],
      [t("plugins.emits"), grants.emits?.length > 0 && html`<${Names} values=${grants.emits} />`],
      [t("plugins.read-only"), grants.read_only?.length > 0 && html`<${Names} values=${grants.read_only} />`],
      [t("plugins.declined"), grants.declines?.length > 0 && html`<${Names} values=${grants.declines.map((one) => (typeof one === "string" ? one : JSON.stringify(one)))} />`],
    ]} />
  <//>`;
}

function Use({ of }) {
  const { use, limits } = of;
  return html`<${Section} title=${t("plugins.use")}>
    <ul class="tallies">
      <li><span class="faint small">${t("plugins.calls")}</span><strong class="number">${number(use.calls)}</strong></li>
      <li data-tone=${use.failures > 0 ? "bad" : undefined}><span class="faint small">${t("plugins.failures")}</span><strong class="number">${number(use.failures)}</strong>
        ${use.calls > 0 && use.failures > 0 && html`<span class="small">${percent(use.failures / use.calls)}</span>`}</li>
      <li><span class="faint small">${t("plugins.p50")}</span><strong class="number">${duration(use.p50_ms)}</strong></li>
      <li><span class="faint small">${t("plugins.p99")}</span><strong class="number">${duration(use.p99_ms)}</strong></li>
    </ul>
    <p class="faint small">${t("plugins.most-of-a-call")}</p>
    <div class="meters">${LIMITS.filter(([limit]) => limits?.[limit] !== undefined).map(([limit, used, format]) =>
      html`<${Meter} key=${limit} label=${t(`plugins.limit-${limit}`)} value=${use[used] ?? 0} max=${limits[limit]} format=${format} />`)}</div>
    <details><summary>${t("plugins.further-limits")}</summary>
      <${Facts} facts=${FURTHER.filter(([limit]) => limits?.[limit] !== undefined).map(([limit, format]) => [t(`plugins.limit-${limit}`), format(limits[limit])])} /></details>
  <//>`;
}

function Systems({ of }) {
  const { breaker, rate_limit: rate } = of;
  return html`<${Section} title=${t("plugins.systems")} actions=${breaker && html`<${Status} state=${breakerOf(of)} />`}>
    <h3>${t("plugins.breaker")}</h3>
    ${!breaker ? html`<p class="faint">${t("plugins.no-breaker")}</p>` : html`<p class="small">${t("plugins.breaker-rule", { n: breaker.failures, time: duration(breaker.cooldown_ms) })}</p>
      <${Table} cards="narrow" caption=${t("plugins.breaker")} rows=${breaker.hosts} rowKey=${(row) => row.host} empty=${html`<p class="faint small">${t("plugins.no-requests")}</p>`} columns=${[
        { key: "host", title: t("plugins.system"), render: (row) => html`<code>${plain(row.host)}</code>` },
        { key: "state", title: t("plugins.state"), render: (row) => html`<${Status} state=${row.state} />` },
        { key: "failures", title: t("plugins.in-a-row"), align: "end", render: (row) => number(row.failures) },
        { key: "until", title: t("plugins.until"), render: (row) => html`<${RelativeTime} at=${row.open_until} />` },
      ]} />`}
    <h3>${t("plugins.rate")}</h3>
    ${!rate ? html`<p class="faint">${t("plugins.no-rate")}</p>` : html`<p class="small">${t("plugins.rate-rule", { n: rate.requests, time: duration(rate.per_ms) })}</p>
      ${rate.used !== null && rate.used !== undefined && html`<${Meter} label=${t("plugins.rate-used")} value=${rate.used} max=${rate.requests} />`}
      ${rate.waiting > 0 && html`<p>${t("plugins.rate-waiting", { n: rate.waiting })}</p>`}`}
  <//>`;
}

/** What one component asks for: each thing with the answer of the configuration. */
function Asked({ title, asked }) {
  return html`<${Table} cards="narrow" caption=${title} showCaption rows=${asked} rowKey=${(row) => `${row.option} ${row.what}`} columns=${[
    { key: "what", title: t("plugins.what"), render: (row) => html`<code>${plain(row.what)}</code>` },
    { key: "option", title: t("plugins.option"), render: (row) => html`<code>${plain(row.option)}</code>` },
    { key: "answer", title: t("plugins.answer"), render: (row) => html`<${Status} state=${ANSWERS[row.answer]}
      label=${row.answer in ANSWERS ? t(`plugins.answer-${row.answer}`) : plain(row.answer)} />` },
  ]} />`;
}

/** What the version on trial may ask for that the one in use may not, and the other way round. */
function Beyond({ canary }) {
  const { asks_more: more = [], asks_less: less = [], asked = [] } = canary;
  if (more.length === 0 && less.length === 0 && asked.length === 0) return html`<p class="calm"><${Icon} name="ok" /> ${t("plugins.asks-same")}</p>`;
  const words = (list) => html`<ul lang="en">${list.map((word) => html`<li key=${word}><${Text} value=${word} /></li>`)}</ul>`;
  return html`${more.length > 0 ? html`<div class="notice stack tight" data-tone="warn"><h3>${t("plugins.asks-more")}</h3>${words(more)}</div>` : html`<p class="calm"><${Icon} name="ok" /> ${t("plugins.asks-no-more")}</p>`}
    ${asked.length > 0 && html`<${Asked} title=${t("plugins.asked-anew")} asked=${asked} />`}
    ${less.length > 0 && html`<div class="stack tight"><h3>${t("plugins.asks-less")}</h3>${words(less)}</div>`}`;
}

function Canary({ canary }) {
  if (!canary) return html`<${Section} title=${t("plugins.canary")}><p class="faint">${t("plugins.no-canary")}</p><//>`;
  const rows = [{ name: "canary", ...canary.canary }, { name: "stable", ...canary.stable }];
  const rate = (row) => (row.calls > 0 ? row.failures / row.calls : null);
  return html`<${Section} title=${t("plugins.canary")} actions=${html`<${Status} state=${canary.state} />`}>
    <${Table} cards="narrow" caption=${t("plugins.canary")} rows=${rows} columns=${[
      { key: "name", title: t("plugins.component"), render: (row) => t(`plugins.is-${row.name}`) },
      { key: "calls", title: t("plugins.calls"), align: "end", render: (row) => number(row.calls) },
      { key: "failures", title: t("plugins.failures"), align: "end", render: (row) => number(row.failures) },
      { key: "rate", title: t("plugins.error-rate"), align: "end", render: (row) => (rate(row) === null ? "–" : percent(rate(row))) },
    ]} />
    <p class="small">${t("plugins.canary-rule", { share: percent(canary.share),
      rate: percent(canary.max_error_rate), n: canary.least_calls })}</p>
    <${Beyond} canary=${canary} />
    <${Facts} facts=${[
      [t("plugins.version"), canary.version && plain(canary.version)],
      [t("plugins.contract"), canary.contract && plain(canary.contract)],
      [t("plugins.digest"), html`<code class="digest">${plain(canary.digest)}</code>`],
      [t("plugins.signed-by"), canary.signed_by && html`<${Names} values=${canary.signed_by} none=${t("plugins.nobody-signed")} />`],
      [t("plugins.rolled-back"), canary.rolled_back_at && html`<${RelativeTime} at=${canary.rolled_back_at} full />`],
      [t("plugins.reason"), canary.reason && html`<${Text} value=${canary.reason} />`],
    ]} />
  <//>`;
}

function Failures({ name }) {
  const letters = useGet("/v1/dead-letters", { plugin: name, limit: 5 });
  useRefresh(["run.changed"], letters.reload, 3_000);
  const rows = letters.data?.dead_letters ?? [];
  return html`<${Section} title=${t("plugins.recent")} actions=${rows.length > 0 && html`<a class="small" href=${`/dead-letters?plugin=${encodeURIComponent(name)}`}>${t("plugins.all-letters")}</a>`}>
    ${letters.problem && html`<${Problem} problem=${letters.problem} retry=${letters.reload} />`}
    ${letters.data && html`<${Table} cards="narrow" caption=${t("plugins.recent")} rows=${rows} rowKey=${(row) => row.run} href=${(row) => `/events/${encodeURIComponent(row.eid)}`}
      empty=${html`<p class="calm"><${Icon} name="ok" /> ${t("plugins.nothing-fails")}</p>`} columns=${[
        { key: "id", title: t("plugins.event"), render: (row) => html`<a href=${`/events/${encodeURIComponent(row.eid)}`}>${plain(row.id ?? row.eid)}</a>` },
        { key: "where", title: t("plugins.where"), render: (row) => plain([row.route, row.step].filter(Boolean).join(" · ")) },
        { key: "kind", title: t("plugins.kind"), render: (row) => html`<${Status} state=${row.kind ?? "dead"} />` },
        { key: "reason", title: t("plugins.reason"), narrow: false, render: (row) => html`<${Text} value=${typeof row.reason === "string" ? row.reason : row.reason ? JSON.stringify(row.reason) : ""} />` },
        { key: "at", title: t("plugins.when"), render: (row) => html`<${RelativeTime} at=${row.died_at} />` },
      ]} />`}
  <//>`;
}

function UsedBy({ of }) {
  const steps = of.used_by?.steps ?? [];
  const sources = of.used_by?.sources ?? [];
  return html`<${Section} title=${t("plugins.used-by")}>
    ${steps.length + sources.length === 0 ? html`<p class="faint">${t("plugins.unused")}</p>` : html`<ul class="plain-list">
      ${steps.map((one) => html`<li key=${`${one.route} ${one.step}`}><a href=${`/routes/${encodeURIComponent(one.route)}`}>${plain(one.route)}</a> · ${plain(one.step)}
        <span class="faint small"> ${plain(one.action)}</span></li>`)}
      ${sources.map((one) => html`<li key=${`source ${one}`}>${t("plugins.source")} <a href=${`/sources/${encodeURIComponent(one)}`}>${plain(one)}</a></li>`)}</ul>`}
  <//>`;
}

function Abilities({ of }) {
  const actions = of.actions ?? [];
  const streams = of.streams ?? [];
  return html`<${Section} title=${t("plugins.actions")}>
    ${actions.length === 0 && html`<p class="faint">${t("plugins.no-actions")}</p>`}
    <div class="abilities">${actions.map((action) => html`<${Action} key=${action.name} action=${action} />`)}</div>
    ${streams.length > 0 && html`<h3>${t("plugins.streams")}</h3>
      <${Table} cards="narrow" caption=${t("plugins.streams")} rows=${streams} columns=${[
        { key: "name", title: t("plugins.name"), render: (row) => html`<code>${plain(row.name)}</code><div class="faint small">${plain(row.title ?? "")}</div>` },
        { key: "ways", title: t("plugins.ways"), render: (row) => [row.poll && t("plugins.polled"), row.receive && t("plugins.received")].filter(Boolean).join(" · ") },
        { key: "types", title: t("plugins.types"), render: (row) => html`<${Names} values=${row.types} />` },
      ]} />`}
  <//>`;
}

function Action({ action }) {
  const [tab, setTab] = useState("input");
  return html`<details class="ability"><summary><code>${plain(action.name)}</code> <span>${plain(action.title ?? "")}</span>
      ${action.idempotent && html` <span class="faint small">${t("plugins.idempotent")}</span>`}</summary>
    <div class="stack tight">
      ${action.description && html`<p><${Text} value=${action.description} lines /></p>`}
      ${action.batch && html`<p class="small">${t("plugins.batch-action", { n: action.batch })}</p>`}
      ${action.undo && html`<p class="small">${t("plugins.undone-by")} <code>${plain(action.undo)}</code></p>`}
      <${Tabs} label=${t("plugins.schemas-of", { action: plain(action.name) })} value=${tab} onChange=${setTab} tabs=${[
        { id: "input", title: t("plugins.input"), content: () => html`<${Schema} schema=${action.input} label=${t("plugins.input")} />` },
        { id: "output", title: t("plugins.output"), content: () => html`<${Schema} schema=${action.output} label=${t("plugins.output")} />` },
      ]} />
    </div></details>`;
}

