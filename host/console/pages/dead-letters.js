// Dead letters: what failed for good, gathered by cause, and replayed one by one, by cause, or all.
import { html, useEffect, useMemo } from "../preact.js";
import { useGet } from "../api.js";
import { knows, t, time } from "../i18n.js";
import { useRefresh } from "../live.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { ask, Button, Empty, Icon, Loading, Page, Problem, Select } from "../parts/index.js";
import { FAILURES, Typed, When } from "./events/filters.js";
import { Group } from "./dead-letters/group.js";
import { begin, Replaying, replaying } from "./dead-letters/replaying.js";
import { useSignal } from "../signal.js";

/** What the host takes as it stands. */
const FILTERS = ["q", "route", "plugin", "type", "kind", "since", "until"];
/** Groups that are shown at first, and more at a time. */
const GROUPS = 50;

const state = (name) => (knows(`common.state-${name}`) ? t(`common.state-${name}`) : name);

/** What the host is asked: the filters that are set. */
export const filterOf = (query) => Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));

export default function DeadLetters({ query }) {
  const asked = JSON.stringify(filterOf(query));
  const filter = useMemo(() => JSON.parse(asked), [asked]);
  const most = Math.min(500, Number(query.most) || GROUPS);
  // `cause` in the query opens a group; it does not hide the others.
  const groups = useGet("/v1/dead-letters/groups", { ...filter, limit: most });
  useRefresh(["run.changed"], groups.reload, 1_500);
  const job = useSignal(replaying);
  const busy = job !== null && job.state === "running";
  // What was replayed is no dead letter any more, until it dies again.
  useEffect(() => {
    if (job) groups.reload();
  }, [job?.state, job?.dead.length]);
  const { data, problem } = groups;
  const filtered = Object.keys(filter).length > 0;

  const all = async () => {
    const confirmed = await ask({
      title: t("dead-letters.replay-title", { n: data.total }), confirm: t("dead-letters.replay"),
      text: filtered ? t("dead-letters.replay-filtered", { n: data.total }) : t("dead-letters.replay-text"),
    });
    if (confirmed) begin({ filter, total: data.total, title: filtered ? t("dead-letters.job-filtered") : t("dead-letters.job-all") });
  };
  const action = data && data.total > 0 && html`<${Button} kind="primary" icon="replay" needs="operate" why=${busy ? t("dead-letters.busy") : undefined} onClick=${all}>
    ${filtered ? t("dead-letters.replay-found", { n: data.total }) : t("dead-letters.replay-all", { n: data.total })}<//>`;
  return html`<${Page} title=${t("common.page-dead-letters")} lead=${t("dead-letters.lead")} actions=${action}>
    <${Replaying} />
    <${Filters} query=${query} />
    ${problem && html`<${Problem} problem=${problem} retry=${groups.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && data.groups.length === 0 && (filtered
      ? html`<${Empty} title=${t("dead-letters.none-fits")} icon="filter"><a class="button" href="/dead-letters"><${Icon} name="bad" /><span>${t("dead-letters.clear")}</span></a><//>`
      : html`<${Empty} title=${t("dead-letters.none")} icon="ok"><p>${t("dead-letters.none-why")}</p><a href="/events">${t("common.page-events")}</a><//>`)}
    ${data && data.groups.length > 0 && html`<p class="faint" role="status">${t("dead-letters.found", { n: data.total, causes: t("dead-letters.causes", { n: data.causes ?? data.groups.length }) })}</p>
      <ul class="letter-groups" aria-label=${t("dead-letters.groups")}>${data.groups.map((group) => html`<li key=${group.cause}><${Group} group=${group} filter=${filter} open=${query.cause === group.cause} busy=${busy} reload=${groups.reload} /></li>`)}</ul>
      ${(data.causes ?? 0) > data.groups.length && most < 500 && html`<div class="load-more"><${Button} icon="down" onClick=${() => setQuery({ most: most + GROUPS })}>${t("common.load-more")}<//></div>`}`}
  <//>`;
}

function Filters({ query }) {
  const routes = useGet("/v1/routes").data?.routes ?? [];
  const plugins = useGet("/v1/plugins").data?.plugins ?? [];
  const set = (name) => (value) => setQuery({ [name]: value });
  const choices = (names, value) => [{ value: "", label: t("dead-letters.any") }, ...[...new Set([...names, ...(value ? [value] : [])])].map((name) => ({ value: name, label: plain(name) }))];
  return html`<form class="card event-filters" role="search" aria-label=${t("dead-letters.filters")} onSubmit=${(event) => event.preventDefault()}>
    <div class="filters">
      <${Typed} label=${t("dead-letters.f-q")} type="search" placeholder=${t("dead-letters.f-q-hint")} value=${query.q} onTyped=${set("q")} />
      <${Select} label=${t("dead-letters.f-plugin")} value=${query.plugin} onChange=${set("plugin")} options=${choices(plugins.map((plugin) => plugin.name), query.plugin)} />
      <${Select} label=${t("dead-letters.f-route")} value=${query.route} onChange=${set("route")} options=${choices(routes.map((route) => route.name), query.route)} />
      <${Select} label=${t("dead-letters.f-kind")} value=${query.kind} onChange=${set("kind")} options=${choices(FAILURES, query.kind).map((one) => ({ ...one, label: one.value ? state(one.value) : one.label }))} />
      <${Typed} label=${t("dead-letters.f-type")} value=${query.type} onTyped=${set("type")} />
    </div>
    <details open=${Boolean(query.since || query.until)}><summary>${t("dead-letters.times")}</summary><div class="filters"><${When} name="since" label=${t("dead-letters.f-since")} query=${query} /><${When} name="until" label=${t("dead-letters.f-until")} query=${query} /></div></details>
    <${Chips} query=${query} />
  </form>`;
}

function Chips({ query }) {
  const set = FILTERS.filter((name) => query[name]);
  if (set.length === 0) return null;
  const word = (name) => (name === "kind" ? state(query.kind) : name === "since" || name === "until" ? time(query[name]) : plain(query[name]));
  return html`<ul class="chips" aria-label=${t("dead-letters.chips")}>${set.map((name) => html`<li key=${name}><button type="button" class="chip" onClick=${() => setQuery({ [name]: "" })}>
    <span class="faint">${t(`dead-letters.f-${name}`)}</span> <bdi>${word(name)}</bdi><${Icon} name="bad" size="12" /><span class="unseen">${t("dead-letters.chip-remove")}</span></button></li>`)}
    <li><button type="button" class="button quiet small" onClick=${() => setQuery(Object.fromEntries(FILTERS.map((name) => [name, ""])))}>${t("dead-letters.clear")}</button></li></ul>`;
}
