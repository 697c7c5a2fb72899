// Routes: which events take which way, and how many went well.
import { html } from "../preact.js";
import { useGet } from "../api.js";
import { number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Empty, Loading, Page, Problem, Table } from "../parts/index.js";
import { Names } from "../parts/facts.js";
import { useReload } from "../parts/reload.js";

const STATES = ["succeeded", "running", "waiting", "dead"];
const TONES = { dead: "bad-number" };
const at = (row) => `/routes/${encodeURIComponent(row.name)}`;

function Count({ route, state }) {
  const count = route.runs[state] ?? 0;
  if (!count) return html`<span class="faint">${number(0)}</span>`;
  const href = state === "dead" ? `/dead-letters?route=${encodeURIComponent(route.name)}` : `/events?route=${encodeURIComponent(route.name)}&status=${state}`;
  return html`<a class=${TONES[state]} href=${href}>${number(count)}</a>`;
}

function columns() {
  return [
    { key: "name", title: t("routes.name"), sort: (row) => row.name, render: (row) => html`<a href=${at(row)}>${plain(row.name)}</a>` },
    { key: "types", title: t("routes.types"), render: (row) => html`<${Names} values=${row.types} />` },
    { key: "sources", title: t("routes.sources"), narrow: false, render: (row) => html`<${Names} values=${row.sources} none=${t("routes.any-source")} />` },
    { key: "steps", title: t("routes.steps"), narrow: false, render: (row) => html`<${Names} values=${row.steps.map((step) => step.name)} />` },
    ...STATES.map((state) => ({ key: state, title: t(`routes.col-${state}`), align: "end", sort: (row) => row.runs[state] ?? 0, render: (row) => html`<${Count} route=${row} state=${state} />` })),
  ];
}

export default function Routes() {
  const routes = useGet("/v1/routes");
  const { button, outcome } = useReload(routes.reload);
  useRefresh(["run.changed", "revision.applied"], routes.reload, 2_000);
  const { data, problem } = routes;
  return html`<${Page} title=${t("common.page-routes")} lead=${data ? t("routes.lead", { n: data.revision }) : undefined} actions=${button}>
    ${outcome}
    ${problem && html`<${Problem} problem=${problem} retry=${routes.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Table} cards="wide" caption=${t("common.page-routes")} columns=${columns()} rows=${data.routes} rowKey=${(row) => row.name} href=${at}
      empty=${html`<${Empty} title=${t("routes.none")} icon="routes"><p>${t("routes.none-how")}</p><//>`} />`}
  <//>`;
}
