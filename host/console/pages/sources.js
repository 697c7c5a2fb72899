// Sources: where events come from, whether each is well, and what it has brought.
import { html } from "../preact.js";
import { useGet } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Empty, Loading, Page, Problem, RelativeTime, Status, Table } from "../parts/index.js";

const at = (row) => `/sources/${encodeURIComponent(row.name)}`;

/** How each state of a source looks, where the shared ones say something else. */
const LOOKS = { stopped: "broken", receiving: "active", connecting: "connecting" };

export function SourceState({ of }) {
  const state = of.state ?? "receives";
  if (state === "receives") return html`<${Status} state="active" label=${t("sources.state-receives")} />`;
  const known = ["active", "waiting", "paused", "stopped", "done", "cancelled", "receiving", "connecting", "interrupted"].includes(state);
  return html`<${Status} state=${LOOKS[state] ?? state} label=${known ? t(`sources.state-${state}`) : undefined} />`;
}

/** What a source has brought in, and what of it was known before. */
export const counts = (of) => ({ events: of.counts?.events ?? of.events ?? null, duplicates: of.counts?.duplicates ?? of.duplicates ?? null });

/** What went wrong with deliveries, summed over the reasons. */
export const refused = (of) => Object.values(of.counts?.refused ?? {}).reduce((sum, one) => sum + one, 0);

/** When it brought something last. */
export const last = (of) => of.counts?.last_delivery_at ?? of.last_success_at ?? of.last_message_at ?? null;

function columns() {
  return [
    { key: "name", title: t("sources.name"), sort: (row) => row.name, render: (row) => html`<a href=${at(row)}>${plain(row.name)}</a><div class="faint small">${t(`sources.type-${row.type}`)}</div>` },
    { key: "state", title: t("sources.state"), sort: (row) => row.state, render: (row) => html`<${SourceState} of=${row} />${row.failures > 0 && html` <span class="small bad-number">${t("sources.failures", { n: row.failures })}</span>`}` },
    { key: "events", title: t("sources.events"), align: "end", sort: (row) => counts(row).events, render: (row) => number(counts(row).events) },
    { key: "refused", title: t("sources.refused"), align: "end", narrow: false, sort: refused, render: (row) => (refused(row) > 0 ? html`<span class="bad-number">${number(refused(row))}</span>` : number(refused(row))) },
    { key: "aside", title: t("sources.set-aside"), align: "end", sort: (row) => row.set_aside, render: (row) => (row.set_aside > 0
      ? html`<a class="bad-number" href=${`${at(row)}#set-aside`}>${number(row.set_aside)}</a>` : number(row.set_aside ?? 0)) },
    { key: "last", title: t("sources.last"), sort: last, render: (row) => html`<${RelativeTime} at=${last(row)} />` },
    { key: "next", title: t("sources.next"), narrow: false, render: (row) => (row.next_at ? html`<${RelativeTime} at=${row.next_at} />` : row.every_ms ? t("sources.every", { time: duration(row.every_ms) }) : "–") },
  ];
}

export default function Sources() {
  const sources = useGet("/v1/sources");
  useRefresh(["source.changed", "event.accepted", "revision.applied"], sources.reload, 2_000);
  const { data, problem } = sources;
  return html`<${Page} title=${t("common.page-sources")} lead=${t("sources.lead")}>
    ${problem && html`<${Problem} problem=${problem} retry=${sources.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Table} cards="narrow" caption=${t("common.page-sources")} columns=${columns()} rows=${data.sources} rowKey=${(row) => row.name} href=${at}
      empty=${html`<${Empty} title=${t("sources.none")} icon="sources"><p>${t("sources.none-how")}</p><//>`} />`}
  <//>`;
}
