// A run: what it waits for, its steps as a timeline, and the events that it brought in.
import { html, useEffect, useState } from "../../preact.js";
import { get } from "../../api.js";
import { duration, number, t, time } from "../../i18n.js";
import { plain } from "../../text.js";
import { Icon, RelativeTime, Section, Status, Text, Timeline } from "../../parts/index.js";
import { Step } from "./step.js";
import { isOver, newest, spanOf, stateOf, tasksOf, workOf } from "./lines.js";

/** The link that shows a run. */
const hrefOf = (run) => `?run=${run.id}`;

/** The lines of the event; the run that is shown is marked. Replays stand below what they replay. */
export function RunList({ lines, run }) {
  return html`<nav class="run-list card" aria-label=${t("events.runs")}>
    <h2>${t("events.runs")}</h2>
    <ul>${lines.map((line) => html`<li key=${line.runs[0].id}>
      <ul>${[...line.runs].reverse().map((one, index) => html`<li key=${one.id} class=${index > 0 ? "run-older" : undefined}>
        <a href=${hrefOf(one)} aria-current=${one.id === run.id ? "true" : undefined}>
          <span class="run-name">${index === 0 ? html`<${Text} value=${line.route} />` : one.replay_of ? t("events.replay-from", { n: line.runs.length - index - 1 }) : t("events.first-run")}</span>
          <${Status} state=${one.status} /></a></li>`)}</ul></li>`)}
    </ul></nav>`;
}

/** Where a run stands in its line, in words. */
function place(run, lines) {
  const line = lines.find((one) => one.runs.includes(run));
  if (!line || line.runs.length < 2) return null;
  const at = line.runs.indexOf(run);
  const last = newest(line);
  if (run !== last) return html`<p class="notice" data-tone="info">${t("events.older-run")} <a href=${hrefOf(last)}>${t("events.to-newest")}</a></p>`;
  return html`<p class="faint">${t("events.is-replay", { n: at })} <a href=${hrefOf(line.runs[at - 1])}>${t("events.to-replayed")}</a></p>`;
}

/** `said`: why the event is as it is, which stands above. What a step says for itself is not said twice. */
export function Run({ eid, run, said, lines, query, reload }) {
  const from = Date.parse(run.created_at);
  const tasks = tasksOf(run);
  const ends = tasks.map(({ task }) => spanOf(task)?.to ?? from);
  const span = Math.max(1, (isOver(run) ? Date.parse(run.ended_at) : Math.max(Date.now(), ...ends)) - from, ...ends.map((end) => end - from));
  // A wait of days would leave the attempts as hairs: the bars are of time that was spent working.
  const scale = run.status !== "running" && Math.max(...ends) > from ? Math.max(...ends) - from : span;
  const items = tasks.map(({ task, undoes }) => {
    const lies = spanOf(task);
    const state = stateOf(task);
    const bar = lies && scale > 0 ? { from_ms: Math.max(0, lies.from - from), duration_ms: Math.max(0, lies.to - lies.from) } : {};
    return {
      key: task.name ?? `${undoes?.name}/undo`, state, tone: toneOf(task, state),
      label: task.status === "none" ? t("events.not-undone") : undefined,
      title: html`<${Text} value=${task.name ?? t("events.undo-of", { step: undoes?.name })} /> <span class="faint step-uses"><${Text} value=${task.uses ?? ""} /></span>`,
      at: task.attempts?.[0]?.started_at, ...bar, duration_ms: lies ? lies.to - lies.from : undefined,
      content: html`<${Step} eid=${eid} run=${run} task=${task} work=${workOf(task)} query=${query} reload=${reload} />`,
    };
  });
  const behind = run.waits_behind;
  const reason = run.status_reason && !behind && !said?.includes(run.status_reason) && !tasks.some(({ task }) => task.error?.reason && run.status_reason.includes(task.error.reason)) ? run.status_reason : null;
  return html`<div class="stack"><${Section} title=${t("events.run-of", { route: plain(run.route) })}
      actions=${html`<a href=${`/routes/${encodeURIComponent(run.route)}`}>${t("events.to-route")}</a>`}>
    <p class="row"><${Status} state=${run.status} />
      ${run.undone === true && html`<${Status} state="undone" />`}${run.undone === false && html`<${Status} state="undo-failed" />`}
      <span class="faint">${isOver(run) ? t("events.took", { duration: duration(Date.parse(run.ended_at) - from) }) : t("events.since", { duration: duration(Date.now() - from) })}</span></p>
    ${place(run, lines)}
    ${reason && html`<p class="event-reason" data-tone=${run.status === "dead" ? "bad" : "wait"}><${Text} value=${reason} lines /></p>`}
    ${behind && html`<p class="notice" data-tone="wait">${t("events.waits-behind", { key: plain(run.order_key) })} <a href=${`/events/${behind.eid}?run=${behind.run}`}>${t("events.to-holder")}</a> <${Status} state=${behind.status} /></p>`}
    ${run.keeps_key && html`<p class="notice" data-tone="warn">${t("events.keeps-key", { n: run.waiting_behind ?? 0 })}</p>`}
    ${run.next_attempt_at && html`<p class="row"><${Icon} name="wait" /><span>${t("events.next-attempt")} <${RelativeTime} at=${run.next_attempt_at} full /></span></p>`}
    <dl class="run-facts">
      <dt>${t("events.fact-run")}</dt><dd><code>${run.id}</code></dd>
      <dt>${t("events.fact-revision")}</dt><dd>${number(run.revision)}</dd>
      ${run.order_key !== null && run.order_key !== undefined && html`<dt>${t("events.fact-order-key")}</dt><dd><a href=${`/events?order_key=${encodeURIComponent(run.order_key)}`}><${Text} value=${String(run.order_key)} /></a>
        ${!run.keeps_key && run.waiting_behind > 0 && html` <span class="faint">${t("events.behind-it", { n: run.waiting_behind })}</span>`}</dd>`}
      <dt>${t("events.fact-begun")}</dt><dd><time datetime=${run.created_at}>${time(run.created_at)}</time></dd>
      ${isOver(run) && html`<dt>${t("events.fact-ended")}</dt><dd><time datetime=${run.ended_at}>${time(run.ended_at)}</time></dd>`}
    </dl>
  <//>
  <${Section} title=${t("events.steps")} hideTitle>
    ${items.length > 0 ? html`<${Timeline} label=${t("events.steps-of", { route: plain(run.route) })} span_ms=${scale} items=${items} />` : html`<p>${t("events.no-steps")}</p>`}
  <//>
  <${BroughtIn} eid=${eid} run=${run} /></div>`;
}

function toneOf(task, state) {
  if (state === "held") return "warn";
  return { succeeded: "ok", failed: "bad", "undo-failed": "bad", running: "info", undoing: "info", waiting: "wait", pending: "wait", undone: "warn" }[task.status] ?? (state === "undo-failed" ? "bad" : "off");
}

/** `plugin` of `plugin.action`. */
const pluginOf = (step) => step.uses.slice(0, step.uses.indexOf("."));

/** Longest time between the last attempt and the acceptance of what it brought in. */
const SLACK = 10_000;

/** Events that steps of this run brought in: those of the plugins' own source, from its time, that name it as their cause. */
function BroughtIn({ eid, run }) {
  const [events, set] = useState([]);
  const plugins = [...new Set(run.steps.filter((step) => step.attempts.length > 0).map((step) => pluginOf(step)))].filter((name) => name !== "sangam");
  const over = isOver(run);
  const tried = run.steps.reduce((sum, step) => sum + step.attempts.length, 0);
  useEffect(() => {
    let left = false;
    (async () => {
      const known = (await get("/v1/plugins").catch(() => null))?.plugins ?? [];
      const bringing = plugins.filter((name) => known.find((plugin) => plugin.name === name)?.emits?.length > 0);
      const ends = run.steps.flatMap((step) => step.attempts).map((attempt) => Date.parse(attempt.started_at) + (attempt.duration_ms ?? 0));
      const until = ends.length > 0 ? new Date(Math.max(...ends) + SLACK).toISOString() : undefined;
      const pages = await Promise.all(bringing.map((name) => get("/v1/events", { source: `/plugins/${name}`, since: run.created_at, until, limit: 200 }).catch(() => null)));
      const found = pages.flatMap((page) => page?.events ?? []).filter((event) => event.cause?.eid === eid && event.cause?.run === run.id);
      if (!left) set(found);
    })();
    return () => {
      left = true;
    };
  }, [run.id, over, tried]);
  if (events.length === 0) return null;
  return html`<${Section} title=${t("events.brought-in")}><ul class="brought-in">${events.map((event) => html`<li key=${event.eid} class="row">
    <${Status} state=${event.status} /><a href=${`/events/${event.eid}`}><${Text} value=${event.event.type} /> <${Text} value=${event.event.id} /></a>
    <span class="faint">${t("events.by-step", { step: plain(event.cause.step) })}</span></li>`)}</ul><//>`;
}

