// Event: what came in, what its runs did with it, and everything that a person can do about it.
import { html, useCallback, useEffect, useRef } from "../preact.js";
import { useGet } from "../api.js";
import { t, time } from "../i18n.js";
import { useLive } from "../live.js";
import { setQuery } from "../router.js";
import { plain } from "../text.js";
import { announce, Copy, JsonView, Loading, Page, Problem, RelativeTime, Section, Status, Tabs, Text } from "../parts/index.js";
import { Actions } from "./event/actions.js";
import { chosenRun, linesOf } from "./event/lines.js";
import { Raw } from "./event/raw.js";
import { Run, RunList } from "./event/run.js";

/** Least time between two looks at an event that changes. */
const EVERY = 700;

/** Reads the event anew when something happens to it, at most so often. */
function useOwnNews(eid, reload) {
  const own = useRef({ timer: null, running: false, last: 0 });
  const ask = useCallback(() => {
    const state = own.current;
    if (state.timer !== null) return;
    state.timer = setTimeout(async function due() {
      if (state.running) {
        state.timer = setTimeout(due, EVERY);
        return;
      }
      state.timer = null;
      state.running = true;
      await reload();
      state.running = false;
      state.last = Date.now();
    }, Math.max(0, state.last + EVERY - Date.now()));
  }, [reload]);
  useEffect(() => () => clearTimeout(own.current.timer), []);
  useLive(["run.changed", "attempt.ended", "event.accepted"], ({ data }) => (!data?.eid || data.eid === eid) && ask());
}

export default function Event({ eid, query }) {
  const event = useGet(`/v1/events/${encodeURIComponent(eid)}`);
  useOwnNews(eid, event.reload);
  const { data, problem } = event;
  // A run that waits for its time is read anew then; the stream tells the rest.
  const due = data && Math.min(...data.runs.map((run) => (run.next_attempt_at ? Date.parse(run.next_attempt_at) : Infinity)));
  useEffect(() => {
    if (!data || !Number.isFinite(due)) return;
    const timer = setTimeout(event.reload, Math.min(Math.max(500, due - Date.now() + 500), 60_000));
    return () => clearTimeout(timer);
  }, [data]);
  const before = useRef(null);
  useEffect(() => {
    if (!data) return;
    if (before.current && before.current !== data.status) announce(t("events.status-now", { status: t(`common.state-${data.status}`) }));
    before.current = data.status;
  }, [data?.status]);

  const crumbs = [{ href: "/events", title: t("common.page-events") }];
  if (!data) {
    return html`<${Page} title=${t("events.event")} crumbs=${crumbs}>${problem ? html`<${Problem} problem=${problem} retry=${event.reload} />` : html`<${Loading} />`}<//>`;
  }
  const tabs = [
    { id: "runs", title: t("events.tab-runs"), content: () => html`<${Runs} data=${data} query=${query} reload=${event.reload} />` },
    { id: "data", title: t("events.tab-event"), content: () => html`<${Content} data=${data} />` },
    { id: "raw", title: t("events.tab-raw"), content: () => html`<${Raw} data=${data} />` },
  ];
  return html`<${Page} title=${plain(data.event.id)} crumbs=${crumbs} actions=${html`<${Actions} data=${data} query=${query} reload=${event.reload} />`}>
    ${problem && html`<${Problem} problem=${problem} retry=${event.reload} />`}
    <${Facts} data=${data} />
    <${Tabs} label=${t("events.event")} value=${query.tab ?? "runs"} onChange=${(id) => setQuery({ tab: id === "runs" ? "" : id })} tabs=${tabs} />
  <//>`;
}

function Facts({ data }) {
  const { event, cause } = data;
  return html`<div class="card event-facts" data-tone=${data.status === "dead" ? "bad" : undefined}>
    <p class="row"><${Status} state=${data.status} /><strong><${Text} value=${event.type} /></strong><span class="faint"><${RelativeTime} at=${data.received_at} /></span></p>
    ${data.status === "unrouted" ? html`<p>${t("events.unrouted-why")} <a href="/routes">${t("common.page-routes")}</a></p>`
      : data.status_reason && html`<p class="event-reason"><${Text} value=${data.status_reason} lines /></p>`}
    ${data.erased_at && html`<p class="notice" data-tone="warn">${t("events.erased", { at: time(data.erased_at) })}</p>`}
    <dl>
      <dt>${t("events.fact-eid")}</dt><dd><code>${data.eid}</code> <${Copy} text=${data.eid} label=${t("events.copy-eid")} /></dd>
      <dt>${t("events.fact-source")}</dt><dd><a href=${`/events?source=${encodeURIComponent(event.source)}`}><${Text} value=${event.source} /></a></dd>
      <dt>${t("events.fact-type")}</dt><dd><a href=${`/events?type=${encodeURIComponent(event.type)}`}><${Text} value=${event.type} /></a></dd>
      ${event.subject && html`<dt>${t("events.fact-subject")}</dt><dd><a href=${`/events?subject=${encodeURIComponent(event.subject)}`}><${Text} value=${event.subject} /></a></dd>`}
      <dt>${t("events.fact-received")}</dt><dd><time datetime=${data.received_at}>${time(data.received_at)}</time></dd>
      ${event.time && html`<dt>${t("events.fact-time")}</dt><dd><time datetime=${event.time}>${time(event.time)}</time></dd>`}
      ${cause && html`<dt>${t("events.fact-cause")}</dt><dd><a href=${`/events/${cause.eid}?run=${cause.run}&step=${encodeURIComponent(cause.step)}`}>${t("events.cause", { step: plain(cause.step) })}</a></dd>`}
    </dl>
  </div>`;
}

function Runs({ data, query, reload }) {
  const lines = linesOf(data.runs);
  const run = chosenRun(data.runs, query);
  if (!run) return html`<p>${t("events.no-runs")}</p>`;
  return html`<div class="event-runs">
    ${data.runs.length > 1 && html`<${RunList} lines=${lines} run=${run} />`}
    <${Run} key=${run.id} eid=${data.eid} said=${data.status_reason} run=${run} lines=${lines} query=${query} reload=${reload} />
  </div>`;
}

function Content({ data }) {
  const { data: content, data_base64: binary, ...attributes } = data.event;
  return html`<div class="stack">
    <${Section} title=${t("events.attributes")}><dl>${Object.entries(attributes).map(([name, value]) => html`<dt key=${name}><code>${plain(name)}</code></dt><dd><${Text} value=${String(value)} /></dd>`)}</dl><//>
    <${Section} title=${t("events.content")}>${binary !== undefined ? html`<p>${t("events.binary")}</p><pre class="wrapped"><code>${plain(binary)}</code></pre>` : html`<${JsonView} value=${content ?? null} label=${t("events.content")} open=${4} />`}<//>
  </div>`;
}
