// The host's API: requests, problem documents, and the hooks that pages read it by.
import { useCallback, useEffect, useRef, useState } from "./preact.js";
import { t } from "./i18n.js";
import { keepToken, session, signedOut, token } from "./session.js";

/** An error answer (RFC 9457), or none at all (`status` 0). */
export class ApiProblem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || String(status));
    this.status = status;
    /** What was wrong and what to do, in the host's words. */
    this.detail = document.detail ?? "";
    this.document = document;
    this.retryAfter = document.retry_after ?? null;
  }
}

/** `/path?a=b`, without what is empty; a list gives the name several times. */
export function url(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Headers that every request carries. `Sangam-Request` shows that a page of the host's own asks. */
export function headers(more = {}) {
  const kept = token();
  return { "sangam-request": "1", ...(kept ? { authorization: `Bearer ${kept}` } : {}), ...more };
}

async function problemOf(answer) {
  const text = await answer.text().catch(() => "");
  let document = {};
  try {
    document = JSON.parse(text);
  } catch {
    document = { detail: text.slice(0, 500) };
  }
  const after = Number(answer.headers.get("retry-after"));
  return new ApiProblem(answer.status, { ...document, retry_after: Number.isFinite(after) && after > 0 ? after : null });
}

/** One request. Gives the JSON of the answer, `null` where there is none. */
export async function request(method, path, { params, body, signal, headers: more } = {}) {
  const sent = token();
  let answer;
  try {
    answer = await fetch(url(path, params), {
      method,
      signal,
      headers: headers({ ...(body === undefined ? {} : { "content-type": "application/json" }), accept: "application/json", ...more }),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiProblem(0, { detail: t("common.no-answer") });
  }
  if (!answer.ok) {
    const problem = await problemOf(answer);
    // A request of a session that has been exchanged meanwhile says nothing of the present one.
    if (answer.status === 401 && sent === token()) signedOut(session.value.state === "in" ? problem : null, problem.document.login);
    throw problem;
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  return text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text || null;
}

export const get = (path, params, options) => request("GET", path, { ...options, params });
export const post = (path, body = {}, options) => request("POST", path, { ...options, body });

/** Asks who this is. Decides whether the console or the way to sign in is shown. */
export async function whoAmI() {
  try {
    const me = await get("/v1/me");
    session.value = { ...session.value, state: "in", me, problem: null };
  } catch (problem) {
    if (problem.status === 401) session.value = { ...session.value, state: "out", me: null, login: problem.document.login ?? session.value.login };
    else session.value = { ...session.value, state: "failed", problem };
  }
}

/** Signs in with an API token. @throws {ApiProblem} when the host does not take it. */
export async function signIn(text) {
  keepToken(text);
  try {
    const me = await get("/v1/me");
    session.value = { ...session.value, state: "in", me, problem: null };
  } catch (problem) {
    keepToken(null);
    throw problem;
  }
}

/** Forgets the token, or ends the session at the host. */
export async function signOut() {
  if (session.value.me?.kind === "person") await post("/logout").catch(() => null);
  signedOut();
  await whoAmI();
}

const isAbort = (problem) => problem.name === "AbortError";

/**
 * What `GET path` answers, read anew when the path or the parameters change: `{ data, problem, loading, reload }`. While it is read anew, the former
 * `data` stay. `path` null: nothing is read. `reload()` gives a promise.
 */
export function useGet(path, params = {}) {
  const where = path === null ? null : url(path, params);
  const [state, set] = useState({ where, data: null, problem: null, loading: where !== null });
  const running = useRef(null);
  const reload = useCallback(async () => {
    running.current?.abort();
    if (where === null) return;
    const abort = new AbortController();
    running.current = abort;
    set((old) => ({ ...old, loading: true }));
    try {
      const data = await get(where, undefined, { signal: abort.signal });
      set({ where, data, problem: null, loading: false });
    } catch (problem) {
      // What was shown stays, with what is wrong beside it; of another path it would be false.
      if (!isAbort(problem)) set((old) => ({ where, data: old.where === where ? old.data : null, problem, loading: false }));
    }
  }, [where]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  return { data: state.data, problem: state.problem, loading: state.loading, reload };
}

/**
 * A list with cursors: `{ items, problem, loading, more, loadMore, reload, refresh, first }`. `name`: the member that holds the rows. `reload` reads the first
 * page anew and drops the others; `refresh` reads as many anew as are shown; `first`: the whole first answer, for members beside the list.
 */
export function useList(path, name, params = {}) {
  const where = path === null ? null : url(path, params);
  const empty = { where, items: [], cursor: null, first: null, problem: null, loading: where !== null };
  const [state, set] = useState(empty);
  const running = useRef(null);
  const read = useCallback(
    async (cursor) => {
      running.current?.abort();
      if (where === null) return;
      const abort = new AbortController();
      running.current = abort;
      set((old) => ({ ...(old.where === where ? old : empty), loading: true, problem: null }));
      try {
        const next = cursor ? `${where}${where.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : where;
        const data = await get(next, undefined, { signal: abort.signal });
        set((old) => ({
          where,
          items: cursor ? [...old.items, ...(data[name] ?? [])] : data[name] ?? [],
          cursor: data.next_cursor ?? null,
          first: cursor ? old.first : data,
          problem: null,
          loading: false,
        }));
      } catch (problem) {
        if (!isAbort(problem)) set((old) => ({ ...old, problem, loading: false }));
      }
    },
    [where, name],
  );
  useEffect(() => {
    read(null);
    return () => running.current?.abort();
  }, [read]);
  const reload = useCallback(() => read(null), [read]);
  // As far as somebody has come, in one go: what they look at stays where it is.
  const count = state.items.length;
  const refresh = useCallback(async () => {
    running.current?.abort();
    if (where === null) return;
    const abort = new AbortController();
    running.current = abort;
    try {
      let [items, cursor, first] = [[], null, null];
      do {
        const data = await get(cursor ? `${where}${where.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : where, undefined, { signal: abort.signal });
        first ??= data;
        items = [...items, ...(data[name] ?? [])];
        cursor = data.next_cursor ?? null;
      } while (cursor && items.length < count);
      set({ where, items, cursor, first, problem: null, loading: false });
    } catch (problem) {
      if (!isAbort(problem)) set((old) => ({ ...old, problem, loading: false }));
    }
  }, [where, name, count]);
  const loadMore = useCallback(() => read(state.cursor), [read, state.cursor]);
  const shown = state.where === where ? state : empty;
  return { items: shown.items, first: shown.first, problem: shown.problem, loading: shown.loading, more: shown.cursor !== null, loadMore, reload, refresh };
}
