// The list of events and what comes in while it is shown: new rows wait to be shown or, in the following mode, come by themselves; rows that are there
// tell how their runs go.
import { useCallback, useEffect, useRef, useState } from "../../preact.js";
import { get } from "../../api.js";
import { t } from "../../i18n.js";
import { useLive } from "../../live.js";
import { announce } from "../../parts/index.js";

/** Rows of the first page, which comes fast … */
const PAGE = 100;
/** … and of the others, so that whoever goes through thousands seldom waits. */
const FURTHER = 250;
/** Pages that are read to reach what is known already; beyond them the list begins anew. */
const REACH = 3;
/** Most rows that are kept: older ones are read again when they are wanted. */
const MOST = 10_000;
/** Events beyond the first pages that are asked for one by one, at a time. */
const SINGLY = 8;
/** Least time between two looks. */
const EVERY = 1_000;

const empty = (key) => ({ key, items: [], waiting: [], gap: false, cursor: null, problem: null, loading: true });

/** What was read takes the place of what was known; what is not known is not added. */
function refreshed(items, read) {
  const byId = new Map(read.map((row) => [row.eid, row]));
  return items.map((row) => byId.get(row.eid) ?? row);
}

/** What a look found, beside what is known: rows that are new, in their order, and whether there may be more of them than were read. */
export function merged(old, rows, reached) {
  const known = new Set(old.items.map((row) => row.eid));
  return { ...old, items: refreshed(old.items, rows), waiting: rows.filter((row) => !known.has(row.eid)), gap: old.items.length > 0 && !reached };
}

/** The rows that wait are shown. After a gap the list begins with them: what lies between comes with the next page. */
export function shown(old) {
  if (old.waiting.length === 0) return old;
  if (old.gap) return { ...old, items: old.waiting, waiting: [], gap: false, cursor: old.gapCursor ?? null };
  const items = [...old.waiting, ...old.items];
  // The last rows go where there are too many; they can be read again only from the start, so the button for more goes with them.
  return { ...old, items: items.slice(0, MOST), waiting: [], cursor: items.length > MOST ? null : old.cursor };
}

/**
 * `{ items, fresh, freshMore, problem, loading, more, loadMore, reload, follows, paused, pause, show }`. `fresh`: how many new events wait to be shown;
 * `freshMore`: there are more of them than were read.
 */
export function useTail(params, follows) {
  const key = JSON.stringify(params);
  const [kept, set] = useState(empty(key));
  const [paused, setPaused] = useState(false);
  const state = kept.key === key ? kept : empty(key);
  const now = useRef(null);
  now.current = { state, follows, paused };
  const reading = useRef(null);

  const page = useCallback((cursor, signal) => get("/v1/events", { ...JSON.parse(key), limit: cursor ? FURTHER : PAGE, cursor }, { signal }), [key]);
  /** Changes the list that is shown now; what belongs to a former filter comes too late. */
  const change = useCallback((turn) => set((old) => turn(old.key === key ? old : empty(key))), [key]);

  const read = useCallback(async (cursor) => {
    reading.current?.abort();
    const abort = new AbortController();
    reading.current = abort;
    change((old) => ({ ...old, loading: true, problem: null }));
    try {
      const data = await page(cursor, abort.signal);
      change((old) => {
        const known = new Set(cursor ? old.items.map((row) => row.eid) : []);
        const items = cursor ? [...refreshed(old.items, data.events), ...data.events.filter((row) => !known.has(row.eid))] : data.events;
        return { ...old, items, waiting: cursor ? old.waiting : [], gap: cursor ? old.gap : false, cursor: data.next_cursor ?? null, problem: null, loading: false };
      });
    } catch (problem) {
      if (problem.name !== "AbortError") change((old) => ({ ...old, problem, loading: false }));
    }
  }, [page, change]);
  useEffect(() => {
    read(null);
    return () => reading.current?.abort();
  }, [read]);

  // What happened since the last look.
  const news = useRef({ changed: new Set(), timer: null, running: false, last: 0, ended: false });
  const look = useCallback(async () => {
    const { changed } = news.current;
    news.current.changed = new Set();
    const known = new Set(now.current.state.items.map((row) => row.eid));
    let [rows, cursor, reached] = [[], null, known.size === 0];
    for (let pages = 0; pages < REACH; pages += 1) {
      const data = await page(cursor);
      rows.push(...data.events);
      cursor = data.next_cursor ?? null;
      reached ||= data.events.some((row) => known.has(row.eid)) || cursor === null;
      if (reached) break;
    }
    const seen = new Set(rows.map((row) => row.eid));
    const further = [...changed].filter((eid) => known.has(eid) && !seen.has(eid)).slice(0, SINGLY);
    const single = await Promise.all(further.map((eid) => get(`/v1/events/${encodeURIComponent(eid)}`).catch(() => null)));
    rows = [...rows, ...single.filter(Boolean)];
    const before = now.current.state.waiting.length;
    const next = merged(now.current.state, rows, reached);
    const comes = next.items.length === 0 || (now.current.follows && !now.current.paused);
    change((old) => {
      const found = { ...merged(old, rows, reached), gapCursor: cursor, problem: null };
      return comes ? shown(found) : found;
    });
    if (next.waiting.length > before) announce(comes ? t("events.came", { n: next.waiting.length }) : t("events.new", { n: next.waiting.length }));
  }, [page, change]);

  const ask = useCallback(() => {
    const own = news.current;
    if (own.timer !== null || own.ended) return;
    own.timer = setTimeout(async function due() {
      if (own.running || document.hidden) {
        own.timer = setTimeout(due, EVERY);
        return;
      }
      own.timer = null;
      own.running = true;
      // A look that fails says nothing new: what is shown stays, and the frame tells that the host does not answer.
      await look().catch(() => null);
      own.running = false;
      own.last = Date.now();
    }, Math.max(0, own.last + EVERY - Date.now()));
  }, [look]);
  useEffect(() => {
    news.current.ended = false;
    return () => {
      clearTimeout(news.current.timer);
      Object.assign(news.current, { timer: null, ended: true });
    };
  }, [ask]);
  useLive(["event.accepted", "run.changed"], ({ data }) => {
    if (data?.eid) news.current.changed.add(data.eid);
    ask();
  });

  const show = useCallback(() => change(shown), [change]);
  // What waited while somebody read comes when they have read.
  useEffect(() => {
    if (follows && !paused) show();
  }, [follows, paused, show]);
  const loadMore = useCallback(() => (now.current.state.cursor ? read(now.current.state.cursor) : undefined), [read]);
  const reload = useCallback(() => read(null), [read]);
  return {
    items: state.items, fresh: state.waiting.length, freshMore: state.gap, problem: state.problem, loading: state.loading, more: state.cursor !== null,
    loadMore, reload, follows, paused, pause: setPaused, show,
  };
}
