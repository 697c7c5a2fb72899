// Flow: sources, routes, steps, plugins and systems as the configuration joins them, with what went through and what failed where.
import { html, useEffect, useMemo, useState } from "../preact.js";
import { useGet } from "../api.js";
import { duration, list, number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { Button, Checkbox, Empty, Input, LinkButton, Loading, Page, Problem, Select, Status, Table, Tabs } from "../parts/index.js";
import { feeds, graphOf, MOST_OPEN, wanted } from "../flow/graph.js";
import { Picture } from "../flow/picture.js";

const WINDOWS = ["15m", "1h", "6h", "24h"];
const KINDS = ["event.accepted", "run.changed", "attempt.ended", "source.changed", "revision.applied"];
const EVERY = 15_000;
/** On narrow screens the list comes first: a picture of that width shows nothing. */
const narrow = matchMedia("(max-width: 40rem)");

export default function Flow({ query }) {
  const window = WINDOWS.includes(query.window) ? query.window : "15m";
  const flow = useGet("/v1/flow", { window });
  useRefresh(KINDS, flow.reload, 2_000);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && flow.reload(), EVERY);
    return () => clearInterval(timer);
  }, [flow.reload]);
  const { data, problem } = flow;
  const text = query.q ?? "";
  const failing = query.failing === "1";
  const routes = useMemo(() => (data ? wanted(data.routes, text, failing) : []), [data, text, failing]);
  // What a person has opened or closed; the others as many routes allow.
  const [chosen, choose] = useState({});
  const isOpen = (name) => chosen[name] ?? routes.length <= MOST_OPEN;
  const toggle = (name) => choose({ ...chosen, [name]: !isOpen(name) });
  const graph = useMemo(() => (data ? graphOf(data, routes, isOpen) : null), [data, routes, chosen]);
  const view = query.view ?? (narrow.matches ? "list" : "graph");
  const all = (open) => choose(Object.fromEntries(routes.map((route) => [route.name, open])));

  const windows = html`<${Select} label=${t("flow.window")} hideLabel value=${window} onChange=${(value) => setQuery({ window: value === "15m" ? "" : value })}
    options=${WINDOWS.map((value) => ({ value, label: t(`flow.window-${value}`) }))} />`;
  return html`<${Page} title=${t("common.page-flow")} lead=${t("flow.lead")} actions=${windows}>
    ${problem && html`<${Problem} problem=${problem} retry=${flow.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && data.routes.length === 0 && html`<${Empty} title=${t("flow.no-routes")} icon="routes"><p>${t("flow.no-routes-how")}</p><//>`}
    ${data && data.routes.length > 0 && html`
      <div class="filters" role="search">
        <${Input} label=${t("flow.filter")} type="search" value=${text} onInput=${(value) => setQuery({ q: value })} />
        <${Checkbox} label=${t("flow.only-failing")} checked=${failing} onChange=${(on) => setQuery({ failing: on ? "1" : "" })} />
        ${view === "graph" && html`<${Button} small onClick=${() => all(true)}>${t("flow.open-all")}<//><${Button} small onClick=${() => all(false)}>${t("flow.close-all")}<//>`}
        <span class="faint small" role="status">${t("flow.shown", { n: routes.length, all: data.routes.length })}</span>
      </div>
      <${Tabs} label=${t("flow.view")} value=${view} onChange=${(value) => setQuery({ view: value })} tabs=${[
        { id: "graph", title: t("flow.graph"), content: () => routes.length === 0 ? html`<${Empty} title=${t("flow.none-fits")} />` : html`<${Picture} graph=${graph} toggle=${toggle} isOpen=${isOpen} />` },
        { id: "list", title: t("flow.list"), content: () => html`<${Lists} data=${data} routes=${routes} />` },
      ]} />`}
  <//>`;
}

/** The same as text, for who sees no picture or has no room for it. */
function Lists({ data, routes }) {
  const columns = [
    { key: "name", title: t("flow.step"), render: (step) => html`<strong>${plain(step.name)}</strong>` },
    { key: "uses", title: t("flow.uses"), narrow: false, render: (step) => plain(step.uses) },
    { key: "after", title: t("flow.after"), narrow: false, render: (step) => (step.needs.length > 0 ? list(step.needs.map(plain)) : "–") },
    { key: "attempts", title: t("flow.attempts"), align: "end", narrow: false, render: (step) => number(step.attempts) },
    { key: "waiting", title: t("common.state-waiting"), align: "end", narrow: false, render: (step) => (step.waiting > 0 ? html`<${Status} state="waiting" label=${number(step.waiting)} />` : number(0)) },
    { key: "failures", title: t("flow.failures"), align: "end", render: (step) => (step.failures > 0 ? html`<${Status} state="retry" label=${number(step.failures)} />` : number(0)) },
    { key: "dead", title: t("flow.dead"), align: "end", render: (step) => (step.dead > 0 ? html`<${Status} state="dead" label=${number(step.dead)} />` : number(0)) },
    { key: "p50", title: t("flow.p50"), align: "end", narrow: false, render: (step) => duration(step.p50_ms) },
  ];
  return html`<div class="stack">
    ${routes.length === 0 && html`<${Empty} title=${t("flow.none-fits")} />`}
    ${routes.map((route) => {
      const sources = data.sources.filter((source) => feeds(source, route));
      const where = encodeURIComponent(route.name);
      return html`<section class="card section" key=${route.name} aria-label=${plain(route.name)}>
        <header><h2><a href=${`/routes/${where}`}>${plain(route.name)}</a></h2><div class="actions">
          <${LinkButton} small href=${`/events?route=${where}`}>${t("flow.events")}<//>
          ${route.dead > 0 && html`<${LinkButton} small href=${`/dead-letters?route=${where}`}>${t("flow.letters", { n: route.dead })}<//>`}</div></header>
        <p class="small">${t("flow.wants", { types: list(route.types.map(plain)) })}${sources.length > 0 ? ` ${t("flow.from", { sources: list(sources.map((source) => plain(source.name))) })}` : ""}</p>
        <p class="row small"><span>${t("flow.accepted", { n: route.accepted })}</span><${Status} state="succeeded" label=${t("flow.succeeded", { n: route.succeeded })} />
          ${route.running > 0 && html`<${Status} state="running" label=${t("flow.running", { n: route.running })} />`}${route.waiting > 0 && html`<${Status} state="waiting" label=${t("flow.waiting", { n: route.waiting })} />`}
          ${route.dead > 0 && html`<${Status} state="dead" label=${t("flow.letters", { n: route.dead })} />`}</p>
        <${Table} caption=${t("flow.steps-of", { route: plain(route.name) })} columns=${columns} rows=${route.steps} />
      </section>`;
    })}
    <section class="card section" aria-label=${t("flow.plugins")}><header><h2>${t("flow.plugins")}</h2></header>
      <${Table} cards="narrow" caption=${t("flow.plugins")} rows=${data.plugins} columns=${[
        { key: "name", title: t("flow.plugin"), render: (plugin) => html`<a href=${`/plugins/${encodeURIComponent(plugin.name)}`}>${plain(plugin.name)}</a> <span class="faint small">${plain(plugin.title ?? "")}</span>` },
        { key: "hosts", title: t("flow.systems"), render: (plugin) => ((plugin.hosts ?? []).length > 0 ? plugin.hosts.map((host) => html`<div key=${host.host}>${plain(host.host)} <span class="faint small">${t("flow.requests", { n: host.requests, errors: host.errors })}</span></div>`) : "–") },
        { key: "calls", title: t("flow.calls"), align: "end", render: (plugin) => number(plugin.calls) },
        { key: "failures", title: t("flow.failures"), align: "end", render: (plugin) => number(plugin.failures) },
        { key: "breaker", title: t("flow.breaker"), render: (plugin) => (plugin.breaker ? html`<${Status} state=${plugin.breaker} />` : "–") },
      ]} /></section>
  </div>`;
}
