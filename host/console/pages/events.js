// Events: every one that came in, found by every column, with new ones as they come.
import { html, useEffect, useMemo, useRef } from "../preact.js";
import { t, time } from "../i18n.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { Button, Empty, Icon, Loading, Page, Problem, RelativeTime, Select, Status, Table, Text } from "../parts/index.js";
import { Filters, filtersOf, isFiltered, paramsOf } from "./events/filters.js";
import { useTail } from "./events/tail.js";
import { Exports } from "./events/export.js";
import { HowToSend } from "./events/how-to-send.js";

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Routes of an event, each once: replays add runs, not routes. */
export const routesOf = (row) => [...new Set(row.runs.map((run) => run.route))];

function columnsOf(absolute) {
  return [
    { key: "id", title: t("events.col-id"), width: "17%", render: (row) => html`<a href=${`/events/${row.eid}`} title=${plain(row.event.id)}><${Text} value=${row.event.id} /></a>
      <span class="only-narrow faint small"><${Text} value=${row.event.type} /></span>` },
    { key: "type", title: t("events.col-type"), width: "12%", narrow: false, render: (row) => html`<${Text} value=${row.event.type} />` },
    { key: "status", title: t("events.col-status"), width: "9.5rem", render: (row) => html`<${Status} state=${row.status} /><span class="only-narrow faint small">${absolute ? html`<time class="number" datetime=${row.received_at}>${time(row.received_at)}</time>` : html`<${RelativeTime} at=${row.received_at} />`}</span>` },
    { key: "reason", title: t("events.col-reason"), narrow: false, render: (row) => (row.status_reason && row.status !== "unrouted"
      ? html`<span class="cell-cut" title=${plain(row.status_reason)}><${Text} value=${row.status_reason} /></span>` : html`<span class="faint">–</span>`) },
    { key: "routes", title: t("events.col-routes"), width: "12%", narrow: false, render: (row) => html`<span class="cell-cut" title=${plain(routesOf(row).join(", "))}><${Text} value=${routesOf(row).join(", ") || "–"} /></span>` },
    { key: "source", title: t("events.col-source"), width: "11%", narrow: false, render: (row) => html`<span class="cell-cut" title=${plain(row.event.source)}><${Text} value=${row.event.source} /></span>` },
    { key: "received", title: absolute ? t("events.col-received-zone", { zone: zone() }) : t("events.col-received"), width: absolute ? "13rem" : "8.5rem",
      render: (row) => (absolute ? html`<time class="number nowrap" datetime=${row.received_at}>${time(row.received_at)}</time>` : html`<span class="nowrap"><${RelativeTime} at=${row.received_at} /></span>`) },
  ];
}

/** Arrows move between the rows' links, as in a list of a mail program; Home and End go to the first and the last event that is here. */
function arrows(event) {
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
  const frame = event.currentTarget.querySelector(".table-frame");
  const links = () => [...frame.querySelectorAll("tbody td:first-child a[href]")];
  const link = event.target.closest?.("tbody a[href]");
  if (!link && event.target !== frame) return;
  const go = (link) => {
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "nearest" });
  };
  event.preventDefault();
  if (event.key === "Home" || event.key === "End") {
    frame.scrollTop = event.key === "Home" ? 0 : frame.scrollHeight;
    // Drawn when the table has heard of it.
    requestAnimationFrame(() => requestAnimationFrame(() => go(links().at(event.key === "Home" ? 0 : -1))));
    return;
  }
  // From the table itself, into it where it stands.
  const top = frame.getBoundingClientRect().top;
  const at = link ? links().indexOf(link) + (event.key === "ArrowDown" ? 1 : -1) : links().findIndex((one) => one.getBoundingClientRect().top > top + 30);
  if (at >= 0) go(links()[at]);
}

export default function Events({ query }) {
  // "The last hour" counts from when it was asked for: otherwise the list would begin anew every minute.
  const asked = JSON.stringify(filtersOf(query));
  const params = useMemo(() => paramsOf(JSON.parse(asked)), [asked]);
  const tail = useTail(params, query.follow === "1");
  const absolute = query.times === "absolute";
  const columns = useMemo(() => columnsOf(absolute), [absolute]);
  const frame = useRef(null);
  const filtered = isFiltered(query);

  // Rows that come under the pointer, the focus or while somebody reads further down would take what is read from under their eyes.
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    let asked = 0;
    const look = () => {
      asked = 0;
      const inside = element.matches(":hover") || element.querySelector("tbody :focus-visible") !== null;
      const down = (element.querySelector(".table-frame")?.scrollTop ?? 0) > 0 || element.getBoundingClientRect().top < 0;
      tail.pause(inside || down);
    };
    // Once a frame at most, before it is drawn: scrolling asks more often, and each look would lay the page out.
    const later = () => (asked ||= requestAnimationFrame(look));
    const events = ["pointerenter", "pointerleave", "focusin", "focusout"];
    for (const name of events) element.addEventListener(name, later);
    addEventListener("scroll", later, { capture: true, passive: true });
    look();
    return () => {
      for (const name of events) element.removeEventListener(name, later);
      removeEventListener("scroll", later, { capture: true });
      cancelAnimationFrame(asked);
    };
  }, [tail.pause]);

  const follow = html`<${Button} icon=${tail.follows ? "pause" : "run"} aria-pressed=${tail.follows ? "true" : "false"}
    onClick=${() => setQuery({ follow: tail.follows ? "" : "1" })}>${tail.follows ? t("events.follow-on") : t("events.follow")}<//>`;
  return html`<${Page} title=${t("common.page-events")} actions=${html`${follow}<${Exports} rows=${tail.items} />`}>
    <${Filters} query=${query} />
    <div class="row spread tail-line">
      <p class="tail-news">${tail.fresh > 0 && html`<${Button} kind="primary" small icon="up" onClick=${() => { tail.show(); frame.current?.scrollIntoView({ block: "nearest" }); }}>
        ${tail.freshMore ? t("events.new-more", { n: tail.fresh }) : t("events.new", { n: tail.fresh })}<//>`}
        ${tail.follows && html`<span class="faint">${tail.paused ? t("events.follow-paused") : t("events.follow-runs")}</span>`}</p>
      <${Select} label=${t("events.times")} hideLabel value=${absolute ? "absolute" : "relative"} onChange=${(value) => setQuery({ times: value === "absolute" ? value : "" })}
        options=${[{ value: "relative", label: t("events.times-relative") }, { value: "absolute", label: t("events.times-absolute", { zone: zone() }) }]} />
    </div>
    ${tail.problem && html`<${Problem} problem=${tail.problem} retry=${tail.reload} />`}
    <div ref=${frame} onKeyDown=${arrows} class="events-table">
      ${tail.loading && tail.items.length === 0 ? html`<${Loading} />` : !tail.problem || tail.items.length > 0
        ? html`<${Table} caption=${t("events.caption")} columns=${columns} rows=${tail.items} long more=${tail.more} rowKey=${(row) => row.eid} href=${(row) => `/events/${row.eid}`} rowTone=${(row) => (row.status === "dead" ? "bad" : undefined)}
            onEnd=${tail.more && !tail.loading ? tail.loadMore : undefined} empty=${filtered ? html`<${NothingFits} looked=${tail.more} loadMore=${tail.loadMore} />` : html`<${Empty} title=${t("events.none")} icon="events"><${HowToSend} /><//>`} />` : null}
    </div>
    ${tail.items.length > 0 && html`<div class="load-more"><span>${t("events.shown", { n: tail.items.length })}</span>
      ${tail.more && html`<${Button} icon="down" disabled=${tail.loading} onClick=${tail.loadMore}>${t("common.load-more")}<//>`}
      ${!tail.more && html`<span>${t("events.all-shown")}</span>`}<span class="faint not-narrow">${t("events.keys")}</span></div>`}
  <//>`;
}

/** No event fits. With text that not everybody may search by, a page may be empty while there are others. */
function NothingFits({ looked, loadMore }) {
  return html`<${Empty} title=${looked ? t("events.none-here") : t("events.none-fits")} icon="filter">
    <p>${t("events.none-fits-why")}</p>
    <div class="row">${looked && html`<${Button} icon="down" onClick=${loadMore}>${t("events.look-further")}<//>`}<a class="button" href="/events"><${Icon} name="bad" /><span>${t("events.clear")}</span></a></div>
  <//>`;
}
