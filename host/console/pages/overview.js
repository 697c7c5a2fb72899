// Overview: whether all is well, what flows, what waits, what failed and why.
import { html, useEffect, useMemo, useRef } from "../preact.js";
import { useGet } from "../api.js";
import { duration, list, number, short, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { Button, Icon, LinkButton, Loading, Page, Problem, RelativeTime, Section, Select, Status, Table, Text } from "../parts/index.js";
import { Plot } from "../parts/plot.js";
import { Reason } from "../parts/reason.js";
import { replayAll } from "../parts/replay-all.js";

const WINDOWS = ["15m", "1h", "6h", "24h"];
const KINDS = ["event.accepted", "run.changed", "attempt.ended", "credential.changed", "source.changed", "revision.applied"];
/** Figures of a window change without anything happening, too. */
const EVERY = 10_000;
/** Causes of dead letters that are told here; the others on their own page. */
const GROUPS = 50;

export default function Overview({ query }) {
  const window = WINDOWS.includes(query.window) ? query.window : "15m";
  const overview = useGet("/v1/overview", { window });
  useRefresh(KINDS, overview.reload, 1_500);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && overview.reload(), EVERY);
    return () => clearInterval(timer);
  }, [overview.reload]);
  const { data, problem } = overview;
  // What died of what: the host keeps it, while its figures over time begin anew with it.
  const groups = useGet(data && data.dead_letters > 0 ? "/v1/dead-letters/groups" : null, { limit: GROUPS });
  const letters = useRef(data?.dead_letters);
  useEffect(() => {
    if (letters.current !== undefined && letters.current !== data?.dead_letters) groups.reload();
    letters.current = data?.dead_letters;
  }, [data?.dead_letters]);
  const rows = useMemo(() => data && failures(data, data.dead_letters > 0 ? groups.data?.groups ?? [] : []), [data, groups.data]);
  const windows = html`<${Select} label=${t("overview.window")} hideLabel value=${window} onChange=${(value) => setQuery({ window: value === "15m" ? "" : value })}
    options=${WINDOWS.map((value) => ({ value, label: t(`overview.window-${value}`) }))} />`;
  return html`<${Page} title=${t("common.page-overview")} actions=${windows}>
    ${problem && html`<${Problem} problem=${problem} retry=${overview.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Verdict} data=${data} rows=${rows} />
      <${Figures} data=${data} />
      <${Failing} rows=${rows} reload=${overview.reload} />
      <${Plots} data=${data} />
      <div class="columns"><${Credentials} data=${data} /><${Hosts} data=${data} /></div>`}
  <//>`;
}

/**
 * What fails, worst first: of every plugin's action that failed within the time span, or of which dead letters are left, `{ plugin, action, since, attempts, failures,
 * last, letters, causes }`. `letters` are those that are left now, `causes` their groups, the largest first.
 */
export function failures(data, groups) {
  const rows = new Map();
  const key = (one) => `${one.plugin ?? ""}\n${one.action ?? ""}`;
  for (const one of data.failing) rows.set(key(one), { ...one, letters: 0, causes: [] });
  for (const group of groups) {
    if (!rows.has(key(group))) {
      const last = { kind: group.kind, at: group.last_at, eid: group.sample.eid, run: group.sample.run, route: group.route, step: group.step };
      rows.set(key(group), { plugin: group.plugin, action: group.action, since: null, attempts: 0, failures: 0, last, letters: 0, causes: [] });
    }
    const row = rows.get(key(group));
    row.letters += group.count;
    row.causes.push(group);
  }
  const order = (row) => [row.since ? 1 : 0, row.letters, row.failures];
  return [...rows.values()].sort((one, other) => {
    const [a, b] = [order(one), order(other)];
    return b[0] - a[0] || b[1] - a[1] || b[2] - a[2];
  });
}

/** Names that are told one by one; of the others it is told how many they are. */
const NAMED = 3;

function named(names) {
  const rest = names.length - NAMED;
  return list([...names.slice(0, NAMED).map(plain), ...(rest > 0 ? [t("overview.more-names", { n: rest })] : [])]);
}

/** What is wrong, worst first: `[{ tone, text, href }]`. */
export function findings(data, rows) {
  const found = [];
  if (data.pressure) found.push({ tone: "bad", text: t("overview.refuses", { reason: plain(data.pressure.reason) }), href: "/system" });
  const names = (rows) => [...new Set(rows.map((one) => one.plugin ?? one.last?.route))].filter(Boolean);
  // What works again fails no more; what it has left behind is told as that.
  const failing = names(rows.filter((one) => one.since));
  if (failing.length > 0) found.push({ tone: "bad", text: t("overview.plugins-fail", { n: failing.length, names: named(failing) }), href: "#failing" });
  if (data.dead_letters > 0) found.push({ tone: "bad", text: t("overview.letters-wait", { n: data.dead_letters }), href: "/dead-letters" });
  if (data.credentials.length > 0) {
    found.push({ tone: "warn", text: t("overview.credentials-ill", { n: data.credentials.length, names: named(data.credentials.map((one) => one.name)) }), href: "/credentials" });
  }
  const gone = data.hosts.filter((host) => !host.alive).length;
  if (gone > 0) found.push({ tone: "warn", text: t("overview.hosts-gone", { n: gone }), href: "#hosts" });
  return found;
}

function Verdict({ data, rows }) {
  const found = findings(data, rows);
  if (found.length === 0) {
    return html`<div class="verdict" data-tone="ok" role="status"><${Icon} name="ok" size="22" /><div><p class="verdict-title">${t("overview.all-well")}</p>
      <p>${data.events.accepted > 0 ? t("overview.flows", { n: data.events.accepted }) : t("overview.nothing-came")}</p></div></div>`;
  }
  const worst = found.some((one) => one.tone === "bad") ? "bad" : "warn";
  return html`<div class="verdict" data-tone=${worst} role="status"><${Icon} name="warn" size="22" /><div>
    <p class="verdict-title">${t("overview.look-here")}</p>
    <ul>${found.map((one) => html`<li key=${one.text}><a href=${one.href}>${one.text}</a></li>`)}</ul></div></div>`;
}

function Figure({ label, value, note, tone, href }) {
  const inside = html`<span class="figure-label">${label}</span><strong class="number">${value}</strong><span class="figure-note">${note ?? ""}</span>`;
  return html`<li class="figure card" data-tone=${tone}>${href ? html`<a href=${href}>${inside}</a>` : inside}</li>`;
}

function Figures({ data }) {
  const { events, runs } = data;
  const minutes = data.window_ms / 60_000;
  const last = data.series.points.findLast((point) => point.p50_ms !== null && point.p50_ms !== undefined);
  return html`<ul class="figures" aria-label=${t("overview.figures")}>
    <${Figure} label=${t("overview.accepted")} value=${short(events.accepted)} href="/events"
      note=${`${t("overview.a-minute", { rate: number(events.accepted / minutes, { maximumFractionDigits: events.accepted / minutes < 10 ? 1 : 0 }) })}${
        events.duplicates ? ` · ${t("overview.duplicates", { n: events.duplicates })}` : ""}`} />
    <${Figure} label=${t("overview.succeeded")} value=${short(runs.succeeded)} href="/events?status=succeeded"
      note=${last ? t("overview.latency", { p50: duration(last.p50_ms), p99: duration(last.p99_ms) }) : ""} />
    <${Figure} label=${t("overview.backlog")} value=${short(data.backlog)} href="/events?status=pending" tone=${data.pressure ? "bad" : undefined}
      note=${data.oldest_pending_ms ? t("overview.oldest", { time: duration(data.oldest_pending_ms) }) : t("overview.running", { n: runs.running })} />
    <${Figure} label=${t("overview.waiting")} value=${short(runs.waiting)} href="/events?status=waiting" note=${t("overview.waiting-note")} />
    <${Figure} label=${t("overview.dead-letters")} value=${short(data.dead_letters)} href="/dead-letters" tone=${data.dead_letters > 0 ? "bad" : undefined}
      note=${runs.dead > 0 ? t("overview.new-dead", { n: runs.dead }) : t("overview.none-new")} />
  </ul>`;
}

function Failing({ rows, reload }) {
  return html`<div id="failing"><${Section} title=${t("overview.what-fails")}>
    ${rows.length === 0 ? html`<p class="calm"><${Icon} name="ok" /> ${t("overview.nothing-fails")}</p>`
      : html`<ul class="failing">${rows.map((row) => html`<${Failure} key=${`${row.plugin}.${row.action}`} row=${row} reload=${reload} />`)}</ul>`}
  <//></div>`;
}

/**
 * The failure that stands for a row, `{ kind, route, step, eid, run, reason }`: all of it of the same one. Where it fails now that is the last, else what most died of;
 * without a `reason` it has to be asked for.
 */
export function toldOf({ since, last, causes: [most] }) {
  const same = most && last && ["kind", "route", "step"].every((name) => most[name] === last[name]);
  return most && (same || !since) ? { kind: most.kind, route: most.route, step: most.step, reason: most.reason, ...most.sample } : last;
}

/** One plugin's action that fails: what, why, how often, and what mends it. */
function Failure({ row, reload }) {
  const { last } = row;
  const told = toldOf(row);
  const others = row.causes.length - (told?.reason ? 1 : 0);
  const plugin = row.plugin ? plain(row.plugin) : t("overview.no-plugin");
  const letters = row.plugin ? `/dead-letters?plugin=${encodeURIComponent(row.plugin)}` : `/dead-letters?route=${encodeURIComponent(last?.route ?? "")}`;
  return html`<li class="failure">
    <div class="failure-what"><strong>${row.plugin ? html`<a href=${`/plugins/${encodeURIComponent(row.plugin)}`}>${plugin}</a>` : plugin}</strong>
      ${row.action && html`<span class="faint small">${plain(row.action)}</span>`}
      ${row.since ? html`<span class="small">${t("overview.since")} <${RelativeTime} at=${row.since} /></span>` : row.attempts > 0 && html`<span><${Status} state="ok" label=${t("overview.works-again")} /></span>`}</div>
    <div class="failure-why">${told && html`<div class="row"><${Status} state=${told.kind} /><span class="faint small">${
      told.step ? t("overview.in-step", { step: plain(told.step), route: plain(told.route) }) : plain(told.route)}</span></div>
      ${told.reason ? html`<p class="reason"><${Text} value=${told.reason} lines /></p>` : html`<${Reason} eid=${told.eid} run=${told.run} step=${told.step} />`}`}
      ${others > 0 && html`<a class="small" href=${letters}>${t("overview.other-causes", { n: others })}</a>`}</div>
    <dl class="failure-counts">${row.attempts > 0 && html`<dt>${t("overview.failures")}</dt><dd>${t("overview.of", { failures: row.failures, attempts: row.attempts })}</dd>`}
      <dt>${t("overview.last")}</dt><dd><${RelativeTime} at=${last?.at ?? row.since} /></dd>
      <dt>${t("overview.dead-letters")}</dt><dd>${row.letters > 0 ? html`<a href=${letters} aria-label=${`${t("overview.dead-letters")}: ${number(row.letters)}`}>${number(row.letters)}</a>` : number(0)}</dd></dl>
    <div class="actions">
      ${row.letters > 0 && html`<${Button} small kind="primary" icon="replay" needs="operate" label=${t("overview.replay-of", { n: row.letters, plugin })}
          onClick=${() => replayAll(row.causes.map((group) => ({ cause: group.cause })), row.letters).then(reload)}>${t("overview.replay", { n: row.letters })}<//>`}
      ${told && html`<${LinkButton} small href=${`/events/${encodeURIComponent(told.eid)}`}>${t("overview.see-event")}<//>`}</div>
  </li>`;
}

function Plots({ data }) {
  const { points, step_ms: step } = data.series;
  const shown = useMemo(() => {
    // The last step has not ended: its figures would seem to fall.
    const whole = points.filter((point) => Date.parse(point.at) + step <= Date.parse(data.at));
    // Before that this host counted nothing, which is not the same as nothing.
    const counted = data.since ? Date.parse(data.since) : 0;
    const a_minute = (count) => (count * 60_000) / step;
    const of = (name, make = (value) => value) => whole.map((point) => (point[name] === null || point[name] === undefined || Date.parse(point.at) + step <= counted ? null : make(point[name])));
    return {
      at: whole.map((point) => Date.parse(point.at)),
      rates: [
        { label: t("overview.accepted"), colour: "info", values: of("accepted", a_minute), fill: true },
        { label: t("overview.succeeded"), colour: "ok", values: of("succeeded", a_minute) },
        { label: t("overview.failed-attempts"), colour: "warn", values: of("failed_attempts", a_minute), dash: [3, 3] },
        { label: t("overview.dead-letters"), colour: "bad", values: of("dead", a_minute), dash: [8, 3] },
      ],
      latency: [
        { label: t("overview.p50"), colour: "info", values: of("p50_ms") },
        { label: t("overview.p99"), colour: "wait", values: of("p99_ms"), dash: [8, 3] },
      ],
      backlog: [{ label: t("overview.backlog"), colour: "wait", values: of("backlog"), fill: true }],
    };
  }, [points]);
  const rate = (value) => number(value, { maximumFractionDigits: value > 0 && value < 10 ? 1 : 0 });
  const most = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);
  return html`<${Section} title=${t("overview.plots")} plainly hideTitle><div class="plots">
    <${Plot} title=${t("overview.plot-rates")} at=${shown.at} series=${shown.rates} format=${rate}
      summary=${t("overview.plot-rates-summary", { accepted: rate(most(shown.rates[0].values)), dead: rate(most(shown.rates[3].values)) })} />
    <${Plot} title=${t("overview.plot-latency")} at=${shown.at} series=${shown.latency} format=${duration}
      summary=${t("overview.plot-latency-summary", { p50: duration(most(shown.latency[0].values)), p99: duration(most(shown.latency[1].values)) })} />
    <${Plot} title=${t("overview.plot-backlog")} at=${shown.at} series=${shown.backlog} format=${short}
      summary=${t("overview.plot-backlog-summary", { most: short(most(shown.backlog[0].values)) })} />
  </div><//>`;
}

function Credentials({ data }) {
  return html`<${Section} title=${t("common.page-credentials")} actions=${html`<a class="small" href="/credentials">${t("overview.all")}</a>`}>
    ${data.credentials.length === 0 ? html`<p class="calm"><${Icon} name="ok" /> ${t("overview.credentials-well")}</p>`
      : html`<ul class="plain-list">${data.credentials.map((one) => html`<li key=${one.name}><div class="row"><strong>${plain(one.name)}</strong><${Status} state=${one.state} /></div>
        ${one.reason && html`<p class="small">${plain(one.reason)}</p>`}</li>`)}</ul>`}
  <//>`;
}

function Hosts({ data }) {
  const columns = [
    { key: "id", title: t("overview.host"), render: (row) => html`<code>${plain(row.id)}</code>${row.id === data.host.id ? html` <span class="faint small">${t("overview.this-host")}</span>` : ""}` },
    { key: "state", title: t("overview.state"), render: (row) => html`<${Status} state=${row.alive ? "alive" : "gone"} />` },
    { key: "version", title: t("overview.version"), narrow: false, render: (row) => plain(row.version) },
    { key: "seen", title: t("overview.seen"), render: (row) => html`<${RelativeTime} at=${row.seen_at} />` },
  ];
  return html`<div id="hosts"><${Section} title=${t("overview.hosts")} actions=${html`<span class="faint small">${t("overview.revision", { n: data.revision })}</span>`}>
    <${Table} cards="narrow" caption=${t("overview.hosts")} columns=${columns} rows=${data.hosts} />
  <//></div>`;
}
