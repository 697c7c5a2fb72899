// Plugins: which run here, how they do, and which of them is on trial or kept from a system.
import { html } from "../preact.js";
import { useGet } from "../api.js";
import { duration, number, percent, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Empty, Loading, Page, Problem, Status, Table } from "../parts/index.js";

const WORST = ["open", "half-open", "closed"];

/** The worst state of a plugin's circuit breakers; `null` where it has none. */
export function breakerOf(plugin) {
  if (!plugin.breaker) return null;
  return WORST.find((state) => plugin.breaker.hosts.some((host) => host.state === state)) ?? "closed";
}

const of = (plugin, name) => plugin.use?.[name] ?? null;
const share = (plugin) => (of(plugin, "calls") ? of(plugin, "failures") / of(plugin, "calls") : null);

function columns() {
  return [
    { key: "name", title: t("plugins.name"), sort: (row) => row.name, render: (row) => html`<a href=${`/plugins/${encodeURIComponent(row.name)}`}>${plain(row.name)}</a>
      <div class="faint small">${plain(row.title ?? "")}</div>` },
    { key: "version", title: t("plugins.version"), sort: (row) => row.version, render: (row) => html`${plain(row.plugin)} <span class="nowrap">${plain(row.version)}</span>` },
    { key: "contract", title: t("plugins.contract"), narrow: false, render: (row) => (row.built_in ? t("plugins.built-in") : plain(row.contract ?? "–")) },
    { key: "calls", title: t("plugins.calls"), align: "end", sort: (row) => of(row, "calls"), render: (row) => number(of(row, "calls")) },
    { key: "failures", title: t("plugins.failures"), align: "end", sort: share, render: (row) => (of(row, "failures")
      ? html`<span class="bad-number">${number(of(row, "failures"))}</span> <span class="faint small">${percent(share(row))}</span>` : number(of(row, "failures"))) },
    { key: "p99", title: t("plugins.p99"), align: "end", narrow: false, sort: (row) => of(row, "p99_ms"), render: (row) => duration(of(row, "p99_ms")) },
    { key: "breaker", title: t("plugins.breaker"), sort: (row) => WORST.indexOf(breakerOf(row)), render: (row) => (breakerOf(row) ? html`<${Status} state=${breakerOf(row)} />` : "–") },
    { key: "canary", title: t("plugins.canary"), narrow: false, sort: (row) => row.canary?.state, render: (row) => (row.canary ? html`<${Status} state=${row.canary.state} />` : "–") },
  ];
}

export default function Plugins() {
  const plugins = useGet("/v1/plugins");
  useRefresh(["attempt.ended", "revision.applied"], plugins.reload, 2_000);
  const { data, problem } = plugins;
  return html`<${Page} title=${t("common.page-plugins")} lead=${t("plugins.lead")}>
    ${problem && html`<${Problem} problem=${problem} retry=${plugins.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Table} cards="narrow" caption=${t("common.page-plugins")} columns=${columns()} rows=${data.plugins} rowKey=${(row) => row.name}
      href=${(row) => `/plugins/${encodeURIComponent(row.name)}`} empty=${html`<${Empty} title=${t("plugins.none")} />`} />
      <p class="faint small">${t("plugins.since-start")}</p>`}
  <//>`;
}
