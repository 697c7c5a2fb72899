// A replay of many dead letters: page by page, with how far it has come, a way to stop it, what was refused, and how the replays do. It goes on while one
// looks at other pages of the console.
import { html, useEffect, useRef } from "../../preact.js";
import { get, post } from "../../api.js";
import { t } from "../../i18n.js";
import { listen } from "../../live.js";
import { Signal, useSignal } from "../../signal.js";
import { announce, Button, Icon, Problem, Progress, Section, Status, Text } from "../../parts/index.js";

/** Letters of one request: few enough for the bar to move and for a stop to take effect. */
const PAGE = 100;
/** Replays whose end is followed. */
const FOLLOWED = 10_000;
/** Events that are asked for one by one where the stream does not tell, at a time. */
const SINGLY = 20;
/** Refusals and new deaths that are listed. */
const LISTED = 50;
/** How often what has not been told is asked for. */
const EVERY = 2_000;

/**
 * The replay that runs, or ran last: `{ title, total, state, done, replayed, refused, runs, succeeded, dead, problem }`. `state`: `running`, `stopped`, `ended`,
 * `failed`. `runs`: those that have not ended, by id, with the event where it is known. `refused`: `[{ eid, run, detail }]`; `dead`: `[{ eid, run }]`.
 */
export const replaying = new Signal(null);

let ending = null;

const change = (patch) => {
  replaying.value = { ...replaying.value, ...patch };
};

/** Begins one: of what `filter` finds, or of these `letters`. Only one runs at a time. */
export async function begin({ filter, letters, total, title }) {
  if (replaying.value?.state === "running") return;
  ending?.();
  const job = { title, total, state: "running", done: 0, replayed: 0, refused: [], runs: new Map(), succeeded: 0, dead: [], problem: null, begun: new Date().toISOString() };
  replaying.value = job;
  ending = follow();
  try {
    await (letters ? oneByOne(letters) : pageByPage(filter));
    if (replaying.value.state === "running") change({ state: "ended" });
  } catch (problem) {
    change({ state: "failed", problem });
  }
  const { replayed, refused } = replaying.value;
  announce(t("dead-letters.told", { n: replayed, refused: refused.length }));
}

/** What the page of replays says. Some have ended before their answer came. */
function take(replays, refused, eidOf = (replay) => replay.eid ?? null) {
  const job = replaying.value;
  const runs = new Map(job.runs);
  let { succeeded, dead } = job;
  for (const replay of replays) {
    const early = told.get(replay.run);
    const eid = early?.eid ?? eidOf(replay);
    if (early?.status === "succeeded") succeeded += 1;
    else if (early?.status === "dead") dead = [...dead, { eid, run: replay.run }];
    else if (early?.status !== "cancelled" && runs.size < FOLLOWED) runs.set(replay.run, eid);
  }
  change({ runs, succeeded, dead, replayed: job.replayed + replays.length, refused: [...job.refused, ...refused], done: job.done + replays.length + refused.length });
}

async function pageByPage(filter) {
  let cursor;
  do {
    const answer = await post("/v1/dead-letters/replay", { ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) });
    take(answer.replays ?? [], answer.refused ?? []);
    cursor = answer.next_cursor ?? null;
  } while (cursor && replaying.value.state === "running");
}

async function oneByOne(letters) {
  for (const letter of letters) {
    if (replaying.value.state !== "running") return;
    try {
      const answer = await post(`/v1/events/${encodeURIComponent(letter.eid)}/replay`, { route: letter.route });
      take(answer.replays, [], () => letter.eid);
    } catch (problem) {
      if (![404, 409].includes(problem.status)) throw problem;
      take([], [{ eid: letter.eid, run: letter.run, detail: problem.detail }]);
    }
  }
}

/** Ends of runs that were told while the request that began them was under way. */
const told = new Map();

/** Listens to how the replays do, and asks where nothing is told. */
function follow() {
  told.clear();
  const ended = (run, status, eid) => {
    const job = replaying.value;
    if (!job.runs.has(run)) {
      if (job.state === "running" && told.size < FOLLOWED) told.set(run, { status, eid });
      return;
    }
    const runs = new Map(job.runs);
    runs.delete(run);
    change({ runs, ...(status === "succeeded" ? { succeeded: job.succeeded + 1 } : {}), ...(status === "dead" ? { dead: [...job.dead, { eid, run }] } : {}) });
    if (runs.size === 0 && job.state !== "running") announce(t("dead-letters.ended", { n: replaying.value.succeeded, dead: replaying.value.dead.length }));
  };
  const isEnd = (status) => ["succeeded", "dead", "cancelled"].includes(status);
  let asking = false;
  const catchUp = async () => {
    const job = replaying.value;
    if (asking || job.runs.size === 0 || document.hidden) return;
    asking = true;
    try {
      // Those that died again are dead letters once more; the others are looked up by their events, where these are known.
      const dead = await get("/v1/dead-letters", { since: job.begun, limit: 500 });
      for (const letter of dead.dead_letters) if (job.runs.has(letter.run)) ended(letter.run, "dead", letter.eid);
      const known = [...replaying.value.runs].filter(([, eid]) => eid).slice(0, SINGLY);
      const documents = await Promise.all([...new Set(known.map(([, eid]) => eid))].map((eid) => get(`/v1/events/${encodeURIComponent(eid)}`).catch(() => null)));
      for (const document of documents) for (const run of document?.runs ?? []) if (isEnd(run.status)) ended(run.id, run.status, document.eid);
      if (replaying.value.state !== "running" && [...replaying.value.runs.values()].some((eid) => !eid)) await lookUp(ended, isEnd);
    } catch {
      // The frame tells that the host does not answer; the next time may do.
    } finally {
      asking = false;
    }
  };
  const end = listen(["run.changed"], ({ kind, data }) => {
    if (kind === "gap" || kind === "poll") catchUp();
    else if (isEnd(data.status)) ended(data.run, data.status, data.eid);
    else if (replaying.value.runs.get(data.run) === null) replaying.value.runs.set(data.run, data.eid);
  });
  const timer = setInterval(catchUp, EVERY);
  return () => {
    clearInterval(timer);
    end();
  };
}

/** Replays whose events nobody named: the newest events have their runs. */
async function lookUp(ended, isEnd) {
  const page = await get("/v1/events", { limit: 500 });
  for (const event of page.events) {
    for (const run of event.runs) {
      if (!replaying.value.runs.has(run.id)) continue;
      if (isEnd(run.status)) ended(run.id, run.status, event.eid);
      else replaying.value.runs.set(run.id, event.eid);
    }
  }
}

const stop = () => change({ state: "stopped" });

function close() {
  ending?.();
  ending = null;
  replaying.value = null;
}

export function Replaying() {
  const job = useSignal(replaying);
  const panel = useRef(null);
  const running = job?.state === "running";
  useEffect(() => {
    if (job?.begun) panel.current?.scrollIntoView({ block: "nearest" });
  }, [job?.begun]);
  if (!job) return null;
  const waits = job.runs.size;
  return html`<div ref=${panel} class="replaying"><${Section} title=${running ? t("dead-letters.job-runs") : t(`dead-letters.job-${job.state}`)}
    actions=${running ? html`<${Button} icon="off" onClick=${stop}>${t("dead-letters.stop")}<//>` : html`<${Button} icon="bad" onClick=${close}>${t("common.close")}<//>`}>
    <p class="job-title"><${Text} value=${job.title} /></p>
    <${Progress} label=${t("dead-letters.progress")} value=${Math.min(job.done, Math.max(job.total, job.done))} max=${Math.max(job.total, job.done, 1)} />
    ${job.problem && html`<${Problem} problem=${job.problem} title=${t("dead-letters.job-problem")} />`}
    <ul class="job-figures" aria-label=${t("dead-letters.outcome")}>
      <li><${Status} state="replayed" label=${t("dead-letters.n-replayed", { n: job.replayed })} /></li>
      <li class="job-succeeded"><${Status} state="succeeded" label=${t("dead-letters.n-succeeded", { n: job.succeeded })} /></li>
      ${waits > 0 && html`<li><${Status} state="running" label=${t("dead-letters.n-run", { n: waits })} /></li>`}
      ${job.dead.length > 0 && html`<li><${Status} state="dead" label=${t("dead-letters.n-dead", { n: job.dead.length })} /></li>`}
      ${job.refused.length > 0 && html`<li><${Status} state="failed" label=${t("dead-letters.n-refused", { n: job.refused.length })} /></li>`}
    </ul>
    ${waits > 0 && !running && html`<p><a href="/events?status=running,waiting,pending">${t("dead-letters.to-running")}</a></p>`}
    ${job.dead.length > 0 && html`<details open=${job.dead.length <= 5}><summary>${t("dead-letters.died-again")}</summary><ul>${job.dead.slice(0, LISTED).map((one) => html`<li key=${one.run}>
      <a href=${`/events/${one.eid}?run=${one.run}`}><code>${one.eid}</code></a></li>`)}</ul>${job.dead.length > LISTED && html`<p class="faint">${t("dead-letters.and-more", { n: job.dead.length - LISTED })}</p>`}</details>`}
    ${job.refused.length > 0 && html`<details open><summary>${t("dead-letters.refused-why")}</summary><ul class="refused">${job.refused.slice(0, LISTED).map((one) => html`<li key=${one.run}>
      <a href=${`/events/${one.eid}?run=${one.run}`}><code>${one.eid}</code></a> <${Text} value=${one.detail} /></li>`)}</ul>${job.refused.length > LISTED && html`<p class="faint">${t("dead-letters.and-more", { n: job.refused.length - LISTED })}</p>`}</details>`}
    ${!running && waits === 0 && job.dead.length === 0 && job.refused.length === 0 && job.replayed > 0 && html`<p class="row job-well" data-tone="ok"><${Icon} name="ok" /><span>${t("dead-letters.all-well")}</span></p>`}
  <//></div>`;
}
