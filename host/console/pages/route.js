// One route: what it wants, its steps, its runs, the text that made it, and a box to try it on a sample without any effect.
import { html } from "../preact.js";
import { useGet } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Code, Empty, LinkButton, Loading, Page, Problem, Section, Status, Table } from "../parts/index.js";
import { Facts, Names } from "../parts/facts.js";
import { Warnings } from "../parts/reload.js";
import { StepsGraph } from "../parts/steps-graph.js";
import { TryOut } from "../parts/try-out.js";

const ORDER = ["succeeded", "running", "waiting", "pending", "held", "dead", "cancelled"];

const TEXT_AND_TRYING = "/v1/routes/{name}";

export default function Route({ name }) {
  const routes = useGet("/v1/routes");
  // What this host answers: the text of a route and the try-out box come with a way of their own.
  const ways = useGet("/openapi.json");
  const whole = useGet(ways.data?.paths?.[TEXT_AND_TRYING] ? `/v1/routes/${encodeURIComponent(name)}` : null);
  useRefresh(["run.changed", "revision.applied"], routes.reload, 2_000);
  const problem = routes.problem ?? whole.problem;
  const listed = routes.data?.routes.find((one) => one.name === name);
  const data = listed && { ...whole.data, ...listed };
  const crumbs = [{ href: "/routes", title: t("common.page-routes") }];
  const letters = data?.runs.dead ? html`<${LinkButton} icon="dead-letters" href=${`/dead-letters?route=${encodeURIComponent(name)}`}>${t("routes.letters", { n: data.runs.dead })}<//>` : null;
  return html`<${Page} title=${plain(name)} crumbs=${crumbs}
    actions=${html`${letters}<${LinkButton} icon="events" href=${`/events?route=${encodeURIComponent(name)}`}>${t("routes.events")}<//>`}>
    ${problem && html`<${Problem} problem=${problem} retry=${routes.reload} />`}
    ${!routes.data && !problem && html`<${Loading} />`}
    ${routes.data && !listed && !problem && html`<${Empty} title=${t("common.not-found")} icon="routes" />`}
    ${data && html`<div class="columns"><${Wants} of=${data} /><${Runs} of=${data} /></div>
      <${Steps} steps=${data.steps} />
      ${whole.data && html`<${TryOut} route=${whole.data} /><${Written} of=${whole.data} />`}`}
  <//>`;
}

function Wants({ of }) {
  return html`<${Section} title=${t("routes.wants")}><${Facts} facts=${[
    [t("routes.types"), html`<${Names} values=${of.types} />`],
    [t("routes.sources"), html`<${Names} values=${of.sources} none=${t("routes.any-source")} />`],
    [t("routes.when"), of.when ? html`<code>${plain(of.when)}</code>` : t("routes.always")],
    [t("routes.order"), of.order_by ? html`<code>${plain(of.order_by)}</code>` : t("routes.no-order")],
    [t("routes.on-dead"), of.order_by && t(`routes.on-dead-${of.order_on_dead}`)],
  ]} /><//>`;
}

function Runs({ of }) {
  const states = [...ORDER.filter((state) => of.runs[state]), ...Object.keys(of.runs).filter((state) => !ORDER.includes(state) && of.runs[state])];
  const href = (state) => (state === "dead" ? `/dead-letters?route=${encodeURIComponent(of.name)}` : `/events?route=${encodeURIComponent(of.name)}&status=${state}`);
  return html`<${Section} title=${t("routes.runs")}>${states.length === 0 ? html`<p class="faint">${t("routes.no-runs")}</p>`
    : html`<ul class="plain-list">${states.map((state) => html`<li key=${state} class="row"><a class="number" href=${href(state)}>${number(of.runs[state])}</a><${Status} state=${state} /></li>`)}</ul>`}<//>`;
}

function Steps({ steps }) {
  return html`<${Section} title=${t("routes.steps")}>
    <${StepsGraph} steps=${steps} />
    <${Table} cards="narrow" caption=${t("routes.steps")} rows=${steps} columns=${[
      { key: "name", title: t("routes.name"), render: (row) => html`<code>${plain(row.name)}</code>` },
      { key: "uses", title: t("routes.uses"), render: (row) => {
        const [plugin, action] = row.plugin ? [row.plugin, row.action] : row.uses.split(/\.(.*)/s);
        return html`<a href=${`/plugins/${encodeURIComponent(plugin)}`}>${plain(plugin)}</a>.${plain(action)}`;
      } },
      { key: "needs", title: t("routes.after"), render: (row) => html`<${Names} values=${row.needs} />` },
      { key: "when", title: t("routes.when"), narrow: false, render: (row) => (row.when ? html`<code>${plain(row.when)}</code>` : html`<span class="faint">${t("routes.always")}</span>`) },
      { key: "limits", title: t("routes.tries"), narrow: false, render: (row) => t("routes.tries-of", { n: row.max_attempts, time: duration(row.timeout_ms) }) },
      { key: "failure", title: t("routes.on-failure"), render: (row) => t(`routes.on-failure-${row.on_failure}`) },
      { key: "doubt", title: t("routes.on-doubt"), narrow: false, render: (row) => t(`routes.on-doubt-${row.on_doubt}`) },
    ]} />
  <//>`;
}

function Written({ of }) {
  if (!of.toml) return html`<${Section} title=${t("routes.text")}><p class="faint">${t("routes.no-text")}</p><//>`;
  const from = of.toml_from === "file" ? t("routes.from-file", { file: plain(of.file ?? ""), n: of.line ?? 1 }) : t("routes.from-revision");
  return html`<${Section} title=${t("routes.text")}>
    <p class="small">${from}</p>
    <${Warnings} warnings=${of.warnings} />
    <${Code} text=${of.toml} label=${t("routes.text")} from=${of.line ?? 1} mark=${of.warnings?.[0]?.line} />
  <//>`;
}
